/* SPDX-License-Identifier: MIT */
/* console_io and I/O port 0xE9: into the same line as the PV ring, in the guest's order. */
#include "calls.h"

#define WAIT_SLICE_MS 50u /* a held console_io caller looks at the clock and at domain_stopping so often */

static struct door *door_of(void *ctx) { return ((struct domain_vcpu *)ctx)->domain->io_door; }

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n) { return calls_copy_in(ctx, to, from, n); }

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n) { return calls_copy_out(ctx, to, from, n); }

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct door *door = door_of(ctx);
    uint32_t taken;

    console_lock(&door->console);
    /* What the guest put into its ring before this call comes first, so while that is held this waits too. */
    taken = door_serve(door) ? console_put(&door->console, bytes, n) : 0;
    console_unlock(&door->console);
    return taken;
}

static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n) { return door_read(door_of(ctx), bytes, n); }

static bool go_on(void *ctx, bool full)
{
    struct door *door = door_of(ctx);

    if (full && !domain_interrupted(door->domain)) {
        console_lock(&door->console);
        console_wait(&door->console, WAIT_SLICE_MS);
        console_unlock(&door->console);
    }
    return !domain_interrupted(door->domain);
}

const struct vc_console_io_env domain_console_io_env = {
    .copy_in = copy_in, .copy_out = copy_out, .out = out, .in = in, .go_on = go_on};

int64_t calls_console_io(struct domain_vcpu *v, const uint64_t args[6])
{
    /* cmd and count are C's unsigned int in Xen's ABI: what stands in the upper half is not looked at. */
    struct vc_console_io_call call = {.cmd = (uint32_t)args[0], .count = (uint32_t)args[1], .buffer = args[2]};

    if (vc_console_io(&v->domain->io, v, &call))
        return call.result;
    /* This run ends, and nobody reads the result; or it stands still, and what is left of the call is made again. */
    v->again = true;
    v->again_args[0] = call.cmd;
    v->again_args[1] = call.count;
    v->again_args[2] = call.buffer;
    return 0;
}

void domain_debug_port(struct domain *d, uint8_t byte)
{
    uint32_t value = byte;

    /* A byte is not half of anything: it waits while the domain is to stand still, and goes only with a run that ends. */
    while (!vc_console_io_port(&d->io, &d->vcpus[0], true, 1, &value) && !domain_stopping(d)) {
        console_lock(&d->io_door->console);
        console_wait(&d->io_door->console, WAIT_SLICE_MS);
        console_unlock(&d->io_door->console);
    }
}
