# SPDX-License-Identifier: MIT
"""fanout.py: W10, one console and many viewers: one in ten of them stopped, one in ten at 1 KiB a second, all others exact."""
import contextlib
import os
import statistics
import subprocess
import time

import rig
from peers import Conman, Conserver, Feed, Ours, Place, family, family_cpu_ns, installed, listens
from rig import Row, cpus, in_turn, values
from service import private_kib, vcons

PIECE = 4096
DELIVERED = 2 << 30  # to all viewers together


class Plain:
    """Plain write(2) to as many sockets."""
    name, kind = "plain writes", "plain"

    def __init__(self, viewers, pieces):
        self.viewers, self.pieces = viewers, pieces

    def start(self, place, n):
        assert n == 1
        return place.start([rig.path_of("fanout_limit"), place.sockets, place.log, self.viewer(place, 0)[1], str(self.viewers),
                            str(self.pieces * PIECE)])

    def viewer(self, place, c):
        return self.kind, os.path.join(place.root, "viewers"), ""


class Viewers(Feed):
    """The program viewers.c: what it says, and is told, is as with the feeder."""

    def __init__(self, place, who, n):
        self.process = place.start([rig.path_of("viewers"), *who.viewer(place, 0), "0", str(PIECE), str(n)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        self.say("read")
        return self.expect("read")["bytes"]


@contextlib.contextmanager
def viewed(who, n):
    """One console with n viewers."""
    with Place() as place:
        feed = Feed(place, 1, PIECE)
        daemon = who.start(place, 1)
        vcons.wait_for(lambda: listens(who.viewer(place, 0)[1]), who.name)
        if not isinstance(who, Plain):
            feed.expect("connected")
        viewers = Viewers(place, who, n)
        viewers.expect("attached")
        if isinstance(who, Plain):
            feed.expect("connected")
        yield feed, daemon, viewers


def readers(n):
    return n - n // 10 * 2


def delivered(who, n, pieces):
    """MB/s to all who read, until the last of them has the last byte; and MB a second of the daemon's processors."""
    total = pieces * PIECE * readers(n)
    with viewed(who, n) as (feed, daemon, viewers):
        rig.warm_memory(pieces * PIECE)
        cpu, began = family_cpu_ns(daemon.pid), time.monotonic()
        viewers.say("until", pieces)
        feed.flood(pieces)
        done = viewers.expect("done")
        took, cpu = time.monotonic() - began, family_cpu_ns(daemon.pid) - cpu
        assert done["bytes"] == total
        return {"value": total / took / 1e6, "cpu": total / cpu * 1e3}


def taken(who, n, pieces):
    """The same of those who drop what a viewer does not take in time: what arrived, until no more comes."""
    with viewed(who, n) as (feed, _, viewers):
        began = time.monotonic()
        feed.flood(pieces)
        feed.expect("drained")
        before, last = viewers.read(), time.monotonic()
        while time.monotonic() - last < 0.5:
            time.sleep(0.02)
            if (now := viewers.read()) != before:
                before, last = now, time.monotonic()
        return {"value": before / (last - began) / 1e6, "part": before / (pieces * PIECE * readers(n))}


def fanout(rounds):
    for n in (1, 10, 100, 1000):
        pieces = min(DELIVERED // 4, DELIVERED // n) // PIECE
        a, b = in_turn(rounds, lambda: delivered(Ours(), n, pieces), lambda: delivered(Plain(n, pieces), n, pieces))
        what = f"W10 fanout: {n:,} viewer{'s' if n > 1 else ''}"
        yield Row(what, "MB/s", values(a), values(b), 0.85, True, {"limit": Plain.name}, True)
        yield Row(what + ", per processor", "MB/s", [r["cpu"] for r in a], [r["cpu"] for r in b], 0.85, True,
                  {"limit": Plain.name}, True)
    pieces = (16 << 20) // PIECE
    for peer in installed(Conman, Conserver):
        a, b = in_turn(rounds, lambda: delivered(Ours(), 100, pieces), lambda: taken(peer(), 100, pieces))
        part = round(statistics.median(r["part"] for r in b), 3)
        yield Row(f"W10 fanout: 100 viewers, against {peer.name}", "MB/s", values(a), values(b), 1.0, True,
                  {"part_that_reached_the_peers_viewers": part}, True)
    yield from paced(rounds)
    yield memory(rounds)


def rate(n, limit, seconds=2.0):
    """What the source can say in a second: all it can, or at most so much. Who reads is not on its processor."""
    with viewed(Ours(), n) as (feed, daemon, viewers):
        rig.place([feed.process.pid], {cpus()[0]})
        rig.place([viewers.process.pid], {cpus()[-1]})
        feed.say("load", int(limit), 1)
        time.sleep(seconds)
        feed.say("quiet")
        quiet = feed.expect("quiet")
        return quiet["said"] / quiet["seconds"]


def paced(rounds, n=1000):
    """The source at half of what it can: whether it notices that it has viewers."""
    with_viewers, without = [], []
    for _ in range(min(rounds, 3)):
        half = rate(0, 0) / 2
        without.append(rate(0, half) / 1e6)
        with_viewers.append(rate(n, half) / 1e6)
    yield Row(f"W10 fanout: a source at half its rate, {n:,} viewers against none", "MB/s", with_viewers, without, 0.95, True,
              {}, True)


def memory(rounds, n=1000, pieces=16384):
    """Of a viewer, after 64 MiB that one in ten never read and one in ten hardly."""
    per_viewer = []
    for _ in range(min(rounds, 3)):
        with viewed(Ours(), 0) as (_, daemon, _):
            empty = sum(map(private_kib, family(daemon.pid)))
        with viewed(Ours(), n) as (feed, daemon, viewers):
            feed.flood(pieces)
            feed.expect("drained")
            per_viewer.append((sum(map(private_kib, family(daemon.pid))) - empty) / n)
    return Row(f"W10 fanout: memory of each of {n:,} viewers", "KiB", per_viewer, [64.0], 1.0, False)
