# SPDX-License-Identifier: MIT
"""Who did what: the audit log's events, its mode, rotation, failures; users, groups and who is denied, each by a real second user."""
import collections
import grp
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys

import vcons

NOBODY = pwd.getpwnam("nobody").pw_uid
DAEMON = pwd.getpwnam("daemon").pw_uid


def configured(place, text):
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write(text)
    return ["--config", path]


def events(place, name="_audit.log"):
    with open(os.path.join(place.log, name)) as f:
        return [json.loads(line) for line in f]


def served(place, text, consoles=1):
    daemon = place.daemon(*configured(place, text))
    feeder = place.feeder("-n", str(consoles))
    feeder.expect("served")
    for d in (place.root, place.run):
        os.chmod(d, 0o755)
    return daemon, feeder


def type_in(c, text):
    c.send(vcons.IN, text)
    c.send(vcons.SYNC, b"x")
    while c.frame()[0] != vcons.SYNC:
        pass


def told(place):
    """An attach, the token, the first key, what came of it, by uid and pid; not what was typed."""
    daemon, _ = served(place, "")
    with vcons.Control(place.control) as c:
        c.attach("f0/hvc0", write="free")
        type_in(c, b"secret\r")
        type_in(c, b"more")
        with vcons.Control(place.control) as thief:
            thief.attach("f0/hvc0", write="steal")
            type_in(thief, b"x")
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    raw.connect(os.path.join(place.run, "consoles/f0/hvc0.sock"))
    vcons.wait_for(lambda: [e["event"] for e in events(place)].count("attach") == 3, "the third")
    raw.close()
    vcons.wait_for(lambda: [e["event"] for e in events(place)].count("detach") == 3, "the end of the third")
    with vcons.Control(place.control) as c:
        assert c.refusal("reset", domain="no\n\"such") == "no-such-domain"
        assert c.ask("status")["audit_failures"] == 0
    vcons.stop(daemon)
    have = events(place)
    me = {"uid": os.getuid(), "pid": os.getpid()}
    assert all(e[k] == v for e in have if e["event"] in ("attach", "write", "detach") for k, v in me.items()), have
    assert all(e["console"] == "f0/hvc0" for e in have if e["event"] in ("attach", "token", "write", "detach")), have
    order = [e["event"] for e in have]
    assert order[:7] == ["start", "attach", "token", "write", "attach", "token", "write"], order
    assert order[-2:] == ["request", "stop"] and have[-2]["of"] == 'no\n"such' and have[-2]["result"] == "no-such-domain"
    assert [e["typed"] for e in have if e["event"] == "detach"] == [1, 11, 0], have
    assert [e["from"] for e in have if e["event"] == "attach"] == ["control", "control", "socket"], have
    assert have[2]["who"] == have[1]["who"] and [e for e in have if e["event"] == "token"][-1]["who"] is None, have
    with open(os.path.join(place.log, "_audit.log")) as f:
        text = f.read()
    assert "secret" not in text
    path = os.path.join(place.log, "_audit.log")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640


def with_text(place):
    """Every byte of it, if that is wanted; rotated by a rename and SIGHUP; not at all, if not."""
    daemon, _ = served(place, "audit = text\n")
    typed = bytes(range(256))
    with vcons.Control(place.control) as c:
        c.attach("f0/hvc0", write="free")
        type_in(c, typed)
        path = os.path.join(place.log, "_audit.log")
        os.rename(path, path + ".1")
        daemon.send_signal(signal.SIGHUP)
        vcons.wait_for(lambda: os.path.exists(path), "a new one")
        type_in(c, b"after")
    vcons.stop(daemon)
    text = "".join(e["text"] for e in events(place, "_audit.log.1") if e["event"] == "text")
    assert text.encode("latin-1") == typed
    assert [e["text"] for e in events(place) if e["event"] == "text"] == ["after"]
    os.unlink(path)
    vcons.stop(place.daemon(*configured(place, "audit = no\n")))
    assert not os.path.exists(path)


