# SPDX-License-Identifier: MIT
"""The terminal of a hypervisor with three domains, taken apart: each domain's lines, keys for it alone, and nothing lost or doubled
by who is killed."""
import json
import os
import re
import signal
import subprocess
import sys

from hypervisor import domain
from vcons import IN, SYNC, Control, Place, program, stop, wait_for

DOMAINS = {1: "web", 2: "db", 3: "io"}
OWN = {n: name + "/hvc0" for n, name in DOMAINS.items()}
CONFIG = domain("web", "spew 100 60") + domain("db", "spew 150 60") + domain("io", "spew 50 60", console=("hvc0", "console_io"))
PROMPT = b"tiny> "


def log(place, name):
    try:
        return place.log_bytes(name)
    except FileNotFoundError:
        return b""


def own(place, n):
    """What domain n said, but for what the terminal cannot show of it: see shown."""
    return log(place, OWN[n])


def shown(place, n):
    return log(place, f"test/d{n}")


def plain(said):
    """Where another's line, or a change of focus, comes in the middle of one, the hypervisor ends it: who has the focus gets a LF
    more, where the guest's own have a CR before, a prompt without the focus becomes a line."""
    return re.sub(rb"(?<!\r)\n", b"", said.replace(PROMPT + b"\r\n", PROMPT))


def same(place, n):
    a, b = plain(own(place, n)), plain(shown(place, n))
    return a == b or a == b + PROMPT  # a line without an end waits for the focus


def all_same(place):
    for n in DOMAINS:
        try:
            wait_for(lambda: same(place, n), f"d{n}")
        except TimeoutError:
            print(f"d{n} said {plain(own(place, n))[-600:]!r}\n\nnot {plain(shown(place, n))[-600:]!r}", file=sys.stderr)
            raise


def hypervisor(place):
    path = os.path.join(place.root, "test.conf")
    with open(path, "w") as f:
        f.write(CONFIG)
    vmm = place.start([program("vcons"), "run", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: all(own(place, n).endswith(PROMPT) for n in DOMAINS), "three prompts")
    return vmm


def demux(place, *args):
    return place.start([program("vcons"), "demux", *args, "test/console"])


def writer(place, n):
    c = Control(place.control)
    c.attach(f"test/d{n}", start="now", write="free")
    return c


def each_has_its_own(place):
    d = demux(place)
    all_same(place)
    wait_for(lambda: b"*** Serial input to DOM1" in log(place, "test/hypervisor"), "the notice of the focus")
    for n in DOMAINS:
        assert not re.search(rb"\(d\d\) |\*\*\*", shown(place, n)), n
        assert own(place, n).count(b"\n") > 50
    return d


def keys_reach_one(place):
    writers = {n: writer(place, n) for n in DOMAINS}
    for i in range(1):
        for n in (2, 1, 3):
            writers[n].send(IN, b"echo round-%d-for-%d\r" % (i, n))
            wait_for(lambda: b"\nround-%d-for-%d\r\n" % (i, n) in own(place, n), f"what was typed for d{n}")
    for n, c in writers.items():  # all at once
        c.send(IN, b"echo \x01\x01\x01at-once-for-%d\r" % n)
    for n in DOMAINS:
        wait_for(lambda: b"at-once-for-%d\r\n" % n in own(place, n), f"what was typed for d{n} at once")
    for n in DOMAINS:
        for other in DOMAINS:
            assert (b"-for-%d" % other in own(place, n)) == (n == other), (n, other, own(place, n)[-600:])
    for c in writers.values():
        c.close()
    all_same(place)


def token_is_asked_for(place):
    """Somebody types to the line itself: ours do not go there meanwhile, and go again afterwards."""
    wait_for(lambda: not holder(place), "the token back")
    with Control(place.control) as line:
        line.attach("test/console", start="now", write="steal")
        line.send(IN, b"\x01")  # it is ours now
        line.send(SYNC, b"x")
        c = writer(place, 2)
        c.send(IN, b"echo never-sent\r")
        wait_for(lambda: "not sent: somebody else writes" in place.said(), "the message")
    c.send(IN, b"echo sent-later\r")
    wait_for(lambda: b"\nsent-later\r\n" in own(place, 2), "what was typed later")
    c.close()
    for n in DOMAINS:
        assert b"never-sent" not in own(place, n)


def holder(place):
    with Control(place.control) as c:
        return c.ls()["test/console"]["writer"]


def killed_and_back(place, d, daemon):
    for i in range(3):
        with Control(place.control) as c:
            c.attach("db/hvc0", start="now", write="steal")
            c.send(IN, b"spew %d 60\r" % (100 + i))
            if i == 0:
                wait_for(lambda: b" %d " % (20 + i) in shown(place, 2)[-2000:] or same(place, 2), "some of it")
        if i == 2:
            stop(daemon, signal.SIGKILL)
            daemon = place.daemon()
        else:
            stop(d, signal.SIGKILL if i == 0 else signal.SIGTERM)
            d = demux(place)
        wait_for(lambda: own(place, 2).endswith(PROMPT), "the spew's end")
        all_same(place)
    return d, daemon


def first_kept(place):
    names = os.listdir(os.path.join(place.log, "test/console"))
    return min(int(n[:20]) for n in names if n[0].isdigit() and ".log" in n)


def offset_kept(place):
    try:
        with open(os.path.join(place.state, "demux.test.console.json")) as f:
            return json.load(f)["offset"]
    except FileNotFoundError:
        return 0


def beginning_goes(place):
    """The beginning of the line's log is kept no longer: what was remembered of it is enough."""
    conf = os.path.join(place.root, "vconsd.conf")
    with open(conf, "w") as f:
        f.write('console "test/console" { keep_size = "128K" segment_size = "64K" pin_boot = 0 }\n')
    place.daemon("--config", conf)
    vmm = hypervisor(place)
    d = demux(place)
    all_same(place)
    with Control(place.control) as c:
        c.attach("web/hvc0", start="now", write="steal")
        while first_kept(place) == 0:  # in steps: what is gone before it was read is gone
            length = len(own(place, 1))
            c.send(IN, b"spew 400 60\r")  # it has the focus: as fast as it can
            wait_for(lambda: len(own(place, 1)) > length + 400 * 60 and own(place, 1).endswith(PROMPT), "all of it")
            wait_for(lambda: same(place, 1), "d1")
        wait_for(lambda: offset_kept(place) > first_kept(place), "what is remembered")
        stop(d, signal.SIGKILL)
        length = len(own(place, 1))
        c.send(IN, b"spew 100 60\r")
        wait_for(lambda: len(own(place, 1)) > length + 100 * 60 and own(place, 1).endswith(PROMPT), "what is said meanwhile")
        d = demux(place)
        all_same(place)
        c.send(IN, b"echo end\r")
        wait_for(lambda: b"\nend\r\n" in shown(place, 1), "what is said now")
    all_same(place)
    assert first_kept(place) > 0
    stop(d)
    stop(vmm)


def main():
    with Place() as place:
        beginning_goes(place)
    with Place() as place:
        errors = os.path.join(place.root, "demux.err")
        place.said = lambda: open(errors).read()
        start = place.start
        daemon = place.daemon()
        vmm = hypervisor(place)
        place.start = lambda argv, **kw: start(argv, **(kw | {"stderr": open(errors, "a")} if "demux" in argv else kw))
        d = each_has_its_own(place)
        keys_reach_one(place)
        token_is_asked_for(place)
        d, daemon = killed_and_back(place, d, daemon)
        assert d.poll() is None, place.said()
        assert stop(d) == 128 + signal.SIGTERM
        stop(vmm)


main()
