/* SPDX-License-Identifier: MIT */
/* The virtio-consoles of one domain together, and the order in which their consoles are announced. */
#include "domain_private.h"
#include "virtio_private.h"
#include "vmm.h"
#include <stdlib.h>

#define NS_PER_MS UINT64_C(1000000)
/* Against 1 ms, a dd of stock Linux to a port in the lab: 87 exits a MiB instead of 165, 11 interrupts instead of 30. */
#define A_WHILE_MS 8u

/* ---- Whose turn it is: any thread, under that device's lock and the announce's. ---- */

static void turn(void *ctx, void *console)
{
    struct domain *d = ctx;

    for (uint32_t i = 0; i < d->virtio.n; i++)
        if (&d->virtio.devices[i].console == console)
            virtio_ask_for_a_look(&d->virtio.devices[i]);
}

/* The loop has the timer. */
static void timer(void *ctx, uint64_t ns)
{
    struct domain *d = ctx;

    atomic_store(&d->virtio.wait_ns, ns);
    atomic_store(&d->virtio.asked, true);
    vmm_notify(d->vmm);
}

static void due(uv_timer_t *handle)
{
    struct domain *d = handle->data;

    if (!atomic_load(&d->virtio.asked)) /* else it is another time by now */
        vc_announce_timer(&d->virtio.announce);
}

