# SPDX-License-Identifier: MIT
"""A guest that breaks virtio's rules on KVM (tests/lib/virtio_pry.py)."""
import vcons
import virtio_pry

if virtio_pry.play('kvm') is None:
    vcons.skip('KVM cannot be used here')
