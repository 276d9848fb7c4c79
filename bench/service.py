# SPDX-License-Identifier: MIT
"""service.py: workloads of vconsd, fed over the real link by tests/feeder, which stands for that many guests."""
import contextlib
import os
import statistics
import sys
import time

import rig
from rig import Row, cpu_ns, cpus, in_turn, values

os.environ["VCONS_BUILD"] = rig.BUILD
sys.path.insert(0, os.path.join(rig.TOP, "tests", "lib"))
import vcons  # noqa: E402

# In memory unless told otherwise: a disk that others write to is no part of what is compared.
WHERE = os.environ.get("VCONS_BENCH_DIR", "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
LINE_BYTES = 256 * 1024
PLENTY = 'segment_size = "16M"\nconsole_size = "8G"\ntotal_size = "32G"\n'  # nothing that is compared may be deleted


def start(place, limit):
    """vconsd, or the least that can stand in its place."""
    if limit:
        p = place.start([rig.path_of("line_limit"), place.link, place.log])
        vcons.wait_for(lambda: os.path.exists(place.link), "the limit's socket")
        return p
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write(PLENTY)
    return place.daemon("--config", config)


def written(pid):
    with open(f"/proc/{pid}/io") as f:
        return int(f.read().split("wchar: ")[1].split()[0])


def stored(place, n):
    """Bytes in the log of every console."""
    total = 0
    for i in range(n):
        total += vcons.log_length(os.path.join(place.log, f"f{i}", "hvc0"))
    return total


def one_flood(limit, consoles, lines, width):
    """All consoles print `lines` lines as fast as they are taken; MB/s until the last byte is in its file."""
    with vcons.Place(WHERE) as place:
        daemon = start(place, limit)
        feeder = place.feeder("-n", str(consoles), "--lines", str(lines), "--width", str(width))
        feeder.expect("served", consoles)
        total = consoles * lines * width
        rig.warm_memory(total + consoles * LINE_BYTES)
        cpu, began = cpu_ns(daemon.pid), time.monotonic()
        feeder.say("go")
        while written(daemon.pid) < total or stored(place, consoles) < total:
            assert daemon.poll() is None and feeder.process.poll() is None
            assert time.monotonic() - began < 300
            time.sleep(0.002)
        took = time.monotonic() - began
        cpu = cpu_ns(daemon.pid) - cpu
        check = place.start([vcons.program("feeder"), "--check", place.log, "-n", str(consoles), "--width", str(width),
                             *[str(lines * width)] * consoles])
        assert check.wait() == 0, "the logs are not what was sent"
        return {"value": total / took / 1e6, "cpu": total / cpu * 1e3}


FLOODS = 4  # in a round: one takes a second, and how fast the machine finds it fresh memory varies twofold from one to the next


def lines(rounds):
    for consoles, count in ((1, 4000000), (1000, 6000)):
        a, b = in_turn(rounds * FLOODS, lambda: one_flood(False, consoles, count, 80), lambda: one_flood(True, consoles, count, 80))
        extra = {"limit": "minimal loop on the same line", "per_cpu_second": round(statistics.median(r["cpu"] for r in a)),
                 "per_cpu_second_of_limit": round(statistics.median(r["cpu"] for r in b))}
        yield Row(f"W1 log: {consoles} line{'s' if consoles > 1 else ''} printing", "MB/s", values(a), values(b), 0.9, True,
                  extra, True)


def fairness(consoles=1000, seconds=10):
    """The share of each line in each second of a flood, as a part of the fair one: small lines, and those of default size."""
    for size in (16384, LINE_BYTES):
        worst, best = shares(consoles, seconds, size)
        what = f"T11 fairness: {consoles} lines of {size >> 10} KiB"
        yield Row(f"{what}, least share in a second", "of fair", [worst], [1.0], 0.5, True)
        yield Row(f"{what}, largest share in a second", "of fair", [best], [1.0], 2.0, False)


def shares(consoles, seconds, line_bytes):
    with vcons.Place(WHERE) as place:
        start(place, False)
        feeder = place.feeder("-n", str(consoles), "--out", str(line_bytes))
        feeder.expect("served", consoles)
        feeder.say("go")
        time.sleep(2)
        last, worst, best = feeder.sent(), [], []
        for _ in range(seconds):
            time.sleep(1)
            now = feeder.sent()
            shares = [b - a for a, b in zip(last, now)]
            fair = sum(shares) / consoles
            worst.append(min(shares) / fair)
            best.append(max(shares) / fair)
            last = now
    return min(worst), max(best)


class Echo:
    """Who takes part in an echo, and the program that times it."""

    def __init__(self, program, *pids):
        self.program, self.pids = program, [program.process.pid, *pids]

    def round(self, gather):
        if gather:
            rig.place(self.pids, {gather[0]})
        self.program.round("warm")
        if gather:
            rig.place(self.pids, set(gather))
        return self.program.round()


@contextlib.contextmanager
def echoing(consoles, ends, middle):
    """A daemon on this CPU, whose consoles all echo, and somebody who types to one of them."""
    with vcons.Place(WHERE) as place:
        daemon = start(place, False)
        feeder = place.feeder("-n", str(consoles), "--echo")
        feeder.expect("served", consoles)
        if ends >= 0:
            rig.place([daemon.pid], {middle})
            rig.place([feeder.process.pid], {ends})
        with rig.Staying("echo_vcons", place.control, f"f{consoles // 2}/hvc0", ECHOES, ends) as viewer:
            yield Echo(viewer, daemon.pid, feeder.process.pid)


# Keys in a round, rounds of one life: short and many, for what the machine does besides changes many times a second.
ECHOES, ECHO_ROUNDS = 100, 40


def echoes(rounds, ends, middle):
    """Rounds of 1 console, of the limit, and of 1,000 consoles in turn.

    Unpinned, an echo takes 12 us while the kernel has all parties on one CPU and 60 while it has not. It leaves whom it
    moved where he is, so which of the two it is lasts for seconds and is luck: each round begins with all on one CPU.
    """
    results = [], [], []
    for _ in range(rounds):
        with echoing(1, ends, middle) as one, echoing(1000, ends, middle) as many, \
                rig.Staying("echo_limit", ECHOES, ends, middle) as floor:
            limit = Echo(floor)
            for i in range(ECHO_ROUNDS):
                for k in (i, i + 1, i + 2):
                    results[k % 3].append((one, limit, many)[k % 3].round(cpus() if ends < 0 else None))
    return results


def echo(rounds):
    usable = cpus()
    for name, ends, middle in (("one CPU", usable[0], usable[0]), ("two CPUs", usable[0], usable[-1]), ("unpinned", -1, -1)):
        one, limit, many = echoes(rounds, ends, middle)
        p99 = [statistics.median(x["p99"] for x in r) for r in (one, limit, many)]
        yield Row(f"W5 echo: 1 console, p50, {name}", "us", values(one), values(limit), 1.3, False,
                  {"limit": "as many socket and eventfd hops", "p99": p99[0], "p99_of_limit": p99[1]}, True)
        yield Row(f"W5 echo: 1,000 consoles against one, p50, {name}", "us", values(many), values(one), 1.1, False,
                  {"p99": p99[2]}, True)


def private_kib(pid):
    """Memory that only this process has: neither the lines, which are shared, nor files."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(l.split()[1]) for l in f if l.startswith("Pss_Anon:"))


def memory(rounds, consoles=1000):
    per_console, after = [], []
    for _ in range(rounds):
        with vcons.Place(WHERE) as place:
            daemon = start(place, False)
            empty = private_kib(daemon.pid)
            feeder = place.feeder("-n", str(consoles), "--lines", "4000")
            feeder.expect("served", consoles)
            full = private_kib(daemon.pid)
            feeder.say("go")
            feeder.expect("finished")
            vcons.wait_for(lambda: stored(place, consoles) == consoles * 4000 * 80, "the last byte", 120)
            per_console.append((full - empty) / consoles)
            after.append((private_kib(daemon.pid) - empty) / consoles)
    yield Row("W8 memory: of a console besides its line", "KiB", per_console, [1.0], 2.0, False)
    yield Row("W8 memory: after 320 KB each, against before", "KiB", after, per_console, 1.01, False)


def idle(seconds, consoles=1000):
    with vcons.Place(WHERE) as place:
        daemon = start(place, False)
        feeder = place.feeder("-n", str(consoles))
        feeder.expect("served", consoles)
        time.sleep(1)
        before, cpu = vcons.switches(daemon.pid), cpu_ns(daemon.pid)
        time.sleep(seconds)
        wakeups, cpu = vcons.switches(daemon.pid) - before, cpu_ns(daemon.pid) - cpu
    yield Row(f"W13 idle: wakeups of {consoles} consoles in {seconds} s", "", [wakeups], [1.0], 0, False,
              {"cpu_ns": cpu})
