# SPDX-License-Identifier: MIT
"""What tests/lab/run promises: output, arguments, exit status and files come back as they were; a command that hangs, a machine
that dies and a command that fails are told apart."""
import os
import subprocess
import sys
import tempfile

RUN = os.path.join(os.environ['VCONS_SOURCE'], 'tests', 'lab', 'run')


def lab(*args):
    return subprocess.run([RUN, 'x86_64', *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=240, check=False)


def promises():
    with tempfile.TemporaryDirectory() as tmp:
        os.mkdir(os.path.join(tmp, 'in'))
        with open(os.path.join(tmp, 'in', 'file'), 'w', encoding='ascii') as f:
            f.write('content\n')
        out = os.path.join(tmp, 'out')
        done = lab('--dir', os.path.join(tmp, 'in') + ':/deep/in', '--out', out, '--', 'sh', '-c',
                   'echo "$1"; echo error >&2; seq 200000 >$OUT/seq; pwd; cat file; exit 42', 'sh', 'it\'s a "$word"')
        assert done.returncode == 42, done
        assert done.stdout == b'it\'s a "$word"\n/deep/in\ncontent\n', done
        assert done.stderr == b'error\n', done
        with open(os.path.join(out, 'seq'), 'rb') as f:
            assert f.read() == b''.join(b'%d\n' % i for i in range(1, 200001))


def mishaps():
    assert lab('--timeout', '15', '--', 'sleep', '1000').returncode == 124
    dead = lab('--', 'sh', '-c', 'echo c >/proc/sysrq-trigger')
    assert dead.returncode == 125 and b'sysrq triggered crash' in dead.stderr, dead
    assert lab('--').returncode == 125
    assert lab('--', 'nonesuch').returncode == 127


promises()
mishaps()
sys.exit(0)
