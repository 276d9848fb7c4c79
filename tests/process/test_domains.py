# SPDX-License-Identifier: MIT
"""Domains that crash, reboot and power off beside others; with a service, without one, and with one that comes back."""
import signal
import struct
import time

from hypervisor import Hypervisor, domain, log_of, run
from spew import lines
from vcons import BOOT, GAP, RESET, Control, Place, stop, wait_for

KIND, VALUE = 3, 6


def marks(place, name, kind):
    return [r for r in place.index(name) if r[KIND] == kind]


def crash_is_one_domains_own(place):
    place.daemon("--private")
    config = domain("bad", "crash") + domain("trap", "crash trap") + domain("good", "spew 2000; echo done; poweroff")
    status, shown = run(place, config)
    assert status == 1, (status, shown)
    assert b"d1 (bad) crashed" in shown and b"d2 (trap) crashed" in shown and b"d3 (good) powered off" in shown, shown
    log = place.log_bytes("good/hvc0")
    assert lines(2000) in log and log.endswith(b"done\r\n"), log[-100:]


def all_power_off(place):
    status, shown = run(place, domain("a", "poweroff") + domain("b", "poweroff", console=("c", "console_io")))
    assert status == 0, (status, shown)


def reboots_and_restarts(place):
    """Each start is a boot in the one log; destroy and preserve end it."""
    place.daemon("--private")
    h = Hypervisor(place, domain("again") + domain("once", "reboot", on_reboot="destroy") +
                   domain("kept", "crash", on_crash="preserve") + domain("back", on_crash="restart"))
    h.expect("d2 (once) reboots")
    h.expect("kept as it is") if b"kept as it is" not in h.shown else None
    with Control(place.control) as c:
        for i in range(3):
            for name, word in (("again", b"reboot\r"), ("back", b"crash\r")):
                c2 = Control(place.control)
                c2.attach(name + "/hvc0", start="now", write="steal")
                c2.send(2, word)
                wait_for(lambda: len(marks(place, name + "/hvc0", BOOT)) == i + 2, f"boot {i + 2} of {name}")
                c2.close()
        states = {n: s["state"] for n, s in c.ls().items()}
        c.ask("reset", domain="again")
        wait_for(lambda: len(marks(place, "again/hvc0", RESET)) == 1, "the reset in the index")
        wait_for(lambda: len(marks(place, "again/hvc0", BOOT)) == 5, "the boot after it")
    assert states["once/hvc0"] == "off" and states["again/hvc0"] == "running", states
    assert [r[VALUE] for r in marks(place, "again/hvc0", BOOT)] == [1, 2, 3, 4, 5]
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 1  # kept has crashed
    h.close()


def stop_by_name(place):
    place.daemon("--private")
    h = Hypervisor(place, domain("a") + domain("b"))
    with Control(place.control) as c:
        wait_for(lambda: len(c.ls()) == 3, "three consoles")
        c.ask("stop", domain="a")
        wait_for(lambda: c.ls()["a/hvc0"]["state"] == "off", "a to be off")
        assert c.ls()["b/hvc0"]["state"] == "running"
        c.ask("stop", all=True)
    assert h.wait() == 0
    h.close()


def answers(h):
    """Type until the guest's answer is seen: a flood may cost this terminal one or the other."""
    def once():
        h.type("echo over\r")
        try:
            h.expect("\nover\r\n", 0.1)
            return True
        except TimeoutError:
            return False
    wait_for(once, "the guest to answer")


def no_service_no_difference(place):
    """Nobody listens: the guest boots as fast, and hold, however long, holds nothing until a service first came."""
    h = Hypervisor(place, domain("web", "spew 20000; echo done", hold="forever"))
    answers(h)  # it has put 1.6 MB into a line of 256 KiB; held it would never answer
    place.daemon("--private")  # the returning service finds the head, one gap, the newest
    wait_for(lambda: log_of(place, "web/hvc0").endswith(b"over\r\ntiny> "), "the newest output in the log")
    log, gaps = place.log_bytes("web/hvc0"), marks(place, "web/hvc0", GAP)
    end = log[log.rindex(b"done\r\n"):]  # and what was typed
    whole = log[:log.index(b"\r\n") + 2] + lines(20000) + end
    assert len(gaps) == 1, gaps
    at, lost = gaps[0][0], gaps[0][VALUE]
    assert log[:at] == whole[:at] and log[at:] == whole[at + lost:] and lost == len(whole) - len(log), (at, lost)
    assert at == 256 << 10, at
    with Control(place.control) as c:
        wait_for(lambda: c.ls()["web/hvc0"]["dropped"] == lost, "the count at the service")
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    h.close()


