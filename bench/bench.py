#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures vcons against limits in the same run, round by round in turn, and says whether the bars are held.

A bar is a ratio, never an absolute figure. Whatever moves bytes compares every one of them before its time counts.
Processor time comes from the scheduler's nanoseconds (schedstat). Exit status 1: a bar was missed.

    ids        10^6 live numbers: free and allocate, against a bitmap of one cache line
    send       an event to an awake vCPU, against the three atomic changes it has to make; two senders against one
    uart       a write of a UART's data register until its byte is on the line, against the byte's store and the index's update
    uartkvm    W14: a guest on KVM that writes to a 16550 and to a PL011 of core's: processor time and exits a character with its
               writes recorded by KVM, against one exit for each; and the same to a PV console's ring and by console_io
    ring       W3: a ring of 2,048 bytes with doorbells, against one without checks, by placement
    virtio     W4: a port of a virtio-console in 4 KiB buffers, against W3's ring; notifications; 64 and 511 open ports
    ringlog    W3: a guest's spew through its PV ring into the log, against the minimal loop and xenconsoled's rule
    lines1000  W1: 1 and 1,000 lines printing, against the minimal loop on the same lines
    sockets    W1, W2: 1 to 10,000 consoles on other programs' UNIX sockets, in 4 KiB and in lines, against the minimal loop and,
               where they are installed (script/bootstrap bench), conman, conserver and virtlogd
    ptys       W1: 1, 100 and 1,000 consoles on terminals, and 100 commands, against the same
    connect    W7: from the start of vconsd to 1,000 sockets served, against the same; one more where there are 10,000, or as
               many as the descriptors allow
    keys       W5: a key's way to a console behind a UNIX socket and back, against as many hops; 100, 1,000 and 10,000 (or as
               many as the descriptors allow) against one; conman, conserver, ser2net
    keysload   W6: the same of one in 1,000 while the others say 10 and 100 MB/s, and all they can, against the minimal loop and
               conman
    fanout     W10: one console to 1, 10, 100 and 1,000 viewers, of whom one in ten never reads and one in ten 1 KiB a second,
               against write(2) of the same bytes to as many sockets; conman, conserver; a source at half its rate with
               viewers and without; memory of a viewer
    fairness   T11: the least and the largest share of 1,000 lines in a second
    echo       W5: a key's way there and back, against as many hops; 1,000 consoles against one
    replay     W9: a history of 1 MiB, 64 MiB and --replay to one viewer, against sendfile of the same bytes; compressed, against
               zstd -dc of the same files; and its first byte
    seek       W9: by offset and by time in 10 GiB, to the first byte read
    restart    W12: kill -9 until 1,000 consoles are served again, what was read for it, and every log exact
    durable    W11: to the last byte on the disk, against fdatasync of each 64 KiB; stored, each 100 ms
               against never
    memory     W8: of a console besides its line, before and after traffic
    idle       W13: wakeups of 1,000 idle consoles
    socketmemory  W8: of a console behind a UNIX socket: PSS, RSS and descriptors, of 1,000 and of 10,000 (or as many as the
               descriptors allow), after 1 GiB against before, against conman and conserver
    socketidle W13: wakeups of as many with 100 viewers, beside conman, conserver, ser2net and the minimal loop
    stock      stock Linux on KVM, both ways: a dd to hvc0, exits and processor time against QEMU's virtio-console. Runs in the
               lab (tests/lab), where time is emulated: its speed says nothing
    stockuart  the same, on x86_64 to ttyS0 and on arm64 to ttyAMA0, exits to the hypervisor's program and processor time
               against QEMU's 16550 and PL011 on the same KVM
    stockvirtio  stock Linux on x86_64: a dd to a port of virtio-console, exits, interrupts and processor time against QEMU's
               virtio-serial port to a file on the same KVM
    xen        domains of a real Xen, in the lab on arm64: a flood against a loop that only drains the ring, a key's echo
               beside it, the start with eight domains and memory against xenconsoled, in the same boot

The defaults are the long forms (1 GiB of spew, a minute of idleness); all take about 20 minutes. On a machine where
others work the ratios hold more or less, the megabytes a second do not.

