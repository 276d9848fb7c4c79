/* SPDX-License-Identifier: MIT */
#include "guest_machine.h"
#include <assert.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <vcons/atomic.h>
#include <vcons/xencons.h>

#define NS_IN_S  UINT64_C(1000000000)
#define SLICE_NS UINT64_C(10000000)

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_IN_S + (uint64_t)t.tv_nsec;
}

static unsigned long lock(void *mutex)
{
    pthread_mutex_lock(mutex);
    return 0;
}

static void unlock(void *mutex, unsigned long saved)
{
    (void)saved;
    pthread_mutex_unlock(mutex);
}

/* Guest memory. */

static bool inside(const struct machine *m, uint64_t address, uint32_t n)
{
    if (m->ram == NULL) /* a page at either end of the address space is nobody's */
        return address >= 4096 && address <= UINT64_MAX - 4096 - n;
    return address >= VC_CALL_RAM_BASE && address - VC_CALL_RAM_BASE <= m->ram_bytes &&
           n <= m->ram_bytes - (address - VC_CALL_RAM_BASE);
}

static uint8_t *host(const struct machine *m, uint64_t address)
{
    return m->ram == NULL ? (uint8_t *)(uintptr_t)address : m->ram + (address - VC_CALL_RAM_BASE);
}

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    if (!inside(ctx, from, n))
        return false;
    memcpy(to, host(ctx, from), n);
    return true;
}

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    if (!inside(ctx, to, n))
        return false;
    memcpy(host(ctx, to), from, n);
    return true;
}

/* The door. */

static uint32_t log_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct machine *m = ctx;
    size_t room = m->log_limit - m->n_log;

    n = n < room ? n : (uint32_t)room;
    while (m->n_log + n > m->log_bytes) {
        m->log_bytes = m->log_bytes == 0 ? 1 << 20 : 2 * m->log_bytes;
        m->log = realloc(m->log, m->log_bytes);
    }
    memcpy(m->log + m->n_log, bytes, n);
    m->n_log += n;
    return n;
}

static uint32_t key_in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct machine *m = ctx;

    n = n < m->n_typed ? n : (uint32_t)m->n_typed;
    if (n > 0)
        memcpy(bytes, m->typed, n);
    m->typed += n;
    m->n_typed -= n;
    return n;
}

static int bind_port(void *ctx)
{
    (void)ctx;
    return VC_OK;
}

static void unbind_port(void *ctx) { (void)ctx; }

static void notify(void *ctx)
{
    struct machine *m = ctx;

    vc_events_notify(&m->events, m->port, m);
}

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return now_ns() / 1000000;
}

static void broken(void *ctx, enum vc_pvcons_reason reason)
{
    (void)reason;
    ((struct machine *)ctx)->n_broken++;
}

static const struct vc_pvcons_env pvcons_env = {log_out, key_in, bind_port, unbind_port, notify, now_ms, broken, NULL};

void machine_serve(struct machine *m)
{
    pthread_mutex_lock(&m->door_lock);
    vc_pvcons_serve(&m->pvcons);
    pthread_mutex_unlock(&m->door_lock);
}

void machine_connect(struct machine *m, bool connect)
{
    pthread_mutex_lock(&m->door_lock);
    if (connect)
        vc_pvcons_connect(&m->pvcons);
    else
        vc_pvcons_disconnect(&m->pvcons);
    pthread_mutex_unlock(&m->door_lock);
    if (connect) /* input that waited */
        machine_serve(m);
}

void machine_type(struct machine *m, const void *bytes, size_t n)
{
    pthread_mutex_lock(&m->door_lock);
    m->typed = bytes;
    m->n_typed = n;
    vc_pvcons_serve(&m->pvcons);
    pthread_mutex_unlock(&m->door_lock);
    vc_events_virq(&m->events, 0, VIRQ_CONSOLE);
}

/* console_io. */

static uint32_t io_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct machine *m = ctx;

    pthread_mutex_lock(&m->door_lock);
    /* What is still in the ring was written before (design 3.1); only when all of it is gone may these follow. */
    n = vc_pvcons_serve(&m->pvcons) == VC_PVCONS_HELD ? 0 : log_out(m, bytes, n);
    m->by_hypercall += n;
    pthread_mutex_unlock(&m->door_lock);
    return n;
}

