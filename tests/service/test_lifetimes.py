# SPDX-License-Identifier: MIT
"""Beginning and end of vconsd: one for each directory, TERM within a second and nothing lost by it (R50), leaving by itself,
the background, wrong configurations, and what a dead one leaves behind."""
import fcntl
import os
import signal
import subprocess
import sys
import time

import vcons


def run(place, *args, **kw):
    return subprocess.run([vcons.program("vconsd"), *args], env=place.env, capture_output=True, text=True,
                          timeout=vcons.WAIT_S, stdin=subprocess.DEVNULL, **kw)


def one_of_each(place):
    daemon = place.daemon()
    second = run(place, "--foreground")
    assert second.returncode == 1 and f"pid {daemon.pid}" in second.stderr, second.stderr
    assert second.stderr.startswith("vconsd: ") and second.stderr.count("\n") == 1, second.stderr
    assert place.answers(daemon)
    vcons.stop(daemon, signal.SIGKILL)
    daemon = place.daemon()  # a dead one's lock and sockets are no obstacle
    assert vcons.stop(daemon, signal.SIGINT) == 0
    with open(place.control, "w") as f:
        f.write("mine")
    refused = run(place, "--foreground")
    assert refused.returncode == 1 and place.control in refused.stderr, refused.stderr
    with open(place.control) as f:
        assert f.read() == "mine"  # what is no socket is not ours to remove
    os.unlink(place.control)


