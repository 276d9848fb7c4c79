# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh disable=SC2016
# vconsd in place of xenconsoled: the same guests, tiny and Debian's kernel, and each byte of theirs the same in both logs; xl
# create waits for the terminal that it writes, xl console uses it, and what a stock guest printed is its own dmesg.
. "$CASES/cases/xenlib.sh"
SCRIPT='i=0; while [ $i -lt 300 ]; do echo "line $i of what it says"; i=$((i + 1)); done; poweroff -f'

# both - tiny and a stock guest that say the same each time, until they end
both() {
    tiny spew "quiet; spew 500; consoles; poweroff"
    stock plain "$SCRIPT" 'cmdline = "console=hvc0 rdinit=/init quiet"'
    ended spew
    ended plain
}
# of_userland FILE - what the kernel says has the time in it
of_userland() { sed -n '/^domu: /,/^line 299 /p' "$1"; }

both
consoled_said spew >spew.old
consoled_said plain >plain.old
xen_service
both
log_of spew/pv0 >spew.new
log_of plain/pv0 >plain.new
[ "$(wc -l <spew.old)" = 501 ] || fail "xenconsoled has $(wc -l <spew.old) lines"
same spew.old spew.new
of_userland plain.old >plain.old.says
of_userland plain.new >plain.new.says
[ "$(wc -l <plain.old.says)" = 301 ] || fail "xenconsoled has $(wc -l <plain.old.says) lines"
same plain.old.says plain.new.says

stock talk 'echo "REA""DY"' 'cmdline = "console=hvc0 rdinit=/init ignore_loglevel"'
chat -t 200 shown xl console talk <<END
see READY
type echo a\$((6*7))\r
see \na42\r\n
type $SAY_ALL
see D-END
type poweroff -f\r
end 0
END
ended talk
log_of talk/pv0 >talk.log
said_all talk.log
vcons ls >ls
grep -qE '^talk/pv0 +off +xen ' ls || { cat ls; fail "the console of a domain that is gone"; }
