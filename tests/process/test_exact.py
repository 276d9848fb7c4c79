# SPDX-License-Identifier: MIT
"""Real guests at full speed, hold = forever, the service killed again and again: each log is, byte for byte, what the guest
wrote; no gap, nothing twice. Both ways out of a guest, the PV ring and console_io, and both at once in turns."""
import os
import random
import signal

from hypervisor import Hypervisor, domain, log_of
from spew import lines
from vcons import GAP, LONG, Place, log_length, stop, wait_for

LINES = 2_000_000 if LONG else 600_000
KILLS = 1000 if LONG else 100
KIND = 3
NAMES = ("ring/hvc0", "call/con", "both/hvc0")


def check(place, name, want):
    log = place.log_bytes(name)
    begin = log.index(b"0 ABC")
    if log[begin:begin + len(want)] != want:
        at = next(i for i in range(len(want)) if log[begin + i:begin + i + 1] != want[i:i + 1])
        raise AssertionError(f"{name}: differs at {at}: {log[begin + at - 40:begin + at + 40]!r}, expected {want[at - 40:at + 40]!r}")
    assert not [r for r in place.index(name) if r[KIND] == GAP], f"{name} has a gap"


def over(place):
    return all(b"\r\nover\r\n" in log_of(place, n, 200) for n in NAMES)


def stored(place):
    """Bytes in the log of the first domain."""
    return log_length(os.path.join(place.log, NAMES[0]))


def main():
    seed = int(os.environ.get("VCONS_SEED", random.SystemRandom().randrange(1 << 32)))
    dice = random.Random(seed)
    print("VCONS_SEED =", seed, flush=True)
    config = (domain("ring", f"spew {LINES}; echo over", hold="forever") +
              domain("call", f"spew {LINES}; echo over", hold="forever", console=("con", "console_io")) +
              domain("both", f"spew {LINES}; echo over", hold="forever", connected="service"))
    with Place() as place:
        daemon = place.daemon("--private", "--linger", "1000")
        h = Hypervisor(place, config)
        wait_for(lambda: h.read(0.001) and all(log_of(place, n) for n in NAMES), "the first bytes")
        kills = 0
        while not over(place) and kills < KILLS:
            target = stored(place) + dice.randrange(1 << 21)  # by what is stored, for time says little about speed
            while stored(place) < target and not over(place):
                h.read(0.0005)
            stop(daemon, signal.SIGKILL)
            daemon = place.daemon("--private", "--linger", "1000")
            kills += 1
        wait_for(lambda: h.read(0) and False or over(place), "all of it", 120)
        want = lines(LINES)
        for name in NAMES:
            check(place, name, want)
        print(f"{kills} kills, {3 * LINES * 80 >> 20} MiB exact")
        assert kills >= 5, "the guests were too fast for this test to mean anything"
        h.process.send_signal(signal.SIGTERM)
        assert h.wait() == 0
        h.close()


main()
