/* SPDX-License-Identifier: MIT */
/*
 * wire/shared_info.h: the pages that Xen and a guest share: events, time, run states; for each of the guests' ABIs.
 *
 * Source: Xen public/xen.h, public/vcpu.h, public/arch-x86/xen.h, xen-x86_{32,64}.h, public/arch-arm.h.
 * A guest of a 64-bit Xen that was latched as 32-bit has the x86_32 layout. Names end in the ABI's own; what is alike
 * has none. A 64-bit number at an address that is only a multiple of 4 (x86_32) is two halves here, low first.
 * All of it is little-endian, so a bit's byte is the same whatever word it is reached through.
 */
#ifndef VCONS_WIRE_SHARED_INFO_H
#define VCONS_WIRE_SHARED_INFO_H
#include <stddef.h>
#include <stdint.h>

#define XEN_LEGACY_MAX_VCPUS 32u /* x86: so many vcpu_info lie in shared_info; Arm: one */

struct vcpu_time_info { /* version is odd while the rest is being written */
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t
        system_time; /* ns = system_time + ((tsc - tsc_timestamp) shifted by tsc_shift) * tsc_to_system_mul >> 32 */
    uint32_t tsc_to_system_mul; /* Linux divides by it */
    int8_t tsc_shift;
    uint8_t flags; /* XEN_PVCLOCK_* */
    uint8_t pad1[2];
};
enum { XEN_PVCLOCK_TSC_STABLE = 1, XEN_PVCLOCK_GUEST_STOPPED = 2 };

struct vcpu_info_x86_64 {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask; /* PV's; nobody's elsewhere */
    uint8_t pad[6];
    uint64_t evtchn_pending_sel;
    uint64_t arch_cr2;
    uint64_t arch_pad;
    struct vcpu_time_info time;
};
struct vcpu_info_x86_32 {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    uint8_t pad[2];
    uint32_t evtchn_pending_sel;
    uint32_t arch_cr2;
    uint32_t arch_pad[5];
    struct vcpu_time_info time;
};
struct vcpu_info_arm64 {
    uint8_t evtchn_upcall_pending;
    uint8_t pad[7];
    uint64_t evtchn_pending_sel;
    struct vcpu_time_info time; /* no Arm guest looks at it */
};

struct shared_info_x86_64 {
    struct vcpu_info_x86_64 vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint64_t evtchn_pending[64];
    uint64_t evtchn_mask[64];
    uint32_t wc_version; /* odd while the other wc_ are being written: wall time when system time was 0 */
    uint32_t wc_sec;
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
    uint64_t arch_max_pfn;
    uint64_t arch_pfn_to_mfn_frame_list_list;
    uint64_t arch_nmi_reason;
    uint64_t arch_p2m_cr3;
    uint64_t arch_p2m_vaddr;
    uint64_t arch_p2m_generation;
};
struct shared_info_x86_32 {
    struct vcpu_info_x86_32 vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint32_t evtchn_pending[32];
    uint32_t evtchn_mask[32];
    uint32_t wc_version;
    uint32_t wc_sec;
    uint32_t wc_nsec;
    uint32_t arch_max_pfn;
    uint32_t arch_pfn_to_mfn_frame_list_list;
    uint32_t arch_nmi_reason;
    uint32_t arch_p2m_cr3;
    uint32_t arch_p2m_vaddr;
    uint32_t arch_p2m_generation;
    uint32_t wc_sec_hi;
};
struct shared_info_arm64 {
    struct vcpu_info_arm64 vcpu_info[1];
    uint64_t evtchn_pending[64];
    uint64_t evtchn_mask[64];
    uint32_t wc_version;
    uint32_t wc_sec;
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
};

/* How long a vCPU has been in each state; the times' sum is state_entry_time. */
struct vcpu_runstate_info { /* x86_64, arm64 */
    uint32_t state;
    uint32_t pad;
    uint64_t state_entry_time;
    uint64_t time[4];
};
struct compat_vcpu_runstate_info { /* x86_32 */
    uint32_t state;
    uint32_t state_entry_time[2];
    uint32_t time[4][2];
};

