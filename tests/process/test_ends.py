# SPDX-License-Identifier: MIT
"""How runs end, and the program: once, with every byte where it belongs, and never without a way out."""
import time

from hypervisor import SWITCH, Hypervisor, domain, run
from vcons import Place


def the_last_call_is_served_once(place):
    """A guest that dies between two calls has made the first of them once."""
    place.daemon("--private")
    names = [f"g{i}" for i in range(8)]
    status, shown = run(place, "".join(domain(n, "quiet; echo before; crash trap", console=("c", "console_io"))
                                       for n in names))
    assert status == 1, (status, shown)
    for n in names:
        assert place.log_bytes(n + "/c") == b"before\r\n", (n, place.log_bytes(n + "/c"))


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
    for test in (the_last_call_is_served_once, the_list_tells_no_memory_of_commands):
        with Place() as place:
            begin = time.monotonic()
            test(place)
            print(f"ok {test.__name__} {time.monotonic() - begin:.1f} s", flush=True)


main()
