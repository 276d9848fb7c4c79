# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# Two stock guests and two tiny ones on one terminal: the focus goes round, each takes what is typed for it and nothing else.
. "$CASES/cases/lib.sh"
ramdisk initrd
domain() {
    echo "domain \"$1\" { engine = $WAY hold = forever $2 }"
}
stock="kernel = \"/l2/vmlinux\" ramdisk = \"$PWD/initrd\" memory = 256M cmdline = \"console=hvc0 quiet\""
{
    echo 'hypervisor { name = "lab" }'
    domain deb1 "$stock"
    domain tiny1 'kernel = "tiny" memory = 8M cmdline = "quiet"'
    domain deb2 "$stock"
    domain tiny2 'kernel = "tiny" memory = 8M cmdline = "quiet"'
} >four.conf
service
# The shells of both stock guests are there before the focus first moves: what they show out of focus has no prompt.
chat -t 180 shown vcons-vmm four.conf <<'END'
do until grep -qs 'guest: up' log/deb1/hvc0/*.log && grep -qs 'guest: up' log/deb2/hvc0/*.log; do usleep 200000; done
see (type
type echo first a$((6*7))\r
see first a42\r\n
type \x01\x01\x01
see *** Serial input to DOM2
type echo second\r
see \nsecond\r\n
type \x01\x01\x01
see *** Serial input to DOM3
type echo third a$((6*7))\r
see third a42\r\n
type \x01\x01\x01
see *** Serial input to DOM4
type echo fourth\r
see \nfourth\r\n
type \x01\x01\x01
see *** Serial input to Xen
type \x01\x01\x01
see *** Serial input to DOM1
type echo again a$((6*7)); poweroff -f\r
see again a42\r\n
see (deb1) powered off
# Their end may be faster than the answer: status 6.
do vcons send deb2 'poweroff -f' || [ $? = 6 ]
do vcons send tiny1 poweroff || [ $? = 6 ]
do vcons send tiny2 poweroff || [ $? = 6 ]
end 0
END
for name in deb1:first deb1:again deb2:third tiny1:second tiny2:fourth; do
    for log in deb1 tiny1 deb2 tiny2; do
        n=$(log_of $log/hvc0 | tr -d '\r' | grep -c "^${name#*:}\( a42\)\?$" || true)
        case $log in
        "${name%:*}") [ "$n" = 1 ] || fail "$log has ${name#*:} $n times" ;;
        *) [ "$n" = 0 ] || fail "$log has ${name#*:}" ;;
        esac
    done
done
