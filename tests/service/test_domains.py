# SPDX-License-Identifier: MIT
"""Hypervisors and their domains: stop and reset reach the right one and are answered, states are shown, a console that is
gone ends its viewers after the last byte, one that is away does not, and a returning service finds everybody."""
import os
import signal
import struct
import sys

import vcons


def requests(place, first, second):
    with vcons.Control(place.control) as c:
        c.ask("stop", domain="f1")
        assert first.expect("request")[1:] == ["1", "f1"]
        c.ask("reset", domain="g0/hvc0")
        assert second.expect("request")[1:] == ["2", "g0"]
        c.ask("stop", all=True)
        assert first.expect("request")[1] == "3" and second.expect("request")[1] == "3"
    with vcons.Guest(place, "slow") as guest:
        with vcons.Control(place.control) as c:  # a client that does not wait for the answer
            c.socket.sendall(b'{"id":2,"op":"stop","domain":"slow"}\n')
            kind, body = guest.receive()
            assert kind == guest.REQUEST
        with vcons.Control(place.control) as c, vcons.Control(place.control) as other:
            c.socket.sendall(b'{"id":2,"op":"reset","domain":"slow"}\n')
            kind, body = guest.receive()
            assert "slow/hvc0" in other.ls()  # nobody else waits
            guest.packet(guest.REFUSED, body[:4] + (9).to_bytes(4, "little") + b"no such\x1b[2J domain".ljust(128, b"\0"))
            line = b""
            while b"\n" not in line:
                line += c.socket.recv(4096)
            assert b'"failed"' in line and b"no such?[2J domain" in line, line
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["slow/hvc0"]["state"] == "away", "slow to be away")
        assert c.refusal("stop", domain="slow") == "away"


def states(place, feeder):
    with vcons.Control(place.control) as c:
        for number, word in ((3, "crashed"), (4, "paused"), (2, "off"), (1, "running")):
            feeder.ask("state", 0, number, 1000 + number)
            vcons.wait_for(lambda: c.ls()["f0/hvc0"]["state"] == word, word)
            assert c.ls()["f0/hvc0"]["dropped"] == 1000 + number
        f0 = c.ls()["f0/hvc0"]
        assert f0["domid"] == 1 and f0["hypervisor"] == "feeder" and f0["door"] == "feeder" and f0["boots"] == 1
        with vcons.Control(place.control) as by_id:  # a domain's id is as good as its name, where nobody has that name
            assert by_id.attach("2")["console"] in ("f1/hvc0", "g1/hvc0")


def gone(place, feeder):
    """A viewer gets all that was printed, then the end; one who comes later gets the same."""
    with vcons.Control(place.control) as c:
        c.attach("f2", "start")
        feeder.ask("lines", 2, 1000)
        feeder.expect("finished")
        feeder.ask("event", 2, 7, 3)
        feeder.ask("gone", 2)
        assert c.read(80000) == vcons.pattern(2, 0, 1000)
        try:
            c.out()
            raise AssertionError("more output")
        except EOFError as e:
            assert "gone" in str(e), e
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["f2/hvc0"]["state"] == "off", "off")
        vcons.wait_for(lambda: c.ask("status")["uptime_s"] > 2.1, "the time in which hypervisors come back")
        c.attach("f2", "start")
        assert c.read(80000) == vcons.pattern(2, 0, 1000)
        kind, payload = c.frame()
        while kind == vcons.TOKEN:
            kind, payload = c.frame()
        assert (kind, payload[0]) == (vcons.END, 1), (kind, payload)