static void set_timer(struct domain *d)
{
    uint64_t ns;

    if (!atomic_exchange(&d->virtio.asked, false))
        return;
    ns = atomic_load(&d->virtio.wait_ns);
    if (ns == 0)
        uv_timer_stop(&d->virtio.timer);
    else
        uv_timer_start(&d->virtio.timer, due, (ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* ---- Devices whose guests send much, and wait for nothing. ---- */

static void a_while_is_over(uv_timer_t *handle)
{
    struct domain *d = handle->data;

    for (uint32_t i = 0; i < d->virtio.n; i++)
        if (atomic_exchange(&d->virtio.devices[i].soon, false))
            virtio_device_serve(&d->virtio.devices[i]);
}

static void wait_a_while(struct domain *d)
{
    bool any = false;

    for (uint32_t i = 0; i < d->virtio.n; i++)
        any = any || atomic_load(&d->virtio.devices[i].soon);
    if (any && !uv_is_active((uv_handle_t *)&d->virtio.soon))
        uv_timer_start(&d->virtio.soon, a_while_is_over, A_WHILE_MS, 0);
}

static void begin_announce(struct domain *d)
{
    vc_announce_init(&d->virtio.announce, &d->virtio.announce_env, d, &d->virtio.announce_lock, d->virtio.places,
                     d->n_doors_max, VC_ANNOUNCE_LIMIT_NS);
    if (d->config->virtio_together)
        vc_announce_together(&d->virtio.announce);
    uv_timer_stop(&d->virtio.timer);
    atomic_store(&d->virtio.asked, false);
}

/* ---- All devices. ---- */

int virtio_init(struct domain *d, struct problem *problem)
{
    struct domain_virtio *all = &d->virtio;
    int result = 0;

    all->n = config_virtio_devices(d->config);
    if (all->n == 0)
        return 0;
    pthread_mutex_init(&all->announce_lock, NULL);
    all->announce_env = (struct vc_announce_env){.lock = domain_locks, .turn = turn, .timer = timer};
    uv_timer_init(&d->vmm->loop, &all->timer);
    all->timer.data = d;
    uv_timer_init(&d->vmm->loop, &all->soon);
    all->soon.data = d;
    all->has_timers = true;
    all->places = calloc(d->n_doors_max, sizeof *all->places);
    all->devices = calloc(all->n, sizeof *all->devices);
    if (all->devices == NULL) {
        all->n = 0;
        return problem_set(problem, -1, "no memory");
    }
    for (uint32_t i = 0; i < all->n; i++)
        result |= virtio_device_init(&all->devices[i], d, i);
    return result == 0 && all->places != NULL ? 0 : problem_set(problem, -1, "no memory");
}

void virtio_finish(struct domain *d)
{
    for (uint32_t i = 0; i < d->virtio.n; i++)
        virtio_bell_finish(&d->virtio.devices[i]);
    if (!d->virtio.has_timers)
        return;
    uv_close((uv_handle_t *)&d->virtio.timer, NULL);
    uv_close((uv_handle_t *)&d->virtio.soon, NULL);
}

void virtio_free(struct domain *d)
{
    if (!d->virtio.has_timers)
        return;
    for (uint32_t i = 0; i < d->virtio.n; i++)
        virtio_device_free(&d->virtio.devices[i]);
    free(d->virtio.devices);
    free(d->virtio.places);
    pthread_mutex_destroy(&d->virtio.announce_lock);
}

void virtio_open(struct domain *d)
{
    if (d->virtio.n == 0)
        return;
    begin_announce(d);
    for (uint32_t i = 0; i < d->virtio.n; i++)
        virtio_device_open(&d->virtio.devices[i]);
}

void virtio_opened(struct domain *d)
{
    if (d->virtio.n > 0)
        vc_announce_from_now_on(&d->virtio.announce);
}

void virtio_close(struct domain *d)
{
    for (uint32_t i = 0; i < d->virtio.n; i++)
        virtio_device_close(&d->virtio.devices[i]);
    if (d->virtio.n > 0)
        begin_announce(d);
}

void virtio_look(struct domain *d)
{
    if (d->virtio.n == 0)
        return;
    set_timer(d);
    wait_a_while(d);
    for (uint32_t i = 0; i < d->virtio.n; i++)
        if (atomic_exchange(&d->virtio.devices[i].look, false))
            virtio_device_serve(&d->virtio.devices[i]);
}

/* Places are constant, so that no lock is needed to look. */
bool virtio_access(struct domain *d, uint64_t address, uint32_t width, uint64_t *value, bool write)
{
    for (uint32_t i = 0; i < d->virtio.n; i++) {
        struct virtio_device *v = &d->virtio.devices[i];

        if (address >= v->place.address && address - v->place.address < v->place.bytes) {
            virtio_device_access(v, address - v->place.address, width, value, write);
            return true;
        }
    }
    return false;
}

/* ---- Save and restore. ---- */

void virtio_freeze(struct domain *d, bool frozen)
{
    for (uint32_t i = 0; i < d->virtio.n; i++) {
        struct virtio_device *v = &d->virtio.devices[i];

        pthread_mutex_lock(&v->lock);
        v->frozen = frozen;
        pthread_mutex_unlock(&v->lock);
        if (!frozen)
            virtio_ask_for_a_look(v);
    }
}

size_t virtio_save_bytes(const struct domain *d)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < d->virtio.n; i++)
        bytes += VC_SAVE_VIRTIO_CONSOLE_BYTES(d->virtio.devices[i].n_ports);
    return bytes;
}

void virtio_save(struct domain *d, struct vc_writer *w)
{
    for (uint32_t i = 0; i < d->virtio.n; i++) {
        struct virtio_device *v = &d->virtio.devices[i];

        if (v->n_ports == 0)
            continue;
        pthread_mutex_lock(&v->lock);
        vc_virtio_console_save(&v->console, w);
        pthread_mutex_unlock(&v->lock);
    }
}

/* [locked] Somebody may have typed, or a size may have changed, before it was saved: it is offered anew by doors_again. */
static bool restore(struct virtio_device *v, struct vc_reader *r)
{
    struct vc_section s;
    bool there;

    return vc_read_section(r, &s, &there) == VC_OK && there && s.tag == VC_SAVE_VIRTIO_CONSOLE &&
           vc_virtio_console_restore(&v->console, &s) == VC_OK;
}

bool virtio_restore(struct domain *d, struct vc_reader *r)
{
    bool right = true;

    for (uint32_t i = 0; right && i < d->virtio.n; i++) {
        struct virtio_device *v = &d->virtio.devices[i];

        if (v->n_ports == 0)
            continue;
        pthread_mutex_lock(&v->lock);
        v->restoring = true;
        right = restore(v, r);
        v->restoring = false;
        pthread_mutex_unlock(&v->lock);
        if (right)
            virtio_ask_for_a_look(v);
    }
    return right;
}