def hold_then_gap(place):
    """A service that is gone for longer than hold: the guest goes on after hold, and what is missing is one mark."""
    daemon = place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, domain("web", hold="0.5") + domain("calm"))
    h.expect("tiny> ")
    stop(daemon, signal.SIGKILL)
    begin = time.monotonic()
    h.type("spew 20000\r")
    answers(h)  # it has ended: what did not fit into the line went into the tail
    took = time.monotonic() - begin
    assert took > 0.45, f"it was not held: {took} s"
    place.daemon("--private")
    wait_for(lambda: b"19999 " in log_of(place, "web/hvc0")[-4000:], "the newest output in the log")
    gaps = marks(place, "web/hvc0", GAP)
    assert len(gaps) == 1, gaps
    log = place.log_bytes("web/hvc0")
    first, at, lost = log.index(b"\r\n0 ABC") + 2, gaps[0][0], gaps[0][VALUE]
    whole = log[:first] + lines(20000)
    assert log[:at] == whole[:at], "the head"
    tail = log[at:]
    assert whole[at + lost:] == tail[:len(whole) - at - lost], "the newest"
    h.type("echo still-here\r")
    h.expect("\nstill-here\r\n")
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    h.close()


def connected_by_the_service(place):
    """connected = service: the guest writes by console_io until the service takes the line; order is kept."""
    place.daemon("--private", "--linger", "1000")
    config = domain("web", "spew 3000", connected="service", hold="forever")
    h = Hypervisor(place, config)
    wait_for(lambda: b"2999 " in log_of(place, "web/hvc0")[-200:], "the spew")
    for i in range(5):
        stop(place.processes[0] if i == 0 else daemon, signal.SIGKILL)
        h.type(f"spew {1000 + i}\r")  # out by console_io, for the flag says disconnected
        daemon = place.daemon("--private", "--linger", "1000")
        wait_for(lambda: b"%d " % (999 + i) in log_of(place, "web/hvc0")[-200:], f"spew {i}")
    log = place.log_bytes("web/hvc0")
    log = log[log.index(b"0 ABC"):]
    for n in (3000, *range(1000, 1005)):
        assert log.startswith(lines(n)), (n, log[:200])
        log = log[len(lines(n)):]
        log = log[log.index(b"\r\n") + 2:] if b"\r\n" in log else log  # the prompt and what was typed
    assert not marks(place, "web/hvc0", GAP)
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    h.close()


def one_name_at_a_time(place):
    h = Hypervisor(place, 'hypervisor { name = "lab" }\n' + domain("a"))
    h.expect("tiny> ")
    status, shown = run(place, 'hypervisor { name = "lab" }\n' + domain("b"))
    assert status == 1 and b"is running as pid %d" % h.process.pid in shown, (status, shown)
    place.daemon("--private")
    with Control(place.control) as c:
        wait_for(lambda: "a/hvc0" in c.ls(), "the line of a")
    status, shown = run(place, 'hypervisor { name = "lab2" }\n' + domain("a"))
    assert status == 1 and b"refuses a" in shown, (status, shown)
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    h.close()


def main():
    for test in (crash_is_one_domains_own, all_power_off, reboots_and_restarts, stop_by_name, no_service_no_difference,
                 hold_then_gap, connected_by_the_service, one_name_at_a_time):
        with Place() as place:
            begin = time.monotonic()
            test(place)
            print(f"ok {test.__name__} {time.monotonic() - begin:.1f} s", flush=True)


main()
