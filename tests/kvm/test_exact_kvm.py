# SPDX-License-Identifier: MIT
"""Real guests on KVM, hold = forever, the service killed again and again: each log is, byte for byte, what the guest wrote.
Then the ways a run ends: a crash beside one that goes on, reboots, a reset after the end."""
import os
import signal
import subprocess
import sys
import tempfile

from hypervisor import Hypervisor, domain, log_of, run
from spew import lines
from vcons import BOOT, GAP, LONG, Place, program, skip, stop, wait_for

LINES = 200_000 if LONG else 12_000  # a KVM that emulates runs 10,000 a second
KILLS = 500 if LONG else 20
KIND = 3


def look(h):
    """Take what the terminal shows, so that nobody waits for us; whether there was something is no matter."""
    h.read(0.01)
    return True


def on_kvm(*args, **keys):
    return domain(*args, **keys).replace("engine = process", "engine = kvm")


def need_kvm():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(on_kvm("probe"))
        f.flush()
        checked = subprocess.run([program("vcons-vmm"), "--check", f.name], stderr=subprocess.PIPE, text=True, timeout=60)
    if checked.returncode == 7:
        skip(checked.stderr.strip())
    assert checked.returncode == 0, checked.stderr


def exact():
    config = (on_kvm("ring", f"spew {LINES}; echo over", hold="forever") +
              on_kvm("call", f"spew {LINES}; echo over", hold="forever", console=("con", "console_io")) +
              on_kvm("both", f"spew {LINES}; echo over", hold="forever", connected="service"))
    names = ("ring/hvc0", "call/con", "both/hvc0")
    want = lines(LINES)

    def over(place, h):
        h.read(0)
        return all(b"\r\nover\r\n" in log_of(place, n)[-200:] for n in names)

    with Place() as place:
        daemon = place.daemon("--private", "--linger", "1000")
        h = Hypervisor(place, config)
        wait_for(lambda: look(h) and all(log_of(place, n) for n in names), "the first bytes")
        kills = 0
        while not over(place, h) and kills < KILLS:
            before = sum(len(log_of(place, n)) for n in names)
            wait_for(lambda: over(place, h) or sum(len(log_of(place, n)) for n in names) > before, "something printed")
            stop(daemon, signal.SIGKILL)
            daemon = place.daemon("--private", "--linger", "1000")
            kills += 1
        wait_for(lambda: over(place, h), "all of it", 120)
        for name in names:
            log = place.log_bytes(name)
            begin = log.index(b"0 ABC")
            assert log[begin:begin + len(want)] == want, f"{name} differs"
            assert log.count(b"0 ABC") == want.count(b"0 ABC"), f"{name} has something twice"
            assert not [r for r in place.index(name) if r[KIND] == GAP], f"{name} has a gap"
        print(f"{kills} kills, {3 * len(want) >> 10} KiB exact")
        assert kills >= 5, "the guests were too fast for this test to mean anything"
        h.process.send_signal(signal.SIGTERM)
        assert h.wait() == 0
        h.close()


def a_crash_is_its_own():
    with Place() as place:
        place.daemon("--private", "--linger", "1000")
        status, shown = run(place, on_kvm("bad", "crash trap", hold="forever") + on_kvm("good", "spew 500; poweroff", hold="forever"))
        assert status == 1, status
        assert b"(bad) crashed: triple fault" in shown, shown[-600:]
        assert b"(good) powered off" in shown, shown[-600:]
        assert lines(500) in place.log_bytes("good/hvc0")


def reboots():
    with Place() as place:
        place.daemon("--private", "--linger", "1000")
        h = Hypervisor(place, on_kvm("again", "reboot", on_reboot="restart") + on_kvm("still"))

        def boots(name):
            return len([r for r in place.index(name) if r[KIND] == BOOT])

        wait_for(lambda: look(h) and log_of(place, "still/hvc0") and boots("again/hvc0") >= 8, "eight boots")
        h.process.send_signal(signal.SIGTERM)
        assert h.wait() == 0
        log, banner = place.log_bytes("again/hvc0"), b"tiny: the vcons test kernel, pvh"
        assert log.count(banner) in (boots("again/hvc0"), boots("again/hvc0") - 1), (log.count(banner), boots("again/hvc0"))
        h.close()


def again_after_its_end():
    """A domain that is off gives everything back, and a reset makes it anew: with the sandbox on since the first start."""
    with Place() as place:
        place.daemon("--private", "--linger", "1000")
        h = Hypervisor(place, on_kvm("off", "echo up; poweroff") + on_kvm("still"))
        for runs in range(1, 4):
            wait_for(lambda: look(h) and log_of(place, "off/hvc0").count(b"\nup\r\n") == runs
                     and h.shown.count(b"(off) powered off") == runs, f"run {runs}")
            subprocess.run([program("vcons"), "reset", "off"], env=place.env, check=True, timeout=20)
        h.process.send_signal(signal.SIGTERM)
        assert h.wait() == 0
        h.close()


os.umask(0o077)
need_kvm()
exact()
a_crash_is_its_own()
reboots()
again_after_its_end()
sys.exit(0)
