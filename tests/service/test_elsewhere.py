# SPDX-License-Identifier: MIT
"""What a reload brings that the service could not know of when it gave up the rest of the file system: sockets in directories that no
configuration had named. And what it takes away: a pseudo-terminal."""
import os
import socket
import time

import vcons
from sources import configure, console, is_there, log_has, reason, state


def reload(place):
    with vcons.Control(place.control) as c:
        return c.ask("reload")


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    vcons.wait_for(lambda: not s.connect_ex(path), path)
    return s


def sockets():
    """Made, used, made again for who comes back, and taken away, as those that were known from the start; others are left alone."""
    with vcons.Place() as place:
        old, new = (os.path.join(place.root, d) for d in ("old", "new"))
        for d in (old, new):
            os.mkdir(d)
        first = {"s/old": f"unix-listen:{old}/sock"}
        daemon = place.daemon("--config", configure(place, first))
        vcons.wait_for(lambda: os.path.exists(f"{old}/sock"), "the first socket")
        configure(place, {**first, "s/new": f"unix-listen:{new}/sock", "s/none": f"unix-listen:{place.root}/none/sock"})
        assert reload(place)["added"] == 2
        sent = b""
        for round in range(10):
            with connect(f"{new}/sock") as peer:
                part = b"round %d\n" % round
                peer.sendall(part)
                sent += part
                assert log_has(place, "s/new", len(sent)) == sent
        assert os.stat(f"{new}/sock").st_mode & 0o777 == 0o600
        vcons.wait_for(lambda: f"{place.root}/none/sock" in (reason(place, "s/none") or ""), "the reason")
        assert "No such file" in reason(place, "s/none"), reason(place, "s/none")
        os.mkdir(f"{place.root}/none")
        connect(f"{place.root}/none/sock").close()
        with open(f"{new}/file", "w", encoding="ascii") as f:
            f.write("mine")
        configure(place, {**first, "s/new": f"unix-listen:{new}/file"})
        reload(place)
        vcons.wait_for(lambda: not os.path.exists(f"{new}/sock"), "the socket to go")
        vcons.wait_for(lambda: f"{new}/file" in (reason(place, "s/new") or ""), "the reason")
        assert state(place, "s/new") == "away"
        configure(place, {"s/new": f"unix-listen:{new}/again"})
        reload(place)
        with connect(f"{new}/again") as peer:
            is_there(place, "s/new")
            peer.sendall(b"again")
            assert log_has(place, "s/new", len(sent) + 5) == sent + b"again"
        assert vcons.stop(daemon) == 0
        vcons.wait_for(lambda: not os.path.exists(f"{new}/again"), "the socket to go with the service")
        with open(f"{new}/file", encoding="ascii") as f:
            assert f.read() == "mine"


def masters(daemon):
    """How many pseudo-terminals of its own it has."""
    fds = f"/proc/{daemon.pid}/fd"
    return sum(os.readlink(f"{fds}/{fd}").endswith("/ptmx") for fd in os.listdir(fds))


def terminals():
    """Its link goes at once, the terminal when nobody has it open; who has it, sees what comes; and it may come back meanwhile."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "sock")
        sources = {"s/a": f"unix-listen:{path}"}
        daemon = place.daemon("--config", configure(place, sources, pty="yes"))
        with connect(path) as guest:
            is_there(place, "s/a")
            slave = vcons.wait_for(lambda: console(place, "s/a")["pty"], "the terminal")
            link = os.path.join(place.run, "consoles", "s", "a.pty")
            assert os.readlink(link) == slave
            with vcons.open_terminal(slave) as terminal:
                guest.sendall(b"one\n")
                assert terminal.read(4) == b"one\n"
                configure(place, sources, pty="no")
                reload(place)
                assert not os.path.lexists(link) and console(place, "s/a")["pty"] is None and state(place, "s/a") == "running"
                guest.sendall(b"two\n")
                assert terminal.read(4) == b"two\n"
                configure(place, sources, pty="yes")
                reload(place)
                assert os.readlink(link) == slave and console(place, "s/a")["pty"] == slave
                configure(place, sources, pty="no")
                reload(place)
            vcons.wait_for(lambda: not masters(daemon), "the terminal to go")
            configure(place, sources, pty="yes")
            reload(place)
            with vcons.open_terminal(console(place, "s/a")["pty"]) as terminal:
                guest.sendall(b"three\n")
                got = b""
                while not got.endswith(b"three\n"):
                    got += terminal.read(100)
            configure(place, sources, pty="no")
            reload(place)
            vcons.wait_for(lambda: not masters(daemon), "the terminal to go")
            assert console(place, "s/a")["pty"] is None and log_has(place, "s/a", 14) == b"one\ntwo\nthree\n"


if __name__ == "__main__":
    for case in (sockets, terminals):
        begun = time.monotonic()
        case()
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
