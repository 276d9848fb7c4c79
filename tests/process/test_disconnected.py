# SPDX-License-Identifier: MIT
"""A kernel that throws output away while its console's flag says DISCONNECTED, as Linux does since 7.1: by default it loses
nothing, for the console is connected before its first instruction; with connected = service what it said before the service
took the line is gone, byte for byte what it counts as dropped, and nothing else is."""
import os
import re
import subprocess
import sys
import time

import spew
import vcons

WORDS = 'disconnected=drop; quiet; echo early; '


def start(place, block, words):
    config = os.path.join(place.root, 'new.conf')
    with open(config, 'w', encoding='ascii') as f:
        f.write('hypervisor { name = "disconnected" console = none }\n'
                f'domain "new" {{ kernel = "tiny" engine = process memory = 8M hold = forever {block}\n'
                f'    cmdline = "{WORDS}{words}" }}\n')
    return place.start([vcons.program('vcons-vmm'), config], stderr=subprocess.PIPE)


def log_after(place, vmm, daemon):
    assert vmm.wait(vcons.WAIT_S * 3) == 0, vmm.stderr.read()[-400:]
    assert vcons.stop(daemon) == 0
    return place.log_bytes('new/hvc0')


def dropped(log):
    """What stands before the words of `consoles`, and the number in them."""
    told = re.search(rb'hvc0 ring connected, port \d+, dropped (\d+), violations 0\r\n$', log)
    assert told, log[-200:]
    return log[:told.start()], int(told.group(1))


def by_default():
    with vcons.Place() as place:
        daemon = place.daemon()
        vmm = start(place, '', 'spew 3000; consoles; poweroff')
        said, lost = dropped(log_after(place, vmm, daemon))
        assert lost == 0 and said == b'early\r\n' + spew.lines(3000)


def by_the_service():
    with vcons.Place() as place:
        vmm = start(place, 'connected = service', 'slow 150 10; consoles; poweroff')
        time.sleep(0.5)  # 50 lines or so; more or fewer, the sum below is the same
        daemon = place.daemon()
        said, lost = dropped(log_after(place, vmm, daemon))
        full = b'early\r\n' + b''.join(b'slow %d\r\n' % i for i in range(150))
        assert lost >= len(b'early\r\n'), 'nothing was lost: was the console connected from the start?'
        assert said and said == full[lost:], f'{lost} bytes dropped of {len(full)}, but the log has {said!r}'


by_default()
by_the_service()
sys.exit(0)
