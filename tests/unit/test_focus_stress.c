/* SPDX-License-Identifier: MIT */
/*
 * T14: two vCPUs of each of four domains hammer CONSOLEIO_read while the focus goes round. Each domain has an alphabet of its
 * own, and each byte says its place in its stretch of focus, so that a byte that is leaked, repeated, skipped or read in
 * another stretch than it was typed in is seen. 100,000 switches; VCONS_LONG=1: ten times as many.
 *
 * How a reader knows which stretch its bytes are from: the lock of this test notes it in the reader's thread when the
 * console lock is dropped, and the bytes were taken under that lock.
 */
#include "unit.h"

#include "door_locks.h"
#include "stress.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/console_io.h>
#include <vcons/focus.h>

#define DOMAINS    4u
#define VCPUS      2u /* each */
#define RING       32u
#define PLACES     60u /* in one stretch */
#define FIRST_BYTE 4u  /* leaves the switch character out of every alphabet */

static struct vc_focus focus;
static struct vc_focus_domain domains[DOMAINS];
static struct door_lock console_lock = DOOR_LOCK(LOCK_CONSOLE);
static struct door_lock domain_locks[DOMAINS];

static uint32_t stretch; /* under the console lock; counts moves of the focus */
static uint64_t *seen;   /* [stretch]: which places were read */
static bool *burst;      /* [stretch]: more was typed than the ring holds */
static uint32_t done;
static _Thread_local uint32_t my_stretch;
static _Thread_local bool feeds;
static _Thread_local struct vc_focus_domain *last_focus;

struct vcpu {
    pthread_t thread;
    uint32_t domain; /* from 0 */
    uint64_t seed;
    struct vc_console_io *io;
    uint64_t n_read, n_faults;
    uint32_t stretch, place; /* of the last byte, for order */
    uint8_t memory[64];
};
static struct vc_console_io ios[DOMAINS];
static struct vcpu vcpus[DOMAINS * VCPUS];

static void unlock(void *lock, unsigned long saved)
{
    if (lock == &console_lock) {
        if (feeds && focus.focus != last_focus) {
            last_focus = focus.focus;
            stretch++;
        }
        my_stretch = stretch;
    }
    door_unlock(lock, saved);
}

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 0;
}
static void ready(void *ctx) { (void)ctx; }
static void input(void *ctx, struct vc_focus_domain *d)
{
    (void)ctx;
    (void)d;
}
static void key(void *ctx, uint8_t k)
{
    (void)ctx;
    (void)k;
}

static const struct vc_focus_env focus_env = {
    .lock = {door_lock, unlock},
    .now_ms = now_ms,
    .ready = ready,
    .input = input,
    .key = key,
    .moved = input,
    .refused = input,
};

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    memcpy(to, ((struct vcpu *)ctx)->memory + from, n);
    return true;
}

/* The bytes belong to this vCPU now, whatever happens to the focus meanwhile. */
static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct vcpu *v = ctx;
    const uint8_t *bytes = from;
    uint32_t s = my_stretch;

    door_may_sleep();
    (void)to;
    random_delay(&v->seed);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = (bytes[i] & 63) - FIRST_BYTE;

        require(bytes[i] >> 6 == v->domain); /* P4: nothing that was typed for another */
        require(place < PLACES);
        require((__atomic_fetch_or(&seen[s], UINT64_C(1) << place, __ATOMIC_RELAXED) >> place & 1) == 0);
        require(s > v->stretch || (s == v->stretch && place > v->place) || v->n_read == 0);
        v->stretch = s;
        v->place = place;
        v->n_read++;
    }
    if (random_below(&v->seed, 64) != 0)
        return true;
    v->n_faults += n; /* the guest's buffer went away: these bytes are lost, and counted */
    return false;
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    vc_focus_write(&focus, &domains[((struct vcpu *)ctx)->domain], bytes, n);
    return n;
}

static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    return vc_focus_read(&focus, &domains[((struct vcpu *)ctx)->domain], bytes, n);
}

static bool go_on(void *ctx, bool full)
{
    (void)ctx;
    (void)full;
    return true;
}

static const struct vc_console_io_env io_env = {copy_in, copy_out, out, in, go_on};

static void *run_vcpu(void *arg)
{
    struct vcpu *v = arg;

    memcpy(v->memory, "a line of this domain's\nand half", 33);
    while (vc_load_acquire(&done) == 0) {
        struct vc_console_io_call c = {.cmd = CONSOLEIO_read, .count = 1 + random_below(&v->seed, 40)};

        require(vc_console_io(v->io, v, &c) && (c.result >= 0 || c.result == -XEN_EFAULT));
        if (c.result == 0 && random_below(&v->seed, 4) == 0) {
            c = (struct vc_console_io_call){.cmd = CONSOLEIO_write, .count = 33};
            require(vc_console_io(v->io, v, &c) && c.result == 0);
        }
        random_delay(&v->seed);
    }
    return NULL;
}

