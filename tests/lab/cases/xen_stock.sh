# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# Debian's kernel as a domain with Xen's own daemon: xl console, and all that it says is in the log.
. "$CASES/cases/xenlib.sh"
stock talk 'i=0; while [ $i -lt 500 ]; do echo "line $i of what it says"; i=$((i + 1)); done; echo "REA""DY"'
chat -t 200 shown xl console talk <<'END'
see READY
type echo a$((6*7))\r
see \na42\r\n
type poweroff -f\r
end 0
END
ended talk
consoled_said talk | tr -d '\r' >said
for i in 0 250 499; do has said "line $i of what it says"; done
has said a42
