# SPDX-License-Identifier: MIT
"""Terminals as bad as they come: one that vanishes, of any size, closed descriptors, a full disk; whoever types is killed or stopped.
Every command ends, or goes on; the console and its other viewers are none the worse."""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

import vcons
from vcons import Control, Place, program, stop, wait_for

SIZES = ((1, 1), (0, 0), (2, 1), (1, 500), (1000, 1000), (65535, 65535), (24, 80))


class Terminal:
    """A command on a terminal of its own, which may go."""

    def __init__(self, place, *argv, ignore=None, size=(24, 80)):
        self.master, slave = pty.openpty()
        self.said = b""
        self.resize(*size)

        def begin():
            vcons.die_with_parent()
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if ignore:
                signal.signal(ignore, signal.SIG_IGN)
        self.process = place.start([program("vcons"), *argv], stdin=slave, stdout=slave, stderr=slave, preexec_fn=begin)
        os.close(slave)
        os.set_blocking(self.master, False)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def text(self):
        try:
            while True:
                self.said += os.read(self.master, 65536)
        except OSError:  # nothing yet, or nobody is there any more
            return self.said

    def wait(self, what):
        try:
            wait_for(lambda: what in self.text(), repr(what))
        except TimeoutError:
            raise AssertionError(f"{what!r} is not in {self.text()[-2000:]!r}") from None

    def type(self, keys):
        os.write(self.master, keys)

    def vanish(self):
        os.close(self.master)
        return self.process.wait(vcons.WAIT_S)

    def end(self):
        self.type(b"\x1d.")
        wait_for(lambda: (self.text(), self.process.poll() is not None)[1], "the end")
        os.close(self.master)
        return self.process.returncode


def heard(feeder, i):
    line = [a for a in feeder.ask("input", i) if a[0] == "got"][0]
    return bytes.fromhex(line[3]) if len(line) > 3 else b""


def listed(place, name):
    with Control(place.control) as c:
        return c.ls()[name]


def unwatched(place):
    wait_for(lambda: listed(place, "f0/hvc0")["viewers"] == 0 and listed(place, "f0/hvc0")["writer"] is None, "no viewer")


def vanishes(place):
    """Hung up, by the signal or by what reading and writing say where that is ignored."""
    for argv, sign in ((["attach", "f0"], b"leaves]"), (["attach", "f0", "f1"], b"leaves]"), (["attach", "--ro", "f0"], b"leaves]"),
                       (["top"], b"q leaves"), (["ls", "--watch"], b"q leaves"), (["log", "-f", "f0"], b"0000 0000000001")):
        for ignore in (None, signal.SIGHUP):
            t = Terminal(place, *argv, ignore=ignore)
            t.wait(sign)
            if argv == ["log", "-f", "f0"] and ignore:
                t.process.terminate()  # it says nothing, and reads nothing: nothing tells it
            status = t.vanish()
            assert status in (0, 1, 128 + signal.SIGHUP, -signal.SIGHUP, -signal.SIGTERM), (argv, status)  # which comes first is chance
    unwatched(place)


def sizes(place, feeder):
    """Whatever the terminal says of itself, at the start and later."""
    for size in SIZES:
        t = Terminal(place, "attach", "f0", size=size)
        wait_for(lambda: listed(place, "f0/hvc0")["writer"] is not None, "the writer")
        for other in SIZES:
            t.resize(*other)
            feeder.ask("lines", 0, 3)
        t.type(b"in %d %d" % size)
        wait_for(lambda: (t.text(), heard(feeder, 0).endswith(b"in %d %d" % size))[1], "what was typed")
        assert t.end() == 0, t.said
    unwatched(place)


