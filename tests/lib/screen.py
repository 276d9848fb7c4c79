# SPDX-License-Identifier: MIT
"""A person's terminal in tests: a shell in a tmux of its own, typed to and looked at. Needs tmux."""
import os
import shutil
import subprocess
import sys

import picture
import vcons


class Screen:
    """One tmux server on a private socket with one window, in which sh runs with the place's environment."""

    def __init__(self, place, columns=100, rows=30):
        if not shutil.which("tmux"):
            vcons.skip("tmux is not installed")
        self.socket = os.path.join(place.root, f"tmux{id(self):x}")
        env = dict(place.env, ENV="", TERM="xterm-256color", LC_ALL="C.UTF-8")
        env["PATH"] = os.path.dirname(vcons.program("vcons")) + ":" + env.get("PATH", "")
        env.pop("TMUX", None)
        subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y",
                        str(rows), "/bin/sh"], env=env, check=True)
        self.command("PS1='sh''> '; clear")
        self.wait("sh>")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server", check=False)

    def tmux(self, *args, check=True):
        return subprocess.run(["tmux", "-S", self.socket, *args], check=check, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).stdout.decode(errors="replace")

    def text(self):
        return self.tmux("capture-pane", "-p", "-J")

    def history(self):
        return self.tmux("capture-pane", "-p", "-J", "-S", "-")

    def keep(self, name):
        """A picture of it for people, where `script/test --pictures` wants one: PNG, and text for `cat`."""
        to = os.environ.get("VCONS_PICTURES")
        if not to:
            return
        path = os.path.join(to, os.path.basename(sys.argv[0])[len("test_"):-len(".py")] + "-" + name)
        text = self.tmux("capture-pane", "-p", "-e", "-N")
        size = self.tmux("display-message", "-p", "#{pane_width} #{pane_height} #{cursor_x} #{cursor_y} #{cursor_flag}")
        columns, lines, x, y, shown = map(int, size.split())
        with open(path + ".txt", "w") as f:
            f.write(text)
        with open(path + ".png", "wb") as f:
            f.write(picture.draw(text, columns, lines, (x, y) if shown else None))

    def type(self, text):
        """Characters as they are; what tmux calls C-a and the like by key()."""
        self.tmux("send-keys", "-l", "--", text)

    def key(self, *names):
        self.tmux("send-keys", "--", *names)

    def command(self, line):
        self.type(line)
        self.key("Enter")

    def wait(self, what, timeout_s=None):
        """Until the text is on the screen; returns the screen."""
        try:
            return vcons.wait_for(lambda: (lambda t: t if what in t else None)(self.text()), repr(what), timeout_s)
        except TimeoutError:
            raise TimeoutError(f"waited in vain for {what!r} on this screen:\n{self.text()}") from None

    def wait_gone(self, what):
        vcons.wait_for(lambda: what not in self.text(), f"{what!r} to go")

    def pid(self):
        """Of the shell in the window."""
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def size(self):
        """Columns and rows, as programs in it see them."""
        return tuple(map(int, self.tmux("display-message", "-p", "#{pane_width} #{pane_height}").split()))

    def tty(self):
        """Settings of the terminal, as stty prints them, looked at from outside."""
        name = self.tmux("display-message", "-p", "#{pane_tty}").strip()
        with open(name) as terminal:
            return subprocess.run(["stty", "-g"], stdin=terminal, stdout=subprocess.PIPE, check=True).stdout.decode()
