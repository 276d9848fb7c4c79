# SPDX-License-Identifier: MIT
"""What each command answers to what it is given: exit status, and one line on standard error that says what to do."""
import os
import shutil
import socket
import subprocess
import threading

from vcons import Place, program, wait_for


def run(place, *argv, stdin=subprocess.DEVNULL, env=None):
    return subprocess.run([program("vcons"), *argv], env=dict(place.env, **(env or {})), stdin=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def check(place, status, says, *argv, **kw):
    r = run(place, *argv, **kw)
    lines = r.stderr.decode().splitlines()
    assert r.returncode == status, (argv, r)
    if says is None:
        assert not lines, (argv, r)
    else:
        assert len(lines) == 1 and lines[0].startswith("vcons: ") and says in lines[0], (argv, r)
        assert not any(ord(c) < 32 or ord(c) == 127 for c in lines[0]), (argv, r)
    return r.stdout


def usage(place):
    """2, without a service being asked."""
    for says, argv in [
            ("'nonsense' is no command", ["nonsense"]),
            ("option '--nonsense' is not known: see vcons ls --help", ["ls", "--nonsense"]),
            ("option '-Z' is not known: see vcons --help", ["-Z", "ls"]),
            ("too many arguments", ["ls", "extra"]), ("too few arguments", ["attach"]), ("too few arguments", ["log"]),
            ("too few arguments", ["send"]), ("too few arguments", ["stop"]), ("too many arguments", ["stop", "--all", "p0"]),
            ("too few arguments", ["run"]), ("too few arguments", ["config"]), ("expected check", ["config", "chekc", "x"]),
            ("needs a value", ["log", "--since"]), ("expected a number of lines", ["log", "-n", "-3", "p0"]),
            ("expected a number of lines", ["log", "-n", "3x", "p0"]), ("exclude each other", ["log", "-n", "3", "--since", "-1h", "p0"]),
            ("'half past' is no moment", ["log", "--until", "half past", "p0"]), ("not with --time", ["log", "--raw", "--time", "p0"]),
            ("expected the number of a boot", ["log", "--boot", "0", "p0"]), ("expected start, boot", ["attach", "--from", "here", "p0"]),
            ("expected ^X", ["attach", "-e", "Ctrl", "p0"]), ("expected seconds", ["send", "--timeout", "0", "p0", "x"]),
            ("expected seconds", ["send", "--timeout", "1e99", "p0", "x"]), ("not with -d", ["run", "--private", "-d", "x"]),
            ("is a console: expected its domain, p0", ["stop", "p0/hvc0"]),
            ("too few arguments", ["console"]), ("too few arguments", ["console", "add", "p0"]), ("too many arguments", ["console", "add", "p0", "a", "b"]),
            ("expected add or remove", ["console", "list", "p0", "a"]), ("needs a value", ["console", "add", "p0", "a", "--device"]),
            ("too few arguments", ["resize", "p0"]), ("is no size: expected COLUMNSxROWS", ["resize", "p0", "80"]),
    ] + [("is not a console: expected DOMAIN", [c, n]) for c in ("attach", "log", "send", "stop", "reset")
         for n in ("../p0", "p0/", "a/b/c", ".", "p0\n", "p\x1b[31m0", "\xff\xfe", "x" * 33, "", "p0 ")]:
        check(place, 2, says, *argv)
    r = run(place)
    assert r.returncode == 2 and b"usage: vcons COMMAND" in r.stderr and not r.stdout, r
    for argv in ([], ["run"], ["ls"], ["attach"], ["log"], ["send"], ["stop"], ["reset"], ["console"], ["resize"], ["status"], ["config"]):
        out = check(place, 0, None, *argv, "--help")
        assert out.startswith(b"usage: vcons") and max(map(len, out.splitlines())) <= 110, out
    assert check(place, 0, None, "--version").startswith(b"vcons ")


def files(place):
    """A configuration that is none: 2, before anything starts."""
    path = os.path.join(place.root, "it.conf")
    for says, data in [("byte 0x00", b"domain\0"), (":2: this block has no end", b"\ndomain a {\n"), ("more than 1 MiB", b" " * 1048577),
                       ("byte 0x7f", b"\x7fELF\x02"), ("${…} is not filled in", b'domain a { kernel = "${HOME}" }')]:
        with open(path, "wb") as f:
            f.write(data)
        check(place, 2, f"{path}", "run", path)
        check(place, 2, says, "config", "check", path)
    for says, name, data in [("'domian': expected one of hypervisor, domain", "it.conf", b'domian "a" { }'),
                             ("'sokcet': expected one of segment_size", "vconsd.conf", b'sokcet "a/b" { }'),
                             ("'sokcet': expected one of segment_size", "it.conf", b'sokcet "a/b" { }\ntotal_size = "1G"\n'),
                             ("'memroy'", "it.conf", b'domain "a" {\n memroy = 3\n}')]:
        path = os.path.join(place.root, name)
        with open(path, "wb") as f:
            f.write(data)
        r = run(place, "config", "check", path)
        assert r.returncode == 2 and path.encode() + b":" in r.stderr and says in r.stderr.decode(), r
    check(place, 2, "this is a directory", "config", "check", place.root)
    check(place, 2, "No such file", "run", path + "x")
    assert not os.listdir(place.run), "something was started"


def no_service(place):
    """5, and the path that was tried; 4 where it may not be opened."""
    for argv in (["ls"], ["status"], ["attach", "p0"], ["log", "p0"], ["send", "p0", "x"], ["stop", "p0"], ["reset", "p0"]):
        check(place, 5, place.control, *argv)
        check(place, 5, "/nowhere/it.sock", *argv, "--socket", "/nowhere/it.sock")
        check(place, 5, "/nowhere/env.sock", *argv, env={"VCONS_SOCKET": "/nowhere/env.sock"})
    check(place, 2, "at most 107 bytes", "ls", "--socket", "/" + "x" * 107)
    os.mkfifo(place.control)
    check(place, 5, place.control, "ls")
    os.unlink(place.control)


def liar(place):
    """Whatever listens there and is no console service."""
    path = os.path.join(place.root, "liar.sock")
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    answers = [b"", b"220 mail\r\n", b"\xff" * 70000 + b"\n", b'{"id":1,"ok":[]}\n', b'{"id":1,"error":"\x1b[31m"}\n']

    def serve():
        for answer in answers:
            c, _ = s.accept()
            with c:
                c.recv(4096)
                c.sendall(answer)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    for _ in answers:
        check(place, 5, path, "ls", "--socket", path)
    thread.join()
    s.close()


def names(place):
    """3, 4, 6, 124 with a real service."""
    for argv in (["attach", "no"], ["log", "no"], ["log", "p0/no"], ["send", "no", "x"], ["stop", "no"], ["reset", "no"]):
        check(place, 3, "see vcons ls", *argv)
    assert check(place, 0, None, "log", "p0") == b""
    assert check(place, 0, None, "log", "1") == b"", "a domain id is a name as well"
    check(place, 0, None, "send", "p0", "hello")
    check(place, 0, None, "send", "-n", "p0", "x" * 4096)


def got(feeder, console):
    line = [a for a in feeder.ask("input", console) if a[0] == "got"][0]
    return int(line[2]), bytes.fromhex(line[3]) if len(line) > 3 else b""


def sends(place, feeder):
    """Each way to send, and what the guest got; a guest that does not read; a token that others have."""
    before = got(feeder, 0)[0]
    assert check(place, 0, None, "send", "p0", "line") == b""
    check(place, 0, None, "send", "-n", "p0", "word")
    with subprocess.Popen(["printf", r"a\000\377\n\r"], stdout=subprocess.PIPE) as p:
        check(place, 0, None, "send", "p0", stdin=p.stdout)
    wait_for(lambda: got(feeder, 0)[0] == before + 14, "all that was sent")
    assert got(feeder, 0)[1].endswith(b"line\rworda\0\xff\n\r")
    check(place, 0, None, "send", "p0", "")
    feeder.ask("claim", 1, 1)
    wait_for(lambda: b"terminal of" in run(place, "ls").stdout, "the claim")
    check(place, 4, "send --steal takes over", "send", "p1", "x")
    check(place, 0, None, "send", "--steal", "p1", "x")
    data = os.urandom(1 << 20)
    before = got(feeder, 0)[0]
    r = subprocess.run([program("vcons"), "send", "p0"], env=place.env, input=data, stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == 0 and not r.stderr
    count, newest = got(feeder, 0)
    wait_for(lambda: got(feeder, 0)[0] == before + len(data), "1 MiB typed")
    assert got(feeder, 0)[1] == data[-4096:]


def ends(place, feeder):
    feeder.say("drop")
    wait_for(lambda: b"away" in run(place, "ls").stdout, "the link to be away")
    check(place, 1, "is away", "send", "p0", "x")
    check(place, 124, "within 0.3 s", "send", "--timeout", "0.3", "p0", "x")
    check(place, 1, "not connected", "stop", "p0")
    feeder.say("dial")
    wait_for(lambda: b"away" not in run(place, "ls").stdout, "the link to be back")
    check(place, 0, None, "stop", "p0")
    feeder.expect("request", "1", "p0")
    check(place, 0, None, "reset", "p0")
    check(place, 0, None, "stop", "--all")
    viewer = place.start([program("vcons"), "attach", "p0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: b" 1  " in run(place, "ls").stdout, "the viewer")
    feeder.ask("gone", 0)
    assert viewer.wait(20) == 6, viewer.stderr.read()
    assert b"has ended" in viewer.stderr.read()
    check(place, 6, "is off", "send", "p0", "x")
    check(place, 0, None, "log", "-f", "p0")


def others():
    """Another user: 4 where the socket, or the console's rule, does not let them; a reader may attach and not type."""
    if os.geteuid() != 0:
        print("not root: what other users may do is not tried")
        return
    with Place() as place:
        conf = os.path.join(place.root, "vconsd.conf")
        with open(conf, "w") as f:
            f.write('access "p0/*" { read = "nogroup" }\n')
        for d in (place.root, place.run):
            os.chmod(d, 0o755)
        place.daemon("--system", "--config", conf)
        feeder = place.feeder("-n", "2", "--prefix", "p")
        feeder.expect("served", 2)

        command = shutil.copy(program("vcons"), place.root)  # nobody may not be able to enter the build directory

        def nobody(*argv):
            return subprocess.run([command, *argv], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=60, user=65534, group=65534, extra_groups=[])
        r = nobody("ls")
        if r.returncode == 126 or b"cannot execute" in r.stderr:
            return
        assert r.returncode == 0 and b"p0/hvc0" in r.stdout and b"p1" not in r.stdout, r
        for status, argv in ((0, ["log", "p0"]), (3, ["log", "p1"]), (4, ["send", "p0", "x"]), (4, ["stop", "p0"]), (4, ["stop", "--all"])):
            r = nobody(*argv)
            assert r.returncode == status, (argv, r)
        v = subprocess.Popen([command, "attach", "p0"], env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, user=65534, group=65534, extra_groups=[])
        v.stdin.write(b"typed")
        v.stdin.flush()
        line = v.stderr.readline()
        assert b"you may look at this console, not type" in line, line
        v.terminate()
        v.communicate(timeout=20)
        assert v.returncode == 143, v.returncode
        os.chmod(place.run, 0o700)
        r = nobody("ls")
        assert r.returncode == 4 and b"your user may not use it" in r.stderr, r


with Place() as place:
    usage(place)
    files(place)
    no_service(place)
    liar(place)
    place.daemon()
    feeder = place.feeder("-n", "2", "--prefix", "p")
    feeder.expect("served", 2)
    names(place)
    sends(place, feeder)
    ends(place, feeder)
others()
