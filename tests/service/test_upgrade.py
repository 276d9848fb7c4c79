# SPDX-License-Identifier: MIT
"""A new service takes the place of the running one under a flood, again and again (T24): lines, sockets both ways, a pseudo-terminal; no
byte is lost or doubled, and no gap is marked. Where the new one fails, the old one goes on."""
import hashlib
import os
import pty
import socket
import struct
import subprocess
import sys
import threading
import time
import tty

import vcons
from upgrades import Manager, connect, size, upgrade

ROUNDS = 20 if vcons.LONG else 3
CHUNK = 1000


class Guest(threading.Thread):
    """Writes the numbered lines of one console into a descriptor until it is told to stop, and reads what is typed."""

    def __init__(self, name, read, write):
        super().__init__(daemon=True)
        self.name, self.read, self.write = name, read, write
        self.sent, self.typed, self.ending = bytearray(), bytearray(), False
        self.reader = threading.Thread(target=self.listen, daemon=True)

    def run(self):
        self.reader.start()
        n = 0
        while not self.ending:
            data = b"".join(b"%s %08d\n" % (self.name.encode(), n + i) for i in range(CHUNK))
            n += CHUNK
            while data:
                done = self.write(data)
                self.sent += data[:done]
                data = data[done:]
            time.sleep(0.005)

    def listen(self):
        while True:
            try:
                data = self.read(4096)
            except OSError:
                return
            if not data:
                return
            self.typed += data

    def end(self):
        self.ending = True
        self.join()
        return bytes(self.sent)


def configured(place, ptys, more=""):
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write(f'console "u/unix" {{ source = "unix:{place.root}/unix" }}\n'
                f'console "u/listen" {{ source = "unix-listen:{place.root}/listen" }}\n'
                f'console "u/pty" {{ source = "pty:{ptys}" }}\n' + more)
    return ["--config", path]


