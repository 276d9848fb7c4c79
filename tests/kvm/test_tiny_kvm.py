# SPDX-License-Identifier: MIT
"""The same tiny on KVM, and there port 0xE9 too."""
import sys

import spew
import tiny_scenario
import vcons

E9 = {'port': ('console=e9; quiet; spew 100 60; poweroff', '', None, spew.lines(100, 60))}

if tiny_scenario.run('kvm', 2000, E9) is None:
    vcons.skip('KVM cannot be used here')
sys.exit(0)
