# SPDX-License-Identifier: MIT
"""tiny's uart-test on our 16550s, of both sizes of kernel, by interrupt and polled, alone and with two on one interrupt line: every
row holds, none of them as an emulator's known deviation. The same rows pass on QEMU's (test_tiny_uart.py)."""
import re
import subprocess
import sys
import tempfile

import vcons

CHECKS = 22
CASES = {
    'interrupt': ('tiny', 'console=ttyS0; uart-test', 1, ['by interrupt']),
    'polled': ('tiny', 'console=ttyS0; uart=polled; uart-test', 1, ['polled']),
    'small': ('tiny32', 'console=16550; uart-test', 1, ['by interrupt']),
    # COM1 and COM3 share interrupt 4
    'shared': ('tiny', 'console=ttyS0; console=ttyS2; uart-test; uart-test ttyS2', 3, ['by interrupt', 'by interrupt']),
    'unused': ('tiny', 'console=hvc0; uart-test ttyS3', 4, ['polled']),
}


def run(cases):
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as f:
        f.write('hypervisor { name = "uart-test" console = stdio }\n')
        for name, (kernel, words, n, _) in cases.items():
            blocks = [f'console "u{i}" {{ type = 16550 }}' for i in range(n)]
            hvc0 = 'console "hvc0" { type = xen }'  # the first is shown on the terminal
            consoles = ' '.join([hvc0] + blocks if 'hvc0' in words else blocks + [hvc0])
            f.write(f'domain "{name}" {{ kernel = "{kernel}" engine = kvm memory = 16M '
                    f'cmdline = "{words}; consoles; poweroff" {consoles} }}\n')
        f.flush()
        return subprocess.run([vcons.program('vcons-vmm'), f.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=150, check=False)


def main():
    for name, case in CASES.items():
        done = run({name: case})
        if done.returncode == 7:
            vcons.skip(done.stderr.decode().strip())
        out = done.stdout.decode(errors='replace')
        assert done.returncode == 0, (done.returncode, done.stderr, out)
        ways = case[3]
        assert out.count(f'uart-test: {CHECKS} ok, 0 known, 0 failed') == len(ways), out
        assert 'FAILED' not in out and 'known 1' not in out, out
        found = re.findall(r'uart\d 16550 (by interrupt|polled), depth 16, interrupts (\d+), breaks 0, overruns 0, errors 0, dropped 0', out)
        assert [way for way, _ in found] == ways, out
        assert all((int(n) > 0) == (way == 'by interrupt') for way, n in found), found
    return 0


sys.exit(main())
