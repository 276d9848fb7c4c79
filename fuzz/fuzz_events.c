/* SPDX-License-Identifier: MIT */
/*
 * Two domains' hypercalls of event channels, of the scheduler, of vcpu_op and of shared_info's places, in any order, with any
 * number, at any address, with any bytes behind it; doors that come and go, memory that is remapped and taken away between
 * them; parameters too. What must hold: no lock is left or held where core says it is not, a call returns what a guest may
 * get, nothing is written outside the guest's memory (its frames end in a red zone), and the two port tables agree.
 */
#include "fuzz.h"
#include <vcons/events.h>
#include <vcons/params.h>

enum { FRAMES = 4, RAM = FRAMES * 4096, PORTS = 70, VCPUS = 3, DOORS = 4 };

struct domain {
    struct vc_shared_info shared;
    struct vc_events events;
    uint8_t *ram;    /* on the heap: the sanitizer guards its ends */
    uint8_t missing; /* a bit a frame */
    bool refuses;
    int lock, vcpu_locks[VCPUS];
};
static struct {
    struct input in;
    struct domain domains[2];
    int doors[DOORS];
    struct vc_lock_held held;
    uint32_t peers;
} w;

static struct vc_lock_held *held(void) { return &w.held; }
static void wrong(const struct vc_lock_held *h, const void *lock, bool taking)
{
    (void)h;
    (void)lock;
    (void)taking;
    require(!"a lock out of order");
}
static unsigned long lock(void *which) { return (unsigned long)(uintptr_t)which; }
static void unlock(void *which, unsigned long saved) { require(saved == (unsigned long)(uintptr_t)which); }

static bool inside(uint64_t at, uint32_t n) { return at < RAM && n <= RAM - at; }
static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    require(w.held.n == 0 && n > 0 && n <= 512);
    return inside(from, n) && memcpy(to, ((struct domain *)ctx)->ram + from, n);
}
static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    require(w.held.n == 0);
    return inside(to, n) && memcpy(((struct domain *)ctx)->ram + to, from, n);
}
static int map(void *domain, uint64_t gfn, uint8_t **page)
{
    struct domain *d = domain;

    require(w.held.n > 0);
    if (gfn >= FRAMES || (d->missing >> gfn & 1) != 0)
        return gfn % 2 ? VC_ENOENT : VC_EPERM;
    *page = d->ram + gfn * 4096;
    return VC_OK;
}
static bool translate(void *ctx, uint64_t address, uint64_t *gpa)
{
    (void)ctx;
    require(w.held.n == 0);
    *gpa = address ^ 4096; /* neighbours are not neighbours */
    return address < RAM;
}
static bool upcall(void *domain, uint32_t vcpu)
{
    require(w.held.n == 0 && vcpu < VCPUS);
    return !((struct domain *)domain)->refuses;
}
static void wake(void *domain, const uint32_t *word)
{
    (void)domain;
    require(w.held.n == 0 && word != NULL);
}
static void moved(void *domain, uint32_t vcpu, uint64_t gpa)
{
    (void)domain;
    require(w.held.n == 1 && vcpu < VCPUS && (gpa == VC_NO_GPA || gpa % 4 == 0));
}
static void sent(void *ctx, void *door)
{
    (void)ctx;
    require(w.held.n == 0 && (int *)door >= w.doors && (int *)door < w.doors + DOORS);
}
static enum vc_wait wait(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct domain *d = ctx;

    (void)deadline_ns;
    require(w.held.n == 0 && *word == value);
    switch (take(&w.in, 1) % 4) {
    case 0: vc_events_virq(&d->events, 0, VIRQ_CONSOLE); break;
    case 1: vc_shared_info_place(&d->shared, take(&w.in, 1) % (FRAMES + 1)); break;
    case 2: vc_events_reset(&d->events); break;
    default: break;
    }
    return w.in.left > 0 ? (enum vc_wait)(take(&w.in, 1) % 3) : VC_WAIT_STOP;
}
static void yield(void *ctx)
{
    (void)ctx;
    require(w.held.n == 0);
}
static void shut(void *ctx, uint32_t reason)
{
    (void)ctx;
    require(reason <= SHUTDOWN_soft_reset && reason != SHUTDOWN_suspend);
}
static struct vc_events *peer(void *domain, uint32_t domid)
{
    (void)domain;
    require(w.held.n == 0);
    if (domid < 1 || domid > 2)
        return NULL;
    w.peers++;
    return &w.domains[domid - 1].events;
}
static void peer_done(void *domain, struct vc_events *p)
{
    (void)domain;
    (void)p;
    w.peers--;
}
static const struct vc_shared_info_env shared_env = {
    .lock = {.lock = lock, .unlock = unlock, .held = held, .wrong = wrong},
    .map = map,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .translate = translate,
    .upcall = upcall,
    .wake = wake,
    .moved = moved,
};
static const struct vc_events_env env = {.copy_in = copy_in,
                                         .copy_out = copy_out,
                                         .sent = sent,
                                         .wait = wait,
                                         .yield = yield,
                                         .shutdown = shut,
                                         .peer = peer,
                                         .peer_done = peer_done};

