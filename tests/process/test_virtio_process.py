# SPDX-License-Identifier: MIT
"""virtio-console on the process engine."""
import sys

import virtio_scenario

assert virtio_scenario.run('process')
sys.exit(0)
