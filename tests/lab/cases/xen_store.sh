# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# The table of tests/xenstore, put to the xenstored of a real Xen. The guests' part is played over the pages of two domains that
# never run.
. "$CASES/cases/xenlib.sh"

for name in still wild; do
    OPTIONS=-p create $name
done
xenstore_real "$(domid still)" "$(domid wild)" || fail "the real one answers otherwise"
xl destroy still
xl destroy wild
