# SPDX-License-Identifier: MIT
"""Consoles that come and go on KVM."""
import sys

import vcons
import virtio_hotplug

if virtio_hotplug.run('kvm') is None:
    vcons.skip('KVM cannot be used here')
sys.exit(0)
