/* SPDX-License-Identifier: MIT */
/*
 * quiet.h: EVTCHNOP_send without an exit: code of ours in the guest, and a bitmap of ports of which we want to hear nothing now.
 *
 * A console's driver sends an event for each 256 bytes, however busy its backend is. The code by which a kernel calls us is
 * ours, in its hypercall page or at its call sites, so it may look first: is the port's bit set, the answer is 0 and there was no
 * call. Whoever sets the bit looks by himself, and soon (engine.h, quiet).
 *
 * Spec:  Xen public/arch-x86/xen-x86_64.h: a hypercall changes rax alone of the registers, and so does the code; flags are
 *        nobody's. Xen public/event_channel.h: EVTCHNOP_send's argument is a struct of one u32. It is read only where it lies
 *        on the caller's stack, as in all of Linux, FreeBSD and `tiny`: nothing else is known to be there to be read, and
 *        a pointer that a program gave (privcmd) has to end in -EFAULT, not in a fault of its kernel's.
 * Order: guest: store of out_prod, full barrier, load of the bit. Us: bit cleared with a full barrier, load of out_prod. One
 *        of the two sees the other: models/quiet_sends.pml.
 * Place: in a hypercall page behind Xen's last stub, the bitmap in its other half; but not in one that KVM fills itself, when a
 *        guest of kvm-xen asks for it by MSR. At call sites:
 *        two bytes of jump, in the padding behind the function a longer one, to what the linker left free behind the kernel's
 *        text in its last page; the bitmap behind the segment's end, likewise. Linux keeps both pages as they are. The
 *        bitmap never lies on the cache lines of code: a write there stops a processor that runs it.
 * Owner: the engine's. What is in the guest's memory is the guest's to spoil: it then hears or says less, nobody else does.
 * Lock:  lock, a leaf. Code that 32-bit kernels call stays as it is.
 */
#ifndef VMM_KVM_X86_64_QUIET_H
#define VMM_KVM_X86_64_QUIET_H
#include "../../elf_image.h"
#include "../../memory.h"
#include "callsites.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIET_PORTS      512u /* those beyond are never quiet */
#define QUIET_BYTES      (QUIET_PORTS / 8)
#define QUIET_CODE_MAX   96u
#define QUIET_STACK      512u /* from the stack pointer to what is read, at most */
#define QUIET_CALL_BYTES 3u

/* Code for one place. Addresses are all virtual, or all from one beginning. */
struct quiet_code {
    uint64_t at, bits;
    uint64_t back;       /* where it goes on when it is done; 0: it returns */
    const uint8_t *call; /* QUIET_CALL_BYTES: the call itself */
    bool takes_yield; /* SCHEDOP_yield is to come to us as VC_CALL_YIELD: below us somebody answers it who should not */
};
/* Its length; *call: the offset of the call in it. */
size_t quiet_write(uint8_t code[QUIET_CODE_MAX], const struct quiet_code *c, size_t *call);

/* What is to be put into a kernel that is loaded. Addresses are guest physical. */
struct quiet_plan {
    unsigned n; /* call sites, 0: none is changed */
    uint64_t bits;
    struct quiet_site {
        uint64_t site, code, call_vaddr;
        uint8_t jump[16]; /* in place of the function */
        uint8_t bytes[QUIET_CODE_MAX];
        size_t n;
    } at[2];
};
/* Where the kernel has room for it; else plan->n is 0. by_port: the call is `out` to CPU_HYPERCALL_PORT, else the site's own. */
void quiet_plan(struct quiet_plan *plan, const struct elf *elf, const struct call_sites *sites, bool by_port);
/* After elf_load and callsites_patch. False: the domain has no memory there; nothing was changed. */
bool quiet_plan_place(const struct quiet_plan *plan, const struct guest_memory *memory);
/* Whether it stands in this memory. */
bool quiet_plan_stands(const struct quiet_plan *plan, const struct guest_memory *memory);

/* A page that cpu_fill_hypercall_page has filled, of a 64-bit kernel; what it calls from 32-bit code is never quiet. */
void quiet_fill_page(uint8_t page[4096], bool by_port);

struct quiet { /* of a machine */
    pthread_mutex_t lock;
    uint8_t *bits;            /* in guest memory; NULL: nothing is ever quiet */
    uint8_t set[QUIET_BYTES]; /* of these, by us: no other is ours to clear */
    _Atomic uint64_t calls[2],
        mask; /* where calls come from: rip & mask is one of them, or a little more; mask 0: nowhere */
};
void quiet_init(struct quiet *q);
void quiet_finish(struct quiet *q);
/* The guest's memory is another one now, in which there is none of this. */
void quiet_forget(struct quiet *q);
/* From now on the guest's code is nowhere, or by that plan, or in that page. Bits of an earlier place are cleared. */
void quiet_nowhere(struct quiet *q);
void quiet_by_plan(struct quiet *q, const struct quiet_plan *plan, const struct guest_memory *memory);
void quiet_in_page(struct quiet *q, const struct guest_memory *memory, uint64_t gpa, bool by_port);
/* Whether a call with the instruction pointer there, at the call or behind it, went through our code. */
bool quiet_is_call(struct quiet *q, uint64_t rip);
/* Of the port. With a full barrier. False: there is no such bit. */
bool quiet_set(struct quiet *q, uint32_t port, bool on);

#endif
