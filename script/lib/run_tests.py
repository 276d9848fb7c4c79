#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds every flavour that the chosen tests need, runs them, and sums up.

A test's Meson suites say where it runs: 'tsan' under the thread sanitizer, 'plain' without any, 'fuzz' with libFuzzer,
all others under the address and undefined-behaviour sanitizers.

Tests of the suites 'lab-x86', 'lab-arm64' and 'xen' need the lab (tests/lab/README.md), which is set up when one of them is
run. Those that are cases of one of its machines share its boots.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, 'build')
BOOTSTRAP = os.path.join(TOP, 'script', 'bootstrap')
LAB = os.path.join(TOP, 'tests', 'lab')
LAB_SETUPS = {  # by suite, in tests/lab
    'lab-x86': [['setup', 'x86_64']],
    'lab-arm64': [['setup', 'arm64'], ['build-arm64']],
    'xen': [['xen-setup', 'x86_64'], ['xen-setup', 'arm64'], ['setup', 'arm64'], ['build-arm64']],
}
FLAVOURS = {
    'plain': [],
    # Not optimized: under these sanitizers that takes as long as all its tests, which run hardly faster.
    'asan': ['-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dbuildtype=debug'],
    'tsan': ['-Db_sanitize=thread', '-Db_lundef=false'],
    'fuzz': ['-Dfuzzers=true', '-Db_lundef=false', '-Dbuildtype=debug', '-Doptimization=1'],
}
ENVIRONMENT = {
    'ASAN_OPTIONS': 'abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1',
}


WORTH_A_BOOT_S = 150  # of cases in one machine: more of them are shared among two boots


def setup(flavour):
    """Configure a build directory, or bring it up to date with build files that changed since."""
    path = os.path.join(BUILD, flavour)
    if os.path.exists(os.path.join(path, 'build.ninja')):
        quiet(['ninja', '-C', path, 'build.ninja'])
    else:
        env = dict(os.environ, CC='clang') if flavour == 'fuzz' else None
        quiet(['meson', 'setup', path, TOP] + FLAVOURS[flavour], env)
    return path


def quiet(command, env=None):
    """Run a build step; show what it printed only when it fails."""
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.stdout.write(done.stdout[-20000:])
        sys.exit('test: failed: ' + ' '.join(command))


def flavour_of(test):
    for flavour in ('tsan', 'plain', 'fuzz'):
        if flavour in suites_of(test):
            return flavour
    return 'asan'


def suites_of(test):
    return [suite.split(':')[-1] for suite in test['suite']]


def wanted(test, selections):
    """SUITE, SUITE/WORD: any of them; without a selection, every test."""
    if not selections:
        return True
    for selection in selections:
        suite, _, word = selection.partition('/')
        if suite in suites_of(test) and word in test['name']:
            return True
    return False


def tests_of(flavour):
    out = subprocess.run(['meson', 'introspect', '--tests', setup(flavour)], stdout=subprocess.PIPE, check=True)
    return [test for test in json.loads(out.stdout) if flavour_of(test) == flavour]


def needed(path, tests):
    """The files that these tests need of the build directory."""
    out = subprocess.run(['meson', 'introspect', '--targets', path], stdout=subprocess.PIPE, check=True)
    files = {target['id']: target['filename'] for target in json.loads(out.stdout)}
    ids = {target for test in tests for target in test['depends']}
    return sorted(os.path.relpath(file, path) for target in ids for file in files[target])


def build(flavour, tests, everything):
    """Everything, once: what no test needs has to build too."""
    path = os.path.join(BUILD, flavour)
    if flavour == 'fuzz':
        targets = ['fuzz-targets']
    else:
        targets = [] if everything and flavour == 'asan' else needed(path, tests)
    quiet(['ninja', '-C', path] + targets)


def run(flavour, tests, env, lab):
    """
    Run these tests of this flavour, which was built; yields results as Meson's own, one dict each. Cases of the lab are begun, and told
    of by lab itself.
    """
    unready = timed(prepare_lab, tests)
    yield from ({'name': test['name'], 'result': 'FAIL', 'duration': 0, 'stdout': unready[test['name']]}
                for test in tests if test['name'] in unready)
    tests = [test for test in tests if test['name'] not in unready]
    lab.begin(flavour, [test for test in tests if machine_of(test) is not None])
    plain = [test for test in tests if machine_of(test) is None]
    if plain:
        yield from run_meson(os.path.join(BUILD, flavour), plain, env)