#define VC_AT(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
VC_AT(vcpu_time_info, version, 0);
VC_AT(vcpu_time_info, tsc_timestamp, 8);
VC_AT(vcpu_time_info, system_time, 16);
VC_AT(vcpu_time_info, tsc_to_system_mul, 24);
VC_AT(vcpu_time_info, tsc_shift, 28);
VC_AT(vcpu_time_info, flags, 29);
_Static_assert(sizeof(struct vcpu_time_info) == 32, "vcpu_time_info");

VC_AT(vcpu_info_x86_64, evtchn_upcall_pending, 0);
VC_AT(vcpu_info_x86_64, evtchn_upcall_mask, 1);
VC_AT(vcpu_info_x86_64, evtchn_pending_sel, 8);
VC_AT(vcpu_info_x86_64, arch_cr2, 16);
VC_AT(vcpu_info_x86_64, time, 32);
_Static_assert(sizeof(struct vcpu_info_x86_64) == 64, "vcpu_info_x86_64");
VC_AT(vcpu_info_x86_32, evtchn_upcall_pending, 0);
VC_AT(vcpu_info_x86_32, evtchn_upcall_mask, 1);
VC_AT(vcpu_info_x86_32, evtchn_pending_sel, 4);
VC_AT(vcpu_info_x86_32, arch_cr2, 8);
VC_AT(vcpu_info_x86_32, time, 32);
_Static_assert(sizeof(struct vcpu_info_x86_32) == 64, "vcpu_info_x86_32");
VC_AT(vcpu_info_arm64, evtchn_upcall_pending, 0);
VC_AT(vcpu_info_arm64, evtchn_pending_sel, 8);
VC_AT(vcpu_info_arm64, time, 16);
_Static_assert(sizeof(struct vcpu_info_arm64) == 48, "vcpu_info_arm64");

VC_AT(shared_info_x86_64, vcpu_info, 0);
VC_AT(shared_info_x86_64, evtchn_pending, 2048);
VC_AT(shared_info_x86_64, evtchn_mask, 2560);
VC_AT(shared_info_x86_64, wc_version, 3072);
VC_AT(shared_info_x86_64, wc_sec, 3076);
VC_AT(shared_info_x86_64, wc_nsec, 3080);
VC_AT(shared_info_x86_64, wc_sec_hi, 3084);
VC_AT(shared_info_x86_64, arch_max_pfn, 3088);
VC_AT(shared_info_x86_64, arch_p2m_generation, 3088 + 40);
_Static_assert(sizeof(struct shared_info_x86_64) == 3136, "shared_info_x86_64");
VC_AT(shared_info_x86_32, vcpu_info, 0);
VC_AT(shared_info_x86_32, evtchn_pending, 2048);
VC_AT(shared_info_x86_32, evtchn_mask, 2176);
VC_AT(shared_info_x86_32, wc_version, 2304);
VC_AT(shared_info_x86_32, wc_sec, 2308);
VC_AT(shared_info_x86_32, wc_nsec, 2312);
VC_AT(shared_info_x86_32, arch_max_pfn, 2316);
VC_AT(shared_info_x86_32, arch_p2m_generation, 2316 + 20);
VC_AT(shared_info_x86_32, wc_sec_hi, 2340);
_Static_assert(sizeof(struct shared_info_x86_32) == 2344, "shared_info_x86_32");
VC_AT(shared_info_arm64, vcpu_info, 0);
VC_AT(shared_info_arm64, evtchn_pending, 48);
VC_AT(shared_info_arm64, evtchn_mask, 560);
VC_AT(shared_info_arm64, wc_version, 1072);
VC_AT(shared_info_arm64, wc_sec, 1076);
VC_AT(shared_info_arm64, wc_nsec, 1080);
VC_AT(shared_info_arm64, wc_sec_hi, 1084);
_Static_assert(sizeof(struct shared_info_arm64) == 1088, "shared_info_arm64");

VC_AT(vcpu_runstate_info, state, 0);
VC_AT(vcpu_runstate_info, state_entry_time, 8);
VC_AT(vcpu_runstate_info, time, 16);
_Static_assert(sizeof(struct vcpu_runstate_info) == 48, "vcpu_runstate_info");
VC_AT(compat_vcpu_runstate_info, state, 0);
VC_AT(compat_vcpu_runstate_info, state_entry_time, 4);
VC_AT(compat_vcpu_runstate_info, time, 12);
_Static_assert(sizeof(struct compat_vcpu_runstate_info) == 44, "compat_vcpu_runstate_info");
#undef VC_AT

#endif
