# SPDX-License-Identifier: MIT
"""UNIX sockets as sources: every byte of a connection is in the log, what is typed arrives in order, each return is marked
in its place; with a listener of our own, with socat, and with a real QEMU's serial port and debug console."""
import os
import random
import shutil
import socket
import subprocess
import threading

import vcons

UNKNOWN = (1 << 64) - 1


def configure(place, **sockets):
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        for name, where in sockets.items():
            f.write('console "%s" { source = "unix:%s" }\n' % (name.replace("__", "/"), where))
    return path


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    s.bind(path)
    s.listen(1)
    return s


def log_has(place, name, n):
    """The log once it has n bytes."""
    def look():
        try:
            data = place.log_bytes(name)
        except FileNotFoundError:
            return None
        return data if len(data) >= n else None
    return vcons.wait_for(look, f"{n} bytes of {name}")


def state(place, name):
    with vcons.Control(place.control) as c:
        return c.ls()[name]["state"]


def marks(place, name):
    kinds = {vcons.ATTACH: "attach", vcons.DETACH: "detach", vcons.GAP: "gap"}
    return [(kinds[r[3]], r[0], r[6]) for r in place.index(name) if r[3] in kinds]


def own_listener():
    """Comes late, floods, reads slowly, goes, returns: all of it exact."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "guest.sock")
        errors = os.path.join(place.root, "errors")
        with open(errors, "w") as f:
            place.daemon("--config", configure(place, vm__serial=path), stderr=f)
        assert state(place, "vm/serial") == "away"
        chance = random.Random(3)
        sent = b""
        expected = [("attach", 0, 0)]
        with listen(path) as server:
            for round in range(3):
                guest, _ = server.accept()
                vcons.wait_for(lambda: state(place, "vm/serial") == "running", "the connection")
                guest.settimeout(vcons.WAIT_S)
                part = chance.randbytes(3_000_000)
                at = 0
                while at < len(part):
                    n = chance.choice([1, 17, 80, 4096, 16384, 70000])
                    guest.sendall(part[at:at + n])
                    at += n
                sent += part
                assert log_has(place, "vm/serial", len(sent)) == sent
                typed(place, guest, chance)
                last = b"last words %d" % round
                guest.sendall(last)
                guest.close()
                sent += last
                assert log_has(place, "vm/serial", len(sent)) == sent
                expected += [("detach", len(sent), 0), ("gap", len(sent), UNKNOWN), ("attach", len(sent), 0)]
            guest, _ = server.accept()
            vcons.wait_for(lambda: len(marks(place, "vm/serial")) == len(expected), "the last attach")
            assert marks(place, "vm/serial") == expected, marks(place, "vm/serial")
            assert no_boot(place, "vm/serial"), "a connection that returned was taken for a boot"
            guest.close()
        vcons.wait_for(lambda: state(place, "vm/serial") == "away", "the end of the connection")
        assert vcons.stop(place.processes[0]) == 0
        with open(errors) as f:
            lines = f.read().splitlines()
        assert 1 <= len([line for line in lines if path in line and "tried again" in line]) <= 4, lines


def no_boot(place, name):
    """Nobody knows what went on behind a socket meanwhile."""
    with vcons.Control(place.control) as c:
        boots = c.ls()[name]["boots"]
        try:
            c.attach(name, {"boot": -1}, follow=False)
        except vcons.ControlError:
            return boots == 0 and not [r for r in place.index(name) if r[3] in (vcons.BOOT, vcons.RESET) or r[8] != 0]
    return False


def typed(place, guest, chance):
    """A megabyte typed to a guest that reads it slowly: all of it, in order."""
    text = chance.randbytes(1_000_000)
    got = bytearray()

    def read():
        while len(got) < len(text):
            got.extend(guest.recv(chance.choice([1, 100, 5000])))

    reader = threading.Thread(target=read)
    reader.start()
    with vcons.Control(place.control) as c:
        c.attach("vm/serial", "now", write="free")
        for at in range(0, len(text), 4096):
            c.send(vcons.IN, text[at:at + 4096])
        reader.join(vcons.WAIT_S)
    assert not reader.is_alive() and bytes(got) == text, f"{len(got)} of {len(text)} typed bytes arrived"


def killed():
    """kill -9 of the service: what the log has stays a prefix, the return is marked as a gap right there."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "guest.sock")
        conf = configure(place, vm__serial=path)
        with listen(path) as server:
            daemon = place.daemon("--config", conf)
            guest, _ = server.accept()
            guest.sendall(b"before")
            assert log_has(place, "vm/serial", 6) == b"before"
            daemon.kill()
            daemon.wait()
            guest.close()
            place.daemon("--config", conf)
            guest, _ = server.accept()
            guest.sendall(b" after")
            assert log_has(place, "vm/serial", 12) == b"before after"
            vcons.wait_for(lambda: len(marks(place, "vm/serial")) == 3, "marks")
            assert marks(place, "vm/serial") == [("attach", 0, 0), ("gap", 6, UNKNOWN), ("attach", 6, 0)]
            guest.close()


def socat():
    if not shutil.which("socat"):
        print("socat is not installed: left out")
        return
    with vcons.Place() as place:
        path = os.path.join(place.root, "echo.sock")
        place.daemon("--config", configure(place, echo__cat=path))
        for round in range(2):
            peer = place.start(["socat", f"UNIX-LISTEN:{path},unlink-early", "EXEC:cat"])
            vcons.wait_for(lambda: state(place, "echo/cat") == "running", "socat")
            with vcons.Control(place.control) as c:
                start = c.attach("echo/cat", "now", write="free")["offset"]
                text = b"".join(b"line %d\n" % i for i in range(5000))
                for at in range(0, len(text), 4000):
                    c.send(vcons.IN, text[at:at + 4000])
                assert c.read(len(text)) == text
            assert log_has(place, "echo/cat", start + len(text))[start:] == text
            vcons.stop(peer)
            vcons.wait_for(lambda: state(place, "echo/cat") == "away", "the end of socat")


def qemu():
    """SeaBIOS prints on the debug port and, without graphics, on the serial port; QEMU's own logfile is the judge."""
    if not shutil.which("qemu-system-x86_64"):
        print("qemu-system-x86_64 is not installed: left out")
        return
    with vcons.Place() as place:
        paths = {name: os.path.join(place.root, name) for name in ("debug", "serial")}
        place.daemon("--config", configure(place, bios__debug=paths["debug"], bios__serial=paths["serial"]))
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc,graphics=off", "-m", "16", "-nodefaults",
                "-display", "none", "-device", "isa-debugcon,iobase=0x402,chardev=debug", "-serial", "chardev:serial"]
        for name, path in paths.items():
            argv += ["-chardev", f"socket,id={name},path={path},server=on,wait=on,logfile={path}.log"]
        with open(os.path.join(place.root, "qemu.out"), "w") as f:
            guest = place.start(argv, stdout=f, stderr=subprocess.STDOUT)
        for name, words in (("serial", b"SeaBIOS"), ("debug", b"No bootable device.")):
            vcons.wait_for(lambda: words in log_has(place, f"bios/{name}", 1), f"'{words.decode()}' on {name}", 60)
        vcons.stop(guest)
        for name in paths:
            with open(paths[name] + ".log", "rb") as f:
                wrote = f.read()
            assert len(wrote) > 20
            assert log_has(place, f"bios/{name}", len(wrote)) == wrote, f"{name} differs"
        vcons.wait_for(lambda: state(place, "bios/serial") == "away", "the end of QEMU")


own_listener()
killed()
socat()
qemu()
