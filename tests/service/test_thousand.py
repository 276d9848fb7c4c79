# SPDX-License-Identifier: MIT
"""1,000 consoles on one service, each with a pty that nobody has open: each gets between half and twice its fair share of
every second (T11), memory stays below 2 KiB a console besides the lines, the same before and after traffic (W8), and idle it
does not wake at all (W13)."""
import os
import shutil
import sys
import time

import vcons

N = 1000
SECONDS = 60 if vcons.LONG else 4
RING_BYTES, RINGS = 16384, 16             # of each console, and how many of them a window has
BIG_RING_BYTES, BIG_RINGS = 256 * 1024, 4  # as large as a turn of the service may be
IDLE_S = 60 if vcons.LONG else 3
KIB_EACH = 2.0


def own_kib(pid):
    """Memory of its own: lines are shared, mapped files are not its."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon"))


def idle(daemon, what):
    """Wait until nothing has moved for longer than any timer of the service that ends by itself (RETURN_MS of service.c;
    time marks, 100 ms and 1 ms for each console), then nothing may move for IDLE_S."""
    def quiet():
        before = vcons.switches(daemon.pid)
        time.sleep(2.5)
        return vcons.switches(daemon.pid) == before
    vcons.wait_for(quiet, "quiet")
    before = vcons.switches(daemon.pid)
    time.sleep(IDLE_S)
    woken = vcons.switches(daemon.pid) - before
    assert woken == 0, f"{what}: {woken} wakeups in {IDLE_S} s"


def shares(feeder, window_bytes):
    """Bytes of each console in a window of a second, or longer where the machine is so busy that rings' sizes would count:
    measured at the feeder; a ring is small against the window, so it is what was taken."""
    before, began = feeder.sent(), time.monotonic()
    total = 0
    while total < N * window_bytes or time.monotonic() - began < 1:
        time.sleep(0.1)
        after = feeder.sent()
        total = sum(after) - sum(before)
        assert time.monotonic() - began < 60, f"{total} bytes in a minute"
    seconds = time.monotonic() - began
    taken = sorted(b - a for a, b in zip(before, after))
    fair = total / N
    print(f"{total / seconds / 1e6:.0f} MB/s, least {taken[0] / fair:.2f} of fair, most {taken[-1] / fair:.2f}")
    return taken[0] / fair, taken[-1] / fair


def big_rings(memory):
    """Turns change their size with the time that a round takes: whatever it is, all consoles have the same."""
    with vcons.Place(log_base=memory) as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", str(N), "--out", str(BIG_RING_BYTES))
        feeder.expect("served")
        feeder.say("go")
        shares(feeder, BIG_RING_BYTES)  # the rings are full, and turns have found their size
        for _ in range(SECONDS // 4):
            least, most = shares(feeder, BIG_RINGS * BIG_RING_BYTES)
            assert least >= 0.5 and most <= 2, (least, most)
        sent = feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        place.check(sent)


def main():
    # Shares are the service's doing, not the disk's: logs lie in memory where there is room for them.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    if memory is not None:
        big_rings(memory)
    with vcons.Place(log_base=memory) as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write('segment_size = "256K"\nconsole_size = "1M"\nconsole "*" { pty = yes  compress = no }\n')
        daemon = place.daemon("--config", config)
        plain = not vcons.sanitized(daemon.pid)
        empty = own_kib(daemon.pid)
        feeder = place.feeder("-n", str(N), "--out", str(RING_BYTES))
        began = time.monotonic()
        feeder.expect("served")
        print(f"{N} consoles served in {time.monotonic() - began:.3f} s")
        ptys = {os.readlink(os.path.join(place.run, f"consoles/f{i}/hvc0.pty")) for i in range(N)}
        assert len(ptys) == N  # that nobody has open: they cost nothing in what follows
        idle(daemon, "before traffic")
        before = own_kib(daemon.pid)
        print(f"{(before - empty) / N:.2f} KiB a console")
        assert (before - empty) / N <= KIB_EACH or not plain
        feeder.say("go")
        for _ in range(SECONDS):
            least, most = shares(feeder, RINGS * RING_BYTES)
            assert least >= 0.5 and most <= 2, (least, most)
        sent = feeder.sent("stop")
        idle(daemon, "after traffic")
        after = own_kib(daemon.pid)
        print(f"{sum(sent) >> 20} MiB later {(after - empty) / N:.2f} KiB a console")
        assert after <= before * 1.05 + 64 or not plain, (before, after)
        viewers = [vcons.Control(place.control) for _ in range(100)]
        for i, c in enumerate(viewers):
            c.attach(f"f{i}", "now")
        idle(daemon, "with 100 viewers")
        feeder.ask("lines", 7, 1)
        assert viewers[7].out()[1] == vcons.pattern(7, sent[7] // 80, 1)
        for c in viewers:
            c.close()
        sent = feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        place.check(sent)
    return 0


sys.exit(main())
