# SPDX-License-Identifier: MIT
"""Many consoles, ten viewers of each, all guests writing as fast as they can: every log is exact, every viewer who reads sees exactly the
log, and no guest waits for a viewer: first nobody reads at all, then nine of ten do, the tenth never. And viewers that come and go by the
thousand while guests write (T13): what each sees is a part of the log."""
import fcntl
import json
import os
import resource
import select
import shutil
import socket
import struct
import sys
import termios
import time

import vcons

EACH = 10            # viewers of a console; the last of them has stopped
WIDTH = 1000         # of a line: few of them to make
LINES = 400          # a stage: more bytes than a viewer's socket holds, and far more than ...
RING_BYTES = 16384   # ... a guest can write ahead of the service
JOINS = 10_000_000 if vcons.LONG else 10_000
TOGETHER = 100
DESCRIPTORS = 6      # of the service for each viewer: clients.h
HEAD = struct.Struct("<IB3xQ")  # of a frame of output, with its offset


class Viewer:
    """What it reads is compared as it comes, and not kept."""

    def __init__(self, place, console, expected):
        self.console, self.expected = console, expected
        control = vcons.Control(place.control)
        control.attach(f"f{console}/hvc0")
        self.socket, self.rest = control.socket, control.buffer
        self.socket.setblocking(False)
        self.at = self.left = 0  # of the stream; of the frame under way

    def take(self, data):
        data = memoryview(self.rest + bytes(data) if self.rest else data)
        self.rest = b""
        while data:
            if self.left == 0:
                if len(data) < 8:
                    break
                length, kind = struct.unpack_from("<IB", data)
                if kind != vcons.OUT:
                    assert kind == vcons.TOKEN, kind
                    if len(data) < 8 + length:
                        break
                    data = data[8 + length:]
                    continue
                if len(data) < HEAD.size:
                    break
                offset = HEAD.unpack_from(data)[2]
                assert offset == self.at, f"console {self.console}: {offset} after {self.at}"
                self.left = length - 8
                data = data[HEAD.size:]
            part = data[:self.left]
            assert self.expected.startswith(part, self.at), f"console {self.console}: other bytes from {self.at} on"
            self.at += len(part)
            self.left -= len(part)
            data = data[len(part):]
        self.rest = bytes(data)

    def waiting(self):
        """Bytes that the kernel holds for it."""
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.FIONREAD, b"\0\0\0\0"))[0]


def read_all(viewers, total):
    """Until each has total bytes. Whoever has nothing for a while is no failure: the machine may be busy."""
    poll, buffer = select.epoll(), bytearray(1 << 18)
    by_fd = {v.socket.fileno(): v for v in viewers}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    with memoryview(buffer) as view:
        while by_fd:
            ready = poll.poll(vcons.WAIT_S * 3)
            assert ready, f"{len(by_fd)} viewers wait for what never comes"
            for fd, _ in ready:
                v = by_fd[fd]
                n = v.socket.recv_into(buffer)
                assert n, "the service closed a connection"
                v.take(view[:n])
                if v.at == total:
                    poll.unregister(fd)
                    del by_fd[fd]
    poll.close()


def waited_ms(feeder):
    return int(feeder.ask("waits")[-1][1]) / 1000


def stage(feeder, n, what, reading=None):
    """One more stage of every guest's output. The longest that a guest waited for room is measured."""
    waited_ms(feeder)
    began = time.monotonic()
    feeder.ask("more", LINES)
    if reading:
        reading()
    feeder.expect("finished")
    seconds = time.monotonic() - began
    print(f"{what}: {n * LINES * WIDTH / seconds / 1e6:.0f} MB/s, no guest waited longer than {waited_ms(feeder):.0f} ms", flush=True)


