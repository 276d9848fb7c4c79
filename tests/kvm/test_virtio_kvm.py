# SPDX-License-Identifier: MIT
"""virtio-console on KVM, beside a UART."""
import sys

import vcons
import virtio_scenario

if virtio_scenario.run('kvm', {'ttyS0': '16550'}) is None:
    vcons.skip('KVM cannot be used here')
sys.exit(0)