def guests(place):
    """The other sides: a socket that listens, later one that connects, the master of a pty; and what starts each."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(os.path.join(place.root, "unix"))
    server.listen()
    master, slave = pty.openpty()
    tty.setraw(slave)
    return server, master, os.ttyname(slave), slave


class Follower(threading.Thread):
    """A viewer that comes back from the byte it was at, as `vcons attach` does."""

    def __init__(self, place, name):
        super().__init__(daemon=True)
        self.place, self.console, self.data, self.ending, self.times = place, name, bytearray(), False, 0

    def run(self):
        while not self.ending:
            try:
                with vcons.Control(self.place.control) as c:
                    self.times += 1
                    c.attach(self.console, start={"offset": len(self.data)})
                    while not self.ending:
                        offset, data = c.out()
                        assert offset == len(self.data), (offset, len(self.data))
                        self.data += data
            except (OSError, EOFError, vcons.ControlError):
                time.sleep(0.01)


def under_flood(place):
    server, master, slave, keep = guests(place)
    args = configured(place, slave, 'console "u/command" { source = "command:i=0; while read x; do i=$((i+1)); echo $$ $i; done" }\n')
    daemon = place.daemon(*args)
    accepted = server.accept()[0]
    connected = connect(os.path.join(place.root, "listen"))
    flood = {"u/unix": Guest("unix", accepted.recv, accepted.send), "u/listen": Guest("listen", connected.recv, connected.send),
             "u/pty": Guest("pty", lambda n: os.read(master, n), lambda data: os.write(master, data))}
    feeder = place.feeder("-n", "3", "--lines", str(30000 * ROUNDS))
    feeder.expect("served")
    feeder.say("go")
    for g in flood.values():
        g.start()
    viewer = Follower(place, "u/unix")
    viewer.start()
    typed = b""
    for i in range(ROUNDS):
        before = size(place, "u/unix")
        vcons.wait_for(lambda: size(place, "u/unix") > before + 10000, "the flood")
        daemon = upgrade(place, daemon, *args)
        with vcons.Control(place.control) as c:
            c.attach("u/unix", start="now", write="free")
            word = b"word %d\n" % i
            c.send(vcons.IN, word)
            typed += word
            c.send(vcons.SYNC, b"s")
            while c.frame()[0] != vcons.SYNC:
                pass
        with vcons.Control(place.control) as c:
            c.attach("u/command", start="now", write="free")
            c.send(vcons.IN, b"\n")
            vcons.wait_for(lambda: place.log_bytes("u/command").count(b" %d\r\n" % (i + 1)) == 1, "the command's answer")
    counted = [line.split() for line in place.log_bytes("u/command").replace(b"\r", b"").split(b"\n") if line]
    assert len({pid for pid, _ in counted}) == 1 and [int(n) for _, n in counted] == list(range(1, ROUNDS + 1)), counted
    sent = {name: g.end() for name, g in flood.items()}
    lines = feeder.sent("stop")
    for name, data in sent.items():
        vcons.wait_for(lambda: size(place, name) >= len(data), name)
        assert hashlib.sha256(place.log_bytes(name)).digest() == hashlib.sha256(data).digest(), name
        kinds = [r[3] for r in place.index(name)]
        assert vcons.GAP not in kinds and kinds.count(vcons.ATTACH) == ROUNDS + 1, (name, kinds)
    vcons.wait_for(lambda: flood["u/unix"].typed == typed, "what was typed")
    vcons.wait_for(lambda: len(viewer.data) == len(sent["u/unix"]), "the viewer")
    viewer.ending = True
    assert viewer.data == sent["u/unix"] and viewer.times > ROUNDS
    vcons.wait_for(lambda: all(size(place, f"f{i}/hvc0") >= n for i, n in enumerate(lines)), "the lines")
    place.check(lines)
    for i in range(len(lines)):
        assert vcons.GAP not in [r[3] for r in place.index(f"f{i}/hvc0")]
    assert vcons.stop(daemon) == 0
    assert not os.path.exists(place.control)  # the last one takes its names with it
    for s in (server, accepted, connected):
        s.close()
    os.close(master)
    os.close(keep)


def read_records(c):
    """Everything that the old service says to its successor, up to END; the descriptors are closed at once."""
    types = []
    while True:
        head = b""
        while len(head) < 16:
            data, fds, _, _ = socket.recv_fds(c.socket, 16 - len(head), 1)
            assert data
            head += data
            for fd in fds:
                os.close(fd)
        _, kind, _, size = struct.unpack("<IIII", head)
        while size:
            size -= len(c.socket.recv(size))
        types.append(kind)
        if kind == 5:
            return types


def asked(place, and_gone):
    """Who has asked to take over, and was answered unless it does not wait for that. None: somebody before us is not forgotten yet."""
    c = vcons.Control(place.control)
    c.socket.sendall(b'{"id":9,"op":"upgrade","version":2}\n')
    answer = b"\n" if and_gone else b""
    while not answer.endswith(b"\n"):  # and nothing of what follows: descriptors come with it
        answer += vcons.read_exactly(c.socket, 1)
    if b'"error"' not in answer:
        return c
    c.close()
    return None


def abandoned(place):
    """A successor that goes before it has said that it has all, or that never can be one: nothing has happened."""
    server, master, slave, keep = guests(place)
    args = configured(place, slave)
    daemon = place.daemon(*args, stderr=subprocess.PIPE)
    accepted = server.accept()[0]
    guest = Guest("unix", accepted.recv, accepted.send)
    guest.start()
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    vcons.wait_for(lambda: len(guest.sent) > 5000, "the flood")
    for how in ("at once", "at the end", "wrong word"):
        c = vcons.wait_for(lambda: asked(place, how == "at once"), "an answer")
        if how != "at once":
            assert read_records(c) == [1, 6, 2, 2, 2, 4, 4, 5]  # lock, starter, listening, a socket and a pty, the end
        if how == "wrong word":
            c.socket.sendall(b"?")
            assert c.socket.recv(1) == b""
        c.close()
        before = len(guest.sent)
        vcons.wait_for(lambda: size(place, "u/unix") > before, "the flood, again")
    with vcons.Control(place.control) as c:
        assert c.hello["pid"] == daemon.pid
        assert c.refusal("upgrade", version=1) == "version"
        assert c.refusal("upgrade") == "version"
    wrong = os.path.join(place.root, "wrong.conf")
    with open(wrong, "w") as f:
        f.write("nothing = 1\n")
    done = subprocess.run([vcons.program("vconsd"), "--foreground", "--upgrade", "--config", wrong], env=place.env, stderr=subprocess.PIPE)
    assert done.returncode == 2, done
    sent = guest.end()
    vcons.wait_for(lambda: daemon.poll() is not None or size(place, "u/unix") >= len(sent), "all of it")
    assert place.log_bytes("u/unix") == sent
    assert vcons.GAP not in [r[3] for r in place.index("u/unix")]
    feeder.ask("lines", 0, 3)
    assert place.answers(daemon)
    vcons.stop(daemon)
    assert daemon.stderr.read().count(b"has not taken over") >= 2
    for s in (server, accepted):
        s.close()
    os.close(master)
    os.close(keep)


def by_command(place):
    """`vcons upgrade` finds the service's options, and returns when the new one answers; systemd's is left to systemd."""
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write('segment_size = "1M"\n')
    old = place.daemon("--config", "vconsd.conf", cwd=place.root)
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    subprocess.run([vcons.program("vcons"), "upgrade"], env=place.env, check=True)
    assert old.wait(vcons.WAIT_S) == 0
    with vcons.Control(place.control) as c:
        new = c.hello["pid"]
    assert new != old.pid
    with open(f"/proc/{new}/cmdline") as f:
        assert f.read().split("\0")[1:] == ["--config", "vconsd.conf", "--upgrade", ""]
    feeder.expect("served")
    with open(config, "w") as f:
        f.write("nonsense\n")
    done = subprocess.run([vcons.program("vcons"), "upgrade"], env=place.env, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "vconsd.conf:" in done.stderr, done
    with vcons.Control(place.control) as c:
        assert c.hello["pid"] == new
    os.kill(new, 15)
    vcons.wait_for(lambda: not os.path.exists(f"/proc/{new}"), "its end")


def kept(place):
    """A service manager restarts the service under a flood: connections are kept by it meanwhile."""
    server, master, slave, keep = guests(place)
    args = configured(place, slave)
    manager = Manager(place)
    manager.start()
    daemon = manager.restart(place, args)
    accepted = server.accept()[0]
    flood = {"u/unix": Guest("unix", accepted.recv, accepted.send),
             "u/pty": Guest("pty", lambda n: os.read(master, n), lambda data: os.write(master, data))}
    for g in flood.values():
        g.start()
    for i in range(2):
        before = size(place, "u/unix")
        vcons.wait_for(lambda: size(place, "u/unix") > before + 10000, "the flood")
        assert vcons.stop(daemon) == 0
        vcons.wait_for(lambda: manager.barriers == i + 1, "the barrier")
        assert sorted(manager.stored) == ["vcons-src-0", "vcons-src-1", "vcons-src-2", "vcons-state"], manager.stored
        daemon = manager.restart(place, args)
        vcons.wait_for(lambda: not manager.stored, "the end of what was kept")
    for name, g in flood.items():
        sent = g.end()
        vcons.wait_for(lambda: size(place, name) >= len(sent), name)
        assert place.log_bytes(name) == sent, name
        assert vcons.GAP not in [r[3] for r in place.index(name)], name
    os.rename(os.path.join(place.root, "vconsd.conf"), os.path.join(place.root, "other.conf"))
    vcons.stop(daemon)
    vcons.wait_for(lambda: manager.barriers == 3, "the barrier")
    daemon = manager.restart(place, [])
    vcons.wait_for(lambda: not manager.stored, "the end of what was kept")
    vcons.wait_for(lambda: not flood["u/unix"].reader.is_alive(), "the end of a connection that no configuration has")
    vcons.stop(daemon)
    for s in (server, accepted):
        s.close()
    os.close(master)
    os.close(keep)


def nobody_there(place):
    """Without a service there is nothing to take over."""
    done = subprocess.run([vcons.program("vconsd"), "--foreground", "--upgrade"], env=place.env, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "control.sock" in done.stderr, done


def main():
    for step in (under_flood, abandoned, by_command, kept, nobody_there):
        with vcons.Place() as place:
            step(place)


sys.exit(main())
