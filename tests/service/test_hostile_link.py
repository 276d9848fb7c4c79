# SPDX-License-Identifier: MIT
"""Hypervisors that lie: memory unsealed, short, of wrong shape, indices and events of every kind also while being read,
descriptors that are none, made blocking and filled, storms of kicks, packets of garbage, names of others. Each: one clear
refusal or one broken mark, and the honest console beside it loses nothing."""
import fcntl
import os
import random
import socket
import struct
import sys
import time

import vcons
from vcons import Guest

BAD, BUSY, NAME, OWNER, MEMORY, FDS = 8, 3, 2, 4, 5, 6


def refused(answer, reason, what):
    assert answer and answer[0] == Guest.REFUSED and answer[1] == reason and answer[2], f"{what}: {answer}"


def memory(place):
    seals = Guest.ALL_SEALS
    for what, line in [
        ("not sealed", {"seals": 0}),
        ("may shrink", {"seals": seals & ~fcntl.F_SEAL_SHRINK}),
        ("may be unsealed", {"seals": seals & ~fcntl.F_SEAL_SEAL}),
        ("empty", {"size": 0}),
        ("one byte", {"size": 1}),
        ("a byte too short", {"size": 4096 + 65536 + 4096 - 1}),
        ("header only", {"size": 4096}),
        ("no magic", {"magic": 0}),
        ("version 2", {"version": 2}),
        ("out of 3000", {"out_size": 3000}),
        ("out of 2^31", {"out_size": 1 << 31, "size": 1 << 20}),
        ("in of 0", {"in_size": 0}),
        ("out at 0", {"out_offset": 0}),
        ("in at the end of all", {"in_offset": 0xFFFFF000}),
    ]:
        with Guest(place, name="liar") as g:
            g.line(**line)
            refused(g.add("liar"), MEMORY, what)
    with Guest(place, name="liar") as g:
        g.line()
        refused(g.add("liar", line_id=b"x" * 16), MEMORY, "another id than the page's")
    with Guest(place, name="liar") as g:
        g.line()
        g.set(Guest.OUT_PROD, 65537)
        refused(g.add("liar"), MEMORY, "indices that claim too much")
    with Guest(place, name="liar") as g, open("/etc/passwd") as f:
        g.line()
        refused(g.add("liar", fds=[f.fileno()] + g.fds[1:]), MEMORY, "a file for memory")


def rings(place):
    """Ring pages of Xen's."""
    out_prod, out_cons, in_prod, in_cons = 3084, 3080, 3076, 3072
    for what, ring in [("not sealed", {"seals": 0}), ("one page", {"size": 4096}), ("a byte too short", {"size": 8191}),
                       ("a header in front", {"header_at": 0}), ("no magic", {"magic": 0}), ("version 2", {"version": 2}),
                       ("out of 4096", {"out_size": 4096}), ("in of 2048", {"in_size": 2048}), ("out at 0", {"out_offset": 0})]:
        with Guest(place, name="liar") as g:
            g.ring(**ring)
            refused(g.add("liar", geometry=2), MEMORY, what)
    for index, size in ((out_prod, 2048), (in_prod, 1024), (out_cons, 2048), (in_cons, 1024)):
        with Guest(place, name="liar") as g:
            g.ring()
            g.set(index, size + 1)
            refused(g.add("liar", geometry=2), MEMORY, f"an index at {index} that claims too much")
    with Guest(place, name="liar") as g:
        g.ring()
        refused(g.add("liar"), MEMORY, "a ring page as a line")
        refused(g.add("liar", geometry=2, line_id=b"x" * 16), MEMORY, "another id than the page's")
        assert g.add("ringer", geometry=2)[0] == Guest.OK
        assert g.memory[3088] == 0, "the flag says disconnected"
        for at, byte in enumerate(b"through the page"):
            g.memory[1024 + at] = byte
            g.set(out_prod, at + 1)
            g.kick(1)
        vcons.wait_for(lambda: g.get(out_cons) == 16, "the ring to be taken")
        assert place.log_bytes("ringer/hvc0") == b"through the page"
        g.set(out_prod, 5000)  # in the midst of it all
        g.kick(1)
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()["ringer/hvc0"]["broken"], "a broken mark")
    assert place.log_bytes("ringer/hvc0") == b"through the page"


def descriptors(place):
    with Guest(place, name="liar") as g, open("/dev/null", "r+") as null:
        g.line()
        a, b = socket.socketpair()
        r, w = os.pipe()
        n = null.fileno()
        for what, fds in [
            ("none", []), ("memory only", g.fds[:1]), ("four", g.fds[:4]), ("memory first and last", g.fds[:4] + g.fds[:1]),
            ("/dev/null", g.fds[:1] + [n] * 4), ("sockets", g.fds[:1] + [a.fileno()] * 4), ("pipes", g.fds[:1] + [w] * 4),
        ]:
            refused(g.add("liar", fds=fds), FDS, what)
        for fd in (r, w):
            os.close(fd)
        a.close()
        b.close()
    with Guest(place, name="liar") as g:
        g.line()
        g.packet(Guest.ADD, b"\0" * 164, g.fds + g.fds[:1])
        answer = g.answer()
        assert answer is None or answer[0] == Guest.REFUSED, "six descriptors"


