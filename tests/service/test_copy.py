# SPDX-License-Identifier: MIT
"""Logs as text files: every line once and in its order, with its time, over kills, restarts, rotation and a full disk; a
slow or full disk costs neither guests nor viewers; files that are something else are left alone."""
import os
import re
import signal
import stat
import subprocess
import sys

import vcons

LINE = 80
STAMP = re.compile(rb"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")
OPENED = re.compile(rb"\A" + STAMP.pattern + rb"Logfile Opened\n")


def configured(place, text, name="vconsd.conf"):
    path = os.path.join(place.root, name)
    with open(path, "w") as f:
        f.write('text { directory = "%s"  %s }\n' % (os.path.join(place.root, "text"), text))
    return path


def file(place, name):
    return os.path.join(place.root, "text", name)


def content(place, name):
    with open(file(place, name), "rb") as f:
        return f.read()


def plain(data):
    """The lines of a file with times, which each must have; the last one may not be whole yet."""
    if len(data) < len("[2026-11-21 08:13:01] Logfile Opened\n"):
        return b""
    head = OPENED.match(data)
    assert head, data[:80]
    lines = data[head.end():].split(b"\n")
    bare = [line for line in lines[:-1] if not STAMP.match(line)]
    assert not bare, bare[:3]
    return b"\n".join(line[22:] for line in lines)


def wait_content(place, name, want, see=lambda data: data):
    vcons.wait_for(lambda: os.path.exists(file(place, name)) and len(see(content(place, name))) >= len(want), name)
    assert see(content(place, name)) == want, f"{name} differs"


def times(place):
    daemon = place.daemon("--config", configured(place, "times = all"))
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    feeder.say("lines", 0, 20000)
    feeder.expect("finished")
    wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, 20000), plain)
    status = os.stat(file(place, "guest-f0-hvc0.log"))
    assert stat.S_IMODE(status.st_mode) == 0o640, oct(status.st_mode)
    # As logrotate does it, twice at once: a file is opened once and has its mark once.
    for i in range(3):
        os.rename(file(place, "guest-f0-hvc0.log"), file(place, f"old{i}"))
        daemon.send_signal(signal.SIGHUP)
        daemon.send_signal(signal.SIGHUP)
        vcons.wait_for(lambda: os.path.exists(file(place, "guest-f0-hvc0.log")), "the new file")
        feeder.say("lines", 0, 100)
        feeder.expect("finished")
        wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 20000 + i * 100, 100), plain)
    assert plain(content(place, "old0")) == vcons.pattern(0, 0, 20000)
    # Gone for good: its file is closed, and goes on when it is back.
    feeder.ask("gone", 1)
    wanted = {file(place, "guest-f0-hvc0.log")}
    vcons.wait_for(lambda: opened(daemon, os.path.join(place.root, "text")) == wanted, "the end of the other's file")
    assert vcons.stop(daemon) == 0


def opened(daemon, below):
    found = set()
    for fd in os.listdir(f"/proc/{daemon.pid}/fd"):
        try:
            path = os.readlink(f"/proc/{daemon.pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if path.startswith(below):
            found.add(path)
    return found


def kills(place):
    """Killed and stopped in the midst of output: what the file has is what the log has, once."""
    config = configured(place, "times = guest")
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    names = [f"guest-f{i}-hvc0.log" for i in (0, 1)]
    vcons.wait_for(lambda: all(os.path.exists(file(place, name)) for name in names), "the files")
    for i in range(12):
        size = os.path.getsize(file(place, names[i % 2]))
        for j in (0, 1):
            feeder.ask("lines", j, 4000)
        vcons.wait_for(lambda: os.path.getsize(file(place, names[i % 2])) > size + i * 10000, "progress")
        vcons.stop(daemon, signal.SIGTERM if i % 4 == 3 else signal.SIGKILL)
        daemon = place.daemon("--config", config)
        feeder.expect("served")
    for i, sent in enumerate(feeder.sent("stop")):  # new lines were asked for in the midst of one: it may end so
        wait_content(place, names[i], vcons.pattern(i, 0, sent // LINE + 1)[:sent], plain)
    assert vcons.stop(daemon) == 0


def behind(place):
    """What is kept may be older than the file, by any amount: the text in between is not written again."""
    config = configured(place, "times = all")
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    kept = os.path.join(place.state, "copies/f0,hvc0")
    done = 0
    for n in (7, 20000):
        feeder.say("lines", 0, 1000)
        feeder.expect("finished")
        done += 1000
        wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, done), plain)
        vcons.stop(daemon)
        with open(kept, "rb") as f:
            old = f.read()
        daemon = place.daemon("--config", config)
        feeder.expect("served")
        feeder.say("lines", 0, n)
        feeder.expect("finished")
        done += n
        wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, done), plain)
        vcons.stop(daemon, signal.SIGKILL)
        with open(kept, "wb") as f:  # as if the service had been killed before it wrote that
            f.write(old)
        with open(file(place, "guest-f0-hvc0.log"), "ab") as f:
            f.truncate(os.path.getsize(f.name) - 50)
        daemon = place.daemon("--config", config)
        feeder.expect("served")
        wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, done), plain)
    vcons.stop(daemon)
    with open(kept, "wb") as f:  # nonsense says nothing: it begins with what comes
        f.write(b"\xff" * 48)
    daemon = place.daemon("--config", config)
    feeder.expect("served")
    feeder.say("lines", 0, 3)
    feeder.expect("finished")
    wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, done + 3), plain)
    vcons.stop(daemon)


