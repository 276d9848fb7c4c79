# SPDX-License-Identifier: MIT
"""micro.py: workloads of the core alone."""
import os
import statistics
import sys

from rig import Row, cpus, in_turn, path_of, program, values


def ids(rounds):
    a, b = in_turn(rounds, lambda: program("ids_vcons"), lambda: program("ids_limit"))
    yield Row("ids: free and allocate, 10^6 live", "ns", values(a), values(b), 3.0, False,
              {"limit": "bitmap of one cache line"})


def send(rounds):
    usable = cpus()
    first, second = usable[0], usable[-1]
    for ports in (4, 4096):
        a, b = in_turn(rounds, lambda: program("send_vcons", ports, 1, 2, first, second),
                       lambda: program("send_limit", first))
        yield Row(f"send: to an awake vCPU, {ports} ports", "ns", values(a), values(b), 2.0, False,
                  {"limit": "three uncontended atomic changes"})
    if len(usable) < 2:
        return  # two senders would only take turns
    a, b = in_turn(rounds, lambda: program("send_vcons", 4096, 2, 512, first, second),
                   lambda: program("send_vcons", 4096, 1, 512, first, second))
    yield Row("send: two at once, to two vCPUs, ports 512 apart", "ns", values(a), values(b), 1.3, False,
              {"limit": "one alone"})


def placements():
    usable = cpus()
    places = [("one CPU", usable[0], usable[0]), ("unpinned", -1, -1)]
    if len(usable) > 1:
        places.insert(1, ("two CPUs", usable[0], usable[1]))
    return places


def ring(rounds):
    places = placements()
    for size, total in ((80, 8 << 20), (1024, 32 << 20)):
        for place, writer, reader in places:
            a, b = in_turn(rounds, lambda: program("ring_vcons", total, size, writer, reader),
                           lambda: program("ring_limit", total, size, writer, reader))
            cpu = statistics.median(r["cpu_ns"] for r in a) / statistics.median(r["cpu_ns"] for r in b)
            yield Row(f"W3 ring: {size}-byte writes, {place}", "MB/s", values(a), values(b), 0.85, True,
                      {"limit": "ring without checks", "cpu_ratio": round(cpu, 3),
                       "kicks_per_kib": statistics.median(r["kicks_per_kib"] for r in a)})


def virtio(rounds):
    total, buffer = 32 << 20, 4096
    for place, driver, device in placements():
        for features, what in (("event", "event index"), ("flags", "flags")):
            a, b = in_turn(rounds, lambda: program("virtio_vcons", "threads", total, buffer, 1, features, driver, device),
                           lambda: program("ring_vcons", total, 1024, driver, device))
            cpu = statistics.median(r["cpu_ns"] for r in a) / statistics.median(r["cpu_ns"] for r in b)
            yield Row(f"W4 virtio: 4 KiB buffers, {what}, {place}", "MB/s", values(a), values(b), 0.9, True,
                      {"limit": "W3's ring, 1024-byte writes", "cpu_ratio": round(cpu, 3),
                       "interrupts_per_kib": statistics.median(r["interrupts_per_kib"] for r in a)})
            yield Row(f"W4 virtio: kicks a KiB, {what}, {place}", "kicks", [r["kicks_per_kib"] for r in a], [1.0] * rounds,
                      0.25, False, {"limit": "one"})
    for ports in (64, 511):
        a, b = in_turn(rounds, lambda: program("virtio_vcons", "turns", total, buffer, ports),
                       lambda: program("virtio_vcons", "turns", total, buffer, 1))
        yield Row(f"W4 virtio: a KiB, {ports} open ports in turn", "ns", values(a), values(b), 1.3, False,
                  {"limit": "one open port"})


def uart(rounds):
    for way, what, limit in (("pl011", "PL011", "plain"), ("16550", "16550A", "plain"), ("batch", "PL011, coalesced", "plain"),
                             ("line", "PL011, vconsd's line", "seq")):
        a, b = in_turn(rounds, lambda: program("uart_vcons", way), lambda: program("uart_limit", limit))
        yield Row(f"uart: register write to line, {what}", "ns", values(a), values(b), 4.0, False,
                  {"limit": "byte's store and index's update" + (", one to sleep on" if limit == "seq" else "")})


def uartkvm(rounds):
    if not os.path.exists(path_of("uart_kvm")) or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("uartkvm: left out: there is no KVM of x86_64 here that may be used", file=sys.stderr)
        return
    for chip, exits in (("16550", 0.07), ("pl011", 0.035)):
        a, b = in_turn(rounds, lambda: program("uart_kvm", chip + "-coalesced"), lambda: program("uart_kvm", chip))
        yield Row(f"W14: a character, {chip}, coalesced", "ns", values(a), values(b), 0.22, False,
                  {"limit": "each write an exit"})
        yield Row(f"W14: exits a character, {chip}", "exits", [r["exits"] for r in a], [1.0] * rounds, exits, False,
                  {"limit": "one", "one_by_one": statistics.median(r["exits"] for r in b)})
    for way, what, exits in (("ring", "PV ring", 1 / 1024), ("hypercall", "console_io", 1 / 128)):
        a, b = in_turn(rounds, lambda: program("console_kvm", way), lambda: program("uart_kvm", "16550"))
        yield Row(f"W14: a character, {what}", "ns", values(a), values(b), 0.02, False, {"limit": "a 16550, each write an exit"})
        yield Row(f"W14: exits a character, {what}", "exits", [r["exits"] for r in a], [1.0] * rounds, exits, False, {"limit": "one"})
