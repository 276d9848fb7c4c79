# SPDX-License-Identifier: MIT
"""The size of a console is that of the terminal of whoever types to it: a person's at attach, that of vcons run while the
domain has its focus, hands it over with the write token, and stays when nobody types. Windows of a real terminal."""
import os
import subprocess

from screen import Screen
from vcons import Place, program, wait_for

GUEST = "trap 'stty size' WINCH; stty size; while :; do sleep 0.02; done"
MENU = "[vcons: . leave  w write  ? help]"


class Guest:
    """A program on a terminal that says its size whenever that changes."""

    def __init__(self, place, name):
        self.place, self.name = place, name

    def size(self):
        try:
            lines = self.place.log_bytes(self.name + "/hvc0").split(b"\r\n")
        except FileNotFoundError:
            return None
        return lines[-2].decode() if len(lines) > 1 else None

    def expect(self, size):
        try:
            wait_for(lambda: self.size() == size, size)
        except TimeoutError:
            raise AssertionError(f"{self.name} has {self.size()}, not {size}") from None


def window(screen):
    """Rows and columns of what is in it."""
    return screen.tmux("display-message", "-p", "#{pane_height} #{pane_width}").strip()


def resize(screen, columns, rows):
    before = window(screen)
    screen.tmux("resize-window", "-x", str(columns), "-y", str(rows))
    return wait_for(lambda: (lambda now: now if now != before else None)(window(screen)), "another window")


def command(place, *argv, status=0):
    r = subprocess.run([program("vcons"), *argv], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == status, (argv, r)
    return r.stdout.decode() if status == 0 else r.stderr.decode()


def attached(person, name):
    person.command(f"vcons attach {name}")
    person.wait("leaves]")


def leave(person):
    person.key("C-]")
    person.wait(MENU)
    person.key(".")
    person.wait("[vcons: left")
    person.command("clear")
    person.wait_gone("vcons:")


def with_the_focus(place, run, one, two):
    """The terminal of vcons run."""
    one.expect(window(run))
    two.expect("24 80")  # nobody typed to it yet
    one.expect(resize(run, 91, 27))
    run.key("C-a", "C-a", "C-a")
    two.expect("27 91" if window(run) == "27 91" else window(run))
    mine = resize(run, 64, 20)
    two.expect(mine)
    assert one.size() != mine, "the focus is elsewhere"
    run.key("C-a", "C-a", "C-a")
    run.key("C-a", "C-a", "C-a")
    one.expect(mine)


def handed_over(person, run, one):
    """A person takes the token from the terminal, and lets it go."""
    attached(person, "one")
    theirs = window(run)
    resize(person, 111, 37)
    assert one.size() == theirs, "who looks on changes nothing"
    person.key("C-]")
    person.wait(MENU)
    person.key("w")
    person.wait("you write now")
    one.expect(window(person))
    one.expect(resize(person, 112, 38))
    theirs = resize(run, 65, 21)
    one.expect(resize(person, 113, 39))  # and not the terminal's
    assert theirs not in (window(person), one.size())
    leave(person)
    one.expect(theirs)


def nobody_there(place, person, run, one, two):
    """Behind a hypervisor without a terminal: whoever types, else whoever says so, else as it was."""
    run.key("C-a", "C-a", "C-a")
    run.key("C-a", "C-a", "C-a")
    run.wait("Serial input to Xen")
    run.key("z")
    run.wait("go on in the background")
    before = one.size()
    attached(person, "one")
    one.expect(window(person))
    last = resize(person, 80, 24)
    one.expect(last)
    leave(person)
    assert before != last and one.size() == last, "it stays"
    command(place, "resize", "one", "132x43")
    one.expect("43 132")
    assert '"rows": 50' in command(place, "resize", "--json", "two/hvc0", "200x50")
    two.expect("50 200")
    attached(person, "sizes")  # the hypervisor's console: its focus is on nobody, then on one
    person.key("C-a", "C-a", "C-a")
    person.wait("Serial input to DOM1")
    one.expect(window(person))
    one.expect(resize(person, 99, 33))
    leave(person)


def kept(place, two):
    """Over a reset, and over a restart of the service."""
    before = two.size()
    command(place, "reset", "two")
    wait_for(lambda: place.log_bytes("two/hvc0").endswith((before + "\r\n" + before + "\r\n").encode()), "its second run")


def main():
    with Place() as place:
        path = os.path.join(place.root, "sizes.conf")
        with open(path, "w") as f:
            f.write('hypervisor { name = "sizes" }\n')
            for name in ("one", "two"):
                f.write(f'domain "{name}" {{ command = {{"sh", "-c", "{GUEST}"}} }}\n')
        one, two = Guest(place, "one"), Guest(place, "two")
        with Screen(place, 90, 26) as run, Screen(place, 110, 36) as person:
            run.command(f"vcons run {path}")
            run.wait("d2 = two")
            with_the_focus(place, run, one, two)
            handed_over(person, run, one)
            nobody_there(place, person, run, one, two)
            kept(place, two)
            command(place, "stop", "--all")
    return 0


main()
