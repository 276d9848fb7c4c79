# SPDX-License-Identifier: MIT
"""tiny's event channels, vcpu_info and vCPUs on any engine: its words, each with what it must say."""
import os
import re
import subprocess

import vcons

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
    ('vcpus', 'vcpus: 1 of 4 run, upcalls by WAY'),
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
    ('vcpus 3', 'vcpus: 3 of 4 run, upcalls by WAY'),
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


def log_of(place, name):
    try:
        return place.log_bytes(f'{name}/hvc0').decode()
    except FileNotFoundError:
        return 'no log'


def run(engine, domains):
    """name: (more of its block, boot arguments). Their logs by name, as lines; None: the engine cannot be used here."""
    with vcons.Place() as place:
        config = os.path.join(place.root, 'events.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "events" console = none }\n')
            for name, (block, cmdline) in domains.items():
                f.write(f'domain "{name}" {{ engine = {engine} memory = 16M hold = forever on_crash = destroy\n'
                        f'    {block} cmdline = "quiet; {cmdline}; poweroff" }}\n')
        daemon = place.daemon()
        vmm = place.start([vcons.program('vcons-vmm'), config], stderr=subprocess.PIPE)
        try:
            status = vmm.wait(10 * vcons.WAIT_S)
            if status == 7:
                return None
        finally:
            logs = {name: log_of(place, name).split('\r\n') for name in domains}
            print({name: lines[-4:] for name, lines in logs.items()})
        assert vcons.stop(daemon) == 0
        assert status == 0, f'vcons-vmm says {status}: {vmm.stderr.read()[-600:]!r}'
    return logs


def words(engine, block, way, twice):
    """Words have numbers that are known only once the first ran: numbers are those that any domain of four vCPUs gets. None: as run."""
    block = f'vcpus = 4 {block}'
    first = run(engine, {'first': (block, 'bind loop')})
    if first is None:
        return None
    first = int(re.fullmatch(r'port (\d+) peer \d+', first['first'][0]).group(1))
    names = {'P': first, 'Q': first + 1, 'R': first + 2, 'TWICE': twice, 'WAY': way}

    def named(text):
        return re.sub(r'\b(P|Q|R|TWICE|WAY)\b', lambda m: str(names[m.group()]), text)
    said = run(engine, {'words': (block, '; '.join(named(word) for word, _ in WORDS))})['words']
    for (word, line), answer in zip(WORDS, said):
        assert answer == named(line), f'{named(word)}: {answer!r}, wanted {named(line)!r}'
    assert said[len(WORDS):] == [''], said[len(WORDS):]
    return True


def stress_line(senders, moves):
    """A group for the number of ports, one for the number of events."""
    return rf'events: {senders} senders, (\d+) ports, \d+ rounds, {moves} moves, (\d+) events, none lost'
