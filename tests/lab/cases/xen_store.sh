# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# The table of tests/xenstore, put to the xenstored of a real Xen. The guest's part is played over the page of a domain that
# never runs.
. "$CASES/cases/lib.sh"

cat >still.cfg <<END
name = "still"
type = "pvh"
kernel = "$CASES/bin/tiny-pvh"
memory = 32
END
xl create -p still.cfg >create 2>&1 || { cat create; fail "xl create"; }
xenstore_real "$(xl domid still)" || fail "the real one answers otherwise"
xl destroy still
