# SPDX-License-Identifier: MIT
"""The configuration read anew: only what changed is touched, viewers stay, a broken file changes nothing; sources by hand, kept
over a restart if so wanted."""
import os
import random
import signal
import socket
import subprocess
import threading
import time

import vcons
from sources import configure, console, is_there, log_has, marks, reason, said, state, type_to


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    s.bind(path)
    s.listen(5)
    return s


def command(place, *args):
    return subprocess.run([vcons.program("vcons"), "--socket", place.control, *args], env=place.env, capture_output=True,
                          text=True, timeout=vcons.WAIT_S)


def counts(place):
    r = command(place, "reload")
    assert r.returncode == 0, r.stderr
    return [int(part.split()[0]) for part in r.stdout.split(",")]


def peer_of(server):
    peer = server.accept()[0]
    peer.settimeout(vcons.WAIT_S)
    return peer


def reloads():
    with vcons.Place() as place:
        paths = {x: os.path.join(place.root, x) for x in "abcd"}
        servers = {x: listen(path) for x, path in paths.items()}
        conf = configure(place, {"s/stays": f"unix:{paths['a']}", "s/moves": f"unix:{paths['b']}",
                                 "s/goes": f"unix:{paths['c']}"})
        errors = os.path.join(place.root, "errors")
        with open(errors, "w") as f:
            daemon = place.daemon("--config", conf, stderr=f)
        stays, moves, goes = (peer_of(servers[x]) for x in "abc")
        for name in ("stays", "moves", "goes"):
            is_there(place, f"s/{name}")
        viewers = {name: vcons.Control(place.control) for name in ("stays", "moves", "goes")}
        for name, viewer in viewers.items():
            viewer.attach(f"s/{name}", "start")
        assert counts(place) == [0, 0, 0, 3]
        configure(place, {"s/stays": f"unix:{paths['a']}", "s/moves": f"unix:{paths['d']}",
                          "s/new": f"unix:{paths['c']}"}, pty="yes")
        with open(conf, "a") as f:
            f.write('access "other/*" { read = "root" }\n')
        stays.sendall(b"before")
        moves.sendall(b"old place, ")
        goes.sendall(b"last words")
        vcons.wait_for(lambda: said(place, "s/goes") == b"last words", "last words")
        assert counts(place) == [1, 1, 1, 1]
        new = peer_of(servers["c"])
        moved = peer_of(servers["d"])
        stays.sendall(b" and after")
        moved.sendall(b"new place")
        assert viewers["stays"].read(16) == b"before and after"
        assert viewers["moves"].read(20) == b"old place, new place"
        assert viewers["goes"].read(10) == b"last words"
        kind = viewers["goes"].frame()[0]
        while kind != vcons.END:
            kind = viewers["goes"].frame()[0]
        assert moves.recv(1) == b"" and goes.recv(1) == b""
        assert marks(place, "s/stays") == [("attach", 0, 0)]
        assert [m[0] for m in marks(place, "s/moves")] == ["attach", "detach", "gap", "attach"]
        assert state(place, "s/goes") == "off" and console(place, "s/stays")["pty"]
        new.sendall(b"hello")
        assert log_has(place, "s/new", 5) == b"hello"
        broken(place, daemon, conf, errors, stays, viewers["stays"])
        assert vcons.stop(daemon) == 0


def broken(place, daemon, conf, errors, stays, viewer):
    with open(conf, "a") as f:
        f.write('\nconsole "s/more" { source = "unix:/x" }\nconsole "s/bad" {\n  source = "nothing"\n}\n')
    with open(conf) as f:
        line = f.read().split("\n").index('  source = "nothing"') + 1
    r = command(place, "reload")
    assert r.returncode == 1 and f"{conf}:{line}:" in r.stderr and "stays" in r.stderr, r
    for _ in range(20):
        daemon.send_signal(signal.SIGHUP)

    def told():
        with open(errors) as f:
            return f"{conf}:{line}:" in f.read()

    vcons.wait_for(told, "the error")
    stays.sendall(b"!")
    assert viewer.read(1) == b"!" and "s/more" not in vcons.Control(place.control).ls()
    assert state(place, "s/stays") == "running"