def left(place):
    """What a service that ends leaves unwritten the next one writes, though the console does not come back."""
    config = configured(place, "of = guest")
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    feeder.say("lines", 0, 1000)
    feeder.expect("finished")
    wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, 1000))
    os.rename(file(place, "guest-f0-hvc0.log"), file(place, "before"))
    os.mkdir(file(place, "guest-f0-hvc0.log"))
    daemon.send_signal(signal.SIGHUP)
    vcons.wait_for(lambda: not opened(daemon, os.path.join(place.root, "text")), "the end of the old file")
    feeder.say("lines", 0, 1000)
    feeder.expect("finished")
    vcons.stop(feeder.process)
    vcons.wait_for(lambda: len(place.log_bytes("f0/hvc0")) == 2000 * LINE, "the log itself")
    assert vcons.stop(daemon) == 0
    with open(file(place, "before"), "rb") as f:
        before = f.read()
    os.rmdir(file(place, "guest-f0-hvc0.log"))
    daemon = place.daemon("--config", config)
    rest = vcons.pattern(0, 0, 2000)[len(before):]
    wait_content(place, "guest-f0-hvc0.log", rest)
    vcons.wait_for(lambda: not opened(daemon, os.path.join(place.root, "text")), "its end")
    assert vcons.stop(daemon) == 0


def refused(place):
    """What is no file of ours is neither followed nor written to; it comes when that is over, and others meanwhile."""
    config = configured(place, "of = guest  replace_escape = yes")
    os.mkdir(os.path.join(place.root, "text"))
    os.symlink(file(place, "elsewhere"), file(place, "guest-f0-hvc0.log"))
    os.mkfifo(file(place, "guest-f1-hvc0.log"))
    with open(os.path.join(place.root, "said"), "w+b") as said:
        daemon = place.daemon("--config", config, stderr=said)
        feeder = place.feeder("-n", "3")
        feeder.expect("served")
        for i in range(3):
            feeder.say("lines", i, 1000)
            feeder.expect("finished")
        wait_content(place, "guest-f2-hvc0.log", vcons.pattern(2, 0, 1000))
        assert not os.path.exists(file(place, "elsewhere"))
        for i in (0, 1):
            os.unlink(file(place, f"guest-f{i}-hvc0.log"))
            wait_content(place, f"guest-f{i}-hvc0.log", vcons.pattern(i, 0, 1000))
        said.seek(0)
        text = said.read()
        assert text.count(b"\n") == 2 and text.count(b"guest-f0-hvc0.log") == 1, text  # once each
        vcons.stop(daemon)


def full(place):
    """On a full disk the file stops where it is, in the midst of a line, and goes on there when there is room."""
    config = configured(place, "times = all")
    os.mkdir(os.path.join(place.root, "text"))
    small = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256K", "vcons-test", os.path.join(place.root, "text")],
                           capture_output=True, text=True)
    if small.returncode != 0:
        print("a small tmpfs cannot be mounted: left out")
        return
    try:
        daemon = place.daemon("--config", config, stderr=subprocess.DEVNULL)
        feeder = place.feeder("-n", "1")
        feeder.expect("served")
        feeder.say("lines", 0, 5000)
        feeder.expect("finished")
        vcons.wait_for(lambda: len(place.log_bytes("f0/hvc0")) == 5000 * LINE, "the log itself")
        text = file(place, "guest-f0-hvc0.log")
        vcons.wait_for(lambda: os.path.exists(text) and os.path.getsize(text) == 256 * 1024, "a full disk")
        with vcons.Control(place.control) as c:
            assert c.ls()["f0/hvc0"]["dropped"] == 0
        subprocess.run(["mount", "-o", "remount,size=2M", os.path.join(place.root, "text")], check=True)
        wait_content(place, "guest-f0-hvc0.log", vcons.pattern(0, 0, 5000), plain)
        vcons.stop(feeder.process)
        assert vcons.stop(daemon) == 0
    finally:
        subprocess.run(["umount", "-l", os.path.join(place.root, "text")], check=False)


def wrong(place):
    for text, word in (("of = some", "none, guest, hv or all"), ("times = yes", "none, guest, hv or all"),
                       ('directory = "text"', "absolute"), ("} text { directory = /tmp", "one such block")):
        r = subprocess.run([vcons.program("vconsd"), "--check", "--config", configured(place, text)], env=place.env,
                           capture_output=True, text=True)
        assert r.returncode == 2 and word in r.stderr, (text, r)


def main():
    for case in (times, kills, behind, left, refused, full, wrong):
        print(case.__name__, flush=True)
        with vcons.Place() as place:
            case(place)
    return 0


sys.exit(main())