static void start(struct domain *d, uint32_t domid, uint8_t shape)
{
    static _Alignas(64) uint8_t events_memory[2][16384], shared_memory[2][8192];
    void *locks[VCPUS];
    struct vc_shared_info_config c = {.abi = (enum vc_abi)(shape % 3),
                                      .n_vcpus = VCPUS,
                                      .domid = domid,
                                      .xen_version = shape & 4 ? XEN_VERSION_OF(4, 21) : XEN_VERSION_OF(4, 17),
                                      .lock = &d->lock,
                                      .vcpu_locks = locks};

    for (uint32_t i = 0; i < VCPUS; i++)
        locks[i] = &d->vcpu_locks[i];
    d->ram = calloc(1, RAM);
    require(d->ram != NULL && vc_events_bytes(PORTS, VCPUS) <= sizeof events_memory[0]);
    require(vc_shared_info_bytes(VCPUS) <= sizeof shared_memory[0]);
    require(vc_shared_info_init(&d->shared, &shared_env, d, &c, shared_memory[domid - 1]) == VC_OK);
    require(vc_events_init(&d->events, &env, d, &d->shared, PORTS, events_memory[domid - 1]) == VC_OK);
}

static void params_call(struct vc_params *p)
{
    struct xen_hvm_param arg = {.domid = (uint16_t)take(&w.in, 2), .index = (uint32_t)take(&w.in, 1)};
    uint64_t op = take(&w.in, 1) % 3;
    int64_t result;

    arg.index |= take(&w.in, 1) % 8 == 0 ? 0x80000000u : 0;
    arg.value = take(&w.in, 8);
    result = vc_params_hvm_op(p, 3, op, &arg);
    require(result <= 0);
    require(op != HVMOP_set_param || result != 0 || arg.index != HVM_PARAM_CONSOLE_PFN);
    require(vc_params_callback(VC_PARAM_X86, arg.value).number < 256);
}

static void pages_call(struct domain *d, uint8_t op, uint64_t at)
{
    struct vcpu_time_info t = {.tsc_to_system_mul = (uint32_t)at};
    uint32_t vcpu = op % VCPUS;

    switch (take(&w.in, 1) % 12) {
    case 0: require(vc_shared_info_place(&d->shared, at % 8 == 7 ? UINT64_MAX - at : at % (FRAMES + 1)) <= 0); break;
    case 1: vc_shared_info_register(&d->shared, 0, vcpu, at % (FRAMES + 1), (uint32_t)take(&w.in, 2) % 5000); break;
    case 2: vc_shared_info_unregister(&d->shared, vcpu); break;
    case 3: vc_shared_info_latch(&d->shared, (enum vc_abi)(at % 4)); break;
    case 4:
        d->missing = (uint8_t)at;
        vc_shared_info_remapped(&d->shared);
        break;
    case 5: vc_shared_info_time(&d->shared, vcpu, &t); break;
    case 6: vc_shared_info_runstate(&d->shared, vcpu, op % 5, at); break;
    case 7: vc_shared_info_wallclock(&d->shared, at, op); break;
    case 8: d->refuses = op % 2; break;
    case 9: vc_shared_info_retry_upcall(&d->shared, vcpu); break;
    case 10: require(vc_shared_info_vm_assist(&d->shared, op % 3, at % 8) <= 0); break;
    default: require(vc_shared_info_vcpu_op(&d->shared, d, 0, at % 16, take(&w.in, 1) % 5, at % (RAM + 16)) <= 0);
    }
}

