# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# The table of tests/xenstore, put to the xenstored of a real Xen. The guests' part is played over the pages of two domains that
# never run.
. "$CASES/cases/lib.sh"

for name in still wild; do
    cat >$name.cfg <<END
name = "$name"
type = "pvh"
kernel = "$CASES/bin/tiny-pvh"
memory = 32
END
    xl create -p $name.cfg >create 2>&1 || { cat create; fail "xl create"; }
done
xenstore_real "$(xl domid still)" "$(xl domid wild)" || fail "the real one answers otherwise"
xl destroy still
xl destroy wild
