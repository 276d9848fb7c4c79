# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# The lab's own KVM: exits, and with KVM_XEN hypercalls and the hypercall page.
. "$CASES/cases/lib.sh"
[ -c /dev/kvm ] || fail "there is no /dev/kvm"
kvm_exits
case $WAY in
kvm) ! kvm_xen_exits || fail "Debian's KVM has KVM_XEN now: the way kvm is no longer tested here" ;;
kvm-xen) kvm_xen_exits ;;
esac
