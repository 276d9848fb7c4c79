/* SPDX-License-Identifier: MIT */
/* What the engine `process` serves by itself: device registers by calls (wire/callpage.h). The guest is another thread of ours. */
#include "../../vmm/process/vcpu.h"
#include "unit.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <vcons/atomic.h>
#include <vcons/wire/xen.h>

struct domain { /* the engine sees only a name for it */
    atomic_bool stopping;
    unsigned n_accesses, n_hypercalls;
    uint64_t address, value;
    uint32_t width;
    bool write;
};

#define DEVICE UINT64_C(0xfeb00000)

bool domain_access(struct domain *d, enum engine_space space, uint64_t address, uint32_t width, uint64_t *value,
                   bool write)
{
    if (space != ENGINE_MEMORY || address < DEVICE || address >= DEVICE + 512)
        return false;
    d->n_accesses++;
    d->address = address;
    d->width = width;
    d->write = write;
    if (write)
        d->value = *value;
    else
        *value = UINT64_C(0x74726976) & UINT32_MAX >> (32 - 8 * width);
    return true;
}

int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    (void)vcpu, (void)nr, (void)args;
    d->n_hypercalls++;
    return -XEN_ENOSYS;
}

bool domain_stopping(const struct domain *d) { return atomic_load(&d->stopping); }
bool domain_park(struct domain *d) { return !domain_stopping(d); }
bool domain_call_again(struct domain *d, uint32_t vcpu, uint64_t args[6])
{
    (void)d, (void)vcpu, (void)args;
    return false;
}
void domain_crashed(struct domain *d, const char *why, ...)
{
    (void)d;
    fail_msg("crashed: %s", why);
}

static struct vc_call_page page;
static struct domain domain;
static struct process_vcpu vcpu = {.domain = &domain, .page = &page};

static void *serve(void *arg)
{
    process_vcpu_serve(arg);
    return NULL;
}

static int64_t call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    page.nr = nr;
    page.args[0] = a0;
    page.args[1] = a1;
    page.args[2] = a2;
    vc_store_release(&page.state, VC_CALL_POSTED);
    process_vcpu_pause(&vcpu); /* it wakes who waits for a call */
    while (vc_load_acquire(&page.state) != VC_CALL_DONE)
        sched_yield();
    return page.result;
}

static const struct {
    const char *name;
    uint64_t nr, address, width, value;
    int64_t result;
    bool arrives;
    uint64_t arrived; /* of a write */
} rows[] = {
    {"a register", VC_CALL_READ, DEVICE, 4, 0, 0x74726976, true, 0},
    {"two bytes of it", VC_CALL_READ, DEVICE + 0x100, 2, 0, 0x6976, true, 0},
    {"a byte of it", VC_CALL_READ, DEVICE + 511, 1, 0, 0x76, true, 0},
    {"behind it", VC_CALL_READ, DEVICE + 512, 4, 0, UINT32_MAX, false, 0},
    {"a byte behind it", VC_CALL_READ, DEVICE + 512, 1, 0, 0xff, false, 0},
    {"eight bytes", VC_CALL_READ, DEVICE, 8, 0, UINT32_MAX, false, 0},
    {"three bytes", VC_CALL_READ, DEVICE, 3, 0, UINT32_MAX, false, 0},
    {"none", VC_CALL_READ, DEVICE, 0, 0, UINT32_MAX, false, 0},
    {"a width of more than 32 bits", VC_CALL_READ, DEVICE, UINT64_C(1) << 32 | 4, 0, UINT32_MAX, false, 0},
    {"a write", VC_CALL_WRITE, DEVICE + 0x50, 4, 3, 0, true, 3},
    {"a write of more bits than it has", VC_CALL_WRITE, DEVICE + 0x50, 2, UINT64_MAX, 0, true, 0xffff},
    {"a write of eight bytes", VC_CALL_WRITE, DEVICE + 0x50, 8, 3, 0, false, 0},
    {"a write to nowhere", VC_CALL_WRITE, UINT64_MAX, 4, 3, 0, false, 0},
};

static void registers_are_accessed(void **state)
{
    pthread_t thread;

    (void)state;
    process_vcpu_reset(&vcpu);
    assert_int_equal(pthread_create(&thread, NULL, serve, &vcpu), 0);
    assert_int_equal(call(VC_CALL_READY, 0, 0, 0), 0);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        domain.n_accesses = 0;
        domain.value = 0;
        if (call(rows[i].nr, rows[i].address, rows[i].width, rows[i].value) != rows[i].result ||
            domain.n_accesses != rows[i].arrives || domain.value != rows[i].arrived ||
            (rows[i].arrives && (domain.address != rows[i].address || domain.width != rows[i].width ||
                                 domain.write != (rows[i].nr == VC_CALL_WRITE))))
            fail_msg("%s: %lld, %u accesses of 0x%llx", rows[i].name, (long long)page.result, domain.n_accesses,
                     (unsigned long long)domain.value);
    }
    assert_int_equal(domain.n_hypercalls, 0);
    atomic_store(&domain.stopping, true);
    process_vcpu_release(&vcpu);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(registers_are_accessed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
