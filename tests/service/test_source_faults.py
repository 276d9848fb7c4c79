# SPDX-License-Identifier: MIT
"""Sources that flap, and what fails around them: no descriptors for the service or for who starts its commands, commands that end at once,
sources taken away in the midst of an attempt, a service that is stopped and goes on. Each says why it is away, is back when it can be,
and of what was said nothing is missing that the kernel did not drop."""
import os
import random
import resource
import signal
import socket
import threading
import time

import vcons
from sources import configure, is_there, log_has, marks, said, type_to

FLAPS = 600 if vcons.LONG else 40  # ten a second are let in
EVERY = bytes(range(256)) * 40


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    s.bind(path)
    s.listen(10)
    return s


def wait_for_reason(c, name, words):
    """By a connection that is there already."""
    vcons.wait_for(lambda: words in (c.ls()[name]["reason"] or ""), f"{name}: {words}")


def flaps():
    """A peer that comes, says something and goes, a hundred times a second and more: they are let in more and more rarely, and all that they
    said is stored, in order, each behind a gap of its own. Another does not notice."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "sock")
        daemon = place.daemon("--config", configure(place, {"f/flap": f"unix-listen:{path}", "f/calm": f"unix-listen:{path}.calm"}))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as calm:
            vcons.wait_for(lambda: not calm.connect_ex(path + ".calm"), "the service")
            for i in range(FLAPS):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                    s.settimeout(vcons.WAIT_S)
                    s.connect(path)
                    s.sendall(b"%06d\n" % i)
                if i % 10 == 5:
                    calm.sendall(b"calm\n")
            vcons.wait_for(lambda: said(place, "f/flap").endswith(b"%06d\n" % (FLAPS - 1)), "the last", 120)
            log = said(place, "f/flap")
            numbers = [int(line) for line in log.splitlines()]
            with vcons.Control(place.control) as c:
                turned_away = c.ls()["f/flap"]["turned_away"]
            assert numbers == sorted(set(numbers)) and len(numbers) + turned_away == FLAPS, (len(numbers), turned_away)
            assert len([m for m in marks(place, "f/flap") if m[0] == "gap"]) < FLAPS
            assert log_has(place, "f/calm", 5 * (FLAPS // 10)) == b"calm\n" * (FLAPS // 10)
        assert vcons.stop(daemon) == 0


def exhaust(pid):
    """No descriptor more for that process, whose numbers have no hole below the limit; as it was is returned."""
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    free = min(set(range(len(used) + 1)) - used)
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
    return limits


def no_descriptors():
    """The service has none left to connect with: it says so, and connects when it has."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "guest")
        server = listen(path)
        daemon = place.daemon("--config", configure(place, {"f/guest": f"unix:{path}"}))
        peer = server.accept()[0]
        peer.sendall(b"before ")
        log_has(place, "f/guest", 7)
        with vcons.Control(place.control) as c:
            server.close()
            os.unlink(path)
            peer.close()
            wait_for_reason(c, "f/guest", "No such file")
            limits = exhaust(daemon.pid)
            server = listen(path)
            wait_for_reason(c, "f/guest", "Too many open files")
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
            peer = server.accept()[0]
            peer.sendall(EVERY)
            assert log_has(place, "f/guest", 7 + len(EVERY)) == b"before " + EVERY
        assert vcons.stop(daemon) == 0


def starter_of(daemon):
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as f:
        children = [int(pid) for pid in f.read().split()]
    for pid in children:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            if f.read() == "vconsd-starter\n":
                return pid
    raise AssertionError(children)


def attached(place, name):
    """How often; 0 as well where there is no log yet."""
    try:
        return len([m for m in marks(place, name) if m[0] == "attach"])
    except FileNotFoundError:
        return 0


def commands():
    """None that cannot be started: no terminal for it, no such program, one that ends at once; and no zombie stays."""
    with vcons.Place() as place:
        daemon = place.daemon()
        starter = starter_of(daemon)
        with vcons.Control(place.control) as c:
            limits = exhaust(starter)
            c.ask("source_add", name="f/late", source="command:echo started; exec cat")
            wait_for_reason(c, "f/late", "cannot be run: Too many open files")
            resource.prlimit(starter, resource.RLIMIT_NOFILE, limits)
            is_there(place, "f/late")
            assert log_has(place, "f/late", 9).startswith(b"started")
            c.ask("source_add", name="f/none", source="command:exec /no/such/program")
            wait_for_reason(c, "f/none", "status 127")
            c.ask("source_add", name="f/true", source="command:true")
            vcons.wait_for(lambda: attached(place, "f/true") >= 3, "further attempts")
            for name in ("none", "true", "late"):
                c.ask("source_remove", name=f"f/{name}")

        def children():
            with open(f"/proc/{starter}/task/{starter}/children", encoding="ascii") as f:
                return f.read().split()

        vcons.wait_for(lambda: not children(), "the last of them")
        assert vcons.stop(daemon) == 0


def removed():
    """In the midst of an attempt: a host that does not answer, a command that is being started, a name that is looked up."""
    with vcons.Place() as place, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port, waiting = server.getsockname()[1], []
        for _ in range(4):  # who comes now is not answered
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            waiting.append(s)
        daemon = place.daemon()
        sources = (f"tcp:127.0.0.1:{port}", f"tcp:localhost:{port}", "command:exec cat", f"unix-listen:{place.root}/sock",
                   f"unix:{place.root}/none")
        with vcons.Control(place.control) as c:
            def taken_away():
                c.ask("source_remove", name="f/x")
                vcons.wait_for(lambda: c.ls()["f/x"]["source"] is None, "its end")

            def descriptors():
                return len(os.listdir(f"/proc/{daemon.pid}/fd"))

            c.ask("source_add", name="f/x", source="command:exec cat")
            is_there(place, "f/x")  # from here on its log is open
            taken_away()
            before = descriptors()
            for i in range(60):
                c.ask("source_add", name="f/x", source=sources[i % len(sources)])
                taken_away()
            vcons.wait_for(lambda: descriptors() <= before + 4, "its descriptors")  # 60 attempts leave none behind
        vcons.wait_for(lambda: not os.path.exists(f"{place.root}/sock"), "the socket to go")
        for s in waiting:
            s.close()
        assert vcons.stop(daemon) == 0


def stopped():
    """The whole service stands still while a flood comes, and a while after: the flood waits, nothing of it is missing."""
    with vcons.Place() as place:
        path = os.path.join(place.root, "guest")
        server = listen(path)
        daemon = place.daemon("--config", configure(place, {"f/guest": f"unix:{path}"}))
        peer = server.accept()[0]
        peer.settimeout(vcons.WAIT_S * 3)
        text = random.Random(3).randbytes(8 << 20)
        sender = threading.Thread(target=peer.sendall, args=(text,))
        sender.start()
        for _ in range(10):
            daemon.send_signal(signal.SIGSTOP)
            time.sleep(0.02)
            daemon.send_signal(signal.SIGCONT)
            time.sleep(0.005)
        sender.join()
        assert log_has(place, "f/guest", len(text)) == text and [m[0] for m in marks(place, "f/guest")] == ["attach"]
        type_to(place, "f/guest", EVERY)
        assert vcons.read_exactly(peer, len(EVERY)) == EVERY
        assert vcons.stop(daemon) == 0


if __name__ == "__main__":
    for case in (flaps, no_descriptors, commands, removed, stopped):
        if os.environ.get("CASE", case.__name__) != case.__name__:
            continue
        begun = time.monotonic()
        case()
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
