# SPDX-License-Identifier: MIT
"""vconsd under a service manager: what it is told, sockets that it made, its log's levels; the units themselves."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import vcons

UNITS = os.path.join(os.environ.get("VCONS_SOURCE", "."), "packaging/systemd")


class Manager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, place, abstract=False):
        self.path = os.path.join(place.root, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(vcons.WAIT_S)
        self.socket.bind("\0" + self.path[1:] if abstract else self.path)
        self.env = {"NOTIFY_SOCKET": "@" + self.path[1:] if abstract else self.path}

    def hear(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def hear_of(self, key):
        while True:
            heard = self.hear()
            if key in heard:
                return heard

    def nothing_more(self):
        self.socket.setblocking(False)
        try:
            while True:
                assert "WATCHDOG" not in self.hear()
        except BlockingIOError:
            pass


def told(place):
    """READY with the pid and a status; a reload; the end. No watchdog: no sign of life, and nobody is woken."""
    for abstract in (False, True):
        manager = Manager(place, abstract)
        daemon = place.daemon(extra_env=manager.env)
        ready = manager.hear()
        assert ready["READY"] == "1" and int(ready["MAINPID"]) == daemon.pid, ready
        assert re.fullmatch(r"\d+ consoles, 0 connected; 0 viewers", ready["STATUS"]), ready
        daemon.send_signal(signal.SIGHUP)
        reloading = manager.hear()
        assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000, reloading
        assert manager.hear()["READY"] == "1"
        assert vcons.stop(daemon) == 0
        assert manager.hear()["STOPPING"] == "1"
        manager.nothing_more()


def watched(place):
    """With a watchdog it speaks again and again, unless the variable is for another process."""
    manager = Manager(place)
    daemon = place.daemon(extra_env=dict(manager.env, WATCHDOG_USEC="100000"))
    manager.hear_of("READY")
    for _ in range(4):
        assert manager.hear() == {"WATCHDOG": "1", "STATUS": "0 consoles, 0 connected; 0 viewers"}
    os.kill(daemon.pid, signal.SIGSTOP)
    vcons.wait_for(lambda: open(f"/proc/{daemon.pid}/stat").read().rsplit(")")[1].split()[0] == "T", "its stop")
    manager.socket.setblocking(False)
    try:
        while True:
            manager.hear()
    except BlockingIOError:
        manager.socket.settimeout(vcons.WAIT_S)
    os.kill(daemon.pid, signal.SIGCONT)
    manager.hear_of("WATCHDOG")
    assert vcons.stop(daemon) == 0
    manager.hear_of("STOPPING")
    os.unlink(manager.path)
    other = Manager(place)
    daemon = place.daemon(extra_env=dict(other.env, WATCHDOG_USEC="1000", WATCHDOG_PID="1"))
    other.hear_of("READY")
    assert vcons.stop(daemon) == 0
    assert "STOPPING" in other.hear()


def sleeps(pid):
    """How often its threads have gone to sleep so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))
    return total


def waking(place):
    """A watchdog wakes an idle service once each half interval, all its threads together (W13); test_thousand.py: without one nothing does."""
    manager = Manager(place)
    daemon = place.daemon(extra_env=dict(manager.env, WATCHDOG_USEC="400000"))
    manager.hear_of("READY")

    def once_each():
        manager.hear_of("WATCHDOG")
        before = sleeps(daemon.pid)
        for _ in range(5):
            manager.hear_of("WATCHDOG")
        return 4 <= sleeps(daemon.pid) - before <= 6  # it may have been on its way to sleep, before and after

    vcons.wait_for(once_each, "one wakeup each half interval")  # at first there are timers of the start
    assert vcons.stop(daemon) == 0
    os.unlink(manager.path)


def hand_sockets(place, names, sockets, *args):
    """Start vconsd with these as its descriptors 3, 4, ..."""
    def arrange():
        vcons.die_with_parent()
        moved = [os.dup(s.fileno()) for s in sockets]
        moved = [os.dup2(fd, 100 + i) for i, fd in enumerate(moved)]
        for i, fd in enumerate(moved):
            os.dup2(fd, 3 + i, inheritable=True)

    command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", vcons.program("vconsd"), "--foreground", *args]
    env = {"LISTEN_FDS": str(len(sockets))}
    if names:
        env["LISTEN_FDNAMES"] = names
    return place.start(command, extra_env=env, preexec_fn=arrange, close_fds=False, stderr=subprocess.PIPE)


