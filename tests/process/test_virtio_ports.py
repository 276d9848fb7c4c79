# SPDX-License-Identifier: MIT
"""Ports of virtio that come, go and are saved, on the process engine."""
import sys

import virtio_ports

virtio_ports.play([p for p in virtio_ports.ALL if len(sys.argv) < 2 or p.__name__ in sys.argv[1:]], 'process')
