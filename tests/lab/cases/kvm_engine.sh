# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# The engine alone on KVM as processors have it, which emulates nothing: small kernels with several vCPUs, interrupts that are
# dropped at first, pages, call sites; and with KVM_XEN events, upcalls, IPIs and timers that KVM serves, none lost while
# vcpu_info moves.
. "$CASES/cases/lib.sh"
test_kvm_engine || fail "test_kvm_engine"
test_kvm_vcpus || fail "test_kvm_vcpus"
status=0
test_kvm_xen >xen 2>&1 || status=$?
cat xen
case $WAY in
kvm) [ $status = 77 ] || fail "the way kvm-xen is there without KVM_XEN" ;;
kvm-xen) [ $status = 0 ] || fail "test_kvm_xen" ;;
esac
