# SPDX-License-Identifier: MIT
"""Sources by name: sockets on which we listen, pseudo-terminals, serial ports; with socat, a real QEMU and masters of our own.
Whatever comes is in the log exactly, each return is a marked gap, and `ls` says why a console is away."""
import fcntl
import os
import pty
import random
import shutil
import socket
import struct
import subprocess
import termios
import threading
import time
import tty

import vcons
from sources import configure, console, is_there, log_has, marks, reason, said, state, type_to

EVERY = bytes(range(256)) * 5


def listening():
    """Peers connect to us: one at a time, another is turned away, and one that follows at once is let in."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "guest.sock")
        place.daemon("--config", configure(place, {"vm/serial": f"unix-listen:{path}"}))
        assert state(place, "vm/serial") == "away" and "nobody" in reason(place, "vm/serial")
        assert os.stat(path).st_mode & 0o777 == 0o600
        sent = b""
        peer = None
        for round in range(20):
            last, peer = peer, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            peer.settimeout(vcons.WAIT_S)
            if last:
                last.close()
            peer.connect(path)
            part = EVERY + b"%d" % round
            peer.sendall(part)
            sent += part
            assert log_has(place, "vm/serial", len(sent)) == sent
        assert len([m for m in marks(place, "vm/serial") if m[0] == "gap"]) == 19
        assert reason(place, "vm/serial") is None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as second:
            second.settimeout(vcons.WAIT_S)
            second.connect(path)
            assert second.recv(1) == b""
        assert console(place, "vm/serial")["turned_away"] == 1
        type_to(place, "vm/serial", EVERY)
        assert vcons.read_exactly(peer, len(EVERY)) == EVERY
        peer.close()
        vcons.wait_for(lambda: state(place, "vm/serial") == "away", "its end")
        assert vcons.stop(place.processes[0]) == 0 and not os.path.exists(path)


def masters():
    """A pseudo-terminal whose master is ours: raw in both directions, its size set, its end noticed, and its return."""
    with vcons.Place() as place:
        link = os.path.join(place.root, "tty")
        place.daemon("--config", configure(place, {"vm/pty": f"pty:{link}", "vm/libvirt": f"libvirt:none-{os.getpid()}"}))
        vcons.wait_for(lambda: "No such file" in (reason(place, "vm/pty") or ""), "the reason")
        vcons.wait_for(lambda: "libvirt runs no domain" in (reason(place, "vm/libvirt") or ""), "the reason")
        sent = b""
        for round in range(3):
            master, slave = pty.openpty()
            os.symlink(os.ttyname(slave), link + ".new")
            os.rename(link + ".new", link)
            is_there(place, "vm/pty")
            os.close(slave)
            part = EVERY + random.Random(round).randbytes(200_000)
            write_all(master, part)
            sent += part
            assert log_has(place, "vm/pty", len(sent)) == sent
            type_to(place, "vm/pty", EVERY)
            got = b""
            while len(got) < len(EVERY):
                got += os.read(master, 4096)
            assert got == EVERY, got
            with vcons.Control(place.control) as c:
                c.ask("resize", console="vm/pty", rows=31, columns=97)
            assert struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, b"\0" * 8))[:2] == (31, 97)
            os.unlink(link)  # its number may be somebody else's at once
            os.close(master)
            vcons.wait_for(lambda: state(place, "vm/pty") == "away", "the hang-up")
        assert len([m for m in marks(place, "vm/pty") if m[0] == "gap"]) == 2
        os.symlink("/dev/null", link)
        vcons.wait_for(lambda: "no terminal" in (reason(place, "vm/pty") or ""), "the reason")


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data[:4096]):]


def serial_pair():
    """Two ports of socat's: modes as configured, bytes both ways, another's lock honoured, ours seen, and taken away."""
    if not shutil.which("socat"):
        print("socat is not installed: left out")
        return
    with vcons.Place() as place:
        ours, other = (os.path.join(place.root, f"ttyv{os.getpid()}{x}") for x in "ab")
        lock = f"/var/lock/LCK..{os.path.basename(ours)}"
        locks = os.access("/var/lock", os.W_OK)
        argv = ["socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={other}"]
        pair = place.start(argv)
        vcons.wait_for(lambda: os.path.exists(ours) and os.path.exists(other), "socat")
        if locks:
            with open(lock, "w") as f:
                f.write("%10d\n" % os.getpid())
        place.daemon("--config", configure(place, {"lab/switch": f"serial:{ours}"},
                                           speed=9600, bits=7, parity="even", stop=2, flow="xonxoff"))
        if locks:
            vcons.wait_for(lambda: f"pid {os.getpid()} has it" in (reason(place, "lab/switch") or ""), "the reason")
            dead = place.start(["true"])
            dead.wait()
            with open(lock, "w") as f:
                f.write("%10d\n" % dead.pid)
        is_there(place, "lab/switch")
        if locks:
            with open(lock) as f:
                assert int(f.read()) == place.processes[1].pid
        with vcons.open_terminal(ours) as f:
            modes = termios.tcgetattr(f)
        assert modes[4] == modes[5] == termios.B9600
        assert modes[2] & (termios.CSTOPB | termios.CLOCAL) == termios.CSTOPB | termios.CLOCAL
        assert modes[0] & (termios.IXON | termios.IXOFF) == termios.IXON | termios.IXOFF
        assert modes[3] & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
        with vcons.open_terminal(other) as f:
            tty.setraw(f)
            text = bytes(c for c in EVERY if c not in (0x11, 0x13))  # those two are the line's, not the text's
            write_all(f.fileno(), text)
            assert log_has(place, "lab/switch", len(text)) == text
            type_to(place, "lab/switch", text)
            got = b""
            while len(got) < len(text):
                got += f.read(4096)
            assert got == text
        vcons.stop(pair)
        vcons.wait_for(lambda: state(place, "lab/switch") == "away", "its end")
        place.start(argv)
        is_there(place, "lab/switch")
        assert vcons.stop(place.processes[1]) == 0
        assert not os.path.exists(lock)


def qemu():
    """SeaBIOS on a pseudo-terminal of QEMU's, and QEMU connecting to a socket of ours; its own logfile is the judge."""
    if not shutil.which("qemu-system-x86_64"):
        print("qemu-system-x86_64 is not installed: left out")
        return
    with vcons.Place() as place:
        monitor, debug = os.path.join(place.root, "monitor"), os.path.join(place.root, "debug")
        listens = {"bios/debug": f"unix-listen:{debug}"}
        daemon = place.daemon("--config", configure(place, listens))
        with open(os.path.join(place.root, "qemu.out"), "w") as f:
            guest = place.start(
                ["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc,graphics=off", "-m", "16", "-nodefaults", "-S",
                 "-display", "none", "-monitor", f"unix:{monitor},server=on,wait=off",
                 "-chardev", f"pty,id=serial,logfile={place.root}/serial.log", "-serial", "chardev:serial",
                 "-chardev", f"socket,id=debug,path={debug},reconnect=1,logfile={place.root}/debug.log",
                 "-device", "isa-debugcon,iobase=0x402,chardev=debug"], stdout=f, stderr=subprocess.STDOUT)
        is_there(place, "bios/debug")

        def path():
            with open(f.name) as out:
                words = out.read().split()
            return words[words.index("to") + 1] if "to" in words else None

        slave = vcons.wait_for(path, "the name of the pseudo-terminal")
        assert vcons.stop(daemon) == 0
        place.daemon("--config", configure(place, {**listens, "bios/serial": f"pty:{slave}"}))
        is_there(place, "bios/serial")
        is_there(place, "bios/debug")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as m:
            m.settimeout(vcons.WAIT_S)
            m.connect(monitor)
            m.sendall(b"cont\n")

            last = [time.monotonic()]

            def over():  # QEMU looks once a second whether somebody is there: what it said before that is lost
                log = said(place, "bios/serial")
                if log:
                    last[0] = time.monotonic()
                elif time.monotonic() - last[0] > 3:
                    m.sendall(b"system_reset\n")
                    last[0] = time.monotonic()
                return b"No bootable device." in log

            vcons.wait_for(over, "SeaBIOS' last words", 60)
            log = said(place, "bios/serial")
        vcons.stop(guest)
        with open(f"{place.root}/serial.log", "rb") as f:
            assert log in f.read(), log
        with open(f"{place.root}/debug.log", "rb") as f:
            wrote = f.read()
        assert wrote and log_has(place, "bios/debug", len(wrote)) == wrote
        vcons.wait_for(lambda: state(place, "bios/serial") == "away", "the end of QEMU")


