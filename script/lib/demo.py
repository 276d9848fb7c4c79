#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demo without a person: vcons on a pseudo-terminal, typed at and watched; every step is printed when it was seen.

demo.py BUILD CONFIG. Exit 0 only if all was seen. Runs in directories of its own and ends every process it started.
"""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tests', 'lib'))
import spew  # noqa: E402  what the guests are expected to print, written apart from them
from vcons import history, log_length  # noqa: E402

BUILD, CONFIG = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
VCONS = os.path.join(BUILD, 'client', 'vcons')
VCONSD = os.path.join(BUILD, 'service', 'vconsd')
LIMIT_S = 180  # a hang guard: each step takes a second or few, a boot by QEMU 20
SWITCH = b'\x01\x01\x01'
TINY = ('one', 'two', 'three')
KILLS = 3


class Failed(Exception):
    pass


class Terminal:
    """A program on a pseudo-terminal, and all that it ever showed there."""

    def __init__(self, argv, rows=50, columns=132):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        termios.tcsetwinsize(self.fd, (rows, columns)) if hasattr(termios, 'tcsetwinsize') else None
        self.settings = termios.tcgetattr(self.fd)
        self.shown = bytearray()
        self.ended = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                got = b''
            if not got:
                self.ended = True
                return
            self.shown += got

    def type(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def see(self, text, start=0):
        """Wait until text is shown at or after start; where it ends."""
        text = text.encode() if isinstance(text, str) else text
        wait_for(lambda: self.shown.find(text, start) >= 0, f'{text[-200:]!r} on the terminal', lambda: self.shown[-2000:])
        return self.shown.find(text, start) + len(text)

    def status(self):
        """Its exit status once it ended."""
        wait_for(lambda: os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None, 'its end')
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def end(self):
        """Ask it to end; vcons run then ends its guests."""
        if not self.ended:
            os.kill(self.pid, signal.SIGTERM)
            wait_for(lambda: self.ended, 'the end of vcons run')
        self.kill()

    def kill(self):
        try:
            if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


def wait_for(condition, what, evidence=lambda: b''):
    until = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > until:
            raise Failed(f'not seen within {LIMIT_S} s: {what}\n{bytes(evidence()).decode(errors="replace")}')
        time.sleep(0.01)


def vcons(*words):
    done = subprocess.run([VCONS, *words], capture_output=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise Failed(f'vcons {" ".join(words)}: exit {done.returncode}: {done.stderr.decode()}')
    return done.stdout


class Demo:
    def __init__(self):
        self.place = tempfile.mkdtemp(prefix='vcons-demo-')
        os.environ.update({f'VCONS_{name}_DIR': os.path.join(self.place, name.lower())
                           for name in ('RUNTIME', 'STATE', 'LOG')})
        self.start = time.monotonic()
        self.terminal = None
        self.viewers = []
        self.follower = None
        self.services = []  # pids
        self.expected = {}  # domain: every byte that its log must hold

    def seen(self, text):
        print(f'demo: {time.monotonic() - self.start:6.1f} s  {text}', flush=True)

    def directory(self, domain):
        return os.path.join(self.place, 'log', domain, 'hvc0')

    def log(self, domain):
        return history(self.directory(domain)) if os.path.exists(self.directory(domain)) else b''

    def log_bytes(self, domain):
        return log_length(self.directory(domain)) if os.path.exists(self.directory(domain)) else 0

    def check_logs(self):
        for domain in TINY:
            wait_for(lambda: self.log_bytes(domain) >= len(self.expected[domain]), f'the whole log of {domain}',
                     lambda: self.log(domain)[-500:])
            log = self.log(domain)
            if log != self.expected[domain]:
                at = next((i for i, (a, b) in enumerate(zip(log, self.expected[domain])) if a != b), len(self.expected[domain]))
                raise Failed(f'log of {domain} differs at byte {at} of {len(log)}, {len(self.expected[domain])} expected: '
                             f'{log[max(0, at - 80):at + 80]!r}')

    def said(self, domain, line, output=b''):
        """The domain was given a line: its echo, its answer and the next prompt are what must follow in the log."""
        self.expected[domain] += line.encode() + b'\r\n' + output + b'tiny> '

    # ---- The steps.

    def boot(self):
        self.terminal = Terminal([VCONS, 'run', CONFIG])
        for text in ('one. To quit', '(d2) tiny: ', '(d3) tiny: ', 'Linux version '):
            self.terminal.see(text)
        self.terminal.see(' is up, ')  # user-mode Linux has reached its shell
        consoles = {c['name']: c for c in json.loads(vcons('ls', '--json'))}
        for domain in (*TINY, 'linux'):
            if consoles[f'{domain}/hvc0']['state'] != 'running':
                raise Failed(f'{domain} does not run: {consoles[domain + "/hvc0"]}')
        self.services.append(json.loads(vcons('status', '--json'))['pid'])
        for domain in TINY:
            wait_for(lambda: self.log(domain).endswith(b'tiny> '), f'the first prompt of {domain}')
            banner = re.fullmatch(rb'tiny: the vcons test kernel, \w+, \d+ MiB, console \w+\r\ntiny> ', self.log(domain))
            if banner is None:
                raise Failed(f'log of {domain} at its first prompt: {self.log(domain)!r}')
            self.expected[domain] = banner.group()
        engines = ', '.join(f'{d} by {consoles[d + "/hvc0"]["engine"]}' for d in (*TINY, 'linux'))
        self.seen(f'four domains boot together and print: {engines}')

    def go_round(self):
        shown = 0
        for number, domain in enumerate(TINY, 1):
            shown = self.terminal.see(f'*** Serial input to DOM{number}', shown)
            self.terminal.type(f'echo typed for {domain}\r')
            shown = self.terminal.see(f'\ntyped for {domain}', shown)
            self.said(domain, f'echo typed for {domain}', f'typed for {domain}\r\n'.encode())
            self.seen(f'{domain} has the keyboard and answers')
            self.terminal.type(SWITCH)
        shown = self.terminal.see('*** Serial input to DOM4', shown)
        self.terminal.type('echo $((6*7)) $(uname -s)\r')
        shown = self.terminal.see('42 Linux', shown)
        self.seen('linux has the keyboard, and its shell answers')
        self.terminal.type(SWITCH)
        shown = self.terminal.see('*** Serial input to Xen', shown)
        self.terminal.type('d')
        for domain in (*TINY, 'linux'):
            self.terminal.see(domain, shown)
        self.seen('the hypervisor has the keyboard and lists its domains')

    def spew(self, domain, lines, width):
        self.said(domain, f'spew {lines} {width}', spew.lines(lines, width))  # first: the guest is faster than this
        vcons('send', domain, f'spew {lines} {width}')

    def restart_service(self):
        """Again while the dead one's last thread still has its lock, as a service manager would."""
        def answers():
            return subprocess.run([VCONS, 'status'], capture_output=True, timeout=LIMIT_S, check=False).returncode == 0

        def started():
            service = subprocess.Popen([VCONSD, '--foreground'], start_new_session=True, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(lambda: service.poll() is not None or answers(), 'the service')
            if service.poll() is None:
                self.services.append(service.pid)
            return service.returncode is None

        wait_for(started, 'the restart of the service')
        wait_for(lambda: all(c['state'] == 'running' for c in json.loads(vcons('ls', '--json'))) and
                 len(json.loads(vcons('ls', '--json'))) == 5, 'all five consoles being back')

    def kill_in_the_middle(self):
        """How far the log of two was. A guest that was done before the kill, on a fast machine, is asked once more."""
        for _ in range(10):
            before = self.log_bytes('two')
            self.spew('two', 300000, 100)
            wait_for(lambda: self.log_bytes('two') > before + 1_000_000, 'two printing', lambda: self.log('two')[-300:])
            os.kill(self.services[-1], signal.SIGKILL)
            wait_for(lambda: not alive(self.services[-1]), 'the end of the service')
            at = self.log_bytes('two')
            if at < len(self.expected['two']):
                return at
            self.restart_service()
        raise Failed('the guest was always done before the service was killed')

    def kill_service(self):
        """While guests print at full speed: kill -9 and restart, and not a byte may be missing or there twice."""
        self.spew('one', 20000, 60)
        self.spew('three', 3000, 60)
        for kill in range(1, KILLS + 1):
            at = self.kill_in_the_middle()
            self.restart_service()
            wait_for(lambda: self.log_bytes('two') > at, 'the log going on')
            self.seen(f'kill -9 of the service number {kill}, at byte {at:,} of two\'s log; restarted, and it goes on')
        self.check_logs()
        self.seen(f'every byte is in the logs, once: {sum(map(len, self.expected.values())):,} bytes of three domains compared')

    def watch(self):
        """Two people attach, a program follows: what there was from byte 0 on, and what comes."""
        before = self.expected['three']
        self.viewers = [Terminal([VCONS, 'attach', '--ro', '--from', 'start', 'three']) for _ in range(2)]
        raw = os.path.join(self.place, 'followed')
        with open(raw, 'wb') as file:
            self.follower = subprocess.Popen([VCONS, 'log', '-f', '--raw', 'three'], stdout=file, stdin=subprocess.DEVNULL)
        for viewer in self.viewers:
            viewer.see(before[-1000:])
        self.spew('three', 500, 70)
        for viewer in self.viewers:
            at = viewer.see(before[:before.index(b'\n')])  # the banner, then all that came since the viewer is there
            viewer.see(self.expected['three'][len(before):], at)
        wait_for(lambda: os.path.getsize(raw) >= len(self.expected['three']), 'the whole log in vcons log -f')
        with open(raw, 'rb') as file:
            if file.read() != self.expected['three']:
                raise Failed('vcons log -f --raw differs from what the guest wrote')
        self.check_logs()
        self.seen('two viewers of three see its first line and its newest; vcons log -f has every byte: '
                  f'{len(self.expected["three"]):,}')

    def quit(self):
        linux = self.log('linux')
        for text in (b'Linux version ', b' is up, ', b'\n42 Linux\r\n'):
            if text not in linux:
                raise Failed(f'not in the log of linux: {text!r}')
        self.seen(f'the log of linux has its boot messages and its shell: {len(linux):,} bytes')
        self.terminal.type('q')
        self.terminal.see('quit and stop all domains?')
        self.terminal.type('y')
        status = self.terminal.status()
        if status != 0:
            raise Failed(f'vcons run ended with {status}')
        if termios.tcgetattr(self.terminal.fd)[:4] != self.terminal.settings[:4]:
            raise Failed('the terminal is not as it was')
        self.check_logs()
        self.seen('q quits: exit status 0, the terminal is as it was, the logs are still there')

    def play(self):
        self.boot()
        self.go_round()
        self.kill_service()
        self.watch()
        self.quit()

    def close(self):
        if not self.services:  # it failed early: the service that vcons run started is known to vcons alone
            status = subprocess.run([VCONS, 'status', '--json'], capture_output=True, timeout=LIMIT_S, check=False)
            if status.returncode == 0:
                self.services.append(json.loads(status.stdout)['pid'])
        if self.terminal is not None:
            self.terminal.end()  # first of all, while there is a service that takes what the guests still have to say
        for viewer in self.viewers:
            viewer.kill()
        if self.follower is not None:
            self.follower.kill()
            self.follower.wait()
        for pid in self.services:
            if alive(pid):
                os.kill(pid, signal.SIGTERM)
                wait_for(lambda: not alive(pid), f'the end of vconsd, pid {pid}')
        shutil.rmtree(self.place, ignore_errors=True)


def alive(pid):
    try:
        os.waitpid(pid, os.WNOHANG)  # if it is our own
    except ChildProcessError:
        pass
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
            return file.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def main():
    demo = Demo()
    status = 1
    try:
        demo.play()
        status = 0
        print('demo: all seen')
    except Failed as failure:
        print(f'demo: FAILED: {failure}', file=sys.stderr)
    finally:
        demo.close()
    sys.exit(status)


main()
