/* SPDX-License-Identifier: MIT */
/*
 * shared_page.h: Xen's shared_info as a guest finds its way in it, and where a vCPU's vcpu_info lies.
 *
 * Spec:  Xen ABI 5.1-5.3, 4.1: wire/shared_info.h. The layout is a table, not a type: one build serves guests of 64 and
 *        of 32 bits, and a hosted test has both.
 * Owner: the page and every area are the caller's own memory, given to the hypervisor by their guest physical address.
 *        A page given away as shared_info is the hypervisor's from then on: on Xen what lay there before is gone.
 * Lock:  none. Everything in it is shared with the hypervisor and other vCPUs: read and written by atomics alone.
 * Trust: the hypervisor's word is taken; nothing in the page is used as an index or an address.
 */
#ifndef GUEST_SHARED_PAGE_H
#define GUEST_SHARED_PAGE_H
#include "platform.h"
#include <vcons/atomic.h>

#define SHARED_PAGE_BYTES 4096u

struct shared_layout {  /* offsets and sizes in bytes */
    uint32_t word_bits; /* a bit of the selector stands for so many ports; ports: its square */
    uint32_t n_ports;
    uint32_t pending, mask;  /* in the page: a bit for each port */
    uint32_t n_infos;        /* vCPUs with a vcpu_info at the page's beginning */
    uint32_t info_bytes;     /* of each; upcall_pending is its first byte */
    uint32_t selector, time; /* in a vcpu_info */
};
extern const struct shared_layout shared_layout_64, shared_layout_32, shared_layout_arm64;

/* The layout of the mode this very code was compiled for. */
static inline const struct shared_layout *shared_layout_own(void)
{
#ifdef __aarch64__
    return &shared_layout_arm64;
#else
    return sizeof(void *) == 8 ? &shared_layout_64 : &shared_layout_32;
#endif
}

/* Have the hypervisor's shared_info appear in this page of ours; again: it moves there, with all that it holds. 0 or -XEN_E. */
int64_t shared_page_map(const struct platform *p, const void *page);
/*
 * As it, from that page of ours to this. An Arm's Xen gives up no place by itself (-XEN_EBUSY since 4.17): there nothing is at from in
 * between, and no memory afterwards. After a refusal it is where it was.
 */
int64_t shared_page_move(const struct platform *p, const void *from, const void *to);
/* The vcpu_info of a vCPU that has registered none; NULL: there is no room for it (Xen ABI 5.3). */
uint8_t *shared_page_info(const struct shared_layout *layout, void *page, uint32_t vcpu);
/* VCPUOP_register_vcpu_info. 0 or -XEN_E; once for each vCPU. */
int64_t shared_info_register(const struct platform *p, uint32_t vcpu, const void *area);
/*
 * System time in ns out of a vcpu_info, for a processor whose time stamp counter says tsc: 0 if nobody keeps it up.
 * read_tsc is called between two looks at the version.
 */
uint64_t shared_info_time(const struct shared_layout *layout, const uint8_t *info, uint64_t (*read_tsc)(void));

#endif
