# SPDX-License-Identifier: MIT
"""T23: mixed load for a while: bursts on many consoles, rotation of segments, viewers that come, read a little and go, a
hypervisor that leaves and returns. Memory and descriptors are the same at the end as after the first round, the daemon
is one process all along, and every log is what was sent."""
import os
import random
import sys
import time

import vcons

CONSOLES = 100
SECONDS = float(os.environ.get("VCONS_SOAK_S", 3600 if vcons.LONG else 60))  # VCONS_SOAK_S=259200: three days
REST = 0 if vcons.LONG else 3  # times as long as a round takes, so that tests beside this one have the machine
HEAPS_KIB = 1024


def own_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def burst(feeder, chance):
    for i in chance.sample(range(CONSOLES), 20):
        feeder.ask("lines", i, chance.randrange(1, 1500))


def look(place, chance):
    """Some viewers at once, each from somewhere, gone in the midst of what they read."""
    viewers = []
    for _ in range(5):
        control = vcons.Control(place.control)
        start = chance.choice(["start", "now", {"tail": 5000}, {"lines": 3}, {"offset": chance.randrange(100000)}])
        control.attach(f"f{chance.randrange(CONSOLES)}/hvc0", start=start, marks=chance.random() < 0.5)
        viewers.append(control)
    for control in viewers:
        if chance.random() < 0.7:
            control.socket.settimeout(0.005)
            try:
                control.frame()
            except (TimeoutError, OSError):
                pass
        control.close()


def leave_and_return(feeder):
    feeder.say("drop")
    feeder.expect("unlinked")
    feeder.say("dial")
    feeder.expect("served", CONSOLES)


def quiet(place, daemon, feeder):
    """All that was sent is stored and nobody watches: the moment to weigh it."""
    sent = feeder.sent("stop")
    with vcons.Control(place.control) as control:
        vcons.wait_for(lambda: [c["bytes"] for n, c in sorted(control.ls().items())] ==
                       [sent[int(n[1:-5])] for n in sorted(control.ls())], "the last byte")
        vcons.wait_for(lambda: all(c["viewers"] == 0 for c in control.ls().values()), "viewers gone")
        return own_kib(daemon.pid), min(descriptors(daemon.pid) for _ in range(20))


def main():
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    print("seed", seed, flush=True)
    with vcons.Place() as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write('segment_size = "64K"\nconsole_size = "512K"\n')
        daemon = place.daemon("--config", config)
        feeder = place.feeder("-n", str(CONSOLES), "--out", "16384")
        feeder.expect("served", CONSOLES)
        weighed, rounds, began = [], 0, time.monotonic()
        while time.monotonic() - began < SECONDS or len(weighed) < 2:
            round_began = time.monotonic()
            burst(feeder, chance)
            look(place, chance)
            if rounds % 5 == 4:
                leave_and_return(feeder)
            rounds += 1
            time.sleep(min(REST * (time.monotonic() - round_began), 1))
            if len(weighed) < 2 and time.monotonic() - began > SECONDS / 3 * (len(weighed) + 1): # the largest size may come late
                weighed.append(quiet(place, daemon, feeder))
        last = quiet(place, daemon, feeder)
        sent = feeder.sent()
        first = [max(sizes) for sizes in zip(*weighed)]
        print(f"{rounds} rounds, {sum(sent) >> 20} MiB; KiB and descriptors {weighed} then {last}")
        vcons.wait_for(lambda: descriptors(daemon.pid) <= first[1], "descriptors as few as before") # tidying has three
        if not vcons.sanitized(daemon.pid):
            # HEAPS_KIB: of the threads that tidy and compress, which are at it or not; a leaked viewer a round would be megabytes.
            vcons.wait_for(lambda: own_kib(daemon.pid) <= first[0] + HEAPS_KIB, f"memory as before, {first[0]} KiB")
        assert vcons.stop(daemon) == 0
        place.check(sent)
    return 0


sys.exit(main())
