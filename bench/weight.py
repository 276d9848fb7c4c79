# SPDX-License-Identifier: MIT
"""weight.py: W8 and W13, what consoles behind sockets cost while they say nothing: memory, descriptors, wakeups."""
import contextlib
import os
import statistics
import time

import rig
from fanout import Viewers
from peers import Conman, Conserver, Limit, Ours, Ser2net, family, family_cpu_ns, installed, served, serving, sizes
from rig import Row
from service import vcons

TRAFFIC = 1 << 30  # of all consoles together
PIECE = 4096
VIEWERS = 100


def kib(pid, what):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(what + ":"))


def weigh(pid):
    """A service with all its processes: KiB that are its own or its part of what is shared, KiB it has mapped, descriptors."""
    pids = list(family(pid))
    return {"pss": sum(kib(p, "Pss") for p in pids), "rss": sum(kib(p, "Rss") for p in pids),
            "descriptors": sum(len(os.listdir(f"/proc/{p}/fd")) for p in pids)}


def settled(pid):
    """The same, once it changes no more: who has just connected still frees what he needed for that."""
    last = weigh(pid)
    for _ in range(20):
        time.sleep(0.2)
        now = weigh(pid)
        if now == last:
            break
        last = now
    return now


def each(who, n, traffic=False):
    """Of a console, beyond what the service costs with one; and, after traffic, of all against before."""
    with served(who, 1, PIECE) as (_, _, daemon, _):
        one = settled(daemon.pid)
    with served(who, n, PIECE) as (place, feed, daemon, _):
        before = settled(daemon.pid)
        result = {k: (before[k] - one[k]) / (n - 1) for k in one}
        if traffic:
            feed.flood(TRAFFIC // n // PIECE)
            feed.expect("drained")
            vcons.wait_for(lambda: sizes(who, place, n) >= TRAFFIC // n // PIECE * n * PIECE, "the last byte", 60)
            result["before"], result["after"] = before["pss"], settled(daemon.pid)["pss"]
    return result


def middle(results, key):
    return round(statistics.median(r[key] for r in results), 2)


def memory(rounds):
    rounds = min(rounds, 3)
    for n in (1000, rig.most_consoles()):
        ours = [each(Ours(), n, n == 1000) for _ in range(rounds)]
        yield Row(f"W8 memory: of each of {n:,} sockets, PSS", "KiB", [r["pss"] for r in ours], [1.0], 2.0, False,
                  {"rss": middle(ours, "rss"), "descriptors": middle(ours, "descriptors")})
        if n == 1000:
            yield Row("W8 memory: of all after 1 GiB, against before", "KiB", [r["after"] for r in ours],
                      [r["before"] for r in ours], 1.01, False, {}, True)
            yield from memory_of_peers(ours, n)


def memory_of_peers(ours, n):
    for peer in installed(Conman, Conserver):
        theirs = [each(peer(), n) for _ in ours]
        yield Row(f"W8 memory: of each of {n:,} sockets, PSS, against {peer.name}", "KiB", [r["pss"] for r in ours],
                  [r["pss"] for r in theirs], 0.5, False, {"descriptors_of_peer": middle(theirs, "descriptors")}, True)


@contextlib.contextmanager
def at_rest(who, n, viewers):
    """n consoles that say nothing, and viewers who type nothing."""
    with serving(who, n, PIECE) as (place, _, daemon):
        if viewers:
            Viewers(place, who, viewers).expect("attached")
        yield who, n, daemon.pid


def spent(pid):
    return sum(map(vcons.switches, family(pid))), family_cpu_ns(pid)


def idle(seconds):
    """All at once: who sleeps does not mind."""
    n, most = 1000, rig.most_consoles()
    with contextlib.ExitStack() as stack:
        parties = [(Ours(), n, VIEWERS), (Ours(), most, VIEWERS), (Limit(0), n, 0),
                   *((p(), n, VIEWERS) for p in installed(Conman, Conserver)), *((p(), n, 0) for p in installed(Ser2net))]
        parties = [stack.enter_context(at_rest(*p)) for p in parties]
        time.sleep(3)
        before = [spent(pid) for _, _, pid in parties]
        time.sleep(seconds)
        after = [spent(pid) for _, _, pid in parties]
    for (who, consoles, _), (woken, cpu), (now, cpu_now) in zip(parties, before, after):
        if isinstance(who, Ours):
            others = {f"of_{w.name.replace(' ', '_')}": b[0] - a[0] for (w, _, _), a, b in zip(parties, before, after)
                      if not isinstance(w, Ours)}
            yield Row(f"W13 idle: wakeups of {consoles:,} sockets and {VIEWERS} viewers in {seconds} s", "", [now - woken], [1.0], 0,
                      False, {"cpu_ns": cpu_now - cpu, **others})
