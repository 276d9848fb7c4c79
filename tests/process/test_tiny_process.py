# SPDX-License-Identifier: MIT
"""tiny on the process engine, by vcons-vmm, vconsd and vcons."""
import sys

import tiny_scenario

assert tiny_scenario.run('process', 20000)
sys.exit(0)
