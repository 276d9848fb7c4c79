# SPDX-License-Identifier: MIT
"""The serial line of a real Xen, emulated, as a source: dom0 and two guests that Xen itself started, taken apart by `vcons demux --xen`.
Keys reach one of them alone; what it prints meanwhile, cut by another's lines and by Xen's processors, is whole. A boot takes long on
a busy host: for --long."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["VCONS_SOURCE"], "tests", "lib"))
import vcons  # noqa: E402
from vcons import IN, LONG, Control, Place, program, wait_for  # noqa: E402

PATIENCE_S = 600
XEN_RUN = os.path.join(os.environ["VCONS_SOURCE"], "tests", "lab", "xen-run")
CONSOLES = ("serial", "hypervisor", "d0", "d1", "d2")
COUNTED = b" 100\r\n" + b"".join(b"%d\r\n" % i for i in range(1, 101)) + b"domu# "


def log(place, name):
    try:
        return place.log_bytes("xen/" + name)
    except FileNotFoundError:
        return b""


def wait_log(place, name, text):
    try:
        wait_for(lambda: text in log(place, name), f"{text!r} on {name}", PATIENCE_S)
    except TimeoutError:
        for each in CONSOLES:
            print(f"{each}: {log(place, each)[-2000:]!r}\n", file=sys.stderr)
        raise


def type_to(place, name, text):
    with Control(place.control) as c:
        c.attach("xen/" + name, start="now", write="steal")
        c.send(IN, text)


def exact(place):
    """d1, whole, beside d2, which does not stop."""
    for turn in (1, 2):
        type_to(place, "d1", b"seq 1 100\r")
        wait_for(lambda: log(place, "d1").count(COUNTED) == turn, f"count {turn} on d1", PATIENCE_S)
        before = log(place, "d2").count(b"busy")
        wait_for(lambda: log(place, "d2").count(b"busy") > before + 5, "more of d2", PATIENCE_S)
        type_to(place, "d2", b"\r")  # the focus goes round


def main():
    with Place() as place:
        socket = os.path.join(place.root, "serial.sock")
        machine = place.start([XEN_RUN, "arm64", "--dom0less", "stock", "--dom0less", "stock", "--serial", socket, "--timeout", "3000",
                               "--", "sh", "-c", "echo dom0 is here >/dev/hvc0; sleep 3000"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        conf = os.path.join(place.root, "vconsd.conf")
        with open(conf, "w", encoding="ascii") as f:  # a vpl011 has room for 32 keys
            f.write(f'console "xen/serial" {{ source = "unix:{socket}" delay = 20000 }}\n')
        place.daemon("--config", conf, stderr=subprocess.DEVNULL)
        place.start([program("vcons"), "demux", "--xen", "xen/serial"])
        try:
            for name in ("d1", "d2"):
                wait_log(place, name, b"Enter 'help' for a list")
            wait_log(place, "d0", b"dom0 is here\r\n")
            type_to(place, "d1", b"echo $((6*7))-one\r")
            wait_log(place, "d1", b"\n42-one\r\n")
            type_to(place, "d2", b"while :; do echo busy$((1+1)); usleep 300000; done &\r")
            wait_log(place, "d2", b"busy2\r\nbusy2\r\n")
            exact(place)
            assert b"-one" not in log(place, "d0") + log(place, "d2") and b"busy" not in log(place, "d0") + log(place, "d1")
            assert not re.search(rb"\(XEN\)|DOM\d: ", log(place, "d0") + log(place, "d1") + log(place, "d2"))
            assert set(re.findall(rb"DOM\d", log(place, "hypervisor"))) == {b"DOM0", b"DOM1", b"DOM2"}
        finally:
            machine.terminate()
            machine.wait()


if not LONG:
    vcons.skip("it boots a machine: with --long")
main()
