# SPDX-License-Identifier: MIT
"""Viewers: many, late, slow, stopped, joining while output flows: each sees an exact part of the log (T12, T13); a stopped
one costs neither the source nor the others; marks stand in their places."""
import random
import sys
import threading

import vcons


def reading(place, console, start, total, slow, errors):
    """Read from start to the end of the stream; what came must be the stream from there."""
    try:
        with vcons.Control(place.control) as c:
            at = c.attach(console, start)["offset"]
            data = bytearray()
            while at + len(data) < total():
                offset, part = c.out()
                assert offset == at + len(data), f"a hole at {at + len(data)}"
                data += part
                if slow:
                    slow.wait(0.001)
            number = int(console[1:].split("/")[0])
            first = at // 80
            want = vcons.pattern(number, first, (at + len(data)) // 80 - first + 1)
            want = want[at - first * 80:][:len(data)]
            assert data == want, f"{console} from {start}: differs"
    except BaseException as e:  # reported by the main thread
        errors.append(f"{console} {start}: {e!r}")
        raise


def exact(place, feeder):
    """Late and early ones, from everywhere, while 20 MB flow on each of two consoles."""
    lines = 250000
    errors, threads = [], []
    never = threading.Event()
    for i in (0, 1):
        feeder.say("lines", i, lines)
    chance = random.Random(5)
    for i in range(24):
        start = chance.choice(["start", "now", {"tail": 1000}, {"lines": 10}, {"offset": chance.randrange(100000)}])
        t = threading.Thread(target=reading, args=(place, f"f{i % 2}", start, lambda: lines * 80,
                                                   never if i % 8 == 7 else None, errors))
        t.start()
        threads.append(t)
    feeder.expect("finished")
    for t in threads:
        t.join(60)
        assert not t.is_alive(), "a viewer does not reach the end"
    assert not errors, errors


def joins(place, feeder):
    """Come and go 500 times while output flows: each first run of bytes is a part of the stream."""
    feeder.ask("lines", 2, 10 ** 8)
    for i in range(500):
        with vcons.Control(place.control) as c:
            at = c.attach("f2", "now")["offset"]
            if i % 3 == 0:
                continue
            offset, part = c.out()
            assert offset == at
            first = at // 80
            want = vcons.pattern(2, first, len(part) // 80 + 2)[at - first * 80:]
            assert want.startswith(part), f"join {i}"
    feeder.sent("stop")


def stopped(place, feeder):
    """A hundred that never read: the source goes on, and one who reads sees all."""
    mutes = []
    for _ in range(100):
        c = vcons.Control(place.control)
        c.attach("f3", "start")
        mutes.append(c)
    feeder.say("lines", 3, 250000)
    feeder.expect("finished")
    with vcons.Control(place.control) as c:
        c.attach("f3", "start", follow=False)
        data = c.read(250000 * 80)
        assert data == vcons.pattern(3, 0, 250000)
        kind, payload = c.frame()
        assert kind == vcons.END and payload[0] == 0
    # What the stopped ones get once they read is exact as well.
    assert mutes[50].read(250000 * 80) == vcons.pattern(3, 0, 250000)
    for c in mutes:
        c.close()


def marks(place, feeder):
    feeder.say("lines", 4, 3)
    feeder.expect("finished")
    feeder.ask("event", 4, 3, 77)  # a gap
    feeder.ask("event", 4, 1, 2)   # a boot
    feeder.say("lines", 4, 2)
    feeder.expect("finished")
    with vcons.Control(place.control) as c:
        end = c.attach("f4", "start", follow=False, marks=True)["end"]
        assert end == 400
        seen = []
        while True:
            kind, payload = c.frame()
            if kind == vcons.END:
                break
            if kind == vcons.MARK:
                r = vcons.INDEX_RECORD.unpack(payload)
                seen.append((r[0], r[3], r[6]))
            elif kind == vcons.OUT:
                seen.append(int.from_bytes(payload[:8], "little"))
        assert (240, vcons.GAP, 77) in seen and (240, vcons.BOOT, 2) in seen, seen
        gap, boot = seen.index((240, vcons.GAP, 77)), seen.index((240, vcons.BOOT, 2))
        assert seen.index(240) > boot == gap + 1, seen
        assert max(i for i, x in enumerate(seen) if x == 0) < gap, seen
    # A live one gets them as they come, in order with the bytes.
    with vcons.Control(place.control) as c:
        c.attach("f4", "now", marks=True)
        vcons.wait_for(lambda: c.frame()[0] == vcons.TOKEN, "the first frame")
        feeder.ask("event", 4, 2, 0)
        feeder.say("lines", 4, 1)
        kind, payload = c.frame()
        assert kind == vcons.MARK and vcons.INDEX_RECORD.unpack(payload)[3] == vcons.RESET, (kind, payload)
        assert c.out() == (400, vcons.pattern(4, 5, 1))


def main():
    with vcons.Place() as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", "5")
        feeder.expect("served")
        exact(place, feeder)
        joins(place, feeder)
        stopped(place, feeder)
        marks(place, feeder)
        assert vcons.stop(daemon) == 0
    return 0


sys.exit(main())
