# SPDX-License-Identifier: MIT
"""docs/examples/sources: each is a configuration that vconsd takes, and those whose programs are here are tried as they are written, but
for the places of files: QEMU with a guest that answers, a serial port made by socat."""
import os
import shutil
import subprocess

import vcons
from screen import Screen

EXAMPLES = os.path.join(os.environ["VCONS_SOURCE"], "docs", "examples", "sources")


def example(place, name, places):
    """Its file with other places of files, and the commands that it names."""
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as f:
        text = f.read()
    for old, new in places.items():
        assert old in text, (name, old)
        text = text.replace(old, new)
    path = os.path.join(place.root, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path, [line.removeprefix("#     $ ") for line in text.split("\n") if line.startswith("#     $ ")]


def all_are_taken():
    names = sorted(os.listdir(EXAMPLES))
    assert len(names) >= 6, names
    for name in names:
        done = subprocess.run([vcons.program("vcons"), "config", "check", os.path.join(EXAMPLES, name)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, (name, done.stdout)


def qemu():
    kernel = os.path.join(os.environ["VCONS_BUILD"], "guest", "tiny-pvh")
    if not shutil.which("qemu-system-x86_64") or not os.path.exists(kernel):
        print("qemu-system-x86_64 or tiny-pvh is not there: left out")
        return
    with vcons.Place() as place:
        path, commands = example(place, "qemu.conf", {"/run/consoles": place.root, "-kernel vmlinux": f"-kernel {kernel}"})
        place.daemon("--config", path)
        machine = place.start(["/bin/sh", "-c", "exec " + commands[0]])
        with Screen(place, 100, 30) as screen:
            screen.command(commands[1])
            screen.wait("tiny> ")
            screen.type("echo as written\r")
            screen.wait("\nas written")
        vcons.stop(machine)
        assert b"\nas written\r\n" in place.log_bytes("web/serial")


def serial():
    if not shutil.which("socat"):
        print("socat is not installed: left out")
        return
    with vcons.Place() as place:
        path, commands = example(place, "serial.conf", {"/dev/ttyUSB0": os.path.join(place.root, f"ttyV{os.getpid()}")})
        port, switch = (os.path.join(place.root, name) for name in (f"ttyV{os.getpid()}", "switch"))
        place.start(["socat", f"pty,raw,echo=0,link={port}", f"pty,raw,echo=0,link={switch}"])
        vcons.wait_for(lambda: os.path.exists(port) and os.path.exists(switch), "socat")
        place.daemon("--config", path)
        with vcons.open_terminal(switch) as other, Screen(place, 100, 30) as screen:
            screen.command(commands[0])
            other.write(b"switch> ")
            screen.wait("switch> ")
            screen.type("show\r")
            said = b""
            while not said.endswith(b"\r"):
                said += other.read(100)
            assert said == b"show\r", said
        assert place.log_bytes("rack3/switch") == b"switch> "


all_are_taken()
qemu()
serial()
