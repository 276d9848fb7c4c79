# SPDX-License-Identifier: MIT
"""Promise P4 on virtio-consoles: a guest that does to its devices what no driver may (tiny's `virtio-pry`). The hypervisor lives, the guest's
other consoles and a neighbour's go on, what is broken says so once in its log, and after a reset everything is as before."""
import os
import re
import subprocess

import spew
import vcons
from hypervisor import log_of
from tiny_scenario import compare

PROMPT = b'tiny> '
ROWS = 12  # of virtio-pry for each device
LINES = 3000
BROKEN, OUT = 11, 2  # wire/index.h; a frame of what is typed
BROKEN_OUT = 16      # vcons/virtio_console.h
CHAINS = 8           # against the spec
VICTIMS = {'v0a': 0, 'v0b': 0, 'v1a': 1}  # consoles by device; the first of each device is its port 0


def type_at(place, name, text):
    with vcons.Control(place.control) as c:
        c.attach(name, start='now', write='steal')
        c.send(OUT, text)


def wait_for(place, name, text):
    vcons.wait_for(lambda: text in log_of(place, name), f'{text!r} at {name}: {log_of(place, name)[-300:]!r}', 3 * vcons.WAIT_S)


def check_victims(place):
    """Each has its prompts, before and after, the lines that were sent past its driver, and nothing else; and it says what was broken."""
    for name in VICTIMS:
        log = log_of(place, f'pry/{name}')
        rest = log.replace(b'virtio-pry\r\n', b'')
        compare(name, rest, PROMPT + PROMPT + b'echo I am ' + name.encode() + b'\r\nI am ' + name.encode() + b'\r\n' + PROMPT)
        broken = [r[6] for r in place.index(f'pry/{name}') if r[3] == BROKEN]
        first = name.endswith('a')
        assert (log != rest) == first, (name, log[:200])
        assert broken == ([BROKEN_OUT] * CHAINS if first else []), (name, broken)


def play(engine):
    """True; None: the engine cannot be used here."""
    consoles = '\n'.join(f'    console "{name}" {{ type = virtio device = {device} }}' for name, device in VICTIMS.items())
    with vcons.Place() as place:
        config = os.path.join(place.root, 'pry.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "hv" console = none }\n'
                    f'domain "pry" {{ kernel = "tiny" engine = {engine} memory = 8M hold = forever cmdline = "console=hvc0; quiet; await 3"\n'
                    f'    console "hvc0" {{ type = xen }}\n{consoles}\n}}\n'
                    f'domain "neighbour" {{ kernel = "tiny" engine = {engine} memory = 8M hold = forever\n'
                    '    cmdline = "console=virtio; quiet"\n    console "v0" { type = virtio }\n}\n')
        place.daemon()
        vmm = place.start([vcons.program('vcons-vmm'), '--link', place.link, config], stderr=subprocess.PIPE)
        vcons.wait_for(lambda: vmm.poll() is not None or PROMPT in log_of(place, 'pry/hvc0'), 'the first prompt', 3 * vcons.WAIT_S)
        if vmm.poll() == 7:
            return None
        assert vmm.poll() is None, vmm.stderr.read()
        for name in VICTIMS:
            wait_for(place, f'pry/{name}', PROMPT)
        wait_for(place, 'neighbour/v0', PROMPT)
        type_at(place, 'neighbour/v0', b'spew %d\r' % LINES)
        type_at(place, 'pry/hvc0', b'virtio-pry\r')
        wait_for(place, 'pry/hvc0', b' failed\r\n' + PROMPT)
        said = log_of(place, 'pry/hvc0').decode()
        assert f'virtio-pry: {2 * ROWS} ok, 0 failed' in said, said
        for name in VICTIMS:
            type_at(place, f'pry/{name}', b'echo I am %s\r' % name.encode())
            wait_for(place, f'pry/{name}', b'\r\nI am %s\r\n%s' % (name.encode(), PROMPT))
        check_victims(place)
        wanted = PROMPT + b'spew %d\r\n' % LINES + spew.lines(LINES) + PROMPT
        vcons.wait_for(lambda: len(log_of(place, 'neighbour/v0')) >= len(wanted), 'the lines of the neighbour')
        compare('neighbour', log_of(place, 'neighbour/v0'), wanted)
        for name in ('pry/hvc0', 'neighbour/v0'):
            type_at(place, name, b'poweroff\r')
        assert vmm.wait(3 * vcons.WAIT_S) == 0
        errors = vmm.stderr.read()
        assert not re.search(rb'ERROR|runtime error|assert', errors), errors
    return True
