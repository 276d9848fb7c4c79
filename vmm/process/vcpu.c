/* SPDX-License-Identifier: MIT */
#include "vcpu.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vcons/atomic.h>

#define SPINS_MAX 256u /* about 10 us: what a guest takes between two calls that belong together */

static void wake(const uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

static void sleep_on(const uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

void process_vcpu_reset(struct process_vcpu *v)
{
    v->spins = SPINS_MAX / 2;
    v->ready = v->served = false;
    atomic_store(&v->up, v->number == 0);
}

static void tell_change(struct process_vcpu *v)
{
    __atomic_add_fetch(&v->change, 1, __ATOMIC_SEQ_CST);
    wake(&v->change);
}

void process_vcpu_set(struct process_vcpu *v, bool up)
{
    atomic_store(&v->up, up);
    tell_change(v);
}

void process_vcpu_release(struct process_vcpu *v)
{
    /*
     * Now only we write the page. Any new value will do, that a vCPU thread that looked just before does not fall asleep; but
     * never POSTED, which would have it serve the guest's last call once more.
     */
    uint32_t state = vc_load_relaxed(&v->page->state);

    vc_store_release(&v->page->state, state == VC_CALL_DONE ? VC_CALL_IDLE : VC_CALL_DONE);
    wake(&v->page->state);
    tell_change(v);
}

static bool posted_soon(struct process_vcpu *v)
{
    for (uint32_t i = 0; i < v->spins; i++) {
        if (vc_load_acquire(&v->page->state) == VC_CALL_POSTED) {
            v->spins += v->spins < SPINS_MAX ? 1 : 0;
            return true;
        }
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    v->spins -= v->spins > 1 ? v->spins / 4 + 1 : 0;
    return false;
}

/* False: the process is dead. */
static bool next_call(struct process_vcpu *v, uint64_t *nr, uint64_t args[6])
{
    uint32_t state;

    if (!posted_soon(v))
        /* Pairs with the guest's release of POSTED: number and arguments are there. */
        while ((state = vc_load_acquire(&v->page->state)) != VC_CALL_POSTED) {
            if (domain_stopping(v->domain))
                return false; /* dead; see process_vcpu_release */
            sleep_on(&v->page->state, state);
        }
    *nr = __atomic_load_n(&v->page->nr, __ATOMIC_RELAXED); /* once each: the guest may still write */
    for (unsigned i = 0; i < 6; i++)
        args[i] = __atomic_load_n(&v->page->args[i], __ATOMIC_RELAXED);
    return true;
}

static void answer(struct process_vcpu *v, int64_t result)
{
    __atomic_store_n(&v->page->result, result, __ATOMIC_RELAXED);
    vc_store_release(&v->page->state, VC_CALL_DONE); /* pairs with the guest's acquire: the result first */
    wake(&v->page->state);
}

/* False: the domain stops first. */
static bool wait_until_up(struct process_vcpu *v)
{
    for (;;) {
        uint32_t seen = vc_load_seq(&v->change);

        if (!domain_park(v->domain))
            return false;
        if (atomic_load(&v->up))
            return true;
        sleep_on(&v->change, seen);
    }
}

void process_vcpu_pause(struct process_vcpu *v)
{
    wake(&v->page->state); /* its thread may wait for a call; what it finds is the same */
    tell_change(v);
}

/* A call that was cut short stays posted, for whoever serves it next. */
static bool serve_again(struct process_vcpu *v)
{
    uint64_t args[6];

    if (!domain_call_again(v->domain, v->number, args))
        return false;
    for (unsigned i = 0; i < 6; i++)
        __atomic_store_n(&v->page->args[i], args[i], __ATOMIC_RELAXED);
    return true;
}

/* VC_CALL_READ and VC_CALL_WRITE. */
static int64_t access_device(struct process_vcpu *v, const uint64_t args[6], bool write)
{
    uint32_t width = args[1] == 1 || args[1] == 2 ? (uint32_t)args[1] : 4;
    uint64_t ones = UINT32_MAX >> (32 - 8 * width), value = write ? args[2] & ones : ones;

    if (width == args[1])
        domain_access(v->domain, ENGINE_MEMORY, args[0], width, &value, write);
    return write ? 0 : (int64_t)value;
}

static int64_t serve_nr(struct process_vcpu *v, uint64_t nr, const uint64_t args[6])
{
    switch (nr) {
    case VC_CALL_READY: return 0;
    case VC_CALL_READ: return access_device(v, args, false);
    case VC_CALL_WRITE: return access_device(v, args, true);
    default: return domain_hypercall(v->domain, v->number, nr, args);
    }
}

/* False: the guest broke the rules. */
static bool serve_call(struct process_vcpu *v, uint64_t nr, const uint64_t args[6])
{
    if (nr != VC_CALL_READY && !v->ready) {
        domain_crashed(v->domain, "called its hypervisor before it had sandboxed itself");
        return false;
    }
    v->result = serve_nr(v, nr, args);
    v->ready = true;
    v->served = !serve_again(v);
    return true;
}

void process_vcpu_serve(struct process_vcpu *v)
{
    uint64_t nr, args[6];

    while (!domain_stopping(v->domain) && next_call(v, &nr, args)) {
        if (!v->served && (!domain_park(v->domain) || !serve_call(v, nr, args)))
            return;
        if (!v->served)
            continue;
        /* Not up: it has not been started yet, or has just been put down; the answer is its start. */
        if (!wait_until_up(v))
            return;
        v->served = false;
        answer(v, v->result);
    }
}
