# SPDX-License-Identifier: MIT
"""A service that lies: on the link, in a line's memory, by its descriptors. The VMM says so once, guests go on, and the next
honest service takes over."""
import array
import ctypes
import fcntl
import mmap
import os
import socket
import struct

from hypervisor import Hypervisor, domain, log_of
from vcons import Place, wait_for

HELLO, ADD, GONE, OK, REFUSED, CLAIM, TOKEN, STATE, REQUEST, CONSOLE, ALL = range(1, 12)
OUT_CONS, OUT_BYTES_WAIT, IN_PROD, OUT_EVENT_CONS, IN_EVENT_PROD = 128, 192, 320, 640, 704  # wire/line.h


def hello(version=1):
    return struct.pack("<IIII36s", HELLO, 52, version, os.getpid(), b"")


def answer(kind, cookie, reason=0, text=b""):
    return struct.pack("<IIII128s", kind, 144, cookie, reason, text)


def token(cookie, holds, holder=b""):
    return struct.pack("<IIII128s", TOKEN, 144, cookie, holds, holder)


def request(serial, what, name):
    return struct.pack("<IIII36s", REQUEST, 52, serial, what, name)


def console(serial, what, kind, name, domain=b"web", device=0):
    return struct.pack("<IIIIII36s36s", CONSOLE, 96, serial, what, kind, device, domain, name)


class Service:
    """Listens where vconsd would, and takes what a VMM offers."""

    def __init__(self, place):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.path.exists(place.link):
            os.unlink(place.link)
        self.listener.bind(place.link)
        self.listener.listen(8)
        self.listener.settimeout(20)
        self.link = None
        self.lines = {}

    def accept(self):
        if self.link:
            self.link.close()
        self.link, _ = self.listener.accept()
        self.link.settimeout(20)
        self.drop_lines()
        assert struct.unpack_from("<II", self.link.recv(512)) == (HELLO, 52)

    def drop_lines(self):
        for _, memory, fds in self.lines.values():
            memory.close()
            for fd in fds:
                os.close(fd)
        self.lines = {}

    def take(self, n, confirm=True):
        """Greets, and takes n lines: cookie -> (names, memory, descriptors)."""
        self.link.send(hello())
        while len(self.lines) < n:
            packet, rights, _, _ = self.link.recvmsg(512, socket.CMSG_SPACE(20))
            if struct.unpack_from("<I", packet)[0] != ADD:
                continue
            fds = array.array("i")
            fds.frombytes(rights[0][2])
            cookie = struct.unpack_from("<I", packet, 8)[0]
            names = [part.split(b"\0")[0].decode() for part in (packet[64:100], packet[100:136])]
            self.lines[cookie] = ("/".join(names), mmap.mmap(fds[0], 0), list(fds))
            if confirm:
                self.link.send(answer(OK, cookie))
        return self.lines

    def gone(self):
        """The VMM has closed the link."""
        try:
            while self.link.recv(512):
                pass
        except ConnectionError:
            pass

    def close(self, place):
        self.drop_lines()
        if self.link:
            self.link.close()
        self.listener.close()
        os.unlink(place.link)


def poke(memory, at, value):
    ctypes.c_uint32.from_buffer(memory, at).value = value & 0xffffffff


LINK_LIES = {
    "nothing of a message": b"x",
    "a length that is another": struct.pack("<II", HELLO, 51) + b"\0" * 44,
    "no such type": struct.pack("<II", 77, 8),
    "a second greeting": hello(),
    "a version nobody has": hello(9),
    "an answer nobody waits for": answer(OK, 1),
    "a cookie that is none": answer(OK, 0xffffffff),
    "a refusal without an end": answer(REFUSED, 1, 3, b"x" * 128),
    "a token for a cookie that is none": token(99, 0),
    "a holder without an end": token(1, 0, b"x" * 128),
    "a request that is none": request(1, 9, b"web"),
    "a domain's name without an end": request(1, 1, b"x" * 36),
    "a console request that is none": console(1, 3, 8, b"v0"),
    "a console of a kind that does not come": console(1, 1, 1, b"v0"),
    "a console of no kind": console(1, 1, 0xffffffff, b"v0"),
    "a console's name without an end": console(1, 1, 8, b"x" * 36),
    "a console's domain without an end": console(1, 2, 0, b"v0", b"x" * 36),
    "a console request cut short": console(1, 2, 0, b"v0")[:4] + struct.pack("<I", 95) + console(1, 2, 0, b"v0")[8:95],
}


def answered(service, kind, serial):
    while True:
        packet = service.link.recv(512)
        if struct.unpack_from("<I", packet)[0] in (OK, REFUSED):
            assert struct.unpack_from("<III", packet)[::2] == (kind, serial), (kind, serial, packet)
            return


def lies_on_the_link(place, service, h):
    for what, packet in LINK_LIES.items():
        service.accept()
        if what != "a version nobody has":
            service.take(3)
        service.link.send(packet)
        service.gone()
        print("ok link:", what, flush=True)
    service.accept()
    service.take(3)
    for packet in (request(7, 1, b"nobody"), console(8, 1, 8, b"v0", b"nobody"), console(9, 1, 8, b"v0", device=0xffffffff),
                   console(10, 1, 10, b"../v0"), console(11, 2, 0, b"v0"), console(12, 2, 0, b"hvc0"), console(13, 2, 0, b"")):
        service.link.send(packet)  # well formed, and refused
    for serial in range(7, 14):
        answered(service, REFUSED, serial)
    service.link.send(token(1, 0, b"eve\x1b[2J"))  # who holds it may be anything
    h.type("x")
    h.expect("eve?[2J types to web now")
    service.link.send(token(1, 1))


