# SPDX-License-Identifier: MIT
"""tiny's 16550 driver, polled and by interrupt, and its uart-test on a 16550 that we did not write: QEMU's, of three machines."""
import random
import re
import shutil
import sys
import zlib

import qemu_tiny
import spew

STATUS_POWEROFF = 1
PASTE = 20000  # bytes: many times its FIFO, and its driver's buffer

CASES = [
    ('tiny-pvh', 'pc', 'console=ttyS0', 'by interrupt'),
    ('tiny-pvh', 'pc', 'console=uart; uart=polled', 'polled'),
    ('tiny-pvh', 'microvm', 'console=uart0', 'by interrupt'),
    ('tiny-pvh32', 'q35', 'console=16550', 'by interrupt'),
]


def interrupts(tiny):
    return int(re.search(rb'interrupts (\d+)', tiny.run('consoles'))[1])


def check(kernel, machine, cmdline, how):
    paste = random.Random(1).randbytes(PASTE)
    with qemu_tiny.x86(kernel, cmdline, machine) as tiny:
        banner = tiny.until(re.escape(qemu_tiny.PROMPT))
        name = kernel.replace('tiny-', '')
        assert banner == f'tiny: the vcons test kernel, {name}, 63 MiB, console uart0\r\ntiny> '.encode(), banner
        assert tiny.run('consoles').startswith(f'uart0 16550 {how}, depth 16, interrupts '.encode())
        before = interrupts(tiny)
        assert tiny.run('spew 500') == spew.lines(500)
        tiny.send(b'sum %d\r' % PASTE + paste)
        tiny.until(rb'sum %d 0x%08x\r\n' % (PASTE, zlib.crc32(paste)))
        tiny.until(re.escape(qemu_tiny.PROMPT))
        # At most one a byte, and each takes no more than the driver has room for.
        rise = interrupts(tiny) - before
        assert 10 < rise <= PASTE if how != 'polled' else rise == 0, f'{machine}: {rise} interrupts'
        assert tiny.run('consoles').endswith(b'breaks 0, overruns 0, errors 0, dropped 0\r\n')
        tiny.check_uart(22)
        assert tiny.run('echo and on') == b'and on\r\n'
        tiny.send(b'poweroff\r')
        assert tiny.status() == STATUS_POWEROFF, f'{machine}, {cmdline}'


def check_absent():
    """Without such a UART its name adds no console: port 0xE9 is the one that is left, and nobody can type there."""
    with qemu_tiny.Tiny(['qemu-system-x86_64', '-accel', 'tcg', '-m', '64', '-kernel', qemu_tiny.guest('tiny-pvh'), '-append',
                         'console=uart; console=uart3; console=uart9; console=pl011; consoles', '-display', 'none', '-nodefaults',
                         '-no-reboot', '-debugcon', 'stdio', '-device', 'isa-debug-exit,iobase=0x501,iosize=4']) as tiny:
        status = tiny.status()
        assert tiny.seen.endswith(b'console e9\r\ne9 direct, port 0, dropped 0, violations 0\r\n'), tiny.seen
        assert status == STATUS_POWEROFF


def main():
    if shutil.which('qemu-system-x86_64') is None:
        print('no qemu-system-x86_64 here')
        return 77
    for case in CASES:
        check(*case)
    check_absent()
    return 0


sys.exit(main())
