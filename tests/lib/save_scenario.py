# SPDX-License-Identifier: MIT
"""T25 with the real guest, on any engine: domains are saved while they spew and go on in other hypervisors. Their logs are as if nothing had
been, whatever way out they use; what was typed and not read goes with them; and a file has one future under one name.
"""
import os
import signal
import subprocess
import time

import spew
import vcons

POINTS = 5 if not vcons.LONG else 200
ENGINE = 'process'
LINES = 500000 if not vcons.LONG else 8000000
# way out: cmdline, console
WAYS = {'ring': '', 'late': 'connected = service', 'call': 'console "hvc0" { type = console_io }'}


def config(place, name, cmdline, more=''):
    path = os.path.join(place.root, f'{name}.conf')
    with open(path, 'w', encoding='ascii') as f:
        f.write(f'hypervisor {{ name = "hv-{name}" console = none }}\n'
                f'domain "{name}" {{ kernel = "tiny" engine = {ENGINE} memory = 8M hold = forever\n'
                f'    cmdline = "{cmdline}" {more} }}\n')
    return path


def start(place, name, cmdline, more=''):
    return place.start([vcons.program('vcons-vmm'), config(place, name, cmdline, more)])


def run(place, *args, **kw):
    return subprocess.run([vcons.program('vcons'), *args], env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=vcons.WAIT_S * 3, check=False, **kw)


def done(result):
    assert result.returncode == 0, result
    return result


def log_bytes(place, name):
    try:
        return place.log_bytes(name)
    except FileNotFoundError:
        return b''


def log_size(place, name):
    directory = os.path.join(place.log, name)
    try:
        return sum(os.stat(os.path.join(directory, f)).st_size for f in os.listdir(directory) if f[0].isdigit() and f.endswith('.log'))
    except FileNotFoundError:
        return 0


def state(place, name):
    with vcons.Control(place.control) as c:
        return c.ls().get(name, {}).get('state')


def compare(what, log, wanted):
    if log == wanted:
        return
    at = next((i for i, (a, b) in enumerate(zip(log, wanted)) if a != b), min(len(log), len(wanted)))
    raise AssertionError(f'{what}: {len(log)} bytes, {len(wanted)} wanted, differ at {at}: {log[max(at - 80, 0):at + 80]!r}')


