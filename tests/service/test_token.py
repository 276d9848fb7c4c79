# SPDX-License-Identifier: MIT
"""The write token: taken when free, refused with who holds it, stolen, released, given back to the terminal; nothing typed
is dropped or overtaken while the line is full; raw sockets."""
import os
import signal
import socket
import struct
import sys
import time

import vcons


def state(c, want, holder=None):
    """Wait for a token frame of this state."""
    while True:
        got, who = c.token()
        if got == want:
            assert holder is None or holder in who, who
            return


def typed(feeder, i, want):
    """Wait until the guest has read this, all of it and nothing else."""
    def got():
        line = [x for x in feeder.ask("input", i) if x[0] == "got"][0]
        return bytes.fromhex(line[3]) if len(line) > 3 else b""
    vcons.wait_for(lambda: len(got()) >= len(want), "what was typed")
    assert got() == want, got()


def one_writes(place, feeder):
    a, b = vcons.Control(place.control), vcons.Control(place.control)
    a.attach("f0", "now", write="free")
    state(a, vcons.YOURS, f"(pid {os.getpid()})")
    b.attach("f0", "now", write="free")
    state(b, vcons.REFUSED, f"(pid {os.getpid()})")
    a.send(vcons.IN, b"one")
    a.send(vcons.SYNC, b"A")
    assert a.frame() == (vcons.SYNC, b"A")
    b.send(vcons.IN, b"never")
    state(b, vcons.REFUSED)
    b.send(vcons.TOKEN, bytes([vcons.REQUEST]))
    state(b, vcons.REFUSED)
    a.send(vcons.TOKEN, bytes([vcons.RELEASE]))
    state(a, vcons.FREE)
    state(b, vcons.FREE)
    b.send(vcons.TOKEN, bytes([vcons.REQUEST]))
    state(b, vcons.YOURS)
    state(a, vcons.OTHERS)
    b.send(vcons.IN, b"two")
    b.send(vcons.SYNC, b"B")
    while b.frame() != (vcons.SYNC, b"B"):
        pass
    a.send(vcons.TOKEN, bytes([vcons.STEAL]))
    state(a, vcons.YOURS)
    state(b, vcons.OTHERS)
    a.send(vcons.IN, b"three")
    a.send(vcons.SYNC, b"C")
    while a.frame() != (vcons.SYNC, b"C"):
        pass
    with vcons.Control(place.control) as c:
        f0 = c.ls()["f0/hvc0"]
        assert f0["refused"] == 5 and f"(pid {os.getpid()})" in f0["writer"], f0
        assert f0["viewers"] == 2
    a.close()
    state(b, vcons.FREE)
    b.close()
    typed(feeder, 0, b"onetwothree")


def in_pieces(place, feeder):
    """Frames cut anywhere, or many in one packet: every byte is taken for what it is, once."""
    def frame(kind, payload=b""):
        return struct.pack("<IB3x", len(payload), kind) + payload

    frames = [frame(vcons.IN, b"a"), frame(vcons.BREAK), frame(vcons.IN, b"bc"), frame(vcons.RESIZE, bytes([24, 0, 80, 0])),
              frame(vcons.TOKEN, bytes([vcons.REQUEST])), frame(vcons.IN), frame(vcons.BREAK), frame(vcons.BREAK),
              frame(vcons.IN, b"d" * 100), frame(vcons.SYNC), frame(vcons.IN, b"e")]
    stream, keys = b"".join(frames), b"abc" + b"d" * 100 + b"e"
    want = b""
    with vcons.Control(place.control) as a:
        a.attach("f2", "now", write="free")
        state(a, vcons.YOURS)
        for size in (*range(1, 12), len(stream)):
            for at in range(0, len(stream), size):
                a.socket.sendall(stream[at:at + size])
                if size < 12 and at % 3 == 0:
                    time.sleep(0.0001)  # not to wait for anything: so that some pieces come alone
            want += keys
            while a.frame() != (vcons.SYNC, b""):
                pass
            typed(feeder, 2, want)


def terminal(place, feeder):
    """The hypervisor's claim takes the token; a thief gives it back to the claim."""
    with vcons.Control(place.control) as a:
        a.attach("f0", "now", write="free")
        state(a, vcons.YOURS)
        feeder.say("claim", 0, 1)
        assert feeder.expect("token", 0, 1)
        state(a, vcons.OTHERS, "terminal of feeder")
        a.send(vcons.TOKEN, bytes([vcons.STEAL]))
        state(a, vcons.YOURS)
        assert "(pid" in " ".join(feeder.expect("token", 0, 0))
        a.send(vcons.TOKEN, bytes([vcons.RELEASE]))
        feeder.expect("token", 0, 1)
        state(a, vcons.OTHERS, "terminal")
    feeder.say("claim", 0, 0)
    feeder.expect("token", 0, 0)


def flow(place, feeder):
    """64 KiB typed into a line of 4 KiB wait in the client's socket, and arrive whole and in order."""
    text = bytes(i * 7 % 251 for i in range(65536))
    with vcons.Control(place.control) as a:
        a.attach("e0", "now", write="free")
        for i in range(0, len(text), 4096):
            a.send(vcons.IN, text[i:i + 4096])
        a.send(vcons.SYNC, b"end")
        echoed, synced = bytearray(), False
        while len(echoed) < len(text) or not synced:
            kind, payload = a.frame()
            if kind == vcons.OUT:
                echoed += payload[8:]
            synced = synced or kind == vcons.SYNC
        assert bytes(echoed) == text


