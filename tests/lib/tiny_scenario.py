# SPDX-License-Identifier: MIT
"""What tiny must do on every engine: each way out and in, every byte of each log known beforehand."""
import os
import subprocess
import zlib

import spew
import vcons

RAW = bytes((i * 7 + i // 256) % 256 for i in range(3000))
TYPED = b'echo a\rsum %d\r' % len(RAW) + RAW + b'nonsense\r\npoweroff\r'
ANSWERED = (b'tiny> echo a\r\na\r\n'
            b'tiny> sum %d\r\nsum %d 0x%08x\r\n'
            b'tiny> nonsense\r\nnonsense: no such word, try help\r\n'
            b'tiny> \r\n'
            b'tiny> poweroff\r\n') % (len(RAW), len(RAW), zlib.crc32(RAW))
SELFTEST = ['copies are exact', 'CRC of 123456789', 'spew counts past 99', 'time goes on', 'unknown hypercall is refused',
            'wild pointer is a fault', 'poll of 129 ports is refused', 'poll of ports nowhere is a fault',
            'parameter nowhere is a fault', 'send on port 0 is refused', 'parameter out of range is refused',
            'console parameters hold', 'ring is legal', 'unknown console_io is refused', 'write of nothing is taken',
            'write from nowhere is a fault', 'read of 2 GiB is refused']
SELFTEST_EVENTS = ['masked event waits for its unmask', 'unmasked event comes at once', 'two events are one while pending',
                   'unmask by hand loses the edge', 'poll sees a masked port', 'IPI to oneself comes back',
                   'events come in every word', 'new interdomain port is pending', 'status knows the peer',
                   'close leaves the peer unbound', 'wrong peers are refused', 'wrong virqs are refused',
                   'wrong vcpus are refused', 'wrong ports are refused', 'wrong places for a vcpu_info are refused',
                   'vcpu_info moves once and loses nothing', 'shared_info moves and loses nothing']


def selftest(what):
    return ''.join(f'ok {w}\r\n' for w in what).encode() + b'selftest: %d ok, 0 failed\r\n' % len(what)


SELFTEST_OK = selftest(SELFTEST)
SELFTEST_ALL_OK = selftest(SELFTEST + SELFTEST_EVENTS)


def domains(lines):
    """Name: (boot arguments, more of its block, what is typed, its log)."""
    hypercall = 'console "hvc0" { type = console_io }'
    return {
        # first, for the first has the focus: with no terminal that must not keep its token from others
        'typed': ('quiet', '', TYPED, ANSWERED),
        'ring': (f'quiet; spew {lines}; poweroff', '', None, spew.lines(lines)),
        'wide': (f'quiet; spew {lines // 10} 1024; poweroff', '', None, spew.lines(lines // 10, 1024)),
        'call': (f'quiet; spew {lines} 33; poweroff', hypercall, None, spew.lines(lines, 33)),
        'both': ('console=console_io; console=hvc0; quiet; echo by call; poweroff', '', None, b'by call\r\n'),
        'self': ('quiet; selftest; poweroff', '', None, SELFTEST_ALL_OK),
        'poll': ('events=off; quiet; selftest; poweroff', '', None, SELFTEST_OK),
        'asked': ('quiet', hypercall, TYPED, ANSWERED),
        'trap': ('quiet; echo before; crash trap', '', None, b'before\r\n'),
        'touch': ('quiet; echo before; crash touch', '', None, b'before\r\n'),
        'crash': ('quiet; echo before; crash', '', None, b'before\r\n'),
    }


def compare(name, log, wanted):
    if log == wanted:
        return
    at = next((i for i, (a, b) in enumerate(zip(log, wanted)) if a != b), min(len(log), len(wanted)))
    raise AssertionError(f'{name}: {len(log)} bytes, {len(wanted)} wanted, differ at {at}: '
                         f'{log[max(at - 80, 0):at + 80]!r}')


def run(engine, lines, more=None):
    """True; None: the engine cannot be used here. more: further domains, as domains() has them."""
    all_domains = dict(domains(lines), **(more or {}))
    with vcons.Place() as place:
        config = os.path.join(place.root, 'tiny.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "tiny" console = none }\n')
            for name, (cmdline, block, _, _) in all_domains.items():
                f.write(f'domain "{name}" {{ kernel = "tiny" engine = {engine} memory = 8M hold = forever\n'
                        f'    on_crash = destroy cmdline = "{cmdline}" {block} }}\n')
        daemon = place.daemon()
        vmm = place.start([vcons.program('vcons-vmm'), config], stderr=subprocess.PIPE)
        for name, (_, _, typed, _) in all_domains.items():
            if typed is not None:
                send(place, vmm, name, typed)
        status = vmm.wait(10 * vcons.WAIT_S)
        if status == 7:
            return None
        assert vcons.stop(daemon) == 0
        for name, (_, _, _, log) in all_domains.items():
            compare(name, place.log_bytes(f'{name}/hvc0'), log)
        assert status == 1, f'three domains crashed, yet vcons-vmm says {status}'
    return True


def send(place, vmm, name, typed):
    """As soon as the console is there."""
    def sent():
        if vmm.poll() is not None:
            return True
        return subprocess.run([vcons.program('vcons'), 'send', '-n', name], input=typed, env=place.env,
                              stderr=subprocess.DEVNULL, timeout=vcons.WAIT_S, check=False).returncode == 0
    vcons.wait_for(sent, f'the console of {name}')
