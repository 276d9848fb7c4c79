# SPDX-License-Identifier: MIT
"""tiny's event channels, vcpu_info and vCPUs on KVM, upcalls by interrupt: kernels of 64 and of 32 bits, each in its layout."""
import re
import sys

import tiny_scenario
import vcons
from tiny_events import run, stress_line, words

KERNELS = {'tiny': 4096, 'tiny32': 1024}  # ports of the ABI
LEFT = 16  # that others may have

for kernel, n_ports in KERNELS.items():
    block = f'kernel = "{kernel}"'
    if words('kvm', block, 'interrupt', '-22') is None:
        vcons.skip('KVM cannot be used here')
    logs = run('kvm', {'self': (f'{block} vcpus = 4', 'vcpus 4; selftest; events 3 64 20 20'),
                       'most': (f'{block} vcpus = 1', 'events 0 4096 2')})
    print(logs)
    assert logs['self'][0] == 'vcpus: 4 of 4 run, upcalls by interrupt'
    assert '\r\n'.join(logs['self'][1:-2]) + '\r\n' == tiny_scenario.SELFTEST_ALL_OK.decode()
    assert re.fullmatch(stress_line(3, 20), logs['self'][-2])
    most = re.fullmatch(stress_line(0, 0), logs['most'][0])
    assert n_ports - LEFT <= int(most.group(1)) < n_ports and int(most.group(2)) == 2 * int(most.group(1))
sys.exit(0)