def dying(place):
    """The lock of a service that was just killed, still held by the last of its threads, is waited for; a live one's is not."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(vcons.WAIT_S)
    with open(os.path.join(place.state, "vconsd.lock"), "w") as f:
        f.write(f"{dead.pid}\n")
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        daemon = place.daemon(ready=False)
        try:
            status = daemon.wait(0.4)
        except subprocess.TimeoutExpired:
            status = None
        assert status is None, f"left with {status} although nobody lives there"
    vcons.wait_for(lambda: place.answers(daemon), "vconsd")
    assert vcons.stop(daemon) == 0
    with open(os.path.join(place.state, "vconsd.lock"), "w") as f:  # for ever held: refused in the end
        f.write(f"{dead.pid}\n")
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        assert run(place, "--foreground").returncode == 1


def term(place):
    """TERM in the midst of 100 saturating consoles: gone within a second; the next service goes on exactly there."""
    feeder = place.feeder("-n", "100", "--out", "65536", "--go")
    slowest = 0
    for _ in range(5):
        daemon = place.daemon()
        feeder.expect("served")
        began = time.monotonic()
        assert vcons.stop(daemon) == 0
        slowest = max(slowest, time.monotonic() - began)
    print(f"TERM took {slowest:.3f} s at most")
    assert slowest < 1 or vcons.sanitized_build()
    daemon = place.daemon()
    sent = feeder.sent("stop")
    vcons.stop(daemon)
    place.check(sent)
    for r in place.index("f0/hvc0"):
        assert r[3] != vcons.GAP, "a gap where nothing is missing"
    feeder.process.stdin.close()
    feeder.process.wait(vcons.WAIT_S)


def by_itself(place):
    daemon = place.daemon("--linger", "0")
    feeder = place.feeder("-n", "3", "--prefix", "l")
    feeder.expect("served")
    viewer = vcons.Control(place.control)
    viewer.attach("l0", "now")
    vcons.stop(feeder.process, signal.SIGKILL)
    time.sleep(0.05)  # not to wait for something: to see that nothing comes
    assert daemon.poll() is None, "it left a viewer alone"
    viewer.close()
    assert daemon.wait(vcons.WAIT_S) == 0
    daemon = place.daemon("--private")
    feeder = place.feeder("--prefix", "l")
    feeder.expect("served")
    vcons.stop(feeder.process, signal.SIGKILL)
    assert daemon.wait(vcons.WAIT_S) == 0
    daemon = place.daemon("--linger", "1000")
    feeder = place.feeder("--prefix", "l")
    feeder.expect("served")
    vcons.stop(feeder.process, signal.SIGKILL)
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["l0/hvc0"]["state"] == "away", "the console to be away")
    assert daemon.poll() is None
    vcons.stop(daemon)


def background(place):
    begun = run(place)
    assert begun.returncode == 0 and not begun.stderr, begun.stderr
    assert place.answers()  # the command returned when the service answered, not before
    with open(os.path.join(place.state, "vconsd.lock")) as f:
        pid = int(f.read())
    second = run(place)
    assert second.returncode == 1 and f"pid {pid}" in second.stderr, second.stderr
    os.kill(pid, signal.SIGTERM)
    vcons.wait_for(lambda: not os.path.exists(f"/proc/{pid}") or "State:\tZ" in open(f"/proc/{pid}/status").read(),
                   "its end")


def configurations(place):
    path = os.path.join(place.root, "vconsd.conf")
    for text, words in [
        (b"segment_size = 16M\nnothing = 1\n", [":2:", "nothing"]),
        (b'segment_size = "16Q"\n', [":1:", "segment_size", "16Q"]),
        (b'segment_size = "0"\n', [":1:", "64K"]),
        (b'segment_size = "99999999999T"\n', [":1:"]),
        (b'\naccess "*" { read = "no-such-group-at-all" }\n', [":2:", "no-such-group-at-all"]),
        (b'console "a" { source = "unix:/x" }\n', [":1:", "DOMAIN/CONSOLE"]),
        (b'console "a/*" { source = "unix:/x" }\n', [":1:", "DOMAIN/CONSOLE"]),
        (b'console "a/b" {\n  source = "unix:x" }\n', [":2:", "absolute"]),
        (b'console "a/b" {\n source = "mail:x" }\n', [":2:", "unix:PATH"]),
        (b'console "a/b" { source = "unix:/' + b"x" * 200 + b'" }\n', [":1:", "107"]),
        (b'console "a/b" { pty = maybe }\n', [":1:", "pty", "yes or no"]),
        (b'console "a/b" {\n pty = yes\n pty = no }\n', [":3:", "pty", "once"]),
        (b'console "a/b" { }\nconsole "a/b" { }\n', [":2:", "a/b"]),
        (b'console "a/b" { noise = 1 }\n', [":1:", "noise", "source", "pty"]),
        (b'segment_size = "1M"\nsegment_size = "2M"\n', [":2:", "once"]),
        (b'\n\ninclude "none.conf"\n', [":3:", "none.conf"]),
        (b'\ninclude 7\n', [":2:", "include"]),
        (b'include "vconsd.conf"\n', ["deep"]),
        (b"access \"*\" {\n", [":"]),
        (b"\0\n", [":1"]),
        (b"x" * (1 << 21), ["1 MiB"]),
    ]:
        with open(path, "wb") as f:
            f.write(text)
        for extra in (["--check"], ["--foreground"]):
            r = run(place, "--config", path, *extra)
            assert r.returncode == 2, (text[:60], r)
            assert r.stderr.startswith("vconsd: " + path) and r.stderr.count("\n") == 1, r.stderr
            for word in words:
                assert word in r.stderr, (word, r.stderr)
    for target in (place.root, "/dev/zero", os.path.join(place.root, "none")):
        assert run(place, "--config", target, "--check").returncode == 2
    with open(path, "w") as f:
        f.write('segment_size = "1M"\nconsole_size = "8M"\ntotal_size = "64M"\n'
                'access "web/*" { read = "root"  break = true }\n')
    r = run(place, "--config", path, "--check")
    assert r.returncode == 0 and not r.stderr, r
    for args in (["--linger", "soon"], ["--linger", "-1"], ["more"], ["--dance"]):
        r = run(place, *args)
        assert r.returncode == 2 and r.stderr, (args, r)


def many_files(place):
    """Blocks of several files: each error names its own file, what may stand once stands in one of them."""
    path = os.path.join(place.root, "vconsd.conf")
    os.mkdir(path + ".d")
    os.mkdir(os.path.join(place.root, "more"))

    def write(name, text):
        with open(os.path.join(place.root, name), "w") as f:
            f.write(text)

    def check():
        return run(place, "--config", path, "--check")

    write("vconsd.conf", 'console "one/a" { pty = yes }\ninclude "more/*.conf" # a comment\nconsole "one/b" { }\n')
    write("more/x.conf", '# of its own\nconsole "two/a" { source = "unix:/x" }\n')
    write("more/y.other", "nonsense\n")
    write("vconsd.conf.d/10.conf", 'segment_size = "1M"\n')
    r = check()
    assert r.returncode == 0 and not r.stderr, r
    write("more/x.conf", "\n\nnonsense = 1\n")
    r = check()
    assert r.returncode == 2 and "more/x.conf:3:" in r.stderr, r
    write("more/x.conf", 'console "one/b" { }\n')
    r = check()
    assert r.returncode == 2 and "more/x.conf:1:" in r.stderr and "one/b" in r.stderr, r
    write("more/x.conf", "")
    write("vconsd.conf.d/20.conf", '\nsegment_size = "2M"\n')
    r = check()
    assert r.returncode == 2 and "vconsd.conf.d/20.conf:2:" in r.stderr and "once" in r.stderr, r
    write("vconsd.conf.d/20.conf", 'include "../more/y.other"\n')
    r = check()
    assert r.returncode == 2 and "y.other:" in r.stderr, r


def long_paths(place):
    deep = os.path.join(place.root, "d" * 100)
    os.mkdir(deep, 0o700)
    r = subprocess.run([vcons.program("vconsd"), "--foreground"], env=dict(place.env, VCONS_RUNTIME_DIR=deep),
                       capture_output=True, text=True, timeout=vcons.WAIT_S)
    assert r.returncode == 1 and "107" in r.stderr and deep in r.stderr, r.stderr


def main():
    for case in (one_of_each, dying, term, by_itself, background, configurations, many_files, long_paths):
        with vcons.Place() as place:
            case(place)
    return 0


sys.exit(main())
