# SPDX-License-Identifier: MIT
"""Who may: sockets and logs tried as a user from outside (R40), groups of vconsd.conf (R13)."""
import grp
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import traceback

import vcons

NOBODY = 65534


def refused(path, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_UNIX, kind) as s:
        try:
            s.connect(path)
        except PermissionError:
            return
    raise AssertionError(f"{path} lets anybody in")


def opened(place):
    """The directories themselves made passable: the sockets' own modes are what is tested."""
    os.chmod(place.root, 0o755)
    os.chmod(place.run, 0o755)
    os.chmod(place.log, 0o755)
    for d in ("consoles", "consoles/f0", "consoles/f1"):
        os.chmod(os.path.join(place.run, d), 0o755)


def from_outside(place):
    daemon = place.daemon()
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    feeder.ask("lines", 0, 5)
    opened(place)

    def outside():
        refused(place.control)
        refused(place.link, socket.SOCK_SEQPACKET)
        refused(os.path.join(place.run, "consoles/f0/hvc0.sock"))
        refused(os.path.join(place.run, "consoles/f0/hvc0.ro.sock"))
        for d in ("f0", "f0/hvc0", "f0/hvc0/00000000000000000000.log"):
            assert not os.access(os.path.join(place.log, d), os.R_OK), d

    vcons.as_user(NOBODY, [], outside)
    vcons.stop(daemon)


def logs_of_group(place):
    """Whose group the log directory is (its set-group-ID bit says that it stays so) may read what comes in it."""
    adm = grp.getgrnam("adm").gr_gid
    os.chown(place.log, -1, adm)
    os.chmod(place.log, 0o2750)
    daemon = place.daemon()
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    feeder.ask("lines", 0, 5)
    os.chmod(place.root, 0o755)
    path = os.path.join(place.log, "f0/hvc0/00000000000000000000.log")
    vcons.wait_for(lambda: os.path.getsize(path) > 0, "a byte")

    def member():
        with open(path) as f:
            assert f.read(1)

    vcons.as_user(NOBODY, [adm], member)
    vcons.as_user(NOBODY, [], lambda: refused_file(path))
    vcons.stop(daemon)


def refused_file(path):
    try:
        open(path)
    except PermissionError:
        return
    raise AssertionError(f"anybody reads {path}")


def served_to_groups(place, options=""):
    """Two consoles, the first of which members of tty may read, and those of adm write."""
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write(options + 'access "f0/*" { read = "tty"  write = "adm" }\n')
    daemon = place.daemon("--config", path)
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    opened(place)
    return daemon, feeder


def groups(place):
    readers, writers = grp.getgrnam("tty").gr_gid, grp.getgrnam("adm").gr_gid
    daemon, _ = served_to_groups(place)

    def stranger():
        refused(place.link, socket.SOCK_SEQPACKET)
        with vcons.Control(place.control) as c:
            assert c.ls() == {}
            assert c.ask("status")["links"] == []  # nor whose hypervisors there are
            assert c.refusal("attach", console="f0", write="no") == "no-such-console"
            assert c.refusal("stop", domain="f0") == "not-allowed"
            assert c.refusal("stop", all=True) == "not-allowed"
            assert c.refusal("console_add", domain="f0", name="v1") == "not-allowed"
            assert c.refusal("resize", console="f0", rows=25, columns=80) == "no-such-console"
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(os.path.join(place.run, "consoles/f0/hvc0.ro.sock"))
        assert raw.recv(1) == b""  # shown the door

    def reader():
        with vcons.Control(place.control) as c:
            assert set(c.ls()) == {"f0/hvc0"}
            assert [l["name"] for l in c.ask("status")["links"]] == ["feeder"]
            assert c.refusal("attach", console="f1") == "no-such-console"
            assert c.refusal("attach", console="f0", write="free") == "not-allowed"
            assert c.refusal("resize", console="f0", rows=25, columns=80) == "not-allowed"
            c.attach("f0", "now")
            c.send(vcons.IN, b"typed")
            c.send(vcons.TOKEN, bytes([vcons.STEAL]))
            states = [c.token()[0] for _ in range(3)]
            assert vcons.YOURS not in states and states[-1] == vcons.REFUSED, states

    def writer():
        with vcons.Control(place.control) as c:
            assert c.ask("resize", console="f0", rows=25, columns=80)["console"] == "f0/hvc0"
            assert c.refusal("console_remove", domain="f0", name="hvc0") == "not-allowed"
            c.attach("f0", "now", write="free")
            assert c.token()[0] == vcons.YOURS
            c.send(vcons.IN, b"by group")
            c.send(vcons.SYNC)
            assert c.frame()[0] == vcons.SYNC

    vcons.as_user(NOBODY, [], stranger)
    vcons.as_user(NOBODY, [readers], reader)
    vcons.as_user(NOBODY, [writers], writer)
    with vcons.Control(place.control) as c:
        assert c.ls()["f0/hvc0"]["refused"] == 5
    vcons.stop(daemon)


