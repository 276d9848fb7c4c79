# SPDX-License-Identifier: MIT
"""Several consoles on one terminal: lines behind names, keys to one of them and never to another, consoles that come and go."""
import os
import signal
import subprocess

from screen import Screen
from vcons import Place, program, wait_for

MENU = "[vcons: . leave  w write  n next  ? help]"
SWITCH = ("C-a", "C-a", "C-a")


def heard(feeder, i=0):
    """The bytes that this guest has read."""
    line = [a for a in feeder.ask("input", i) if a[0] == "got"][0]
    return bytes.fromhex(line[3]) if len(line) > 3 else b""


def expect(feeder, i, want):
    wait_for(lambda: len(heard(feeder, i)) >= len(want), f"what was typed to {i}")
    assert heard(feeder, i) == want, (i, heard(feeder, i))


def writer(place, name):
    out = subprocess.run([program("vcons"), "ls"], env=place.env, stdout=subprocess.PIPE, check=True).stdout.decode()
    row = next(r for r in out.split("\n") if r.startswith(name + "/"))
    return "(pid" in row


def keys(place, feeder, screen):
    before = screen.tty()
    screen.command("clear; vcons attach m0 m1 m0")  # once is enough
    screen.wait("[vcons: 2 consoles; Ctrl-] then . leaves]")
    screen.wait("[vcons: keys go to m0/hvc0; Ctrl-A three times switches]")
    wait_for(lambda: screen.tty() != before, "the raw terminal")
    screen.type("one")
    screen.wait("m0/hvc0 | one")  # the feeder echoes
    screen.key("C-a", "C-a", "x")
    wait_for(lambda: heard(feeder) == b"one\x01\x01x", "Ctrl-A that is no switch, in its place")
    screen.tmux("send-keys", "y", *SWITCH, "t", "w", "o", *SWITCH, "z", ";", "send-keys", *SWITCH, "!")  # all at once
    screen.wait("m1/hvc0 | two!")
    expect(feeder, 0, b"one\x01\x01xyz")
    expect(feeder, 1, b"two!")
    wait_for(lambda: writer(place, "m1") and not writer(place, "m0"), "the token with the focus")
    feeder.ask("lines", 0, 1)  # a whole line comes above what is being typed
    screen.wait("m0/hvc0 | onexyz0000 0000000000")
    screen.wait("\nm1/hvc0 | two!\n")
    screen.keep("merged")
    screen.key("C-]")
    screen.wait(MENU)
    screen.key("n")
    screen.wait("[vcons: keys go to m0/hvc0")
    screen.key("C-]", "C-]")  # sends it
    wait_for(lambda: heard(feeder) == b"one\x01\x01xyz\x1d", "the escape key")


def held(place, feeder, screen):
    """Somebody else types there: said once, and nothing goes anywhere."""
    other = place.start([program("vcons"), "attach", "m1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_for(lambda: writer(place, "m1"), "the other writer")
    before = heard(feeder, 1)
    screen.key(*SWITCH)
    screen.wait("keys go to m1")
    screen.type("no")
    screen.wait("[vcons: m1/hvc0 is read only")
    screen.key("C-]", "w")
    screen.type("yes")
    screen.wait("yes")
    assert heard(feeder, 1) == before + b"yes"
    other.terminate()
    other.wait()


def ends(place, feeder, screen):
    """The console with the focus goes: keys go nowhere, not to the next one, until they are told to."""
    before = heard(feeder, 0)
    feeder.ask("gone", 1)
    feeder.say("drop")
    screen.wait("[vcons: m1/hvc0 has ended]")
    screen.wait("[vcons: keys go nowhere")
    screen.type("lost")
    screen.key("C-]", ".")
    screen.wait("[vcons: left]")
    feeder.process.terminate()
    feeder.process.wait()
    assert not before.endswith(b"lost")


def patterns(place, screen):
    screen.command("clear; vcons attach 'n*/*'")
    screen.wait("[vcons: 0 consoles")
    first = place.feeder("-n", "2", "--prefix", "n", "--name", "first")
    first.expect("served", 2)
    screen.wait("[vcons: n0/hvc0 has come]")
    screen.wait("[vcons: n1/hvc0 has come]")
    for i in range(2):
        first.ask("lines", i, 2)
    screen.wait("n0/hvc0 | 0000 0000000001")
    screen.wait("n1/hvc0 | 0001 0000000001")
    screen.key(*SWITCH)
    screen.wait("[vcons: keys go to n0/hvc0")
    first.ask("lines", 1, 1)
    screen.wait("n1/hvc0 | 0001 0000000002")
    screen.key("C-]", ".")
    screen.wait("[vcons: left]")


def narrow(place):
    """What is typed takes more rows than one: it stands there once, below what comes; wide characters, and another size meanwhile. All
    consoles of domains by a pattern without a slash."""
    feeder = place.feeder("-n", "2", "--prefix", "w", "--name", "narrow", "--echo")
    feeder.expect("served", 2)
    with Screen(place, 30, 16) as screen:
        screen.command("clear; vcons attach 'w*'")
        screen.wait("[vcons: 2 consoles")
        typed = ""
        times = lambda: len([row for row in screen.history().split("\n") if row.startswith("w0/hvc0 | ")])
        for i, part in enumerate(("a" * 19, "b", "c" * 15, "\u65e5\u672c\u8a9e" * 4, "d" * 30, "e")):
            screen.type(part)
            typed += part
            screen.wait("w0/hvc0 | " + typed)
            feeder.ask("lines", 1, 1)
            screen.wait(f"w1/hvc0 | 0001 {i:010} ")
            screen.wait("w0/hvc0 | " + typed)
            wait_for(lambda: times() == 1, "no copy of what is typed")
        screen.keep("narrow")
        screen.tmux("resize-window", "-x", "50", "-y", "16")
        screen.type("f")
        screen.wait("w0/hvc0 | " + typed + "f")
        screen.key("C-]", ".")
        screen.wait("[vcons: left]")
    feeder.process.terminate()
    feeder.process.wait()


def piped(place):
    """Into a file: whole lines with their names, nothing else; a name that is none; a service that comes back."""
    out = os.path.join(place.root, "merged.out")
    with open(out, "wb") as f:
        p = place.start([program("vcons"), "attach", "--from", "start", "n0", "n1"], stdout=f, stdin=subprocess.PIPE,
                        stderr=subprocess.DEVNULL)
    read = lambda: open(out, "rb").read()
    wait_for(lambda: read().count(b"\n") == 5, "five lines")
    p.terminate()
    assert p.wait() == 128 + signal.SIGTERM
    lines = read().split(b"\n")
    assert b"\x1b" not in read() and lines.pop() == b""
    for i, count in ((0, 2), (1, 3)):
        mine = [line for line in lines if line.startswith(b"n%d/hvc0 | " % i)]
        assert [int(line.split()[3]) for line in mine] == list(range(count)), lines
    r = subprocess.run([program("vcons"), "attach", "n0", "none"], env=place.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == 3 and b"no console none" in r.stderr, r


with Place() as place:
    place.daemon()
    feeder = place.feeder("-n", "2", "--prefix", "m", "--echo")
    feeder.expect("served", 2)
    narrow(place)
    with Screen(place, 90, 30) as screen:
        keys(place, feeder, screen)
        held(place, feeder, screen)
        ends(place, feeder, screen)
        patterns(place, screen)
        piped(place)
