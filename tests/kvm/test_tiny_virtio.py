# SPDX-License-Identifier: MIT
"""tiny's virtio-console driver and its virtio-test on devices that we did not write: QEMU's, on `microvm` and `virt`. Its consoles by
their sockets, ports that come and go by QMP, and old drivers."""
import json
import os
import re
import shutil
import socket
import sys
import tempfile

import qemu_tiny
import spew

SPEW = 1000  # QEMU drops what a console sends beyond what its socket takes
CHECKS = 14  # rows of virtio-test for each device

MACHINES = {
    'x86': (['qemu-system-x86_64', '-M', 'microvm,acpi=off', '-accel', 'tcg', '-kernel'], 'tiny-pvh', 'console=ttyS0', 1, 'by interrupt',
            ['-device', 'isa-debug-exit,iobase=0x501,iosize=4']),
    'x86_32': (['qemu-system-x86_64', '-M', 'microvm,acpi=off', '-accel', 'tcg', '-kernel'], 'tiny-pvh32', 'console=ttyS0', 1, 'by interrupt',
               ['-device', 'isa-debug-exit,iobase=0x501,iosize=4']),
    'arm64': (['qemu-system-aarch64', '-M', 'virt', '-cpu', 'cortex-a72', '-accel', 'tcg,thread=single', '-kernel'], 'tiny-arm64',
              'console=ttyAMA0', 0, 'by interrupt', []),
}


class Machine(qemu_tiny.Tiny):
    """devices: for each the ports it has from the beginning, as ('console' or 'port', name)."""

    def __init__(self, directory, which, cmdline, devices):
        argv, kernel, console, self.off, self.way, more = MACHINES[which]
        self.directory = directory
        argv = argv + [qemu_tiny.guest(kernel), '-append', f'{console}; {cmdline}', '-m', '64', '-display', 'none', '-nodefaults',
                       '-no-reboot', '-serial', 'stdio', '-global', 'virtio-mmio.force-legacy=false',
                       '-qmp', f'unix:{directory}/qmp,server=on,wait=off'] + more
        for i, ports in enumerate(devices):
            argv += ['-device', f'virtio-serial-device,id=s{i},max_ports=8']
            for kind, name in ports:
                device, kind = self.device(i, kind, name)
                argv += ['-chardev', f'socket,id={name},path={directory}/{name},server=on,wait=off',
                         '-device', ','.join(f'{k}={v}' for k, v in device.items()).replace('driver=', '', 1)]
        super().__init__(argv)
        self.qmp_lines = None

    @staticmethod
    def device(i, kind, name):
        driver = {'console': 'virtconsole', 'port': 'virtserialport'}[kind]
        return {'driver': driver, 'bus': f's{i}.0', 'chardev': name, 'name': name, 'id': f'd-{name}'}, kind

    def qmp(self, execute, **arguments):
        if self.qmp_lines is None:
            self.qmp_socket = socket.socket(socket.AF_UNIX)
            self.qmp_socket.connect(f'{self.directory}/qmp')
            self.qmp_lines = self.qmp_socket.makefile('rw')
            assert 'QMP' in json.loads(self.qmp_lines.readline())
            self.qmp('qmp_capabilities')
        self.qmp_lines.write(json.dumps({'execute': execute, 'arguments': arguments}) + '\n')
        self.qmp_lines.flush()
        while 'event' in (answer := json.loads(self.qmp_lines.readline())):
            pass
        assert 'return' in answer, answer

    def plug(self, i, kind, name):
        self.qmp('chardev-add', id=name, backend={'type': 'socket', 'data': {
            'addr': {'type': 'unix', 'data': {'path': f'{self.directory}/{name}'}}, 'server': True, 'wait': False}})
        self.qmp('device_add', **self.device(i, kind, name)[0])

    def unplug(self, name):
        self.qmp('device_del', id=f'd-{name}')

    def ports(self):
        """The lines of `consoles`, by their names."""
        lines = self.run('consoles').decode().split('\r\n')
        found = [re.fullmatch(r'(vport\d+p\d+): name (\S+), guest_connected (\d), host_connected (\d), bytes_sent (\d+), bytes_received '
                              r'(\d+), bytes_discarded (\d+), is_console (yes|no), console_vtermno (\d+)(?:, hvc(\d+))?, size '
                              r'(\d+)x(\d+), dropped (\d+)', line) for line in lines]
        self.devices = [line for line in lines if line.startswith('virtio')]
        return {f[2]: f for f in found if f}

    def numbers(self):
        return {name: int(f[9]) for name, f in self.ports().items() if f[8] == 'yes'}

    def await_numbers(self, expected):
        for _ in range(200):
            if (numbers := self.numbers()) == expected:
                return
        raise AssertionError((numbers, expected))