def packets(place):
    add = struct.pack("<IIIIII16s16s36s36s36s", 1, 9, 1, 1, 1, 1, b"", b"", b"a", b"b", b"")
    for what, kind, body in [
        ("no type", 0, b""), ("a type of ours", Guest.TOKEN, b"\0" * 136), ("type 2^32-1", 0xFFFFFFFF, b"\0" * 100),
        ("a short ADD", Guest.ADD, add[:-1]), ("a long ADD", Guest.ADD, add + b"\0"), ("a second HELLO", 1, b"\0" * 44),
    ]:
        with Guest(place, name="liar") as g:
            g.packet(kind, body)
            refused(g.answer(), BAD, what)
            assert g.receive() is None, f"{what}: the link stays"
    for what, data in [("one byte", b"x"), ("a length that lies", struct.pack("<II", 2, 400) + add)]:
        with Guest(place, name="liar") as g:
            g.socket.send(data)
            refused(g.answer(), BAD, what)
    with Guest(place, name="liar") as g:
        g.socket.send(os.urandom(100000)[:60000])
        answer = g.answer()
        assert answer is None or answer[0] == Guest.REFUSED, "60,000 bytes"
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(place.link)
    s.send(struct.pack("<II", Guest.ADD, 8 + len(add)) + add)
    s.settimeout(vcons.WAIT_S)
    assert struct.unpack_from("<I", s.recv(512))[0] == Guest.REFUSED, "ADD before HELLO"
    s.close()


def names(place):
    with Guest(place, name="liar") as g:
        g.line()
        for domain, console in [("", "a"), ("a", ""), ("..", "a"), (".", "a"), ("a/b", "c"), ("a", "../b"), ("a" * 33, "b"),
                                ("a\n", "b"), ("-a", "b"), ("a", "b c"), ("\x1b[2J", "b"), ("a" * 36, "b")]:
            refused(g.add(domain, console), NAME, repr(domain + "/" + console))
        refused(g.add("a", geometry=2), MEMORY, "a line as a ring page of Xen's")
        refused(g.add("a", geometry=3), BAD, "no such geometry")
        refused(g.add("a", kind=0), BAD, "no kind")
        refused(g.add("f0"), BUSY, "a domain that lives elsewhere")
        assert g.add("mine")[0] == Guest.OK
        with Guest(place, name="other") as o:
            o.line()
            refused(o.add("mine"), BUSY, "a console that is live")
            refused(o.add("mine", "second"), BUSY, "a further console of a live domain")
        g2 = Guest(place, name="more")
        g2.line()
        g2.close()
        with Guest(place, name="third") as t:
            t.line()
            assert t.add("own")[0] == Guest.OK
            t.line()
            refused(t.add("own", "b", cookie=2, uuid=b"v" * 16), OWNER, "the same domain with another UUID")
    for name in ("", "a/b", "x" * 36):
        s = Guest.__new__(Guest)
        s.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.socket.settimeout(vcons.WAIT_S)
        s.socket.connect(place.link)
        assert Guest.hello(s, name)[0] == Guest.REFUSED, name
        s.socket.close()
    with Guest(place, name="once") as g:
        again = Guest.__new__(Guest)
        again.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        again.socket.settimeout(vcons.WAIT_S)
        again.socket.connect(place.link)
        kind, body = Guest.hello(again, "once")
        assert kind == Guest.REFUSED and b"pid" in body, "a second link of one hypervisor"
        again.socket.close()


def broken_marks(place, name):
    return [r for r in place.index(name) if r[3] == 11]


