# SPDX-License-Identifier: MIT
"""--trace hypercalls: one line a call, counts at the end of each run, and they agree; refusals are counted by number."""
import os
import re

from hypervisor import domain, run
from vcons import Place

CALL = re.compile(r"^d(\d+)v(\d+) (\S+|hypercall \d+)\(0x[0-9a-f]+, 0x[0-9a-f]+, 0x[0-9a-f]+\) = (-?\d+)$")
SUM = re.compile(r"^d(\d+) (.+): (\d+) calls, (\d+) refused$")
ENOSYS = -38


def lines_and_sums(place):
    path = os.path.join(place.root, "trace")
    status, shown = run(place, domain("one", "vcpus 3; selftest; poweroff", vcpus=3) + domain("two", "poweroff"),
                        "--trace", "hypercalls=" + path)
    assert status == 0, shown
    with open(path) as f:
        text = f.read().splitlines()
    calls, refused, sums = {}, {}, {}
    for line in text:
        call, total = CALL.match(line), SUM.match(line)
        assert call or total, line
        if total:
            assert (total[1], total[2]) not in sums, line
            sums[total[1], total[2]] = int(total[3]), int(total[4])
            continue
        what = call[1], "other calls" if call[3] in ("time",) else call[3]
        calls[what] = calls.get(what, 0) + 1
        refused[what] = refused.get(what, 0) + (int(call[4]) == ENOSYS)
    assert {what: (n, refused[what]) for what, n in calls.items()} == sums, (calls, refused, sums)
    assert sums["1", "sched_op"][0] > 0 and sums["1", "hypercall 60"] == (1, 1), sums
    assert any(CALL.match(line) and CALL.match(line)[2] == "2" for line in text), "no call of vCPU 2"
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"


def on_standard_error(place):
    status, shown = run(place, domain("one", "poweroff"), "--trace", "hypercalls")
    assert status == 0 and b"\nd1v0 sched_op(0x2, " in shown and b"\nd1 sched_op: " in shown, shown


def wrong_words(place):
    for word, status in (("everything", 2), ("hypercalls=", 2), ("hypercallsx", 2), ("hypercalls=/nowhere/at/all", 1)):
        got, shown = run(place, domain("one", "poweroff"), "--trace", word)
        assert got == status, (word, got, shown)


def main():
    for test in (lines_and_sums, on_standard_error, wrong_words):
        with Place() as place:
            test(place)
            print("ok", test.__name__, flush=True)


main()
