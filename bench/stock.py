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
BUILD_ARM64 = rig.BUILD + "-arm64"
PROGRAMS = {"vcons": "client/vcons", "vconsd": "service/vconsd", "vcons-vmm": "vmm/vcons-vmm"}
FIRMWARE = ["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot_dma.bin",
            "/usr/share/qemu/pvh.bin"]
LINE_BYTES = 64
# hvc_xen has a buffer of 256 bytes and sends an event for each, by a hypercall; virtio_console gives the host 2,048 bytes at a
# time. Each of those calls is an exit, unless the guest is told that it need not be (vmm/kvm/x86_64/quiet.h).
SENDS_A_MIB = (1 << 20) // 256
BOOT_S, ROUND_S = 300, 900  # hang guards


def payload(machine, where):
    os.mkdir(os.path.join(where, "bin"))
    os.mkdir(os.path.join(where, "share"))
    build, strip = (BUILD_ARM64, "aarch64-linux-gnu-strip") if machine == "arm64" else (rig.BUILD, "strip")
    for name, path in PROGRAMS.items():
        subprocess.run([strip, "-o", os.path.join(where, "bin", name), os.path.join(build, path)], check=True)
    for name in ("in-l1.sh", "guest-init"):
        shutil.copy(os.path.join(HERE, name), where)
    if machine == "arm64":
        subprocess.run([os.path.join(HERE, "qemu-arm64"), where], stdout=subprocess.DEVNULL, check=True)
        return
    shutil.copy(shutil.which("qemu-system-x86_64"), os.path.join(where, "bin"))
    for path in FIRMWARE:
        shutil.copy(path, os.path.join(where, "share"))


def one_way(machine, way, device, lines, rounds, where):
    """Both sides' rounds: (exits, those to the hypervisor's program, milliseconds of that program, of the service, of all,
    interrupts), in turn, in one boot of L1."""
    options = ["--xen"] if way == "kvm-xen" else []
    done = subprocess.run([os.path.join(LAB, "run"), machine, *options, "--mem", "3072", "--dir", where, "--timeout",
                           str(BOOT_S + 2 * rounds * ROUND_S), "--", "sh", "./in-l1.sh", way, device, str(lines), str(rounds)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"the lab: exit status {done.returncode}\n{done.stdout}")
    results = {"vcons": [], "qemu": []}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] in results:
            results[words[0]].append([float(word) for word in words[1:]])
    return results["vcons"], results["qemu"]


def ready(machine):
    subprocess.run([os.path.join(rig.TOP, "script", "bootstrap"), "lab"], check=True)
    subprocess.run([os.path.join(LAB, "setup"), machine], stdout=subprocess.DEVNULL, check=True)
    if machine == "arm64":
        subprocess.run([os.path.join(LAB, "build-arm64"), BUILD_ARM64], stdout=subprocess.DEVNULL, check=True)


def mean(rounds, what, mib):
    return sum(r[what] for r in rounds) / len(rounds) / mib


def more(ours, qemu, mib, limit):
    return {"limit": limit, "service_ms": round(mean(ours, 3, mib), 1),
            "dd_ms": [round(mean(side, 4, mib)) for side in (ours, qemu)]}


def stock(rounds, kib):
    """hvc0: a guest of Xen's ABI beside virtio-console."""
    ready("x86_64")
    mib = kib / 1024
    with tempfile.TemporaryDirectory(prefix="vcons-bench-") as where:
        payload("x86_64", where)
        for way in ("kvm", "kvm-xen"):
            ours, qemu = one_way("x86_64", way, "hvc0", kib * 1024 // LINE_BYTES, rounds, where)
            extra = {**more(ours, qemu, mib, "QEMU's virtio-console, same kernel and L1"), "hvc_xen_sends": SENDS_A_MIB,
                     "to_the_program": [round(mean(side, 1, mib)) for side in (ours, qemu)]}
            yield Row(f"stock Linux, {way}: dd to hvc0, exits", "1/MiB", [r[0] / mib for r in ours],
                      [r[0] / mib for r in qemu], 0.5, False, extra)
            yield Row(f"stock Linux, {way}: dd to hvc0, VMM CPU", "ms/MiB", [r[2] / mib for r in ours],
                      [r[2] / mib for r in qemu], 0.5, False)


def stock_uart(rounds, kib):
    """ttyS0 and ttyAMA0: exits to the hypervisor's program. What KVM records is an exit of the processor's too, and one in which
    only KVM has a part: all of them are told beside."""
    mib = kib / 1024
    for machine, device, chip in (("x86_64", "ttyS0", "16550"), ("arm64", "ttyAMA0", "PL011")):
        ready(machine)
        with tempfile.TemporaryDirectory(prefix="vcons-bench-") as where:
            payload(machine, where)
            ours, qemu = one_way(machine, "kvm", device, kib * 1024 // LINE_BYTES, rounds, where)
        extra = {**more(ours, qemu, mib, f"QEMU's {chip}, same kernel and L1"),
                 "with_KVM's_own": [round(mean(side, 0, mib)) for side in (ours, qemu)]}
        yield Row(f"stock Linux, {machine}: dd to {device}, exits", "1/MiB", [r[1] / mib for r in ours],
                  [r[1] / mib for r in qemu], 0.5, False, extra)
        yield Row(f"stock Linux, {machine}: dd to {device}, VMM CPU", "ms/MiB", [r[2] / mib for r in ours],
                  [r[2] / mib for r in qemu], 0.5, False)


def stock_virtio(rounds, kib):
    """A named port of virtio-console into the log, beside QEMU's virtio-serial port into a file. Interrupts are all that KVM injects,
    the guest's clock too."""
    ready("x86_64")
    mib = kib / 1024
    with tempfile.TemporaryDirectory(prefix="vcons-bench-") as where:
        payload("x86_64", where)
        ours, qemu = one_way("x86_64", "kvm", "port", kib * 1024 // LINE_BYTES, rounds, where)
    extra = {**more(ours, qemu, mib, "QEMU's virtio-serial port, same kernel and L1"),
             "to_the_program": [round(mean(side, 1, mib), 1) for side in (ours, qemu)]}
    for what, at, unit in (("exits", 0, "1/MiB"), ("interrupts", 5, "1/MiB"), ("VMM CPU", 2, "ms/MiB")):
        yield Row(f"stock Linux: dd to a virtio port, {what}", unit, [r[at] / mib for r in ours], [r[at] / mib for r in qemu],
                  0.5, False, extra if at == 0 else None)
