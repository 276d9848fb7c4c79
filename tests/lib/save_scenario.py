# SPDX-License-Identifier: MIT
"""T25 with the real guest, on any engine: domains are saved while they spew and go on in other hypervisors. Their logs are as if nothing had
been, whatever way out they use; what was typed and not read goes with them; and a file has one future under one name. None of them comes
to an end by itself, however fast it is.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import spew
import vcons

POINTS = 200  # a way
ROUNDS = 1 if not vcons.LONG else 30
SECONDS = 15  # a way, at most: points that a slower machine has no time for are left out
ENGINE = 'process'
BYTES = 200 << 20  # a way, about: a faster machine has no more of them
ENDLESS = 10**15  # lines
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
        return vcons.log_length(directory)
    except FileNotFoundError:
        return 0


def all_in(place, name):
    """Its source has been drained: `off` is what its hypervisor says, and may be known before."""
    kinds = [r[3] for r in place.index(name)]
    return kinds.count(vcons.DETACH) == kinds.count(vcons.ATTACH)


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


class Saver:
    """Asks as the client does, without a program to start: the file that the hypervisor writes is ours."""

    def __init__(self, place, service):
        self.control, self.service, self.stopped = vcons.Control(place.control), service, False

    def stop_service(self):
        """It takes no byte until the request: the line fills, then the ring, and there the guest stands."""
        self.stopped = True
        self.service.send_signal(signal.SIGSTOP)

    def save(self, name, file):
        """Why not, or None."""
        c, fd = self.control, os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        c.id += 1
        socket.send_fds(c.socket, [json.dumps({'id': c.id, 'op': 'save', 'domain': name}).encode() + b'\n'], [fd])
        os.close(fd)
        if self.stopped:
            self.service.send_signal(signal.SIGCONT)
        self.stopped = False
        while b'\n' not in c.buffer:
            c.more()
        line, c.buffer = c.buffer.split(b'\n', 1)
        return json.loads(line).get('message')


def go_on(place, file):
    """As `vcons restore`; back when the guest runs."""
    ours, its = os.pipe()
    with os.fdopen(ours, 'rb') as started:
        vmm = place.start([vcons.program('vcons-vmm'), '--detached', '--restore', file], extra_env={'VCONS_RUN_FD': str(its)}, pass_fds=[its],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.close(its)
        assert started.read(1) == b's', vmm.stderr.read()


def reap(place):
    """Hypervisors whose domain went on elsewhere."""
    for p in [p for p in place.processes if p.poll() is not None]:
        assert p.returncode == 0, (p.args, p.returncode)
        if p.stderr:
            p.stderr.close()
        place.processes.remove(p)


def save_and_restore(place, saver, name, i):
    file = os.path.join(place.root, f'{name}.saved')
    if i % 8 != 0:
        saver.stop_service()
    time.sleep(0.0003 * (i % 23))  # not for order: so that points differ
    why = saver.save(name, file)
    assert why is None, why
    go_on(place, file)
    reap(place)


def spewed(log):
    """What it had to say, so much of it."""
    return spew.lines(len(log) // spew.LINE_BYTES + 1)[:len(log)]


def spews(place):
    """Saved again and again in the midst of its lines, then stopped: what it said is the beginning of what it had to say."""
    saver = Saver(place, place.service)
    for way, more in [(f'{way}{i}', more) for i in range(ROUNDS) for way, more in WAYS.items()]:
        points, begun, console = 0, time.monotonic(), f'{way}/hvc0'
        start(place, way, f'quiet; spew {ENDLESS}', more)
        vcons.wait_for(lambda: log_size(place, console) > 0, f'output of {way}')
        while points < 2 or (points < POINTS and time.monotonic() < begun + SECONDS and log_size(place, console) < BYTES):
            save_and_restore(place, saver, way, points)
            points += 1
        done(run(place, 'stop', way))
        vcons.wait_for(lambda: state(place, console) == 'off', f'the end of {way}', vcons.WAIT_S * 4)
        vcons.wait_for(lambda: all_in(place, console), f'the last of {way}')
        log = place.log_bytes(console)
        print(f'{way}: {points} points in {time.monotonic() - begun:.1f} s, {len(log)} bytes')
        compare(way, log, spewed(log))
        kinds = [r[3] for r in place.index(console)]
        lines = {r[7] for r in place.index(console) if r[3] == vcons.ATTACH}
        assert kinds.count(12) == points and kinds.count(vcons.BOOT) == 1, f'{way}: {points} restored, {kinds}'
        assert len(lines) == points + 1, f'{way}: each restored domain has a line of its own: {len(lines)}'
        assert vcons.GAP not in kinds, way
        shutil.rmtree(os.path.join(place.log, way))
    saver.control.close()


def typed(place):
    """A guest that reads at another console: what was typed waits in ring and line, is saved, and read once, in order."""
    text = b''.join(b'echo line %d of what was typed before it was saved\r' % i for i in range(60))
    start(place, 'typed', 'console=hvc0; quiet', 'console "hvc0" { type = xen } console "other" { type = virtio }')
    vcons.wait_for(lambda: log_bytes(place, 'typed/other') == b'tiny> ', 'its other console')
    done(run(place, 'send', 'typed/other', 'sum 1'))
    vcons.wait_for(lambda: b'sum 1\r\n' in log_bytes(place, 'typed/other'), 'a word that waits for a byte')
    done(run(place, 'send', '-n', 'typed', input=text))
    file = os.path.join(place.root, 'typed.saved')
    done(run(place, 'save', 'typed', file))
    assert b'echo' not in log_bytes(place, 'typed/hvc0'), 'it was to wait'
    done(run(place, 'restore', file))
    done(run(place, 'send', '-n', 'typed/other', ' '))
    run(place, 'send', '-n', 'typed', input=b'poweroff\r')  # whose end may be faster than the answer
    vcons.wait_for(lambda: state(place, 'typed/hvc0') == 'off', 'the end of typed')
    vcons.wait_for(lambda: all_in(place, 'typed/hvc0'), 'the last of typed')
    wanted = b''.join(b'tiny> echo line %d of what was typed before it was saved\r\nline %d of what was typed before it was saved\r\n'
                      % (i, i) for i in range(60)) + b'tiny> poweroff\r\n'
    compare('typed', place.log_bytes('typed/hvc0'), wanted)


def events(place):
    """Four vCPUs send each other events while vcpu_info moves; saved in the midst of it they go on, and none is lost."""
    start(place, 'events', 'quiet; vcpus 4; echo begins; events 2 64 4000000000 4000000000; echo ends', 'vcpus = 4')
    vcons.wait_for(lambda: b'begins' in log_bytes(place, 'events/hvc0'), 'the first events')
    file = os.path.join(place.root, 'events.saved')
    for _ in range(3):
        done(run(place, 'save', 'events', file))
        done(run(place, 'restore', file))
    done(run(place, 'send', '-n', 'events', '\x03'))
    vcons.wait_for(lambda: b'ends\r\ntiny> ' in log_bytes(place, 'events/hvc0'), 'the end of the events', vcons.WAIT_S * 4)
    log = log_bytes(place, 'events/hvc0')
    assert b', none lost\r\n' in log, log
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
    run(place, 'send', 'once', 'poweroff')  # whose end may be faster than the answer
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
    vmm = start(place, 'spins', f'quiet; spew {ENDLESS}; echo there')
    vcons.wait_for(lambda: log_size(place, 'spins/hvc0') > 0, 'spins')
    file = os.path.join(place.root, 'spins.saved')
    guest = child(child(vmm.pid))  # of the launcher
    os.kill(guest, signal.SIGSTOP)  # what a guest that only computes looks like from outside
    refused = run(place, 'save', 'spins', file)
    assert refused.returncode == 1 and b'did not come to a call' in refused.stderr, refused
    assert not [f for f in os.listdir(place.root) if f.startswith('spins.saved')]
    os.kill(guest, signal.SIGCONT)
    done(run(place, 'send', '-n', 'spins', '\x03'))
    end = b'^C\r\nthere\r\ntiny> '
    vcons.wait_for(lambda: log_bytes(place, 'spins/hvc0').endswith(end), 'it goes on')
    log = log_bytes(place, 'spins/hvc0')[:-len(end)]
    assert len(log) % spew.LINE_BYTES == 0, log[-200:]
    compare('spins', log, spewed(log))
    nowhere = run(place, 'save', 'spins', '/proc/nowhere')
    assert nowhere.returncode == 1 and b'/proc/nowhere' in nowhere.stderr, nowhere
    assert run(place, 'save', 'nobody', file).returncode == 3
    hypervisor = run(place, 'save', 'hv-spins', file)
    assert hypervisor.returncode == 1 and b'no such domain' in hypervisor.stderr, hypervisor
    full_disk(place, file)
    done(run(place, 'stop', 'spins'))


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


def play(parts, engine='process', points=None):
    """False: the engine cannot be used here."""
    global ENGINE, POINTS
    ENGINE, POINTS = engine, points or POINTS
    with vcons.Place() as place:
        daemon = place.service = place.daemon()
        if subprocess.run([vcons.program('vcons-vmm'), '--check', config(place, 'check', '')], stderr=subprocess.DEVNULL,
                          check=False).returncode == 7:
            return False
        for part in parts:
            begun = time.monotonic()
            part(place)
            print(f'{part.__name__}: {time.monotonic() - begun:.1f} s')
        assert vcons.stop(daemon) == 0
    return True
