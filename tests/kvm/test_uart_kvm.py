# SPDX-License-Identifier: MIT
"""tiny on our 16550, on KVM: what it does on QEMU's (test_tiny_uart.py); every byte with the service killed again and again; a PV console
beside it; saved and restored in the midst of its output; and what is refused."""
import os
import random
import re
import signal
import subprocess
import tempfile
import zlib

import spew
from hypervisor import Hypervisor, domain, log_of
from vcons import LONG, Place, program, skip, stop, wait_for

LINES = 20_000 if LONG else 1_500
KILLS = 200 if LONG else 6
POINTS = 30 if LONG else 2
PASTE = 5000
GAP, RESTORED, BROKEN = 4, 12, 8
PROMPT = "tiny> "


def on_kvm(*args, **keys):
    return domain(*args, **keys).replace("engine = process", "engine = kvm")


def check(config):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(config)
        f.flush()
        return subprocess.run([program("vcons-vmm"), "--check", f.name], stderr=subprocess.PIPE, text=True, timeout=60, check=False)


def need_kvm():
    checked = check(on_kvm("probe"))
    if checked.returncode == 7:
        skip(checked.stderr.strip())
    assert checked.returncode == 0, checked.stderr


def refused():
    """A PC has none of Arm's, and four at most of its own; one line each."""
    for consoles, words in (([("u", "pl011")], 'console "u": of UARTs engine kvm has type 16550, at most 4, here'),
                            ([("u", "sbsa")], 'console "u": of UARTs engine kvm has type 16550, at most 4, here'),
                            ([(f"u{i}", "16550") for i in range(5)], 'console "u4": of UARTs engine kvm has')):
        checked = check(on_kvm("web", console=consoles))
        assert checked.returncode == 2 and words in checked.stderr and checked.stderr.count("\n") == 1, checked.stderr
    assert check(on_kvm("web", console=[(f"u{i}", "16550") for i in range(4)])).returncode == 0


def as_on_qemu(place):
    """Its driver finds a 16550A; what is pasted arrives whole."""
    place.daemon("--private")
    paste = random.Random(1).randbytes(PASTE)
    h = Hypervisor(place, on_kvm("g", "console=ttyS0", console=("com1", "16550")))
    h.expect("console uart0\r\n" + PROMPT)
    h.type("consoles\r")
    assert h.expect(PROMPT).startswith(b"consoles\r\nuart0 16550 "), bytes(h.shown[-300:])
    h.type("spew 100\r")
    assert h.expect(PROMPT) == b"spew 100\r\n" + spew.lines(100)
    h.type("sum %d\r" % PASTE)
    h.expect("sum %d\r\n" % PASTE)
    done = subprocess.run([program("vcons"), "send", "--steal", "-n", "g"], input=paste, env=place.env, timeout=60, check=False)
    assert done.returncode == 0
    h.expect("sum %d 0x%08x\r\n" % (PASTE, zlib.crc32(paste)), 60)
    h.expect(PROMPT)
    h.type("consoles\r")
    assert re.search(rb"uart0 .*breaks 0, overruns 0, errors 0, dropped 0\r\n", h.expect(PROMPT)), bytes(h.shown[-300:])
    h.type("poweroff\r")
    assert h.wait() == 0
    h.close()


def exact(place):
    """Two UARTs, and a PV console beside one of them; the service is killed all the time."""
    daemon = place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, on_kvm("a", f"console=ttyS0; quiet; spew {LINES}; poweroff", hold="forever",
                                 console=[("com1", "16550"), ("pv", "xen")]) +
                   on_kvm("b", f"console=ttyS1; quiet; spew {LINES}; poweroff", hold="forever",
                          console=[("pv", "xen"), ("com1", "16550"), ("com2", "16550")]))
    want = spew.lines(LINES)
    logs = ("a/com1", "b/com2")

    def size():
        h.read(0.01)
        return sum(len(log_of(place, n)) for n in logs)

    wait_for(lambda: size() > 0, "the first bytes")
    for kills in range(KILLS):
        before = size()
        if before == 2 * len(want):
            break
        wait_for(lambda: size() > before or size() == 2 * len(want), "something printed")
        stop(daemon, signal.SIGKILL)
        daemon = place.daemon("--private", "--linger", "1000")
    assert h.wait(120) == 0
    h.close()
    assert kills >= 3, "the guests were too fast for this test to mean anything"
    for name in logs:
        assert place.log_bytes(name) == want, f"{name} differs"
        assert not [r for r in place.index(name) if r[3] in (GAP, BROKEN)], f"{name} has a gap"
    for name in ("a/pv", "b/pv", "b/com1"):
        assert place.log_bytes(name) == b"", f"{name}: {place.log_bytes(name)[:100]}"


def saved(place, consoles):
    """In the midst of its lines: the log is as if nothing had been."""
    place.daemon("--private", "--linger", "1000")
    path, file = os.path.join(place.root, "s.conf"), os.path.join(place.root, "saved")
    lines = 100 * LINES
    with open(path, "w") as f:
        f.write('hypervisor { name = "hv" console = none }\n' +
                on_kvm("s", f"console=ttyS0; quiet; spew {lines}", hold="forever", memory="8M", console=consoles))
    place.start([program("vcons-vmm"), path])
    for point in range(POINTS):
        before = len(log_of(place, "s/com1"))
        wait_for(lambda: len(log_of(place, "s/com1")) > before + 2000, "output")
        subprocess.run([program("vcons"), "save", "s", file], env=place.env, check=True, timeout=60)
        subprocess.run([program("vcons"), "restore", file], env=place.env, check=True, timeout=60, stderr=subprocess.DEVNULL)
        os.unlink(file)
    before = len(log_of(place, "s/com1"))
    wait_for(lambda: len(log_of(place, "s/com1")) > before + 2000, "output after the last")
    subprocess.run([program("vcons"), "stop", "s"], env=place.env, check=True, timeout=60)
    wait_for(lambda: "off" in subprocess.run([program("vcons"), "ls"], env=place.env, stdout=subprocess.PIPE, text=True, timeout=60,
                                              check=True).stdout, "its end")
    log = place.log_bytes("s/com1")
    assert log == spew.lines(lines)[:len(log)], "the log differs"
    kinds = [r[3] for r in place.index("s/com1")]
    assert kinds.count(RESTORED) == POINTS and GAP not in kinds, kinds


def saved_on_a_line(place):
    saved(place, ("com1", "16550"))


def saved_on_a_ring(place):
    saved(place, [("com1", "16550"), ("pv", "xen")])


def without_a_file():
    """The types in order, named as Linux names them."""
    done = subprocess.run([program("vcons"), "run", "--private", "--engine", "kvm", "-k", "tiny", "-a", "console=ttyS0; console=hvc0; echo here; poweroff",
                           "--console", "16550,xen,16550"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0 and b"here\r\n" in done.stdout.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r"), done
    done = subprocess.run([program("vcons"), "run", "--private", "-k", "tiny", "--console", "16550,serial"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 2 and b"pl011, sbsa, 16550, virtio or virtio-port" in done.stderr, done


need_kvm()
refused()
without_a_file()
for test in (as_on_qemu, exact, saved_on_a_line, saved_on_a_ring):
    with Place() as the_place:
        test(the_place)
        print("ok", test.__name__, flush=True)