def child(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
        return int(f.read().split()[0])


def save_and_restore(place, name, i):
    """True; False: the guest was done before."""
    file = os.path.join(place.root, f'{name}.saved')
    saved = run(place, 'save', name, file)
    if saved.returncode != 0:
        assert b'does not run' in saved.stderr or b'it ended' in saved.stderr or b'not connected' in saved.stderr, saved
        return False
    assert os.stat(file).st_mode & 0o777 == 0o600
    done(run(place, 'restore', file))
    vcons.wait_for(lambda: log_size(place, f'{name}/hvc0') > 0 or state(place, f'{name}/hvc0') == 'off', 'some output')
    time.sleep(0.002 * (i % 7))  # not for order: so that points differ
    return True


def spews(place):
    """Saved again and again until they are done."""
    wanted = spew.lines(LINES)
    points = {}
    for way, more in WAYS.items():
        start(place, way, f'quiet; spew {LINES}; poweroff', more)
        vcons.wait_for(lambda: log_size(place, f'{way}/hvc0') > 0, f'output of {way}')
        points[way] = 0
        while points[way] < POINTS and save_and_restore(place, way, points[way]):
            points[way] += 1
    for way in WAYS:
        vcons.wait_for(lambda: log_size(place, f'{way}/hvc0') >= len(wanted) and state(place, f'{way}/hvc0') == 'off',
                       f'the rest of the log of {way}', vcons.WAIT_S * 4)
        compare(way, place.log_bytes(f'{way}/hvc0'), wanted)
        kinds = [r[3] for r in place.index(f'{way}/hvc0')]
        lines = {r[7] for r in place.index(f'{way}/hvc0') if r[3] == vcons.ATTACH}
        assert kinds.count(12) == points[way] and kinds.count(vcons.BOOT) == 1, f'{way}: {points[way]} restored, {kinds}'
        assert len(lines) == points[way] + 1, f'{way}: each restored domain has a line of its own: {len(lines)}'
        assert vcons.GAP not in kinds, way
    print('saved and restored:', points)
    assert min(points.values()) >= 2, f'a guest was done too soon: {points}'


def typed(place):
    """A guest that reads nothing for a while: what was typed waits in ring and line, is saved, and read once, in order."""
    text = b''.join(b'echo line %d of what was typed before it was saved\r' % i for i in range(60))
    start(place, 'typed', 'quiet; slow 1 3000')
    vcons.wait_for(lambda: state(place, 'typed/hvc0') == 'running', 'typed')
    done(run(place, 'send', '-n', 'typed', input=text))
    file = os.path.join(place.root, 'typed.saved')
    done(run(place, 'save', 'typed', file))
    assert log_bytes(place, 'typed/hvc0') == b'', 'it was to sleep'
    done(run(place, 'restore', file))
    done(run(place, 'send', '-n', 'typed', input=b'poweroff\r'))
    vcons.wait_for(lambda: state(place, 'typed/hvc0') == 'off', 'the end of typed')
    wanted = b'slow 0\r\n' + b''.join(b'tiny> echo line %d of what was typed before it was saved\r\nline %d of what was typed before it was saved\r\n'
                      % (i, i) for i in range(60)) + b'tiny> poweroff\r\n'
    compare('typed', place.log_bytes('typed/hvc0'), wanted)


def events(place):
    """Four vCPUs send each other events while vcpu_info moves; saved in the midst of it they go on, and none is lost."""
    start(place, 'events', 'quiet; vcpus 4; echo begins; events 2 64 20000 1000; echo ends', 'vcpus = 4')
    vcons.wait_for(lambda: b'begins' in log_bytes(place, 'events/hvc0'), 'the first events')
    file = os.path.join(place.root, 'events.saved')
    points = 0
    while points < 3 and b'ends' not in log_bytes(place, 'events/hvc0'):
        done(run(place, 'save', 'events', file))
        done(run(place, 'restore', file))
        points += 1
    vcons.wait_for(lambda: b'ends\r\ntiny> ' in log_bytes(place, 'events/hvc0'), 'the end of the events', vcons.WAIT_S * 4)
    log = log_bytes(place, 'events/hvc0')
    assert b', none lost\r\n' in log and points > 0, (points, log)
    done(run(place, 'stop', 'events'))


def once(place):
    """One file, one name, one future; another name is another domain, with a log of its own; a reset boots it anew."""
    file = os.path.join(place.root, 'once.saved')
    start(place, 'once', 'quiet; echo begins')
    vcons.wait_for(lambda: b'tiny> ' in log_bytes(place, 'once/hvc0'), 'its prompt')
    assert not [r for r in place.index('once/hvc0') if r[3] == 12]
    done(run(place, 'save', 'once', file))
    done(run(place, 'restore', file))
    again = run(place, 'restore', file)
    assert again.returncode == 1, again
    other = done(run(place, 'restore', '--name', 'other', file))
    done(run(place, 'send', 'other', 'echo other'))
    done(run(place, 'send', 'once', 'poweroff'))
    vcons.wait_for(lambda: state(place, 'once/hvc0') == 'off', 'the end')
    vcons.wait_for(lambda: b'other\r\ntiny> ' in log_bytes(place, 'other/hvc0'), 'its answer')
    compare('once', place.log_bytes('once/hvc0'), b'begins\r\ntiny> poweroff\r\n')
    again = vcons.wait_for(lambda: (lambda r: r if b'running as pid' not in r.stderr else None)(run(place, 'restore', file)),
                           'the hypervisor of the first to end')
    assert again.returncode == 1 and b'was restored as once before' in again.stderr, again
    compare('other', place.log_bytes('other/hvc0'), b'echo other\r\nother\r\ntiny> ')
    done(run(place, 'reset', 'other'))
    vcons.wait_for(lambda: log_bytes(place, 'other/hvc0').endswith(b'tiny> begins\r\ntiny> '), 'the new boot')
    done(run(place, 'stop', 'other'))
    assert other.returncode == 0


def goes_on(place):
    """Not saved: a guest that spins and makes no call; a file that cannot be written. It goes on, and nothing is left behind."""
    vmm = start(place, 'spins', f'quiet; spew {LINES}; echo there')
    vcons.wait_for(lambda: log_size(place, 'spins/hvc0') > 0, 'spins')
    file = os.path.join(place.root, 'spins.saved')
    guest = child(child(vmm.pid))  # of the launcher
    os.kill(guest, signal.SIGSTOP)  # what a guest that only computes looks like from outside
    refused = run(place, 'save', 'spins', file)
    assert refused.returncode == 1 and b'did not come to a call' in refused.stderr, refused
    assert not [f for f in os.listdir(place.root) if f.startswith('spins.saved')]
    os.kill(guest, signal.SIGCONT)
    wanted = spew.lines(LINES) + b'there\r\ntiny> '
    vcons.wait_for(lambda: log_size(place, 'spins/hvc0') == len(wanted), 'it goes on')
    compare('spins', place.log_bytes('spins/hvc0'), wanted)
    nowhere = run(place, 'save', 'spins', '/proc/nowhere')
    assert nowhere.returncode == 1 and b'/proc/nowhere' in nowhere.stderr, nowhere
    assert run(place, 'save', 'nobody', file).returncode == 3
    hypervisor = run(place, 'save', 'hv-spins', file)
    assert hypervisor.returncode == 1 and b'no such domain' in hypervisor.stderr, hypervisor
    full_disk(place, file)
    done(run(place, 'send', 'spins', 'poweroff'))


def full_disk(place, file):
    """Its state does not fit: one clear error, no file, and it goes on."""
    if not os.path.exists('/dev/full') or os.geteuid() != 0:
        return
    disk = os.path.join(place.root, 'disk')
    os.mkdir(disk)
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return
    try:
        full = run(place, 'save', 'spins', os.path.join(disk, 'spins.saved'))
        assert full.returncode == 1 and b'No space left' in full.stderr, full
        assert os.listdir(disk) == []
    finally:
        subprocess.run(['umount', disk], check=True)
    done(run(place, 'send', 'spins', 'echo still here'))
    vcons.wait_for(lambda: b'still here\r\ntiny> ' in log_bytes(place, 'spins/hvc0'), 'it goes on')


def play(parts, engine='process', lines=None):
    """False: the engine cannot be used here."""
    global ENGINE, LINES
    ENGINE, LINES = engine, lines or LINES
    with vcons.Place() as place:
        daemon = place.daemon()
        if subprocess.run([vcons.program('vcons-vmm'), '--check', config(place, 'check', '')], stderr=subprocess.DEVNULL,
                          check=False).returncode == 7:
            return False
        for part in parts:
            begun = time.monotonic()
            part(place)
            print(f'{part.__name__}: {time.monotonic() - begun:.1f} s')
        assert vcons.stop(daemon) == 0
    return True
