# SPDX-License-Identifier: MIT
"""A console kept by one user for a time: who may type meanwhile, who is told, how it ends. Other users are real ones."""
import os
import pwd
import socket
import struct
import sys
import traceback

import vcons
from upgrades import upgrade

OTHER = pwd.getpwnam("daemon").pw_uid
FORM = struct.Struct("<QQ64s64s")  # struct vc_control_lease


def frame_of(c, kind):
    while True:
        got, payload = c.frame()
        if got == kind:
            return payload


def lease_of(c):
    since, until, who, note = FORM.unpack(frame_of(c, vcons.LEASE))
    return since, until, who.split(b"\0")[0].decode(), note.split(b"\0")[0].decode()


def state(c, want):
    while c.token()[0] != want:
        pass


class Other:
    """Another user's process, which does what it is told, one word a time."""

    def __init__(self, place, action):
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(vcons.WAIT_S)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.ours.close()
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(OTHER, OTHER, OTHER)
                action(place, theirs)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        theirs.close()

    def next(self):
        self.ours.sendall(b"g")
        assert self.ours.recv(1) == b"d", "the other user's part failed"

    def end(self):
        self.ours.close()
        assert os.waitpid(self.pid, 0)[1] == 0


def other_user(place, line):
    def step():
        line.sendall(b"d")
        assert line.recv(1) == b"g"
    assert line.recv(1) == b"g"
    with vcons.Control(place.control) as a, vcons.Control(place.control) as b:
        a.attach("f0", "now", write="free")  # leased by root
        state(a, vcons.REFUSED)
        _, until, who, note = lease_of(a)
        assert until > 0 and who == "root" and note == "new kernel", (who, note)
        for op in (vcons.REQUEST, vcons.STEAL):
            a.send(vcons.TOKEN, bytes([op]))
            state(a, vcons.REFUSED)
        a.send(vcons.IN, b"never")
        state(a, vcons.REFUSED)
        assert b.refusal("lease", console="f0", for_s=60, note="") == "not-allowed"
        assert b.refusal("lease", console="f0", for_s=0) == "not-allowed"
        b.attach("f0", "now", write="steal")
        state(b, vcons.REFUSED)
        step()  # root has ended it, and holds nothing
        assert lease_of(a)[1] == 0
        a.send(vcons.TOKEN, bytes([vcons.REQUEST]))
        state(a, vcons.YOURS)
        step()  # root has asked for it
        assert frame_of(a, vcons.ASKED).startswith(b"root (pid ")
        a.send(vcons.TOKEN, bytes([vcons.RELEASE]))
        step()  # root has leased it again
        assert lease_of(a)[1] > 0
        a.send(vcons.TOKEN, bytes([vcons.FORCE]))
        state(a, vcons.YOURS)
        assert lease_of(b)[1] > 0 and lease_of(b)[1] == 0
    line.sendall(b"d")


def two_users(place, feeder):
    other = Other(place, other_user)
    with vcons.Control(place.control) as ask, vcons.Control(place.control) as root:
        ok = ask.ask("lease", console="f0", for_s=3600, note="new kernel")
        lease = ask.ls()["f0/hvc0"]["lease"]
        assert lease["who"] == "root" and lease["uid"] == 0 and lease["note"] == "new kernel", lease
        assert abs(lease["until"] - lease["since"] - 3600) < 1e-3 and ok["until"] == lease["until"], lease
        other.next()
        root.attach("f0", "now", write="free")  # its own
        state(root, vcons.YOURS)
        root.send(vcons.TOKEN, bytes([vcons.RELEASE]))
        assert ask.ask("lease", console="f0", for_s=0)["until"] is None
        assert ask.ls()["f0/hvc0"]["lease"] is None
        other.next()
        root.send(vcons.TOKEN, bytes([vcons.REQUEST]))
        state(root, vcons.REFUSED)
        other.next()
        state(root, vcons.FREE)
        assert ask.refusal("lease", console="f0", for_s=60) is None
        other.next()
        state(root, vcons.OTHERS)
        assert ask.ls()["f0/hvc0"]["lease"] is None
    other.end()


