# SPDX-License-Identifier: MIT
"""micro.py: workloads of the core alone."""
import statistics

from rig import Row, cpus, in_turn, program, values


def ids(rounds):
    a, b = in_turn(rounds, lambda: program("ids_vcons"), lambda: program("ids_limit"))
    yield Row("ids: free and allocate, 10^6 live", "ns", values(a), values(b), 3.0, False,
              {"limit": "bitmap of one cache line"})


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
