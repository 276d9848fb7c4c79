# SPDX-License-Identifier: MIT
"""What Tab says behind `vcons`, in the shells themselves: commands, options, names of consoles that are there now, and nothing of a
service that does not run."""
import os
import shutil
import subprocess
import sys

from screen import Screen
from vcons import Place, program, wait_for

HERE = os.path.join(os.environ["VCONS_SOURCE"], "client", "completion")
BASH = """
. {here}/vcons.bash
COMP_WORDS=({words}) COMP_CWORD={at}
compopt() {{ echo "files"; }} # it may be called from within a completion alone
_vcons
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = "source {here}/vcons.fish; complete -C '{line}'"


def shell(place, *argv):
    path = os.path.dirname(program("vcons")) + ":" + os.environ["PATH"]
    done = subprocess.run(argv, env=dict(place.env, PATH=path, HOME=place.root, TERM="dumb"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, text=True, cwd=place.root)
    assert done.returncode == 0 and done.stderr == "", done
    return sorted(line.split("\t")[0] for line in done.stdout.split("\n") if line)


def bash(place, line):
    words = line.split(" ")
    quoted = " ".join("'" + word + "'" for word in words)
    return shell(place, "bash", "--norc", "-c", BASH.format(here=HERE, words=quoted, at=len(words) - 1))


def fish(place, line):
    return shell(place, "fish", "--no-config", "-c", FISH.format(here=HERE, line=line))


# What is typed, and what is there to be chosen; consoles are p0/hvc0 to p2/hvc0.
ROWS = (
    ("vcons at", ["attach"]),
    ("vcons s", ["save", "send", "source", "status", "stop"]),
    ("vcons attach ", ["p0/hvc0", "p1/hvc0", "p2/hvc0"]),
    ("vcons attach p1", ["p1/hvc0"]),
    ("vcons attach p1/hvc0 p2", ["p2/hvc0"]),
    ("vcons log -n 3 p0", ["p0/hvc0"]),
    ("vcons stop ", ["p0", "p1", "p2"]),
    ("vcons ls ", []),
    ("vcons attach --r", ["--ro"]),
    ("vcons log --u", ["--until", "--user"]),
    ("vcons --soc", ["--socket"]),
    ("vcons console ", ["add", "p0", "p1", "p2", "remove"]),
    ("vcons console add p", ["p0", "p1", "p2"]),
    ("vcons nonsense p", []),
)


def rows(place, complete):
    for line, wanted in ROWS:
        got = complete(place, line)
        assert got == wanted, f"{complete.__name__}: {line!r}: {got}, not {wanted}"


def files(place):
    """A file's name is the shell's own business."""
    open(os.path.join(place.root, "two.conf"), "w", encoding="ascii").close()
    assert bash(place, "vcons run t") == ["files"]
    if shutil.which("fish"):
        assert fish(place, "vcons run two") == ["two.conf"]


def nobody(place, complete):
    """No service: no names, no word about that, and none is started."""
    assert complete(place, "vcons attach p") == []
    assert complete(place, "vcons at") == ["attach"]
    assert not os.path.exists(os.path.join(place.root, "run", "control.sock"))


def zsh(place):
    """Its completion needs a line editor: a terminal."""
    with Screen(place, 100, 24) as screen:
        screen.command("exec zsh -f")
        screen.command(f"PATH={os.path.dirname(program('vcons'))}:$PATH PS1='zsh> '; autoload -Uz compinit; compinit -u -D; . {HERE}/_vcons; echo rea''dy")
        screen.wait("ready")
        for typed, wanted in (("vcons att\t", "vcons attach "), ("vcons attach p1\t", "vcons attach p1/hvc0 "),
                              ("vcons log --unt\t", "vcons log --until "), ("vcons console ad\t", "vcons console add ")):
            screen.key("C-u")
            screen.type(typed)
            screen.wait("zsh> " + wanted.rstrip())


def main():
    shells = [bash] + [fish] * bool(shutil.which("fish"))
    with Place() as place:
        for complete in shells:
            nobody(place, complete)
        place.daemon()
        feeder = place.feeder("-n", "3", "--prefix", "p")
        feeder.expect("served", 3)
        for complete in shells:
            rows(place, complete)
        files(place)
        if shutil.which("zsh") and shutil.which("tmux"):
            zsh(place)


main()
sys.exit(0)