def positions(place, feeder):
    """R39: what was printed before the question is in the answer."""
    total = 0
    for _ in range(200):
        feeder.say("lines", 1, 50)
        feeder.expect("finished")
        total += 50 * 80
        with vcons.Control(place.control) as c:
            assert c.attach("f1", "now")["end"] == total
    with vcons.Control(place.control) as c:
        c.attach("f1", "start", follow=False)
        assert c.read(total) == vcons.pattern(1, 0, total // 80)


def returning(place, daemon, feeder):
    """A viewer of the new service who is quicker than the hypervisor waits for it."""
    feeder.say("drop")
    feeder.expect("unlinked")
    vcons.stop(daemon, signal.SIGKILL)
    daemon = place.daemon()
    with vcons.Control(place.control) as c:
        end = c.attach("f1", "now")["end"]
        feeder.say("dial")
        feeder.expect("linked")
        feeder.ask("lines", 1, 1)
        assert c.out() == (end, vcons.pattern(1, end // 80, 1))
    return daemon


def overtaking(place, daemon):
    """What a hypervisor says right after it took a console over is heard, also while the line before is being drained."""
    with vcons.Control(place.control) as c:
        heard = 0
        for i in range(400):
            if heard == 10:
                break
            before, after = vcons.Guest(place, "again", out_size=1 << 20), vcons.Guest(place, name=f"second-{i}")
            before.set(before.OUT_PROD, 1 << 20)
            daemon.send_signal(signal.SIGSTOP)
            before.kick()
            before.close()
            after.line()
            after.packet(after.ADD, struct.pack("<IIIIII16s16s36s36s36s", 7, 9, 1, 1, 1, 1, after.id, b"u" * 16,
                                                b"again", b"hvc0", b""), after.fds)
            after.packet(after.STATE, struct.pack("<IIQII", 7, 4, 1234, 0, 0))
            after.packet(after.CLAIM, struct.pack("<II128s", 7, 1, b""))
            daemon.send_signal(signal.SIGCONT)
            if after.answer()[0] != after.OK:  # it was heard before the end of the other: busy
                after.close()
                vcons.wait_for(lambda: not c.ls()["again/hvc0"]["source"], "its end")
                continue
            heard += 1
            vcons.wait_for(lambda: c.ls()["again/hvc0"]["source"], "its line")
            seen = c.ls()["again/hvc0"]
            assert seen["dropped"] == 1234 and seen["state"] == "paused", seen
            assert seen["writer"] == f"terminal of second-{i}", seen
            after.close()
            vcons.wait_for(lambda: not c.ls()["again/hvc0"]["source"], "its end")
        assert heard > 0, "its packets always overtook the end of the other link"


def all_there_are(place):
    """A hypervisor whose link broke says which consoles it still has: the others have ended, also for those who look at them."""
    def states():
        return {name: c.ls()[f"sets/{name}"]["state"] for name in ("a", "b", "c")}

    with vcons.Control(place.control) as c, vcons.Control(place.control) as viewer:
        guests = [vcons.Guest(place, name="sets")]
        for cookie, name in enumerate("abc"):
            guests[0].line()
            assert guests[0].add("sets", name, cookie)[0] == vcons.Guest.OK
        other = vcons.Guest(place, "beside")
        other.close()
        guests[0].close()
        vcons.wait_for(lambda: set(states().values()) == {"away"}, "all to be away")
        viewer.attach("sets/b", "start")
        guest = vcons.Guest(place, name="sets")
        guest.line()
        assert guest.add("sets", "c", 5)[0] == guest.OK
        assert states() == {"a": "away", "b": "away", "c": "running"}, states()
        guest.packet(guest.ALL, b"")
        vcons.wait_for(lambda: states() == {"a": "off", "b": "off", "c": "running"}, f"two to have ended: {states()}")
        try:
            while True:
                viewer.out()
        except EOFError as e:
            assert "gone" in str(e), e
        assert c.ls()["beside/hvc0"]["state"] == "away", "another's"
        guest.line()
        assert guest.add("sets", "b", 6)[0] == guest.OK, "it may come again"
        assert states()["b"] == "running"
        guest.close()


def guests_end(place):
    """What a virtio port's guest did before this service came is told by its hypervisor, and nothing else is believed of it."""
    with vcons.Control(place.control) as c, vcons.Guest(place, name="ends") as guest:
        def end():
            return c.ls()["ends/port"]["guest"]

        guest.line()
        assert guest.add("ends", "port", 1, kind=10)[0] == guest.OK
        assert end() is None
        for told, shown in ((0, None), (99, None), (2, "open"), (1, "closed"), (0, "closed")):
            guest.packet(guest.STATE, struct.pack("<IIQII", 1, 1, told, told, 0))
            vcons.wait_for(lambda: c.ls()["ends/port"]["dropped"] == told, "STATE")
            assert end() == shown, (told, end())
        guest.post(0, 6, 0)  # OPEN in the stream
        vcons.wait_for(lambda: end() == "open", "an event")


def sandboxed(daemon):
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{task}/status") as f:
            status = f.read()
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, status


def main():
    with vcons.Place() as place:
        daemon = place.daemon()
        first = place.feeder("-n", "3")
        second = place.feeder("-n", "2", "--prefix", "g", "--name", "second")
        first.expect("served")
        second.expect("served")
        sandboxed(daemon)
        requests(place, first, second)
        states(place, first)
        gone(place, first)
        positions(place, first)
        overtaking(place, daemon)
        all_there_are(place)
        guests_end(place)
        daemon = returning(place, daemon, first)
        assert vcons.stop(daemon) == 0
    return 0


sys.exit(main())
