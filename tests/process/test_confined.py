# SPDX-License-Identifier: MIT
"""What vcons-vmm and its guests may do, as the kernel sees it: no new privileges, a filter, the guest's user and descriptors."""
import os

from hypervisor import Hypervisor, domain
from vcons import Place, wait_for

NOBODY = 65534


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def children(pid):
    """All processes below pid."""
    out = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if int(status(entry)["PPid"]) == pid:
                    out += [int(entry)] + children(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return out


def main():
    with Place() as place:
        h = Hypervisor(place, domain("a") + domain("b", console=("c", "console_io")))
        wait_for(lambda: h.read(0.05) and False or h.shown.count(b"tiny: the vcons test kernel") == 2, "both guests")
        vmm = status(h.process.pid)
        assert vmm["NoNewPrivs"] == "1" and vmm["Seccomp"] == "2", vmm
        guests = [p for p in children(h.process.pid) if status(p)["Seccomp"] == "2"]
        assert len(guests) == 2, children(h.process.pid)
        for pid in guests:
            guest = status(pid)
            assert guest["NoNewPrivs"] == "1" and int(guest.get("Seccomp_filters", "2")) >= 2, guest
            uid = NOBODY if os.geteuid() == 0 else os.geteuid()
            assert guest["Uid"].split() == [str(uid)] * 4, guest["Uid"]
            if os.geteuid() == 0:
                assert guest["Gid"].split() == [str(NOBODY)] * 4 and guest["Groups"].strip() == "", guest
                assert int(guest["CapEff"], 16) == 0 and int(guest["CapPrm"], 16) == 0
            fds = {int(f): os.readlink(f"/proc/{pid}/fd/{f}") for f in os.listdir(f"/proc/{pid}/fd")}
            assert sorted(fds) == [0, 1, 2, 3, 4], fds
            assert {fds[i] for i in range(3)} == {"/dev/null"} and "vcons-ram" in fds[3] and "vcons-calls" in fds[4], fds
            with open(f"/proc/{pid}/maps", encoding="ascii") as f:
                names = {line.split(None, 5)[5].strip() for line in f if len(line.split(None, 5)) == 6}
            assert not any(n.startswith("/") and "memfd" not in n for n in names), names  # not even its own program
        assert h.quit() == 0
        h.close()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in guests), "the guests' end")
        # And killed, it takes its guests with it.
        h = Hypervisor(place, domain("a"))
        h.expect("tiny: the vcons test kernel")
        below = children(h.process.pid)
        h.process.kill()
        h.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") and status(p)["State"][0] != "Z" for p in below), "all below it")
        h.close()


main()
