# SPDX-License-Identifier: MIT
"""Consoles that a user adds to, and takes from, a domain that runs: what the guest sees, what each log has, who hears of it; and
the sizes that the guest is told. Ports of two virtio devices of a tiny on the process engine."""
import json
import os
import random
import re
import struct
import subprocess
import sys

import spew
import vcons
from hypervisor import log_of
from tiny_scenario import compare

PROMPT = b"tiny> "
CONFIG = """hypervisor { name = "hot" console = none }
domain "web" { kernel = "tiny" engine = process memory = 16M hold = forever cmdline = "quiet"
    console "hvc0" { type = xen }
    console "v0" { type = virtio device = 0 }
    console "w0" { type = virtio device = 1 }
}
"""


def command(place, *argv, status=0):
    r = subprocess.run([vcons.program("vcons"), *argv], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == status, (argv, r)
    return r.stdout if status == 0 else r.stderr.decode()


def prompt(place, name, n=1):
    vcons.wait_for(lambda: log_of(place, f"web/{name}").count(PROMPT) >= n and log_of(place, f"web/{name}").endswith(PROMPT),
                   f"prompt {n} at {name}: {log_of(place, 'web/' + name)[-200:]}")


def asked(place, words):
    """What the guest answers on its first console."""
    before = len(log_of(place, "web/hvc0"))
    command(place, "send", "--steal", "web", words)
    vcons.wait_for(lambda: log_of(place, "web/hvc0")[before:].count(PROMPT) == 1, f"the answer to {words}")
    return log_of(place, "web/hvc0")[before:].decode()


def ports(place):
    """name -> (terminal's number, columns, rows) of all consoles of virtio that the guest has."""
    text = asked(place, "consoles")
    assert not re.search(r"violations [1-9]", text) and not re.search(r"refused [1-9]", text), text
    return {name: (int(n), int(c), int(r)) for name, n, c, r in
            re.findall(r"name (\S+), guest_connected 1.*is_console yes, console_vtermno (\d+), hvc\d+, size (\d+)x(\d+)", text)}


def come_and_go(place):
    told = json.loads(command(place, "console", "add", "web", "v1", "--json"))
    assert told["name"] == "web/v1" and told["door"] == "virtio" and told["hypervisor"] == "hot", told
    prompt(place, "v1")
    assert {name: n for name, (n, _, _) in ports(place).items()} == {"v0": 1, "w0": 2, "v1": 3}
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["web/v1"]["guest"] == "open", "the guest's end")
    command(place, "send", "web/v1", "spew 300 50")
    first = PROMPT + b"spew 300 50\r\n" + spew.lines(300, 50) + PROMPT
    prompt(place, "v1", 2)
    assert log_of(place, "web/v1") == first
    viewer = place.start([vcons.program("vcons"), "attach", "--from", "start", "web/v1"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    command(place, "send", "--steal", "web/v1", "spew 100000000 50")  # goes on while it is taken away
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["web/v1"]["bytes"] > len(first) + 10000, "the flood")
    command(place, "console", "remove", "web", "v1")
    seen, said = viewer.communicate(timeout=vcons.WAIT_S)
    log = command(place, "log", "--raw", "web/v1")
    assert viewer.returncode == 6 and b"web/v1 has ended" in said, (viewer.returncode, said[-300:])
    assert seen.replace(b"\r", b"") == log.replace(b"\r", b""), (len(seen), len(log))
    compare("web/v1", log, (first + b"spew 100000000 50\r\n" + spew.lines(len(log) // 50, 50))[:len(log)])
    assert {name: n for name, (n, _, _) in ports(place).items()} == {"v0": 1, "w0": 2}
    command(place, "console", "add", "web", "v1", "--device", "1")  # its log goes on, wherever it comes
    vcons.wait_for(lambda: log_of(place, "web/v1") == log + PROMPT, "the prompt of the new one")
    assert ports(place)["v1"][0] == 3, "the lowest number that is free"


def refusals(place):
    for status, says, argv in [(1, 'there is a console "v0" already', ["console", "add", "web", "v0"]),
                               (1, "there is no virtio device 2", ["console", "add", "web", "x", "--device", "2"]),
                               (1, "it is of type xen", ["console", "remove", "web", "hvc0"]),
                               (3, "web has no console x", ["console", "remove", "web", "x"]),
                               (1, "has no size: its door is xen", ["resize", "web", "80x25"])]:
        text = command(place, *argv, status=status)
        assert says in text and text.count("\n") == 1, text


def sizes(place):
    def is_now(name, columns, rows):
        vcons.wait_for(lambda: ports(place)[name][1:] == (columns, rows), f"{name} to be {columns}x{rows}")

    command(place, "resize", "web/v0", "132x43")
    is_now("v0", 132, 43)
    with vcons.Control(place.control) as c:
        c.attach("web/w0", "now", write="free")
        c.send(vcons.RESIZE, struct.pack("<HH", 33, 101))
        is_now("w0", 101, 33)
        c.send(vcons.RESIZE, struct.pack("<HH", 34, 102))
        is_now("w0", 102, 34)
    is_now("w0", 102, 34)
    command(place, "console", "add", "web", "sized")
    prompt(place, "sized")
    command(place, "resize", "web/sized", "77x22")
    is_now("sized", 77, 22)
    command(place, "console", "remove", "web", "sized")


def named_port(place):
    command(place, "console", "add", "--port", "web", "agent")
    with vcons.Control(place.control) as c:
        assert c.ls()["web/agent"]["door"] == "virtio-port"
        assert "no such port" not in asked(place, "port agent open")
        vcons.wait_for(lambda: c.ls()["web/agent"]["guest"] == "open", "its end to be open")
        asked(place, "port agent send out of it")
        vcons.wait_for(lambda: log_of(place, "web/agent") == b"out of it", "what it sent")
        asked(place, "port agent close")
        vcons.wait_for(lambda: c.ls()["web/agent"]["guest"] == "closed", "its end to be closed")
    command(place, "console", "remove", "web", "agent")
    assert "no such port" in asked(place, "port agent read")


def held(pid):
    with open(f"/proc/{pid}/status") as f:
        threads = next(int(line.split()[1]) for line in f if line.startswith("Threads:"))
    return len(os.listdir(f"/proc/{pid}/fd")), threads


def a_hundred_times(place, vmm, daemon):
    rng = random.Random(1122)
    names = {"a": 0, "b": 1, "c": 1}
    there, logs = {}, dict.fromkeys(names, b"")
    before = None
    with vcons.Control(place.control) as c:
        for i in range(106):
            if i == 6:  # each was there: its log stays open
                vcons.wait_for(lambda: all(c.ls()["web/" + n]["source"] is None for n in names), "the end of the lines")
                before = held(vmm.pid), held(daemon.pid)
            name = "abc"[i // 2] if i < 6 else rng.choice(list(names))
            if there.get(name):
                c.ask("console_remove", domain="web", name=name)
            else:
                c.ask("console_add", domain="web", name=name, device=names[name])
                word = b"echo %s-%d" % (name.encode(), i)
                with vcons.Control(place.control) as v:
                    v.attach(f"web/{name}", "now", write="free")
                    v.send(vcons.IN, word + b"\r")
                    v.send(vcons.SYNC)
                    while v.frame()[0] != vcons.SYNC:
                        pass
                logs[name] += PROMPT + word + b"\r\n" + word[5:] + b"\r\n" + PROMPT
                vcons.wait_for(lambda: log_of(place, f"web/{name}") == logs[name],
                               f"{logs[name][-60:]} at the end of {log_of(place, 'web/' + name)[-200:]}")
            there[name] = not there.get(name)
        for name in names:
            if there.get(name):
                c.ask("console_remove", domain="web", name=name)
    vcons.wait_for(lambda: held(vmm.pid) <= before[0] and held(daemon.pid) <= before[1],
                   f"{before}, not {held(vmm.pid)}, {held(daemon.pid)}")
    for name, log in logs.items():
        assert log_of(place, f"web/{name}") == log, name
    assert {name: n for name, (n, _, _) in ports(place).items()} == {"v0": 1, "w0": 2, "v1": 3}


def told_to_the_next_service(place, daemon):
    """Which ends the guest has open, though it does nothing: v0 of a console, one port opened and one not."""
    names = {"v0": "open", "agent": "open", "other": "closed", "hvc0": None}
    for name in ("agent", "other"):
        command(place, "console", "add", "--port", "web", name)
    assert "no such port" not in asked(place, "port agent open")
    assert vcons.stop(daemon) == 0
    daemon = place.daemon()

    def ends(c):
        there = c.ls()
        return {name: there[f"web/{name}"]["guest"] for name in names if f"web/{name}" in there}
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: ends(c) == names, f"the guest's ends: {ends(c)}")
    for name in ("agent", "other"):
        command(place, "console", "remove", "web", name)
    return daemon


def over_a_reset(place):
    """What came stays, and what is typed to it arrives."""
    at = len(log_of(place, "web/v1"))
    command(place, "reset", "web")
    vcons.wait_for(lambda: log_of(place, "web/v1")[at:] == PROMPT, "the prompt of the next boot")
    prompt(place, "hvc0")
    vcons.wait_for(lambda: {"v0", "w0", "v1"} == set(ports(place)), "all three")
    command(place, "send", "--steal", "web/v1", "echo still here")
    vcons.wait_for(lambda: log_of(place, "web/v1").endswith(b"still here\r\n" + PROMPT), "an answer")


def main():
    with vcons.Place() as place:
        path = os.path.join(place.root, "hot.conf")
        with open(path, "w") as f:
            f.write(CONFIG)
        daemon = place.daemon()
        vmm = place.start([vcons.program("vcons-vmm"), path], stderr=subprocess.PIPE)
        for name in ("hvc0", "v0", "w0"):
            prompt(place, name)
        come_and_go(place)
        refusals(place)
        sizes(place)
        named_port(place)
        daemon = told_to_the_next_service(place, daemon)
        a_hundred_times(place, vmm, daemon)
        over_a_reset(place)
        command(place, "stop", "--all")
        assert vmm.wait(vcons.WAIT_S) == 0, vmm.stderr.read()
    return 0


sys.exit(main())
