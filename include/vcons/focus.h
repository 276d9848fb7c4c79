/* SPDX-License-Identifier: MIT */
/*
 * focus.h: the hypervisor's console: one terminal, shared by all domains. One of them, or the hypervisor, has
 * the focus.
 *
 * Spec:  Xen's drivers/char/console.c in behaviour and messages; `conswitch` in docs/misc/xen-command-line.
 * Owner: the caller places everything: struct vc_focus, one struct vc_focus_domain for each domain, the typed
 *        ring and the output buffer. A domain stays until vc_focus_remove has returned.
 * Lock:  two kinds, given as pointers and taken through env->lock: each domain's console lock (its line
 *        buffer), then the console lock (focus, typed ring, terminal state, output buffer, counters).
 *        vc_focus_write, _read, _print, _take and the questions may be called from any thread, under a door's
 *        lock or none. vc_focus_add, _remove, _start, _type and _conswitch: one at a time, with no lock held:
 *        the thread that owns the terminal.
 * Trust: what domains write is never interpreted; out of focus only printable characters and tabs pass.
 *
 * Out:   the domain in focus writes as it is. Others are line buffered (LF, or 255 bytes), stripped and
 *        prefixed "(dN) ". Raw bytes wait in the line buffer, so that a partial line is shown unfiltered when
 *        its domain gets the focus, like all that follows it. A terminal line left open is closed before a
 *        prefix or a message. Nobody waits: all goes to a bounded buffer that the terminal's thread empties
 *        by vc_focus_take. When that is full, or a domain has used up its budget, its bytes are skipped. They
 *        are counted and marked, "[vcons: N bytes not shown]", before anything else of that domain's, or when
 *        the terminal has caught up; a domain that was over its budget is told at once, too. A quarter of the
 *        buffer is kept for the hypervisor's own text.
 * In:    the typed ring holds bytes for the domain in focus only: a switch discards and counts what was not
 *        read. Only the domain in focus reads; bytes are taken under the console lock into the reader's local
 *        memory, never later. For each domain, always: typed = read + discarded + overflow + waiting.
 */
#ifndef VCONS_FOCUS_H
#define VCONS_FOCUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/lock.h>

#define VC_FOCUS_LINE_BYTES   256u   /* Xen's DOMAIN_PBUF_SIZE: 255 and one */
#define VC_FOCUS_TYPED_BYTES  4096u  /* a good size for the typed ring */
#define VC_FOCUS_OUTPUT_BYTES 65536u /* a good size for the output buffer */
/* What one domain may show in so many ms: out of focus, and in focus, where it is more than anybody can see. */
#define VC_FOCUS_BUDGET_MS   1000u
#define VC_FOCUS_LINES_BYTES 65536u
#define VC_FOCUS_RAW_BYTES   (8u * 1024 * 1024)

struct vc_focus_counts { /* bytes of one domain, since it was added */
    uint64_t typed;      /* for it, while it had the focus */
    uint64_t read;       /* taken by vc_focus_read */
    uint64_t discarded;  /* unread when the focus left */
    uint64_t overflow;   /* the typed ring was full */
    uint64_t refused;    /* keys refused by vc_focus_refuse; not part of typed */
    uint64_t not_shown;  /* output skipped on the terminal, all in all */
};

struct vc_focus_budget {
    uint32_t left; /* bytes */
    uint64_t since_ms;
};
struct vc_focus_domain { /* for the caller to place; id, notice and ctx may be read */
    uint32_t id;         /* 1.. */
    void *lock;          /* its console lock */
    const char *notice;  /* a line printed after "*** Serial input to DOM…", or NULL */
    void *ctx;           /* the caller's */
    struct vc_focus_domain *next;
    struct vc_focus_counts counts;
    struct vc_focus_budget lines, raw; /* out of focus, in focus */
    uint64_t skipped;                  /* since the last mark */
    bool refuse;
    uint32_t n; /* in line */
    uint8_t line[VC_FOCUS_LINE_BYTES];
};

