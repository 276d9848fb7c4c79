#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cases of the lab: cases.py [--json] MACHINE NAME:SECONDS...

MACHINE is kvm (L1 with Debian's own KVM), kvm-xen (L1 with KVM_XEN), xen (dom0 of a real Xen), arm64 or xen-arm64 (the same of that
architecture), xen-arm64-ox (xen-arm64 with oxenstored, where the others have the C xenstored). All cases share one boot of it, each in
a directory of its own; if the machine dies in one of them, it is booted again for those behind it. Prints what the cases say; with
--json, one object a case with the keys of Meson's test log. VCONS_BUILD is the build whose programs run; for arm64 it is
VCONS_BUILD_ARM64, or build/arm64 where tests/lab/build-arm64 makes it.
"""
import argparse
import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

LAB = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {  # in the machine's PATH: where the build has it
    'vcons': 'client/vcons', 'vconsd': 'service/vconsd', 'vcons-vmm': 'vmm/vcons-vmm', 'vcons-xen.so': 'xen/vcons-xen.so',
    'tiny-pvh': 'guest/tiny-pvh', 'tiny-pvh32': 'guest/tiny-pvh32', 'tiny-process': 'guest/tiny-process', 'tiny-arm64': 'guest/tiny-arm64',
    'check_spew': 'bench/bench_check_spew', 'chat': 'tests/lab/lab_chat',
    'arm64_state': 'tests/lab/lab_arm64_state', 'xenstore_real': 'tests/lab/lab_xenstore_real',
    'xen_ring': 'tests/lab/lab_xen_ring',
    'xenconsoled-vcons': 'service/xenconsoled', 'vcons-replace-xenconsoled': 'packaging/xen/vcons-replace-xenconsoled',
    'kvm_exits': 'tests/lab/lab_kvm_exits', 'kvm_xen_exits': 'tests/lab/lab_kvm_xen_exits',
    'test_kvm_engine': 'tests/kvm/test_kvm_engine', 'test_kvm_vcpus': 'tests/kvm/test_kvm_vcpus', 'test_kvm_xen': 'tests/kvm/test_kvm_xen',
}
AS_THEY_ARE = ('tiny-arm64', 'vcons-replace-xenconsoled')  # nothing to strip
MACHINES = {'arm64': ['run', 'arm64'], 'kvm': ['run', 'x86_64'], 'kvm-xen': ['run', 'x86_64', '--xen'],
            'xen': ['xen-run', 'x86_64'], 'xen-arm64': ['xen-run', 'arm64'], 'xen-arm64-ox': ['xen-run', 'arm64']}
ARM64 = ('arm64', 'xen-arm64', 'xen-arm64-ox')
OXENSTORED = '-ox'  # the end of a machine's name; to its cases it is the one without it, in $WAY
DOM0LESS = 'quiet; selftest; spew 20; echo as said'  # to the tiny that Xen itself starts on xen-arm64, as its first domain
BOOT_S = 120  # a hang guard: 5 s on an idle host
# Only with --long: most of it is seen by other cases, and with xen_doors QEMU stands still in every second boot or so.
LATER = {('xen-arm64', 'xen_doors'), ('xen-arm64', 'xen_full'), ('xen-arm64-ox', 'xen_doors'), ('xen-arm64-ox', 'xen_steps')}
QUIET_S = 60  # no sign of life for so long, and the machine itself stands still
TRIES = 8  # of a case whose machine stands still
LONG = os.environ.get('VCONS_LONG', '')
FACTOR = float(os.environ.get('VCONS_LAB_PATIENCE', '1')) * (10 if LONG else 1)  # for hosts that are slower still


def build_for(machine):
    if machine not in ARM64:
        return os.environ['VCONS_BUILD']
    return os.environ.get('VCONS_BUILD_ARM64', os.path.join(LAB, '..', '..', 'build', 'arm64'))


def payload(machine, build, where):
    """The directory that is copied into the machine."""
    shutil.copytree(os.path.join(LAB, 'cases'), os.path.join(where, 'cases'))
    shutil.copy(os.path.join(LAB, 'run-cases'), where)
    os.mkdir(os.path.join(where, 'bin'))
    if machine == 'arm64':
        subprocess.run([os.path.join(LAB, 'board-dtb'), os.path.join(where, 'board.dtb')], check=True)
    strip = 'aarch64-linux-gnu-strip' if machine in ARM64 else 'strip'
    for name, path in PROGRAMS.items():
        if name in AS_THEY_ARE:
            if os.path.exists(os.path.join(build, path)):
                shutil.copy(os.path.join(build, path), os.path.join(where, 'bin', name))
        elif os.path.exists(os.path.join(build, path)):
            subprocess.run([strip, '-o', os.path.join(where, 'bin', name), os.path.join(build, path)], check=True)


class Boot:
    """One boot of the machine with these cases; collects what they say."""

    def __init__(self, machine, jobs, where):
        self.results, self.current, self.began, self.stray = [], None, 0, []
        self.heard, self.stands_still = time.monotonic() + BOOT_S - QUIET_S, False  # nothing is said while it boots
        limit = BOOT_S + sum(jobs.values()) + 10 * len(jobs)
        way = [f'WAY={machine.removesuffix(OXENSTORED)}', f'VCONS_LONG={LONG}', f'VCONS_SEED={os.environ.get("VCONS_SEED", "")}']
        extra = ['--dom0less', f'{where}/bin/tiny-arm64 {DOM0LESS}'] if machine == 'xen-arm64' else []
        command = [os.path.join(LAB, MACHINES[machine][0]), *MACHINES[machine][1:], *extra, '--dir', where, '--timeout', str(limit), '--',
                   'env', *way, 'sh', './run-cases', *(f'{name}:{seconds}' for name, seconds in jobs.items())]
        env = {**os.environ, 'XENSTORED': 'oxenstored' if machine.endswith(OXENSTORED) else 'xenstored'}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, errors='replace', env=env) as self.process:
            errors = threading.Thread(target=lambda: self.stray.append(self.process.stderr.read()))
            errors.start()
            threading.Thread(target=self.watch, daemon=True).start()
            for line in self.process.stdout:
                self.heard = time.monotonic()
                self.take(line.rstrip('\n'))
            errors.join()
        self.status = self.process.returncode
        if self.current:
            self.stray.append(f'the machine ended during this case, with status {self.status}\n')
            self.end(None, time.monotonic() - self.began)

    def watch(self):
        """End a machine that stands still."""
        while self.process.poll() is None and not self.stands_still:
            self.stands_still = time.monotonic() - self.heard > QUIET_S
            time.sleep(1)
        if self.stands_still:
            self.process.terminate()

    def take(self, line):
        word, _, rest = line.partition(' ')
        if word == '>>>':
            self.current, self.began, self.said = rest, time.monotonic(), []
        elif word == '|' and self.current:
            self.said.append(rest)
        elif word == '<<<' and self.current:
            _, status, seconds = rest.split()
            self.end(int(status), float(seconds))
        elif line not in ('', '.'):
            self.stray.append(line + '\n')

    def end(self, status, seconds):
        result = {0: 'OK', 77: 'SKIP', 124: 'TIMEOUT'}.get(status, 'FAIL')
        self.results.append({'name': self.current, 'result': result, 'duration': seconds,
                             'stdout': '\n'.join(self.said) + '\n', 'stderr': ''.join(self.stray) if status is None else ''})
        self.current = None


def stood_still(boot, result):
    """What is QEMU's own doing (README.md, Quirks), and says nothing of us."""
    return boot.stands_still and result is boot.results[-1] and result['result'] == 'FAIL'


