# SPDX-License-Identifier: MIT
"""Ports of virtio-console devices that come, go, and are saved, on any engine: a log for each, byte for byte. What a console prints here
fits into its line and tail, so that no test depends on how long a guest is held."""
import os
import signal
import time

import spew
import vcons
from hypervisor import SWITCH, Hypervisor, domain, log_of

PROMPT = b'tiny> '
LINES = 5000  # 400 KB: less than line and tail have room for
GAP, RESTORED = 4, 12
ROUNDS = 100  # of consoles that come and go


class Guest:
    """One domain, by a hypervisor without a terminal."""

    def __init__(self, place, engine, consoles, cmdline='quiet', name='g', more=''):
        self.place, self.name = place, name
        self.names = [c[0] for c in consoles]
        blocks = ''.join(f'    console "{n}" {{ type = {t} }}\n' for n, t in consoles)
        self.path = os.path.join(place.root, f'{name}.conf')
        with open(self.path, 'w', encoding='ascii') as f:
            f.write(f'hypervisor {{ name = "hv-{name}" console = none }}\n'
                    f'domain "{name}" {{ kernel = "tiny" engine = {engine} cmdline = "{cmdline}" {more}\n{blocks}}}\n')
        self.vmm = place.start([vcons.program('vcons-vmm'), '--link', place.link, self.path])

    def log(self, console):
        return log_of(self.place, f'{self.name}/{console}')

    def prompt(self, console, n=1):
        vcons.wait_for(lambda: self.log(console).count(PROMPT) >= n, f'prompt {n} of {console}', 60)

    def prompts(self):
        for n in self.names:
            self.prompt(n)

    def type(self, console, text):
        with vcons.Control(self.place.control) as c:
            c.attach(f'{self.name}/{console}', start='now', write='steal')
            c.send(vcons.IN, text)
            c.send(vcons.SYNC)
            vcons.wait_for(lambda: c.frame()[0] == vcons.SYNC, 'what was typed to be in the line')

    def run(self, console, command):
        """What it prints; its prompt comes back."""
        n, at = self.log(console).count(PROMPT), len(self.log(console))
        self.type(console, command.encode() + b'\r')
        self.prompt(console, n + 1)
        out = self.log(console)[at:]
        begin = command.encode() + b'\r\n'
        assert out.startswith(begin) and out.endswith(PROMPT), (command, out[:200], out[-200:])
        return out[len(begin):-len(PROMPT)]

    def kinds(self, console):
        return [r[3] for r in self.place.index(f'{self.name}/{console}')]

    def stop(self):
        with vcons.Control(self.place.control) as c:
            c.ask('stop', domain=self.name)
        assert self.vmm.wait(vcons.WAIT_S * 2) == 0


def same(what, log, wanted):
    if log != wanted:
        at = next((i for i, (a, b) in enumerate(zip(log, wanted)) if a != b), min(len(log), len(wanted)))
        raise AssertionError(f'{what}: {len(log)} bytes, {len(wanted)} wanted, differ at {at}: {log[max(at - 80, 0):at + 80]!r}, '
                             f'wanted {wanted[max(at - 80, 0):at + 80]!r}')


THREE = [('a', 'virtio device = 1'), ('b', 'virtio'), ('c', 'virtio device = 2')]


def come_and_go(place, engine):
    """A hundred consoles, of two devices: no leak, no mix, names used again."""
    place.daemon('--private', '--linger', '1000')
    g = Guest(place, engine, [('a', 'virtio'), ('b', 'virtio device = 1')], 'quiet; console=virtio')
    g.prompts()
    fds = len(os.listdir(f'/proc/{g.vmm.pid}/fd'))
    with vcons.Control(place.control) as c:
        for i in range(ROUNDS):
            name = f'x{i % 3}'
            before = g.log(name).count(PROMPT)
            c.ask('console_add', domain='g', name=name, device=i % 2)
            g.prompt(name, before + 1)
            said = g.run(name, f'echo in round {i}')
            assert said == b'in round %d\r\n' % i, (i, said)
            assert c.refusal('console_add', domain='g', name=name) is not None
            c.ask('console_remove', domain='g', name=name)
            assert c.refusal('console_remove', domain='g', name=name) is not None
        assert c.refusal('console_remove', domain='g', name='a') is not None
        assert c.refusal('console_add', domain='g', name='y', device=7) is not None
        c.ask('console_remove', domain='g', name='b')  # of the configuration
        c.ask('console_add', domain='g', name='b', device=0)
    g.prompt('b', 2)
    assert g.run('b', 'echo again') == b'again\r\n'
    vcons.wait_for(lambda: len(os.listdir(f'/proc/{g.vmm.pid}/fd')) == fds, 'as many descriptors as before')
    same('a', g.log('a'), PROMPT)
    g.stop()