def failing(place):
    """What cannot be written is counted and told; nobody is hindered; a link planted there is not followed."""
    path, target = os.path.join(place.log, "_audit.log"), os.path.join(place.root, "precious")
    with open(target, "w") as f:
        f.write("mine")
    os.symlink(target, path)
    daemon = place.daemon(stderr=subprocess.PIPE)
    with vcons.Control(place.control) as c:
        failed = c.ask("status")["audit_failures"]
        assert failed >= 1
        c.refusal("reset", domain="x")
        assert c.ask("status")["audit_failures"] == failed + 1
        os.unlink(path)
        daemon.send_signal(signal.SIGHUP)
        vcons.wait_for(lambda: os.path.exists(path), "a new one")
        c.refusal("reset", domain="y")
        assert c.ask("status")["audit_failures"] == failed + 1
    vcons.stop(daemon)
    said = daemon.stderr.read().decode()
    assert said.count("_audit.log") == 2 and "is written again" in said, said
    assert [e["event"] for e in events(place)] == ["request", "stop"]
    with open(target) as f:
        assert f.read() == "mine"


def outsiders(place):
    """Users and groups of a rule, who is denied, who is neither; each as that user. Refusals are bounded."""
    adm = grp.getgrnam("adm").gr_gid
    daemon, feeder = served(place, 'access "f0/*" { read = {"adm", "user:daemon"}  write = "group:adm"  deny = "user:nobody" }\n')
    feeder.ask("lines", 0, 5)

    def reads():
        with vcons.Control(place.control) as c:
            assert set(c.ls()) == {"f0/hvc0"}
            assert c.refusal("attach", console="f0/hvc0", write="free") == "not-allowed"
            assert c.refusal("stop", domain="f0") == "not-allowed"
            c.attach("f0/hvc0")
            c.read(5)

    def writes():
        with vcons.Control(place.control) as c:
            c.attach("f0/hvc0", write="free")
            type_in(c, b"k")

    def nothing():
        with vcons.Control(place.control) as c:
            assert c.ls() == {}
            for _ in range(100):
                assert c.refusal("attach", console="f0/hvc0") == "no-such-console"
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        raw.connect(os.path.join(place.run, "consoles/f0/hvc0.sock"))
        assert raw.recv(1) == b""

    reader = vcons.as_user(DAEMON, [], reads)
    writer = vcons.as_user(DAEMON, [adm], writes)
    vcons.as_user(NOBODY, [adm], nothing)
    vcons.as_user(DAEMON + 1, [], nothing)
    vcons.stop(daemon)
    have = events(place)
    assert [e["uid"] for e in have if e.get("pid") == reader and e["event"] == "attach"] == [DAEMON]
    assert [e["who"] for e in have if e["event"] == "write"] == [f"daemon (pid {writer})"]
    refused = [e for e in have if e["event"] == "refused"]
    assert refused[0]["what"] == "write" and refused[0]["who"] == f"daemon (pid {reader})", refused[0]
    assert {e["uid"] for e in refused} >= {DAEMON, NOBODY}
    seconds = collections.Counter(e["time"][:19] for e in have if e["event"] == "refused" or e.get("result") == "not-allowed")
    assert max(seconds.values()) <= 40, seconds  # twenty in each of its seconds, which are not the calendar's
    assert len(refused) + sum(e.get("left_out", 0) for e in have) <= 203


def rules(place):
    """What a rule may not say."""
    for text, expected in (('access "a/*" { read = "user:no-one-here" }', 'no such user'), ('access "a/*" { deny = {"adm", "nix-da"} }', 'no such group'),
                           ('access "a/*" { write = {' + ", ".join(['"adm"'] * 17) + "} }", "16 names at most"), ("audit = perhaps", "expected yes, no or text")):
        done = subprocess.run([vcons.program("vconsd"), "--check", *configured(place, "\n" + text + "\n")], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2 and "vconsd.conf:2: " in done.stderr and expected in done.stderr, (text, done.stderr)


def main():
    if os.geteuid() != 0:
        vcons.skip("only root can try it as another user")
    for step in (told, with_text, failing, outsiders, rules):
        with vcons.Place() as place:
            step(place)


main()
