/* SPDX-License-Identifier: MIT */
/*
 * split.h: one serial line that carries a hypervisor and its domains, taken apart as its bytes come.
 *
 * Spec:  docs/vcons.1 (DEMUX). SPLIT_VCONS, the terminal of vcons-vmm: a line of a domain without the focus is whole and begins
 *        with "(dN) "; what has no mark is of who has the focus. SPLIT_XEN, the line of a Xen: "(dN) ", "(XEN) DOMN: " and
 *        "(XEN) " may come in the middle of a line, which goes on behind theirs; a line with "(XEN) " alone is of the domain with
 *        the focus, if that is another than dom0, for Xen begins its lines so too; dom0's have no mark.
 *        Each processor of that Xen has its own idea of where it stands in a line (vprintk_common: start_of_line): with one that it
 *        has left open it goes on without "(XEN) ", whatever came in between, "DOMN: " included. So lines that stand open are
 *        counted, and while one does, what has no mark is of the domain with the focus, if that is another than dom0.
 * Owner: the caller places struct split. Bytes go out in the call that brings them, but for those that may begin a mark.
 * Lock:  none: one thread.
 * Trust: every byte may be anything; what is kept back is bounded. The marks are in band: who has the focus can write them too.
 */
#ifndef CLIENT_SPLIT_H
#define CLIENT_SPLIT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPLIT_HELD       64u /* the longest mark is shorter */
#define SPLIT_HYPERVISOR UINT64_MAX

enum split_form { SPLIT_VCONS, SPLIT_XEN };

struct split_to {
    void (*out)(void *ctx, uint64_t id, const uint8_t *bytes, size_t n); /* id: of a domain, or SPLIT_HYPERVISOR */
    void (*focus)(void *ctx, uint64_t id);                               /* the hypervisor said who has it */
};

struct split {
    enum split_form form;
    const struct split_to *to;
    void *ctx;
    uint64_t focus, owner; /* owner: of this line */
    bool in_line, marked;
    bool printed;    /* by Xen itself, by way of its processors' lines */
    unsigned n_open; /* lines that these stand in */
    unsigned n_own;  /* lines to come that are the hypervisor's own, whatever they look like */
    unsigned n_cr;   /* kept back: a LF may follow */
    unsigned n_held; /* kept back: the beginning of a mark */
    uint8_t held[SPLIT_HELD];
};

/* to and ctx outlive it. The focus is nobody's until the hypervisor says. */
void split_init(struct split *s, enum split_form form, const struct split_to *to, void *ctx);
void split_put(struct split *s, const uint8_t *bytes, size_t n);
/* The line ends here, and begins anew with another hypervisor: what was kept back goes out, nobody has the focus. */
void split_end(struct split *s);

#endif
