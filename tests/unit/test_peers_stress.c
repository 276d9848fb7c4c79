/* SPDX-License-Identifier: MIT */
/*
 * Two domains with event channels between them, one of which reboots again and again: whoever finds its ports finds them whole, or not
 * at all, and no event goes to a run that has ended. For the thread sanitizer.
 */
#include "stress.h"
#include "vmm/calls.h"
#include "vmm/vmm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/shared_info.h>
#include <vcons/wire/xen.h>

#include <cmocka.h>

#define RAM     (UINT64_C(8) << 20)
#define BASE    VC_CALL_RAM_BASE
#define SHARED  0x20u /* gfn */
#define REBOOTS 100u
#define ROUNDS  200u /* without a reboot */

enum { STEADY, REBOOTING, N_DOMAINS };

static void kick_nobody(void *engine) { (void)engine; }

static const struct engine_ops ops = {.name = "recorder", .kick = kick_nobody};

struct rig {
    struct vmm vmm;
    struct domain *all[N_DOMAINS];
    struct domain_config configs[N_DOMAINS];
    struct domain domains[N_DOMAINS];
    atomic_bool over;
    atomic_uint stop;     /* the rebooting one's vCPU is to leave its run: of this number */
    unsigned bound, sent; /* by the steady one */
};

static void boot(struct domain *d)
{
    struct problem problem;

    assert_int_equal(guest_open(d, &problem), 0);
}

static struct rig *make(void)
{
    struct rig *r = calloc(1, sizeof *r);
    struct problem problem;

    assert_non_null(r);
    uv_loop_init(&r->vmm.loop);
    r->vmm.trace_fd = -1;
    r->vmm.domains = r->all;
    r->vmm.n_domains = N_DOMAINS;
    for (uint32_t i = 0; i < N_DOMAINS; i++) {
        struct domain *d = r->all[i] = &r->domains[i];

        r->configs[i] = (struct domain_config){.name = "rig", .vcpus = 1, .xen_version = XEN_VERSION_OF(4, 17)};
        d->vmm = &r->vmm;
        d->config = &r->configs[i];
        d->id = i + 1;
        d->ops = &ops;
        d->engine = r;
        assert_int_equal(memory_create(&d->memory, RAM, BASE, &problem), 0);
        assert_int_equal(guest_init(d, &problem), 0);
        boot(d);
    }
    return r;
}

static void unmake(struct rig *r)
{
    for (uint32_t i = 0; i < N_DOMAINS; i++)
        guest_finish(&r->domains[i]);
    while (uv_run(&r->vmm.loop, UV_RUN_NOWAIT) != 0)
        continue;
    for (uint32_t i = 0; i < N_DOMAINS; i++)
        guest_reset(&r->domains[i]);
    for (uint32_t i = 0; i < N_DOMAINS; i++) {
        guest_free(&r->domains[i]);
        memory_destroy(&r->domains[i].memory);
    }
    uv_loop_close(&r->vmm.loop);
    free(r);
}

/* ---- What a guest does. Each vCPU has an argument page of its own. ---- */

static void *argument(struct domain *d) { return d->memory.base + 0x3000; }

static int64_t call(struct domain *d, uint64_t nr, uint64_t cmd)
{
    return domain_hypercall(d, 0, nr, (const uint64_t[6]){cmd, BASE + 0x3000});
}

static bool alloc_port(struct domain *d, uint16_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound *a = argument(d);
    bool got;

    *a = (struct evtchn_alloc_unbound){.dom = XEN_DOMID_SELF, .remote_dom = remote};
    got = call(d, XEN_event_channel_op, EVTCHNOP_alloc_unbound) == 0;
    *port = a->port;
    return got;
}

static bool bind_port(struct domain *d, uint16_t remote, uint32_t remote_port, uint32_t *port)
{
    struct evtchn_bind_interdomain *b = argument(d);
    bool got;

    *b = (struct evtchn_bind_interdomain){.remote_dom = remote, .remote_port = remote_port};
    got = call(d, XEN_event_channel_op, EVTCHNOP_bind_interdomain) == 0;
    *port = b->local_port;
    return got;
}

static bool send_on(struct domain *d, uint32_t port)
{
    *(struct evtchn_send *)argument(d) = (struct evtchn_send){.port = port};
    return call(d, XEN_event_channel_op, EVTCHNOP_send) == 0;
}

