# SPDX-License-Identifier: MIT
"""Consoles that come and go while their hypervisor is linked, and their sizes: asked for by the command, forwarded to the
hypervisor, answered when it is done. A name that comes again goes on in its log; a hundred times leave nothing behind."""
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading

import vcons
from vcons import Guest

VIRTIO, VIRTIO_PORT = 8, 10
CONSOLE = 10  # wire/link.h: the request for one more or less
BOOT, OPEN, CLOSE = 1, 6, 7  # events of a line


def command(place, *argv, status=0):
    r = subprocess.run([vcons.program("vcons"), *argv], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == status, (argv, r)
    assert (status == 0) == (r.stderr == b""), (argv, r)
    return r.stdout if status == 0 else r.stderr.decode()


def come_and_go(place, feeder):
    """Its log goes on, with a record of each line; a viewer gets all of it, then the end."""
    told = json.loads(command(place, "console", "add", "f0", "v1", "--json"))
    assert told["name"] == "f0/v1" and told["state"] == "running" and told["domain"] == "f0", told
    feeder.expect("console", 1, "f0", "v1", VIRTIO, 0)
    feeder.ask("lines", 2, 1000)
    feeder.expect("finished")
    feeder.ask("lines", 2, 5)
    assert command(place, "console", "remove", "f0", "v1") == b""  # at once: what is in the line is not lost
    assert command(place, "log", "--raw", "f0/v1") == vcons.pattern(2, 0, 1005)
    with vcons.Control(place.control) as c:
        gone = c.ls()["f0/v1"]
        assert gone["state"] == "off" and gone["source"] is None and gone["bytes"] == 1005 * 80, gone
        assert c.ls()["f0/hvc0"]["state"] == "running"
    command(place, "console", "add", "f0", "v1")
    feeder.ask("lines", 2, 3)
    feeder.expect("finished")
    with vcons.Control(place.control) as c:
        c.attach("f0/v1", "now", follow=False)  # brings the log up to date
    whole = vcons.pattern(2, 0, 1005) + vcons.pattern(2, 0, 3)
    assert place.log_bytes("f0/v1") == whole
    records = place.index("f0/v1")
    attached = [r for r in records if r[3] == vcons.ATTACH]
    assert len({r[7] for r in attached}) == 2 and [r[0] for r in attached] == [0, 1005 * 80], attached
    assert not [r for r in records if r[3] == vcons.GAP], records
    viewer = place.start([vcons.program("vcons"), "attach", "--from", "start", "f0/v1"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["f0/v1"]["viewers"] == 1, "the viewer")
    command(place, "console", "remove", "f0", "v1")
    seen, said = viewer.communicate(timeout=vcons.WAIT_S)
    assert viewer.returncode == 6 and seen == whole and b"f0/v1 has ended" in said, (viewer.returncode, said)
    feeder.ask("sent")


def refusals(place, feeder):
    command(place, "console", "add", "f0", "v1")
    for status, says, argv in [
            (3, "no domain nobody", ["console", "add", "nobody", "v1"]),
            (1, "that name is taken", ["console", "add", "f0", "v1"]),
            (1, "no such device", ["console", "add", "f0", "v2", "--device", "3"]),
            (1, "the first console stays", ["console", "remove", "f0", "hvc0"]),
            (3, "f0 has no console v9", ["console", "remove", "f0", "v9"]),
            (3, "no domain nobody", ["console", "remove", "nobody", "v1"]),
            (3, "no console nobody/v1", ["resize", "nobody/v1", "80x25"]),
            (2, "expected add or remove", ["console", "list", "f0", "v1"]),
            (2, "is a console: expected its domain, f0", ["console", "add", "f0/hvc0", "v1"]),
            (2, "'../v1' is no name", ["console", "add", "f0", "../v1"]),
            (2, "expected a number from 0 to 31", ["console", "add", "f0", "v2", "--device", "32"]),
            (2, "expected a number from 0 to 31", ["console", "add", "f0", "v2", "--device", "-1"]),
            (2, "expected a number from 0 to 31", ["console", "add", "f0", "v2", "--device", "0x1"]),
            (2, "are for add", ["console", "remove", "--port", "f0", "v1"]),
            (2, "too few arguments", ["console", "add", "f0"]),
            (2, "'25' is no size: expected COLUMNSxROWS", ["resize", "f0", "25"]),
            (2, "'0x25' is no size", ["resize", "f0", "0x25"]),
            (2, "'65536x25' is no size", ["resize", "f0", "65536x25"]),
    ]:
        text = command(place, *argv, status=status)
        assert says in text and text.count("\n") == 1, (argv, text)
    command(place, "console", "remove", "f0", "v1")
    text = command(place, "console", "remove", "f0", "v1", status=3)
    assert "f0 has no console v1 now, only its log" in text, text
    command(place, "console", "add", "--port", "f0", "agent")
    with vcons.Control(place.control) as c:
        assert c.ls()["f0/agent"]["door"] == "virtio-port"
    assert "has no size: its door is virtio-port" in command(place, "resize", "f0/agent", "80x25", status=1)
    command(place, "console", "remove", "f0", "agent")
    assert "f0/agent is not connected" in command(place, "resize", "f0/agent", "80x25", status=1)


def garbage(place):
    """Each request with each member of a wrong kind, or gone: an answer that says so, and nothing asked of anybody."""
    odd = [None, True, -1, (1 << 63) - 1, 1.5, "", "x" * 40000, "../x", [], {}, [[]]]
    with vcons.Control(place.control) as c:
        honest = {"console_add": {"domain": "f0", "name": "zz", "device": 0, "type": "virtio"},
                  "console_remove": {"domain": "f0", "name": "zz"},
                  "resize": {"console": "f0", "rows": 25, "columns": 80}}
        for op, fields in honest.items():
            for key in fields:
                for value in odd:
                    code = c.refusal(op, **{**fields, key: value})
                    assert code in ("bad-request", "no-such-domain", "no-such-console"), (op, key, value, code)
                needed = key not in ("device", "type")
                if needed:
                    assert c.refusal(op, **{k: v for k, v in fields.items() if k != key}) == "bad-request", (op, key)
        for rows, columns in ((0, 80), (25, 0), (65536, 80), (25, 65536), (-1, -1)):
            assert c.refusal("resize", console="f0", rows=rows, columns=columns) == "bad-request", (rows, columns)
        assert c.refusal("console_add", domain="f0", name="zz", device=32) == "bad-request"
        assert "f0/zz" not in c.ls()


def sizes(place, feeder):
    """The size is that of whoever holds the token; it stays when nobody does."""
    def is_now(rows, columns):
        vcons.wait_for(lambda: feeder.ask("size", 0)[-1] == ["size", "0", str(rows), str(columns)], f"{columns}x{rows}")

    def resize(c, rows, columns):
        c.send(vcons.RESIZE, struct.pack("<HH", rows, columns))

    def state(c, wanted):
        while c.token()[0] != wanted:
            pass

    assert json.loads(command(place, "resize", "--json", "f0", "132x43")) == {"console": "f0/hvc0", "rows": 43, "columns": 132}
    is_now(43, 132)
    with vcons.Control(place.control) as a, vcons.Control(place.control) as b:
        a.attach("f0", "now", write="free")
        state(a, vcons.YOURS)
        resize(a, 25, 80)
        is_now(25, 80)
        b.attach("f0", "now")
        resize(b, 60, 200)  # looks on: nobody's concern
        resize(a, 0, 80)  # does not know its size
        a.send(vcons.SYNC)
        b.send(vcons.SYNC)
        for c in (a, b):
            while c.frame()[0] != vcons.SYNC:
                pass
        is_now(25, 80)
        b.send(vcons.TOKEN, bytes([vcons.STEAL]))
        state(b, vcons.YOURS)
        state(a, vcons.OTHERS)
        resize(b, 60, 200)
        is_now(60, 200)
        resize(a, 25, 80)
        a.send(vcons.SYNC)
        while a.frame()[0] != vcons.SYNC:
            pass
        is_now(60, 200)
        command(place, "resize", "f0", "90x30")  # whoever may type may say so, too
        is_now(30, 90)
    is_now(30, 90)


def size_that_waits(place):
    """More sizes than a line has room for, told to a hypervisor that does not look: the last one arrives, and so does that of
    a writer whose hypervisor was away."""
    with Guest(place, "late") as guest, vcons.Control(place.control) as c:
        c.attach("late", "now", write="free")
        for i in range(1, 101):
            c.send(vcons.RESIZE, struct.pack("<HH", i, i))
        c.send(vcons.SYNC)
        while c.frame()[0] != vcons.SYNC:
            pass
        assert guest.get(Guest.IN_EVENT_PROD) == 32, "its event ring is full"
        guest.set(Guest.IN_EVENT_CONS, 32)
        guest.kick(4)
        vcons.wait_for(lambda: guest.get(Guest.IN_EVENT_PROD) == 33, "the last size")
        event = struct.unpack_from("<IIIIQ", guest.memory, guest.in_event_at(32))
        assert event[2] == 4 and event[4] == 100 << 16 | 100, event
        guest.socket.close()
        vcons.wait_for(lambda: vcons.Control(place.control).ls()["late/hvc0"]["source"] is None, "its end")
        c.send(vcons.RESIZE, struct.pack("<HH", 7, 8))
        c.send(vcons.SYNC)
        while c.frame()[0] != vcons.SYNC:
            pass
        with Guest(place, "late") as again:
            vcons.wait_for(lambda: again.get(Guest.IN_EVENT_PROD) == 1, "the size")
            assert struct.unpack_from("<IIIIQ", again.memory, again.in_event_at(0))[4] == 7 << 16 | 8
        vcons.wait_for(lambda: vcons.Control(place.control).ls()["late/hvc0"]["source"] is None, "its end")
        with Guest(place, "late") as third:  # another line, the same terminal
            vcons.wait_for(lambda: third.get(Guest.IN_EVENT_PROD) == 1, "the size")
            assert struct.unpack_from("<IIIIQ", third.memory, third.in_event_at(0))[4] == 7 << 16 | 8
    vcons.wait_for(lambda: vcons.Control(place.control).ls()["late/hvc0"]["viewers"] == 0, "nobody")
    with Guest(place, "late") as alone:  # nobody's terminal
        assert alone.get(Guest.IN_EVENT_PROD) == 0


def asked_and_left(place):
    """A hypervisor that goes, refuses, or lies instead of an answer."""
    def ask(c, op):
        c.id += 1
        c.socket.sendall(json.dumps({"id": c.id, "op": op, "domain": "shy", "name": "v1"}).encode() + b"\n")

    def answer(c):
        while b"\n" not in c.buffer:
            c.more()
        line, c.buffer = c.buffer.split(b"\n", 1)
        return json.loads(line)

    def asked(guest):
        kind, body = guest.receive()
        serial, request, virtio, device, domain, console = struct.unpack("<IIII36s36s", body)
        assert kind == CONSOLE and domain.rstrip(b"\0") == b"shy" and console.rstrip(b"\0") == b"v1", (kind, body)
        return serial

    with vcons.Control(place.control) as c:
        with Guest(place, "shy") as guest:
            ask(c, "console_add")
            guest.packet(Guest.REFUSED, struct.pack("<II128s", asked(guest), 10, b"not\x1b[2Jtoday"))
            got = answer(c)
            assert got["error"] == "failed" and got["message"] == "not?[2Jtoday", got
            ask(c, "console_add")
            guest.packet(Guest.OK, struct.pack("<II128s", asked(guest), 0, b""))
            got = answer(c)
            assert got["error"] == "failed" and "has not brought it" in got["message"], got
            assert c.refusal("console_remove", domain="shy", name="v1") == "no-such-console"
            ask(c, "console_add")
            asked(guest)
        got = answer(c)
        assert got["error"] == "failed" and "went away before it answered" in got["message"], got
        assert c.refusal("console_add", domain="shy", name="v1") == "away"


def ends(place):
    """What the guest does to its end of a port is seen in ls."""
    with Guest(place, name="ported") as guest, vcons.Control(place.control) as c:
        guest.line()
        assert guest.add("ported", kind=VIRTIO)[0] == Guest.OK
        assert c.ls()["ported/hvc0"]["guest"] is None
        for i, (kind, word) in enumerate(((OPEN, "open"), (CLOSE, "closed"), (OPEN, "open"), (BOOT, "closed"))):
            guest.post(i, kind, 1)
            vcons.wait_for(lambda: c.ls()["ported/hvc0"]["guest"] == word, word)
        assert c.ls()["f0/hvc0"]["guest"] is None
        assert b"virtio (closed)" in command(place, "ls")


def held(pid):
    """Descriptors, threads and, of a build that tells, resident KiB."""
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.split(":", 1) for line in f)
    return len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), int(status["VmRSS"].split()[0])


