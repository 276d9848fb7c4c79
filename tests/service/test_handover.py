# SPDX-License-Identifier: MIT
"""What a source's protocol has agreed on goes to the service that takes over (T24), and to the one that a service manager starts: telnet
and RFC 2217 cut in the middle of a command, TCP, a serial port, a command. Each of their other sides counts who connects, and nobody does;
what was typed and not sent yet is sent by the next."""
import collections
import os
import pty
import select
import signal
import socket
import sys
import threading
import tty

import vcons
from sources import configure, is_there, log_has, marks, type_to
from upgrades import Manager, upgrade

IAC, SE, SB, WILL, WONT, DO, DONT = 255, 240, 250, 251, 252, 253, 254
NAWS, COM_PORT, SET_BAUDRATE, SET_CONTROL, BREAK_ON, BREAK_OFF = 31, 44, 1, 5, 5, 6
CUTS = [(b"one\xff", b"\xfftwo", b"one\xfftwo"),                                    # what is sent before, after; what of it is data
        (b"a\xff\xfa\x2c\x6b", b"\x01\xff\xff\x02\xff\xf0b", b"ab"),
        (b"c\xff\xfb", b"\x18d", b"cd"),                                            # an option that is refused
        (b"e\r", b"\xff\xfff\r", b"e\r\xfff\r")]


