#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures vcons against limits in the same run, round by round in turn, and says whether the bars are held.

A bar is a ratio of medians, never an absolute figure. Whatever moves bytes compares every one of them before its time
counts. Processor time comes from the scheduler's nanoseconds (schedstat).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
BUILD = os.environ.get("VCONS_BENCH_BUILD", os.path.join(TOP, "build", "bench"))


def build():
    log = subprocess.PIPE
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        command = ["meson", "setup", BUILD, TOP, "-Dbuildtype=release", "-Db_ndebug=false"]
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(done.stdout + "bench: cannot configure " + BUILD)
    done = subprocess.run(["ninja", "-C", BUILD], stdout=log, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout + "bench: cannot build")


def program(name, *arguments):
    """One round of one measuring program: its result as a dictionary."""
    command = [os.path.join(BUILD, "bench", "bench_" + name), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{name}: exit status {done.returncode}")
    return json.loads(done.stdout)


class Row:
    """One line of the table: ours against a limit, and the ratio that is asked for."""

    def __init__(self, workload, unit, ours, limit, goal, higher_is_better, extra=None):
        self.workload, self.unit, self.goal, self.higher = workload, unit, goal, higher_is_better
        self.ours, self.limit, self.extra = ours, limit, extra or {}

    def result(self):
        value, against = statistics.median(self.ours), statistics.median(self.limit)
        ratio = value / against if against else 0.0
        return {"workload": self.workload, "value": round(value, 3), "unit": self.unit, "against": round(against, 3),
                "ratio": round(ratio, 3), "goal": ("at least " if self.higher else "at most ") + str(self.goal),
                "ok": ratio >= self.goal if self.higher else ratio <= self.goal,
                "spread": [round(min(self.ours), 3), round(max(self.ours), 3)],
                "against_spread": [round(min(self.limit), 3), round(max(self.limit), 3)],
                "rounds": len(self.ours), **self.extra}


def in_turn(rounds, ours, limit):
    """A B A B: both lists of results, so that whatever else the machine does meets both."""
    a, b = [], []
    for i in range(rounds):
        for measure, results in ((ours, a), (limit, b)) if i % 2 == 0 else ((limit, b), (ours, a)):
            results.append(measure())
    return a, b


def values(results):
    return [r["value"] for r in results]


def ids(rounds):
    a, b = in_turn(rounds, lambda: program("ids_vcons"), lambda: program("ids_limit"))
    yield Row("ids: free and allocate, 10^6 live", "ns", values(a), values(b), 3.0, False,
              {"limit": "bitmap of one cache line"})


def cpus():
    return sorted(os.sched_getaffinity(0))


def ring(rounds):
    usable = cpus()
    places = [("one CPU", usable[0], usable[0]), ("unpinned", -1, -1)]
    if len(usable) > 1:
        places.insert(1, ("two CPUs", usable[0], usable[1]))
    for size, total in ((80, 8 << 20), (1024, 32 << 20)):
        for place, writer, reader in places:
            a, b = in_turn(rounds, lambda: program("ring_vcons", total, size, writer, reader),
                           lambda: program("ring_limit", total, size, writer, reader))
            cpu = statistics.median(r["cpu_ns"] for r in a) / statistics.median(r["cpu_ns"] for r in b)
            yield Row(f"W3 ring: {size}-byte writes, {place}", "MB/s", values(a), values(b), 0.85, True,
                      {"limit": "ring without checks", "cpu_ratio": round(cpu, 3),
                       "kicks_per_kib": statistics.median(r["kicks_per_kib"] for r in a)})


WORKLOADS = {"ids": ids, "ring": ring}


def show(row):
    low, high = row["spread"]
    more = "".join(f"; {k.replace('_', ' ')} {row[k]}" for k in ("cpu_ratio", "kicks_per_kib", "note") if k in row)
    print(f"{'ok  ' if row['ok'] else 'MISS'} {row['workload']:<46} {row['value']:>10} {row['unit']:<8} against "
          f"{row['against']:>10}  ratio {row['ratio']:>7}  ({row['goal']}; {low} to {high} in {row['rounds']}{more})", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("workload", nargs="*", help=" ".join(WORKLOADS) + "; all of them without")
    options = parser.parse_args()
    unknown = [w for w in options.workload if w not in WORKLOADS]
    if unknown:
        parser.error(f"no workload {unknown[0]}; there are {' '.join(WORKLOADS)}")
    build()
    missed = 0
    for name in options.workload or WORKLOADS:
        for row in WORKLOADS[name](options.rounds):
            result = row.result()
            missed += not result["ok"]
            print(json.dumps(result), flush=True) if options.json else show(result)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
