# SPDX-License-Identifier: MIT
"""What fails around the service: stops and continues, storms of SIGHUP, no memory for one viewer, and in a core scenario (T7) one system call
after the other, and one allocation after the other, alone and with all behind it. It refuses to start and says why, or goes on; and what a log
holds afterwards is what was written."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

import vcons

# name: errno. What set-up and a session need; an errno that the call can have. Not
# epoll_ctl, where libuv aborts for want of memory; not read and write, which here are mostly of its pipes and cannot fail so.
CALLS = {"openat": "EMFILE", "mmap": "ENOMEM", "brk": "", "accept4": "EMFILE", "pwritev": "ENOSPC",
         "pwrite64": "EIO", "mkdirat": "ENOSPC", "recvmsg": "ENOMEM", "sendto": "ENOBUFS", "recvfrom": "ENOMEM", "fstat": "EIO", "fcntl": "EMFILE",
         "ftruncate": "EIO", "fallocate": "ENOSPC", "getdents64": "EIO", "bind": "EACCES", "listen": "EADDRINUSE", "socket": "EMFILE",
         "epoll_create1": "EMFILE", "eventfd2": "EMFILE", "timerfd_create": "EMFILE", "clone3": "EAGAIN", "statfs": "EIO", "renameat": "EIO",
         "chmod": "EPERM", "symlinkat": "ENOSPC", "io_setup": "EAGAIN", "prctl": "EINVAL", "unlinkat": "EIO"}
SHORT = [("openat", 12), ("openat", 30), ("mmap", 20), ("brk", 3), ("accept4", 1), ("pwritev", 1), ("recvmsg", 3), ("sendto", 2), ("sendto", 7), ("bind", 1)]
MOST = 40  # of one call, in the long run
MEMORY = [(3, False), (60, False), (130, False), (250, False), (20, True), (200, True)]
FAULTS = os.path.join(vcons.BUILD, "tests/service/fault_malloc.so")


def stopped(place):
    """SIGSTOP and SIGCONT under a flood: nothing is missing, and nobody is thrown out."""
    daemon = place.daemon()
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    with vcons.Control(place.control) as c:
        c.attach("f0/hvc0")
        feeder.say("go")
        got = 0
        for _ in range(5):
            os.kill(daemon.pid, signal.SIGSTOP)
            vcons.wait_for(lambda: state(daemon.pid) == "T", "its stop")
            os.kill(daemon.pid, signal.SIGCONT)
            offset, data = c.out()
            assert offset == got
            got += len(data)
        sent = feeder.sent("stop")
        while got < sent[0]:
            offset, data = c.out()
            assert offset == got
            got += len(data)
    vcons.stop(daemon)
    place.check(sent)


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")")[1].split()[0]


def storm(place):
    """A thousand SIGHUPs while a flood is stored, a viewer looks on and one types."""
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write(f'text {{ directory = "{place.root}/text" }}\n')
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "2", "--lines", "20000")
    feeder.expect("served")
    feeder.say("go")
    with vcons.Control(place.control) as c:
        c.attach("f1/hvc0", write="free")
        for i in range(1000):
            daemon.send_signal(signal.SIGHUP)
            if i % 100 == 0:
                c.send(vcons.IN, b"x")
        c.send(vcons.SYNC, b"s")
        while c.frame()[0] != vcons.SYNC:
            pass
    feeder.expect("finished")
    sent = feeder.sent("stop")
    text = os.path.join(place.root, "text/guest-f0-hvc0.log")
    vcons.wait_for(lambda: os.path.exists(text) and os.path.getsize(text) >= sent[0], "the text file")
    assert vcons.stop(daemon) == 0
    place.check(sent)
    with open(text, "rb") as f:
        assert f.read().count(b"\n") >= sent[0] // 80


def no_memory(place):
    """The address space is used up by viewers' requests: those are refused, or let in; logs go on, and so do those who were there."""
    daemon = place.daemon()
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    feeder.ask("lines", 0, 10)
    there = vcons.Control(place.control)
    there.attach("f0/hvc0")
    first = there.read(80)
    with open(f"/proc/{daemon.pid}/statm") as f:
        size = int(f.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.prlimit(daemon.pid, resource.RLIMIT_AS, (size + (256 << 10), resource.RLIM_INFINITY))
    clients, refused = [], 0
    for _ in range(400):
        try:
            c = vcons.Control(place.control)
            clients.append(c)
            c.attach("f0/hvc0")
        except (OSError, EOFError, vcons.ControlError):
            refused += 1
    feeder.ask("lines", 0, 1000)
    sent = feeder.sent("stop")
    got = len(first)
    while got < sent[0]:
        got += len(there.out()[1])
    assert refused > 0 and daemon.poll() is None, refused
    resource.prlimit(daemon.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for c in clients:
        c.close()
    vcons.wait_for(lambda: place.answers(daemon), "an answer")
    there.close()
    assert vcons.stop(daemon) == 0
    place.check(sent)


def descriptors(daemon):
    return {int(fd) for fd in os.listdir(f"/proc/{daemon.pid}/fd")}


def segments(place, name):
    return sum(f.endswith(".idx") for f in os.listdir(os.path.join(place.log, name)))


def fill(place, clients):
    """Connect until nobody is let in any more."""
    try:
        while True:
            clients.append(vcons.Control(place.control))
    except (OSError, EOFError, vcons.ControlError):
        pass


def no_descriptors(place):
    """All are used up while a log needs a new segment for each 64 KiB: nobody is let in, guests write on and who looks on sees it all. Then there
    are some again, and nothing is missing."""
    config = os.path.join(place.root, "small.conf")
    with open(config, "w") as f:
        f.write('segment_size = "64K"\n')
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    with vcons.Control(place.control) as there:
        there.attach("f0/hvc0")
        feeder.ask("lines", 0, 10)
        assert there.read(800) == vcons.pattern(0, 0, 10)
        clients, hard = [], resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (max(descriptors(daemon)) + 1, hard))
        fill(place, clients)
        feeder.ask("lines", 0, 2500)  # three segments more, in one that may have four
        assert there.read(2500 * 80) == vcons.pattern(0, 10, 2500)
        fill(place, clients)  # what was closed meanwhile
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        for c in clients:
            c.close()
        vcons.wait_for(lambda: place_answers(place), "an answer")
        feeder.ask("lines", 1, 3000)
        vcons.wait_for(lambda: (feeder.ask("lines", 0, 10), segments(place, "f0/hvc0"))[1] > 1, "a new segment")
        sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    place.check(sent)


def configured(place):
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        f.write(f'text {{ directory = "{place.root}/text" }}\nconsole "s/tty" {{ source = "unix:{place.root}/tty" }}\n')
    return ["--config", path]


class Other:
    """The other side of a console by a socket: numbered lines for whoever connects."""

    def __init__(self, place):
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(os.path.join(place.root, "tty"))
        self.server.listen()
        self.server.settimeout(1)

    def say(self):
        peer, _ = self.server.accept()
        peer.sendall(b"".join(b"%078d\n" % i for i in range(100)))
        return peer


def session(place, daemon):
    """The core scenario, as far as it gets: True if it got to its end. Nobody's failure but a crash of the service is one here."""
    feeder, other, peer, done = place.feeder("-n", "1"), Other(place), None, False
    try:
        vcons.wait_for(lambda: daemon.poll() is not None or place_answers(place), "vconsd", 5)
        if daemon.poll() is None:
            peer = other.say()
            feeder.say("lines", 0, 200)
            with vcons.Control(place.control, 1) as c:
                c.ls()
                c.ask("source_add", name="t/tty", source=f"unix-listen:{place.root}/listen")
                c.ask("source_remove", name="t/tty")
                c.attach("f0/hvc0", write="free", marks=True)
                c.send(vcons.IN, b"key")
                c.read(80)
            daemon.send_signal(signal.SIGHUP)
            done = place_answers(place) and bool(feeder.ask("sent"))
    except (OSError, EOFError, TimeoutError, vcons.ControlError):
        pass
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
    code = daemon.wait(vcons.WAIT_S)
    feeder.process.kill()
    feeder.process.wait()
    other.server.close()
    if peer:
        peer.close()
    return code, done


def place_answers(place):
    try:
        with vcons.Control(place.control, 1):
            return True
    except (OSError, EOFError, vcons.ControlError):
        return False


def kept_by(place, name):
    path = os.path.join(place.log, name)
    return place.log_bytes(name) if os.path.isdir(path) and any(f.endswith(".log") for f in os.listdir(path)) else b""


def goes_on(place, what):
    """What there is after a fault a service without faults goes on with: of what was written nothing is changed."""
    before = {name: kept_by(place, name) for name in ("f0/hvc0", "s/tty")}
    again = place.daemon(*configured(place))
    feeder = place.feeder("-n", "1", "--prefix", "g")
    feeder.expect("served")
    feeder.ask("lines", 0, 5)
    more = feeder.sent("stop")
    assert vcons.stop(again) == 0, what
    place.check(more, prefix="g")
    for name, was in before.items():
        assert kept_by(place, name) == was, what
        lines = was.split(b"\n")
        assert all(len(line) == (79 if name[0] == "f" else 78) for line in lines[1:-1]), (what, name)


def complained(said):
    return any(line.startswith("vconsd: ") for line in said.splitlines())


def injected(call, error, when):
    """One fault. Whether it came: a run without it has fewer such calls."""
    fault = f"error={error}" if error else "retval=0"  # brk(2) itself has no errno: it says where the break is
    with vcons.Place() as place:
        trace = os.path.join(place.root, "trace")
        daemon = place.start(["strace", "-D", "-f", "-qq", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}",
                              vcons.program("vconsd"), "--foreground", *configured(place)], stderr=subprocess.PIPE,
                             extra_env={"VCONS_SANDBOX": "log"})
        code, _ = session(place, daemon)
        said = daemon.stderr.read().decode(errors="replace")
        what = f"{call} number {when} fails with {fault}: exit {code}: {said}"
        loader = code == 127 and not complained(said)  # before anything of ours
        assert loader or code == 0 or (code in (1, 2) and complained(said)), what
        vcons.wait_for(lambda: os.path.exists(trace), "the trace")
        with open(trace) as f:
            came = "(INJECTED)" in f.read()
        goes_on(place, what)
        return came


