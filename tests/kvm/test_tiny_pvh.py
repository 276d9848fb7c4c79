# SPDX-License-Identifier: MIT
"""tiny-pvh under a PVH loader that we did not write: QEMU without KVM and without Xen; its console is port 0xE9."""
import os
import shutil
import subprocess
import sys

import spew

QEMU = 'qemu-system-x86_64'
BANNER = b'tiny: the vcons test kernel, pvh, 63 MiB, console e9\r\n' # of 64 MiB QEMU keeps the last for its firmware
STATUS_POWEROFF, STATUS_REBOOT, STATUS_CRASH = 1, 3, 7  # isa-debug-exit: 2 * reason + 1

BOOTS = [
    ('poweroff', BANNER, STATUS_POWEROFF),
    ('quiet; echo of port E9; reboot', b'of port E9\r\n', STATUS_REBOOT),
    ('quiet; crash', b'', STATUS_CRASH),
    ('quiet; selftest', b'ok copies are exact\r\nok CRC of 123456789\r\nok spew counts past 99\r\n'
     b'selftest: 3 ok, 0 failed\r\n', STATUS_POWEROFF),
    ('quiet; time; slow 2 1', b'time unknown\r\nslow 0\r\nslow 1\r\n', STATUS_POWEROFF),
    ('quiet; spew 5000 100; poweroff', spew.lines(5000, 100), STATUS_POWEROFF),
    ('quiet; crash trap', b'', 0),  # a triple fault: -no-reboot makes it an exit
]


def boot(cmdline):
    kernel = os.path.join(os.environ['VCONS_BUILD'], 'guest', 'tiny-pvh')
    return subprocess.run(
        [QEMU, '-M', 'q35', '-accel', 'tcg', '-m', '64', '-kernel', kernel, '-append', cmdline, '-display', 'none',
         '-nodefaults', '-no-reboot', '-debugcon', 'stdio', '-device', 'isa-debug-exit,iobase=0x501,iosize=4'],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=False)


def main():
    if shutil.which(QEMU) is None:
        print(f'no {QEMU} here')
        return 77
    for cmdline, output, status in BOOTS:
        done = boot(cmdline)
        assert done.stdout == output, f'{cmdline}: {done.stdout[:300]!r}'
        assert done.returncode == status, f'{cmdline}: status {done.returncode}'
    return 0


sys.exit(main())