def killed(place, feeder):
    """Who types is killed: the token is free for the next key of another."""
    one, two = Terminal(place, "attach", "f0"), Terminal(place, "attach", "f0")
    wait_for(lambda: listed(place, "f0/hvc0")["viewers"] == 2, "both")
    holder, other = (one, two) if f"(pid {one.process.pid})" in listed(place, "f0/hvc0")["writer"] else (two, one)
    holder.process.kill()
    holder.vanish()
    wait_for(lambda: listed(place, "f0/hvc0")["writer"] is None, "a free token")
    other.wait(b"[vcons: nobody writes now")  # before that a key is refused
    other.type(b"of the other")
    wait_for(lambda: heard(feeder, 0).endswith(b"of the other"), "what the other typed")
    assert other.end() == 0


def stopped(place, feeder):
    """Who types is stopped: another takes over, nobody waits; going on, it is told, and what was typed at it meanwhile goes nowhere."""
    holder = Terminal(place, "attach", "f0")
    wait_for(lambda: listed(place, "f0/hvc0")["writer"] is not None, "the writer")
    holder.wait(b"leaves]")
    holder.process.send_signal(signal.SIGSTOP)
    other = Terminal(place, "attach", "f0")
    other.wait(b"[vcons: read only:")
    other.type(b"\x1dw")
    other.wait(b"[vcons: you write now]")
    holder.type(b"never")
    feeder.ask("lines", 0, 5000)  # more than any socket holds
    other.type(b"meanwhile")
    wait_for(lambda: (other.text(), heard(feeder, 0).endswith(b"meanwhile"))[1], "what was typed meanwhile")
    holder.process.send_signal(signal.SIGCONT)
    holder.wait(b"[vcons: read only:")
    feeder.ask("lines", 0, 1)
    holder.wait(b"\n0000 %010d " % (listed(place, "f0/hvc0")["bytes"] // 80 - 1))  # all of it, late
    other.type(b", still")
    wait_for(lambda: (other.text(), heard(feeder, 0).endswith(b", still"))[1], "what was typed then")
    assert b"never" not in heard(feeder, 0)
    assert other.end() == 0 and holder.end() == 0
    unwatched(place)


def closed(place):
    """Without descriptors to read from or print to, and where the disk is full."""
    def run(words):
        return subprocess.run(["/bin/sh", "-c", f'exec "$0" {words}', program("vcons")], env=place.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=vcons.WAIT_S)
    for words in ("log f0", "ls", "status", "attach f0", "attach f0 f1", "log -f f0"):
        for to in (">&-", ">/dev/full", "<&- >&-"):
            r = run(f"{words} {to}")
            assert r.returncode == 1 and r.stderr.startswith(b"vcons: cannot write the output: "), (words, to, r)
    assert run("log f0 2>&- <&-").stdout.startswith(b"0000 0000000000 ")
    p = place.start(["/bin/sh", "-c", 'exec "$0" attach f0 <&-', program("vcons")], stdout=subprocess.PIPE)
    assert p.stdout.readline().startswith(b"0000 ")
    assert stop(p) == 128 + signal.SIGTERM


def closed_service():
    """What it says is never in what it opens."""
    with Place() as place:
        daemon = place.start(["/bin/sh", "-c", 'exec "$0" --foreground <&- >&- 2>&-', program("vconsd")])
        wait_for(lambda: place.answers(daemon), "vconsd")
        assert [os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3
        feeder = place.feeder("-n", "2")
        feeder.expect("served", 2)
        for i in range(2):
            feeder.ask("lines", i, 10)
        daemon.send_signal(signal.SIGHUP)  # a reload, which it talks about
        for i in range(2):
            wait_for(lambda: len(place.log_bytes(f"f{i}/hvc0")) == 800, "the log")
        assert stop(daemon) == 0
        place.check([800, 800])


def main():
    with Place() as place:
        place.daemon()
        feeder = place.feeder("-n", "2")
        feeder.expect("served", 2)
        feeder.ask("lines", 0, 3)
        closed(place)
        vanishes(place)
        sizes(place, feeder)
        killed(place, feeder)
        stopped(place, feeder)
    closed_service()
    return 0


sys.exit(main())