def without_memory(at, for_all):
    """The allocation of that number fails, or all from there on. Whether there were so many."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "came")
        env = {"LD_PRELOAD": FAULTS, "VCONS_FAULT_AT": str(at), "VCONS_FAULT_FILE": path}
        if for_all:
            env["VCONS_FAULT_ALL"] = "1"
        daemon = place.start([vcons.program("vconsd"), "--foreground", *configured(place)], stderr=subprocess.PIPE, extra_env=env)
        code, _ = session(place, daemon)
        said = daemon.stderr.read().decode(errors="replace")
        what = f"allocation {at}{' and all behind' if for_all else ''}: exit {code}: {said}"
        assert code == 0 or (code in (1, 2) and complained(said)), what
        goes_on(place, what)
        return os.path.getsize(path) > 0


def traced():
    if not shutil.which("strace"):
        return "there is no strace"
    done = subprocess.run(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=chdir:error=EIO", "true"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return None if done.returncode == 0 and not done.stderr else "nobody may trace here"


def calls():
    why = traced()
    if why:
        print("not tried: faults of system calls, for", why)
        return
    if not vcons.LONG:
        for call, when in SHORT:
            injected(call, CALLS[call], when)
        return
    n = 0
    for call, error in CALLS.items():
        when = 20 if call == "mmap" else 1  # the dynamic loader's own come first, and it may crash
        while when <= MOST and injected(call, error, when):
            n, when = n + 1, when + 1
    print(n, "faults of system calls")


def allocations():
    if not vcons.LONG:
        for at, for_all in MEMORY:
            without_memory(at, for_all)
        return
    for for_all in (False, True):
        n = 1
        while without_memory(n, for_all):
            n += 1
        print(n - 1, "faults of allocations", "with all behind" if for_all else "")


def main():
    for step in (stopped, storm, no_memory, no_descriptors):
        with vcons.Place() as place:
            step(place)
    calls()
    allocations()


sys.exit(main())
