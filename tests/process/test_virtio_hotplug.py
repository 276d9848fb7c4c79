# SPDX-License-Identifier: MIT
"""Consoles that come and go on the process engine."""
import sys

import virtio_hotplug

assert virtio_hotplug.run('process')
sys.exit(0)
