# SPDX-License-Identifier: MIT
"""A guest that breaks virtio's rules on the process engine (tests/lib/virtio_pry.py)."""
import virtio_pry

assert virtio_pry.play('process')
