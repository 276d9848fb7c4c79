/* SPDX-License-Identifier: MIT */
/*
 * The page between threads: a guest that writes and reads as Linux does (drivers/xen/xenbus/xenbus_comms.c), which kicks only when
 * it believes that the server sleeps, and a server that sleeps until it is kicked. A wake-up lost on either side is a
 * standstill. Meanwhile the VMM writes what the guest watches.
 */
#include "unit.h"

#include "../../vmm/xenstore/ring.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vcons/atomic.h>

enum { GUEST = 3, PATIENCE_S = 60, REQUESTS = 20000, EVENTS = 2000 };

struct rig {
    struct store *store;
    struct store_ring ring;
    struct xenstore_domain_interface *page;
    pthread_mutex_t lock;      /* the store's */
    sem_t kick;                /* for the server */
    sem_t replied;             /* all requests */
    sem_t may_write, may_read; /* the guest's event, for both of its threads */
    uint32_t stop, last, kicks, notes;
};

/* Each semaphore is an edge: more than one post that nobody took is one. */
static void post(sem_t *sem)
{
    int value;

    sem_getvalue(sem, &value);
    if (value <= 1) /* one may be on its way to a thread that has looked already */
        sem_post(sem);
}

static void wait_or_fail(sem_t *sem, const char *who)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (sem_timedwait(sem, &until) != 0)
        if (errno != EINTR) {
            fprintf(stderr, "%s waits in vain\n", who);
            abort();
        }
}

static void on_notify(void *ctx)
{
    struct rig *r = ctx;

    vc_add_relaxed(&r->notes, 1);
    post(&r->may_write);
    post(&r->may_read);
}

static void on_work(void *ctx) { post(&((struct rig *)ctx)->kick); }

static const struct store_ring_env env = {.notify = on_notify, .work = on_work};

