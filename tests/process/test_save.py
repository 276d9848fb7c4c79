# SPDX-License-Identifier: MIT
"""Save and restore on the process engine: tests/lib/save_scenario.py."""
import sys

import save_scenario as s

sys.exit(0 if s.play((s.goes_on, s.spews, s.typed, s.once, s.events)) else 1)
