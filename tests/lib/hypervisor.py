# SPDX-License-Identifier: MIT
"""A vcons-vmm on a terminal of its own: type, and wait for what it shows."""
import os
import pty
import select
import subprocess
import termios
import time

from vcons import WAIT_S, program

SWITCH = b"\x01\x01\x01"


class Hypervisor:
    """Runs in `place` on a fresh pty; everything it ever showed is in self.shown."""

    def __init__(self, place, config, *args, extra_env=None, argv=None):
        path = os.path.join(place.root, "test.conf")
        with open(path, "w") as f:
            f.write(config)
        self.master, slave = pty.openpty()
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.shown = bytearray()
        self.at = 0
        self.process = place.start(argv or [program("vcons-vmm"), "--link", place.link, *args, path], stdin=slave, stdout=slave,
                                   stderr=slave, start_new_session=True, extra_env=extra_env or {})

    def close(self):
        os.close(self.master)
        os.close(self.slave)

    def read(self, timeout_s):
        """Take what there is; False: nothing came in that time."""
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        data = os.read(self.master, 1 << 16)
        self.shown += data
        return True

    def type(self, data):
        data = data.encode() if isinstance(data, str) else data
        while data:
            n = os.write(self.master, data)
            data = data[n:]

    def expect(self, what, timeout_s=None):
        """Wait until `what` is shown behind what was last expected; returns what stood before it."""
        what = what.encode() if isinstance(what, str) else what
        end = time.monotonic() + (timeout_s or WAIT_S)
        while True:
            found = self.shown.find(what, self.at)
            if found >= 0:
                before = bytes(self.shown[self.at:found])
                self.at = found + len(what)
                return before
            if time.monotonic() > end:
                raise TimeoutError(f"{what!r} was not shown; last: {bytes(self.shown[-600:])!r}")
            self.read(0.1)

    def wait(self, timeout_s=None):
        """Its exit status; reads on meanwhile, or it might wait for us."""
        end = time.monotonic() + (timeout_s or WAIT_S)
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise TimeoutError(f"it does not end; last: {bytes(self.shown[-600:])!r}")
            self.read(0.02)
        while self.read(0):
            pass
        return self.process.returncode

    def quit(self):
        """From wherever the focus is, by keys alone."""
        while self.read(0.05):  # what it showed before is no answer
            pass
        self.at = len(self.shown)
        while True:
            self.type(SWITCH)
            self.expect("*** Serial input to ")
            if self.expect(" (type") == b"Xen":
                break
        self.type("q")
        self.expect("quit and stop all domains?")
        self.type("y")
        return self.wait()

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before


def domain(name, cmdline="", **keys):
    """A block of a configuration: a tiny on the process engine; console: (name, type), or a list of such."""
    consoles = keys.pop("console", [])
    lines = "".join(f" {k} = {v}" for k, v in keys.items())
    inner = "".join(f' console "{n}" {{ type = {t} }}' for n, t in ([consoles] if isinstance(consoles, tuple) else consoles))
    return f'domain "{name}" {{ kernel = "tiny" engine = process cmdline = "{cmdline}"{lines}{inner} }}\n'


def run(place, config, *args, **kw):
    """To its end, without a terminal: status and what was shown."""
    path = os.path.join(place.root, "test.conf")
    with open(path, "w") as f:
        f.write(config)
    p = place.start([program("vcons-vmm"), "--link", place.link, *args, path], stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, **kw)
    shown, _ = p.communicate(timeout=WAIT_S * 3)
    return p.returncode, shown


def log_of(place, name, last=None):
    """The raw log of a console, or its last bytes; empty before there is one."""
    try:
        if last is None:
            return place.log_bytes(name)
        with open(os.path.join(place.log, name, "current.log"), "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - last))
            return f.read()
    except FileNotFoundError:
        return b""