static void close_port(struct domain *d, uint32_t port)
{
    *(struct evtchn_send *)argument(d) = (struct evtchn_send){.port = port}; /* the same layout: a port */
    call(d, XEN_event_channel_op, EVTCHNOP_close);
}

static void place_shared_info(struct domain *d)
{
    *(struct xen_add_to_physmap *)argument(d) =
        (struct xen_add_to_physmap){.domid = XEN_DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = SHARED};
    require(call(d, XEN_memory_op, XENMEM_add_to_physmap) == 0);
}

static bool pending(struct domain *d, uint32_t port)
{
    struct shared_info_x86_64 *info = (void *)(d->memory.base + SHARED * XEN_PAGE_BYTES);

    return (__atomic_fetch_and(&info->evtchn_pending[port / 64], ~(UINT64_C(1) << port % 64), __ATOMIC_SEQ_CST) >>
                port % 64 &
            1) != 0;
}

/* ---- The two. ---- */

/* Looks for an unbound port of the other, binds, sends, closes: whatever the other is doing. */
static void *steady(void *rig)
{
    struct rig *r = rig;
    struct domain *d = &r->domains[STEADY];
    uint32_t port;

    while (!atomic_load(&r->over)) {
        for (uint32_t remote = 1; remote < 8; remote++) {
            if (!bind_port(d, 2, remote, &port))
                continue;
            r->bound++;
            for (unsigned i = 0; i < 8; i++)
                r->sent += send_on(d, port); /* to nobody, once the other end went away */
            close_port(d, port);
        }
    }
    return NULL;
}

/* One run of the other: offers ports, takes them back, sends on those that were taken. */
static void a_run(struct rig *r, unsigned number)
{
    struct domain *d = &r->domains[REBOOTING];
    uint32_t ports[4];

    place_shared_info(d);
    while (atomic_load(&r->stop) < number) {
        for (unsigned i = 0; i < 4; i++)
            require(alloc_port(d, 1, &ports[i]));
        for (unsigned i = 0; i < 4; i++) {
            send_on(d, ports[i]);
            pending(d, ports[i]);
        }
        for (unsigned i = 0; i < 4; i++)
            close_port(d, ports[i]);
    }
}

struct vcpu_run {
    struct rig *r;
    unsigned number;
};

static void *run_vcpu(void *run)
{
    a_run(((struct vcpu_run *)run)->r, ((struct vcpu_run *)run)->number);
    return NULL;
}

static void peers_survive_reboots(void **state)
{
    struct rig *r = make();
    struct domain *d = &r->domains[REBOOTING];
    pthread_t other, vcpu;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, steady, r), 0);
    for (unsigned number = 1; number <= REBOOTS; number++) {
        struct vcpu_run run = {r, number};

        assert_int_equal(pthread_create(&vcpu, NULL, run_vcpu, &run), 0);
        if (number % 8 != 0) /* else as soon as it runs */
            uv_sleep(number % 4);
        atomic_store(&r->stop, number);
        pthread_join(vcpu, NULL);
        guest_reset(d);                 /* as the loop does after a run, whoever is at its ports */
        memset(d->memory.base, 0, RAM); /* nobody writes to it any more */
        boot(d);
    }
    atomic_store(&r->over, true);
    pthread_join(other, NULL);
    print_message("%u bound, %u sent\n", r->bound, r->sent);
    assert_true(r->bound > 0 && r->sent > 0);
    unmake(r);
}

/* And when nobody reboots, each event comes, once, to the run that has the port. */
static void events_of_a_run_come(void **state)
{
    struct rig *r = make();
    struct domain *from = &r->domains[STEADY], *to = &r->domains[REBOOTING];
    uint32_t port, remote;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        place_shared_info(to);
        assert_true(alloc_port(to, 1, &remote));
        assert_true(bind_port(from, 2, remote, &port));
        pending(to, remote); /* a binding is told by an event */
        assert_true(send_on(from, port));
        assert_true(pending(to, remote));
        assert_false(pending(to, remote));
        guest_reset(to);
        assert_false(bind_port(from, 2, remote, &(uint32_t){0})); /* a domain that does not run is none */
        send_on(from, port);
        boot(to);
        place_shared_info(to);
        assert_false(pending(to, remote)); /* what was sent before is not for this run */
        close_port(from, port);
    }
    unmake(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_a_run_come),
        cmocka_unit_test(peers_survive_reboots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