static void doors_call(struct domain *d, uint8_t op, uint64_t at)
{
    uint32_t port = (uint32_t)at % (PORTS + 1);
    void *door = &w.doors[op % DOORS];

    switch (take(&w.in, 1) % 6) {
    case 0: (void)vc_events_notify(&d->events, port, door); break;
    case 1: (void)vc_events_open(&d->events, door, (unsigned)at % 9, &port); break;
    case 2: (void)vc_events_close(&d->events, port, door); break;
    case 3: (void)vc_events_bind(&d->events, door, port); break;
    case 4: vc_events_virq(&d->events, op % 4, (uint32_t)at % 30); break;
    default:
        if (at % 16 == 0)
            vc_events_reset(&d->events);
    }
}

/* Each end of a channel names the other, and only what is bound is live. */
static void check_tables(void)
{
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t port = 0; port < PORTS; port++) {
            struct vc_event_binding b, other;

            require(vc_events_look(&w.domains[i].events, port, &b) == VC_OK);
            require((b.kind != VC_EVENT_FREE) == vc_ids_live(&w.domains[i].events.ids, port));
            if (b.kind != VC_EVENT_INTERDOMAIN)
                continue;
            require(vc_events_look(&w.domains[b.remote_dom - 1].events, b.remote_port, &other) == VC_OK);
            require(other.kind == VC_EVENT_INTERDOMAIN && other.remote_dom == i + 1 && other.remote_port == port);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vc_params params;
    uint32_t port;

    memset(&w, 0, sizeof w);
    w.in = (struct input){data, size};
    for (uint32_t i = 0; i < 2; i++)
        start(&w.domains[i], i + 1, (uint8_t)take(&w.in, 1));
    vc_params_init(&params, VC_PARAM_X86);
    for (uint32_t i = 0; i < DOORS; i++)
        require(vc_events_open(&w.domains[0].events, &w.doors[i], i * 2 + 1, &port) == VC_OK);
    while (w.in.left > 0) {
        uint8_t op = (uint8_t)take(&w.in, 1);
        struct domain *d = &w.domains[op >> 7];
        uint64_t at = take(&w.in, 2), cmd = take(&w.in, 1) % 16;

        switch (op / 2 % 8) {
        case 0: params_call(&params); break;
        case 1: pages_call(d, op, at); break;
        case 2: doors_call(d, op, at); break;
        default:
            at = op % 32 == 0 ? UINT64_MAX - at : at % (RAM + 16);
            for (uint32_t i = 0; i < 24 && op % 2 != 0; i++)
                d->ram[(at + i) % RAM] = (uint8_t)take(&w.in, 1);
            if (op / 2 % 8 == 3)
                require(vc_events_sched_op(&d->events, d, op / 16 % 4, cmd, at) <= 0);
            else if (op / 2 % 8 == 4 && cmd == 0)
                require(vc_events_compat_poll(&d->events, d, op / 16 % 4, at) <= 0);
            else
                require(vc_events_channel_op(&d->events, d, cmd, at) <= 0);
        }
        require(w.held.n == 0 && w.peers == 0);
    }
    check_tables();
    free(w.domains[0].ram);
    free(w.domains[1].ram);
    return 0;
}
