# SPDX-License-Identifier: MIT
"""Several consoles of one domain: a line each, one of them on the terminal, none of them mixed with another."""
import signal
import time

from hypervisor import Hypervisor, domain, log_of
from vcons import BOOT, Control, Place, stop, wait_for

TWO = [("hvc0", "xen"), ("early", "console_io")]
BOTH = "console=hvc0; console=console_io"
KIND = 3


def typed(place, name, text, answer):
    """Type to a console by a viewer of its own, and wait for the answer in its log."""
    with Control(place.control) as c:
        c.attach(name, start="now", write="steal")
        c.send(2, text)
        wait_for(lambda: answer in log_of(place, name), f"{answer!r} in the log of {name}")


def each_has_its_line(place):
    """Hypercalls go to the console of that type, the ring to the other; the terminal shows and types to the first."""
    place.daemon("--private")
    h = Hypervisor(place, domain("web", BOTH, console=TWO))
    wait_for(lambda: log_of(place, "web/early").endswith(b"tiny> "), "a prompt by hypercalls")
    h.expect("tiny> ")
    typed(place, "web/early", b"echo from-early\r", b"\nfrom-early\r\n")
    h.type("echo from-first\r")
    h.expect("\nfrom-first\r\n")
    wait_for(lambda: b"\nfrom-first\r\n" in log_of(place, "web/hvc0"), "the first console's log")
    assert b"from-early" not in h.shown and b"from-early" not in log_of(place, "web/hvc0")
    assert b"from-first" not in log_of(place, "web/early")
    with Control(place.control) as c:
        ls = c.ls()
        assert ls["web/hvc0"]["door"] == "xen" and ls["web/early"]["door"] == "console_io", ls
        assert ls["web/hvc0"]["state"] == ls["web/early"]["state"] == "running", ls
        c.attach("web", start="start")  # the bare name
        assert b"from-first" in c.read(len(log_of(place, "web/hvc0")))
    h.type(b"\x01\x01\x01c")
    h.expect("web/hvc0 (xen): flows, 0 bytes dropped, 0 not shown here")
    h.expect("web/early (console_io): flows, 0 bytes dropped")
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    h.close()


def the_order_is_the_files(place):
    """A first console of hypercalls: it has the terminal then, and the ring is the second's."""
    place.daemon("--private")
    h = Hypervisor(place, domain("web", "console=console_io; console=hvc0",
                                 console=[("early", "console_io"), ("ring", "xen")]))
    h.expect("tiny> ")
    h.type("echo typed\r")
    h.expect("\ntyped\r\n")
    typed(place, "web/ring", b"echo ringed\r", b"\nringed\r\n")
    assert b"ringed" not in h.shown and b"ringed" not in log_of(place, "web/early")
    with Control(place.control) as c:
        c.attach("web", start="start")
        assert b"typed" in c.read(len(log_of(place, "web/early")))
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    h.close()


def all_come_back(place):
    """A service that was killed takes all lines again; a reboot is a boot in each log."""
    daemon = place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, domain("web", BOTH, console=TWO) + domain("other"))
    h.expect("tiny> ")
    stop(daemon, signal.SIGKILL)
    h.type("echo alone\r")
    h.expect("\nalone\r\n")
    place.daemon("--private", "--linger", "1000")
    wait_for(lambda: b"\nalone\r\n" in log_of(place, "web/hvc0"), "what was said meanwhile")
    typed(place, "web/early", b"echo back\r", b"\nback\r\n")
    h.type("reboot\r")
    for name in ("web/hvc0", "web/early"):
        wait_for(lambda: len([r for r in place.index(name) if r[KIND] == BOOT]) == 2, f"two boots of {name}")
    wait_for(lambda: log_of(place, "web/early").count(b"tiny") > 1, "the second boot's words")
    assert b"back" not in log_of(place, "other/hvc0")
    with Control(place.control) as c:
        c.ask("stop", domain="web")
        wait_for(lambda: {n: s["state"] for n, s in c.ls().items() if n.startswith("web/")} ==
                 {"web/hvc0": "off", "web/early": "off"}, "both to be off")
        c.ask("stop", all=True)
    assert h.wait() == 0
    h.close()


def main():
    for test in (each_has_its_line, the_order_is_the_files, all_come_back):
        with Place() as place:
            begin = time.monotonic()
            test(place)
            print(f"ok {test.__name__} {time.monotonic() - begin:.1f} s", flush=True)


main()