static uint32_t io_in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct machine *m = ctx;

    pthread_mutex_lock(&m->door_lock);
    n = vc_pvcons_unread(&m->pvcons) ? 0 : key_in(m, bytes, n); /* first what lies in the ring: it was typed before */
    pthread_mutex_unlock(&m->door_lock);
    return n;
}

static bool go_on(void *ctx, bool full)
{
    struct machine *m = ctx;

    if (full)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return !__atomic_load_n(&m->stop, __ATOMIC_SEQ_CST);
}

static const struct vc_console_io_env console_io_env = {copy_in, copy_out, io_out, io_in, go_on};

/* Events. */

static void sent(void *ctx, void *door)
{
    struct machine *m = door;

    (void)ctx;
    m->n_sends++;
    machine_serve(m);
}

static enum vc_wait wait_word(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct machine *m = ctx;
    uint64_t now = now_ns(), until = now + SLICE_NS;
    struct timespec slice;

    if (__atomic_load_n(&m->stop, __ATOMIC_SEQ_CST))
        return VC_WAIT_STOP;
    if (deadline_ns != 0 && now >= deadline_ns)
        return VC_WAIT_TIMEOUT;
    if (deadline_ns != 0 && deadline_ns < until)
        until = deadline_ns;
    slice = (struct timespec){(time_t)((until - now) / NS_IN_S), (long)((until - now) % NS_IN_S)};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &slice, NULL, 0);
    return VC_WAIT_WOKEN;
}

static void wake_word(void *ctx, const uint32_t *word)
{
    (void)ctx;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void yield(void *ctx)
{
    (void)ctx;
    sched_yield();
}

static void shut_down(void *ctx, uint32_t reason)
{
    struct machine *m = ctx;

    m->ended = true;
    m->reason = reason;
}

/* A guest in this process has what frames it says. */
static int map_frame(void *ctx, uint64_t gfn, uint8_t **page)
{
    struct machine *m = ctx;

    if (m->ram != NULL && (gfn >= m->ram_bytes >> 12))
        return VC_ENOENT;
    *page = m->ram != NULL ? m->ram + (gfn << 12) : (uint8_t *)(uintptr_t)(gfn << 12);
    return VC_OK;
}

static const struct vc_shared_info_env shared_env = {.lock = {.lock = lock, .unlock = unlock},
                                                     .map = map_frame,
                                                     .copy_in = copy_in,
                                                     .copy_out = copy_out,
                                                     .wake = wake_word};
static const struct vc_events_env events_env = {
    .copy_in = copy_in, .copy_out = copy_out, .sent = sent, .wait = wait_word, .yield = yield, .shutdown = shut_down};

/* The hypercalls. */

static int64_t do_console_io(struct machine *m, const uint64_t args[6])
{
    struct vc_console_io_call call = {.cmd = args[0], .count = args[1], .buffer = args[2]};

    m->n_writes += args[0] == CONSOLEIO_write;
    m->n_reads += args[0] == CONSOLEIO_read;
    if (m->refuse_writes && args[0] == CONSOLEIO_write)
        return -XEN_EPERM;
    while (!vc_console_io(&m->console_io, m, &call))
        if (__atomic_load_n(&m->stop, __ATOMIC_SEQ_CST))
            return -XEN_EAGAIN;
    return call.result;
}

static int64_t do_hvm_op(struct machine *m, const uint64_t args[6])
{
    struct xen_hvm_param param;
    int64_t result;

    if (!copy_in(m, &param, args[1], sizeof param))
        return -XEN_EFAULT;
    result = vc_params_hvm_op(&m->params, 1, args[0], &param);
    if (result == 0 && args[0] == HVMOP_get_param && !copy_out(m, args[1], &param, sizeof param))
        return -XEN_EFAULT;
    return result;
}

static int64_t do_memory_op(struct machine *m, const uint64_t args[6])
{
    struct xen_add_to_physmap add;

    if (args[0] != XENMEM_add_to_physmap)
        return -XEN_ENOSYS;
    if (!copy_in(m, &add, args[1], sizeof add))
        return -XEN_EFAULT;
    return add.space == XENMAPSPACE_shared_info ? vc_shared_info_place(&m->shared, add.gpfn) : -XEN_ENOSYS;
}

int64_t machine_hypercall(struct machine *m, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    switch (nr) {
    case XEN_memory_op: return do_memory_op(m, args);
    case XEN_vcpu_op: return vc_shared_info_vcpu_op(&m->shared, m, vcpu, args[0], args[1], args[2]);
    case XEN_console_io: return do_console_io(m, args);
    case XEN_event_channel_op: return vc_events_channel_op(&m->events, m, args[0], args[1]);
    case XEN_sched_op:
        m->n_polls += args[0] == SCHEDOP_poll;
        m->n_yields += args[0] == SCHEDOP_yield;
        return vc_events_sched_op(&m->events, m, vcpu, args[0], args[1]);
    case XEN_hvm_op: return do_hvm_op(m, args);
    case VC_CALL_TIME: return m->no_time ? -XEN_ENOSYS : (int64_t)now_ns();
    default: return -XEN_ENOSYS;
    }
}

static int64_t platform_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    const uint64_t args[6] = {a0, a1, a2};

    return machine_hypercall(ctx, 0, nr, args);
}

