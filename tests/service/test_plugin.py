#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A module of vconsd and its hub, with hub_module.c in the place of vcons-xen.so: eight rings that wake by one descriptor print
at once, each log exact; what is typed comes back; one ends for good; a module that cannot start is one clear error. A
pseudo-terminal of one goes on, over the service's end, with what nobody has read."""
import os
import signal
import subprocess

import vcons

MODULE = os.path.join(vcons.BUILD, "tests/service")
GUESTS, LINES = 8, 20000


def printed(n):
    return b"".join(b"c%d line %08d %041d\n" % (n, i, i * 7919 & 0xffffffff) for i in range(LINES))


def log_has(place, name, n):
    def look():
        try:
            data = place.log_bytes(name)
        except FileNotFoundError:
            return None
        return data if len(data) >= n else None
    return vcons.wait_for(look, f"{n} bytes of {name}")


def all_exact():
    with vcons.Place() as place:
        daemon = place.daemon("--xen", extra_env={"VCONS_LIBEXEC": MODULE})
        for i in range(GUESTS):
            want = printed(i)
            assert log_has(place, f"h/c{i}", len(want)) == want, f"the log of h/c{i}"
        with vcons.Control(place.control) as c:
            shown = c.ls()
            assert shown["h/c3"]["source"] == "ring" and shown["h/c3"]["engine"] == "hub", shown["h/c3"]
            assert all(shown[f"h/c{i}"]["state"] == "running" for i in range(GUESTS)), shown
        typed = bytes(97 + i % 26 for i in range(5000))
        with vcons.Control(place.control) as c:
            c.attach("h/c5", start="now", write="request")
            for at in range(0, len(typed), 1000):
                c.send(vcons.IN, typed[at:at + 1000])
            want = printed(5) + typed
            assert log_has(place, "h/c5", len(want)) == want, "what was typed"
        with vcons.Control(place.control) as c:
            c.attach("h/c2", start="now", write="request")
            c.send(vcons.IN, b"last words\x04")
            want = printed(2) + b"last words\x04"
            assert log_has(place, "h/c2", len(want)) == want, "last words"
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()["h/c2"]["state"] == "off", "the end of h/c2")
            assert c.ls()["h/c1"]["state"] == "running"
        requests(place)
        assert vcons.stop(daemon) == 0


def requests(place):
    """They reach the module as they are, and its answers whoever asked."""
    with vcons.Control(place.control) as c:
        for n, verb in enumerate(("console_add", "console_remove", "release", "attach_ring")):
            assert c.ask("xen", do=verb, domain="h", name="pv1") == {"text": f"{n} h 'pv1'"}, verb
        assert c.ask("xen", do="release", domain="h") == {"text": "2 h ''"}
        assert c.refusal("xen", do="release", domain="web") == "failed"
        for wrong in ({}, {"do": "release"}, {"do": "dance", "domain": "h"}, {"do": "release", "domain": "a/b"},
                      {"do": "console_add", "domain": "h", "name": "../x"}, {"do": "release", "domain": "h", "keep": True},
                      {"do": "console_add", "domain": "h", "keep": "yes"}):
            assert c.refusal("xen", **wrong) == "bad-request", wrong


def without_module():
    with vcons.Place() as place:
        place.daemon()
        with vcons.Control(place.control) as c:
            assert c.refusal("xen", do="release", domain="h") == "failed"


class Reader:
    """Somebody who has the terminal open, as xl console has."""

    def __init__(self, place, name):
        with vcons.Control(place.control) as c:
            self.fd = os.open(c.ls()[name]["tty"], os.O_RDWR | os.O_NOCTTY)

    def read_to(self, end, n):
        """All up to this, when it comes for the nth time; a test that waits for ever is ended by who runs it."""
        data = bytearray()
        while data.count(end) < n or not data.endswith(end):
            data += os.read(self.fd, 1 << 16)
        return bytes(data)


def not_yet_read():
    lines = 3000  # more than the kernel keeps
    life = printed(3)[:lines * 59]
    end = life[-59:]
    env = {"VCONS_LIBEXEC": MODULE, "HUB_LINES": str(lines)}

    def served(place, line, lives):
        daemon = place.daemon("--xen", extra_env={**env, "HUB_LINE": str(line)})
        assert log_has(place, "h/c3", lives * len(life)) == lives * life
        return daemon

    def read(place, n):
        """What the terminal has, which is to be n lives, by somebody who leaves then."""
        reader = Reader(place, "h/c3")
        got = reader.read_to(end, n)
        os.close(reader.fd)
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()["h/c3"]["viewers"] == 0, "the reader's end")
        return got

    with vcons.Place() as place:
        vcons.stop(served(place, 1, 1), signal.SIGKILL)  # nobody has opened it at all
        daemon = served(place, 1, 2)
        assert read(place, 2) == 2 * life, "what nobody had read"
        vcons.stop(daemon, signal.SIGKILL)
        daemon = served(place, 1, 3)
        assert read(place, 1) == life, "it begins where its reader had left"
        assert vcons.stop(daemon) == 0
        daemon = served(place, 1, 4)
        reader = Reader(place, "h/c3")
        assert reader.read_to(end, 1) == life
        vcons.stop(daemon, signal.SIGKILL)  # from under it: what it has read of late comes again, and all that follows
        os.close(reader.fd)
        vcons.stop(served(place, 1, 5), signal.SIGKILL)
        daemon = served(place, 2, 6)  # another guest of that name
        assert read(place, 1) == life, "it begins with its guest"
        vcons.stop(daemon, signal.SIGKILL)
        daemon = served(place, 1, 7)
        reader = Reader(place, "h/c3")
        got = b""
        while len(got) < 3 * len(life) or not got.endswith(end):  # the lives from the fifth on, behind some of the fourth
            got += os.read(reader.fd, 1 << 16)
        assert got == (4 * life)[-len(got):], len(got)
        os.close(reader.fd)
        assert vcons.stop(daemon) == 0


def refused(want, *args, **env):
    with vcons.Place() as place:
        r = subprocess.run([vcons.program("vconsd"), "--foreground", *args], env={**place.env, **env}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=vcons.WAIT_S, check=False)
        assert r.returncode == 1 and want in r.stderr and r.stderr.count("\n") == 1, (r.returncode, r.stderr)
        assert not os.path.exists(place.control)


def main():
    all_exact()
    not_yet_read()
    without_module()
    refused("this is no dom0", "--xen", VCONS_LIBEXEC=MODULE, HUB_FAILS="1")


main()
