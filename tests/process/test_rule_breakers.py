# SPDX-License-Identifier: MIT
"""Guests that break every rule they can reach: each ends as it must, and the domain beside them notices nothing."""
import os

from hypervisor import Hypervisor, domain, run
from spew import lines
from vcons import BUILD, Place

HOSTILE = os.path.join(BUILD, "tests/process/rule_breaker")
SIGSYS = b"signal 31"
KIND, BROKEN = 3, 11
ENDS = {  # first letter of the command line: what is said of its end
    "not-ready": b"called its hypervisor before it had sandboxed itself",
    "xit": b"exit status 3",
    "segv": b"signal 11",
    "open": SIGSYS, "exec": SIGSYS, "kork": SIGSYS, "tocket": SIGSYS, "ptrace": SIGSYS, "quill": SIGSYS, "ulimit": SIGSYS,
    "calls": b"powered off", "deep": b"powered off", "flips": b"powered off", "ring": b"powered off", "vstorm": b"powered off",
}


def hostile(name, word, **keys):
    return domain(name, word, **keys).replace('"tiny"', f'"{HOSTILE}"')


def each_ends_as_it_must(place):
    config = domain("good", "spew 5000; echo done; poweroff")
    config += "".join(hostile("bad-" + word, word, vcpus=3 if word == "deep" else 1) for word in ENDS)
    status, shown = run(place, config)
    assert status == 1, (status, shown[-2000:])
    for i, (word, end) in enumerate(ENDS.items(), 2):
        said = [line for line in shown.split(b"\n") if line.startswith(b"(vcons) d%d (bad-%s) " % (i, word.encode()))]
        assert len(said) == 1 and end in said[0], (word, said, shown[-3000:])
    assert b"(vcons) d1 (good) powered off" in shown
    log = place.log_bytes("good/hvc0")
    assert lines(5000) in log and log.endswith(b"done\r\n")
    for word, end in ENDS.items():
        if end == b"powered off":
            assert place.log_bytes(f"bad-{word}/hvc0").endswith(b"survived\n"), word
    # Its indices were seen and the console marked, at most once a second, for that is when it attaches anew.
    broken = [r for r in place.index("bad-ring/hvc0") if r[KIND] == BROKEN]
    assert 1 <= len(broken) <= 10, broken


def one_that_loops_is_stopped_and_reset(place):
    h = Hypervisor(place, hostile("loop", "loop") + domain("good"))
    h.expect("*** Serial input to DOM1")
    h.type(b"\x01\x01\x01" * 2 + b"r1")
    h.expect("d1 (loop) is reset")
    assert h.quit() == 0
    h.close()


def main():
    for test in (each_ends_as_it_must, one_that_loops_is_stopped_and_reset):
        with Place() as place:
            place.daemon("--private")
            test(place)
            print("ok", test.__name__, flush=True)


main()
