# SPDX-License-Identifier: MIT
"""tiny on a machine of QEMU's, with its UART on our standard streams."""
import os
import re
import select
import subprocess
import time

# Where QEMU is known not to be what the manuals say (7.2; later ones less so), and why. Nothing else may fail.
DEVIATIONS = {
    'PL011: loopback returns what is sent': 'it has no loopback, so what is sent is sent; all rows about input need it',
    'PL011: bits beyond a register\'s width are ignored': 'UARTIBRD and UARTFBRD keep all that is written',
    'PL011: RXFF at the depth that its revision has': 'no loopback',
    'PL011: character mode holds one': 'no loopback',
    'PL011: a change of FEN empties the FIFO': 'no loopback',
    'PL011: receive interrupt at each trigger level': 'no loopback; and its trigger is always 1',
    'PL011: full, it interrupts again after UARTICR': 'no loopback; and it would not',
    'PL011: receive time-out, cleared by reading': 'no loopback; and it has none',
    'PL011: receive time-out again after UARTICR': 'no loopback; and it has none',
    'PL011: overrun keeps what the FIFO holds': 'no loopback',
    'PL011: overrun is cleared by UARTICR and UARTECR': 'no loopback',
    'PL011: break is one 0 with BE': 'no loopback',
    'PL011: modem outputs come back in loopback': 'no loopback',
    'PL011: a change of a modem wire is latched': 'it has no modem wires',
    'SBSA: all other offsets read 0 and ignore writes': 'it is a PL011 that a device tree calls so',
    '16550: modem status is the last of them': 'a change of MCR in loopback sets no delta bits',
    '16550: changes of modem wires are told once': 'a change of MCR in loopback sets no delta bits',
    '16550: break is one 0 with BI': 'a break is not looped back',
}

PROMPT = b'tiny> '
HANG_S = 60


class Tiny:
    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.seen = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _more(self):
        ready, _, _ = select.select([self.process.stdout], [], [], HANG_S)
        assert ready, f'silent after {self.seen[-300:]!r}'
        data = os.read(self.process.stdout.fileno(), 65536)
        self.seen += data
        return data

    def until(self, pattern):
        """What came up to and with the first match of pattern; it is gone from `seen` then."""
        end = time.monotonic() + HANG_S
        while (found := re.search(pattern, self.seen)) is None:
            assert self._more() and time.monotonic() < end, f'no {pattern!r} in {self.seen[-300:]!r}'
        out, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return out

    def send(self, data):
        while data:
            data = data[os.write(self.process.stdin.fileno(), data):]

    def run(self, line):
        """A word at the prompt: what it printed."""
        self.send(line.encode() + b'\r')
        self.until(re.escape(line.encode()) + b'\r\n')
        out = self.until(re.escape(PROMPT))
        return out[:-len(PROMPT)]

    def check_uart(self, n_checks):
        """uart-test, of n_checks rows, but for what is known of QEMU."""
        lines = self.run('uart-test qemu').decode().split('\r\n')[:-1]
        known = {line.strip('\r')[len('known '):] for line in lines if line.strip('\r').startswith('known ')}
        assert known <= set(DEVIATIONS), known - set(DEVIATIONS)
        assert lines[-1] == f'uart-test: {n_checks - len(known)} ok, {len(known)} known, 0 failed', lines

    def status(self):
        while self._more():
            pass
        return self.process.wait(timeout=HANG_S)


def x86(kernel, cmdline, machine='pc'):
    """console=uart is a 16550 at 0x3f8; the exit status is isa-debug-exit's: 2 * reason + 1."""
    return Tiny(['qemu-system-x86_64', '-M', machine, '-accel', 'tcg', '-m', '64', '-kernel', guest(kernel), '-append', cmdline,
                 '-display', 'none', '-nodefaults', '-no-reboot', '-serial', 'stdio',
                 '-device', 'isa-debug-exit,iobase=0x501,iosize=4'])


def arm64(cmdline, machine='virt', *more):
    """The UART of `virt` is a PL011; poweroff, reboot and crash are all status 0."""
    return Tiny(['qemu-system-aarch64', '-M', machine, '-cpu', 'cortex-a72', '-accel', 'tcg,thread=single', '-m', '64', '-kernel',
                 guest('tiny-arm64'), '-append', cmdline, '-display', 'none', '-nodefaults', '-no-reboot', '-serial', 'stdio',
                 *more])


def guest(name):
    return os.path.join(os.environ['VCONS_BUILD'], 'guest', name)