def by_itself(place, feeder):
    """It ends when its time is over, without anybody's doing; a lease of one's own keeps nobody of oneself out."""
    with vcons.Control(place.control) as ask, vcons.Control(place.control) as a, vcons.Control(place.control) as b:
        a.attach("f1", "now", write="free")
        state(a, vcons.YOURS)
        ask.ask("lease", console="f1", for_s=1, note="")
        b.attach("f1", "now", write="steal")
        state(b, vcons.YOURS)
        vcons.wait_for(lambda: ask.ls()["f1/hvc0"]["lease"] is None, "its end")


def lease(place, name="f0/hvc0"):
    with vcons.Control(place.control) as c:
        return c.ls()[name]["lease"]


def outlives(place, daemon, *args):
    """Another service takes over, or comes after a death: it is as it was, for whom and for how long. What is over, or damaged, is none."""
    with vcons.Control(place.control) as ask, vcons.Control(place.control) as holder:
        holder.attach("f0", "now", write="free")
        ask.ask("lease", console="f0", for_s=3600, note="disk \u00e4, being changed")
        ask.ask("lease", console="f1", for_s=1, note="")
    was, short = lease(place), os.path.join(place.state, "leases", "f1,hvc0")
    assert was["note"] == "disk \u00e4, being changed" and os.path.exists(short), was
    daemon = upgrade(place, daemon, *args)
    assert lease(place) == was, (lease(place), was)
    with vcons.Control(place.control) as c:
        c.attach("f0", "now", write="free")
        state(c, vcons.YOURS)  # the lease is of the same user
        since, until, who, note = lease_of(c)
        assert who == was["who"] and note == was["note"] and abs(until - was["until"] * 1e9) < 1e6, (who, note, until)
    vcons.wait_for(lambda: lease(place, "f1/hvc0") is None, "the end of the short one")
    daemon.kill()
    daemon.wait()
    daemon = place.daemon(*args)
    assert lease(place) == was and not os.path.exists(short)
    kept = os.path.join(place.state, "leases", "f0,hvc0")
    with open(kept, "rb") as f:
        text = f.read()
    ends = (len(text) - 1, len(text) // 2, 9, 0)
    for damaged in [text[:n] for n in ends] + [b"2" + text[1:], text + b"x", b"1 0 1 99999999999999999999\n" + b"y" * 4096]:
        vcons.stop(daemon)
        with open(kept, "wb") as f:
            f.write(damaged)
        daemon = place.daemon(*args)
        assert lease(place) is None and not os.path.exists(kept), damaged
    return daemon


def nonsense(place):
    with vcons.Control(place.control) as c:
        for fields in ({}, {"for_s": -1}, {"for_s": 1e9}, {"for_s": "1h"}, {"for_s": 2592001}, {"for_s": 1, "note": 1},
                       {"for_s": 1, "note": "x" * 64}):
            assert c.refusal("lease", console="f0", **fields) == "bad-request", fields
        assert c.refusal("lease", for_s=1) == "bad-request"
        assert c.refusal("lease", console="none", for_s=1) == "no-such-console"
        c.ask("lease", console="f0", for_s=1, note="\x1b]0;x\x07" + "\u00e4" * 28)
        assert "\x1b" not in c.ls()["f0/hvc0"]["lease"]["note"]
        c.ask("lease", console="f0", for_s=0)


def main():
    with vcons.Place() as place:
        path = os.path.join(place.root, "vconsd.conf")
        with open(path, "w") as f:
            f.write('access "*" { read = "user:daemon"  write = "user:daemon" }\n')
        for d in (place.root, place.run):
            os.chmod(d, 0o755)
        daemon = place.daemon("--config", path)
        feeder = place.feeder("-n", "2")
        feeder.expect("served")
        by_itself(place, feeder)
        nonsense(place)
        if os.geteuid() == 0:
            two_users(place, feeder)
        daemon = outlives(place, daemon, "--config", path)
        assert vcons.stop(daemon) == 0
    if os.geteuid() != 0:
        vcons.skip("only root can be another user; the rest passed")
    return 0


sys.exit(main())
