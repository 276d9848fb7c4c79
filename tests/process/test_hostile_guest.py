# SPDX-License-Identifier: MIT
"""Guests that attack their hypervisor beside guests that do not (rules R4, R8): the others lose nothing and are not held up.

One sends events for nothing, one puts impossible numbers into its ring page and in the end comes back by itself.
"""
import os
import subprocess
import sys
import time

import spew
import vcons

LINES, STORM, SCRIBBLES = 50000, 300000, 30000
BROKEN = 11  # wire/index.h
SLOW = b''.join(b'slow %d\r\n' % i for i in range(15))
DOMAINS = {  # boot arguments; its log, or None
    'storm': (f'quiet; storm {STORM}; poweroff', b'storm %d\r\n' % STORM),
    'scribble': (f'quiet; scribble {SCRIBBLES}; echo is whole', None),
    'calm': (f'quiet; spew {LINES}; slow 15 100; spew {LINES}; poweroff', spew.lines(LINES) + SLOW + spew.lines(LINES)),
    'more': ('quiet; scribble 10; scribble 10; crash', None),
}


def has(place, name, end):
    try:
        return place.log_bytes(name).endswith(end)
    except FileNotFoundError:
        return False


def main():
    with vcons.Place() as place:
        config = os.path.join(place.root, 'hostile.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "hostile" console = none }\n')
            for name, (cmdline, _) in DOMAINS.items():
                f.write(f'domain "{name}" {{ kernel = "tiny" engine = process memory = 8M hold = forever\n'
                        f'    on_crash = destroy cmdline = "{cmdline}" }}\n')
        daemon = place.daemon()
        began = time.monotonic()
        vmm = place.start([vcons.program('vcons-vmm'), config])
        end = b'scribble %d\r\nis whole\r\ntiny> ' % SCRIBBLES
        vcons.wait_for(lambda: has(place, 'scribble/hvc0', end), 'it to come back', 5 * vcons.WAIT_S)
        took = time.monotonic() - began
        subprocess.run([vcons.program('vcons'), 'send', 'scribble', 'poweroff'], env=place.env, timeout=vcons.WAIT_S, check=False)
        status = vmm.wait(5 * vcons.WAIT_S)
        assert status == 1, f'one domain crashed and the rest did not, yet vcons-vmm says {status}'
        assert vcons.stop(daemon) == 0
        for name, (_, wanted) in DOMAINS.items():
            log = place.log_bytes(f'{name}/hvc0')
            assert wanted is None or log == wanted, f'{name}: {len(log)} bytes: {log[-200:]!r}'
        log = place.log_bytes('scribble/hvc0')
        assert log.endswith(end + b'poweroff\r\n'), f'it did not come back: {log[-200:]!r}'
        broken = [r for r in place.index('scribble/hvc0') if r[3] == BROKEN]
        assert broken, 'no record says that it was broken'
        assert len(broken) <= took + 2, f'{len(broken)} records for one guest in {took:.1f} s: one a second at most'
    return 0


sys.exit(main())
