# SPDX-License-Identifier: MIT
"""tiny for arm64 on a machine that we did not write: QEMU's `virt`, with GICv2 and GICv3, from EL1 and EL2; its PL011 driver,
and the SBSA one by a device tree that names the same UART so."""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

import qemu_tiny
import spew

PASTE = 20000

CASES = [
    ('virt', 'console=ttyAMA0', 'pl011 by interrupt, depth 16'),
    ('virt,gic-version=3', '', 'pl011 by interrupt, depth 16', '-smp', '4'),
    ('virt,gic-version=3,virtualization=on', 'console=uart', 'pl011 by interrupt, depth 16', '-smp', '3'),
    ('virt', 'console=pl011; uart=polled', 'pl011 polled, depth 16'),
]


def use(tiny, how):
    paste = random.Random(2).randbytes(PASTE)
    banner = tiny.until(re.escape(qemu_tiny.PROMPT))
    assert banner == b'tiny: the vcons test kernel, arm64, 64 MiB, console uart0\r\ntiny> ', banner
    assert tiny.run('selftest').endswith(b'selftest: 4 ok, 0 failed\r\n')
    assert tiny.run('spew 500') == spew.lines(500)
    tiny.send(b'sum %d\r' % PASTE + paste)
    tiny.until(rb'sum %d 0x%08x\r\n' % (PASTE, zlib.crc32(paste)))
    tiny.until(re.escape(qemu_tiny.PROMPT))
    consoles = tiny.run('consoles')
    assert consoles.startswith(f'uart0 {how}, interrupts '.encode()), consoles
    assert consoles.endswith(b'breaks 0, overruns 0, errors 0, dropped 0\r\n'), consoles
    assert (b'interrupts 0,' in consoles) == ('polled' in how), consoles
    assert re.fullmatch(rb'time \d+\.\d{9}\r\n', tiny.run('time'))
    assert tiny.run('slow 2 1') == b'slow 0\r\nslow 1\r\n'
    tiny.check_uart(10 if 'sbsa' in how else 25)
    assert tiny.run('echo and on') == b'and on\r\n'
    tiny.send(b'poweroff\r')
    assert tiny.status() == 0


def check_sbsa(directory):
    """In the machine's own tree the UART's `compatible` becomes "arm,sbsa-uart", with something of the rest's length. The megabyte
    of room that QEMU leaves at its end it would double: more than a kernel has to take."""
    tree = os.path.join(directory, 'tree.dtb')
    subprocess.run(['qemu-system-aarch64', '-M', f'virt,dumpdtb={tree}', '-cpu', 'cortex-a72', '-m', '64', '-nodefaults'],
                   check=True, stderr=subprocess.DEVNULL)
    with open(tree, 'rb') as f:
        data = f.read()
    assert data.count(b'arm,pl011\0arm,primecell\0') == 1
    data = bytearray(data.replace(b'arm,pl011\0arm,primecell\0', b'arm,sbsa-uart\0primecell\0'))
    _, _, _, strings, _, _, _, _, strings_bytes, _ = struct.unpack_from('>10I', data)
    struct.pack_into('>I', data, 4, strings + strings_bytes)  # totalsize
    with open(tree, 'wb') as f:
        f.write(data[:strings + strings_bytes])
    with qemu_tiny.arm64('console=sbsa', 'virt', '-dtb', tree) as tiny:
        use(tiny, 'sbsa by interrupt, depth 32')


def check_faults():
    for word, syndrome in (('touch', rb'96'), ('trap', rb'f2')):  # exception class and length bit: data abort, BRK
        with qemu_tiny.arm64('quiet; crash ' + word) as tiny:
            status = tiny.status()
        assert re.fullmatch(rb'\r\ntiny: fault 4, syndrome 0x00000000' + syndrome + rb'[0-9a-f]{6}, at image \+ 0x0{11}[0-9a-f]{5}, '
                            rb'address 0x[0-9a-f]{16}\r\n', tiny.seen), tiny.seen
        assert status == 0


def main():
    if shutil.which('qemu-system-aarch64') is None:
        print('no qemu-system-aarch64 here')
        return 77
    if not os.path.exists(qemu_tiny.guest('tiny-arm64')):
        print('no compiler for arm64 here, so no tiny-arm64')
        return 77
    for machine, cmdline, how, *more in CASES:
        with qemu_tiny.arm64(cmdline, machine, *more) as tiny:
            use(tiny, how)
    with tempfile.TemporaryDirectory() as directory:
        check_sbsa(directory)
    check_faults()
    return 0


sys.exit(main())
