# SPDX-License-Identifier: MIT
"""history.py: what a history is kept for: to be replayed, sought in, durable, and there again after a restart."""
import os
import shutil
import signal
import socket
import struct
import tempfile
import time

import rig
from rig import Row, in_turn, values
from service import PLENTY, WHERE, vcons

MIB = 1 << 20
DISK = os.environ.get("VCONS_BENCH_DISK", "/var/tmp")  # what is made durable must lie on one
WIDTH = 80


class Reader:
    """Takes all that comes on a stream into memory; what it is, is looked at when the time has been taken."""

    def __init__(self, size):
        self.bytes = memoryview(bytearray(size))

    def read(self, s, most):
        """Returns how many bytes came, most at most, and when the first did."""
        n, first = 0, None
        while n < most:
            got = s.recv_into(self.bytes[n:n + MIB])
            first = first or time.monotonic()
            if got == 0:
                break
            n += got
        return n, first


def payload(stream):
    """The output in a viewer's frames."""
    parts, at = [], 0
    while at + 8 <= len(stream):
        length, kind = struct.unpack_from("<IB", stream, at)
        if kind == vcons.OUT:
            parts.append(stream[at + 16:at + 8 + length])
        at += 8 + length
    return b"".join(parts)


def segments(place):
    d = os.path.join(place.log, "f0", "hvc0")
    return [os.path.join(d, f) for f in sorted(os.listdir(d)) if f[0].isdigit() and f.endswith((".log", ".log.zst"))]


def viewed(place, reader, whole):
    """The whole history to one viewer, from its request to the last byte."""
    with vcons.Control(place.control, 60) as c:
        began = time.monotonic()
        c.attach("f0/hvc0", follow=False)
        rest = c.buffer
        first = time.monotonic() if rest else None
        n, came = reader.read(c.socket, len(reader.bytes))
        took = time.monotonic() - began
    assert payload(rest + bytes(reader.bytes[:n])) == whole, "what came is not the history"
    return {"value": len(whole) / took / 1e6, "first": ((first or came) - began) * 1e3}


