# SPDX-License-Identifier: MIT
"""T15 with the real guest: services come and go under a spew, and with them the connection flag of `connected = service`.

One domain on each way out (ring, ring whose flag toggles, console_io); what is in the logs is what spew.h says, byte for byte.
"""
import os
import signal
import subprocess
import sys
import time

import spew
import vcons

ENDLESS = 10**15  # lines
RESTARTS = 12 if not vcons.LONG else 200
END = b'^C\r\n'
DOMAINS = {'ring': '', 'late': 'connected = service', 'io': 'console "hvc0" { type = console_io }'}

CONFIG = 'hypervisor { name = "restarts" console = none }\n' + ''.join(
    f'domain "{name}" {{ kernel = "tiny" engine = process memory = 8M hold = forever\n'
    f'    cmdline = "quiet; spew {ENDLESS}; poweroff" {more} }}\n' for name, more in DOMAINS.items())


def log_size(place, name):
    directory = os.path.join(place.log, name, 'hvc0')
    try:
        return vcons.log_length(directory)
    except FileNotFoundError:
        return 0


def restart(place, daemon, i):
    """One service goes, by kill -9 or in order, a moment passes, the next comes."""
    before = log_size(place, 'late')
    daemon.send_signal(signal.SIGKILL if i % 2 == 0 else signal.SIGTERM)
    daemon.wait(vcons.WAIT_S)
    time.sleep(0.01 * (i % 4))  # not for order: so that some guests fill line and ring and some do not
    daemon = place.daemon()
    vcons.wait_for(lambda: log_size(place, 'late') > before, 'output after a restart')
    return daemon


def main():
    with vcons.Place() as place:
        config = os.path.join(place.root, 'restarts.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write(CONFIG)
        daemon = place.daemon()
        vmm = place.start([vcons.program('vcons-vmm'), config])
        vcons.wait_for(lambda: log_size(place, 'late') > 0, 'the first output')
        for i in range(RESTARTS):
            daemon = restart(place, daemon, i)
        for name in DOMAINS:
            subprocess.run([vcons.program('vcons'), 'send', '--timeout', str(vcons.WAIT_S), '-n', name, '\x03'], env=place.env,
                           timeout=2 * vcons.WAIT_S, check=False)  # the guest's end may be faster than the answer
        assert vmm.wait(10 * vcons.WAIT_S) == 0, f'vcons-vmm: {vmm.returncode}'
        vcons.wait_for(lambda: all(place.log_bytes(f'{d}/hvc0').endswith(END) for d in DOMAINS), 'the rest of the logs')
        assert vcons.stop(daemon) == 0
        total = 0
        for name in DOMAINS:
            log = place.log_bytes(f'{name}/hvc0')
            wanted = spew.lines(len(log) // spew.LINE_BYTES) + END
            total += len(log)
            if log != wanted:
                at = next((i for i, (a, b) in enumerate(zip(log, wanted)) if a != b), min(len(log), len(wanted)))
                raise AssertionError(f'{name}: {len(log)} bytes, {len(wanted)} wanted, differ at {at}: '
                                     f'{log[max(at - 80, 0):at + 80]!r}')
        print(f'{RESTARTS} restarts, {total} bytes')
    return 0


sys.exit(main())
