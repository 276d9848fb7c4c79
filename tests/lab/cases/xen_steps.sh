# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# Domains that are destroyed at every step of what is done for them: before their nodes are there, with each of them, attached but never
# run, while they print, while the service stands still; nothing stays behind of them.
. "$CASES/cases/xenlib.sh"
held() {
    # shellcheck disable=SC2010 # nothing else tells what they are
    echo "$(ls -l "/proc/$SERVICE/fd" 2>/dev/null | grep -c 'eventfd\|ptmx') descriptors," \
        "$(grep -cE 'privcmd|gntdev' "/proc/$SERVICE/maps") mappings, $(find /dev/pts -type c | wc -l) terminals"
}
settled() { [ "$(held)" = "$before" ]; }
nameless() { xl list | grep -c '(null)' || true; } # domains that cannot die, for somebody has a page of theirs

xen_service
tiny bystander quiet
wait_for "its terminal" served bystander
before=$(held) zombies=$(nameless)

for step in none port ring-ref all stopped prints; do
    OPTIONS=-p tiny $step "quiet; spew 100000" 'vcpus = 1'
    dir=/local/domain/$(domid $step)/console
    case $step in
        none) xenstore-rm "$dir" ;;
        port) xenstore-rm "$dir/ring-ref" ;;
        ring-ref) xenstore-rm "$dir/port" ;;
        stopped) kill -STOP "$SERVICE" ;;
        prints) xl unpause $step ;;
    esac
    xl destroy $step
    [ $step != stopped ] || kill -CONT "$SERVICE"
done
wait_for "all that was theirs to be given back, from $before to $(held)" settled
no_zombie() { [ "$(nameless)" = "$zombies" ]; }
wait_for "the end of all of them" no_zombie
printf 'echo and it goes on\rpoweroff\r' | vcons send bystander
ended bystander
log_of bystander/pv0 | tr -d '\r' | grep -qx 'and it goes on' || fail "the one beside them has not been heard"
kill -0 "$SERVICE" || fail "the service has gone"
