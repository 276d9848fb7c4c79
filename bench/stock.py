# SPDX-License-Identifier: MIT
"""stock.py: stock Linux as a guest on a real KVM, in the lab (tests/lab): what a dd to its console costs the host, beside QEMU."""
import os
import shutil
import subprocess
import tempfile

import rig
from rig import Row

LAB = os.path.join(rig.TOP, "tests", "lab")
HERE = os.path.join(rig.TOP, "bench", "stock")
PROGRAMS = {"vcons": "client/vcons", "vconsd": "service/vconsd", "vcons-vmm": "vmm/vcons-vmm"}
FIRMWARE = ["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot_dma.bin",
            "/usr/share/qemu/pvh.bin"]
WAYS = {"kvm": [], "kvm-xen": ["--xen"]}
LINE_BYTES = 64
# hvc_xen has a buffer of 256 bytes and sends an event for each, which is a hypercall and so an exit, whoever serves it;
# virtio_console gives the host 2,048 bytes at a time. Below this no backend gets.
SENDS_A_MIB = (1 << 20) // 256
BOOT_S, ROUND_S = 300, 900  # hang guards


def payload(where):
    os.mkdir(os.path.join(where, "bin"))
    os.mkdir(os.path.join(where, "share"))
    for name, path in PROGRAMS.items():
        subprocess.run(["strip", "-o", os.path.join(where, "bin", name), os.path.join(rig.BUILD, path)], check=True)
    shutil.copy(shutil.which("qemu-system-x86_64"), os.path.join(where, "bin"))
    for path in FIRMWARE:
        shutil.copy(path, os.path.join(where, "share"))
    for name in ("in-l1.sh", "guest-init"):
        shutil.copy(os.path.join(HERE, name), where)


def one_way(way, lines, rounds, where):
    """Both sides' rounds: (exits, milliseconds of the hypervisor, of the service, of all), in turn, in one boot of L1."""
    done = subprocess.run([os.path.join(LAB, "run"), "x86_64", *WAYS[way], "--mem", "3072", "--dir", where, "--timeout",
                           str(BOOT_S + 2 * rounds * ROUND_S), "--", "sh", "./in-l1.sh", way, str(lines), str(rounds)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"the lab: exit status {done.returncode}\n{done.stdout}")
    results = {"vcons": [], "qemu": []}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] in results:
            results[words[0]].append([float(word) for word in words[1:]])
    return results["vcons"], results["qemu"]


def stock(rounds, kib):
    subprocess.run([os.path.join(rig.TOP, "script", "bootstrap"), "lab"], check=True)
    subprocess.run([os.path.join(LAB, "setup"), "x86_64"], stdout=subprocess.DEVNULL, check=True)
    mib = kib / 1024
    with tempfile.TemporaryDirectory(prefix="vcons-bench-") as where:
        payload(where)
        for way in WAYS:
            ours, qemu = one_way(way, kib * 1024 // LINE_BYTES, rounds, where)
            extra = {"limit": "QEMU's virtio-console, same kernel and L1", "of_which_hvc_xen_sends": SENDS_A_MIB,
                     "service_ms": round(sum(r[2] for r in ours) / len(ours) / mib, 1),
                     "dd_ms": [round(sum(r[3] for r in side) / len(side) / mib) for side in (ours, qemu)]}
            yield Row(f"stock Linux, {way}: dd to hvc0, exits", "1/MiB", [r[0] / mib for r in ours],
                      [r[0] / mib for r in qemu], 0.5, False, extra)
            yield Row(f"stock Linux, {way}: dd to hvc0, VMM CPU", "ms/MiB", [r[1] / mib for r in ours],
                      [r[1] / mib for r in qemu], 0.5, False)