def paced():
    """A delay after each byte, and each byte's echo awaited: lower bounds alone, whatever else the machine does."""
    with vcons.Place() as place:
        paths = {name: os.path.join(place.root, name) for name in ("slow", "echo")}
        conf = configure(place, {"a/slow": f"unix:{paths['slow']}"}, delay=3000)
        conf = configure(place, {"a/echo": f"unix:{paths['echo']}"}, echo_check="yes", more=True)
        listeners = {}
        for name, path in paths.items():
            listeners[name] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listeners[name].settimeout(vcons.WAIT_S)
            listeners[name].bind(path)
            listeners[name].listen(1)
        place.daemon("--config", conf)
        slow, echo = (listeners[name].accept()[0] for name in ("slow", "echo"))
        for s in (slow, echo):
            s.settimeout(vcons.WAIT_S)
        for name in paths:
            is_there(place, f"a/{name}")
        text = EVERY[:300]
        begun = time.monotonic()
        typist = threading.Thread(target=type_to, args=(place, "a/slow", text))
        typist.start()
        assert vcons.read_exactly(slow, len(text)) == text
        assert time.monotonic() - begun >= 299 * 0.003
        typist.join()
        typist = threading.Thread(target=type_to, args=(place, "a/echo", text))
        typist.start()
        for i in range(len(text) - 1):  # each at once behind the echo of the one before
            assert echo.recv(10) == text[i:i + 1]
            echo.sendall(b"prompt" + text[i:i + 1] if i % 2 else text[i:i + 1])
        assert echo.recv(10) == text[-1:]
        typist.join()
        begun = time.monotonic()
        type_to(place, "a/echo", b"xy")  # the last byte had no echo, and x has none
        assert echo.recv(1) == b"x" and echo.recv(1) == b"y"
        assert time.monotonic() - begun >= 0.9


