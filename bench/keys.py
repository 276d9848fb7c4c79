# SPDX-License-Identifier: MIT
"""keys.py: a key's way to a console behind a socket and its echo's way back, at rest and beside a thousand others."""
import contextlib
import statistics

import rig
from peers import Conman, Conserver, Limit, Ours, Ser2net, family, installed, serving
from rig import Row, cpus, values
from service import ECHO_ROUNDS, ECHOES, Echo

LOADED_ECHOES = 1000  # keys in a round beside a load: enough for a p99


@contextlib.contextmanager
def echoing(who, n, keys=ECHOES, piece=80):
    """n consoles that all echo, who serves them, and somebody who types to one of them; and the feeder."""
    with serving(who, n, piece) as (place, feed, daemon):
        viewer = who.viewer(place, n // 2)
        program = ["echo_vcons", *viewer[1:]] if who.kind == "vconsd" else ["echo_peer", *viewer]
        with rig.Staying(*program, keys, -1) as typist:
            yield Echo(typist, *family(daemon.pid), feed.process.pid), feed


@contextlib.contextmanager
def floor():
    """As many hops through sockets, and nothing else."""
    with rig.Staying("echo_limit", ECHOES, -1, -1, "sockets") as program:
        yield Echo(program), None


def rounds_of(parties, pinned):
    """A list for each: rounds in turn. Unpinned, each begins with all of one's processes on one CPU, as service.echoes says."""
    results = [[] for _ in parties]
    if pinned:
        for party in parties:
            rig.place(party.pids, {cpus()[0]})
    for i in range(ECHO_ROUNDS):
        for k in range(len(parties)):
            k = (i + k) % len(parties)
            results[k].append(parties[k].round(None if pinned else cpus()))
    return results


def lives(rounds, makers, pinned):
    """So many fresh starts of all of them; the results of each, in lists that go together."""
    results = [[] for _ in makers]
    for _ in range(rounds):
        with contextlib.ExitStack() as open_ones:
            parties = [open_ones.enter_context(make())[0] for make in makers]
            for all_of_one, new in zip(results, rounds_of(parties, pinned)):
                all_of_one += new
    return results


def tail(results):
    return {k: round(statistics.median(r[k] for r in results), 1) for k in ("p99", "max")}


def quiet(rounds):
    """W5: 1 console against the transport's floor, many against one, and a thousand of others'."""
    counts = [100, 1000, rig.most_consoles()]
    for pinned in (True, False):
        where = "one CPU" if pinned else "unpinned"
        makers = [lambda: echoing(Ours(), 1), floor, *[lambda n=n: echoing(Ours(), n) for n in counts]]
        one, limit, *many = lives(min(rounds, 3), makers, pinned)
        yield Row(f"W5 echo: 1 socket, p50, {where}", "us", values(one), values(limit), 1.3, False,
                  {"limit": "as many hops through sockets", **tail(one), "p99_of_limit": tail(limit)["p99"]}, True)
        for n, results in zip(counts, many):
            yield Row(f"W5 echo: {n:,} sockets against one, p50, {where}", "us", values(results), values(one), 1.1, False,
                      tail(results), True)
    yield from quiet_peers(rounds)


def quiet_peers(rounds):
    for peer in installed(Conman, Conserver, Ser2net):
        goal, n = (0.1, 1000) if peer is Conman else (1.0, 1000)
        a, b = lives(min(rounds, 3), [lambda: echoing(Ours(), n), lambda: echoing(peer(), n)], False)
        yield Row(f"W5 echo: {n:,} sockets, p50, against {peer.name}", "us", values(a), values(b), goal, False,
                  {**tail(a), "p99_of_peer": tail(b)["p99"]}, True)


def beside(who, n, piece, rate):
    """One console's echo while all others say so many bytes a second; and how many they said."""
    with echoing(who, n, LOADED_ECHOES, piece) as (typist, feed):
        feed.say("load", rate, n // 2)
        typist.program.round("warm")
        result = typist.program.round()
        feed.say("quiet")
        said = feed.expect("quiet")
        return {**result, "load": said["said"] / said["seconds"] / 1e6}


def loaded(rounds, n=1000):
    """W6: beside 10 and 100 MB/s of lines and of pages, and beside all that they can say."""
    makers = [Ours, lambda: Limit(n // 2), *installed(Conman)]
    for rate, piece in ((10, 80), (100, 4096), (0, 4096)):
        ours, *others = [[] for _ in makers]
        for i in range(min(rounds, 2)):
            for k in range(len(makers)):
                k = (i + k) % len(makers)
                (ours, *others)[k].append(beside(makers[k](), n, piece, rate * 1000000))
        what = f"beside {rate} MB/s in writes of {piece}" if rate else f"beside a flood in writes of {piece}"
        for goal, make, results in zip((0.5, 0.1), makers[1:], others):
            yield Row(f"W6 echo: 1 of {n:,} sockets {what}, p99, against {make().name}", "us", [r["p99"] for r in ours],
                      [r["p99"] for r in results], goal, False, load(ours, results), True)


def load(ours, others):
    middle = {k: [round(statistics.median(r[k] for r in results), 1) for results in (ours, others)] for k in ("value", "load")}
    return {"p50_of_both": middle["value"], "load_of_both": middle["load"], "max": round(max(r["max"] for r in ours), 1)}