def many(n, each, memory):
    with vcons.Place(log_base=memory) as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write('console "*" { compress = no }\n')
        daemon = place.daemon("--config", config)
        feeder = place.feeder("-n", str(n), "--width", str(WIDTH), "--out", str(RING_BYTES))
        feeder.expect("served", n)
        stage_bytes = LINES * WIDTH
        print(f"{n} consoles, {n * each} viewers", flush=True)
        stage(feeder, n, "without viewers")
        expected = [vcons.pattern(i, 0, 3 * LINES, WIDTH) for i in range(n)]
        viewers = [Viewer(place, i, expected[i]) for i in range(n) for _ in range(each)]
        stopped, live = viewers[each - 1::each], [v for i, v in enumerate(viewers) if i % each != each - 1]
        stage(feeder, n, "nobody reads")
        vcons.wait_for(lambda: all(v.waiting() > 0 for v in viewers), "something for each viewer")
        assert all(v.waiting() < 2 * stage_bytes for v in viewers)  # the guests have written what no viewer could have been sent
        stage(feeder, n, "nine of ten read" if each == EACH else "all but one of each console's read", lambda: read_all(live, 3 * stage_bytes))
        assert all(v.at == 3 * stage_bytes and not v.rest for v in live)
        assert all(v.at == 0 and v.waiting() < 2 * stage_bytes for v in stopped)
        read_all(stopped[::max(n // 10, 1)], 3 * stage_bytes)  # whenever they read, it is all there
        for v in viewers:
            v.socket.close()
        sent = feeder.sent("stop")
        assert sent == [3 * stage_bytes] * n
        assert vcons.stop(daemon) == 0
        place.check(sent, width=WIDTH)


def come(place, console):
    """Requests are sent at once: each is read when the one before is answered."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    s.connect(place.control)
    s.sendall(b'{"op":"hello","version":1}\n'
              b'{"op":"attach","console":"f%d/hvc0","from":"now","follow":true,"write":"no","marks":false}\n' % console)
    return s


def see_and_go(s, console):
    """The first piece of what flows."""
    with s:
        data = b""
        while data.count(b"\n") < 2:
            data += s.recv(1 << 16)
        attached, data = data.split(b"\n", 2)[1:]
        at = json.loads(attached)["ok"]["offset"]
        while True:
            while len(data) < 8 or len(data) < 8 + struct.unpack_from("<I", data)[0]:
                part = s.recv(1 << 16)
                assert part, "the service closed the connection"
                data += part
            length, kind = struct.unpack_from("<IB", data)
            if kind == vcons.OUT:
                break
            data = data[8 + length:]
    assert struct.unpack_from("<Q", data, 8)[0] == at
    seen, first = data[16:8 + length], at // 80
    assert vcons.pattern(console, first, len(seen) // 80 + 2)[at - first * 80:].startswith(seen), f"console {console}, from {at} on"


def joins(n):
    """Of four consoles that write on and on, at a rate that the disk can stand for as long as it takes."""
    with vcons.Place() as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write('console_size = "8M"\nconsole "*" { limit = 256K }\n')
        daemon = place.daemon("--config", config)
        feeder = place.feeder("-n", "4", "--out", str(RING_BYTES))
        feeder.expect("served", 4)
        feeder.say("go")
        began = time.monotonic()
        for _ in range(0, n, TOGETHER):
            for i, s in enumerate([come(place, i % 4) for i in range(TOGETHER)]):
                see_and_go(s, i % 4)
        print(f"{n} viewers came and went, {n / (time.monotonic() - began):.0f} a second", flush=True)
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: sum(console["viewers"] for console in c.ls().values()) == 0, "the last to be gone")
        sent = feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        place.check(sent)


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    limit = 1 << 20 if limit == resource.RLIM_INFINITY else limit
    memory = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    joins(JOINS)
    if not vcons.LONG:
        many(min(100, limit // (EACH * DESCRIPTORS)), EACH, memory)
    elif limit >= 1000 * EACH * DESCRIPTORS:
        many(1000, EACH, memory)
    else:  # as many of both as there are descriptors for
        many(limit // (EACH * DESCRIPTORS) - 1, EACH, memory)
        many(1000, max(limit // DESCRIPTORS // 1000, 2), memory)
    return 0


sys.exit(main())
