# SPDX-License-Identifier: MIT
"""Whoever attaches to a full-screen program sees its screen at once, the same as who was there from its start: cell by cell, with
colours, cursor and the alternate screen, in windows of a real terminal; notices and the menu come and go above it."""
import os
import shutil
import subprocess

import picture
from screen import Screen
from vcons import Place, program, wait_for

BUSYBOX = shutil.which("busybox") or "/bin/busybox"
MENU = "[vcons: . leave  w write  ? help]"
LINES = [f"line {i} of a text with \u2713 and \u00e4\u00f6\u00fc, {'x' * (i % 7)}." for i in range(60)]

# A picture of everything: colours of each kind, attributes, line drawing, a region that scrolls, the last column.
PICTURE = (r"printf '\033[?1049h\033[2J\033[H\033[44;97m bar \033[0m\033[38;5;208m orange \033[38;2;10;200;30m rgb \033[0m';"
           r"printf '\033[3;3H\033[1mbold \033[0;4munder\033[0m \033[7mreverse\033[0m \033(0lqqk\033(B';"
           r"printf '\033[5;10r\033[5;1H'; for i in 1 2 3 4 5 6 7 8 9; do printf 'scrolls %s\r\n' $i; done;"
           r"printf '\033[15;1H\346\227\245\346\234\254\350\252\236 wide\033[16;79H\346\234\254';"
           r"printf '\033[24;80H#\033[12;1H\033[42m\033[K\033[0m\033[20;7H\033[35m'; read -r x; printf 'then %s' $x;"
           r"while read -r x; do printf '\033[10;1H%s\r\n' $x; done")


def domains(place, note):
    """Guests run as nobody: what they read and write lies where anybody may."""
    text = {
        "edit": f"export TERM=vt100; exec {BUSYBOX} vi {note}",
        # Not the last column: whether an EL behind it erases it is each terminal's own idea.
        "top": "export TERM=xterm; exec top -d 900 -w 78",
        "picture": f"stty -echo; {PICTURE}",
        "lines": "seq 1 200; PS1='guest> ' exec sh -i",
        # Old questions: what a terminal would answer to them comes before the key.
        "asks": r"""stty -icanon -echo; printf '\033[6n\033[c\033[5n\033[>cold\r\n'
                    x=$(dd bs=1 count=1 2>/dev/null | od -An -tx1); printf 'heard%s\r\n' "$x"; sleep 1000""",
    }
    path = os.path.join(place.root, "screens.conf")
    with open(path, "w") as f:
        for name, command in text.items():
            script = os.path.join(place.open_root, name + ".sh")
            with open(script, "w") as s:
                s.write(command + "\n")
            f.write(f'domain "{name}" {{ command = {{"sh", "{script}"}} }}\n')
    return path


def cells(screen):
    return screen.tmux("capture-pane", "-p", "-e", "-N")


def state(screen):
    return screen.tmux("display-message", "-p", "#{cursor_x},#{cursor_y},#{alternate_on},#{cursor_flag},#{insert_flag},"
                       "#{keypad_cursor_flag},#{scroll_region_upper},#{scroll_region_lower}").strip()


def same(one, two, what, wait=False):
    """Both windows come to show the same, once notices are gone: by themselves, or because a key was typed."""
    for screen in (one, two):
        if not wait and "[vcons:" in screen.text():
            screen.key("C-]", "x")
    def equal():
        return "[vcons:" not in one.text() + two.text() and picture.look(cells(one)) == picture.look(cells(two)) and state(one) == state(two)
    try:
        wait_for(equal, what)
    except TimeoutError:
        raise AssertionError(f"{what}:\n{state(one)}\n{cells(one)}\n{state(two)}\n{cells(two)}") from None


def attach(screen, name, arguments=""):
    screen.command(f"clear; vcons attach {arguments} {name}")
    screen.wait("leaves]")


def leave(screen):
    screen.key("C-]")
    screen.wait(MENU)
    screen.key(".")
    screen.wait("[vcons: left")


def editor(one, two):
    attach(one, "edit")
    one.wait(LINES[0])
    one.key("C-f", "j", "j", "w", "w")
    one.type("iinserted \u2713 ")
    one.wait("inserted \u2713 ")
    attach(two, "edit")
    two.wait("inserted \u2713 ")
    two.keep("editor")
    same(one, two, "the editor, attached late")
    two.key("x")  # refused
    two.wait("[vcons: read only:")
    same(one, two, "the notice has gone again", wait=True)
    one.type("and more")
    one.key("Escape")
    same(one, two, "what was typed afterwards")
    two.key("C-]")
    two.wait(MENU)
    two.keep("menu")
    two.key("?")
    two.wait("a ask")
    two.key("x")
    same(one, two, "the menu has gone again")
    leave(two)
    leave(one)


