#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Consoles of Xen's domains by name, as xl console finds them: a store that speaks XenStore's protocol, terminals whose masters are here.
A domain that is not there, comes, has another id and terminal, is read by an xl console; a store that is gone, slow or lies.
On a real Xen: tests/lab, xen_xl."""
import fcntl
import os
import pty
import signal
import socket
import struct
import sys
import threading
import tty

import vcons
from sources import configure, is_there, log_has, marks, reason, said, state, type_to

DIRECTORY, READ, ERROR = 1, 2, 16
BASE = 1000000 + 10 * os.getpid()  # ids that no other test has at the same time: the locks are this machine's


class Store:
    """/local/domain, for one request after the other on any number of connections."""

    def __init__(self, path):
        self.nodes, self.lie = {}, None
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            peer = self.listening.accept()[0]
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer, peer.makefile("rb") as stream:
            while len(head := stream.read(16)) == 16:
                kind, request, _, n = struct.unpack("<4I", head)
                path = stream.read(n).rstrip(b"\0").decode()
                kind, payload = self.answer(kind, path)
                if self.lie is not None and self.lie(peer, request, path):
                    return
                try:
                    peer.sendall(struct.pack("<4I", kind, request, 0, len(payload)) + payload)
                except OSError:
                    return

    def answer(self, kind, path):
        nodes = self.nodes
        if kind == DIRECTORY and path == "/local/domain":
            return kind, b"".join(b"%s\0" % i.encode() for i in nodes)
        _, _, _, domain, *node = path.split("/")
        value = nodes.get(domain, {}).get("/".join(node))
        return (kind, value.encode()) if value is not None else (ERROR, b"ENOENT\0")


class Terminal:
    """Of a domain: the guest is whoever has this end."""

    def __init__(self):
        self.fd, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def say(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def heard(self, n):
        data = b""
        while len(data) < n:
            data += os.read(self.fd, n - len(data))
        return data


def lock_of(domid):
    return f"/var/lock/xenconsole.{domid}"


def away(place, name, why):
    vcons.wait_for(lambda: state(place, name) == "away" and why in (reason(place, name) or ""), f"{name} to be away: {why}")


def begin(place):
    path = os.path.join(place.root, "store")
    config = configure(place, {"web/pv0": "xl:web", "board/uart": "xl:board/vuart0", "hvm/pv0": "xl:hvm/pv0"})
    return Store(path), lambda *args: place.daemon("--config", config, *args, extra_env={"XENSTORED_PATH": path})


def comes_and_goes(place):
    store, serve = begin(place)
    serve()
    away(place, "web/pv0", "Xen runs no domain of that name")
    first, second, third = BASE, BASE + 1, BASE + 2
    with Terminal() as pv, Terminal() as uart, Terminal() as serial:
        store.nodes = {"0": {"name": "web"}, str(first): {"name": "web", "console/tty": pv.path, "vuart/0/tty": serial.path},
                       str(second): {"name": "hvm", "serial/0/tty": serial.path},
                       str(third): {"name": "board", "console/tty": pv.path, "vuart/0/tty": uart.path}}
        for name, terminal in (("web/pv0", pv), ("board/uart", uart), ("hvm/pv0", serial)):
            is_there(place, name)
            terminal.say(b"hello from " + name.encode())
            assert log_has(place, name, len("hello from " + name)) == b"hello from " + name.encode()
            type_to(place, name, b"typed\x03")
            assert terminal.heard(6) == b"typed\x03"
        with open(lock_of(first), "r+b") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                raise AssertionError("the lock is not held")
            except BlockingIOError:
                pass
        store.nodes = {}
    away(place, "web/pv0", "Xen runs no domain of that name")
    assert not os.path.exists(lock_of(first)) and not os.path.exists(lock_of(second))
    with Terminal() as pv:  # started again
        store.nodes = {str(BASE + 6): {"name": "web", "console/tty": pv.path}}
        is_there(place, "web/pv0")
        pv.say(b", and again")
        data = b"hello from web/pv0, and again"
        assert log_has(place, "web/pv0", len(data)) == data
        assert [m for m in marks(place, "web/pv0") if m[0] == "gap"] == [("gap", 18, (1 << 64) - 1)]


def locked(place):
    """An xl console has it: it is left alone, and taken when that one leaves, with what nobody has read."""
    store, serve = begin(place)
    first = BASE + 3
    with Terminal() as pv, open(lock_of(first), "w+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        store.nodes = {str(first): {"name": "web", "console/tty": pv.path}}
        serve()
        away(place, "web/pv0", "an xl console has it")
        pv.say(b"nobody has read this")
        assert said(place, "web/pv0") == b""
        os.unlink(lock_of(first))  # as it does
        held.close()
        is_there(place, "web/pv0")
        assert log_has(place, "web/pv0", 20) == b"nobody has read this"
    store.nodes = {}
    away(place, "web/pv0", "Xen runs no domain")


def upgraded(place):
    """A new service has the terminal and its lock from the old one, and no gap."""
    store, serve = begin(place)
    first = BASE + 4
    with Terminal() as pv:
        store.nodes = {str(first): {"name": "web", "console/tty": pv.path}}
        old = serve()
        is_there(place, "web/pv0")
        pv.say(b"one")
        log_has(place, "web/pv0", 3)
        daemon = serve("--upgrade")
        assert old.wait() == 0
        pv.say(b"two")
        assert log_has(place, "web/pv0", 6) == b"onetwo"
        assert "gap" not in [m[0] for m in marks(place, "web/pv0")]

        def held():
            try:
                with open(lock_of(first), "r+b") as f:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            except BlockingIOError:
                return True
            except FileNotFoundError:
                return False
        vcons.wait_for(held, "the lock")
        vcons.stop(daemon)
        assert not os.path.exists(lock_of(first))


def lies(place):
    """What is no terminal, and a store that breaks its protocol, hangs or goes: each is a reason, and the others go on."""
    path, hung = os.path.join(place.root, "store"), []
    paths = ("/etc/passwd", "/dev/pts/../../etc/passwd", "/dev/pts/", "/dev/pts/1x", "/dev/pts/1\0x", "", "/dev/pts/" + 100 * "1", 4000 * "x")
    answers = (struct.pack("<4I", READ, 1 << 30, 0, 0), struct.pack("<4I", DIRECTORY, 0, 0, 0), struct.pack("<4I", READ, 0, 0, 1 << 31), b"short")
    with Terminal() as pv:
        store = Store(path)
        store.nodes = {"x": {"name": "web"}, "-1": {"name": "web"}, "": {}, str(BASE): {"name": "web", "console/tty": pv.path},
                       str(BASE + 1): {"name": "none"}, str(BASE + 2): {"name": "hangs"}}
        store.nodes.update({f"5000{i}": {"name": f"path{i}", "console/tty": text} for i, text in enumerate(paths)})
        store.nodes.update({f"6000{i}": {"name": f"answer{i}"} for i in range(len(answers))})

        def lie(peer, request, node):
            if node == f"/local/domain/{BASE + 2}/console/tty":
                hung.append(peer.dup())
                threading.Event().wait()
            if not node.startswith("/local/domain/6000") or not node.endswith("tty"):
                return False
            wrong = bytearray(answers[int(node[18])])
            if wrong[4:8] == bytes(4):  # the request that it answers
                wrong[4:8] = struct.pack("<I", request)
            peer.sendall(wrong)
            return True

        store.lie = lie
        names = ["web", "none", "hangs", "nobody", *(f"path{i}" for i in range(len(paths))), *(f"answer{i}" for i in range(len(answers)))]
        daemon = place.daemon("--config", configure(place, {f"{n}/pv0": f"xl:{n}" for n in names}), extra_env={"XENSTORED_PATH": path})
        is_there(place, "web/pv0")
        away(place, "none/pv0", "nobody serves that console")
        away(place, "nobody/pv0", "Xen runs no domain of that name")
        for i in range(len(paths)):
            away(place, f"path{i}/pv0", "no pseudo-terminal")
        for i in range(len(answers)):
            away(place, f"answer{i}/pv0", "does not answer as it should")
        vcons.wait_for(lambda: hung, "a store that hangs")
        assert state(place, "hangs/pv0") == "away"
        pv.say(b"it goes on")
        assert log_has(place, "web/pv0", 10) == b"it goes on"
        store.listening.close()
        os.unlink(path)
    away(place, "web/pv0", "is this a dom0?")
    assert vcons.stop(daemon) == 0


def refused():
    for text in ("xl:", "xl:a/b", "xl:/pv0", "xl:" + "x" * 200):
        with vcons.Place() as place:
            config = configure(place, {"web/pv0": text})
            daemon = place.start([vcons.program("vconsd"), "--foreground", "--config", config])
            assert daemon.wait() == 2, text


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if not os.access("/var/lock", os.W_OK):
        vcons.skip("/var/lock cannot be written to")
    for case in (comes_and_goes, locked, upgraded, lies):
        print(case.__name__, flush=True)
        with vcons.Place() as place:
            case(place)
        for domid in range(BASE, BASE + 10):  # of a service that was killed when its place was left
            if os.path.exists(lock_of(domid)):
                os.unlink(lock_of(domid))
    refused()
    return 0


sys.exit(main())
