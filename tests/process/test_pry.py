# SPDX-License-Identifier: MIT
"""A guest that pries on the process engine, where there is no UART: ports, parameters and frames (tests/lib/pry.py)."""
import pry

assert pry.play('process', ('tiny',), False) is not None
