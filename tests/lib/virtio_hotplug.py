# SPDX-License-Identifier: MIT
"""Consoles of a running domain that come and go, in any order, at three devices of at most eight: each has the lowest free number,
prints into its own log, and one that goes while it prints takes nothing with it."""
import os
import random
import re
import subprocess

import vcons
from hypervisor import log_of

DEVICES = 3
MOST = 8     # at one device
CHANGES = 100
PROMPT = b'tiny> '
OUT = 2      # a frame of what is typed


class Machine:
    def __init__(self, place, engine, seed):
        self.place = place
        self.random = random.Random(seed)
        self.plugged = {}  # name: device
        self.numbers = {}
        self.made = 0
        config = os.path.join(place.root, 'virtio.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('hypervisor { name = "virtio" console = none }\n'
                    f'domain "d" {{ kernel = "tiny" engine = {engine} memory = 8M hold = forever cmdline = "quiet"\n'
                    '    console "hvc0" { type = xen }\n')
            for i in range(DEVICES):
                f.write(f'    console "first{i}" {{ type = virtio device = {i} }}\n')
                self.plugged[f'first{i}'] = i
            f.write('}\n')
        place.daemon()
        self.vmm = place.start([vcons.program('vcons-vmm'), config], stderr=subprocess.PIPE)
        vcons.wait_for(lambda: self.vmm.poll() is not None or log_of(place, 'd/hvc0').endswith(PROMPT), 'a prompt')
        self.control = vcons.Control(place.control)
        self.consoles = {}
        self.at = len(log_of(place, 'd/hvc0'))

    def type(self, console, text):
        with vcons.Control(self.place.control) as c:
            c.attach(f'd/{console}', start='now', write='steal')
            c.send(OUT, text)

    def says(self, console, text, answer):
        self.type(console, text)
        vcons.wait_for(lambda: answer in log_of(self.place, f'd/{console}', 20000), f'{answer!r} at {console}')

    def look(self):
        """What the guest says of its consoles, by their names."""
        self.type('hvc0', b'consoles\r')
        vcons.wait_for(lambda: log_of(self.place, 'd/hvc0')[self.at:].endswith(b'\r\n' + PROMPT), 'its consoles')
        log = log_of(self.place, 'd/hvc0')[self.at:].decode()
        self.at += len(log)
        assert 'violations 0' in log and not re.search(r'violations [1-9]', log), log
        return {name: (int(number), size) for name, number, size in
                re.findall(r': name (\S+), guest_connected 1,.*, is_console yes, console_vtermno (\d+), hvc\d+, size (\S+),', log)}

    def settled(self):
        """Once the guest knows of every change. The numbers are unique, and whoever came last has the lowest that was free."""
        found = {}

        def knows():
            found.clear()
            found.update(self.look())
            return found.keys() == self.plugged.keys()
        vcons.wait_for(knows, f'consoles {sorted(self.plugged)}, not {sorted(found)}')
        assert len({number for number, _ in found.values()}) == len(found), found
        return found

    def add(self):
        device = self.random.choice([i for i in range(DEVICES) if list(self.plugged.values()).count(i) < MOST])
        name = f'n{self.made}'
        self.made += 1
        before = {number for number, _ in self.settled().values()}
        self.control.ask('console_add', domain='d', name=name, type='virtio', device=device)
        self.plugged[name] = device
        number = self.settled()[name][0]
        assert number == min(set(range(1, DEVICES * MOST + 1)) - before), (name, number, before)
        self.says(name, b'echo I am %s\r' % name.encode(), b'\r\nI am %s\r\n' % name.encode())

    def remove(self):
        name = self.random.choice(sorted(self.plugged))
        chance = self.random.random()
        if chance < 0.1:  # as fast as it goes
            self.says(name, b'spew 1000000000\r', b'ABCDEF')
        elif chance < 0.5:
            self.says(name, b'slow 1000000000 1\r', b'\r\nslow 3')
        self.control.ask('console_remove', domain='d', name=name)
        del self.plugged[name]


def come_and_go(place, engine):
    m = Machine(place, engine, 20261122)
    if m.vmm.poll() == 7:
        return None
    m.settled()
    for _ in range(CHANGES):
        if m.plugged and (len(m.plugged) == DEVICES * MOST or m.random.random() < 0.45):
            m.remove()
        else:
            m.add()
    m.control.ask('console_add', domain='d', name='first_again', type='virtio', device=0)
    m.plugged['first_again'] = 0
    for name in sorted(m.settled()):
        log = log_of(place, f'd/{name}')
        assert set(re.findall(rb'I am (n\d+)', log)) <= {name.encode()}, log[-300:]
    for columns, rows in ((132, 50), (80, 24)):
        m.control.ask('resize', console='d/first_again', columns=columns, rows=rows)
        vcons.wait_for(lambda size=f'{columns}x{rows}': m.settled()['first_again'][1] == size, f'{columns}x{rows}')
    return True


def run(engine):
    """True; None: the engine cannot be used here."""
    with vcons.Place() as place:
        return come_and_go(place, engine)