def pushed(push, reader, whole):
    """The same bytes by who does nothing else, in a process of its own as the service is, to the same reader."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            pid = os.fork()
            if pid == 0:
                theirs.recv(1)
                push(theirs.fileno())
                os._exit(0)
        began = time.monotonic()
        ours.send(b"!")
        n, _ = reader.read(ours, len(whole))
        took = time.monotonic() - began
    assert os.waitpid(pid, 0)[1] == 0
    assert reader.bytes[:n] == whole
    return {"value": len(whole) / took / 1e6}


def by_sendfile(path):
    def push(s):
        fd, at = os.open(path, os.O_RDONLY), 0
        while (n := os.sendfile(s, fd, at, MIB)) > 0:
            at += n
    return push


def by_zstd(files):
    def push(s):
        os.dup2(s, 1)
        os.execvp("zstd", ["zstd", "-dcfq", *files])  # f: the newest segment, which is not compressed, as it is
    return push


def filled(place, size, compress):
    """A service with that long a history, all but its newest segment compressed or none."""
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write(PLENTY.replace('"16M"', '"4M"') + f"console \"*\" {{ compress = {'yes' if compress else 'no'} }}\n")
    place.daemon("--config", config)
    feeder = place.feeder("-n", "1", "--lines", str(size // WIDTH), "--width", str(WIDTH))
    feeder.expect("served", 1)
    feeder.say("go")
    feeder.expect("finished")
    size = size // WIDTH * WIDTH
    vcons.wait_for(lambda: vcons.log_length(os.path.join(place.log, "f0", "hvc0")) == size, "the last byte", 300)
    if compress:
        vcons.wait_for(lambda: sum(f.endswith(".log") for f in segments(place)) == 1, "all to be compressed", 300)
    return place.log_bytes("f0/hvc0")


def replay(rounds, largest_mib):
    for mib in sorted({1, min(64, largest_mib), largest_mib}):
        for compress in (False, True):
            if compress and (mib < 16 or shutil.which("zstd") is None):
                continue
            with vcons.Place(WHERE) as place:
                whole = filled(place, mib * MIB, compress)
                reader = Reader(len(whole) + len(whole) // 64 + 2 * MIB)
                raw = os.path.join(place.root, "raw")
                with open(raw, "wb") as f:
                    f.write(whole)
                push = by_zstd(segments(place)) if compress else by_sendfile(raw)
                a, b = in_turn(rounds, lambda: viewed(place, reader, whole), lambda: pushed(push, reader, whole))
            what = f"W9 replay: {mib} MiB{', compressed' if compress else ''}"
            yield Row(what, "MB/s", values(a), values(b), 0.8, True, {"limit": "zstd -dc" if compress else "sendfile"}, True)
            yield Row(f"{what}, first byte", "ms", [r["first"] for r in a], [1.0], 1.0, False)


def seek(rounds, count=640):
    """10 GiB of segments of 16 MiB, their bytes holes."""
    results = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="vb", dir=WHERE) as place:
            results.append(rig.program("seek_vcons", place, count))
    for what in ("offset", "time"):
        yield Row(f"W9 seek: by {what} in {count * 16 // 1024} GiB, to the first byte", "us", [r[what + "_us"] for r in results],
                  [200.0], 1.0, False)


def read_by(pid):
    with open(f"/proc/{pid}/io") as f:
        return int(f.read().split("rchar: ")[1].split()[0])


def restart(rounds, consoles=1000, lines=2000):
    """kill -9 and start, until every console is served again; then every log is what was sent."""
    took, read = [], []
    with vcons.Place(WHERE) as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write(PLENTY)
        daemon = place.daemon("--config", config)
        alone = read_by(daemon.pid)
        feeder = place.feeder("-n", str(consoles), "--lines", str(lines), "--width", str(WIDTH))
        feeder.expect("served", consoles)
        feeder.say("go")
        feeder.expect("finished")
        for _ in range(rounds):
            vcons.stop(daemon, signal.SIGKILL)
            began = time.monotonic()
            daemon = place.daemon("--config", config, ready=False)
            feeder.expect("served", consoles)
            took.append((time.monotonic() - began) * 1e3)
            read.append((read_by(daemon.pid) - alone) / consoles / 1024)
        sent = feeder.sent("stop")
        vcons.stop(daemon)
        place.check(sent, width=WIDTH)
    yield Row(f"W12 restart: kill -9 until {consoles} consoles are served", "ms", took, [100.0], 1.0, False)
    yield Row("W12 restart: read for the recovery of a console, against a block", "KiB", read, [64.0], 1.0, False)


def durable_flood(consoles, total, fsync, until="bytes"):
    """All consoles print as much; MB/s until the last byte is stored or, until synced, on the disk."""
    lines = total // consoles // WIDTH
    with vcons.Place(WHERE, log_base=DISK) as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write(PLENTY + f"console \"*\" {{ fsync = {fsync} compress = no }}\n")
        place.daemon("--config", config)
        feeder = place.feeder("-n", str(consoles), "--lines", str(lines), "--width", str(WIDTH))
        feeder.expect("served", consoles)
        with vcons.Control(place.control, 60) as c:
            began = time.monotonic()
            feeder.say("go")
            feeder.expect("finished")
            vcons.wait_for(lambda: all(k[until] == lines * WIDTH for k in c.ls().values()), "the last byte", 300)
            took = time.monotonic() - began
        place.check([lines * WIDTH] * consoles, width=WIDTH)
    return {"value": lines * WIDTH * consoles / took / 1e6}


def sync_ceiling(total, piece=65536):
    """One file, written and made durable piece by piece."""
    with tempfile.NamedTemporaryFile(dir=DISK) as f:
        data, began = os.urandom(piece), time.monotonic()
        for _ in range(total // piece):
            os.write(f.fileno(), data)
            os.fdatasync(f.fileno())
        return {"value": total // piece * piece / (time.monotonic() - began) / 1e6}


def durable(rounds):
    a, b = in_turn(rounds, lambda: durable_flood(1, 64 * MIB, "always", "synced"), lambda: sync_ceiling(64 * MIB))
    yield Row("W11 durable: 1 console, always, to the last byte on the disk", "MB/s", values(a), values(b), 0.8, True,
              {"limit": "fdatasync of each 64 KiB"}, True)
    for consoles in (1, 1000):
        a, b = in_turn(rounds, lambda: durable_flood(consoles, 512 * MIB, "0.1"),
                       lambda: durable_flood(consoles, 512 * MIB, "no"))
        yield Row(f"W11 durable: {consoles} console{'s' if consoles > 1 else ''}, each 100 ms, to the last byte stored", "MB/s",
                  values(a), values(b), 0.9, True, {"limit": "never"}, True)
