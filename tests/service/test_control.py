# SPDX-License-Identifier: MIT
"""The control socket against clients that send garbage, half a line, 100 MiB without a newline, or never read: each is
answered or cut off, memory stays, and a well-behaved client beside them is served."""
import json
import os
import socket
import struct
import sys

import vcons


def connect(place):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    s.connect(place.control)
    return s


def answer_to(place, data):
    """The first answer to these bytes, as an object; None when the service hangs up without one."""
    with connect(place) as s:
        s.sendall(data)
        got = b""
        while b"\n" not in got:
            try:
                part = s.recv(65536)
            except ConnectionResetError:
                return None
            if not part:
                return None
            got += part
        return json.loads(got.split(b"\n")[0])


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def garbage(place):
    hello = b'{"id":1,"op":"hello","version":1}\n'
    for name, data, code in [
        ("no JSON", b"ls\n", "bad-request"),
        ("binary", bytes(range(256)).replace(b"\n", b"") + b"\n", "bad-request"),
        ("an empty line", b"\n", "bad-request"),
        ("an array", b"[]\n", "bad-request"),
        ("a number", b"7\n", "bad-request"),
        ("deeply nested", b"[" * 30000 + b"\n", "bad-request"),
        ("no op", b'{"id":1}\n', "bad-request"),
        ("op is a number", b'{"id":1,"op":3}\n', "bad-request"),
        ("no hello", b'{"id":1,"op":"ls"}\n', "bad-request"),
        ("another version", b'{"id":1,"op":"hello","version":2}\n', "version"),
        ("version is text", b'{"id":1,"op":"hello","version":"1"}\n', "version"),
        ("a doubled key", b'{"id":1,"op":"hello","op":"ls"}\n', "bad-request"),
        ("NUL in a string", b'{"id":1,"op":"hel\\u0000lo"}\n', "bad-request"),
        ("too long a line", b'{"id":"' + b"x" * 70000 + b'"}\n', "bad-request"),
    ]:
        answer = answer_to(place, data)
        assert answer and answer.get("error") == code, f"{name}: {answer}"
    for name, request, code in [
        ("unknown op", {"op": "dance"}, "bad-request"),
        ("attach to nothing", {"op": "attach"}, "bad-request"),
        ("attach to a number", {"op": "attach", "console": 5}, "bad-request"),
        ("attach to no console", {"op": "attach", "console": "none/none"}, "no-such-console"),
        ("attach to a path", {"op": "attach", "console": "../../etc/passwd"}, "no-such-console"),
        ("attach to control characters", {"op": "attach", "console": "a\n\x1b[2J"}, "no-such-console"),
        ("stop no domain", {"op": "stop", "domain": "none"}, "no-such-domain"),
        ("stop nothing", {"op": "stop"}, "bad-request"),
        ("reset nothing", {"op": "reset", "all": True}, "bad-request"),
    ]:
        with connect(place) as s:
            s.sendall(hello + json.dumps({"id": 2, **request}).encode() + b"\n")
            lines = b""
            while lines.count(b"\n") < 2:
                lines += s.recv(65536)
            answer = json.loads(lines.split(b"\n")[1])
            assert answer["id"] == 2 and answer.get("error") == code, f"{name}: {answer}"
            assert all(c >= 32 for c in lines.split(b"\n")[1]), name


def bad_froms(place):
    for start in ("middle", 5, {}, {"offset": -1}, {"offset": "0"}, {"lines": 1.5}, [], {"tail": None}, True):
        with vcons.Control(place.control) as c:
            try:
                c.attach("f0", start)
                raise AssertionError(f"taken: {start}")
            except vcons.ControlError as e:
                assert e.code == "bad-request", (start, e)
    with vcons.Control(place.control) as c:
        try:
            c.attach("f0", {"boot": 77})
            raise AssertionError("taken: boot 77")
        except vcons.ControlError as e:
            assert e.code == "failed", e


