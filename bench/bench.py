#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures vcons against limits in the same run, round by round in turn, and says whether the bars are held.

A bar is a ratio of medians, never an absolute figure. Whatever moves bytes compares every one of them before its time
counts. Processor time comes from the scheduler's nanoseconds (schedstat).
"""
import argparse
import json
import os
import subprocess
import sys

import guests
import micro
import rig
import service


def build():
    log = subprocess.PIPE
    if not os.path.exists(os.path.join(rig.BUILD, "build.ninja")):
        command = ["meson", "setup", rig.BUILD, rig.TOP, "-Dbuildtype=release", "-Db_ndebug=false"]
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(done.stdout + "bench: cannot configure " + rig.BUILD)
    done = subprocess.run(["ninja", "-C", rig.BUILD], stdout=log, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout + "bench: cannot build")


WORKLOADS = {"ids": micro.ids, "ring": micro.ring, "ringlog": guests.ringlog, "lines1000": service.lines, "fairness": service.fairness,
             "echo": service.echo, "memory": service.memory, "idle": service.idle}


PLAIN = ("workload", "value", "unit", "against", "ratio", "goal", "ok", "spread", "against_spread", "rounds", "limit")


def show(row):
    low, high = row["spread"]
    more = "".join(f"; {k.replace('_', ' ')} {row[k]}" for k in row if k not in PLAIN)
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
