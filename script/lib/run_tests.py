#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds every flavour that the chosen tests need, runs them, and sums up.

A test's Meson suites say where it runs: 'tsan' under the thread sanitizer, 'plain' without any, 'fuzz' with libFuzzer,
all others under the address and undefined-behaviour sanitizers.

Tests of the suites 'lab-x86', 'lab-arm64' and 'xen' need the lab (tests/lab/README.md), which is set up when one of them is
run. Those that are cases of one of its machines share its boots.
"""
import argparse
import json
import os
import queue
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
    'asan': ['-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dbuildtype=debug', '-Doptimization=1'],
    'tsan': ['-Db_sanitize=thread', '-Db_lundef=false'],
    'fuzz': ['-Dfuzzers=true', '-Db_lundef=false', '-Dbuildtype=debug', '-Doptimization=1'],
}
ENVIRONMENT = {
    'ASAN_OPTIONS': 'abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1',
}


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


def run(flavour, tests, env):
    """Run these tests of this flavour, which was built; yields results as Meson's own, one dict each."""
    path = os.path.join(BUILD, flavour)
    unready = timed(prepare_lab, tests)
    yield from ({'name': test['name'], 'result': 'FAIL', 'duration': 0, 'stdout': unready[test['name']]}
                for test in tests if test['name'] in unready)
    tests = [test for test in tests if test['name'] not in unready]
    plain = [test for test in tests if machine_of(test) is None]
    if plain:
        yield from run_meson(path, plain, env)
    yield from run_machines(path, [test for test in tests if machine_of(test) is not None], env)


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


def run_machines(path, tests, env):
    """
    Run these cases in their machines, as many at once as there are processors: each machine keeps one busy, no more. Those of
    a kind share two boots, so that the last of them leaves no processor idle for long.
    """
    boots, results = queue.Queue(), queue.Queue()
    for machine in sorted({machine_of(test) for test in tests}):
        of_kind = [test for test in tests if machine_of(test) == machine]
        for part in (of_kind[::2], of_kind[1::2]):
            if part:
                boots.put((machine, part))
    workers = min(boots.qsize(), os.cpu_count() or 1)
    for _ in range(workers):
        boots.put(None)

    def work():
        try:
            for machine, part in iter(boots.get, None):
                for result in run_cases(path, machine, part, env):
                    results.put(result)
        finally:
            results.put(None)

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    missing = {test['name'] for test in tests}
    for _ in range(workers):
        for result in iter(results.get, None):
            missing.discard(result['name'])
            yield result
    yield from ({'name': name, 'result': 'FAIL', 'duration': 0, 'stdout': 'the lab gave no result'} for name in missing)


def run_cases(path, machine, tests, env):
    """Run these cases in one boot of their machine."""
    jobs = {test['cmd'][-1]: test['name'] for test in tests}
    command = [sys.executable, os.path.join(LAB, 'cases.py'), '--json', machine, *jobs]
    env = dict(env, VCONS_BUILD=path, VCONS_SOURCE=TOP)
    names = {job.rpartition(':')[0]: name for job, name in jobs.items()}
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            result = json.loads(line)
            yield dict(result, name=names[result['name']])


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


def report(flavour, result, count):
    name = result['name']
    seconds = '%6.1f s' % result['duration']
    if result['result'] in ('OK', 'EXPECTEDFAIL'):
        count['passed'] += 1
        print('ok    %-5s %s  %s' % (flavour, seconds, name), flush=True)
    elif result['result'] == 'SKIP':
        count['skipped'] += 1
        reason = (result.get('stdout') or '').strip().splitlines()
        print('skip  %-5s %s  %s: %s' % (flavour, seconds, name, reason[-1] if reason else 'no reason given'))
    else:
        count['failed'] += 1
        print('FAIL  %-5s %s  %s: %s' % (flavour, seconds, name, result['result'].lower()))
        for stream in ('stdout', 'stderr'):
            text = result.get(stream) or ''
            if text:
                print('----- %s\n%s' % (stream, text[-12000:]))


def main():
    parser = argparse.ArgumentParser(prog='script/test', description='Build vcons and run its tests.', epilog=
                                     'Suites: unit, service, client, process, kvm, models, fuzz, lab-x86 and lab-arm64 (stock kernels on real '
                                     'KVM, in an emulated machine), xen (a real Xen, emulated).')
    parser.add_argument('--list', action='store_true', help='list the tests, run nothing')
    parser.add_argument('--long', action='store_true', help='the long figures of each stress')
    parser.add_argument('selection', nargs='*', metavar='SUITE[/WORD]', help='a suite, or its tests with that word')
    options = parser.parse_args()
    env = dict(os.environ, **ENVIRONMENT)
    if options.long:
        env['VCONS_LONG'] = '1'
    count = {'passed': 0, 'failed': 0, 'skipped': 0}
    start = time.monotonic()
    chosen = {f: [t for t in tests_of(f) if wanted(t, options.selection)] for f in FLAVOURS}
    if options.list:
        for flavour, tests in chosen.items():
            for test in sorted(tests, key=lambda t: t['name']):
                print('%-6s %-24s %s' % (flavour, ','.join(suites_of(test)), test['name']))
        return 0
    if not any(chosen.values()):
        sys.exit('test: no test fits ' + ' '.join(options.selection))
    for flavour, tests in chosen.items():
        if tests:
            build(flavour, tests, not options.selection)
            for result in run(flavour, tests, env):
                report(flavour, result, count)
    print('%.0f seconds, and %.0f to set up the lab' % (time.monotonic() - start - set_up_s, set_up_s))
    print('%d passed, %d failed, %d skipped' % (count['passed'], count['failed'], count['skipped']))
    return 1 if count['failed'] or not count['passed'] else 0


if __name__ == '__main__':
    sys.exit(main())
