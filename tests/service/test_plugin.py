#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A module of vconsd and its hub, with hub_module.c in the place of vcons-xen.so: eight rings that wake by one descriptor print
at once, each log exact; what is typed comes back; one ends for good; a module that cannot start is one clear error."""
import os
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


def refused(want, *args, **env):
    with vcons.Place() as place:
        r = subprocess.run([vcons.program("vconsd"), "--foreground", *args], env={**place.env, **env}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=vcons.WAIT_S, check=False)
        assert r.returncode == 1 and want in r.stderr and r.stderr.count("\n") == 1, (r.returncode, r.stderr)
        assert not os.path.exists(place.control)


def main():
    all_exact()
    without_module()
    refused("this is no dom0", "--xen", VCONS_LIBEXEC=MODULE, HUB_FAILS="1")


main()
