# SPDX-License-Identifier: MIT
"""sockets.py: vconsd with other programs' UNIX sockets as sources, against a minimal loop and, where installed, its peers."""
import contextlib
import socket
import statistics
import subprocess
import time

import rig
from peers import Conman, Conserver, Limit, Ours, Peer, Virtlogd, family_cpu_ns, installed, served, sizes
from rig import Row, in_turn, values
from service import vcons

PEERS = {Conman: {1: 1.7, 1000: 2.0}, Conserver: {1: 8.0, 1000: 8.0}}


def check(who, place, n, piece, pieces):
    """Every byte that was said, and no other: a peer also writes of itself, of those the size must do."""
    if isinstance(who, Peer):
        return
    lists = "".join(f"{c} {pieces} {f}\n" for c in range(n) for f in who.files(place, c))
    subprocess.run([rig.path_of("socket_feed"), "check", str(piece)], input=lists, text=True, check=True)


def flood(who, n, piece, total, sources="sockets"):
    """Everybody says as much at once: MB/s until the last byte is stored, and MB for a second of the daemon's processors."""
    pieces = total // n // piece
    total = pieces * n * piece
    with served(who, n, piece, sources) as (place, feed, daemon, _):
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
    for peer in installed(*PEERS):
        for n, goal in PEERS[peer].items():
            a, b = in_turn(rounds, lambda: flood(Ours(), n, 4096, 128 << 20), lambda: flood(peer(), n, 4096, 128 << 20))
            yield row(f"W1 log: {n} socket{'s' if n > 1 else ''}, against {peer.name}", goal, a, b, peer.name)
    for peer in installed(Virtlogd):
        for n in (1, 1000):
            a, b = in_turn(rounds, lambda: flood(Ours(), n, 4096, 128 << 20), lambda: flood(peer(), n, 4096, 128 << 20, "pipes"))
            yield row(f"W1 log: {n} socket{'s' if n > 1 else ''}, against {peer.name} on pipes", 1.0, a, b, peer.name)
    yield flat(rounds)


def terminals(rounds):
    """W1: consoles on terminals, which hand over a page at most, and commands, which have one each and say what a FIFO brings."""
    for n, total in ((1, 64 << 20), (100, 64 << 20), (1000, 256 << 20)):
        a, b = in_turn(rounds, lambda: flood(Ours(), n, 4096, total, "ptys"), lambda: flood(Limit(), n, 4096, total, "ptys"))
        what = f"W1 log: {n:,} pty{'s' if n > 1 else ''}, writes of 4096"
        yield row(what, 0.95, a, b, Limit.name)
        yield row(what, 0.95, a, b, Limit.name, True)
    a, b = in_turn(rounds, lambda: flood(Ours(), 100, 4096, 64 << 20, "fifos"), lambda: flood(Limit(), 100, 4096, 64 << 20, "fifos"))
    yield row("W1 log: 100 commands", 0.95, a, b, Limit.name)
    for peer in installed(Conman, Conserver):
        a, b = in_turn(rounds, lambda: flood(Ours(), 100, 4096, 64 << 20, "ptys"),
                       lambda: flood(peer(), 100, 4096, 64 << 20, "ptys"))
        yield row(f"W1 log: 100 ptys, against {peer.name}", 1.0, a, b, peer.name)


def flat(rounds):
    """What a byte costs the daemon at 10,000 consoles and at 100."""
    n = rig.most_consoles()
    many, few = in_turn(rounds, lambda: flood(Ours(), n, 4096, 512 << 20), lambda: flood(Ours(), 100, 4096, 512 << 20))
    return Row(f"W1 log: {n:,} sockets against 100, processor time", "ns/KiB", [1024e3 / r["cpu"] for r in many],
               [1024e3 / r["cpu"] for r in few], 1.3, False, {}, True)


def connect(rounds, n=1000):
    """W7: from the start of the program until it is connected to all, with their logs open."""
    def seconds(who):
        with served(who, n, 80, "pipes" if isinstance(who, Virtlogd) else "sockets") as (_, _, _, took):
            return {"value": took}

    goals = {Conman: 0.5, Conserver: 0.1, Virtlogd: 1.0}
    for peer, goal in [(Limit, 1.5)] + [(peer, goals[peer]) for peer in installed(*goals)]:
        a, b = in_turn(rounds, lambda: seconds(Ours()), lambda: seconds(peer()))
        yield Row(f"W7 connect: {n} sockets, against {peer.name}", "s", values(a), values(b), goal, False,
                  {"spread_of_ours": round(statistics.pstdev(values(a)), 4)}, True)
    yield one_more(rounds)


def one_more(rounds, times=20):
    """W7: from the request that adds a console to its connection, where there are thousands."""
    n, took = rig.most_consoles(), []
    with served(Ours(), n, 80) as (place, _, _, _), vcons.Control(f"{place.root}/control.sock") as control, \
            contextlib.ExitStack() as stay:
        for i in range(times * rounds):
            listening = stay.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(f"{place.sockets}/more{i}")
            listening.listen()
            began = time.monotonic()
            control.ask("source_add", name=f"more{i}/s", source=f"unix:{place.sockets}/more{i}")
            stay.enter_context(listening.accept()[0])
            took.append((time.monotonic() - began) * 1e3)
    return Row(f"W7 connect: one more than {n:,}", "ms", took, [1.0], 1.0, False)
