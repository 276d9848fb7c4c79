# SPDX-License-Identifier: MIT
"""peers.py: vconsd, a minimal loop and, where installed, other console services, each with the same consoles as sources."""
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import rig
from rig import cpu_ns
from service import WHERE, vcons

# Nothing that is compared may be deleted, or be compressed meanwhile: that is done when the machine has time.
PLENTY = 'segment_size = "4G"\nconsole_size = "16G"\ntotal_size = "32G"\n'


class Feed:
    """Consoles as socket_feed has them."""

    def __init__(self, place, n, piece, kind="sockets", fds=()):
        where = place.write("pipes", "".join(f"{fd}\n" for fd in fds)) if fds else place.sockets
        self.process = place.start([rig.path_of("socket_feed"), kind, where, str(n), str(piece)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=fds)
        self.expect("listening")

    def expect(self, event):
        line = self.process.stdout.readline()
        assert f'"{event}"' in line, f"the feeder said {line!r} in place of {event}"
        return json.loads(line)

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def flood(self, pieces):
        self.say("flood", pieces)


class Place:
    """A fresh directory and the processes in it."""

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="vb", dir=WHERE)
        self.sockets, self.log = os.path.join(self.root, "s"), os.path.join(self.root, "log")
        self.processes = []
        for d in (self.sockets, self.log):
            os.mkdir(d)
        return self

    def start(self, command, **options):
        self.processes.append(subprocess.Popen(command, start_new_session=True, preexec_fn=vcons.die_with_parent, **options))
        return self.processes[-1]

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w") as f:
            f.write(text)
        return f.name

    def __exit__(self, *error):
        for p in reversed(self.processes):
            p.terminate()
        for p in reversed(self.processes):
            p.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGKILL)  # conserver's children outlive it
        shutil.rmtree(self.root)


def path(place, c):
    return f"{place.sockets}/{c:05d}.sock"


def free_ports(n):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


class Ours:
    name, kind, connects = "vconsd", "vconsd", True
    scheme = {"sockets": "unix:", "ptys": "pty:", "fifos": "command:stty raw -echo; exec cat "}

    def __init__(self, extra=""):
        self.extra = extra

    def start(self, place, n, sources="sockets"):
        text = PLENTY + self.extra
        text += "".join(f'console "c{c}/s" {{ source = "{self.scheme[sources]}{path(place, c)}" }}\n' for c in range(n))
        environment = dict(os.environ, VCONS_RUNTIME_DIR=place.root, VCONS_STATE_DIR=place.root, VCONS_LOG_DIR=place.log)
        return place.start([vcons.program("vconsd"), "--foreground", "--config", place.write("vconsd.conf", text)], env=environment)

    def files(self, place, c):
        d = os.path.join(place.log, f"c{c}", "s")
        return [os.path.join(d, f) for f in sorted(os.listdir(d)) if f.endswith(".log") and f[0].isdigit()]

    def viewer(self, place, c):
        """How a viewer of that console attaches: attach.h."""
        return self.kind, os.path.join(place.root, "control.sock"), f"c{c}/s"


class Limit:
    """The minimal loop, with a viewer of one console if it is told of which."""
    name, kind, connects = "minimal loop", "plain", True

    def __init__(self, viewed=None):
        self.viewed = viewed

    def start(self, place, n, sources="sockets"):
        viewed = [] if self.viewed is None else [os.path.join(place.root, "viewer"), str(self.viewed)]
        return place.start([rig.path_of("socket_limit"), sources, place.sockets, str(n), place.log, *viewed])

    def files(self, place, c):
        return [f"{place.log}/{c:05d}.log"]

    def viewer(self, place, c):
        return self.kind, os.path.join(place.root, "viewer"), ""


class Peer:
    """Another program, which writes what it says of itself to nobody."""
    kind = program = None
    connects = True  # without anybody who asks for a console

    def quietly(self, place, *command):
        return place.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def files(self, place, c):
        return [f"{place.log}/{c:05d}.log"]

    def viewer(self, place, c):
        return self.kind, str(self.port), f"c{c}"


class Conman(Peer):
    name = kind = "conman"
    program = "conmand"

    def start(self, place, n, sources="sockets"):
        self.port = free_ports(1)[0]
        text = f'server loopback=on\nserver port={self.port}\nserver pidfile="{place.root}/pid"\n'
        for c in range(n):
            device = "unix:" + path(place, c) if sources == "sockets" else os.readlink(path(place, c))
            text += f'console name="c{c}" dev="{device}" log="{place.log}/{c:05d}.log"\n'
        return self.quietly(place, "conmand", "-F", "-c", place.write("conman.conf", text))


class Conserver(Peer):
    name = kind = program = "conserver"

    def start(self, place, n, sources="sockets"):
        self.port, own = free_ports(2)
        text = "config * { sslrequired no; }\n"
        text += "default full { rw *; master localhost; }\naccess * { trusted 127.0.0.1; allowed 127.0.0.1; }\n"
        for c in range(n):
            device = f'type uds; uds "{path(place, c)}"' if sources == "sockets" else \
                f'type device; device "{os.readlink(path(place, c))}"; baud 115200; parity none'
            text += f'console c{c} {{ include full; {device}; logfile "{place.log}/{c:05d}.log"; }}\n'
        return self.quietly(place, "conserver", "-C", place.write("conserver.cf", text), "-P", "/dev/null", "-M", "127.0.0.1",
                            "-m", "400", "-p", str(self.port), "-b", str(own))


