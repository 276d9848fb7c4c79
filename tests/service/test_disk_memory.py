# SPDX-License-Identifier: MIT
"""A disk that is full with memory behind it (T9): guests go on, who looks on sees every byte, and when there is room again
all is stored in its order. A limit of the size of files stands for the full disk: it comes at an exact byte, and needs no rights."""
import os
import resource
import signal
import sys

import vcons

CONSOLES = 3
CHUNK = 500    # lines: 40 KB
CHUNKS = 20    # 800 KB of each console: less than the 1 MiB that each has
SLOT = 16384   # memory is had and lost by so much
MANY = 1100     # lines: 88 KB, above every limit here


def limit(daemon, size):
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def unsaved(c):
    return [c.ls()[f"f{i}/hvc0"]["unsaved"] for i in range(CONSOLES)]


def lines(feeder, i, n):
    feeder.say("lines", i, n)
    feeder.expect("finished")


def logged(c, i, n):
    """What the feeder has finished may still be on its way: until the log has n bytes, in files or not."""
    vcons.wait_for(lambda: c.ls()[f"f{i}/hvc0"]["bytes"] == n, f"{n} bytes of console {i}")


def pieces(place, i):
    """What is in the files of one console: (offset, bytes) of each run without a hole, and what its GAP records say is missing."""
    name = f"f{i}/hvc0"
    directory = os.path.join(place.log, name)
    runs = []
    for start in sorted({int(f[:20]) for f in os.listdir(directory) if f[0].isdigit() and ".log" in f}):
        data = vcons.segment_bytes(directory, start)
        if runs and runs[-1][0] + len(runs[-1][1]) == start:
            runs[-1][1] += data
        else:
            runs.append([start, bytearray(data)])
    return [r for r in runs if r[1]], sum(r[6] for r in place.index(name) if r[3] == vcons.GAP)


def check(place, i, sent):
    """Every byte that is there stands at its offset. Returns the offsets that are missing, as (first, behind the last)."""
    runs, gaps = pieces(place, i)
    assert gaps == 0, gaps
    want, at, holes = vcons.pattern(i, 0, sent // 80), 0, []
    for start, data in runs:
        assert data == want[start:start + len(data)], f"console {i}: {start} to {start + len(data)} is something else"
        if start > at:
            holes.append((at, start))
        at = start + len(data)
    assert at == sent, f"console {i}: {at} of {sent}"
    return holes


def seen(place, i, n):
    """A viewer from the start, while the disk is full: the first n bytes."""
    with vcons.Control(place.control) as c:
        c.attach(f"f{i}/hvc0")
        return c.read(n)[:n]


def kept(place):
    """Nobody misses a byte: those who look on, those who come meanwhile, and those who read afterwards."""
    daemon = place.daemon()
    feeder = place.feeder("-n", str(CONSOLES))
    feeder.expect("served")
    with vcons.Control(place.control) as c:
        live = [vcons.Control(place.control) for _ in range(CONSOLES)]
        for i, v in enumerate(live):
            v.attach(f"f{i}/hvc0")
        got = [b""] * CONSOLES
        limit(daemon, 40_000)  # in the midst of the first chunk
        for k in range(CHUNKS):
            for i, v in enumerate(live):
                lines(feeder, i, CHUNK)
                want = (k + 1) * CHUNK * 80
                while len(got[i]) < want:
                    offset, data = v.out()
                    assert offset == len(got[i])
                    got[i] += data
        sent = CHUNKS * CHUNK * 80
        status = c.ask("status")
        assert status["logs_failing"] == CONSOLES, status
        assert unsaved(c) == [sent - 40_000] * CONSOLES, unsaved(c)
        for i in range(CONSOLES):
            want = vcons.pattern(i, 0, CHUNKS * CHUNK)
            assert got[i] == want, f"the viewer of {i}"
            assert seen(place, i, sent) == want, f"a new viewer of {i}"
        limit(daemon, resource.RLIM_INFINITY)
        vcons.wait_for(lambda: unsaved(c) == [0] * CONSOLES, "the disk to have all, though nobody says anything")
        assert c.ask("status")["logs_failing"] == 0
        for i, v in enumerate(live):
            lines(feeder, i, 1)
            offset, data = v.out()
            assert offset == sent, f"viewer of {i}: {offset}"
            v.close()
    sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    for i in range(CONSOLES):
        assert check(place, i, sent[i]) == []


def flooded(place):
    """More than fits: one hole, which begins where the disk was full."""
    daemon = place.daemon()
    feeder = place.feeder("-n", str(CONSOLES))
    feeder.expect("served")
    limit(daemon, 80_000)
    with vcons.Control(place.control) as c:
        lines(feeder, 0, 50_000)  # 4 MB
        lines(feeder, 1, MANY)
        logged(c, 0, 4_000_000)
        logged(c, 1, MANY * 80)
        assert unsaved(c)[2] == 0
        limit(daemon, resource.RLIM_INFINITY)
        vcons.wait_for(lambda: unsaved(c) == [0] * CONSOLES, "the disk to have the rest")
        lines(feeder, 0, 10)
        lines(feeder, 2, 10)
    sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    (begin, end), = check(place, 0, sent[0])
    assert begin == 80_000 and 4_000_000 - (1 << 20) <= end <= 4_000_000 - (1 << 20) + SLOT, (begin, end)
    assert check(place, 1, sent[1]) == [] and check(place, 2, sent[2]) == []


def killed(place):
    """Only what was in memory is lost, and the next service goes on behind it; no byte is doubled."""
    daemon = place.daemon()
    feeder = place.feeder("-n", str(CONSOLES))
    feeder.expect("served")
    holes = [[], [], []]
    printed = 0
    for limited in (80_000, 20_000):
        limit(daemon, limited)  # of the file that each life appends to
        printed += MANY * 80
        with vcons.Control(place.control) as c:
            for i in (0, 1):
                lines(feeder, i, MANY)
                logged(c, i, printed)
                lost = c.ls()[f"f{i}/hvc0"]
                assert lost["unsaved"] > 0
                holes[i].append((lost["bytes"] - lost["unsaved"], lost["bytes"]))
        vcons.stop(daemon, signal.SIGKILL)
        daemon = place.daemon()
        feeder.expect("served")
        for i in range(CONSOLES):
            lines(feeder, i, 10)
        printed += 800
    limit(daemon, resource.RLIM_INFINITY)
    sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    for i in range(CONSOLES):
        assert check(place, i, sent[i]) == holes[i], (i, holes[i])


def ended(place):
    """A console whose hypervisor went while the disk was full: the last of it is stored all the same."""
    daemon = place.daemon()
    feeder = place.feeder("-n", str(CONSOLES))
    feeder.expect("served")
    limit(daemon, 80_000)
    for i in range(CONSOLES):
        lines(feeder, i, MANY)
    sent = feeder.sent("stop")
    feeder.process.kill()
    feeder.process.wait()
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: all(x["state"] != "running" for x in c.ls().values()), "the end of the guests")
        for i in range(CONSOLES):
            logged(c, i, sent[i])
        assert all(unsaved(c)), unsaved(c)
        limit(daemon, resource.RLIM_INFINITY)
        vcons.wait_for(lambda: unsaved(c) == [0] * CONSOLES, "the disk to have all")
    assert vcons.stop(daemon) == 0
    for i in range(CONSOLES):
        assert check(place, i, sent[i]) == []


def main():
    for scenario in (kept, flooded, killed, ended):
        print(scenario.__name__, flush=True)
        with vcons.Place() as place:
            scenario(place)
    return 0


sys.exit(main())
