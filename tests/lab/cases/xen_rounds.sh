# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# Domains come and go, by poweroff and destroyed in mid-output: no descriptor, mapping, terminal or memory stays behind.
. "$CASES/cases/xenlib.sh"
rounds=4
[ -z "${VCONS_LONG-}" ] || rounds=20

# held - what the service has: descriptors, mappings of guests' pages, terminals
held() {
    echo "$(find "/proc/$SERVICE/fd" -type l | wc -l) descriptors," \
        "$(grep -cE 'privcmd|gntdev' "/proc/$SERVICE/maps") mappings, $(find /dev/pts -type c | wc -l) terminals"
}
kib() { awk '/^RssAnon:/ { print $2 }' "/proc/$SERVICE/status"; }
settled() { [ "$(held)" = "$before" ]; }
says() { log_of round/pv0 2>/dev/null | grep -q "$1"; }

# round N - one that ends by itself, or one that is ended
round() {
    if [ $(($1 % 2)) = 0 ]; then
        tiny round "quiet; spew 50; echo end of $1; poweroff"
    else
        tiny round "quiet; echo begin of $1; spew 100000000"
        wait_for "its first words" says "begin of $1"
        xl destroy round
    fi
    ended round
    [ $(($1 % 2)) = 1 ] || says "end of $1" || fail "round $1 said too little"
}

xen_service
round 0 # what is made once for this console is made
before=$(held) kib=$(kib) i=0
while [ $i -lt $rounds ]; do
    i=$((i + 1))
    round $i
done
wait_for "$before again" settled
echo "$before; $kib KiB, then $(kib) KiB"
[ "$(kib)" -le $((kib + 256)) ] || fail "memory grows"