def a_hundred_times(place, daemon, feeder):
    """In random order, three at once, with viewers on some that come back while they go."""
    rng = random.Random(20261122)
    names = ["a", "b", "c"]
    there = dict.fromkeys(names, False)
    stop = threading.Event()
    errors = []

    def look():
        while not stop.is_set():
            try:
                with vcons.Control(place.control) as v:
                    v.attach("f1/" + names[len(errors) % 3], rng.choice(("start", "now")))
                    while not stop.is_set():
                        kind, _ = v.frame()
                        if kind == vcons.END:
                            break
            except vcons.ControlError as e:
                if e.code != "no-such-console":
                    errors.append(e)
            except (EOFError, ConnectionResetError, socket.timeout):
                pass

    with vcons.Control(place.control) as c:
        for warm in names:
            c.ask("console_add", domain="f1", name=warm)
            c.ask("console_remove", domain="f1", name=warm)
        vcons.wait_for(lambda: c.ask("status")["viewers"] == 0, "no viewer")
        before, feeder_before = held(daemon.pid), held(feeder.process.pid)
        viewers = [threading.Thread(target=look) for _ in range(3)]
        for v in viewers:
            v.start()
        for _ in range(100):
            name = rng.choice(names)
            if there[name]:
                gone = c.ask("console_remove", domain="f1", name=name)["console"]
                assert gone["state"] == "off" and gone["writer"] is None, gone
            else:
                come = c.ask("console_add", domain="f1", name=name)["console"]
                assert come["state"] == "running" and come["source"] == "line", come
            there[name] = not there[name]
            assert c.ls()["f1/hvc0"]["state"] == "running"
        for name in names:
            if there[name]:
                c.ask("console_remove", domain="f1", name=name)
        stop.set()
        for v in viewers:
            v.join(vcons.WAIT_S)
        assert not errors and not any(v.is_alive() for v in viewers), errors
        vcons.wait_for(lambda: c.ask("status")["viewers"] == 0, "the end of the viewers")
        vcons.wait_for(lambda: all(c.ls()["f1/" + n]["source"] is None for n in names), "the end of the lines")
        vcons.wait_for(lambda: held(daemon.pid)[:2] <= before[:2], f"{before} again, not {held(daemon.pid)}")
        assert held(feeder.process.pid)[:2] == feeder_before[:2], (feeder_before, held(feeder.process.pid))
        grown = held(daemon.pid)[2] - before[2]
        assert grown < 2048 or vcons.sanitized(daemon.pid), f"grew by {grown} KiB"


def main():
    with vcons.Place() as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", "2", "--spare", "3")
        feeder.expect("served")
        come_and_go(place, feeder)
        refusals(place, feeder)
        garbage(place)
        sizes(place, feeder)
        size_that_waits(place)
        asked_and_left(place)
        ends(place)
        a_hundred_times(place, daemon, feeder)
        feeder.ask("lines", 0, 100)  # who stayed all the time has lost nothing
        feeder.expect("finished")
        with vcons.Control(place.control) as c:
            c.attach("f0", "now", follow=False)
        assert place.log_bytes("f0/hvc0") == vcons.pattern(0, 0, 100)
        assert vcons.stop(daemon) == 0
    return 0


sys.exit(main())