def indices(place):
    """Broken by a bad index or event: said once, tried again, healed when legal; what is written then is logged."""
    with Guest(place, "broken") as g, vcons.Control(place.control) as c:
        def broken():
            return c.ls()["broken/hvc0"]["broken"]

        g.write(b"before ")
        vcons.wait_for(lambda: place.log_bytes("broken/hvc0") == b"before ", "what came before")
        good = g.get(Guest.OUT_PROD)
        g.set(Guest.OUT_PROD, good + 65537)
        g.kick()
        vcons.wait_for(broken, "the broken mark")
        g.set(Guest.OUT_PROD, good)
        vcons.wait_for(lambda: not broken(), "healing")
        g.write(b"between ")
        vcons.wait_for(lambda: place.log_bytes("broken/hvc0").endswith(b"between "), "what came between")
        g.set(Guest.OUT_EVENT_PROD, 1000)  # more events than there are slots
        g.kick()
        vcons.wait_for(broken, "the second broken mark")
        g.set(Guest.OUT_EVENT_PROD, g.get(Guest.OUT_EVENT_CONS))
        vcons.wait_for(lambda: not broken(), "healing again")
        for kind in (0, 10, 0xFFFFFFFF):  # an event of no kind
            at, number = 1024 + 32 * (g.get(Guest.OUT_EVENT_CONS) % 64), g.get(Guest.OUT_EVENT_PROD)
            struct.pack_into("<IIIIQQ", g.memory, at, number, g.get(Guest.OUT_PROD), kind, 0, 0, 0)
            g.set(Guest.OUT_EVENT_PROD, number + 1)
            g.kick()
            vcons.wait_for(broken, "the mark of an event of no kind")
            g.set(Guest.OUT_EVENT_PROD, number)
            vcons.wait_for(lambda: not broken(), "healing")
        assert len(broken_marks(place, "broken/hvc0")) == 5
        assert place.log_bytes("broken/hvc0") == b"before between "
        # The way in: a reader that claims to have read what was never written.
        g.set(Guest.IN_CONS, 5000)
        with vcons.Control(place.control) as w:
            w.attach("broken", "now", write="free")
            w.send(vcons.IN, b"x" * 100)
            assert c.ls()["broken/hvc0"]["state"] == "running"


def last_words(place):
    """Broken, mended and gone before anybody looked again: its last words are there."""
    with Guest(place, "mended") as g, vcons.Control(place.control) as c:
        g.write(b"before ")
        vcons.wait_for(lambda: place.log_bytes("mended/hvc0") == b"before ", "what came before")
        good = g.get(Guest.OUT_PROD)
        g.set(Guest.OUT_PROD, good + 65537)
        g.kick()
        vcons.wait_for(lambda: c.ls()["mended/hvc0"]["broken"], "the broken mark")
        g.set(Guest.OUT_PROD, good)
        g.write(b"last words")
    vcons.wait_for(lambda: place.log_bytes("mended/hvc0").endswith(b"last words"), "its last words")
    assert place.log_bytes("mended/hvc0") == b"before last words"


def scribbling(place):
    """Every word of the header changed at random while it is read, for a while; the service lives and goes on."""
    chance = random.Random(11)
    words = [v for k, v in vars(Guest).items() if k.isupper() and isinstance(v, int) and v >= 64]
    with Guest(place, "scribble") as g:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for _ in range(1000):
                at = chance.choice(words) if chance.random() < 0.7 else chance.randrange(0, 4096, 4)
                g.set(at, chance.choice([0, 1, 65535, 65536, 65537, 0x7FFFFFFF, 0xFFFFFFFF, chance.getrandbits(32)]))
            g.kick()
            g.kick(4)


def filled(place, daemon):
    """Event descriptors made blocking and filled: whoever kicks them must not sleep."""
    with Guest(place, "filled") as g:
        for fd in g.fds[1:]:
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
        for which in (2, 3):
            os.eventfd_read(g.fds[which])  # the kick of the attach
            os.eventfd_write(g.fds[which], 0xFFFFFFFFFFFFFFFE)
        with vcons.Control(place.control) as c:
            c.attach("filled", "now", write="free")
            for i in range(50):
                g.set(Guest.OUT_ROOM_WAIT, 1)
                g.set(Guest.IN_BYTES_WAIT, 1)
                g.write(b"%03d" % i)
                assert c.read(3) == b"%03d" % i
                c.send(vcons.IN, b"k")
                vcons.wait_for(lambda: g.in_used() == i + 1, "input")
        with vcons.Control(place.control) as c:
            assert c.ask("status")["kicks_sure"] or "no asynchronous I/O here"


def storm(place, daemon):
    """Kicks without work: looked at more and more rarely."""
    def ticks():
        with open(f"/proc/{daemon.pid}/stat") as f:
            return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])

    with Guest(place, "storm") as g:
        before, end, kicks = ticks(), time.monotonic() + 1, 0
        while time.monotonic() < end:
            g.kick()
            kicks += 1
        spent = (ticks() - before) / os.sysconf("SC_CLK_TCK")
        print(f"{kicks} kicks without work in 1 s cost {spent:.2f} s")
        assert spent < 0.3
        g.write(b"still here")
        vcons.wait_for(lambda: place.log_bytes("storm/hvc0") == b"still here", "its bytes")


def nothing_left(place):
    """What was refused is not in the list: only consoles that were, or are."""
    with vcons.Control(place.control) as c:
        names = c.ls().keys()
        assert "liar/hvc0" not in names, names


def main():
    with vcons.Place() as place:
        daemon = place.daemon()
        honest = place.feeder("-n", "1")
        honest.expect("served")
        honest.ask("lines", 0, 3 * 10 ** 6)
        memory(place)
        rings(place)
        descriptors(place)
        nothing_left(place)
        packets(place)
        names(place)
        indices(place)
        last_words(place)
        filled(place, daemon)
        scribbling(place)
        sent = honest.sent("stop")
        storm(place, daemon)
        assert vcons.stop(daemon) == 0
        place.check(sent)
    return 0


sys.exit(main())
