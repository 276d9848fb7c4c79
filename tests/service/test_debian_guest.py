# SPDX-License-Identifier: MIT
"""QEMU with Debian's kernel, emulated: a shell on a serial port that is a UNIX socket and one on a pseudo-terminal. Both are attached, logged
and typed to, by a service, by one whose predecessor was killed, and with --long after QEMU itself was."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import vcons
from sources import configure, is_there, marks, said, state, type_to

CACHE = os.environ.get("VCONS_LAB_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vcons-lab")
KERNEL, INITRAMFS = (os.path.join(CACHE, "x86_64", name) for name in ("kernel", "l2/initramfs"))
JOB = """#!/bin/sh
PS1='guest''> '; export PS1
dmesg -n 1
exec 3<>/dev/ttyS1 # what is typed where nobody has it open is an interrupt that nobody wants, and its end
(while true; do setsid sh -c 'exec sh -i </dev/ttyS1 >/dev/ttyS1 2>&1'; done) &
exec setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1'
"""
PROMPT = b"guest> "
CONSOLES = ("vm/socket", "vm/pty")


def initramfs(place):
    """The lab's, and what its init runs."""
    path, job = os.path.join(place.root, "initramfs"), os.path.join(place.root, "job")
    with open(job, "w", encoding="ascii") as f:
        f.write(JOB)
    archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], input=b"job\n", cwd=place.root, check=True,
                             stdout=subprocess.PIPE).stdout
    shutil.copy(INITRAMFS, path)
    with open(path, "ab") as f:
        f.write(archive)
    return path


class Machine:
    def __init__(self, place, archive, console):
        self.monitor, out = os.path.join(place.root, "monitor"), os.path.join(place.root, "qemu.out")
        link = os.path.join(place.root, "tty")
        if os.path.exists(self.monitor):
            os.unlink(self.monitor)
        with open(out, "w", encoding="ascii") as f:
            self.process = place.start(
                ["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-m", "256", "-nodefaults", "-display", "none", "-S", "-no-reboot",
                 "-monitor", f"unix:{self.monitor},server=on,wait=off", "-kernel", KERNEL, "-initrd", archive,
                 "-append", f"console={console} no_timer_check panic=1",
                 "-chardev", f"socket,id=s,path={place.root}/serial,server=on,wait=off", "-serial", "chardev:s",
                 "-chardev", "pty,id=p", "-serial", "chardev:p"], stdout=f, stderr=subprocess.STDOUT)

        def path():
            with open(out, encoding="ascii") as f:
                words = f.read().split()
            return words[words.index("to") + 1] if "to" in words else None

        with self.ask() as m:  # who opens its pseudo-terminal before it looks is never seen
            vcons.wait_for(lambda: b"(qemu)" in m.recv(4096), "the monitor's prompt")
        os.symlink(vcons.wait_for(path, "the pseudo-terminal's name"), link + ".new")
        os.rename(link + ".new", link)

    def ask(self):
        m = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        m.settimeout(vcons.WAIT_S)
        vcons.wait_for(lambda: not m.connect_ex(self.monitor), "the monitor")
        return m

    def go(self):
        with self.ask() as m:
            m.sendall(b"cont\n")
            told = b""
            while told.count(b"(qemu)") < 2:  # it was heard, and obeyed
                told += m.recv(4096)


def prompt(place, name, at):
    """The guest's shell, asked for now and then: what is said on a pseudo-terminal before QEMU saw us there is lost."""
    end = asked = time.monotonic()
    while PROMPT not in said(place, name)[at:]:
        now = time.monotonic()
        assert now < end + vcons.WAIT_S, said(place, name)[-1000:]
        if now > asked:
            type_to(place, name, b"\r")
            asked = now + 5
        time.sleep(0.1)


def talk(place, name, at, word):
    """What it says then is known to the byte."""
    prompt(place, name, at)
    type_to(place, name, b"seq 10000 11000; uname -s; echo ''the " + word + b"\r")
    vcons.wait_for(lambda: b"\nthe " + word + b"\r\n" in said(place, name)[at:], word)
    expected = b"".join(b"%d\r\n" % i for i in range(10000, 11001)) + b"Linux\r\nthe " + word + b"\r\n"
    assert expected in said(place, name)[at:], said(place, name)[at:]


def again(place, machine, archive):
    """Another one in its place: the same socket, a pseudo-terminal of another number."""
    machine.process.kill()
    machine.process.wait()
    for name in CONSOLES:
        vcons.wait_for(lambda: state(place, name) == "away", "its end")
    starts = {name: len(said(place, name)) for name in CONSOLES}
    machine = Machine(place, archive, "ttyS1")
    for name in CONSOLES:
        is_there(place, name)
    time.sleep(1.5)  # QEMU looks each second whether somebody has the pseudo-terminal open: without it some lines are missing
    machine.go()
    for name in CONSOLES:
        talk(place, name, starts[name], b"third")
    assert b"] Run /init as init process" in said(place, "vm/pty")[starts["vm/pty"]:]


def main():
    missing = [p for p in ("qemu-system-x86_64", "cpio") if not shutil.which(p)] + [p for p in (KERNEL, INITRAMFS) if not os.path.exists(p)]
    if missing:
        vcons.skip(f"{', '.join(missing)}: not here (tests/lab/setup x86_64)")
    with vcons.Place() as place:
        archive = initramfs(place)
        config = configure(place, {"vm/socket": f"unix:{place.root}/serial", "vm/pty": f"pty:{place.root}/tty"})
        machine = Machine(place, archive, "ttyS0")
        daemon = place.daemon("--config", config)
        for name in CONSOLES:
            is_there(place, name)
        machine.go()
        for name in CONSOLES:
            talk(place, name, 0, b"first")
        assert said(place, "vm/socket").startswith(b"[    0.000000] Linux version ")  # from the first byte on
        vcons.stop(daemon, signal.SIGKILL)
        daemon = place.daemon("--config", config)
        for name in CONSOLES:
            is_there(place, name)
            talk(place, name, len(said(place, name)), b"second")
            assert [m[0] for m in marks(place, name)][-2:] == ["gap", "attach"], marks(place, name)
        if vcons.LONG:
            again(place, machine, archive)
        assert vcons.stop(daemon) == 0


vcons.WAIT_S = 300  # an emulated machine boots, beside others
sys.exit(main())