static void *platform_map(void *ctx, uint64_t gpa, size_t bytes)
{
    struct machine *m = ctx;
    uint64_t frame;

    vc_params_get(&m->params, VC_PARAM_GUEST, HVM_PARAM_CONSOLE_PFN, &frame);
    return gpa == frame << 12 && bytes <= XENCONS_PAGE_BYTES ? m->page : NULL;
}

struct platform machine_platform(struct machine *m)
{
    return (struct platform){.ctx = m, .hypercall = platform_hypercall, .map = platform_map};
}

static void init_events(struct machine *m)
{
    void *locks[MACHINE_VCPUS];
    const struct vc_shared_info_config config = {.abi = VC_ABI_X86_64,
                                                 .n_vcpus = MACHINE_VCPUS,
                                                 .domid = 1,
                                                 .xen_version = XEN_VERSION_OF(4, 17),
                                                 .lock = &m->event_lock,
                                                 .vcpu_locks = locks};

    for (uint32_t i = 0; i < MACHINE_VCPUS; i++)
        locks[i] = &m->vcpu_locks[i];
    assert(vc_shared_info_init(&m->shared, &shared_env, m, &config, m->shared_memory) == VC_OK);
    assert(vc_events_init(&m->events, &events_env, m, &m->shared, MACHINE_PORTS, m->events_memory) == VC_OK);
}

void machine_init(struct machine *m, struct xencons_interface *page, uint64_t console_gfn, bool connect)
{
    memset(m, 0, sizeof *m);
    m->log_limit = SIZE_MAX;
    m->page = page;
    pthread_mutex_init(&m->door_lock, NULL);
    pthread_mutex_init(&m->event_lock, NULL);
    for (uint32_t i = 0; i < MACHINE_VCPUS; i++)
        pthread_mutex_init(&m->vcpu_locks[i], NULL);
    m->shared_memory = aligned_alloc(VC_SHARED_INFO_ALIGN, vc_shared_info_bytes(MACHINE_VCPUS));
    m->events_memory = aligned_alloc(VC_SHARED_INFO_ALIGN, vc_events_bytes(MACHINE_PORTS, MACHINE_VCPUS));
    init_events(m);
    vc_events_open(&m->events, m, VC_DOOR_GUEST, &m->port);
    vc_params_init(&m->params, VC_PARAM_X86);
    vc_params_set(&m->params, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, console_gfn);
    vc_params_set(&m->params, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_EVTCHN, m->port);
    vc_console_io_init(&m->console_io, &console_io_env);
    vc_pvcons_init(&m->pvcons, &pvcons_env, m);
    vc_xencons_build(page);
    vc_pvcons_attach(&m->pvcons, page);
    if (connect)
        vc_pvcons_connect(&m->pvcons);
}

void machine_finish(struct machine *m)
{
    free(m->events_memory);
    free(m->shared_memory);
    free(m->log);
    pthread_mutex_destroy(&m->door_lock);
    pthread_mutex_destroy(&m->event_lock);
    for (uint32_t i = 0; i < MACHINE_VCPUS; i++)
        pthread_mutex_destroy(&m->vcpu_locks[i]);
}

void machine_stop(struct machine *m)
{
    __atomic_store_n(&m->stop, true, __ATOMIC_SEQ_CST);
    vc_events_notify(&m->events, m->port, m);
}
