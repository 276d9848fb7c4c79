# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# What KVM itself makes of the saved state of vCPUs and GIC: as it was, with values that it must refuse, and changed anywhere.
. "$CASES/cases/lib.sh"
arm64_state 200 || fail "it says $?"
dmesg | grep -E 'WARNING:|BUG:|Oops|Call trace' && fail "the machine's own kernel complains"
exit 0
