/* SPDX-License-Identifier: MIT */
/*
 * shared_info.h: the pages that one domain shares with its hypervisor: where shared_info and each vCPU's vcpu_info lie,
 * how they move while events are delivered, and the time and runstate areas.
 *
 * Spec:  Xen public/xen.h, vcpu.h; xen/common/domain.c (map_vcpu_info, map_guest_area); errors are Xen's, of 4.17 or of
 *        4.21 as the version shown to the guest says. Layouts: wire/shared_info.h.
 * Owner: the caller places struct vc_shared_info and gives vc_shared_info_bytes() of memory aligned to 64.
 * Lock:  one event lock a domain (VC_RANK_EVENTS) and one lock a vCPU (VC_RANK_VCPU, a leaf), through env->lock, taken
 *        inside. Any thread may call anything, with any lock of a lower rank held, except where "no lock" is said.
 * Trust: frames, offsets, addresses and all that lies in the pages is the guest's. Nothing but bits is read from there.
 *
 * Where the pages lie. Until the guest places shared_info (XENMEM_add_to_physmap) it is a page of ours, as on Xen, and
 * what was delivered by then moves with it. vCPUs 0..31 (Arm: 0) use the vcpu_info inside it until they register one;
 * others have none until then: their pending bits are set, and found once they registered.
 *
 * The translation cache. Each vCPU keeps the addresses of its pages as found at one generation of the domain's memory map,
 * under its own lock. Delivery compares that with the present generation, one load: if they differ, the fast path "would
 * block", and the slow path takes the event lock, looks the pages up again and tries again. A move makes the vCPU's
 * generation stale first, so that whoever delivers meanwhile waits at the event lock for the end of the copy: nothing is
 * written to the place that is left, nothing that was pending there is lost (models/vcpu_info.pml).
 */
#ifndef VCONS_SHARED_INFO_H
#define VCONS_SHARED_INFO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/lock.h>
#include <vcons/wire/shared_info.h>
#include <vcons/wire/xen.h>

#define VC_VCPUS_MAX         128u
#define VC_SHARED_INFO_ALIGN 64u
#define VC_NO_GPA            UINT64_MAX

enum vc_abi { VC_ABI_X86_64, VC_ABI_X86_32, VC_ABI_ARM64 };

struct vc_shared_info_env {
    struct vc_lock_env lock;
    /*
     * The 4096 bytes of guest frame gfn as they lie here, writable until a vc_shared_info_remapped that begins later has
     * returned. VC_OK; VC_ENOENT: no such frame, or no memory; VC_EPERM: the guest may not write there; VC_ENOSPC: no
     * room to map it. Under the event lock, and maybe a vCPU's: may not call back.
     */
    int (*map)(void *domain, uint64_t gfn, uint8_t **page);
    bool (*copy_in)(void *ctx, void *to, uint64_t from,
                    uint32_t n); /* hypercall arguments; ctx is the vCPU's. No lock */
    bool (*copy_out)(void *ctx, uint64_t to, const void *from, uint32_t n);
    /* Guest virtual to guest physical, for areas registered by the former. No lock. NULL: they are equal. */
    bool (*translate)(void *ctx, uint64_t address, uint64_t *gpa);
    /* Whether a vCPU is not up: only then 4.17 lets another register for it. NULL: all others are. Under the event lock. */
    bool (*offline)(void *domain, uint32_t vcpu);
    /*
     * evtchn_upcall_pending of vcpu went from 0 to 1: inject its interrupt. Once for each such change; by the thread that
     * caused it, under no lock of ours (but under whatever lock it came with). False: dropped (a local APIC that is off):
     * call vc_shared_info_retry_upcall after the vCPU's next exits. NULL: there is no interrupt, the guest looks.
     */
    bool (*upcall)(void *domain, uint32_t vcpu);
    void (*wake)(void *domain, const uint32_t *word); /* all that sleep in vc_events_env.wait on word; may not block */
    /* Optional. vcpu's vcpu_info is at gpa now (VC_NO_GPA: nowhere the guest knows of), abi is its layout. For a hypervisor
     * that tells others of it (a clock). Under the event lock: may not call back. */
    void (*moved)(void *domain, uint32_t vcpu, uint64_t gpa);
    /*
     * Optional, both or none, for delegated delivery: somebody else (KVM) writes the pages. Core then checks arguments and
     * remembers places, but copies and marks nothing: place_shared is told of shared_info (and all default places with
     * it), under the event lock: it may not call back; place_info of a registration, under no lock of ours. Both run in the
     * thread of the hypercall, and return 0 or what the guest gets.
     */
    int64_t (*place_shared)(void *domain, uint64_t gfn, enum vc_abi abi);
    int64_t (*place_info)(void *domain, uint32_t vcpu, uint64_t gpa);
};

struct vc_shared_info_config {
    enum vc_abi abi; /* at boot; x86 may latch the other one later */
    uint32_t n_vcpus;
    uint32_t domid;       /* the event lock's order among domains */
    uint32_t xen_version; /* as XENVER_version: a second registration is -EINVAL before 4.19, -EBUSY from then */
    void *lock;
    void *const *vcpu_locks; /* n_vcpus; read in init only */
};

