/* SPDX-License-Identifier: MIT */
/* What vCPU threads ask: hypercalls by core's doors, and core's questions to this process. */
#include "domain_private.h"
#include "host/clock.h"
#include "vmm.h"
#include <sched.h>
#include <time.h>
#include <vcons/atomic.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

#define WAIT_SLICE_MS 50u /* a held console_io caller looks at the clock and at domain_stopping so often */

static unsigned long lock_mutex(void *lock)
{
    pthread_mutex_lock(lock);
    return 0;
}

static void unlock_mutex(void *lock, unsigned long saved)
{
    (void)saved;
    pthread_mutex_unlock(lock);
}

const struct vc_lock_env domain_locks = {.lock = lock_mutex, .unlock = unlock_mutex};

uint64_t domain_time_ns(void) { return clock_ns(); }

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    return memory_copy_from_guest(&((struct domain_vcpu *)ctx)->domain->memory, from, to, n);
}

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    return memory_copy_to_guest(&((struct domain_vcpu *)ctx)->domain->memory, to, from, n);
}

/* ---- Events: a guest sleeps in SCHEDOP_poll on the condition poll_wake. ---- */

static void sent(void *ctx, void *door)
{
    struct domain_port *port = door;

    (void)ctx;
    port->sent(port);
}

/* False: the deadline has passed. */
static bool sleep_until(struct domain *d, uint64_t deadline_ns)
{
    struct timespec t = {.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = (long)(deadline_ns % 1000000000)};

    if (deadline_ns == 0) {
        pthread_cond_wait(&d->poll_wake, &d->poll_lock);
        return true;
    }
    return domain_time_ns() < deadline_ns && pthread_cond_timedwait(&d->poll_wake, &d->poll_lock, &t) == 0;
}

static enum vc_wait wait_for_word(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct domain *d = ((struct domain_vcpu *)ctx)->domain;
    enum vc_wait result = VC_WAIT_WOKEN;

    pthread_mutex_lock(&d->poll_lock);
    while (result == VC_WAIT_WOKEN && vc_load_acquire(word) == value) {
        if (domain_stopping(d))
            result = VC_WAIT_STOP;
        else if (!sleep_until(d, deadline_ns))
            result = VC_WAIT_TIMEOUT;
    }
    pthread_mutex_unlock(&d->poll_lock);
    return result;
}

/* poll_lock is only ever held for a look at the word. */
static void wake_word(void *domain, const uint32_t *word)
{
    struct domain *d = domain;

    (void)word;
    pthread_mutex_lock(&d->poll_lock);
    pthread_cond_broadcast(&d->poll_wake);
    pthread_mutex_unlock(&d->poll_lock);
}

static void yield(void *ctx)
{
    (void)ctx;
    sched_yield();
}

static void shut_down(void *ctx, uint32_t reason)
{
    struct domain *d = ((struct domain_vcpu *)ctx)->domain;

    if (reason == SHUTDOWN_poweroff)
        domain_end(d, REQUEST_POWEROFF);
    else if (reason == SHUTDOWN_reboot)
        domain_end(d, REQUEST_REBOOT);
    else
        domain_crashed(d, "the guest says so");
}

/* Guest memory does not move here while a run lasts. */
static int map_frame(void *domain, uint64_t gfn, uint8_t **page)
{
    if (gfn > UINT64_MAX / XEN_PAGE_BYTES - 1)
        return VC_ENOENT;
    *page = memory_at(&((struct domain *)domain)->memory, gfn * XEN_PAGE_BYTES, XEN_PAGE_BYTES);
    return *page == NULL ? VC_ENOENT : VC_OK;
}

const struct vc_shared_info_env domain_shared_env = {
    .lock = {.lock = lock_mutex, .unlock = unlock_mutex},
    .map = map_frame,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .wake = wake_word,
};

const struct vc_events_env domain_events_env = {
    .copy_in = copy_in,
    .copy_out = copy_out,
    .sent = sent,
    .wait = wait_for_word,
    .yield = yield,
    .shutdown = shut_down,
};

