# SPDX-License-Identifier: MIT
"""rig.py: what the workloads share: programs of the bench build, rounds in turn, rows of the table, processor time."""
import json
import mmap
import os
import resource
import statistics
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("VCONS_BENCH_BUILD", os.path.join(TOP, "build", "bench"))


def path_of(name):
    return os.path.join(BUILD, "bench", "bench_" + name)


def program(name, *arguments, cpus=None):
    """One round of one measuring program, on these processors: its result as a dictionary."""
    done = subprocess.run([path_of(name), *map(str, arguments)], stdout=subprocess.PIPE, text=True, timeout=300,
                          preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
    if done.returncode:
        raise RuntimeError(f"{name}: exit status {done.returncode}")
    return json.loads(done.stdout)


class Staying:
    """A measuring program that does one round for each line it is given."""

    def __init__(self, name, *arguments):
        self.name = name
        self.process = subprocess.Popen([path_of(name), *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait()

    def round(self, word=""):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        result = self.process.stdout.readline()
        if not result:
            raise RuntimeError(f"{self.name}: exit status {self.process.wait()}")
        return json.loads(result)


def tasks(pid):
    """All threads of a process and of its children."""
    for task in os.listdir(f"/proc/{pid}/task"):
        yield int(task)
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                yield from tasks(child)


def place(pids, cpus):
    """Have these processes run on those processors only, from their next step on."""
    for pid in pids:
        for task in tasks(pid):
            os.sched_setaffinity(task, cpus)


def short(figure):
    """Thousandths, or what of a small one counts."""
    return round(figure, 3) if abs(figure) >= 0.1 else float(f"{figure:.3g}")


class Row:
    """One line of the table: ours against a limit, and the ratio that is asked for: of the medians; or, paired, the median
    of the ratios of rounds that followed each other."""

    def __init__(self, workload, unit, ours, limit, goal, higher_is_better, extra=None, paired=False):
        self.workload, self.unit, self.goal, self.higher = workload, unit, goal, higher_is_better
        self.ours, self.limit, self.extra, self.paired = ours, limit, extra or {}, paired

    def result(self):
        value, against = statistics.median(self.ours), statistics.median(self.limit)
        ratio = value / against if against else 0.0
        if self.paired:
            ratio = statistics.median(a / b for a, b in zip(self.ours, self.limit))
        return {"workload": self.workload, "value": short(value), "unit": self.unit, "against": short(against),
                "ratio": short(ratio), "goal": ("at least " if self.higher else "at most ") + str(short(self.goal)),
                "ok": ratio >= self.goal if self.higher else ratio <= self.goal,
                "spread": [short(min(self.ours)), short(max(self.ours))],
                "against_spread": [short(min(self.limit)), short(max(self.limit))],
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


def cpus():
    return sorted(os.sched_getaffinity(0))


def most_consoles(wanted=10000):
    """So many, or as many as the descriptors allow that one process may have: of each vconsd has its source,
    its segment and index, and two sockets where others find it."""
    return min(wanted, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000) // 5 // 100 * 100)


def warm_memory(size):
    """Have so many bytes of the machine's free memory be there. A virtual machine may have given them back to its host
    meanwhile, and then whoever is measured first pays for each page anew: 3 us here, as much as filling it with output."""
    with mmap.mmap(-1, size) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        memory[::mmap.PAGESIZE] = bytes(len(range(0, size, mmap.PAGESIZE)))


def cpu_ns(pid):
    """Nanoseconds that all threads of a process have run."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total