Environment: VCONS_BENCH_BUILD, where to build (build/bench); VCONS_BENCH_DIR, where the logs lie (/dev/shm);
VCONS_BENCH_DISK, where they lie that are made durable (/var/tmp).
"""
import argparse
import json
import os
import signal
import subprocess
import sys

import fanout
import guests
import history
import keys
import micro
import rig
import service
import sockets
import stock
import weight
import xen


def build():
    log = subprocess.PIPE
    if not os.path.exists(os.path.join(rig.BUILD, "build.ninja")):
        command = ["meson", "setup", rig.BUILD, rig.TOP, "-Dbuildtype=release", "-Db_ndebug=false"]
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(done.stdout + "bench: cannot configure " + rig.BUILD)
    done = subprocess.run(["ninja", "-C", rig.BUILD], stdout=log, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout + "bench: cannot build")


WORKLOADS = {"ids": lambda o: micro.ids(o.rounds), "send": lambda o: micro.send(o.rounds),
             "uart": lambda o: micro.uart(o.rounds), "uartkvm": lambda o: micro.uartkvm(o.rounds),
             "ring": lambda o: micro.ring(o.rounds), "virtio": lambda o: micro.virtio(o.rounds),
             "ringlog": lambda o: guests.ringlog(o.rounds, o.spew << 20), "lines1000": lambda o: service.lines(o.rounds),
             "sockets": lambda o: sockets.log(o.rounds), "ptys": lambda o: sockets.terminals(o.rounds), "connect": lambda o: sockets.connect(o.rounds),
             "keys": lambda o: keys.quiet(o.rounds), "keysload": lambda o: keys.loaded(o.rounds),
             "fanout": lambda o: fanout.fanout(o.rounds),
             "fairness": lambda o: service.fairness(), "echo": lambda o: service.echo(o.rounds),
             "replay": lambda o: history.replay(o.rounds, o.replay), "seek": lambda o: history.seek(o.rounds),
             "restart": lambda o: history.restart(o.rounds), "durable": lambda o: history.durable(o.rounds),
             "socketmemory": lambda o: weight.memory(o.rounds), "socketidle": lambda o: weight.idle(o.idle),
             "memory": lambda o: service.memory(o.rounds), "idle": lambda o: service.idle(o.idle),
             "stock": lambda o: stock.stock(o.rounds, o.dd), "stockuart": lambda o: stock.stock_uart(o.rounds, o.dd // 8),
             "stockvirtio": lambda o: stock.stock_virtio(o.rounds, o.dd * 8), "xen": lambda o: xen.xen(o.rounds, o.dd * 2)}
IN_LAB = ("stock", "stockuart", "stockvirtio", "xen")


PLAIN = ("workload", "value", "unit", "against", "ratio", "goal", "ok", "spread", "against_spread", "rounds", "limit")


def show(row):
    low, high = row["spread"]
    more = "".join(f"; {k.replace('_', ' ')} {row[k]}" for k in row if k not in PLAIN)
    print(f"{'ok  ' if row['ok'] else 'MISS'} {row['workload']:<46} {row['value']:>10} {row['unit']:<8} against "
          f"{row['against']:>10}  ratio {row['ratio']:>7}  ({row['goal']}; {low} to {high} in {row['rounds']}{more})", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=5, help="of each side (default 5)")
    parser.add_argument("--spew", type=int, default=1024, metavar="MIB", help="what a guest prints in ringlog (default 1024)")
    parser.add_argument("--dd", type=int, default=2048, metavar="KIB", help="what a stock guest copies to hvc0; to a UART an eighth of it, to a virtio port eight times as much; what a domain of Xen says, twice as much (default 2048)")
    parser.add_argument("--replay", type=int, default=1024, metavar="MIB", help="the largest history in replay (default 1024)")
    parser.add_argument("--idle", type=int, default=60, metavar="SECONDS", help="how long idle looks (default 60)")
    parser.add_argument("workload", nargs="*", help="of the above; all but those of the lab without")
    options = parser.parse_args()
    unknown = [w for w in options.workload if w not in WORKLOADS]
    if unknown:
        parser.error(f"no workload {unknown[0]}; there are {' '.join(WORKLOADS)}")
    build()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # who ends us has us leave nothing behind
    missed = 0
    for name in options.workload or [w for w in WORKLOADS if w not in IN_LAB]:
        for row in WORKLOADS[name](options):
            result = row.result()
            missed += not result["ok"]
            print(json.dumps(result), flush=True) if options.json else show(result)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