static void *serve(void *arg)
{
    struct rig *r = arg;
    bool more = false;

    while (vc_load_seq(&r->stop) == 0) {
        if (!more)
            wait_or_fail(&r->kick, "the server");
        pthread_mutex_lock(&r->lock);
        more = store_ring_serve(&r->ring);
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

static void kick(struct rig *r)
{
    vc_add_relaxed(&r->kicks, 1);
    post(&r->kick);
}

/* xb_write */
static void guest_write(struct rig *r, const void *bytes, uint32_t n)
{
    struct xenstore_domain_interface *p = r->page;

    while (n > 0) {
        uint32_t prod = vc_load_relaxed(&p->req_prod), cons = vc_load_seq(&p->req_cons), k;

        if (prod - cons == XENSTORE_RING_SIZE) {
            wait_or_fail(&r->may_write, "the guest's writer");
            continue;
        }
        for (k = 0; k < n && prod + k - cons < XENSTORE_RING_SIZE; k++)
            p->req[(prod + k) % XENSTORE_RING_SIZE] = ((const uint8_t *)bytes)[k];
        vc_store_seq(&p->req_prod, prod + k);
        if ((int32_t)(prod - vc_load_seq(&p->req_cons)) <= 0) /* the server had seen all that was before */
            kick(r);
        bytes = (const uint8_t *)bytes + k;
        n -= k;
    }
}

/* xb_read */
static void guest_read(struct rig *r, void *bytes, uint32_t n)
{
    struct xenstore_domain_interface *p = r->page;

    while (n > 0) {
        uint32_t cons = vc_load_relaxed(&p->rsp_cons), prod = vc_load_seq(&p->rsp_prod), k;

        if (prod == cons) {
            wait_or_fail(&r->may_read, "the guest's reader");
            continue;
        }
        for (k = 0; k < n && cons + k != prod; k++)
            ((uint8_t *)bytes)[k] = p->rsp[(cons + k) % XENSTORE_RING_SIZE];
        vc_store_seq(&p->rsp_cons, cons + k);
        if (vc_load_seq(&p->rsp_prod) - cons >= XENSTORE_RING_SIZE) /* it was full: the server waits for room */
            kick(r);
        bytes = (uint8_t *)bytes + k;
        n -= k;
    }
}

static void *write_requests(void *arg)
{
    struct rig *r = arg;

    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct xsd_sockmsg head = {.type = i % 3 == 0 ? XS_WRITE : XS_READ, .req_id = i + 1};
        char payload[400];
        /* Large replies, which wait for room, then small ones, many of which are there at once. */
        const char *format = i % 3 == 0 ? "/g/small_%0*u" : i < REQUESTS / 2 ? "/g/value_" : "/g/emp_";
        int n = snprintf(payload, sizeof payload, format, (int)(1 + i % 100), i);

        *strchr(payload, '_') = '\0';
        head.len = (uint32_t)n;
        guest_write(r, &head, sizeof head);
        guest_write(r, payload, head.len);
    }
    return NULL;
}

static void watch(struct rig *r)
{
    struct xsd_sockmsg head = {.type = XS_WATCH, .len = 13};

    guest_write(r, &head, sizeof head);
    guest_write(r, "/g/events\0to\0", 13);
}

/* Replies in order, each once; events among them. */
static void *read_replies(void *arg)
{
    static char payload[XENSTORE_PAYLOAD_MAX];
    struct rig *r = arg;
    uint32_t next = 1;
    bool last = false;

    while (next <= REQUESTS || !last) {
        struct xsd_sockmsg head;

        guest_read(r, &head, sizeof head);
        if (head.len > sizeof payload)
            abort();
        guest_read(r, payload, head.len);
        if (head.type == XS_WATCH_EVENT) {
            /* The watch's own path stands for events that had no room. */
            last |= strcmp(payload, "/g/events/last") == 0 ||
                    (strcmp(payload, "/g/events") == 0 && vc_load_seq(&r->last) != 0);
        } else if (head.req_id == 0) {
            continue; /* the watch's */
        } else if (head.req_id != next++ || head.type == XS_ERROR) {
            fprintf(stderr, "reply %u of type %u, wanted %u\n", head.req_id, head.type, next - 1);
            abort();
        } else if (next > REQUESTS) {
            sem_post(&r->replied);
        }
    }
    return NULL;
}

static void *write_outside(void *arg)
{
    struct rig *r = arg;

    for (uint32_t i = 0; i < EVENTS; i++) {
        pthread_mutex_lock(&r->lock);
        assert_int_equal(store_printf(r->store, "/g/events/n", "%u", i), 0);
        pthread_mutex_unlock(&r->lock);
        if (i % 16 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return NULL;
}

static void set_up(struct rig *r)
{
    static char value[1500];

    memset(value, 'v', sizeof value);
    r->store = store_create(NULL);
    assert_true(store_introduce(r->store, GUEST));
    assert_int_equal(store_mkdir(r->store, "/g"), 0);
    assert_int_equal(store_set_perms(r->store, "/g", "n3"), 0);
    assert_int_equal(store_write(r->store, "/g/value", value, sizeof value), 0);
    assert_int_equal(store_mkdir(r->store, "/g/events"), 0);
    assert_int_equal(store_mkdir(r->store, "/g/emp"), 0);
    r->page = calloc(1, sizeof *r->page);
    r->page->req_prod = r->page->req_cons = 0xffffff00; /* both wrap soon */
    r->page->rsp_prod = r->page->rsp_cons = 0xfffffe00;
    pthread_mutex_init(&r->lock, NULL);
    sem_init(&r->kick, 0, 0);
    sem_init(&r->replied, 0, 0);
    sem_init(&r->may_write, 0, 0);
    sem_init(&r->may_read, 0, 0);
    assert_true(store_ring_attach(&r->ring, r->store, GUEST, r->page, &env, r));
}

static void nobody_waits_in_vain(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    pthread_t server, writer, reader, outside;

    (void)state;
    set_up(r);
    watch(r);
    assert_int_equal(pthread_create(&server, NULL, serve, r), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_requests, r), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_replies, r), 0);
    assert_int_equal(pthread_create(&outside, NULL, write_outside, r), 0);
    pthread_join(writer, NULL);
    pthread_join(outside, NULL);
    wait_or_fail(&r->replied, "the test");
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    /* At rest now, so one last event: nothing else will come to help it along. */
    pthread_mutex_lock(&r->lock);
    vc_store_seq(&r->last, 1);
    assert_int_equal(store_mkdir(r->store, "/g/events/last"), 0);
    pthread_mutex_unlock(&r->lock);
    pthread_join(reader, NULL);
    vc_store_seq(&r->stop, 1);
    sem_post(&r->kick);
    pthread_join(server, NULL);
    print_message("%u requests, %u kicks, %u notifications\n", REQUESTS, r->kicks, r->notes);
    store_ring_detach(&r->ring);
    store_destroy(r->store);
    free(r->page);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_waits_in_vain)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
