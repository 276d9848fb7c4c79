# SPDX-License-Identifier: MIT
"""guests.py: workloads with a real guest: tiny as a process, on vcons-vmm, through Xen's PV console ring."""
import os
import statistics
import subprocess
import time

import rig
import service
from rig import Row, cpu_ns, in_turn, values
from service import vcons

WIDTH = 80
CONFIG = """hypervisor {{ name = "bench" }}
domain "g" {{ kernel = "tiny"  engine = "process"  hold = "forever"  cmdline = "spew {lines}; poweroff" }}
"""
XENCONSOLED_MB_S = 30 * 2048 / 0.2 / 1e6  # its built-in limit: 30 events of a 2,048-byte ring in 200 ms


def one_spew(limit, lines):
    with vcons.Place(service.WHERE) as place:
        config = os.path.join(place.root, "domains.conf")
        with open(config, "w") as f:
            f.write(CONFIG.format(lines=lines))
        daemon = service.start(place, limit)
        rig.warm_memory(lines * WIDTH)
        cpu, began = cpu_ns(daemon.pid), time.monotonic()
        vmm = place.start([vcons.program("vcons-vmm"), "--link", place.link, config], stdout=subprocess.DEVNULL)
        assert vmm.wait(300) == 0, "vcons-vmm failed"
        if not limit:
            vcons.wait_for(lambda: drained(place), "the last byte", 60)
        if limit:
            assert daemon.wait(60) == 0
        took = time.monotonic() - began
        cpu = cpu_ns(daemon.pid) - cpu if not limit else 0
        check = subprocess.run([rig.path_of("check_spew"), os.path.join(place.log, "g", "hvc0"), str(lines)])
        assert check.returncode == 0, "the log is not what the guest printed"
        return {"value": lines * WIDTH / took / 1e6, "daemon_cpu_s": cpu / 1e9}


def drained(place):
    """The service has taken all that the hypervisor left in its lines."""
    with vcons.Control(place.control) as control:
        return control.ls()["g/hvc0"]["source"] is None


def ringlog(rounds, size):
    a, b = in_turn(rounds, lambda: one_spew(False, size // WIDTH), lambda: one_spew(True, size // WIDTH))
    yield Row("W3 ringlog: a guest's spew into the log", "MB/s", values(a), values(b), 0.6, True,
              {"limit": "minimal loop on the same line",
               "daemon_cpu_s": round(statistics.median(r["daemon_cpu_s"] for r in a), 3)})
    yield Row("W3 ringlog: against xenconsoled's ceiling", "MB/s", values(a), [XENCONSOLED_MB_S], 100.0, True)
