/* SPDX-License-Identifier: MIT */
/*
 * grants.h: a domain's grant table, version 1, as the VMM sees it: which frames the guest lets domain 0 use.
 *
 * Spec:  Xen public/grant_table.h; xen/common/grant_table.c for the order of accesses.
 * Owner: the caller places struct grants; its frames, of GRANTS_FRAME_BYTES each and aligned to them, are memory that
 *        the guest maps (XENMAPSPACE_grant_table) and outlive it.
 * Lock:  the caller's, one a domain, around every call.
 * Trust: the guest may write every entry at any moment. Flags and domid are looked at and marked by one compare-and-swap, the
 *        frame is read once after that; the answer is a frame number that the caller checks against the guest's
 *        memory. What is in use keeps its own record here: a guest that clears the marks hurts only its own driver.
 */
#ifndef VCONS_VMM_GRANTS_H
#define VCONS_VMM_GRANTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRANTS_FRAME_BYTES 4096u
#define GRANTS_FRAMES_MAX  4u   /* shown to the guest as the most that it may have */
#define GRANTS_PER_FRAME   512u /* entries */
#define GRANTS_PINS_MAX    16u  /* in use at once */

enum { GRANT_CONSOLE = 0, GRANT_XENSTORE = 1 }; /* entries that the builder fills: public/grant_table.h */

struct grant_entry { /* version 1 */
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
};
_Static_assert(sizeof(struct grant_entry) == 8, "public/grant_table.h");

enum { /* of flags */
       GTF_TYPE_MASK = 3,
       GTF_PERMIT_ACCESS = 1,
       GTF_READONLY = 1 << 2,
       GTF_READING = 1 << 3, /* set by the one who uses it, and cleared by it */
       GTF_WRITING = 1 << 4,
};

struct grants { /* for the caller to place, not to read */
    void *frames[GRANTS_FRAMES_MAX];
    uint32_t n_frames;
    struct {
        uint32_t ref, uses;
    } pins[GRANTS_PINS_MAX];
};

/* No frames yet. */
void grants_init(struct grants *g);
/* One frame more, zeroed by the caller; false: it has all that it may. */
bool grants_add_frame(struct grants *g, void *frame);
/* Frame i, of those added, is this memory from now on, with all that the old one held: the caller copied it. */
void grants_move_frame(struct grants *g, uint32_t i, void *frame);
/* Fill an entry as the builder does: domain 0 may read and write the frame. False: no such entry. */
bool grants_seed(struct grants *g, uint32_t ref, uint64_t gfn);

/*
 * Take ref into use, for reading and writing, until as many calls of grants_unpin. The frame's number into *gfn. False: no such
 * entry, not granted to domain 0, read-only, of another type, changing without end, or too many in use; *gfn is 0.
 */
bool grants_pin(struct grants *g, uint32_t ref, uint64_t *gfn);
void grants_unpin(struct grants *g, uint32_t ref);
/* The domain starts anew: nothing is in use, and all entries are empty. */
void grants_reset(struct grants *g);

#endif
