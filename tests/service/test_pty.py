# SPDX-License-Identifier: MIT
"""A console as a pty: nothing is lost while nobody has it open, nor over closing and opening again; who does not read costs
nothing; a hang-up is no end; what is typed needs the token, and the last close gives it back; modes, size, link."""
import ctypes
import fcntl
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import sys
import termios

import vcons

LIBC = ctypes.CDLL(None)
LINE = 80


class Reader:
    """Somebody who has the slave open, as tio has."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        os.close(self.fd)

    def read(self, n, piece=1 << 16):
        """n bytes; a test that waits for ever is ended by who runs it."""
        data = bytearray()
        while len(data) < n:
            part = os.read(self.fd, min(piece, n - len(data)))
            assert part, f"hung up after {len(data)} of {n} bytes"
            data += part
        return bytes(data)

    def write(self, data):
        while data:
            data = data[os.write(self.fd, data):]


def link(place, i):
    return os.path.join(place.run, f"consoles/f{i}/hvc0.pty")


def ls(place, name):
    with vcons.Control(place.control) as c:
        return c.ls()[name]


def wait_ls(place, name, field, want):
    vcons.wait_for(lambda: ls(place, name)[field] == want, f"{field} of {name} to be {want}")


def lines(feeder, i, n):
    feeder.say("lines", i, n)
    feeder.expect("finished")


def got(feeder, i):
    line = [x for x in feeder.ask("input", i) if x[0] == "got"][0]
    return int(line[2]), bytes.fromhex(line[3]) if len(line) > 3 else b""


def typed(feeder, i, want):
    """Wait until the guest has read this since it was asked last, and nothing else."""
    vcons.wait_for(lambda: got(feeder, i)[0] >= len(want), "what was typed")
    assert got(feeder, i)[1] == want[-4096:], got(feeder, i)


def cooked(fd):
    iflag, oflag, _, lflag = termios.tcgetattr(fd)[:4]
    return (lflag & (termios.ECHO | termios.ICANON | termios.ISIG) or oflag & termios.OPOST or
            iflag & (termios.ICRNL | termios.IXON))


def unopened(place, feeder):
    """All that was written before anybody opened it: far more than the kernel keeps."""
    lines(feeder, 0, 40000)
    seen = ls(place, "f0/hvc0")
    assert seen["viewers"] == 0 and seen["pty"] == os.readlink(link(place, 0)), seen
    status = os.stat(seen["pty"])
    assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == os.geteuid()
    with Reader(link(place, 0)) as r:
        assert not cooked(r.fd)
        assert r.read(40000 * LINE) == vcons.pattern(0, 0, 40000)
        wait_ls(place, "f0/hvc0", "viewers", 1)
        lines(feeder, 0, 10)  # live
        assert r.read(10 * LINE) == vcons.pattern(0, 40000, 10)
    wait_ls(place, "f0/hvc0", "viewers", 0)


def again(place, feeder):
    """Opened and closed at any place, while output flows or not: what all of them read together is the stream."""
    chance, data, total = random.Random(7), bytearray(), 60000 * LINE
    feeder.say("lines", 1, 60000)
    finished = False
    while len(data) < total:
        with Reader(link(place, 1)) as r:
            data += r.read(min(chance.choice((1, 100, 5000, 70000, 300000)), total - len(data)), 1 + chance.randrange(9000))
        if not finished and chance.random() < 0.1:
            feeder.expect("finished")
            finished = True
    assert data == vcons.pattern(1, 0, 60000)


def slow(place, feeder):
    """One who has it open and does not read: neither the source nor others wait, and nothing is lost for him."""
    with Reader(link(place, 2)) as r:
        wait_ls(place, "f2/hvc0", "viewers", 1)
        lines(feeder, 2, 100000)
        with vcons.Control(place.control) as c:
            c.attach("f2", "start", follow=False)
            assert c.read(100000 * LINE) == vcons.pattern(2, 0, 100000)
        assert ls(place, "f2/hvc0")["dropped"] == 0
        assert r.read(100000 * LINE) == vcons.pattern(2, 0, 100000)


def typing(place, feeder):
    """Keys go to the guest with the token, which the first key asks for and the last close gives back."""
    path = ls(place, "f3/hvc0")["pty"]
    with Reader(path) as r:
        assert ls(place, "f3/hvc0")["writer"] is None
        r.write(b"\x03one\x1c\r")  # nobody but the guest makes anything of these
        typed(feeder, 3, b"\x03one\x1c\r")
        assert ls(place, "f3/hvc0")["writer"] == "pty " + path
        with vcons.Control(place.control) as c:
            c.attach("f3", "now", write="steal")
            while c.token()[0] != vcons.YOURS:
                pass
            r.write(b"unheard")
            wait_ls(place, "f3/hvc0", "refused", 7)
        wait_ls(place, "f3/hvc0", "writer", None)
        r.write(b"two")
        typed(feeder, 3, b"\x03one\x1c\rtwo")
    wait_ls(place, "f3/hvc0", "writer", None)
    want = b"\x03one\x1c\rtwo"
    for i in range(200):  # as `echo word >/dev/pts/5`
        with Reader(path) as r:
            r.write(b"%d," % i)
            want += b"%d," % i
    typed(feeder, 3, want)
    wait_ls(place, "f3/hvc0", "writer", None)


def full(place):
    """A guest that does not read what is typed: who types waits, and what was typed before a close is not lost."""
    with vcons.Guest(place, "slowly") as g:
        path = vcons.wait_for(lambda: ls(place, "slowly/hvc0")["pty"], "its pty")
        text = bytes(random.Random(9).randrange(32, 127) for _ in range(9000))
        taken = bytearray()
        with Reader(path) as r:
            r.write(text)  # 4 KiB in the line, the rest with the kernel
        vcons.wait_for(lambda: g.in_used() == g.in_size, "a full line")
        wait_ls(place, "slowly/hvc0", "viewers", 1)  # it has gone, and what it typed has not
        with Reader(path) as r:  # somebody else comes meanwhile
            r.write(b"and more")
            while len(taken) < len(text) + 8:
                vcons.wait_for(lambda: g.in_used() > 0, "input")
                taken += g.take_in(700)
        assert taken == text + b"and more"
        wait_ls(place, "slowly/hvc0", "viewers", 0)


def hang_up(place, feeder):
    """After a hang-up its modes are a terminal's for people: they are set right before the guest reads its own echo."""
    path = ls(place, "f4/hvc0")["pty"]
    with Reader(path) as r:
        lines(feeder, 4, 5)
        assert r.read(5 * LINE) == vcons.pattern(4, 0, 5)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.setsid()
            os.open(path, os.O_RDWR)  # its controlling terminal
            os._exit(0 if LIBC.vhangup() == 0 else 1)
        if os.waitpid(child, 0)[1] == 0:
            assert os.read(r.fd, 1) == b""
        else:
            print("hang-ups are not for us: left out")
    with Reader(path) as r:
        vcons.wait_for(lambda: not cooked(r.fd), "raw modes")
        lines(feeder, 4, 5)
        assert r.read(5 * LINE) == vcons.pattern(4, 5, 5)
        r.write(b"heard")
        typed(feeder, 4, b"heard")


