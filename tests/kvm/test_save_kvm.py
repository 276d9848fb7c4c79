# SPDX-License-Identifier: MIT
"""Save and restore on KVM, as far as this machine's goes: tests/lib/save_scenario.py."""
import save_scenario as s
import vcons

if not s.play((s.spews, s.typed, s.once), 'kvm', 60 if not vcons.LONG else 200):
    vcons.skip('KVM cannot be used here')
