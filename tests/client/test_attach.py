# SPDX-License-Identifier: MIT
"""A person at a console: attach in a real terminal, its menu, the write token, and the terminal put back afterwards."""
import os
import signal
import subprocess

from screen import Screen
from vcons import Place, program, wait_for

MENU = "[vcons: . leave  w write  ? help]"


def got(feeder):
    """The bytes that the guest has read, the newest 4 KiB."""
    line = [a for a in feeder.ask("input", 0) if a[0] == "got"][0]
    return bytes.fromhex(line[3]) if len(line) > 3 else b""


def child_of(pid, name):
    """The pid of the shell's child of that name."""
    def find():
        for p in os.listdir("/proc"):
            if p.isdigit():
                try:
                    with open(f"/proc/{p}/stat") as f:
                        fields = f.read().split()
                except OSError:
                    continue
                if fields[1] == f"({name})" and int(fields[3]) == pid:
                    return int(p)
        return None
    return wait_for(find, name)


def attach(screen, arguments=""):
    screen.command(f"vcons attach {arguments} p0")
    screen.wait("leaves]")
    return child_of(screen.pid(), "vcons")


def leave(screen):
    screen.key("C-]")
    screen.wait(MENU)
    screen.key(".")
    screen.wait("[vcons: left p0/hvc0]")
    screen.command("clear")
    screen.wait_gone("vcons:")


def typed_and_left(place, feeder, screen):
    before = screen.tty()
    attach(screen)
    wait_for(lambda: screen.tty() != before, "the raw terminal")
    screen.type("hello")
    screen.wait("hello")  # the feeder echoes
    screen.key("C-c", "C-z", "C-d", "C-s", "C-q")
    screen.key("C-]", "C-]")  # sends it
    screen.key("C-]")
    screen.key("x")  # goes on
    screen.type("again")
    screen.wait("again")
    wait_for(lambda: got(feeder) == b"hello\x03\x1a\x04\x13\x11\x1dagain", "all that was typed")
    leave(screen)
    wait_for(lambda: screen.tty() == before, "the terminal as it was")


def other_escapes(screen):
    attach(screen, "-e ^A")
    screen.key("C-]")
    screen.key("C-a")
    screen.wait(MENU)
    screen.key("Enter")
    screen.wait("[vcons: left")
    screen.command("clear; vcons attach -e none p0")
    screen.wait("no escape key")
    screen.key("C-]")
    pid = child_of(screen.pid(), "vcons")
    os.kill(pid, signal.SIGTERM)
    screen.wait("[vcons: left")
    screen.command("echo status $?")
    screen.wait("status 143")
    screen.command("clear")


def signals(screen):
    before = screen.tty()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGSEGV):
        pid = attach(screen)
        wait_for(lambda: screen.tty() != before, "the raw terminal")
        os.kill(pid, number)
        wait_for(lambda: screen.tty() == before, f"the terminal after signal {number}")
        screen.command("clear")
        screen.command("echo here")
        screen.wait("here\n")
        screen.command("clear")
        screen.wait_gone("here")


def colours(screen):
    """On a terminal, and not with NO_COLOR."""
    screen.command("clear; vcons ls")
    screen.wait("p0/hvc0")
    assert "\x1b[32mrunning" in screen.tmux("capture-pane", "-p", "-e"), screen.tmux("capture-pane", "-p", "-e")
    screen.command("clear; NO_COLOR=1 vcons ls; echo done")
    screen.wait("\ndone")
    assert "\x1b" not in screen.tmux("capture-pane", "-p", "-e")
    screen.command("clear")
    screen.wait_gone("p0/hvc0")


def stolen(place, feeder, one, two):
    attach(one)
    one.type("first")
    one.wait("first")
    two.command("vcons attach p0")
    two.wait("[vcons: read only: root (pid" if os.geteuid() == 0 else "[vcons: read only:")
    two.type("no")
    wait_for(lambda: two.text().count("read only:") == 2, "the notice at the first refused key")
    two.type("no")
    two.key("C-]")
    two.key("w")
    two.wait("[vcons: you write now]")
    one.wait("[vcons: read only:")
    two.type("second")
    two.wait("second")
    one.wait("second")  # both see
    assert two.text().count("read only:") == 2, two.text()
    assert got(feeder).endswith(b"firstsecond")
    leave(two)
    one.wait("nobody writes now")
    one.key("C-]")
    one.key("w")
    one.wait("[vcons: you write now]")
    one.type("third")
    one.wait("third")
    leave(one)


def read_only(feeder, screen):
    before = got(feeder)
    screen.command("vcons attach --ro p0")
    screen.wait("read only; Ctrl-]")
    screen.type("nothing")
    screen.wait("as you asked (--ro)]")
    screen.key("C-]", "q")
    screen.wait("[vcons: left")
    assert got(feeder) == before
    screen.command("clear")
    screen.wait_gone("vcons:")


def service_returns(place, feeder, daemon, screen):
    """kill -9 of the service under a viewer: it waits, comes back at the next byte, and the token with it."""
    attach(screen)
    screen.type("before")
    screen.wait("before")
    daemon.kill()
    daemon.wait()
    screen.wait("[vcons: the service is gone; waiting for it]")
    daemon = place.daemon()
    screen.wait("[vcons: the service is back]")
    feeder.expect("served", 1)
    screen.type("after")
    screen.wait("after")
    leave(screen)
    return daemon


def many(place, feeder):
    """Twenty viewers at once: all see all, one writes."""
    argv = [program("vcons"), "attach", "--from", "now", "p0"]

    def viewer():
        return place.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def count(n):
        out = subprocess.run([program("vcons"), "ls", "--json"], env=place.env, stdout=subprocess.PIPE, check=True).stdout
        return b'"viewers": %d,' % n in out

    viewers = [viewer()]  # who comes first may write
    wait_for(lambda: count(1), "the writer")
    viewers += [viewer() for _ in range(19)]
    wait_for(lambda: count(20), "20 viewers")
    viewers[0].stdin.write(b"one of many\n")
    viewers[0].stdin.flush()
    for v in viewers[1:]:
        v.stdin.write(b"x")
        v.stdin.flush()
    assert all(v.stdout.read(12) == b"one of many\n" for v in viewers)
    for v in viewers:
        v.terminate()
    assert [v.wait() for v in viewers] == [143] * 20


with Place() as place:
    daemon = place.daemon()
    feeder = place.feeder("-n", "1", "--prefix", "p", "--echo", "--lines", "3")
    feeder.expect("served", 1)
    with Screen(place) as one:
        typed_and_left(place, feeder, one)
        other_escapes(one)
        signals(one)
        read_only(feeder, one)
        colours(one)
        daemon = service_returns(place, feeder, daemon, one)
        with Screen(place) as two:
            stolen(place, feeder, one, two)
    many(place, feeder)
