/* SPDX-License-Identifier: MIT */
/*
 * calls.h: the hypercalls of one vCPU, one file a subject, and the way to its memory that they share.
 *
 * Spec:  wire/xen.h for numbers and layouts; xen-abi §8.6 for what stock Linux calls and which answers it takes. What is
 *        not here is -XEN_ENOSYS, and counted.
 * Lock:  none held. A vCPU's thread.
 * Trust: args and all that they point at are the guest's: copied once, checked, used. Pointers are guest virtual, of the
 *        calling vCPU and its present address space; a copy that is not wholly in its memory is -XEN_EFAULT.
 */
#ifndef VCONS_VMM_CALLS_H
#define VCONS_VMM_CALLS_H
#include "domain_private.h"

/* n bytes at a guest virtual address, page by page. False: not all of it is there; some may have been copied. */
bool calls_copy_in(struct domain_vcpu *v, void *to, uint64_t from, size_t n);
bool calls_copy_out(struct domain_vcpu *v, uint64_t to, const void *from, size_t n);
/* Where it is for this vCPU. False: nowhere. */
bool calls_translate(struct domain_vcpu *v, uint64_t gva, bool write, uint64_t *gpa);
/* DOMID_SELF or its own number; there is no other domain that a guest here may act for. */
bool calls_is_self(const struct domain_vcpu *v, uint16_t domid);

int64_t calls_xen_version(struct domain_vcpu *v, const uint64_t args[6]);
int64_t calls_memory_op(struct domain_vcpu *v, const uint64_t args[6]);
int64_t calls_vcpu_op(struct domain_vcpu *v, const uint64_t args[6]);
int64_t calls_hvm_op(struct domain_vcpu *v, const uint64_t args[6]);
int64_t calls_grant_table_op(struct domain_vcpu *v, const uint64_t args[6]);
int64_t calls_console_io(struct domain_vcpu *v, const uint64_t args[6]);
int64_t calls_set_timer_op(struct domain_vcpu *v, const uint64_t args[6]);

/* calls_trace.c: one line a call, if somebody asked for it; and a count of each, always. */
void calls_note(struct domain_vcpu *v, uint64_t nr, const uint64_t args[6], int64_t result);
/* After a run: what was called how often, where the lines went. Loop thread, no vCPU runs. */
void calls_summary(struct domain *d);

#endif
