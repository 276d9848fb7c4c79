# SPDX-License-Identifier: MIT
"""tiny's event channels, vcpu_info and vCPUs on the process engine, and T16: senders on vCPUs of their own, every port there is,
both pages moving, and no event lost."""
import re
import sys

import tiny_scenario
import vcons
from tiny_events import run, stress_line, words

MOVES = 1000000 if vcons.LONG else 100000
SENDERS, PORTS = 8, 4096
LEFT = 16  # ports that others may have: port 0, the console's, XenStore's, one a vCPU
TINY = 'kernel = "tiny"'


def stress():
    logs = run('process', {
        'one': (f'{TINY} vcpus = 1', 'selftest; events 0 4096 3; events'),
        'all': (f'{TINY} vcpus = 64', 'vcpus 64; events 63 500 20 100; selftest'),
        't16': (f'{TINY} vcpus = {SENDERS + 1}', f'events {SENDERS} {PORTS} 10 {MOVES}; selftest')})
    selftest = tiny_scenario.SELFTEST_ALL_OK.decode()
    assert '\r\n'.join(logs['one']).startswith(selftest), logs['one']
    assert re.fullmatch(stress_line(0, 0), logs['one'][-3])
    assert logs['one'][-2] == 'events: no vCPU for a sender'
    assert logs['all'][0] == 'vcpus: 64 of 64 run, upcalls by block'
    assert re.fullmatch(stress_line(63, 100), logs['all'][1])
    assert '\r\n'.join(logs['all'][2:]) == selftest
    t16 = re.fullmatch(stress_line(SENDERS, MOVES), logs['t16'][0])
    assert t16 and int(t16.group(1)) >= PORTS - LEFT, logs['t16'][0]
    assert int(t16.group(2)) >= 5 * int(t16.group(1)), logs['t16'][0]  # sends to a pending port are one event
    assert '\r\n'.join(logs['t16'][1:]) == selftest


words('process', f'{TINY} xen_version = "4.17"', 'block', '-22')
words('process', f'{TINY} xen_version = "4.21"', 'block', '-16')
stress()
sys.exit(0)
