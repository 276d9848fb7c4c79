# SPDX-License-Identifier: MIT
"""How runs end, and the program: once, with every byte where it belongs, and never without a way out."""
import signal
import time

from hypervisor import SWITCH, Hypervisor, domain, log_of, run
from vcons import Place, stop, wait_for


def the_last_call_is_served_once(place):
    """A guest that dies between two calls has made the first of them once."""
    place.daemon("--private")
    names = [f"g{i}" for i in range(8)]
    status, shown = run(place, "".join(domain(n, "quiet; echo before; crash trap", console=("c", "console_io"))
                                       for n in names))
    assert status == 1, (status, shown)
    for n in names:
        assert place.log_bytes(n + "/c") == b"before\r\n", (n, place.log_bytes(n + "/c"))


def held(place, config):
    """A guest held for ever: its service has gone, its line and its ring are full."""
    daemon = place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, config)
    h.expect("tiny> ")
    wait_for(lambda: b"tiny> " in log_of(place, "web/hvc0"), "the service to have the line")
    stop(daemon, signal.SIGKILL)
    h.type("spew 20000\r")
    wait_for(lambda: is_held(h), "the guest to be held")
    return h


def is_held(h):
    h.type(SWITCH + b"c" + SWITCH)
    h.expect("web/hvc0 (xen): ")
    return h.expect(" bytes dropped").startswith(b"held")


def a_second_signal_leaves_held_output_behind(place):
    h = held(place, domain("web", hold="forever"))
    h.process.send_signal(signal.SIGTERM)
    h.expect("waiting for the console service to take what is left")
    h.expect("a second signal")
    try:
        h.wait(0.5)
        raise AssertionError("hold = forever did not wait")
    except TimeoutError:
        pass
    h.process.send_signal(signal.SIGTERM)
    assert h.wait(5) == 0
    h.close()


def q_leaves_held_output_behind(place):
    h = held(place, domain("web", hold="forever"))
    h.process.send_signal(signal.SIGTERM)
    h.expect("waiting for the console service to take what is left")
    assert h.quit() == 0
    h.close()


def the_service_takes_what_was_held(place):
    """One signal alone loses nothing, however late the service is."""
    h = held(place, domain("web", hold="forever"))
    h.process.send_signal(signal.SIGTERM)
    h.expect("waiting for the console service to take what is left")
    place.daemon("--private", "--linger", "1000")  # not gone again before anybody looks
    assert h.wait() == 0
    log = log_of(place, "web/hvc0")
    assert b"dropped" not in log and len(log) > 256 << 10, len(log)
    h.close()


def nothing_starts_while_it_leaves(place):
    """A reset that comes when all have ended, and only their output waits, starts nothing."""
    daemon = place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, domain("web", "spew 100", hold="forever"))
    h.expect("tiny> ")
    wait_for(lambda: b"tiny> " in log_of(place, "web/hvc0"), "the service to have the line")
    stop(daemon, signal.SIGKILL)
    h.type("poweroff\r")
    h.expect("waiting for the console service to take what is left")
    h.type("r1")
    h.expect("reset which domain?")
    h.expect("d1 (web) is not reset")
    assert h.quit() == 0
    h.close()


def the_list_tells_no_memory_of_commands(place):
    h = Hypervisor(place, 'domain "sh" { engine = command command = { "cat" } }\n' + domain("web"))
    h.expect("*** Serial input to DOM1")
    h.type(SWITCH * 2 + b"d")
    h.expect("d1 = sh: ")
    assert h.expect("boot 1") == b"running, engine command, "
    h.expect("d2 = web: ")
    assert b" MiB" in h.expect("boot 1")
    assert h.quit() == 0
    h.close()


def main():
    for test in (the_last_call_is_served_once, a_second_signal_leaves_held_output_behind, q_leaves_held_output_behind,
                 the_service_takes_what_was_held, nothing_starts_while_it_leaves, the_list_tells_no_memory_of_commands):
        with Place() as place:
            begin = time.monotonic()
            test(place)
            print(f"ok {test.__name__} {time.monotonic() - begin:.1f} s", flush=True)


main()
