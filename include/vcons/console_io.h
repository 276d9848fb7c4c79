/* SPDX-License-Identifier: MIT */
/*
 * console_io.h: the console_io hypercall and I/O port 0xE9 of one domain.
 *
 * Spec:  Xen public/xen.h (CONSOLEIO_*), do_console_io: a write answers 0, not a count; a read the number of
 *        bytes.
 * Owner: the caller places struct vc_console_io, one a domain.
 * Lock:  none is needed or held: several vCPUs may call at once. env functions run without any lock of core;
 *        they take what they need (the door's, then those of focus.h) and drop it before they return.
 * Trust: cmd, count and address are the guest's and may be anything. Guest memory is read once, into a local
 *        buffer.
 * Read:  bytes are taken out of their source before they are copied to the guest, and nothing is put back or
 *        advanced afterwards: two readers never get the same byte, and nobody reads what was typed for
 *        another. A fault loses at most the one chunk, counted in fault_bytes.
 */
#ifndef VCONS_CONSOLE_IO_H
#define VCONS_CONSOLE_IO_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/wire/xen.h>

#define VC_CONSOLE_IO_CHUNK 1024u /* bytes moved between two looks at go_on; at most 4 KiB by the design */

struct vc_console_io_env {
    /* Guest memory at a guest virtual address; false if any byte of it is outside. May sleep. */
    bool (*copy_in)(void *ctx, void *to, uint64_t from, uint32_t n);
    bool (*copy_out)(void *ctx, uint64_t to, const void *from, uint32_t n);
    /*
     * Output, n in 1..VC_CONSOLE_IO_CHUNK, not filtered. Whoever implements it drains the domain's PV ring
     * first, so that log and terminal have what the guest wrote in its order. Returns how many were taken,
     * 0..n; fewer: full, it is called again with the rest after go_on, which is the place to wait (in slices).
     */
    uint32_t (*out)(void *ctx, const uint8_t *bytes, uint32_t n);
    /*
     * Input: up to n bytes, the domain's own line first, then vc_focus_read; but none while vc_pvcons_unread. Asked
     * anew for each chunk.
     */
    uint32_t (*in)(void *ctx, uint8_t *bytes, uint32_t n);
    /* Between chunks. full: out took less than all, so wait for room, but not long. False: this vCPU has to stop. */
    bool (*go_on)(void *ctx, bool full);
};
struct vc_console_io { /* for the caller to place */
    const struct vc_console_io_env *env;
    bool may_read, may_write; /* Xen's is_console gives both; without: -EPERM */
    uint32_t fault_bytes;     /* taken for a read and lost to a fault; atomic, read it with vc_load_relaxed */
};
struct vc_console_io_call { /* one hypercall: arguments as in the registers */
    uint64_t cmd, count, buffer;
    int64_t result; /* what the guest gets, once vc_console_io is true */
};

void vc_console_io_init(struct vc_console_io *io, const struct vc_console_io_env *env);
/*
 * Serve one call. ctx is handed to env: usually the vCPU. True: done, call->result is set. False: go_on said
 * stop during a write; count and buffer have advanced past what was written, so serving the same call again
 * goes on.
 */
bool vc_console_io(struct vc_console_io *io, void *ctx, struct vc_console_io_call *call);
/*
 * One access of the guest to port 0xE9, size bytes wide. A write of one byte is a CONSOLEIO_write of it;
 * *value of a read is 0xE9. False: go_on said stop, do the access again. Wider writes and writers without
 * leave are ignored, as Xen does.
 */
bool vc_console_io_port(struct vc_console_io *io, void *ctx, bool write, unsigned size, uint32_t *value);

#endif
