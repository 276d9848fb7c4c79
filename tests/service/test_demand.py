# SPDX-License-Identifier: MIT
"""connect = viewer: a source is connected while somebody is attached, and a while after. A replay does not connect it, a follower does, as
does what is sent; by a reload it becomes one that always is, and back; whatever comes and goes meanwhile, the log is exact."""
import os
import random
import socket
import subprocess
import time

import vcons
from sources import configure, console, is_there, log_has, marks, reason, said, state

IDLE = "it is connected when somebody attaches"


class Guest:
    """Who listens; its connections come and go as the service wants them."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(10)
        self.socket.settimeout(vcons.WAIT_S)

    def accept(self):
        peer = self.socket.accept()[0]
        peer.settimeout(vcons.WAIT_S)
        return peer

    def nobody(self):
        """Nobody has come, by a word with the service behind which an attempt of its would have been seen."""
        self.socket.setblocking(False)
        try:
            self.socket.accept()
            raise AssertionError("it is connected")
        except BlockingIOError:
            self.socket.settimeout(vcons.WAIT_S)


def is_idle(place, name):
    vcons.wait_for(lambda: (state(place, name), reason(place, name)) == ("away", IDLE), f"{name} to be idle")


def attach(place, name, **keys):
    c = vcons.Control(place.control)
    c.attach(name, **keys)
    return c


def comes_and_goes():
    with vcons.Place() as place:
        guest = Guest(os.path.join(place.root, "guest"))
        conf = configure(place, {"d/serial": f"unix:{place.root}/guest"}, connect="viewer", linger=0)
        daemon = place.daemon("--config", conf)
        assert (state(place, "d/serial"), reason(place, "d/serial")) == ("away", IDLE)
        assert not console(place, "d/serial")["early_output"]
        guest.nobody()
        sent = b""
        for round in range(20):
            viewers = [attach(place, "d/serial", start="now") for _ in range(1 + round % 3)]
            peer = guest.accept()
            part = b"round %d\n" % round
            peer.sendall(part)
            sent += part
            for v in viewers:
                assert v.read(len(part)) == part
            with attach(place, "d/serial", start="start", follow=False) as replay:  # whose end changes nothing
                assert replay.read(len(sent)) == sent
            for v in viewers:
                v.close()
            assert peer.recv(1) == b""
            is_idle(place, "d/serial")
        with attach(place, "d/serial", start="start", follow=False) as replay:
            assert replay.read(len(sent)) == sent
            is_idle(place, "d/serial")
        guest.nobody()
        assert log_has(place, "d/serial", len(sent)) == sent
        assert len([m for m in marks(place, "d/serial") if m[0] == "gap"]) == 19
        assert vcons.stop(daemon) == 0


def what_is_sent():
    """`vcons send` is somebody, too; and a viewer that comes before the guest has one tried for it, who leaves ends that."""
    with vcons.Place() as place:
        conf = configure(place, {"d/serial": f"unix:{place.root}/guest"}, connect="viewer", linger=0)
        place.daemon("--config", conf)
        viewer = attach(place, "d/serial")
        vcons.wait_for(lambda: "No such file" in (reason(place, "d/serial") or ""), "the reason")
        guest = Guest(os.path.join(place.root, "guest"))
        peer = guest.accept()
        peer.sendall(b"here")
        assert viewer.read(4) == b"here"
        viewer.close()
        assert peer.recv(1) == b""
        is_idle(place, "d/serial")
        sender = place.start([vcons.program("vcons"), "--socket", place.control, "send", "d/serial", "words"])
        peer = guest.accept()
        assert vcons.read_exactly(peer, 6) == b"words\r" and sender.wait(vcons.WAIT_S) == 0
        assert peer.recv(1) == b""
        is_idle(place, "d/serial")
        guest.socket.close()
        os.unlink(os.path.join(place.root, "guest"))
        with attach(place, "d/serial"):
            vcons.wait_for(lambda: "No such file" in (reason(place, "d/serial") or ""), "the reason")
        is_idle(place, "d/serial")


def lingers():
    """So long at least; and somebody who comes back meanwhile finds the same connection."""
    with vcons.Place() as place:
        guest = Guest(os.path.join(place.root, "guest"))
        conf = configure(place, {"d/serial": f"unix:{place.root}/guest"}, connect="viewer", linger=1)
        place.daemon("--config", conf)
        attach(place, "d/serial").close()
        peer = guest.accept()
        viewer = attach(place, "d/serial")
        is_there(place, "d/serial")
        begun = time.monotonic()
        viewer.close()
        assert peer.recv(1) == b"" and time.monotonic() - begun >= 1
        is_idle(place, "d/serial")
        configure(place, {"d/serial": f"unix:{place.root}/guest"}, connect="viewer", linger=86400)
        with vcons.Control(place.control) as c:
            c.ask("reload")
        peer = None
        for _ in range(30):
            attach(place, "d/serial").close()
            peer = peer or guest.accept()
        with attach(place, "d/serial", start="now") as viewer:
            peer.sendall(b"still the same")
            assert viewer.read(14) == b"still the same"
        guest.nobody()


def reloads():
    """From one way to the other; listening, too: there is a socket while somebody is attached."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "listen")
        sources = {"d/listen": f"unix-listen:{path}"}
        place.daemon("--config", configure(place, sources, connect="viewer", linger=0))
        is_idle(place, "d/listen")
        assert not os.path.exists(path)
        viewer = attach(place, "d/listen")
        vcons.wait_for(lambda: os.path.exists(path), "the socket")
        viewer.close()
        vcons.wait_for(lambda: not os.path.exists(path), "the socket to go")
        for way, there in (("always", True), ("viewer", False), ("always", True)):
            configure(place, sources, connect=way, linger=0)
            with vcons.Control(place.control) as c:
                assert c.ask("reload")["changed"] == 1
            vcons.wait_for(lambda: os.path.exists(path) == there, f"the socket, {way}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(path)
            peer.sendall(b"always")
            assert log_has(place, "d/listen", 6) == b"always"
            configure(place, sources, connect="viewer", linger=0)
            with vcons.Control(place.control) as c:
                assert c.ask("reload")["changed"] == 1
            peer.settimeout(vcons.WAIT_S)
            assert peer.recv(1) == b""
        is_idle(place, "d/listen")


def crowd():
    """Viewers that come and go as they like, with sources of all kinds that end as they like: each byte is seen where it is said."""
    chance = random.Random(7)
    with vcons.Place() as place:
        guest = Guest(os.path.join(place.root, "guest"))
        sources = {"d/unix": f"unix:{place.root}/guest", "d/command": "command:echo began; exec sleep 1000"}
        place.daemon("--config", configure(place, sources, connect="viewer", linger=0))
        for _ in range(100):
            viewers = [attach(place, chance.choice(list(sources))) for _ in range(chance.randrange(4))]
            chance.shuffle(viewers)
            for v in viewers:
                v.close()
        for name in sources:
            is_idle(place, name)
        guest.socket.close()
        os.unlink(os.path.join(place.root, "guest"))
        began = said(place, "d/command").count(b"began")
        with attach(place, "d/command"):
            vcons.wait_for(lambda: said(place, "d/command").count(b"began") > began, "another one")
        is_idle(place, "d/command")
        for key, value in (("connect", "sometimes"), ("linger", "-1"), ("linger", "86401")):
            done = subprocess.run([vcons.program("vcons"), "--socket", place.control, "source", "add", "d/x", "pty:/dev/x", f"{key}={value}"],
                                  capture_output=True, text=True, check=False)
            assert done.returncode == 1 and key in done.stderr, done


if __name__ == "__main__":
    for case in (comes_and_goes, what_is_sent, lingers, reloads, crowd):
        begun = time.monotonic()
        case()
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