def painting(one, two):
    attach(one, "picture")
    one.wait("reverse")
    attach(two, "picture")
    two.wait("reverse")
    two.keep("picture")
    same(one, two, "a picture")
    one.type("word\n")
    one.wait("then word")
    same(one, two, "what was printed afterwards, where the cursor was")
    for word in ("first", "second", "third"):
        one.type(word + "\n")
    one.wait("third")
    same(one, two, "what scrolled afterwards, in its region")
    two.key("C-]", "l")
    same(one, two, "drawn again")
    leave(two)
    leave(one)


def process_list(one, two):
    attach(one, "top")
    one.wait("PID USER")
    one.wait("COMMAND")
    one.type("1")  # a line for each processor, or one again
    attach(two, "top")
    two.wait("PID USER")
    same(one, two, "top, attached late")
    two.keep("top")
    leave(two)
    leave(one)


def lines(screen):
    """A stream of lines stays one: under the greeting, above the prompt, and in what the terminal remembers."""
    attach(screen, "lines")
    screen.wait("guest>")
    screen.type("echo $((40+2))\n")
    screen.wait("42\nguest>")
    screen.type("echo begun")
    screen.wait("guest> echo begun")
    screen.key("C-]", "x")
    screen.wait(MENU + "\nguest> echo begun")  # once more, to go on with
    screen.type(" and done\n")
    screen.wait("guest> echo begun and done\nbegun and done\nguest>")
    before = [line for line in screen.history().split("\n") if line.isdigit()]
    assert before[-3:] == ["199", "200", "42"], before
    leave(screen)
    attach(screen, "lines")
    text = screen.wait("42\nguest>")
    rows = text.split("\n")
    assert any("leaves]" in row for row in rows[:2]), text  # the greeting is in sight
    assert rows[rows.index("200") - 1] == "199", text
    screen.keep("lines")
    leave(screen)


def questions(screen):
    attach(screen, "asks")
    screen.wait("old")
    screen.type("k")
    screen.wait("heard 6b")
    leave(screen)


def stolen(one, two):
    """Over a full screen: who loses the token is told there, and the screen is whole again afterwards."""
    attach(one, "edit")
    attach(two, "edit")
    two.key("C-]", "w")
    two.wait("[vcons: you write now]")
    one.wait("[vcons: read only:")
    one.keep("stolen")
    same(one, two, "after the steal")
    for columns, rows in ((40, 12), (3, 2), (1, 1)):
        one.tmux("resize-window", "-x", str(columns), "-y", str(rows))
        wait_for(lambda: one.size() == (columns, rows), "the small terminal")
    one.tmux("resize-window", "-x", "40", "-y", "12")
    one.key("C-]", "i")
    wait_for(lambda: " w takes over]" in " ".join(one.text().split()), "all of a notice that is longer than a row")
    one.keep("narrow")
    one.tmux("resize-window", "-x", "80", "-y", "24")
    one.key("C-]")
    wait_for(lambda: one.text().split("\n")[23].startswith(MENU), "a notice in the last row, which there is again")
    one.key("x")
    two.key("C-l")  # what was cut off comes back when the program draws it
    same(one, two, "as large as before")
    leave(two)
    one.wait("[vcons: nobody writes now")
    leave(one)


with Place() as place:
    place.open_root = subprocess.run(["mktemp", "-d", "/tmp/vcons-test-screens-XXXXXX"], stdout=subprocess.PIPE,
                                     check=True).stdout.decode().strip()
    os.chmod(place.open_root, 0o755)
    try:
        note = os.path.join(place.open_root, "note.txt")
        with open(note, "w") as f:
            f.write("\n".join(LINES) + "\n")
        place.daemon()
        subprocess.run([program("vcons"), "run", "-d", domains(place, note)], env=place.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True)
        with Screen(place, 80, 24) as one, Screen(place, 80, 24) as two:
            editor(one, two)
            stolen(one, two)
            process_list(one, two)
            painting(one, two)
            lines(one)
            questions(one)
        subprocess.run([program("vcons"), "stop", "--all"], env=place.env, stdout=subprocess.DEVNULL, check=True)
    finally:
        shutil.rmtree(place.open_root)
