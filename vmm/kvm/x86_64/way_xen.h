/* SPDX-License-Identifier: MIT */
/*
 * way_xen.h: the inside of the way `kvm-xen`, for way_xen.c (events, upcalls, timers) and way_xen_areas.c (shared_info and
 * vcpu_info).
 *
 * Lock: [told]: the caller holds told_lock of the engine.
 */
#ifndef VMM_KVM_X86_64_WAY_XEN_H
#define VMM_KVM_X86_64_WAY_XEN_H
#include "engine.h"
#include <vcons/wire/shared_info.h>

#define WAY_XEN_PENDING       offsetof(struct shared_info_x86_64, evtchn_pending) /* in both layouts */
#define WAY_XEN_PENDING_BYTES sizeof(((struct shared_info_x86_64 *)0)->evtchn_pending)
#define WAY_XEN_PORTS_64      4096u /* 64 words of 64 bits */
#define WAY_XEN_PORTS_32      1024u

_Static_assert(offsetof(struct shared_info_x86_32, evtchn_pending) == WAY_XEN_PENDING, "one place for both layouts");
_Static_assert(WAY_XEN_PENDING_BYTES * 8 == WAY_XEN_PORTS_64, "a bit for each port");
_Static_assert(ENGINE_NOWHERE == UINT64_MAX, "api.rst: \"-1\", no place, of addresses and of frames");

/* KVM's attributes of the machine and of one vCPU. 0, or -errno. */
int way_xen_set_vm(struct kvm_engine *e, const struct kvm_xen_hvm_attr *attr);
int way_xen_set_vcpu(struct kvm_vcpu *v, uint16_t type, uint64_t gpa);
/* [told] Interrupt the vCPU if its upcall_pending says so. What a local APIC drops now is sent again after its exits. */
void way_xen_raise(struct kvm_vcpu *v);

/* [told] The vCPU's vcpu_info, where KVM writes to it. NULL: nowhere. */
uint8_t *way_xen_info(const struct kvm_vcpu *v);
/* [told] The page of shared_info: the guest's, or home. NULL: the guest has no memory there. */
uint8_t *way_xen_page(struct kvm_engine *e);
/* [told] kvm_way.placed of these two areas. */
int way_xen_place_info(struct kvm_vcpu *v, uint64_t gpa);
int way_xen_place_page(struct kvm_engine *e, uint64_t gpa);

/* [told] The layouts of both from now on. */
void way_xen_latch(struct kvm_engine *e, bool long_mode);
/* [told] This vCPU, which does not run, is to look at every port, if it has a vcpu_info. */
void way_xen_mark_all(struct kvm_vcpu *v);

/* way_xen_save.c: kvm_way.save and restore. */
int way_xen_save(struct kvm_engine *e, struct vc_writer *w, struct problem *problem);
int way_xen_restore(struct kvm_engine *e, struct vc_reader *r, struct problem *problem);

#endif