/* One stretch: type for whoever has the focus, then move it on. Returns how many bytes. */
static uint32_t feed(uint64_t *seed)
{
    uint8_t bytes[PLACES + 3];
    uint32_t n = 0;

    if (focus.focus != NULL) {
        burst[stretch] = random_below(seed, 16) == 0;
        n = burst[stretch] ? RING + random_below(seed, PLACES - RING) : random_below(seed, RING + 1);
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)((focus.focus->id - 1) << 6 | (FIRST_BYTE + i));
    }
    memset(bytes + n, 1, 3);
    if (random_below(seed, 2) == 0)
        vc_focus_type(&focus, bytes, n + 3); /* the switch on the heels of the last byte */
    else
        for (uint32_t i = 0; i < n + 3; i += 1) {
            vc_focus_type(&focus, bytes + i, 1);
            random_delay(seed);
        }
    return n;
}

static void set_up(uint8_t *typed, uint8_t *output, uint32_t output_bytes)
{
    struct vc_focus_config c = {.env = &focus_env, .lock = &console_lock, .typed = typed, .typed_bytes = RING};

    c.output = output;
    c.output_bytes = output_bytes;
    assert_int_equal(vc_focus_init(&focus, &c), VC_OK);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        domain_locks[i] = (struct door_lock)DOOR_LOCK(LOCK_DOMAIN);
        vc_focus_add(&focus, &domains[i], i + 1, &domain_locks[i], NULL, NULL);
        vc_console_io_init(&ios[i], &io_env);
    }
}

static void start_vcpus(uint64_t seed)
{
    for (uint32_t i = 0; i < DOMAINS * VCPUS; i++) {
        vcpus[i] = (struct vcpu){.domain = i / VCPUS, .seed = seed + i + 1, .io = &ios[i / VCPUS]};
        assert_int_equal(pthread_create(&vcpus[i].thread, NULL, run_vcpu, &vcpus[i]), 0);
    }
}

static uint64_t places_seen(uint32_t n_stretches)
{
    uint64_t n = 0;

    for (uint32_t s = 0; s < n_stretches; s++) {
        /* What was read is a prefix of what was typed. In a burst the ring dropped some out of the middle. */
        if (!burst[s])
            require((seen[s] & (seen[s] + 1)) == 0);
        n += (uint64_t)__builtin_popcountll(seen[s]);
    }
    return n;
}

static void focus_goes_round_under_readers(void **state)
{
    static uint8_t typed[RING], output[65536], shown[65536];
    uint32_t switches = getenv("VCONS_LONG") != NULL ? 1000000 : 100000;
    uint64_t seed = 20261121, n_typed[DOMAINS] = {0}, n_read = 0, n_counted = 0;

    (void)state;
    seen = calloc(switches + 16, sizeof *seen);
    burst = calloc(switches + 16, sizeof *burst);
    assert_true(seen != NULL && burst != NULL);
    set_up(typed, output, sizeof output);
    feeds = true;
    start_vcpus(seed);
    while (stretch < switches || focus.focus != NULL) {
        uint32_t who = focus.focus != NULL ? focus.focus->id : 0, n = feed(&seed);

        if (who != 0)
            n_typed[who - 1] += n;
        vc_focus_take(&focus, shown, sizeof shown);
    }
    vc_store_release(&done, 1);
    for (uint32_t i = 0; i < DOMAINS * VCPUS; i++)
        pthread_join(vcpus[i].thread, NULL);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        struct vc_focus_counts c = vc_focus_count(&focus, &domains[i]);
        const struct vcpu *v = &vcpus[i * VCPUS];

        assert_int_equal(c.typed, n_typed[i]);
        assert_int_equal(c.read + c.discarded + c.overflow, c.typed);
        assert_int_equal(c.read, v[0].n_read + v[1].n_read);
        assert_int_equal(ios[i].fault_bytes, v[0].n_faults + v[1].n_faults);
        assert_true(c.discarded > 0 && c.overflow > 0 && v[0].n_read > 0 && v[1].n_read > 0); /* it was a stress */
        n_read += c.read;
        print_message("domain %u: %llu typed, %llu + %llu read, %llu discarded, %llu overflow\n", i + 1,
                      (unsigned long long)c.typed, (unsigned long long)v[0].n_read, (unsigned long long)v[1].n_read,
                      (unsigned long long)c.discarded, (unsigned long long)c.overflow);
    }
    n_counted = places_seen(stretch + 1);
    assert_int_equal(n_counted, n_read);
    free(seen);
    free(burst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(focus_goes_round_under_readers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