def crowds(place):
    """One user's connections do not keep others out, nor all of theirs the logs from going on."""
    daemon, feeder = served_to_groups(place, 'segment_size = "64K"\n')

    def crowd():
        held = [vcons.Control(place.control) for _ in range(200)]
        for c in held[:100]:
            c.attach("f0", "now")
        for _ in range(56):
            raw = socket.socket(socket.AF_UNIX)
            raw.connect(os.path.join(place.run, "consoles/f0/hvc0.ro.sock"))
            held.append(raw)
        vcons.wait_for(lambda: held[199].ls()["f0/hvc0"]["viewers"] == 156, "all of them")
        assert turned_away(place)
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(os.path.join(place.run, "consoles/f0/hvc0.ro.sock"))
        assert raw.recv(1) == b""
        held[0].close()   # one that watched
        held[199].close()  # one that did not
        held[255].close()
        again = [vcons.wait_for(lambda: newcomer(place), "room after some left") for _ in range(3)]
        assert turned_away(place)
        with open(os.path.join(place.root, "full"), "w"):
            pass
        while not os.path.exists(os.path.join(place.root, "seen")):
            time.sleep(0.01)
        return again

    os.chmod(place.root, 0o777)
    child = os.fork()
    if child == 0:
        try:
            vcons.as_user(NOBODY, [grp.getgrnam("tty").gr_gid], crowd)
            os._exit(0)
        except BaseException:
            os._exit(1)
    vcons.wait_for(lambda: os.path.exists(os.path.join(place.root, "full")) or os.waitpid(child, os.WNOHANG) != (0, 0),
                   "the crowd", 60)
    with vcons.Control(place.control) as c: # ours are not his
        assert c.ls()["f0/hvc0"]["viewers"] >= 100
    with open(os.path.join(place.root, "seen"), "w"):
        pass
    assert os.waitpid(child, 0)[1] == 0
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["f0/hvc0"]["viewers"] == 0, "the crowd's leaving")
    vcons.as_user(NOBODY, [], lambda: vcons.Control(place.control).close())
    vcons.stop(daemon)


def all_of_us(place):
    """With 600 descriptors 100 clients are let in, whoever they are, and a log still gets its new segments."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
    daemon = place.daemon(preexec_fn=few)
    feeder = place.feeder("-n", "20")
    feeder.expect("served")
    held = [vcons.wait_for(lambda: newcomer(place), "a place") for _ in range(100)]
    assert turned_away(place)
    said = subprocess.run([vcons.program("vcons"), "ls", "--socket", place.control], stderr=subprocess.PIPE, text=True)
    assert said.returncode == 1 and "too many connections" in said.stderr, said
    for c in held[:90]:
        c.attach("f0", "now")
    for i in range(20):
        feeder.ask("lines", i, 5000)
    held[99].close()
    with vcons.wait_for(lambda: newcomer(place), "a place again") as c:
        vcons.wait_for(lambda: all(v["bytes"] == 400000 for v in c.ls().values()), "the last byte", 60)
        assert c.ask("status")["logs_failing"] == 0
    for c in held[:99]:
        c.close()
    place.check([400000] * 20)
    vcons.stop(daemon)


def newcomer(place):
    """A connection that was let in; None: none was to be had."""
    try:
        return vcons.Control(place.control)
    except (OSError, EOFError, KeyError, AssertionError, RuntimeError):
        return None


def turned_away(place):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(1)
        s.connect(place.control)
        try:
            answer = s.recv(4096)
        except TimeoutError:
            return False
        return b"too many connections" in answer


def in_child(action):
    """Run action in another process; its failure is ours."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def offer(place, domain, uuid, want):
    with vcons.Guest(place, name="other") as g:
        g.line()
        answer = g.add(domain, uuid=uuid)
        assert answer[:2] == want, answer


OK, OWNER = (vcons.Guest.OK, 0), (vcons.Guest.REFUSED, 4)


def names_kept(place):
    """A name belongs to the UUID that made it while its hypervisor lives, also if the service was killed meanwhile."""
    daemon = place.daemon()
    with vcons.Guest(place, "mine"):
        vcons.stop(daemon, signal.SIGKILL)
        daemon = place.daemon()
        in_child(lambda: offer(place, "mine", b"x" * 16, OWNER))
        in_child(lambda: offer(place, "mine", b"u" * 16, OK))  # the domain itself, moved to another process
    vcons.stop(daemon, signal.SIGKILL)
    for text in (b"", b"1 0", b"1 0 -1 " + b"75" * 16 + b"\n", b"\0" * 50, b"1 99 1 " + b"zz" * 16, b"9" * 5000):
        with open(os.path.join(place.state, "owners/mine"), "wb") as f:
            f.write(text)
        daemon = place.daemon()
        offer(place, "mine", b"y" * 16, OK)  # what is damaged says nothing
        assert vcons.stop(daemon) == 0
    daemon = place.daemon()
    offer(place, "mine", b"z" * 16, OK)  # nobody lives there but we
    assert vcons.stop(daemon) == 0


def names_of_users(place):
    """What root brought is root's, also for the next service, which is nobody's."""
    daemon = place.daemon()
    with vcons.Guest(place, "roots"):
        vcons.stop(daemon, signal.SIGKILL)
    for base in (place.root, place.run, place.state, place.log):
        for d, _, files in os.walk(base):
            for path in [d] + [os.path.join(d, f) for f in files]:
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    try:
        daemon = place.start([vcons.program("vconsd"), "--foreground"], user=NOBODY, group=NOBODY, extra_groups=[])
    except PermissionError:
        print("the programs are not for nobody: names of users were not tried")
        return
    vcons.wait_for(lambda: place.answers(daemon), "vconsd")
    vcons.as_user(NOBODY, [], lambda: offer(place, "roots", b"u" * 16, OWNER))
    vcons.as_user(NOBODY, [], lambda: offer(place, "theirs", b"u" * 16, OK))
    offer(place, "roots", b"u" * 16, OK)
    assert vcons.stop(daemon) == 0


def main():
    if os.geteuid() != 0:
        vcons.skip("only root can try it as another user")
    for case in (from_outside, logs_of_group, groups, crowds, all_of_us, names_kept, names_of_users):
        with vcons.Place() as place:
            case(place)
    return 0


sys.exit(main())