struct vc_focus_env {
    struct vc_lock_env lock;
    uint64_t (*now_ms)(void *ctx); /* any monotonic clock; under the locks; asked only when a budget is used up */
    void (*ready)(void *ctx); /* the output buffer is no longer empty; under the locks: kick the terminal's thread */
    /*
     * The rest run without any lock of core, in the thread that called _type, _start or _remove. d is there until they
     * return. key may call _add, _remove and _start; none of them _type.
     */
    void (*input)(void *ctx, struct vc_focus_domain *d);   /* bytes were typed for d: its own notification */
    void (*key)(void *ctx, uint8_t key);                   /* typed while the hypervisor has the focus */
    void (*moved)(void *ctx, struct vc_focus_domain *to);  /* the focus went to; NULL: the hypervisor */
    void (*refused)(void *ctx, struct vc_focus_domain *d); /* keys for d were refused, see vc_focus_refuse */
};

struct vc_focus { /* for the caller to place, not to read */
    const struct vc_focus_env *env;
    void *ctx;
    void *lock;
    struct vc_focus_domain *domains; /* by id */
    struct vc_focus_domain *focus;   /* NULL: the hypervisor */
    char letter;                     /* of conswitch; 0: no switching */
    uint8_t n_pending;               /* switch characters not yet delivered */
    bool cooked;                     /* a CR before each LF */
    uint8_t last;                    /* byte shown; the terminal is in mid-line unless it is LF */
    const char *notice;
    uint8_t *typed, *output;
    uint32_t typed_size, typed_prod, typed_cons;
    uint32_t output_size, output_prod, output_cons;
    uint64_t skipped; /* of the hypervisor's own text, since the last mark */
};

struct vc_focus_config {
    const struct vc_focus_env *env;
    void *ctx;
    void *lock;         /* the console lock */
    const char *notice; /* printed after "*** Serial input to Xen…", or NULL */
    bool cooked;        /* as Xen's serial driver: a CR before each LF that has none; for a terminal in raw mode */
    void *typed, *output;
    uint32_t typed_bytes, output_bytes; /* powers of two; typed at least 1, output at least 4096 */
};

/* No domains, the hypervisor has the focus, conswitch "a". VC_EINVAL: sizes. */
int vc_focus_init(struct vc_focus *f, const struct vc_focus_config *config);
/* Xen's word: a letter, or nothing to disable switching. VC_EINVAL: neither; a trailing 'x' is the caller's
 * matter. */
int vc_focus_conswitch(struct vc_focus *f, const char *word);

/* A domain takes part from now on. VC_EINVAL: id 0; VC_EBUSY: the id is there. The struct need not be initialised. */
int vc_focus_add(struct vc_focus *f, struct vc_focus_domain *d, uint32_t id, void *lock, const char *notice, void *ctx);
/* It is gone; its vCPUs have stopped. Shows its partial line; if it had the focus, the hypervisor has it now.
 */
void vc_focus_remove(struct vc_focus *f, struct vc_focus_domain *d);
/* Give the focus to domain id, or 0: the hypervisor, with its message. VC_ENOENT: no such domain, no change.
 */
int vc_focus_start(struct vc_focus *f, uint32_t id);
/* Typed at the terminal. Three switch characters move the focus; one or two and another key are delivered.
 * Never waits. */
void vc_focus_type(struct vc_focus *f, const void *bytes, size_t n);

/* Input for d into the caller's own memory: how many bytes, at most n; 0 if d has not the focus. */
uint32_t vc_focus_read(struct vc_focus *f, struct vc_focus_domain *d, void *bytes, uint32_t n);
/* Output of d, all of it taken. bytes is private memory of the caller. Locks are dropped every 4 KiB. */
void vc_focus_write(struct vc_focus *f, struct vc_focus_domain *d, const void *bytes, size_t n);
/* The hypervisor's own text, at the start of a line; LF ends a line. */
void vc_focus_print(struct vc_focus *f, const char *text);

/* What waits for the terminal: up to n bytes; how many. The terminal's thread, until it gives 0. */
uint32_t vc_focus_take(struct vc_focus *f, void *bytes, uint32_t n);

/* From now on keys typed for d are not accepted (a viewer holds its write token); or are again. */
void vc_focus_refuse(struct vc_focus *f, struct vc_focus_domain *d, bool refuse);
/* Who has the focus; 0: the hypervisor. */
uint32_t vc_focus_id(struct vc_focus *f);
struct vc_focus_counts vc_focus_count(struct vc_focus *f, const struct vc_focus_domain *d);

#endif
