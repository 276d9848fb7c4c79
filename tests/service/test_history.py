# SPDX-License-Identifier: MIT
"""Closed segments are compressed behind the service's back: viewers, the log command and zstd's own program read the same
bytes before, after and meanwhile, and so does the service that comes after a kill -9 in the midst of it."""
import os
import random
import signal
import subprocess
import sys
import time

import vcons

LINES = 20000


def directory(place, i):
    return os.path.join(place.log, f"f{i}", "hvc0")


def raw_segments(place, i):
    return [f for f in os.listdir(directory(place, i)) if f.endswith(".log") and f[0].isdigit()]


def compressed(place, n):
    """Of each console all but the newest segment, and nothing half made is left."""
    return all(len(raw_segments(place, i)) == 1 and not any(f.endswith(".new") for f in os.listdir(directory(place, i)))
               for i in range(n))


def small_segments(place):
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write('segment_size = "256K"\n')
    return path


def has_idle_thread(pid):
    return any(os.sched_getscheduler(int(tid)) == os.SCHED_IDLE for tid in os.listdir(f"/proc/{pid}/task"))


def read_from(place, i, start, n):
    with vcons.Control(place.control) as c:
        at = c.attach(f"f{i}", start, follow=False)["offset"]
        data = bytearray()
        while len(data) < n - at:
            offset, part = c.out()
            assert offset == at + len(data), f"a hole at {at + len(data)}"
            data += part
    want = vcons.pattern(i, at // 80, len(data) // 80 + 2)[at % 80:][:len(data)]
    assert data == want, f"f{i} from {start}: differs"


def readers(place):
    daemon = place.daemon("--config", small_segments(place))
    feeder = place.feeder("-n", "2")
    feeder.expect("served", 2)
    assert has_idle_thread(daemon.pid)
    for i in (0, 1):
        feeder.ask("lines", i, LINES)
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()[f"f{i}/hvc0"]["bytes"] > 0, "what is printed first")
        read_from(place, i, {"offset": 0}, 1)  # a first look, while it goes on
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: all(c.ls()[f"f{i}/hvc0"]["bytes"] == LINES * 80 for i in (0, 1)), "all that is printed")
    vcons.wait_for(lambda: compressed(place, 2), "all that is closed to be compressed")
    chance = random.Random(8)
    read_from(place, 0, "start", LINES * 80)
    read_from(place, 1, {"lines": 9000}, LINES * 80)
    for _ in range(20):
        read_from(place, 0, {"offset": chance.randrange(LINES * 80)}, LINES * 80)
    out = subprocess.run([vcons.program("vcons"), "--socket", place.control, "log", "--raw", "f1"], env=place.env,
                         stdout=subprocess.PIPE, check=True).stdout
    assert out == vcons.pattern(1, 0, LINES)
    sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    place.check(sent)
    assert place.log_bytes("f0/hvc0") == vcons.pattern(0, 0, LINES)


def kills(place):
    """Whoever comes after a kill goes on with what the one before had begun."""
    chance = random.SystemRandom()
    config = small_segments(place)
    feeder = place.feeder("-n", "4", "--go")
    for _ in range(4):
        daemon = place.daemon("--config", config, ready=False)
        feeder.expect("served", 4)
        time.sleep(chance.random() * 0.2)  # not for order: to die at any moment
        assert daemon.poll() is None
        vcons.stop(daemon, signal.SIGKILL)
    daemon = place.daemon("--config", config)
    sent = feeder.sent("stop")
    vcons.wait_for(lambda: compressed(place, 4), "what is left to be compressed")
    assert vcons.stop(daemon) == 0
    place.check(sent)


def sizes(place):
    """Each console what its block says; a flood costs its own history."""
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write('segment_size = "1M"\nconsole "f0/*" { keep_size = "512K" segment_size = "64K" pin_boot = 0 }\n'
                'console "f1/*" { compress = no segment_size = "128K" }\n')
    daemon = place.daemon("--config", path)
    feeder = place.feeder("-n", "3")
    feeder.expect("served", 3)
    for i in (0, 1, 2):
        feeder.ask("lines", i, LINES if i < 2 else 100)
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: all(c.ls()[f"f{i}/hvc0"]["bytes"] == LINES * 80 for i in (0, 1)), "all that is printed")

        def small():
            names = os.listdir(directory(place, 0))
            return sum(os.path.getsize(os.path.join(directory(place, 0), f)) for f in names if f[0].isdigit()) <= 512 * 1024
        vcons.wait_for(small, "the flooder's history to be small")
        assert len(raw_segments(place, 1)) > 1
        with open(path, "w") as f:  # it is read anew: what console 1 has is compressed now
            f.write('segment_size = "1M"\nconsole "f0/*" { keep_size = "512K" segment_size = "64K" pin_boot = 0 }\n'
                    'console "f1/*" { segment_size = "128K" }\n')
        c.ask("reload")
        vcons.wait_for(lambda: len(raw_segments(place, 1)) == 1, "what was kept raw to be compressed")
    sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    place.check(sent)
    assert min(int(f[:20]) for f in os.listdir(directory(place, 0)) if f[0].isdigit()) > 0
    assert place.log_bytes("f1/hvc0") == vcons.pattern(1, 0, LINES)
    assert place.log_bytes("f2/hvc0") == vcons.pattern(2, 0, 100)


def durable(place):
    """What is on the disk is told, for the consoles that are flushed to it."""
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write('segment_size = "64K"\nconsole "f0/*" { fsync = always }\nconsole "f1/*" { fsync = 0.05 }\n')
    daemon = place.daemon("--config", path)
    feeder = place.feeder("-n", "3")
    feeder.expect("served", 3)
    with vcons.Control(place.control) as c:
        for n in (1, 2000):
            for i in (0, 1, 2):
                feeder.ask("lines", i, n)
            vcons.wait_for(lambda: all(c.ls()[f"f{i}/hvc0"]["synced"] == c.ls()[f"f{i}/hvc0"]["bytes"] > n * 80 - 1
                                       for i in (0, 1)), "what is printed to be on the disk")
            assert c.ls()["f2/hvc0"]["synced"] is None
    assert vcons.stop(daemon) == 0


def main():
    with vcons.Place() as place:
        readers(place)
    with vcons.Place() as place:
        sizes(place)
    with vcons.Place() as place:
        durable(place)
    with vcons.Place() as place:
        kills(place)
    return 0


sys.exit(main())