def run(machine, jobs):
    """Yield a result for each case, however often the machine has to be booted for that."""
    tries = collections.Counter()
    with tempfile.TemporaryDirectory(prefix='vcons-lab-') as where:
        payload(machine, build_for(machine), where)
        later = {name for name in jobs if not LONG and (machine, name) in LATER and len(jobs) > 1}
        yield from ({'name': name, 'result': 'SKIP', 'duration': 0, 'stdout': 'with --long, or by itself\n', 'stderr': ''} for name in later)
        left = {name: int(seconds * FACTOR) for name, seconds in jobs.items() if name not in later}
        while left:
            boot = Boot(machine, left, where)
            for result in boot.results:
                tries[result['name']] += 1
                if tries[result['name']] < TRIES and stood_still(boot, result):
                    print(f"lab: {result['name']} on {machine}: the machine stood still; once more", file=sys.stderr, flush=True)
                    continue
                del left[result['name']]
                yield result
            if not boot.results:
                tries[machine] += 1
                if boot.stands_still and tries[machine] < TRIES:
                    print(f'lab: {machine} stood still before its first case; once more', file=sys.stderr, flush=True)
                    continue
                for name in left:
                    yield {'name': name, 'result': 'FAIL', 'duration': 0, 'stdout': '',
                           'stderr': f'the machine ran no case, status {boot.status}\n' + ''.join(boot.stray)}
                return


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is here, too, goes with it
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', action='store_true', help='results as JSON, one line each')
    parser.add_argument('machine', choices=MACHINES)
    parser.add_argument('job', nargs='+', metavar='NAME:SECONDS', help='a case and its time limit')
    options = parser.parse_args()
    jobs = {job.rpartition(':')[0]: int(job.rpartition(':')[2]) for job in options.job}
    results = []
    if not os.path.exists(os.path.join(build_for(options.machine), 'vmm', 'vcons-vmm')):
        sys.exit(f'no programs in {build_for(options.machine)}; for arm64 run: tests/lab/build-arm64')
    for result in run(options.machine, jobs):
        results.append(result['result'])
        if options.json:
            print(json.dumps(result), flush=True)
        else:
            print('%(stdout)s%(stderr)s%(result)s %(duration).1f s %(name)s' % result, flush=True)
    if all(result == 'SKIP' for result in results):
        return 77
    return 0 if all(result in ('OK', 'SKIP') for result in results) else 1


if __name__ == '__main__':
    sys.exit(main())