def next_of(service, *kinds):
    """The next packet of these types: (type, its first number, the rest)."""
    while True:
        packet, rights, _, _ = service.link.recvmsg(512, socket.CMSG_SPACE(20))
        for fd in array.array("i", rights[0][2]) if rights else ():
            os.close(fd)
        kind, _, number = struct.unpack_from("<III", packet.ljust(12, b"\0"))
        if kind in kinds:
            return kind, number, packet[12:]


def changes(place):
    """Consoles that come and go for a service that is slow, refuses, or leaves in the middle."""
    def ask(*what):
        service.link.send(console(*what))

    def offered(name):
        kind, cookie, rest = next_of(service, ADD, OK, REFUSED)
        assert kind == ADD and rest[88:124].rstrip(b"\0") == name, (kind, cookie, rest)
        return cookie

    service = Service(place)
    h = Hypervisor(place, domain("web", hold="0.1", console=[("hvc0", "xen"), ("v0", "virtio")]))
    service.accept()
    service.take(3)
    ask(1, 1, 8, b"v1")
    first = offered(b"v1")
    ask(2, 2, 0, b"v1")  # before it was taken
    service.link.send(request(50, 1, b"nobody"))
    answered(service, REFUSED, 50)  # by then the name is free
    ask(3, 1, 8, b"v1")
    service.link.send(answer(OK, first))
    assert next_of(service, ADD, GONE)[:2] == (GONE, first), "first the one that goes"
    second = offered(b"v1")
    assert second != first
    for serial in (1, 2):
        answered(service, OK, serial)
    service.link.send(answer(OK, second))
    answered(service, OK, 3)
    ask(4, 1, 8, b"v2")
    service.link.send(answer(REFUSED, offered(b"v2"), 7, b"no room\x1b[2J"))
    kind, serial, rest = next_of(service, OK, REFUSED)
    assert (kind, serial) == (REFUSED, 4) and b"the service refuses it: no room?[2J" in rest, (kind, serial, rest)
    ask(5, 2, 0, b"v2")  # so it is not there
    answered(service, REFUSED, 5)
    ask(6, 2, 0, b"v1")
    assert next_of(service, GONE, OK)[:2] == (GONE, second)
    answered(service, OK, 6)
    cookies = set()
    for i in range(12):
        ask(100 + i, 1, 10, b"p%d" % i)
        cookie = offered(b"p%d" % i)
        cookies.add(cookie)
        service.link.send(answer(OK, cookie))
        answered(service, OK, 100 + i)
        ask(200 + i, 2, 0, b"p%d" % i)
        answered(service, OK, 200 + i)
    assert len(cookies) == 1, cookies
    ask(7, 1, 8, b"v3")
    offered(b"v3")
    service.accept()  # leaves before it took it
    names = {names for names, _, _ in service.take(4).values()}
    assert "web/v3" in names and "web/v1" not in names, names
    assert service.link.recv(512) == struct.pack("<II", ALL, 8), "no others will come"
    service.link.send(request(8, 1, b"nobody"))
    answered(service, REFUSED, 8)  # who asked the last service is not answered by this one
    service.close(place)
    h.process.terminate()
    h.wait()
    h.close()
    print("ok changes", flush=True)


def lies_in_memory(place, service, h):
    lies = {"out taken that never was": (OUT_CONS, 1 << 31), "input beyond the ring": (IN_PROD, 1 << 20),
            "events taken that never were": (OUT_EVENT_CONS, 12345), "input events beyond": (IN_EVENT_PROD, 12345)}
    for what, (at, value) in lies.items():
        service.accept()
        name, memory, fds = service.take(3)[1]
        before = bytes(memory[32:48])
        poke(memory, at, value)
        os.eventfd_write(fds[3], 1)  # IN_BYTES
        h.type("echo go\r")
        service.gone()
        service.accept()
        _, memory, _ = service.take(3)[1]
        assert name == "web/hvc0" and bytes(memory[32:48]) != before, "a broken line is not offered again"
        service.link.close()
        service.link = None
        print("ok memory:", what, flush=True)


def lies_by_descriptors(place, service, h):
    """Blocking and full event descriptors; seals that must hold."""
    service.accept()
    lines = service.take(3)
    for _, memory, fds in lines.values():
        for size in (0, 4096, 1 << 24):
            try:
                os.ftruncate(fds[0], size)
                raise AssertionError(f"a line can be resized to {size}")
            except PermissionError:
                pass
        for fd in fds[1:]:
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
        for i in (1, 4):  # OUT_BYTES and IN_ROOM: what the VMM writes
            try:
                os.eventfd_read(fds[i]) if i == 1 else None
            except OSError:
                pass
            os.eventfd_write(fds[i], (1 << 64) - 2)
        poke(memory, OUT_BYTES_WAIT, 1)
    for i in range(20):
        poke(lines[1][1], OUT_BYTES_WAIT, 1)
        h.type(f"echo full-{i}\r")
        h.expect(f"\nfull-{i}\r\n")
    print("ok descriptors", flush=True)


def main():
    with Place() as place:
        changes(place)
    with Place() as place:
        service = Service(place)
        h = Hypervisor(place, domain("web", hold="0.1") + domain("db", hold="0.1"))
        lies_on_the_link(place, service, h)
        service.link.close()
        service.link = None
        lies_in_memory(place, service, h)
        lies_by_descriptors(place, service, h)
        service.close(place)
        place.daemon("--private")
        h.type("echo honest-again\r")
        wait_for(lambda: h.read(0) and False or b"\r\nhonest-again\r\n" in log_of(place, "web/hvc0"), "an honest log")
        assert h.quit() == 0
        h.close()


main()