def hostile():
    """One flaps, one floods: a third one's bytes come through, and what the flood says is exact."""
    with vcons.Place() as place:
        paths = {name: os.path.join(place.root, name) for name in ("flap", "flood", "calm")}
        sockets = {}
        for name, path in paths.items():
            sockets[name] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sockets[name].settimeout(vcons.WAIT_S)
            sockets[name].bind(path)
            sockets[name].listen(100)
        place.daemon("--config", configure(place, {f"h/{name}": f"unix:{path}" for name, path in paths.items()}))
        over = threading.Event()
        flaps = []

        def flap():
            sockets["flap"].settimeout(0.1)
            while not over.is_set():
                try:
                    s, _ = sockets["flap"].accept()
                except TimeoutError:
                    continue
                s.sendall(b"hello\n")
                s.close()
                flaps.append(1)

        block = random.Random(1).randbytes(1 << 20)
        flooder, _ = sockets["flood"].accept()
        flooder.settimeout(vcons.WAIT_S)
        threads = [threading.Thread(target=flap), threading.Thread(target=lambda: [flooder.sendall(block) for _ in range(40)])]
        for t in threads:
            t.start()
        calm, _ = sockets["calm"].accept()
        sent = b""
        for i in range(50):
            calm.sendall(b"line %d\n" % i)
            sent += b"line %d\n" % i
            assert log_has(place, "h/calm", len(sent)) == sent
        threads[1].join()
        assert log_has(place, "h/flood", 40 << 20) == block * 40
        vcons.wait_for(lambda: len(flaps) > 5, "flaps")
        over.set()
        threads[0].join()
        vcons.wait_for(lambda: log_has(place, "h/flap", 6 * len(flaps)), "all that was said")
        gaps = len([m for m in marks(place, "h/flap") if m[0] == "gap"])
        assert log_has(place, "h/flap", 1) == b"hello\n" * len(flaps) and gaps >= len(flaps) - 1, (gaps, len(flaps))


if __name__ == "__main__":
    for case in (listening, masters, serial_pair, qemu, paced, hostile):
        if os.environ.get("CASE", case.__name__) != case.__name__:
            continue
        begun = time.monotonic()
        case()
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