set_up_s = 0.0  # of the lab: mostly downloads, the first time


def timed(prepare_all, tests):
    """What prepare_all returns; its seconds are told apart from those of the tests."""
    global set_up_s
    start = time.monotonic()
    result = prepare_all(tests)
    set_up_s += time.monotonic() - start
    return result


def prepare_lab(tests):
    """Set up what these tests need of the lab; returns why that failed, by the name of each test that needs it."""
    unready = {}
    for suite, steps in LAB_SETUPS.items():
        needing = [test['name'] for test in tests if suite in suites_of(test)]
        if not needing:
            continue
        why = 'script/bootstrap lab failed'
        if subprocess.run([BOOTSTRAP, 'lab']).returncode == 0:  # it may ask
            why = next(filter(None, (prepare(words) for words in steps)), None)
        if why:
            unready.update(dict.fromkeys(needing, why))
    return unready


def prepare(words):
    """One step; returns None, or what it said when it failed."""
    done = subprocess.run([os.path.join(LAB, words[0])] + words[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout[-4000:] or 'no reason given' if done.returncode != 0 else None


def machine_of(test):
    """The machine of the lab whose case this test is, or None."""
    at = [i for i, word in enumerate(test['cmd']) if word.endswith('tests/lab/cases.py')]
    return test['cmd'][at[0] + 1] if at else None


def seconds_of(test):
    """What this case takes: cases.py stops it after ten times that."""
    return int(test['cmd'][-1].rpartition(':')[2]) / 10


class Lab:
    """
    Boots of the lab's machines, each with cases that share it. A machine keeps one processor busy, no more. One runs beside whatever else
    is built and run, a little behind it, and has what that leaves; in the end there are as many as processors, the longest first.
    """

    def __init__(self, env, report):
        self.env, self.report = env, report
        self.boots, self.threads, self.missing = [], [], {}  # missing: flavours by name
        self.lock = threading.Lock()

    def begin(self, flavour, tests):
        for machine in sorted({machine_of(test) for test in tests}):
            of_kind = [test for test in tests if machine_of(test) == machine]
            halves = [of_kind] if sum(map(seconds_of, of_kind)) < WORTH_A_BOOT_S else [of_kind[::2], of_kind[1::2]]
            self.boots += [(flavour, machine, half) for half in halves]
        self.boots.sort(key=lambda boot: sum(map(seconds_of, boot[2])))
        self.missing.update({test['name']: flavour for test in tests})
        self.more(1 if tests else 0)

    def more(self, n):
        for _ in range(n):
            self.threads.append(threading.Thread(target=self.work, daemon=True))
            self.threads[-1].start()

    def work(self):
        while True:
            with self.lock:
                if not self.boots:
                    return
                flavour, machine, tests = self.boots.pop()
            for result in run_cases(os.path.join(BUILD, flavour), machine, tests, self.env):
                with self.lock:
                    self.missing.pop(result['name'], None)
                self.report(flavour, result)

    def end(self):
        """Nothing else runs any more."""
        self.more((os.cpu_count() or 1) - 1)
        for thread in self.threads:
            thread.join()
        for name, flavour in self.missing.items():
            self.report(flavour, {'name': name, 'result': 'FAIL', 'duration': 0, 'stdout': 'the lab gave no result'})


def run_cases(path, machine, tests, env):
    """Run these cases in one boot of their machine."""
    jobs = {test['cmd'][-1]: test['name'] for test in tests}
    command = ['nice', '-n', '5', sys.executable, os.path.join(LAB, 'cases.py'), '--json', machine, *jobs]
    env = dict(env, VCONS_BUILD=path, VCONS_SOURCE=TOP)
    names = {job.rpartition(':')[0]: name for job, name in jobs.items()}
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        running.add(process)
        for line in process.stdout:
            result = json.loads(line)
            yield dict(result, name=names[result['name']])
    running.discard(process)


running = set()  # boots


def end_boots():
    """Of a run that ends early; `run` takes its QEMU along."""
    for process in list(running):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def run_meson(path, tests, env):
    """Run these tests by Meson; returns its results."""
    log = os.path.join(path, 'meson-logs', 'testlog.json')
    if os.path.exists(log):
        os.unlink(log)
    command = ['meson', 'test', '-C', path, '--no-rebuild', '--num-processes', str(os.cpu_count() or 1)]
    if 'VCONS_LONG' in env:
        command += ['--timeout-multiplier', '60']
    subprocess.run(command + sorted({test['name'] for test in tests}), env=env, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT)
    if not os.path.exists(log):
        sys.exit('test: meson test left no log in ' + path)
    with open(log) as lines:
        return [json.loads(line) for line in lines]


class Report:
    """Tells of each result, one at a time, and counts."""

    def __init__(self):
        self.count = {'passed': 0, 'failed': 0, 'skipped': 0}
        self.lock = threading.Lock()

    def __call__(self, flavour, result):
        with self.lock:
            self.tell(flavour, result)

    def tell(self, flavour, result):
        name = result['name']
        seconds = '%6.1f s' % result['duration']
        if result['result'] in ('OK', 'EXPECTEDFAIL'):
            self.count['passed'] += 1
            print('ok    %-5s %s  %s' % (flavour, seconds, name), flush=True)
        elif result['result'] == 'SKIP':
            self.count['skipped'] += 1
            reason = (result.get('stdout') or '').strip().splitlines()
            print('skip  %-5s %s  %s: %s' % (flavour, seconds, name, reason[-1] if reason else 'no reason given'))
        else:
            self.count['failed'] += 1
            print('FAIL  %-5s %s  %s: %s' % (flavour, seconds, name, result['result'].lower()))
            for stream in ('stdout', 'stderr'):
                text = result.get(stream) or ''
                if text:
                    print('----- %s\n%s' % (stream, text[-12000:]))


def run_all(chosen, everything, env, report):
    lab = Lab(env, report)
    for flavour, tests in chosen.items():
        if tests:
            build(flavour, tests, everything)
            for result in run(flavour, tests, env, lab):
                report(flavour, result)
    lab.end()


def picture_place():
    """An empty directory for them; what draws them is installed only for this."""
    if subprocess.run([BOOTSTRAP, 'pictures']).returncode != 0:  # it may ask
        sys.exit('test: script/bootstrap pictures failed')
    path = os.path.join(BUILD, 'pictures')
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog='script/test', description='Build vcons and run its tests.', epilog=
                                     'Suites: unit, service, client, process, kvm, models, fuzz, lab-x86 and lab-arm64 (stock kernels on real '
                                     'KVM, in an emulated machine), xen (a real Xen, emulated).')
    parser.add_argument('--list', action='store_true', help='list the tests, run nothing')
    parser.add_argument('--long', action='store_true', help='the long figures of each stress')
    parser.add_argument('--pictures', action='store_true', help='keep pictures of the screens that tests look at, in build/pictures')
    parser.add_argument('selection', nargs='*', metavar='SUITE[/WORD]', help='a suite, or its tests with that word')
    options = parser.parse_args()
    env = dict(os.environ, **ENVIRONMENT)
    if options.long:
        env['VCONS_LONG'] = '1'
    if options.pictures:
        env['VCONS_PICTURES'] = picture_place()
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        chosen = {f: [t for t in tests if wanted(t, options.selection)] for f, tests in zip(FLAVOURS, pool.map(tests_of, FLAVOURS))}
    if options.list:
        for flavour, tests in chosen.items():
            for test in sorted(tests, key=lambda t: t['name']):
                print('%-6s %-24s %s' % (flavour, ','.join(suites_of(test)), test['name']))
        return 0
    if not any(chosen.values()):
        sys.exit('test: no test fits ' + ' '.join(options.selection))
    report = Report()
    try:
        run_all(chosen, not options.selection, env, report)
    finally:
        end_boots()
    count = report.count
    print('%.0f seconds, and %.0f to set up the lab' % (time.monotonic() - start - set_up_s, set_up_s))
    print('%d passed, %d failed, %d skipped' % (count['passed'], count['failed'], count['skipped']))
    return 1 if count['failed'] or not count['passed'] else 0


if __name__ == '__main__':
    sys.exit(main())
