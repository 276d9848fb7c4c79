# SPDX-License-Identifier: MIT
"""Viewers as bad as they come, beside good ones on the same console: who never reads, who reads byte by byte, who sends garbage, who
leaves in the midst of a frame, 10,000 times in the long run. The source, the others and the service are none the worse."""
import os
import random
import socket
import struct
import sys
import threading

import vcons

TIMES = 10000 if vcons.LONG else 400
EACH, LINES = 40, 5000  # so many lines for each so many of them: the source never rests for long, and retention takes nothing
TYPES = list(range(0, 12)) + [127, 255]


def frame(kind, payload=b"", length=None):
    return struct.pack("<IB3x", len(payload) if length is None else length, kind) + payload


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def viewer(place, write="free", start="now"):
    c = vcons.Control(place.control)
    c.attach("f0", start, write=write)
    return c


def leaves(place, chance):
    """Half a head, half of what was announced, a whole frame and half of the next, or with all that came still unread."""
    c = viewer(place, write=chance.choice(("no", "free", "steal")), start=chance.choice(("now", "start", {"tail": 70000})))
    whole = frame(vcons.IN, b"k" * chance.randrange(1, 50))
    cut = {0: b"", 1: frame(vcons.IN)[:chance.randrange(1, 8)], 2: frame(vcons.IN, b"abc", 4096),
           3: whole + whole[:chance.randrange(1, len(whole))], 4: frame(vcons.SYNC, b"12345678", 16),
           5: frame(vcons.TOKEN, b"", 1)}[chance.randrange(6)]
    c.socket.sendall(cut)
    if chance.randrange(2):
        try:
            c.socket.setblocking(False)
            c.socket.recv(chance.randrange(1, 100))
        except BlockingIOError:
            pass  # it has not come yet
    if chance.randrange(4) == 0:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def garbage(place, chance):
    """Frames of no kind, of a wrong length, or bytes at random: the view ends, and it is said why if that can be."""
    c = viewer(place, write="no")
    bad = chance.choice((frame(chance.choice(TYPES), os.urandom(chance.randrange(40))), frame(vcons.IN, b"", 4097),
                         frame(vcons.TOKEN, bytes([chance.randrange(4, 256)])), frame(vcons.RESIZE, b"123"),
                         frame(vcons.SYNC, b"", 17), os.urandom(chance.randrange(8, 4000)), b"\xff" * 100))
    try:
        c.socket.sendall(bad)
        c.socket.shutdown(socket.SHUT_WR)
        while c.socket.recv(65536):
            pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    c.close()


def slowly(place, stop, errors):
    """Byte by byte: what it has got is the stream from its beginning, however far that is."""
    try:
        with viewer(place, write="no", start="start") as c:
            data = bytearray(c.buffer)  # came with the answer
            while not stop.is_set() and len(data) < 20000:
                data += c.socket.recv(1)
            got, at = bytearray(), 0
            while at + 8 <= len(data):
                length, kind = struct.unpack_from("<IB", data, at)
                payload = data[at + 8:at + 8 + length]
                if kind == vcons.OUT:
                    assert len(payload) < 8 or struct.unpack_from("<Q", payload)[0] == len(got), "a hole"
                    got += payload[8:]
                at += 8 + length
            assert got and got == vcons.pattern(0, 0, len(got) // 80 + 1)[:len(got)], "not the stream"
    except BaseException as e:
        errors.append(repr(e))


def good(place, total, errors):
    """What this one sees is the stream, all of it."""
    try:
        with viewer(place, write="no", start="start") as c:
            at = 0
            while at < total:
                offset, part = c.out()
                assert offset == at, f"a hole at {at}"
                at += len(part)
                first = offset // 80
                want = vcons.pattern(0, first, at // 80 - first + 1)[offset - first * 80:][:len(part)]
                assert part == want, f"another byte after {offset}"
    except BaseException as e:
        errors.append(repr(e))


def writer_goes_on(place, feeder):
    """After all that: the token is free, and what is typed arrives."""
    with vcons.Control(place.control) as c:
        c.attach("f1", "now", write="free")
        assert c.token()[0] == vcons.YOURS
        c.send(vcons.IN, b"still here")
        c.send(vcons.SYNC, b"x")
        while c.frame()[0] != vcons.SYNC:
            pass
    got = [a for a in feeder.ask("input", 1) if a[0] == "got"][0]
    assert bytes.fromhex(got[3]) == b"still here"


def main():
    seed = int(os.environ.get("VCONS_SEED") or random.randrange(1 << 30))
    print("VCONS_SEED", seed)
    chance = random.Random(seed)
    with vcons.Place() as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", "2")
        feeder.expect("served")
        with vcons.Control(place.control) as c:
            before = descriptors(daemon)
            never = [viewer(place, write="no", start="start") for _ in range(20)]
            stop, errors = threading.Event(), []
            total = (TIMES + EACH - 1) // EACH * LINES * 80
            threads = [threading.Thread(target=good, args=(place, total, errors)),
                       threading.Thread(target=slowly, args=(place, stop, errors))]
            for t in threads:
                t.start()
            for i in range(TIMES):
                if i % EACH == 0:
                    feeder.ask("lines", 0, LINES)
                (garbage if i % 4 == 3 else leaves)(place, chance)
            stop.set()
            for t in threads:
                t.join(vcons.WAIT_S)
                assert not t.is_alive(), "a good one stands still"
            assert not errors, errors
            for v in never:
                v.close()
            vcons.wait_for(lambda: c.ls()["f0/hvc0"]["viewers"] == 0, "the end of all viewers")
            assert c.ls()["f0/hvc0"]["writer"] is None
            vcons.wait_for(lambda: descriptors(daemon) <= before, "their descriptors")
        writer_goes_on(place, feeder)
        assert vcons.stop(daemon) == 0
    return 0


sys.exit(main())