def storm():
    """SIGHUP without end and a configuration that changes all the time, beside a console that does not: exact."""
    with vcons.Place() as place:
        paths = {x: os.path.join(place.root, x) for x in "ab"}
        servers = {x: listen(path) for x, path in paths.items()}
        daemon = place.daemon("--config", configure(place, {"s/a": f"unix:{paths['a']}"}))
        peer = peer_of(servers["a"])
        text = random.Random(5).randbytes(4 << 20)
        writer = threading.Thread(target=peer.sendall, args=(text,))
        writer.start()
        for i in range(40):
            more = {} if i % 2 else {"s/b": f"unix:{paths['b']}"}
            temporary = configure(place, {"s/a": f"unix:{paths['a']}", **more})
            assert temporary
            daemon.send_signal(signal.SIGHUP)
            assert counts(place)[3] >= 1
        writer.join()
        assert log_has(place, "s/a", len(text)) == text and len(marks(place, "s/a")) == 1
        assert vcons.stop(daemon) == 0


def by_hand():
    with vcons.Place() as place:
        paths = {x: os.path.join(place.root, f"p${x}\\ \"x") for x in "ab"}
        servers = {x: listen(path) for x, path in paths.items()}
        daemon = place.daemon()
        for argv, status, words in [
                (["add", "one"], 2, "add NAME SOURCE"), (["add", "one/a", "nothing:"], 1, "unix:PATH"),
                (["add", "one", "unix:/x"], 1, "DOMAIN/CONSOLE"), (["add", "one/a", "unix:/x", "pty=yes"], 1, "pty"),
                (["add", "one/a", "unix:/x", "delay=x"], 1, "microseconds"), (["add", "one/a", "unix:/x", "x"], 2, "KEY=VALUE"),
                (["remove", "one/a"], 3, "one/a")]:
            r = command(place, "source", *argv)
            assert r.returncode == status and words in r.stderr, (argv, r)
        assert command(place, "source", "add", "one/a", f"unix:{paths['a']}").returncode == 0
        r = command(place, "source", "add", "--keep", "one/b", f"unix:{paths['b']}", "delay=7")
        assert r.returncode == 0, r
        r = command(place, "source", "add", "one/a", "unix:/x")
        assert r.returncode == 1 and "has a source" in r.stderr, r
        peers = {x: peer_of(servers[x]) for x in "ab"}
        for x, peer in peers.items():
            peer.sendall(b"hello")
            assert log_has(place, f"one/{x}", 5) == b"hello"
        vcons.stop(daemon, signal.SIGKILL)
        daemon = place.daemon()
        peer = peer_of(servers["b"])
        is_there(place, "one/b")
        assert state(place, "one/a") == "off" and console(place, "one/b")["source"] == f"unix:{paths['b']}"
        assert command(place, "source", "remove", "one/b").returncode == 0
        assert peer.recv(1) == b""
        vcons.wait_for(lambda: state(place, "one/b") == "off", "its end")
        assert command(place, "source", "add", "one/b", f"unix:{paths['b']}").returncode == 0  # once more, not kept
        peer = peer_of(servers["b"])
        for _ in range(10):  # while the last one is on its way out
            assert command(place, "source", "remove", "one/b").returncode == 0
            vcons.wait_for(lambda: command(place, "source", "add", "one/b", f"unix:{paths['b']}").returncode == 0, "room")
        assert vcons.stop(daemon) == 0
        place.daemon()
        assert state(place, "one/b") == "off"


if __name__ == "__main__":
    for case in (reloads, storm, by_hand):
        begun = time.monotonic()
        case()
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
