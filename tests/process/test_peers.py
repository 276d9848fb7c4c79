# SPDX-License-Identifier: MIT
"""Event channels between two domains, one of which comes and goes: the other's port is unbound then, and nothing worse."""
import re

from hypervisor import SWITCH, Hypervisor, domain
from vcons import Place, wait_for

ESRCH, EINVAL = "refused: -3", "refused: -22"


class Typist:
    """Types words to the two domains of one hypervisor, and takes the answers."""

    def __init__(self, h):
        self.h, self.at = h, 1

    def say(self, number, words):
        while self.at != number:
            self.h.type(SWITCH)
            self.h.expect("*** Serial input to ")
            to = self.h.expect(" (type").decode()
            self.at = int(to[3:]) if to.startswith("DOM") else 0
        self.h.type(words + "\r")
        self.h.expect(words + "\r\n")
        return self.h.expect("\r\n").decode().strip()


def port_of(answer):
    assert re.fullmatch(r"port \d+", answer), answer
    return int(answer.split()[1])


def two_that_meet_and_part(place):
    h = Hypervisor(place, domain("one", vcpus=2) + domain("two", on_reboot="restart") + domain("off", "poweroff"))
    h.expect("d3 (off) powered off")
    t = Typist(h)
    offered = port_of(t.say(1, "bind unbound 2"))
    private = port_of(t.say(1, "bind unbound 9"))
    assert t.say(2, f"bind inter 1 {private}") == EINVAL      # meant for another
    assert t.say(2, "bind inter 1 4000") == EINVAL
    assert t.say(2, "bind inter 3 1") == ESRCH                # it does not run
    assert t.say(2, "bind inter 44 1") == ESRCH
    mine = port_of(t.say(2, f"bind inter 1 {offered}"))
    assert t.say(2, f"bind inter 1 {offered}") == EINVAL      # taken
    assert t.say(1, f"unmask {offered}") == "ok"
    for n in (1, 2, 3):
        assert t.say(2, f"send {mine}") == "ok"
        wait_for(lambda: f" {n} events" in t.say(1, f"status {offered}"), f"event {n}")
    assert f"inter 2 {mine}" in t.say(1, f"status {offered}")
    for word in ("reboot", f"close {mine}"):
        assert t.say(2, word) == ("(vcons) d2 (two) reboots" if word == "reboot" else "ok")
        wait_for(lambda: "unbound 2" in t.say(1, f"status {offered}"), f"the end of the channel by {word}")
        assert t.say(1, f"send {offered}") == "ok"            # dropped, as on Xen
        mine = port_of(t.say(2, f"bind inter 1 {offered}"))
        assert f"inter 2 {mine}" in t.say(1, f"status {offered}")
    assert t.say(1, "reboot") == "(vcons) d1 (one) reboots"
    wait_for(lambda: "unbound 1" in t.say(2, f"status {mine}"), "the end of the channel by the other")
    assert h.quit() == 0
    h.close()


def main():
    with Place() as place:
        two_that_meet_and_part(place)
        print("ok", flush=True)


main()
