# SPDX-License-Identifier: MIT
"""sockets.py: vconsd with other programs' UNIX sockets as sources, against a minimal loop and, where installed, its peers."""
import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

import rig
from rig import Row, cpu_ns, in_turn, values
from service import WHERE, vcons

# Nothing that is compared may be deleted, or be compressed meanwhile: that is done when the machine has time.
PLENTY = 'segment_size = "4G"\nconsole_size = "16G"\ntotal_size = "32G"\n'


class Feed:
    """Consoles on sockets, as socket_feed has them."""

    def __init__(self, place, n, piece):
        self.n, self.piece = n, piece
        self.process = place.start([rig.path_of("socket_feed"), place.sockets, str(n), str(piece)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("listening")

    def expect(self, event):
        line = self.process.stdout.readline()
        assert f'"{event}"' in line, f"the feeder said {line!r} in place of {event}"

    def flood(self, pieces):
        self.process.stdin.write(f"{pieces}\n")
        self.process.stdin.flush()


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
        self.processes.append(subprocess.Popen(command, start_new_session=True, **options))
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


class Ours:
    name = "vconsd"

    def start(self, place, n):
        text = PLENTY + "".join(f'console "c{c}/s" {{ source = "unix:{path(place, c)}" }}\n' for c in range(n))
        environment = dict(os.environ, VCONS_RUNTIME_DIR=place.root, VCONS_STATE_DIR=place.root, VCONS_LOG_DIR=place.log)
        return place.start([vcons.program("vconsd"), "--foreground", "--config", place.write("vconsd.conf", text)], env=environment)

    def files(self, place, c):
        d = os.path.join(place.log, f"c{c}", "s")
        return [os.path.join(d, f) for f in sorted(os.listdir(d)) if f.endswith(".log") and f[0].isdigit()]


class Limit:
    name = "minimal loop"

    def start(self, place, n):
        return place.start([rig.path_of("socket_limit"), place.sockets, str(n), place.log])

    def files(self, place, c):
        return [f"{place.log}/{c:05d}.log"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Conman(Limit):
    name = "conman"

    def start(self, place, n):
        text = f'server loopback=on\nserver port={free_port()}\nserver pidfile="{place.root}/pid"\n'
        text += "".join(f'console name="c{c}" dev="unix:{path(place, c)}" log="{place.log}/{c:05d}.log"\n' for c in range(n))
        return place.start(["conmand", "-F", "-c", place.write("conman.conf", text)], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)


class Conserver(Limit):
    name = "conserver"

    def start(self, place, n):
        text = 'default full { rw *; master localhost; }\naccess * { trusted 127.0.0.1; allowed 127.0.0.1; }\n'
        text += "".join(f'console c{c} {{ include full; type uds; uds "{path(place, c)}"; logfile "{place.log}/{c:05d}.log"; }}\n'
                        for c in range(n))
        return place.start(["conserver", "-C", place.write("conserver.cf", text), "-P", "/dev/null", "-M", "127.0.0.1", "-m", "400",
                            "-p", str(free_port()), "-b", str(free_port())], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


PEERS = {"conmand": (Conman, {1: 1.7, 1000: 2.0}), "conserver": (Conserver, {1: 8.0, 1000: 8.0})}


def sizes(who, place, n):
    return sum(os.stat(f).st_size for c in range(n) for f in who.files(place, c))


def family_cpu_ns(pid):
    """Of a process and all its descendants."""
    total = cpu_ns(pid)
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            total += sum(family_cpu_ns(int(child)) for child in f.read().split())
    return total


def check(who, place, n, piece, pieces):
    """Every byte that was said, and no other: a peer also writes of itself, of those the size must do."""
    if isinstance(who, (Conman, Conserver)):
        return
    lists = "".join(f"{c} {pieces} {f}\n" for c in range(n) for f in who.files(place, c))
    subprocess.run([rig.path_of("socket_feed"), "check", str(piece)], input=lists, text=True, check=True)


@contextlib.contextmanager
def served(who, n, piece):
    with Place() as place:
        feed = Feed(place, n, piece)
        began = time.monotonic()
        daemon = who.start(place, n)
        feed.expect("connected")
        yield place, feed, daemon, time.monotonic() - began


def flood(who, n, piece, total):
    """Everybody says as much at once: MB/s until the last byte is stored, and MB for a second of the daemon's processors."""
    pieces = total // n // piece
    total = pieces * n * piece
    with served(who, n, piece) as (place, feed, daemon, _):
        rig.warm_memory(total)
        before, cpu, began = sizes(who, place, n), family_cpu_ns(daemon.pid), time.monotonic()
        feed.flood(pieces)
        feed.expect("drained")
        vcons.wait_for(lambda: sizes(who, place, n) - before >= total, "the last byte", 60)
        took, cpu = time.monotonic() - began, family_cpu_ns(daemon.pid) - cpu
        check(who, place, n, piece, pieces)
    return {"value": total / took / 1e6, "cpu": total / cpu * 1e3}


def row(workload, goal, a, b, limit, cpu=False):
    key = "cpu" if cpu else "value"
    return Row(workload + (", per processor" if cpu else ""), "MB/s", [r[key] for r in a], [r[key] for r in b], goal, True,
               {"limit": limit}, True)


def log(rounds):
    """W1 and W2: pieces of 4 KiB, and lines of 80 bytes."""
    for n, piece, total, goal in ((1, 4096, 512 << 20, 0.9), (100, 4096, 512 << 20, 0.9), (1000, 4096, 512 << 20, 0.9),
                                  (1000, 80, 64 << 20, 0.85)):
        what = f"W{1 if piece == 4096 else 2} log: {n} socket{'s' if n > 1 else ''}, writes of {piece}"
        a, b = in_turn(rounds, lambda: flood(Ours(), n, piece, total), lambda: flood(Limit(), n, piece, total))
        yield row(what, goal, a, b, Limit.name)
        yield row(what, goal, a, b, Limit.name, True)
    for program, (peer, goals) in PEERS.items():
        if shutil.which(program) is None:
            continue
        for n, goal in goals.items():
            a, b = in_turn(rounds, lambda: flood(Ours(), n, 4096, 128 << 20), lambda: flood(peer(), n, 4096, 128 << 20))
            yield row(f"W1 log: {n} socket{'s' if n > 1 else ''}, against {peer.name}", goal, a, b, peer.name)
    yield flat(rounds)


def flat(rounds):
    """What a byte costs the daemon at 10,000 consoles and at 100."""
    many, few = in_turn(rounds, lambda: flood(Ours(), 10000, 4096, 512 << 20), lambda: flood(Ours(), 100, 4096, 512 << 20))
    return Row("W1 log: 10,000 sockets against 100, processor time", "ns/KiB", [1024e3 / r["cpu"] for r in many],
               [1024e3 / r["cpu"] for r in few], 1.3, False, {}, True)


def connect(rounds, n=1000):
    """W7: from the start of the program until it is connected to all, with their logs open."""
    def seconds(who):
        with served(who, n, 80) as (_, _, _, took):
            return {"value": took}

    peers = [(Limit, 1.5)] + [(peer, {"conmand": 0.5, "conserver": 0.1}[program]) for program, (peer, _) in PEERS.items()
                              if shutil.which(program)]
    for peer, goal in peers:
        a, b = in_turn(rounds, lambda: seconds(Ours()), lambda: seconds(peer()))
        yield Row(f"W7 connect: {n} sockets, against {peer.name}", "s", values(a), values(b), goal, False,
                  {"spread_of_ours": round(statistics.pstdev(values(a)), 4)}, True)