class Console:
    """The other end of a port."""

    def __init__(self, directory, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(qemu_tiny.HANG_S)
        self.socket.connect(f'{directory}/{name}')
        self.seen = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def until(self, text):
        while text not in self.seen:
            more = self.socket.recv(65536)
            assert more, self.seen[-300:]
            self.seen += more
        at = self.seen.index(text) + len(text)
        out, self.seen = self.seen[:at], self.seen[at:]
        return out

    def run(self, line):
        self.socket.sendall(line + b'\r')
        self.until(line + b'\r\n')
        return self.until(qemu_tiny.PROMPT)[:-len(qemu_tiny.PROMPT)]


THREE = [[('console', 'c0'), ('console', 'c1'), ('port', 'agent')], [('console', 'c2')], [('console', 'c3'), ('console', 'c4')]]


def check_ports(directory, tiny, consoles):
    numbers = tiny.numbers()
    assert sorted(numbers.values()) == [1, 2, 3, 4, 5], numbers  # by address, which QEMU gives out its own way
    assert all(tiny.way in device and 'violations 0' in device for device in tiny.devices), tiny.devices
    for name, console in consoles.items():  # to each its own, and to no other
        assert console.run(b'echo I am %s' % name.encode()) == b'I am %s\r\n' % name.encode()
        assert not console.seen
    assert consoles['c4'].run(b'spew %d' % SPEW) == spew.lines(SPEW)
    assert all(not console.seen for console in consoles.values())
    with Console(directory, 'agent') as agent:
        tiny.run('port agent open')
        tiny.run('port agent send hello agent')
        agent.until(b'hello agent')
        agent.socket.sendall(b'hello tiny')
        for _ in range(200):
            if (got := tiny.run('port agent read')) != b'\r\n':
                break
        assert got == b'hello tiny\r\n', got
        tiny.run('port agent close')
    assert tiny.ports()['agent'][3] == '0'


def check_hot_plug(directory, tiny, consoles):
    """A port goes while its console prints, and comes again: it has the lowest number, and nothing of what was printed."""
    numbers = tiny.numbers()
    lowest = numbers['c1']
    consoles['c1'].socket.sendall(b'spew 1000000000\r')
    consoles['c1'].until(b'spew 1000000000\r\n')
    consoles['c1'].until(b'\r\n')
    consoles['c1'].socket.close()
    tiny.unplug('c1')
    del numbers['c1']
    tiny.await_numbers(numbers)
    tiny.plug(1, 'console', 'new')
    with Console(directory, 'new') as new:
        new.socket.sendall(b'\r')
        new.until(qemu_tiny.PROMPT)
        assert new.run(b'echo new') == b'new\r\n'
        tiny.await_numbers({**numbers, 'new': lowest})
        assert not new.seen
    for name in ('c0', 'c2', 'c3', 'c4'):
        assert consoles[name].run(b'echo on') == b'on\r\n'


def check(which):
    with tempfile.TemporaryDirectory() as directory, Machine(directory, which, 'quiet', THREE) as tiny:
        tiny.until(re.escape(qemu_tiny.PROMPT))
        consoles = {name: Console(directory, name) for ports in THREE for kind, name in ports if kind == 'console'}
        for console in consoles.values():  # what was printed before we came is gone: QEMU keeps nothing
            console.socket.sendall(b'\x15\recho here\r')
            console.until(b'here\r\nhere\r\ntiny> ')
        check_ports(directory, tiny, consoles)
        check_hot_plug(directory, tiny, consoles)
        out = tiny.run('virtio-test').decode()
        assert out.endswith(f'virtio-test: {3 * CHECKS} ok, 0 failed\r\n'), out
        assert 'violations 0' in tiny.run('consoles').decode()
        tiny.send(b'poweroff\r')
        assert tiny.status() == tiny.off
        for console in consoles.values():
            console.socket.close()


def check_old(which):
    """One console a device, each told of at once: the old counter gives one number to all, the allocator does not."""
    one_each = [[('console', f'c{i}')] for i in range(3)]
    for words, expected in (('virtio-old', [1, 1, 1]), ('quiet', [1, 2, 3]), ('virtio-nomultiport', [1, 2, 3])):
        with tempfile.TemporaryDirectory() as directory, Machine(directory, which, words, one_each) as tiny:
            tiny.until(re.escape(qemu_tiny.PROMPT))
            lines = tiny.run('consoles').decode()
            assert sorted(map(int, re.findall(r'console_vtermno (\d+)', lines))) == expected, lines
            assert ('the only port' in lines) == ('nomultiport' in words), lines
            if 'nomultiport' in words:
                with Console(directory, 'c2') as console:
                    console.socket.sendall(b'\r')
                    console.until(qemu_tiny.PROMPT)
                    assert console.run(b'echo alone') == b'alone\r\n'
                out = tiny.run('virtio-test').decode()
                assert out.endswith(f'virtio-test: {3 * CHECKS} ok, 0 failed\r\n'), out
            tiny.send(b'poweroff\r')
            assert tiny.status() == tiny.off


def main():
    here = [which for which, (argv, kernel, *_) in MACHINES.items()
            if shutil.which(argv[0]) is not None and os.path.exists(qemu_tiny.guest(kernel))]
    if not here:
        print('no QEMU here')
        return 77
    for which in here:
        check(which)
        if which != 'x86_32':
            check_old(which)
    return 0


sys.exit(main())
