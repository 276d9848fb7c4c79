# SPDX-License-Identifier: MIT
"""xen.py: the consoles of a real Xen, in the lab (tests/lab): vconsd beside xenconsoled, and beside a loop that only drains a ring,
all in one boot."""
import os
import shutil
import subprocess
import tempfile

import rig
import stock
from rig import Row

HERE = os.path.join(rig.TOP, "bench", "xen")
MACHINE = "arm64"  # the faster one
PROGRAMS = {"vcons": "client/vcons", "vconsd": "service/vconsd", "vcons-xen.so": "xen/vcons-xen.so",
            "xen_ring": "tests/lab/lab_xen_ring", "dom0_tty": "bench/bench_dom0_tty"}
KEYS = 100
LINE_BYTES = 80
RING_KIB = 4.0
SLOW = 4  # so many times less for xenconsoled, which is throttled
ROUND_S = 600  # a hang guard


def payload(where):
    os.mkdir(os.path.join(where, "bin"))
    for name, path in PROGRAMS.items():
        subprocess.run(["aarch64-linux-gnu-strip", "-o", os.path.join(where, "bin", name), os.path.join(stock.BUILD_ARM64, path)],
                       check=True)
    shutil.copy(os.path.join(stock.BUILD_ARM64, "guest", "tiny-arm64"), os.path.join(where, "bin"))
    shutil.copytree(os.path.join(stock.LAB, "cases"), os.path.join(where, "cases"))
    shutil.copy(os.path.join(HERE, "in-dom0.sh"), where)


def measure(rounds, lines):
    """Each figure of each side, in rounds: {what: {who: [words]}}."""
    with tempfile.TemporaryDirectory(prefix="vcons-bench-") as where:
        payload(where)
        inside = 'mkdir /tmp/bench && cd /tmp/bench && PATH=/payload/bin:$PATH && exec sh /payload/in-dom0.sh "$@"'
        done = subprocess.run([os.path.join(stock.LAB, "xen-run"), MACHINE, "--dir", where, "--timeout",
                               str(stock.BOOT_S + rounds * ROUND_S), "--", "env", "CASES=/payload", "WAY=xen-arm64", "sh", "-c", inside,
                               "sh", str(rounds), str(lines), str(lines // SLOW), str(KEYS)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"the lab: exit status {done.returncode}\n{done.stdout}")
    results = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] in ("flood", "echo", "noise", "start", "memory"):
            results.setdefault(words[0], {}).setdefault(words[1], []).append([float(word) for word in words[2:]])
    return results


def rates(rounds):
    return [size / seconds / 1e6 for size, seconds in rounds]


def scaled(rounds, by):
    return [words[0] / by for words in rounds]


def others(echo):
    """What else is said of a key's way, in ms."""
    median = {f"{who}, median": scaled(echo[who], 1e6) for who in ("socket", "ring", "held-socket")}
    return {what: [rig.short(ms) for ms in all_ms] for what, all_ms in {
        **median, "mean": [words[1] / 1e6 for words in echo["vcons"]], "xenconsoled, mean": [words[1] / 1e6 for words in echo["xenconsoled"]],
        "99 of 100": [words[2] / 1e6 for words in echo["vcons"]],
        "xenconsoled, 99 of 100": [words[2] / 1e6 for words in echo["xenconsoled"]]}.items()}


def xen(rounds, kib):
    stock.ready(MACHINE)
    subprocess.run([os.path.join(stock.LAB, "xen-setup"), MACHINE], stdout=subprocess.DEVNULL, check=True)
    result = measure(rounds, kib * 1024 // LINE_BYTES)
    flood, echo, noise, start, memory = (result[what] for what in ("flood", "echo", "noise", "start", "memory"))
    yield Row("Xen: a flooding domain into the log", "MB/s", rates(flood["vcons"]), rates(flood["drain"]), 0.8, True,
              {"limit": "a loop that only drains the ring", "xenconsoled": [rig.short(rate) for rate in rates(flood["xenconsoled"])]})
    neighbour = {f"neighbour beside {who}, kB/s": [rig.short(1e3 * rate) for rate in rates(noise[who])] for who in noise}
    yield Row("Xen: a key's echo beside it", "ms", scaled(echo["vcons"], 1e6), scaled(echo["xenconsoled"], 1e6), 0.5, False,
              {"limit": "xenconsoled, whose neighbour is throttled", **others(echo), **neighbour})
    yield Row("Xen: beside one that prints as little", "ms", scaled(echo["held"], 1e6), scaled(echo["xenconsoled"], 1e6), 0.5, False,
              {"limit": "xenconsoled"})
    yield Row("Xen: start to eight domains served", "ms", scaled(start["vcons"], 1e6), scaled(start["xenconsoled"], 1e6), 1.0, False,
              {"limit": "xenconsoled"})
    yield Row("Xen: memory a console", "KiB", scaled(memory["vcons"], 8), [RING_KIB] * rounds, 16.0, False,
              {"limit": "its ring", "xenconsoled": scaled(memory["xenconsoled"], 8)})