class Server(threading.Thread):
    """Listens, counts who connects, keeps what it hears from the newest of them."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.peer, self.accepted, self.typed = None, 0, bytearray()
        self.reads = threading.Event()
        self.reads.set()
        self.start()

    def run(self):
        while True:
            self.peer, _ = self.listening.accept()
            self.accepted += 1
            threading.Thread(target=self.listen, args=(self.peer,), daemon=True).start()

    def listen(self, peer):
        while True:
            self.reads.wait()
            data = peer.recv(4096)
            if not data:
                return
            self.heard(data)

    def heard(self, data):
        self.typed += data


class Telnet(Server):
    """Agrees to whatever it is asked; commands and subnegotiations are counted."""

    def __init__(self):
        self.raw, self.commands, self.subs = bytearray(), collections.Counter(), []
        super().__init__()

    def heard(self, data):
        self.raw += data
        while self.raw:
            if self.raw[0] != IAC:
                self.typed.append(self.raw.pop(0))
            elif len(self.raw) < 2:
                return
            elif self.raw[1] == IAC:
                self.typed.append(IAC)
                del self.raw[:2]
            elif self.raw[1] == SB:
                end = self.raw.find(bytes([IAC, SE]))
                if end < 0:
                    return
                self.subs.append(bytes(self.raw[2:end]))
                del self.raw[:end + 2]
            elif len(self.raw) < 3:
                return
            else:
                verb, option = self.raw[1:3]
                del self.raw[:3]
                self.commands[verb, option] += 1
                if verb in (WILL, DO):
                    self.peer.sendall(bytes([IAC, DO if verb == WILL else WILL, option]))


class Serial:
    """The other side of a serial port: a terminal whose hang-up tells that the service has let go of it."""

    def __init__(self):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        self.slave = slave  # until the service has it

    def served(self):
        os.close(self.slave)

    def send(self, data):
        os.write(self.master, data)

    def hung_up(self):
        poll = select.poll()
        poll.register(self.master, 0)
        return any(events & select.POLLHUP for _, events in poll.poll(0))


class World:
    """One console of each kind, and what is expected of each."""

    def __init__(self, place):
        self.place = place
        self.servers = {"n/telnet": Telnet(), "n/port": Telnet(), "n/tcp": Server()}
        self.serial = Serial()
        self.expected = {name: bytearray() for name in (*self.servers, "n/serial")}
        self.typed, self.answers = bytearray(), 0
        self.path = self.configure()

    def configure(self, speed=9600):
        port = {name: s.port for name, s in self.servers.items()}
        configure(self.place, {"n/telnet": f"telnet:127.0.0.1:{port['n/telnet']}", "n/tcp": f"tcp:127.0.0.1:{port['n/tcp']}",
                               "n/serial": f"serial:{self.serial.name}",
                               "n/run": "command:i=0; while read x; do i=$((i+1)); echo $$ $i; done"})
        path = configure(self.place, {"n/port": f"rfc2217:127.0.0.1:{port['n/port']}"}, more=True, speed=speed)
        with open(path, "a") as f:
            f.write('access "n/port" { break = yes }\n')
        return path

    def agreed(self):
        for name in (*self.expected, "n/run"):
            is_there(self.place, name)
        vcons.wait_for(lambda: all(self.servers[n].commands[WILL, COM_PORT] == 1 and self.servers[n].subs for n in ("n/port",)), "the port's settings")
        for name in ("n/telnet", "n/port"):
            vcons.wait_for(lambda: self.servers[name].commands[WILL, NAWS] == 1, "what is asked first")  # behind the other options
            self.say(name, b"begun", b"begun")  # and so all that was answered before is read
        self.commands = {name: self.servers[name].commands.copy() for name in ("n/telnet", "n/port")}
        self.serial.served()

    def say(self, name, wire, data):
        self.servers[name].peer.sendall(wire)
        self.expected[name] += data
        assert log_has(self.place, name, len(self.expected[name])) == self.expected[name], name

    def before(self, cut):
        for name, s in self.servers.items():
            s.peer.sendall(cut[0] if name != "n/tcp" else b"first ")
        self.serial.send(b"first ")
        with vcons.Control(self.place.control) as c:
            c.attach("n/port", "now", write="steal")
            c.send(vcons.BREAK)  # which is likely to last longer than this service
            c.send(vcons.SYNC, b"s")
            while c.frame()[0] != vcons.SYNC:
                pass

    def after(self, cut):
        for name in ("n/telnet", "n/port"):
            self.say(name, cut[1], cut[2])
        self.say("n/tcp", b"last\n", b"first last\n")
        self.serial.send(b"last\n")
        self.expected["n/serial"] += b"first last\n"
        assert log_has(self.place, "n/serial", len(self.expected["n/serial"])) == self.expected["n/serial"]
        for name, s in self.servers.items():
            type_to(self.place, name, b"\xff\r")  # agreed to be sent as they are
        self.typed += b"\xff\r"
        type_to(self.place, "n/run", b"\n")
        self.answers += 1
        vcons.wait_for(lambda: all(s.typed == self.typed for s in self.servers.values()), "what was typed")
        vcons.wait_for(lambda: b" %d\r\n" % self.answers in self.place.log_bytes("n/run"), "the command's answer")

    def look(self, takeovers):
        """Nobody has connected again, nobody has begun anew."""
        assert all(s.accepted == 1 for s in self.servers.values())
        assert not self.serial.hung_up()
        for name in self.commands:
            new = self.servers[name].commands - self.commands[name]
            assert not new - collections.Counter({(DONT, 24): 1}), new
        for name in (*self.expected, "n/run"):
            kinds = [m[0] for m in marks(self.place, name)]
            assert kinds == ["attach"] + ["detach", "attach"] * takeovers, (name, kinds)
        said = self.place.log_bytes("n/run").replace(b"\r", b"").split(b"\n")
        counted = [line.split() for line in said if line]
        assert len({pid for pid, _ in counted}) == 1 and [int(n) for _, n in counted[-1:]] == [self.answers], counted
        on, off = (bytes([COM_PORT, SET_CONTROL, what]) for what in (BREAK_ON, BREAK_OFF))
        vcons.wait_for(lambda: [s for s in self.servers["n/port"].subs if s in (on, off)][-1] == off, "the end of the last break")
        assert self.servers["n/port"].subs.count(on) == len(CUTS)  # one that comes in another makes it longer
        return int(counted[0][0])


def is_over(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def handed_over(place):
    """To one that takes over, which also finds a port whose settings are others: it sets it, and connects no more than the others do."""
    world = World(place)
    daemon = place.daemon("--config", world.path)
    world.agreed()
    for cut in CUTS:
        world.before(cut)
        daemon = upgrade(place, daemon, "--config", world.path)
        world.after(cut)
    command = world.look(len(CUTS))
    world.configure(speed=19200)
    daemon = upgrade(place, daemon, "--config", world.path)
    speed = bytes([COM_PORT, SET_BAUDRATE]) + (19200).to_bytes(4, "big")
    vcons.wait_for(lambda: speed in world.servers["n/port"].subs, "the new speed")
    world.look(len(CUTS) + 1)
    unsent(world, daemon)
    vcons.wait_for(lambda: is_over(command), "the end of the command")


def unsent(world, daemon):
    """The other side takes no more, so that typing comes to a stop; whatever was taken of it then is sent by the next service."""
    place, server = world.place, world.servers["n/tcp"]
    server.reads.clear()
    before, taken, word = len(server.typed), 0, bytes(range(256)) * 16
    with vcons.Control(place.control) as c:
        c.attach("n/tcp", "now", write="steal")
        while True:
            c.send(vcons.IN, word)
            c.send(vcons.SYNC, b"s")
            while select.select([c.socket], [], [], 1)[0]:
                if c.frame()[0] == vcons.SYNC:
                    taken += len(word)
                    break
            else:
                break
        daemon = upgrade(place, daemon, "--config", world.path)
    server.reads.set()
    vcons.wait_for(lambda: len(server.typed) >= before + taken, "all that was typed")
    typed = bytes(server.typed[before:])  # and perhaps some of what was not
    assert typed == (word * (len(typed) // len(word) + 1))[:len(typed)]
    assert server.accepted == 1 and vcons.stop(daemon) == 0


def kept(place):
    """By a service manager, with the commands; when it lets go of all, they end."""
    world = World(place)
    manager = Manager(place)
    manager.start()
    args = ["--config", world.path]
    daemon = manager.restart(place, args)
    world.agreed()
    for i, cut in enumerate(CUTS):
        world.before(cut)
        assert vcons.stop(daemon) == 0
        vcons.wait_for(lambda: manager.barriers == i + 1, "the barrier")
        assert len(manager.stored) == len(world.servers) + 4, manager.stored  # a terminal, a command and who runs it, the state
        daemon = manager.restart(place, args)
        vcons.wait_for(lambda: not manager.stored, "the end of what was kept")
        world.after(cut)
    command = world.look(len(CUTS))
    vcons.stop(daemon)
    vcons.wait_for(lambda: manager.barriers == len(CUTS) + 1, "the barrier")
    assert not is_over(command)
    for fd in manager.stored.values():
        os.close(fd)
    vcons.wait_for(lambda: is_over(command), "the end of the command")


def killed(place):
    """Nothing is kept of one that is killed: its commands end, all others are connected anew, each with a gap."""
    world = World(place)
    daemon = place.daemon("--config", world.path)
    world.agreed()
    type_to(place, "n/run", b"\n")
    command = int(log_has(place, "n/run", 3).split()[0])
    vcons.stop(daemon, signal.SIGKILL)
    vcons.wait_for(lambda: is_over(command), "the end of the command")
    place.daemon("--config", world.path)
    vcons.wait_for(lambda: all(s.accepted == 2 for s in world.servers.values()), "who connects anew")
    for name in (*world.servers, "n/run"):
        is_there(place, name)
        vcons.wait_for(lambda: any(m[0] == "gap" for m in marks(place, name)) or not place.log_bytes(name), name)


def main():
    for step in (handed_over, kept, killed):
        with vcons.Place() as place:
            step(place)


sys.exit(main())