def activated(place):
    """Who connects before the service is there is served by it; its sockets stay when it goes."""
    for names in ("control.sock:link.sock:stray", None):
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stray = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for s, path in ((control, place.control), (link, place.link), (stray, place.control + ".stray")):
            s.bind(path)
            s.listen()
        early = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        early.settimeout(vcons.WAIT_S)
        early.connect(place.control)
        early.sendall(b'{"id":1,"op":"hello","version":1}\n')
        feeder = place.feeder("-n", "1")
        daemon = hand_sockets(place, names, [control, link, stray])
        assert b'"pid":%d' % daemon.pid in early.recv(4096)
        feeder.expect("served")
        feeder.ask("lines", 0, 5)
        sent = feeder.sent()
        vcons.stop(feeder.process, signal.SIGKILL)
        assert vcons.stop(daemon) == 0
        assert len(place.log_bytes("f0/hvc0")) >= sent[0] > 0
        assert b"none of ours" in daemon.stderr.read()
        again = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        again.connect(place.control)  # it is there, and nobody has taken its name away
        for s in (control, link, stray, early, again):
            s.close()
        for path in (place.control, place.link, place.control + ".stray"):
            os.unlink(path)
        shutil.rmtree(os.path.join(place.log, "f0"))


def levels(place):
    """What is said by level, with a prefix for the journal, dated in the background."""
    def said(path, *args, **env):
        with open(path, "wb") as f:
            stat = os.fstat(f.fileno())
            extra = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"} if env.get("journal") else {}
            daemon = place.daemon(*args, stderr=f, extra_env=extra)
            feeder = place.feeder("-n", "1")
            feeder.expect("served")
            feeder.process.stdin.close()
            feeder.process.wait(vcons.WAIT_S)
            assert vcons.stop(daemon) == 0
        with open(path) as f:
            return f.read()

    path = os.path.join(place.root, "said")
    assert said(path) == ""
    info = said(path, "--log-level", "info")
    assert re.search(r"^vconsd: hypervisor \S+ \(pid \d+\) is linked$", info, re.M) and "attached" not in info, info
    debug = said(path, "--log-level", "debug", journal=True)
    assert re.search(r"^<7>vconsd: f0/hvc0: attached, a line$", debug, re.M), debug
    assert re.search(r"^<6>vconsd: ended$", debug, re.M), debug
    bad = subprocess.run([vcons.program("vconsd"), "--log-level", "loud"], env=place.env, stderr=subprocess.PIPE)
    assert bad.returncode == 2 and b"expected error, warning" in bad.stderr
    subprocess.run([vcons.program("vconsd"), "--log-level", "info"], env=place.env, check=True)
    with vcons.Control(place.control) as c:
        os.kill(c.hello["pid"], signal.SIGTERM)
        pid = c.hello["pid"]
    vcons.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the end of it")
    with open(os.path.join(place.state, "vconsd.messages")) as f:
        assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info: vconsd: ended$", f.read(), re.M)


def units():
    """systemd finds nothing wrong with the units, and little that they leave open."""
    if not shutil.which("systemd-analyze"):
        print("not looked at: the units, for there is no systemd-analyze here")
        return
    with tempfile.TemporaryDirectory(prefix="vcons-units-") as root:
        system = os.path.join(root, "etc/systemd/system")
        shutil.copytree("/lib/systemd/system", os.path.join(root, "usr/lib/systemd/system"), symlinks=True)
        os.makedirs(system)
        os.makedirs(os.path.join(root, "usr/sbin"))
        os.makedirs(os.path.join(root, "bin"))
        shutil.copy("/bin/kill", os.path.join(root, "bin"))
        shutil.copy(vcons.program("vconsd"), os.path.join(root, "usr/sbin"))
        shutil.copy(os.path.join(UNITS, "vconsd.socket"), system)
        with open(os.path.join(UNITS, "vconsd.service.in")) as f, open(os.path.join(system, "vconsd.service"), "w") as to:
            to.write(f.read().replace("@sbindir@", "/usr/sbin"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--root=" + root, "vconsd.service", "vconsd.socket"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0 and "vconsd" not in done.stdout, done.stdout
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--root=" + root,
                               "vconsd.service"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout[-400:]


def main():
    for step in (told, watched, waking, activated, levels):
        with vcons.Place() as place:
            step(place)
    units()


main()
