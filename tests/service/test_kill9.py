# SPDX-License-Identifier: MIT
"""T1: kill -9 of the service at random instants while 20 consoles print as fast as they can. Every log is what was sent:
no byte lost, none doubled. A byte of the stream is told by its place, so one byte too few or too many shows in all that
follow. Model: models/append_kill.pml."""
import random
import signal
import sys
import time

import vcons

CONSOLES = 20
KILLS = 1000 if vcons.LONG else 200


def main():
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    print("seed", seed, flush=True)
    with vcons.Place() as place:
        feeder = place.feeder("-n", str(CONSOLES), "--go")
        lives = 0
        for kill in range(KILLS):
            daemon = place.daemon(ready=False)
            if chance.random() < 0.8:  # the rest die in the midst of their recovery, or before it
                feeder.expect("served", CONSOLES)
                lives += 1
            time.sleep(chance.random() * 0.03)
            assert daemon.poll() is None, f"kill {kill}: the service left by itself with {daemon.returncode}"
            vcons.stop(daemon, signal.SIGKILL)
        daemon = place.daemon()
        sent = feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        place.check(sent)
        print(f"{KILLS} kills, {lives} of them while serving, {sum(sent) >> 20} MiB on {CONSOLES} consoles")
        assert min(sent) > 0
    return 0


sys.exit(main())