/* ---- console_io: into the same line as the PV ring, in the guest's order. ---- */

static uint32_t io_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct door *door = ((struct domain_vcpu *)ctx)->domain->io_door;
    uint32_t taken;

    console_lock(&door->console);
    /* What the guest put into its ring before this call comes first, so while that is held this waits too. */
    taken = door_serve(door) ? console_put(&door->console, bytes, n) : 0;
    console_unlock(&door->console);
    return taken;
}

static uint32_t io_in(void *ctx, uint8_t *bytes, uint32_t n)
{
    return door_read(((struct domain_vcpu *)ctx)->domain->io_door, bytes, n);
}

static bool io_go_on(void *ctx, bool full)
{
    struct domain *d = ((struct domain_vcpu *)ctx)->domain;

    if (full && !domain_stopping(d)) {
        console_lock(&d->io_door->console);
        console_wait(&d->io_door->console, WAIT_SLICE_MS);
        console_unlock(&d->io_door->console);
    }
    return !domain_stopping(d);
}

const struct vc_console_io_env domain_console_io_env = {
    .copy_in = copy_in, .copy_out = copy_out, .out = io_out, .in = io_in, .go_on = io_go_on};

void domain_debug_port(struct domain *d, uint8_t byte)
{
    uint32_t value = byte;

    vc_console_io_port(&d->io, &d->vcpus[0], true, 1, &value); /* false: this run ends, and the byte with it */
}

/* ---- Hypercalls. ---- */

static int64_t hvm_op(struct domain_vcpu *v, const uint64_t args[6])
{
    struct domain *d = v->domain;
    struct xen_hvm_param param;
    int64_t result;

    if (!copy_in(v, &param, args[1], sizeof param))
        return -XEN_EFAULT;
    pthread_mutex_lock(&d->params_lock);
    result = vc_params_hvm_op(&d->params, (uint16_t)d->id, args[0], &param);
    pthread_mutex_unlock(&d->params_lock);
    if (result == 0 && args[0] == HVMOP_get_param && !copy_out(v, args[1], &param, sizeof param))
        return -XEN_EFAULT;
    return result;
}

static int64_t console_io(struct domain_vcpu *v, const uint64_t args[6])
{
    /* cmd and count are C's unsigned int in Xen's ABI: what stands in the upper half is not looked at. */
    struct vc_console_io_call call = {.cmd = (uint32_t)args[0], .count = (uint32_t)args[1], .buffer = args[2]};

    return vc_console_io(&v->domain->io, v, &call) ? call.result : 0; /* false: this run ends; nobody reads it */
}

static int64_t serve(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    struct domain_vcpu *v = &d->vcpus[vcpu];

    switch (nr) {
    case XEN_console_io: return console_io(v, args);
    case XEN_event_channel_op: return vc_events_channel_op(&d->events, v, args[0], args[1]);
    case XEN_sched_op: return vc_events_sched_op(&d->events, v, vcpu, args[0], args[1]);
    case XEN_hvm_op: return hvm_op(v, args);
    case XEN_xen_version: return args[0] == 0 ? (int64_t)d->config->xen_version : -XEN_ENOSYS;
    case VC_CALL_TIME: return (int64_t)domain_time_ns();
    default: return -XEN_ENOSYS;
    }
}

int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    d->vcpus[vcpu].compat = false;
    return serve(d, vcpu, nr, args);
}

int64_t domain_hypercall_compat(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    d->vcpus[vcpu].compat = true;
    return serve(d, vcpu, nr, args);
}

/* Events come by SCHEDOP_poll alone so far: no upcall was ever dropped, and there is no layout to latch. */
void domain_vcpu_exit(struct domain *d, uint32_t vcpu) { (void)d, (void)vcpu; }
void domain_mode(struct domain *d, bool long_mode) { (void)d, (void)long_mode; }
