# SPDX-License-Identifier: MIT
"""Guests that pry on KVM, of 64 and of 32 bits, beside UARTs whose rings are private (tests/lib/pry.py)."""
import pry
import vcons

if pry.play('kvm', ('tiny', 'tiny32'), True) is None:
    vcons.skip('KVM cannot be used here')