def modes(place, feeder):
    """Who sets an echo and leaves does not have the guest talk to itself; while it has it open its modes are its own."""
    path = ls(place, "f5/hvc0")["pty"]
    with Reader(path) as r, Reader(path) as other:
        changed = termios.tcgetattr(other.fd)
        changed[3] |= termios.ICANON
        termios.tcsetattr(other.fd, termios.TCSANOW, changed)
        with Reader(path):
            wait_ls(place, "f5/hvc0", "viewers", 1)
        assert cooked(r.fd)
        changed[3] |= termios.ECHO
        termios.tcsetattr(other.fd, termios.TCSANOW, changed)
        with Reader(path):
            pass
        vcons.wait_for(lambda: not cooked(r.fd), "raw modes")
        lines(feeder, 5, 100)
        assert r.read(100 * LINE) == vcons.pattern(5, 0, 100)
        termios.tcsetattr(other.fd, termios.TCSANOW, changed[:3] + [termios.ICANON] + changed[4:])
    wait_ls(place, "f5/hvc0", "viewers", 0)
    with Reader(path) as r:
        assert not cooked(r.fd)
    assert got(feeder, 5)[0] == 0


def size(place, feeder):
    """Who tells the pty a size and types tells it the console."""
    with Reader(link(place, 6)) as r:
        fcntl.ioctl(r.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        r.write(b"k")
        typed(feeder, 6, b"k")
        vcons.wait_for(lambda: [x for x in feeder.ask("size", 6)][0][2:] == ["33", "111"], "the size")


def gone(place, feeder):
    """When the guest is no more the pty goes, but not from under who reads the last words."""
    assert os.path.exists(link(place, 7))
    with Reader(link(place, 7)) as r:
        lines(feeder, 7, 1000)
        feeder.ask("gone", 7)
        wait_ls(place, "f7/hvc0", "state", "off")
        assert r.read(1000 * LINE) == vcons.pattern(7, 0, 1000)
        assert ls(place, "f7/hvc0")["pty"]
    vcons.wait_for(lambda: not os.path.lexists(link(place, 7)), "the end of the link")
    assert ls(place, "f7/hvc0")["pty"] is None
    feeder.ask("gone", 8)
    vcons.wait_for(lambda: not os.path.lexists(link(place, 8)), "the end of one that nobody had open")
    assert os.path.lexists(link(place, 9))


def tools(place, feeder):
    """socat's idea of a serial port."""
    if not shutil.which("socat"):
        print("socat is not installed: left out")
        return
    peer = place.start(["socat", "-", f"OPEN:{link(place, 9)},rawer,noctty"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    peer.stdin.write(b"hello")
    peer.stdin.flush()
    typed(feeder, 9, b"hello")
    lines(feeder, 9, 20000)
    assert peer.stdout.read(20000 * LINE) == vcons.pattern(9, 0, 20000)
    vcons.stop(peer)
    wait_ls(place, "f9/hvc0", "viewers", 0)


def killed(place, config, daemon, feeder):
    """A service that was killed left a link to nothing: the next makes a new one, which begins where it does."""
    before = os.path.getsize(os.path.join(place.log, "f9/hvc0/current.log"))
    with Reader(link(place, 9)) as r:
        vcons.stop(daemon, signal.SIGKILL)
        try:
            assert os.read(r.fd, 1) == b""
        except OSError:
            pass
    assert os.path.lexists(link(place, 9)) and not os.path.exists(link(place, 9))
    daemon = place.daemon("--config", config)
    feeder.expect("served")
    vcons.wait_for(lambda: os.path.exists(link(place, 9)), "the link")
    with Reader(link(place, 9)) as r:
        lines(feeder, 9, 10)
        assert r.read(10 * LINE) == vcons.pattern(9, before // LINE, 10)
    with Reader(link(place, 9)):
        assert vcons.stop(daemon) == 0  # no reader holds it up
    assert not os.path.lexists(link(place, 9))


def wanted(place):
    """Only what the configuration names has one."""
    config = os.path.join(place.root, "some.conf")
    with open(config, "w") as f:
        f.write('console "f0/*" { pty = no }\nconsole "f[01]/*" { pty = yes }\n')
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "3")
    feeder.expect("served")
    with vcons.Control(place.control) as c:
        assert [c.ls()[f"f{i}/hvc0"]["pty"] is not None for i in range(3)] == [False, True, False]
    vcons.stop(feeder.process)
    vcons.stop(daemon)


def oldest(place, name):
    return min(int(f[:20]) for f in os.listdir(os.path.join(place.log, name)) if f[0].isdigit())


def kept(place):
    """Where retention took what was to come next, a reader goes on with the oldest there is."""
    config = os.path.join(place.root, "small.conf")
    with open(config, "w") as f:
        f.write('segment_size = "64K"\nconsole_size = "256K"\nconsole "*" { pty = yes }\n')
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    lines(feeder, 0, 20000)
    with Reader(link(place, 0)) as r:
        wait_ls(place, "f0/hvc0", "viewers", 1)  # a piece has begun, and the kernel has as much as it takes
        lines(feeder, 0, 20000)
        vcons.wait_for(lambda: oldest(place, "f0/hvc0") > 20000 * LINE, "retention")
        data = bytearray()
        while not data.endswith(vcons.pattern(0, 39999, 1)):
            data += os.read(r.fd, 1 << 16)  # not in whole lines
        lines(feeder, 0, 1)
        assert r.read(LINE) == vcons.pattern(0, 40000, 1)
    assert len(data) < 30000 * LINE
    vcons.stop(feeder.process)
    assert vcons.stop(daemon) == 0


def main():
    with vcons.Place() as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write('console "*" { pty = yes }\n')
        daemon = place.daemon("--config", config)
        feeder = place.feeder("-n", "10")
        feeder.expect("served")
        for case in (unopened, again, slow, typing, hang_up, modes, size, gone, tools):
            print(case.__name__, flush=True)
            case(place, feeder)
        full(place)
        killed(place, config, daemon, feeder)
    for case in (wanted, kept):
        with vcons.Place() as place:
            case(place)
    return 0


sys.exit(main())