struct vc_vcpu_area { /* private: bytes of the guest on one page or two; 0 bytes: none */
    uint64_t gpa[2];  /* of those on the first page, and of the rest */
    uint32_t first, bytes;
    uint8_t *at[2]; /* NULL: not there */
};
struct vc_vcpu { /* private; first, in one cache line, what every delivery reads */
    _Alignas(64) void *lock;
    uint64_t generation;      /* of the pointers below; 0: of none. Changed under both locks */
    uint32_t *pending, *mask; /* in shared_info */
    uint32_t *selector;       /* in vcpu_info */
    uint8_t *info;            /* NULL: it has none */
    uint32_t n_ports, word_shift;
    /* Who sleeps, and how to wake it; without a lock. */
    _Alignas(64) uint32_t word;
    uint32_t sleeping, poll_port, upcalls, dropped;
    uint32_t runstate_sequence; /* odd while runstate changes */
    struct vcpu_runstate_info runstate;
    /* Under the event lock. */
    uint64_t gpa; /* of vcpu_info while registered */
    bool registered;
    /* Under both. */
    struct vc_vcpu_area time_area, runstate_area;
    struct vcpu_time_info time; /* as last told; version counts */
};
struct vc_shared_info { /* for the caller to place, not to read */
    const struct vc_shared_info_env *env;
    void *domain;
    void *lock;
    struct vc_vcpu *vcpus;
    uint64_t generation; /* of the guest's memory map: 1.. */
    uint32_t n_vcpus, domid, xen_version;
    uint32_t abi, boot_abi; /* enum vc_abi */
    uint32_t placed, runstate_flag;
    uint64_t gfn;
    uint8_t *home; /* the page while the guest has none */
    uint32_t wc_version, wc_nanoseconds;
    uint64_t wc_seconds;
};

/* Bytes of memory for so many vCPUs, 1..128; 0 if out of range. */
size_t vc_shared_info_bytes(uint32_t n_vcpus);
/* As at boot. VC_EINVAL: n_vcpus. env, domain and locks outlive it. */
int vc_shared_info_init(struct vc_shared_info *s, const struct vc_shared_info_env *env, void *domain,
                        const struct vc_shared_info_config *config, void *memory);
/* As after init, for a domain that boots again. No vCPU of it runs; deliveries may. */
void vc_shared_info_reset(struct vc_shared_info *s);

/* XENMEM_add_to_physmap of space 0: shared_info is at gfn from now on. 0, or -XEN_EINVAL for a frame that is none. No lock. */
int64_t vc_shared_info_place(struct vc_shared_info *s, uint64_t gfn);
/* Where the guest placed it. False: nowhere yet. */
bool vc_shared_info_placed(struct vc_shared_info *s, uint64_t *gfn);
/* Where vcpu's vcpu_info is, guest physical; VC_NO_GPA: nowhere that the guest knows of. */
uint64_t vc_shared_info_gpa(struct vc_shared_info *s, uint32_t vcpu);
/*
 * The guest is in that mode: when it sets CALLBACK_IRQ, writes the hypercall page MSR or places shared_info. Nothing is
 * converted, as on Xen: the guest has no event by then. False: not an ABI of this machine (Arm has one only).
 */
bool vc_shared_info_latch(struct vc_shared_info *s, enum vc_abi abi);
/*
 * The domain's memory map changed: call it after env->map finds the new pages and before the old ones go away. When it
 * returns nobody here uses an old one, nor will. No event or vCPU lock; waits for no guest.
 */
void vc_shared_info_remapped(struct vc_shared_info *s);

/*
 * vcpu_op by vCPU self: register_vcpu_info, register_runstate_memory_area, register_vcpu_time_memory_area, both
 * _phys_area, get_runstate_info. Any other cmd -XEN_ENOSYS: the hypervisor's own. No lock.
 */
int64_t vc_shared_info_vcpu_op(struct vc_shared_info *s, void *ctx, uint32_t self, uint64_t cmd, uint64_t vcpu,
                               uint64_t arg);
/* VCPUOP_register_vcpu_info with its argument copied in: 0 or Xen's errno. No lock. */
int64_t vc_shared_info_register(struct vc_shared_info *s, uint32_t self, uint32_t vcpu, uint64_t gfn, uint32_t offset);
/* What a soft reset does: back to the default place, content copied, selector all ones, an upcall; it may register again.
 * False: it had none registered. No lock. */
bool vc_shared_info_unregister(struct vc_shared_info *s, uint32_t vcpu);
/* vm_assist: enable and disable of the runstate update flag; -XEN_EINVAL, -XEN_ENOSYS. */
int64_t vc_shared_info_vm_assist(struct vc_shared_info *s, uint64_t cmd, uint64_t type);

/* ---- What the hypervisor tells the guest. ---- */

/* The vCPU's clock, into its vcpu_info and its time area; version is ours. */
void vc_shared_info_time(struct vc_shared_info *s, uint32_t vcpu, const struct vcpu_time_info *time);
/* Wall time when system time was 0. */
void vc_shared_info_wallclock(struct vc_shared_info *s, uint64_t seconds, uint32_t nanoseconds);
/* The vCPU is in that RUNSTATE_* since now_ns, system time. One thread at a time for one vCPU. */
void vc_shared_info_runstate(struct vc_shared_info *s, uint32_t vcpu, uint32_t state, uint64_t now_ns);
/* As of the last change: a reader takes no lock. */
void vc_shared_info_runstate_get(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_runstate_info *info);

/* ---- Upcalls. ---- */

/* evtchn_upcall_pending of vcpu, as it is in the page now. False too while it has no page. */
bool vc_shared_info_upcall_pending(struct vc_shared_info *s, uint32_t vcpu);
/* After an exit of vcpu: if an upcall was dropped and is pending yet, try again. True: it was dropped again. */
bool vc_shared_info_retry_upcall(struct vc_shared_info *s, uint32_t vcpu);
/* The way to raise upcalls was just set (vector, callback): raise one if it is pending already (facts §6.4). */
void vc_shared_info_renew_upcall(struct vc_shared_info *s, uint32_t vcpu);

#endif