class Ser2net(Peer):
    """Who passes on what comes while somebody is there, and connects only then."""
    name, kind, program = "ser2net", "tcp", "ser2net"
    connects = False

    def start(self, place, n, sources="sockets"):
        self.ports = free_ports(n)
        text = "".join(f"connection: &c{c}\n  accepter: tcp,127.0.0.1,{p}\n  connector: unix,{path(place, c)}\n"
                       for c, p in enumerate(self.ports))
        return self.quietly(place, "ser2net", "-n", "-d", "-c", place.write("ser2net.yaml", text))

    def viewer(self, place, c):
        return self.kind, str(self.ports[c]), ""


class Virtlogd(Peer):
    """Who is asked for a pipe for each log, as libvirtd asks it, and has no viewers."""
    name = program = "virtlogd"
    pipes = ()
    PROGRAM, OPEN, CALL, OK, WITH_FDS = 0x87539319, 1, 0, 0, 5  # libvirt's src/logging/log_protocol.x

    def start(self, place, n, sources):
        with contextlib.ExitStack() as both:
            paths = [os.path.join(place.root, p) for p in ("virtlogd", "admin")]
            listening = [both.enter_context(socket.socket(socket.AF_UNIX)) for _ in paths]
            for s, p in zip(listening, paths):
                s.bind(p)
                s.listen()
            process = self.activated(place, [s.fileno() for s in listening])
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(paths[0])
            self.pipes = [self.ask(s, c, f"{place.log}/{c:05d}.log") for c in range(n)]
        return process

    def activated(self, place, fds):
        """As systemd starts it: its sockets are descriptors 3 and 4."""
        config = place.write("virtlogd.conf", "max_size = 0\nmax_backups = 1\n")
        script = 'exec 8<&"$1" 9<&"$2" 3<&8 4<&9 8<&- 9<&-; shift 2; LISTEN_PID=$$ exec "$@"'
        names = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "virtlogd.socket:virtlogd-admin.socket"}
        return place.start(["bash", "-c", script, "virtlogd", *map(str, fds), "/usr/sbin/virtlogd", "-f", config, "-p",
                            os.path.join(place.root, "pid")], pass_fds=fds, env=dict(os.environ, **names),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, s, serial, log):
        def text(t):
            return struct.pack(">I", len(t)) + t.encode().ljust((len(t) + 3) // 4 * 4, b"\0")
        body = text("bench") + serial.to_bytes(16, "big") + text(f"c{serial}") + text(log) + struct.pack(">I", 0)
        s.sendall(struct.pack(">7I", 28 + len(body), self.PROGRAM, 1, self.OPEN, self.CALL, serial, self.OK) + body)
        length, *_, kind, _, status = struct.unpack(">7I", vcons.read_exactly(s, 28))
        vcons.read_exactly(s, length - 28)
        assert kind == self.WITH_FDS and status == self.OK, "virtlogd opens no log"
        return socket.recv_fds(s, 1, 1)[1][0]


def installed(*peers):
    """Those of them that are there; who is not is named."""
    for peer in peers:
        if shutil.which(peer.program) is None and not os.path.exists("/usr/sbin/" + peer.program):
            print(f"bench: {peer.name} is not installed, so nothing is compared with it (script/bootstrap bench)", flush=True,
                  file=sys.stderr)
        else:
            yield peer


def sizes(who, place, n):
    return sum(os.stat(f).st_size for c in range(n) for f in who.files(place, c))


def family(pid):
    """A process and all its descendants."""
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                yield from family(int(child))


def family_cpu_ns(pid):
    return sum(map(cpu_ns, family(pid)))


def listens(where):
    """Whether somebody can be met at that path, or at that port: by looking, for some take one caller only."""
    if not where.isdigit():
        return os.path.exists(where)
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(f":{int(where):04X}") and line.split()[3] == "0A" for line in list(f)[1:])


@contextlib.contextmanager
def served(who, n, piece, sources="sockets"):
    """Somebody serves n consoles; and how long he took for that."""
    with Place() as place:
        if sources == "pipes":
            began = time.monotonic()
            daemon = who.start(place, n, sources)
            took = time.monotonic() - began
            feed = Feed(place, n, piece, sources, who.pipes)
            for fd in who.pipes:
                os.close(fd)
            feed.expect("connected")
            yield place, feed, daemon, took
            return
        feed = Feed(place, n, piece, sources)
        began = time.monotonic()
        daemon = who.start(place, n, sources)
        if who.connects:
            feed.expect("connected")
        yield place, feed, daemon, time.monotonic() - began


@contextlib.contextmanager
def serving(who, n, piece):
    """The same, and can be attached to."""
    with served(who, n, piece) as (place, feed, daemon, _):
        vcons.wait_for(lambda: listens(who.viewer(place, n // 2)[1]), who.name)
        yield place, feed, daemon