def pieces(place):
    """A request in single bytes, several in one packet, and one that ends in half a line."""
    with connect(place) as s:
        for byte in b'{"id":1,"op":"hello","version":1}\n':
            s.sendall(bytes([byte]))
        got = s.recv(65536)
        assert b'"ok"' in got
        s.sendall(b'{"id":2,"op":"ls"}\n{"id":3,"op":"ls"}\n{"id":4,"op":"l')
        lines = b""
        while lines.count(b"\n") < 2:
            lines += s.recv(65536)
        assert [json.loads(x)["id"] for x in lines.split(b"\n")[:2]] == [2, 3]
    with connect(place) as s:
        s.sendall(b'{"id":1,"op":"hello","vers')


def flood(place, daemon):
    """100 MiB without a newline: cut off after 64 KiB, and not kept."""
    before = resident_kib(daemon.pid)
    with connect(place) as s:
        sent = 0
        try:
            while sent < 100 << 20:
                sent += s.send(b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 100 << 20, "all of it was taken"
    grown = resident_kib(daemon.pid) - before
    assert grown < 4096 or vcons.sanitized(daemon.pid), f"grew by {grown} KiB"


def never_reading(place, daemon):
    """Clients that ask and never read: each costs one answer; others are served."""
    before = resident_kib(daemon.pid)
    mutes = []
    for _ in range(20):
        s = connect(place)
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            s.send(b'{"id":1,"op":"hello","version":1}\n')
            while True:
                s.send(b'{"id":2,"op":"ls"}\n' * 100)
        except BlockingIOError:
            pass
        mutes.append(s)
    with vcons.Control(place.control) as c:
        assert "f0/hvc0" in c.ls()
    grown = resident_kib(daemon.pid) - before
    for s in mutes:
        s.close()
    assert grown < 8192 or vcons.sanitized(daemon.pid), f"grew by {grown} KiB"


def long_names(place):
    """A name of any characters, cut anywhere in the answer's text, is answered."""
    for char in ("\u00e4", "\u20ac", "\U0001f600"):
        for shift in range(4):
            with vcons.Control(place.control, timeout_s=5) as c:
                try:
                    c.attach("x" * shift + char * 200)
                    raise AssertionError("attached")
                except vcons.ControlError as e:
                    assert e.code == "no-such-console", e


def bad_frames(place):
    frame = struct.Struct("<IB3x")
    for name, data in [
        ("IN too long", frame.pack(4097, vcons.IN)),
        ("IN of 4 GiB", frame.pack(0xFFFFFFFF, vcons.IN)),
        ("a frame of no type", frame.pack(0, 99)),
        ("OUT from a client", frame.pack(4, vcons.OUT) + b"abcd"),
        ("END from a client", frame.pack(0, vcons.END)),
        ("TOKEN of no byte", frame.pack(0, vcons.TOKEN)),
        ("TOKEN of another word", frame.pack(1, vcons.TOKEN) + b"\x07"),
        ("RESIZE of 3 bytes", frame.pack(3, vcons.RESIZE) + b"abc"),
        ("SYNC too long", frame.pack(17, vcons.SYNC) + b"x" * 17),
    ]:
        with vcons.Control(place.control) as c:
            c.attach("f0", "now", write="free")
            c.socket.sendall(data)
            kind, payload = c.frame()
            while kind == vcons.TOKEN:
                kind, payload = c.frame()
            assert kind == vcons.END and payload[0] == 3, f"{name}: frame {kind} {payload}"


def random_bytes(place):
    for seed in range(50):
        data = os.urandom(2000)
        with vcons.Control(place.control) as c:
            c.attach("f0", "now", write="free")
            try:
                c.socket.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass


def main():
    with vcons.Place() as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", "100")
        feeder.expect("served")
        garbage(place)
        bad_froms(place)
        pieces(place)
        flood(place, daemon)
        never_reading(place, daemon)
        long_names(place)
        bad_frames(place)
        random_bytes(place)
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: all(x["viewers"] == 0 for x in c.ls().values()), "the end of all viewers")
        assert vcons.stop(daemon) == 0
    return 0


sys.exit(main())