def service_killed(place, engine):
    """Killed while each prints, and back: what it said is there, once, in order."""
    daemon = place.daemon('--private', '--linger', '1000')
    g = Guest(place, engine, THREE, 'quiet; console=virtio')
    g.prompts()
    wanted = {n: PROMPT for n in g.names}
    for n in g.names:
        g.type(n, b'spew %d\r' % (LINES // 2))
        vcons.stop(daemon, signal.SIGKILL)
        daemon = place.daemon('--private', '--linger', '1000')
        wanted[n] += b'spew %d\r\n' % (LINES // 2) + spew.lines(LINES // 2) + PROMPT
        vcons.wait_for(lambda: len(g.log(n)) >= len(wanted[n]), f'all of {n}', 60)
    for n in g.names:
        same(n, g.log(n), wanted[n])
        assert GAP not in g.kinds(n), n
    g.stop()


def on_the_terminal(place, engine):
    """A first console of this type has the terminal, its keys and its focus, as any other."""
    place.daemon('--private', '--linger', '1000')
    config = ''.join(domain(n, 'quiet; console=virtio', console=[('v', 'virtio'), ('w', 'virtio device = 1')])
                     for n in ('one', 'two')).replace('engine = process', f'engine = {engine}')
    h = Hypervisor(place, config)
    for n in ('one/v', 'one/w', 'two/v', 'two/w'):
        vcons.wait_for(lambda: h.read(0.01) is not None and log_of(place, n) == PROMPT, f'a prompt of {n}', 60)
    h.type('echo to the first\r')
    h.expect('\nto the first\r\n')
    h.type(SWITCH)
    h.expect('*** Serial input to DOM2')
    h.type('spew 200\r')
    h.expect(spew.lines(200)[-80:])
    same('one/v', log_of(place, 'one/v'), PROMPT + b'echo to the first\r\nto the first\r\n' + PROMPT)
    vcons.wait_for(lambda: log_of(place, 'two/v').endswith(b'\r\n' + PROMPT), 'the log of the second')
    same('two/v', log_of(place, 'two/v'), PROMPT + b'spew 200\r\n' + spew.lines(200) + PROMPT)
    assert log_of(place, 'two/w') == log_of(place, 'one/w') == PROMPT
    h.type(SWITCH)
    h.expect('*** Serial input to Xen')
    h.type('c')
    h.expect('one/v (virtio): flows, 0 bytes dropped')
    h.expect('two/w (virtio): flows, 0 bytes dropped')
    assert h.quit() == 0
    h.close()


def without_a_service(place, engine):
    """Who was never there holds nobody: the guest goes on, and who comes late finds all that line and tail have room for."""
    g = Guest(place, engine, [('a', 'virtio')], f'quiet; console=virtio; spew {LINES}; echo over')
    time.sleep(0.3)  # not for order: a guest that were held would not be over
    place.daemon('--private', '--linger', '1000')
    wanted = spew.lines(LINES) + b'over\r\n' + PROMPT
    vcons.wait_for(lambda: len(g.log('a')) >= len(wanted), 'all of it', 60)
    same('a', g.log('a'), wanted)
    g.stop()


def reboots(place, engine):
    """A guest that resets its devices, and one that reboots: consoles that came stay."""
    place.daemon('--private', '--linger', '1000')
    g = Guest(place, engine, [('a', 'virtio'), ('b', 'virtio device = 1')], 'quiet; console=virtio')
    g.prompts()
    with vcons.Control(place.control) as c:
        c.ask('console_add', domain='g', name='more', device=1)
        g.prompt('more')
        g.type('a', b'reboot\r')
        for n in ('a', 'b', 'more'):
            g.prompt(n, 2)
            assert g.run(n, 'echo back') == b'back\r\n'
        c.ask('resize', console='g/b', rows=33, columns=111)
    vcons.wait_for(lambda: b'111' in g.run('b', 'consoles') and b'33' in g.run('b', 'consoles'), 'the size')
    assert g.kinds('b').count(vcons.BOOT) == 2
    g.stop()


def saved_while_they_print(place, engine):
    """Each goes on elsewhere in the midst of its lines, with the consoles that came meanwhile."""
    import save_scenario as s

    place.service = place.daemon('--private', '--linger', '1000')
    g = Guest(place, engine, [('a', 'virtio'), ('b', 'virtio device = 2')], 'quiet; console=virtio')
    g.prompts()
    with vcons.Control(place.control) as c:
        c.ask('console_add', domain='g', name='more', device=2)
        c.ask('console_remove', domain='g', name='b')
    g.prompt('more')
    saver = s.Saver(place, place.service)
    wanted = {n: PROMPT for n in ('a', 'more')}
    points = 0
    for n in ('a', 'more', 'a', 'more'):
        g.type(n, b'spew %d\r' % LINES)
        wanted[n] += b'spew %d\r\n' % LINES + spew.lines(LINES) + PROMPT
        s.save_and_restore(place, saver, 'g', points)
        points += 1
        vcons.wait_for(lambda: len(g.log(n)) >= len(wanted[n]), f'all of {n}', 60)
    for n, text in wanted.items():
        same(n, g.log(n), text)
        assert g.kinds(n).count(RESTORED) == points and GAP not in g.kinds(n), n
    assert g.run('more', 'echo typed') == b'typed\r\n'
    saver.control.close()
    with vcons.Control(place.control) as c:
        c.ask('console_add', domain='g', name='b', device=2)
        g.prompt('b', 2)
        assert g.run('b', 'echo here') == b'here\r\n'
        c.ask('stop', domain='g')


ALL = (come_and_go, on_the_terminal, service_killed, without_a_service, reboots, saved_while_they_print)


def play(parts, engine):
    for part in parts:
        with vcons.Place() as place:
            begin = time.monotonic()
            part(place, engine)
            print(f'ok {part.__name__} {time.monotonic() - begin:.1f} s', flush=True)
