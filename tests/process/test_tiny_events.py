# SPDX-License-Identifier: MIT
"""tiny's event channels, vcpu_info and vCPUs on the process engine, by vcons-vmm: its words, each with what it must say, and T16:
senders on vCPUs of their own, every port there is, both pages moving, and no event lost."""
import os
import re
import subprocess
import sys

import tiny_scenario
import vcons

MOVES = 1000000 if vcons.LONG else 100000
SENDERS, PORTS = 8, 4096
LEFT = 16  # ports that others may have: port 0, the console's, XenStore's, one a vCPU

# A word, and the line that it must print. P and Q are the ports of the first line, R the next; domid 1.
WORDS = (
    ('bind loop', 'port P peer Q'),
    ('status P', 'port P inter 1 Q vcpu 0 masked, 0 events'),
    ('status Q', 'port Q inter 1 P vcpu 0 masked pending, 0 events'),  # as Xen has it: sends may have been lost before
    ('send Q', 'ok'),
    ('status P', 'port P inter 1 Q vcpu 0 masked pending, 0 events'),
    ('unmask P', 'ok'),
    ('status P', 'port P inter 1 Q vcpu 0, 1 events'),
    ('send Q', 'ok'),
    ('status P', 'port P inter 1 Q vcpu 0, 2 events'),
    ('mask P', 'ok'),
    ('send Q', 'ok'),
    ('send Q', 'ok'),
    ('unmask P', 'ok'),
    ('status P', 'port P inter 1 Q vcpu 0, 3 events'),
    ('move P 4', 'refused: -2'),
    ('vcpus', 'vcpus: 1 of 4 run, upcalls by block'),
    ('bind ipi 3', 'port R'),
    ('status R', 'port R ipi vcpu 3 masked, 0 events'),
    ('bind ipi 4', 'refused: -2'),
    ('move R 0', 'refused: -22'),
    ('close R', 'ok'),
    ('close R', 'refused: -22'),
    ('status R', 'port R closed vcpu 0 masked, 0 events'),
    ('bind virq 0 1', 'port R'),
    ('status R', 'port R virq 0 vcpu 1 masked, 0 events'),
    ('bind virq 0 1', 'refused: -17'),
    ('bind virq 24', 'refused: -22'),
    ('close Q', 'ok'),
    ('status P', 'port P unbound 1 vcpu 0, 3 events'),
    ('send P', 'ok'),
    ('send Q', 'refused: -22'),
    ('bind inter 1 P', 'port Q'),
    ('bind inter 1 P', 'refused: -22'),
    ('bind inter 77 1', 'refused: -3'),
    ('status 5000', 'refused: -22'),
    ('bind', 'usage: bind unbound [DOMID]|inter DOMID PORT|virq N [VCPU]|ipi [VCPU]|loop'),
    ('vcpu_info 4', 'refused: -2'),
    ('vcpu_info 2', 'ok'),  # on its behalf, before it runs
    ('vcpus 3', 'vcpus: 3 of 4 run, upcalls by block'),
    ('vcpu_info 2', 'refused: TWICE'),
    ('vcpu_info 1', 'ok'),
    ('vcpu_info 1', 'refused: TWICE'),
    ('shared_info', 'ok'),
    ('vcpu_info', 'ok'),
    ('vcpu_info', 'refused: TWICE'),
    ('shared_info', 'ok'),
    ('send P', 'ok'),
    ('unmask Q', 'ok'),
    ('status Q', 'port Q inter 1 P vcpu 0, 1 events'),
)


def run(domains):
    """name: (more of its block, boot arguments). Their logs by name, as lines."""
    with vcons.Place() as place:
        config = os.path.join(place.root, 'events.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "events" console = none }\n')
            for name, (block, cmdline) in domains.items():
                f.write(f'domain "{name}" {{ kernel = "tiny" engine = process memory = 8M hold = forever on_crash = destroy\n'
                        f'    {block} cmdline = "quiet; {cmdline}; poweroff" }}\n')
        daemon = place.daemon()
        vmm = place.start([vcons.program('vcons-vmm'), config], stderr=subprocess.PIPE)
        try:
            status = vmm.wait(10 * vcons.WAIT_S)
        finally:
            logs = {name: place.log_bytes(f'{name}/hvc0').decode().split('\r\n') for name in domains}
            print({name: lines[-4:] for name, lines in logs.items()})
        assert vcons.stop(daemon) == 0
        assert status == 0, f'vcons-vmm says {status}: {vmm.stderr.read()[-600:]!r}'
    return logs


def words(xen_version, twice):
    """Words have numbers that are known only once the first ran: numbers are those that any domain of four vCPUs gets."""
    first = int(re.fullmatch(r'port (\d+) peer \d+', run({'first': ('vcpus = 4', 'bind loop')})['first'][0]).group(1))
    names = {'P': first, 'Q': first + 1, 'R': first + 2, 'TWICE': twice}

    def named(text):
        return re.sub(r'\b(P|Q|R|TWICE)\b', lambda m: str(names[m.group()]), text)
    block = f'vcpus = 4 xen_version = "{xen_version}"'
    said = run({'words': (block, '; '.join(named(word) for word, _ in WORDS))})['words']
    for (word, line), answer in zip(WORDS, said):
        assert answer == named(line), f'{named(word)}: {answer!r}, wanted {named(line)!r}'
    assert said[len(WORDS):] == [''], said[len(WORDS):]


def stress():
    logs = run({'one': ('vcpus = 1', 'selftest; events 0 4096 3; events'),
                'all': ('vcpus = 64', 'vcpus 64; events 63 500 20 100; selftest'),
                't16': (f'vcpus = {SENDERS + 1}', f'events {SENDERS} {PORTS} 10 {MOVES}; selftest')})
    selftest = tiny_scenario.SELFTEST_ALL_OK.decode()
    assert '\r\n'.join(logs['one']).startswith(selftest), logs['one']
    assert re.fullmatch(r'events: 0 senders, (\d+) ports, 3 rounds, 0 moves, (\d+) events, none lost', logs['one'][-3])
    assert logs['one'][-2] == 'events: no vCPU for a sender'
    assert logs['all'][0] == 'vcpus: 64 of 64 run, upcalls by block'
    assert re.fullmatch(r'events: 63 senders, 500 ports, \d+ rounds, 100 moves, \d+ events, none lost', logs['all'][1])
    assert '\r\n'.join(logs['all'][2:]) == selftest
    t16 = re.fullmatch(rf'events: {SENDERS} senders, (\d+) ports, \d+ rounds, {MOVES} moves, (\d+) events, none lost', logs['t16'][0])
    assert t16 and int(t16.group(1)) >= PORTS - LEFT, logs['t16'][0]
    assert int(t16.group(2)) >= 10 * int(t16.group(1)) / 2, logs['t16'][0]
    assert '\r\n'.join(logs['t16'][1:]) == selftest


words('4.17', '-22')
words('4.21', '-16')
stress()
sys.exit(0)
