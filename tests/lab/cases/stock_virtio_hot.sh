# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/virtio.sh
# Ports of a stock guest go, up to three at once, and come back, in an order of chance (VCONS_SEED): 10 times, 100 with --long,
# while another console prints. Each comes back as the lowest hvc that is free, or under its name; it gets a size; what is written
# to any arrives there and nowhere else. Guest, hypervisor and service end with what they had before.
. "$CASES/cases/virtio.sh"
case $WAY-$VCONS_LONG in
arm64-)
    echo "looked for on arm64 in the long run only"
    exit 77
    ;;
*-) changes=10 ;;
*) changes=100 ;;
esac
seed=${VCONS_SEED:-$(date +%s)}
echo "VCONS_SEED = $seed"
virtio_ramdisk initrd
cat >consoles <<'END'
v1 0 virtio
v2 1 virtio
p1 0 virtio-port
v3 0 virtio
p2 1 virtio-port
END
n=$(wc -l <consoles)
domain 2 "$n" "" <consoles >deb.conf

# The plan: a line for each round, of the ports that go, a dash, and the same as they come back. v1 stays.
awk -v seed="$seed" -v left="$changes" '
    function shuffle(n,  i, j, t) { for (i = n; i > 1; i--) { j = 1 + int(rand() * i); t = a[i]; a[i] = a[j]; a[j] = t } }
    function said(n,  i, s) { for (i = 1; i <= n; i++) s = s a[i] " "; return s }
    BEGIN {
        srand(seed)
        for (; left > 0; left -= k) {
            split("v2 v3 p1 p2", a)
            shuffle(4)
            k = 1 + int(rand() * 3)
            k = k < left ? k : left
            go = said(k)
            shuffle(k)
            print go "- " said(k)
        }
    }' >plan

# What each is to the guest: of a console the hvc, in the file at.NAME while it is there.
for i in 1 2 3; do
    echo "hvc$((first_hvc + i - 1))" >"at.v$i"
done
who() { cat "at.$1" 2>/dev/null || echo "$1"; }
go() {
    vcons console remove deb "$1"
    rm -f "at.$1"
}
# come NAME - the next is for when this one is there: it is another hvc then
come() {
    local i=$first_hvc port=--port
    case $1 in
    v*)
        while cat at.* | grep -qx "hvc$i"; do i=$((i + 1)); done
        echo "hvc$i" >"at.$1"
        port=
        ;;
    esac
    # shellcheck disable=SC2086 # an option or none
    vcons console add deb "$1" --device "$(awk -v name="$1" '$1 == name { print $2 }' consoles)" $port
    arrives "$1"
    everybody_talks $talkers
}
arrives() {
    talkers=$((talkers + 1))
    echo "I am $(who "$1")" >>"all.$1"
}
# ask CONSOLE LINE... - say them, and expect the answers
ask() {
    local name=$1 line
    shift
    for line; do
        case $line in print*) seq 100 199 >>"all.$name" ;; esac
        echo "$(who "$name") got $line" >>"all.$name"
    done
    tell "$name" "$(printf '%s\n' "$@")"
}
# guest FILE - its devices, its ports, and which names are at which device, as it has them; and what its kernel complained of
guest() {
    vcons send deb "echo B-\"$1\"; ls /dev | grep -E 'hvc|vport'; ls -1 /sys/kernel/debug/virtio-ports; \
grep -H . /sys/class/virtio-ports/*/name | sed 's/p[0-9]*.name//' | sort; dmesg | grep -E 'BUG:|Call Trace|blocked for'; echo C-\"$1\""
    wait_for "what the guest has" sh -c "cat log/deb/boot/0*.log | tr -d '\r' | grep -q '^C-$1$'"
    log_of deb/boot | tr -d '\r' | awk -v b="B-$1" -v c="C-$1" '$0 == c { exit } on { print } $0 == b { on = 1 }' >"$1"
}
# held - descriptors, mappings that others share, and threads, of the hypervisor and the service
held() {
    for pid in $vmm $vconsd; do
        echo "$(find "/proc/$pid/fd" | wc -l) $(grep -c ' rw-s ' "/proc/$pid/maps") $(find "/proc/$pid/task" -maxdepth 1 | wc -l)"
    done
}
held_as_before() { [ "$(held)" = "$held_before" ]; }
# memory - KiB that each has written to, but for what is large: the guest's own and its kernel
memory() {
    for pid in $vmm $vconsd; do
        awk '$1 == "Size:" { size = $2 } $1 == "Anonymous:" && size < 32768 { kib += $2 } END { print kib }' "/proc/$pid/smaps"
    done
}

service
vconsd=$!
vcons-vmm deb.conf >vmm.out 2>&1 &
vmm=$!
WAIT_S=200 boot 1
talkers=0 round=0 gone=0
while read -r name _; do
    arrives "$name"
done <consoles
everybody_talks $talkers
guest before
vcons ls | awk '{ print $1 }' | sort >ls.before
held_before=$(held)
while IFS=- read -r goes comes; do
    round=$((round + 1))
    # shellcheck disable=SC2086 # words
    set -- $goes
    # One port of a device goes and comes in that order; with several, the guest has to know first what is free.
    if [ $# = 1 ]; then ask v1 "print 100 199"; else ask v1 "print 100 199" "ports $((n - $#))"; fi
    for name; do
        go "$name"
    done
    [ $# = 1 ] || wait_for "round $round: $goes to go" answered "ports .*" $((gone += 1))
    for name in $comes; do
        come "$name"
    done
    for name in v1 v2 v3 p1 p2; do
        case " $goes" in
        *" $name "*)
            case $name in
            v*)
                vcons resize "deb/$name" "$((100 + round))x$((20 + round))"
                ask "$name" "size $((20 + round)) $((100 + round))" "round $round, $name"
                continue
                ;;
            esac
            ;;
        esac
        ask "$name" "round $round, $name"
    done
    wait_for "the answers of round $round" answered "round $round, .*" 5
    [ $round -gt 1 ] || memory_before=$(memory)
done <plan
guest after
same before after
vcons ls | awk '{ print $1 }' | sort >ls.after
same ls.before ls.after
wait_for "$held_before to be held, not $(held)," held_as_before
memory_after=$(memory)
# shellcheck disable=SC2086 # words
echo "$changes changes in $round rounds; held:" $held_before "KiB after the first:" $memory_before "at the end:" $memory_after
printf '%s\n' "$memory_before" "$memory_after" | awk '{ kib[NR] = $1 } END { exit kib[3] > kib[1] + 256 || kib[4] > kib[2] + 256 }' || fail "memory grows"
while read -r name _; do
    log_of "deb/$name" | tr -d '\r' >"log.$name"
    same "all.$name" "log.$name"
done <consoles
vcons stop deb
