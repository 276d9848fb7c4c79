# SPDX-License-Identifier: MIT
"""ls --watch and top in a real terminal: consoles that come, print, go; more of them than rows; another size; a service that goes
and returns; the terminal as it was afterwards."""
import os
import re
import signal
import subprocess

from screen import Screen
from vcons import Place, program, wait_for


def rows(screen):
    return screen.text().split("\n")


def row_of(screen, name):
    return next((r for r in rows(screen) if r.startswith(name + " ")), "")


def watched(place, feeder, screen):
    before = screen.tty()
    screen.command("vcons ls --watch")
    screen.wait("consoles 2, running 2, viewers 0")
    assert rows(screen)[1].split()[:3] == ["CONSOLE", "STATE", "DOOR"], screen.text()
    size = row_of(screen, "p0/hvc0").split()[4]
    feeder.ask("lines", 0, 500)
    wait_for(lambda: row_of(screen, "p0/hvc0").split()[4] != size, "a longer log")
    viewer = place.start([program("vcons"), "attach", "p1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    screen.wait("consoles 2, running 2, viewers 1")
    screen.wait(f"(pid {viewer.pid})")
    screen.keep("ls-watch")
    viewer.terminate()
    viewer.wait()
    screen.wait("running 2, viewers 0")
    more = place.feeder("-n", "40", "--prefix", "q", "--name", "more")
    more.expect("served", 40)
    screen.wait("consoles 42, running 42")
    screen.wait("1 to 21 of 42; j and k move, q leaves")
    assert row_of(screen, "p0/hvc0") and not row_of(screen, "q39/hvc0")
    screen.key("j", "j")
    screen.wait("3 to 23 of 42")
    screen.key("NPage", "NPage")
    screen.wait("22 to 42 of 42")
    assert row_of(screen, "q39/hvc0")
    screen.key("k")
    screen.wait("21 to 41 of 42")
    screen.tmux("resize-window", "-x", "50", "-y", "60")
    screen.wait("q leaves")
    wait_for(lambda: row_of(screen, "p0/hvc0") and row_of(screen, "q39/hvc0"), "all on a larger screen")
    assert max(len(r) for r in rows(screen)) <= 50
    screen.tmux("resize-window", "-x", "100", "-y", "24")
    more.process.terminate()
    more.process.wait()
    screen.wait("consoles 42, running 2")
    screen.key("q")
    screen.wait("sh> vcons ls --watch\nsh>")
    wait_for(lambda: screen.tty() == before, "the terminal as it was")


def narrow(screen):
    """No row is cut or wrapped: what has no room is left out, and what says most stays."""
    screen.tmux("resize-window", "-x", "40", "-y", "24")
    wait_for(lambda: screen.size() == (40, 24), "the small terminal")
    for command, ready in (("vcons ls", "\nsh>"), ("vcons ls --watch", "of 42"), ("vcons top", "RATE")):
        screen.command("clear; " + command)
        screen.wait(ready)
        wait_for(lambda: len([r for r in rows(screen) if re.search(r"/hvc0 +(running|away)( |$)", r)]) > 15, "whole rows")
        assert max(len(r) for r in rows(screen)) <= 40 and "ENGINE" not in screen.text(), screen.text()
        screen.keep("narrow-" + command.split()[-1])
        if command != "vcons ls":
            screen.key("q")
            screen.wait_gone(ready)
            screen.wait("sh>")
    screen.tmux("resize-window", "-x", "100", "-y", "24")
    wait_for(lambda: screen.size() == (100, 24), "the terminal as it was")


def busiest(feeder, screen):
    screen.command("clear; vcons top")
    screen.wait("RATE")
    position = lambda name: next((i for i, r in enumerate(rows(screen)) if r.startswith(name + " ")), None)

    def busy():
        feeder.ask("lines", 1, 200)
        return re.search(r"p1/hvc0 +running +[\d.]+[KM]?/s", screen.text())
    wait_for(busy, "a rate")
    assert position("p1/hvc0") == 2, screen.text()
    screen.keep("top")
    wait_for(lambda: not re.search(r"/s", screen.text()), "an end of the rate")


def returns(place, daemon, screen):
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    screen.wait("no console service")
    daemon = place.daemon()
    screen.wait("running 2,")
    screen.wait("q leaves" if "of 42" not in screen.text() else "of 42")
    screen.key("C-c")
    screen.wait("sh> ")
    return daemon


def refused(place):
    for argv, status in ((["top"], 2), (["ls", "--watch"], 2), (["ls", "--watch", "--json"], 2), (["top", "x"], 2)):
        r = subprocess.run([program("vcons"), *argv], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        assert r.returncode == status and not r.stdout, (argv, r)


with Place() as place:
    daemon = place.daemon()
    feeder = place.feeder("-n", "2", "--prefix", "p")
    feeder.expect("served", 2)
    refused(place)
    with Screen(place, 100, 24) as screen:
        watched(place, feeder, screen)
        narrow(screen)
        busiest(feeder, screen)
        returns(place, daemon, screen)
