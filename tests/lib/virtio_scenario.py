# SPDX-License-Identifier: MIT
"""virtio-console on every engine: who gets which number, what arrives at which console, and all doors of one domain at once."""
import os
import re
import subprocess

import spew
import vcons
from hypervisor import log_of
from tiny_scenario import compare

LINES = 300
CHECKS = 14  # rows of virtio-test for each device
PROMPT = b'tiny> '
OUT = 2      # a frame of what is typed

V = {name: f'console "{name}" {{ type = virtio device = {name[1]} }}' for name in ('v0a', 'v0b', 'v1a', 'v1b', 'v2a', 'v2b', 'v2c')}
PORTS = ['console "agent" { type = virtio-port device = 1 }', 'console "backup" { type = virtio-port device = 2 }']
HVC0 = 'console "hvc0" { type = xen }'
THREE = [V['v0a'], V['v1a'], V['v2a']]


def counted(words, consoles, n, announce='ordered'):
    return f'{words}; quiet; await {n}; consoles; poweroff', [HVC0] + consoles + [f'virtio_announce = {announce}']


def numbers(log):
    return {name: int(n) for name, n in
            re.findall(r'(vport\d+p\d+): name \S+, guest_connected 1.*, is_console yes, console_vtermno (\d+), hvc', log.decode())}


# Each domain: (boot arguments, its block), and what `consoles` says of the numbers then.
NUMBERED = {
    'seven': (counted('consoles', list(V.values()) + PORTS, 7), [1, 2, 3, 4, 5, 6, 7]),
    'new': (counted('consoles', THREE, 3, 'together'), None),
    'old': (counted('virtio-old', THREE, 3), [1, 2, 3]),
    'single': (counted('virtio-nomultiport', THREE + [V['v0b']], 3), None),
}


def check_numbers(place):
    for name, (_, expected) in NUMBERED.items():
        found = numbers(log_of(place, f'{name}/hvc0'))
        if expected is not None:  # in the order of the file
            assert list(dict(sorted(found.items())).values()) == expected, (name, found)
        else:
            assert sorted(found.values()) == [1, 2, 3], (name, found)
    # The guest's bug, where nothing keeps it from it: all have one number, every time.
    log = log_of(place, 'bug/hvc0').decode()
    assert [int(n) for n in re.findall(r'is_console yes, console_vtermno (\d+)', log)] == [1, 1, 1], log
    log = log_of(place, 'test/hvc0').decode()
    assert f'virtio-test: {3 * CHECKS} ok, 0 failed' in log and 'FAILED' not in log, log


def doors(more):
    """All doors of one domain: those that have a prompt, and the domain's block."""
    names = ['hvc0', 'io', 'v0a', 'v0b', 'v1a', 'v1b'] + list(more)
    block = [HVC0, 'console "io" { type = console_io }', PORTS[0]] + [V[n] for n in names if n in V]
    return names, block + [f'console "{n}" {{ type = {t} }}' for n, t in more.items()]


def type_at(place, name, text):
    with vcons.Control(place.control) as c:
        c.attach(name, start='now', write='steal')
        c.send(OUT, text)


def check_doors(place, names):
    """Every console prints while the others do, and has all of it, and nothing else."""
    expected = {}
    for name in names:
        vcons.wait_for(lambda name=name: log_of(place, f'doors/{name}').endswith(PROMPT), f'a prompt at {name}')
        expected[name] = b'tiny> spew %d %d\r\n' % (LINES, 40 + len(expected)) + spew.lines(LINES, 40 + len(expected)) + PROMPT
    for i, name in enumerate(names):
        type_at(place, f'doors/{name}', b'spew %d %d\r' % (LINES, 40 + i))
    for name in names:
        vcons.wait_for(lambda name=name: len(log_of(place, f'doors/{name}')) >= len(expected[name]), f'the lines of {name}')
        compare(name, log_of(place, f'doors/{name}'), expected[name])
    type_at(place, 'doors/v0a', b'port agent open\rport agent send to the agent\r')
    vcons.wait_for(lambda: log_of(place, 'doors/agent') == b'to the agent', 'what was sent to the agent')
    type_at(place, 'doors/agent', b'from the agent')
    vcons.wait_for(lambda: b'from the agent' in read_port(place), 'what the agent sent')
    type_at(place, 'doors/v1b', b'poweroff\r')


def read_port(place):
    type_at(place, 'doors/v0b', b'port agent read\r')
    return log_of(place, 'doors/v0b')


def run(engine, more=None):
    """True; None: the engine cannot be used here. more: doors that this engine has beside, by their names."""
    names, block = doors(more or {})
    console = ''.join(f'console={n}; ' for n in ['hvc0', 'console_io'] + list(more or {}))
    domains = {name: what for name, (what, _) in NUMBERED.items()}
    domains['bug'] = counted('virtio-old', THREE, 3, 'together')
    domains['test'] = ('quiet; await 3; virtio-test; poweroff', [HVC0] + THREE)
    domains['doors'] = (console + 'quiet', block)
    with vcons.Place() as place:
        config = os.path.join(place.root, 'virtio.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "virtio" console = none }\n')
            for name, (cmdline, lines) in domains.items():
                f.write(f'domain "{name}" {{ kernel = "tiny" engine = {engine} memory = 8M hold = forever\n'
                        f'    on_crash = destroy cmdline = "{cmdline}"\n    ' + '\n    '.join(lines) + '\n}\n')
        place.daemon()
        vmm = place.start([vcons.program('vcons-vmm'), config], stderr=subprocess.PIPE)
        try:
            check_doors(place, names)
        except (AssertionError, vcons.ControlError, OSError, TimeoutError):
            if vmm.poll() == 7:
                return None
            raise
        assert vmm.wait(10 * vcons.WAIT_S) == 0, vmm.stderr.read()
        check_numbers(place)
    return True
