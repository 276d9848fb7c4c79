/* SPDX-License-Identifier: MIT */
#include <vcons/atomic.h>
#include <vcons/console_io.h>

#define INT_MAX_BYTES 0x7fffffffu /* what do_console_io calls INT_MAX */

void vc_console_io_init(struct vc_console_io *io, const struct vc_console_io_env *env)
{
    *io = (struct vc_console_io){.env = env, .may_read = true, .may_write = true};
}

static uint32_t chunk(uint64_t n) { return n < VC_CONSOLE_IO_CHUNK ? (uint32_t)n : VC_CONSOLE_IO_CHUNK; }

/* Whether the n bytes from address lie below 2^64. */
static bool in_range(uint64_t address, uint32_t n) { return n == 0 || address + (n - 1) >= address; }

/* All n bytes, or as many as were taken when go_on said stop; how many. */
static uint32_t put(struct vc_console_io *io, void *ctx, const uint8_t *bytes, uint32_t n)
{
    uint32_t done = 0;

    for (;;) {
        done += io->env->out(ctx, bytes + done, n - done);
        if (done == n || !io->env->go_on(ctx, true))
            return done;
    }
}

static bool write_bytes(struct vc_console_io *io, void *ctx, struct vc_console_io_call *call)
{
    uint8_t bytes[VC_CONSOLE_IO_CHUNK];

    call->result = 0; /* not a count */
    while (call->count > 0) {
        uint32_t n = chunk(call->count), done;

        if (!in_range(call->buffer, n) || !io->env->copy_in(ctx, bytes, call->buffer, n)) {
            call->result = -XEN_EFAULT;
            return true;
        }
        done = put(io, ctx, bytes, n);
        call->count -= done;
        call->buffer += done;
        if (done < n || (call->count > 0 && !io->env->go_on(ctx, false)))
            return false;
    }
    return true;
}

/* Take first, then copy: the bytes belong to this reader before anybody can see them. */
static int64_t read_bytes(struct vc_console_io *io, void *ctx, uint64_t count, uint64_t buffer)
{
    uint8_t bytes[VC_CONSOLE_IO_CHUNK];
    uint32_t n, wanted;
    int64_t got = 0;

    do {
        wanted = chunk(count - (uint64_t)got);
        n = io->env->in(ctx, bytes, wanted);
        if (n == 0)
            break;
        if (!in_range(buffer + (uint64_t)got, n) || !io->env->copy_out(ctx, buffer + (uint64_t)got, bytes, n)) {
            vc_add_relaxed(&io->fault_bytes, n);
            return got > 0 ? got : -XEN_EFAULT; /* what came before was delivered and is said so */
        }
        got += n;
    } while (n == wanted && (uint64_t)got < count && io->env->go_on(ctx, false));
    return got;
}

static void start_read(struct vc_console_io *io, void *ctx, struct vc_console_io_call *call)
{
    if (!io->may_read)
        call->result = -XEN_EPERM;
    else if (call->count > INT_MAX_BYTES)
        call->result = -XEN_E2BIG;
    else
        call->result = call->count == 0 ? 0 : read_bytes(io, ctx, call->count, call->buffer);
}

bool vc_console_io(struct vc_console_io *io, void *ctx, struct vc_console_io_call *call)
{
    call->count = (uint32_t)call->count; /* do_console_io takes unsigned ints */
    switch ((uint32_t)call->cmd) {
    case CONSOLEIO_write:
        if (io->may_write)
            return write_bytes(io, ctx, call);
        call->result = -XEN_EPERM;
        return true;
    case CONSOLEIO_read: start_read(io, ctx, call); return true;
    default: call->result = io->may_read || io->may_write ? -XEN_ENOSYS : -XEN_EPERM; return true;
    }
}

bool vc_console_io_port(struct vc_console_io *io, void *ctx, bool write, unsigned size, uint32_t *value)
{
    uint8_t byte = (uint8_t)*value;

    if (!write) {
        *value = XEN_DEBUG_PORT; /* its own number says that it is there */
        return true;
    }
    return size != 1 || !io->may_write || put(io, ctx, &byte, 1) == 1;
}