def blocked(place):
    """A guest that reads nothing at all: the writer is not read either; whoever steals, and whoever asks, is served."""
    with vcons.Guest(place, "mute") as guest:
        a = vcons.Control(place.control)
        a.attach("mute", "now", write="free")
        state(a, vcons.YOURS)
        for i in range(4):
            a.send(vcons.IN, bytes([65 + i]) * 2048)
        a.send(vcons.SYNC, b"x")
        with vcons.Control(place.control) as b:
            assert b.ls()["mute/hvc0"]["viewers"] == 1
            b.attach("mute", "now", write="steal")
            state(b, vcons.YOURS)
        vcons.wait_for(lambda: guest.in_used() == 4096, "a full line")
        state(a, vcons.FREE)
        a.send(vcons.TOKEN, bytes([vcons.REQUEST]))
        assert guest.take_in(4096) == b"A" * 2048 + b"B" * 2048
        a.close()


def leaves(place):
    """Who types more than the line takes, and leaves: it is all delivered as the guest reads."""
    with vcons.Guest(place, "busy") as guest:
        path = os.path.join(place.run, "consoles/busy/hvc0.sock")
        text = bytes(i * 11 % 253 for i in range(20000))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(text)
        got = b""
        while len(got) < len(text):
            got += vcons.wait_for(lambda: guest.take_in(1000), "the rest")
        assert got == text
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()["busy/hvc0"]["viewers"] == 0, "its end")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(text)
        vcons.wait_for(lambda: guest.in_used() == 4096, "a full line")
    with vcons.Control(place.control) as c:  # the guest has gone: what waited for it goes, too
        vcons.wait_for(lambda: c.ls()["busy/hvc0"]["viewers"] == 0, "the end of what waits")


def deaf(place, daemon):
    """Who takes no more output may still type; who types and leaves while output fails has typed it all the same."""
    with vcons.Guest(place, "deaf") as guest, vcons.Control(place.control) as c:
        path = os.path.join(place.run, "consoles/deaf/hvc0.sock")
        with socket.socket(socket.AF_UNIX) as s:  # as `socat -u - UNIX:…`
            s.connect(path)
            vcons.wait_for(lambda: c.ls()["deaf/hvc0"]["viewers"] == 1, "a viewer")
            s.shutdown(socket.SHUT_RD)
            for i in range(5):
                guest.write(b"nobody hears this")
                vcons.wait_for(lambda: c.ls()["deaf/hvc0"]["bytes"] == 17 * (i + 1), "output")
            s.sendall(b"typed")
            assert vcons.wait_for(lambda: guest.take_in(100), "what was typed") == b"typed"
        vcons.wait_for(lambda: c.ls()["deaf/hvc0"]["viewers"] == 0, "its end")
        for i in range(60):
            text = b"%03d" % i * 100
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                vcons.wait_for(lambda: c.ls()["deaf/hvc0"]["viewers"] == 1, "a viewer")
                daemon.send_signal(signal.SIGSTOP)
                s.sendall(text)
            guest.write(b"into a closed socket")
            daemon.send_signal(signal.SIGCONT)
            assert vcons.wait_for(lambda: guest.take_in(4096), f"what was typed, {i}") == text
            vcons.wait_for(lambda: c.ls()["deaf/hvc0"]["viewers"] == 0, "its end")


def robbed(place):
    """Whoever left while the line was full, and lost the token then, holds nothing back: its descriptor goes at once."""
    with vcons.Guest(place, "slow") as guest, vcons.Control(place.control) as c:
        for _ in range(5):
            with vcons.Control(place.control) as a:
                a.attach("slow", "now", write="steal")
                for i in range(4):
                    a.send(vcons.IN, b"t" * 4096)
        vcons.wait_for(lambda: guest.in_used() == 4096, "a full line")
        with vcons.Control(place.control) as a:
            a.attach("slow", "now", write="steal")
            vcons.wait_for(lambda: c.ls()["slow/hvc0"]["viewers"] == 1, "the thief alone")


def raw_sockets(place, feeder):
    base = os.path.join(place.run, "consoles/f1/hvc0")
    writer, late, reader = (socket.socket(socket.AF_UNIX) for _ in range(3))
    for s, end in ((writer, ".sock"), (late, ".sock"), (reader, ".ro.sock")):
        s.settimeout(vcons.WAIT_S)
        s.connect(base + end)
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["f1/hvc0"]["viewers"] == 3, "three viewers")
        writer.sendall(b"first")
        vcons.wait_for(lambda: c.ls()["f1/hvc0"]["writer"], "the token")
        late.sendall(b"late!")
        reader.sendall(b"reader")
        vcons.wait_for(lambda: c.ls()["f1/hvc0"]["refused"] == 11, "11 bytes refused")
        feeder.ask("lines", 1, 2)
        for s in (writer, late, reader):
            got = b""
            while len(got) < 160:
                got += s.recv(4096)
            assert got == vcons.pattern(1, 0, 2), got
        typed(feeder, 1, b"first")
        writer.shutdown(socket.SHUT_WR)  # as `echo first | socat`: it still sees the answer
        vcons.wait_for(lambda: not c.ls()["f1/hvc0"]["writer"], "a free token")
        feeder.ask("lines", 1, 1)
        assert writer.recv(4096) == vcons.pattern(1, 2, 1)
        for s in (writer, late, reader):
            s.close()
        vcons.wait_for(lambda: c.ls()["f1/hvc0"]["viewers"] == 0, "their end")


def main():
    with vcons.Place() as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", "3")
        feeder.expect("served")
        echo = place.feeder("-n", "1", "--prefix", "e", "--name", "echo", "--echo")
        echo.expect("served")
        one_writes(place, feeder)
        in_pieces(place, feeder)
        terminal(place, feeder)
        flow(place, echo)
        raw_sockets(place, feeder)
        blocked(place)
        leaves(place)
        deaf(place, daemon)
        robbed(place)
        assert vcons.stop(daemon) == 0
    return 0


sys.exit(main())
