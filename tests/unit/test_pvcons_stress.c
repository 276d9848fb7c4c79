/* SPDX-License-Identifier: MIT */
/*
 * T4 for the PV door: one vCPU of the guest writes its four indices and the flag with anything at all, in a loop, while the
 * door serves, connects and disconnects. Nothing is read or written outside the page (the sanitizer looks), no call gets
 * stuck, each pass moves at most one ring either way, and reports come at most once a second of the door's clock.
 */
#include "unit.h"

#include "stress.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/pvcons.h>

#define PASSES  2000000u /* at least; and until each of these was seen */
#define REPORTS 5000u
#define BYTES   200000u

static struct xencons_interface *page;
static uint32_t done;
static struct vc_pvcons door;
static uint64_t clock_ms = 10000, reported_ms, n_out, n_in;
static uint32_t n_broken;

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    require(n > 0 && n <= XENCONS_OUT_SIZE && bytes != NULL);
    n_out += n;
    return n - n / 3;
}
static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    require(n > 0 && n <= XENCONS_IN_SIZE);
    memset(bytes, 'x', n);
    n_in += n;
    return n;
}
static int bind(void *ctx)
{
    (void)ctx;
    return VC_OK;
}
static void nothing(void *ctx) { (void)ctx; }
static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}
static void broken(void *ctx, enum vc_pvcons_reason reason)
{
    (void)ctx;
    require(reason == VC_PVCONS_OUT_INDICES || reason == VC_PVCONS_IN_INDICES);
    require(clock_ms - reported_ms >= VC_PVCONS_RETRY_MS);
    reported_ms = clock_ms;
    n_broken++;
}
static const struct vc_pvcons_env env = {out, in, bind, nothing, nothing, now_ms, broken, NULL};

/* Values that are legal, just not, or nonsense, near what the door believes. */
static uint32_t hostile(uint64_t *seed, uint32_t near)
{
    static const uint32_t offsets[] = {0,    1,    2,    1023,       1024,       1025,       2047,
                                       2048, 2049, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffc00};

    if (random_below(seed, 8) == 0)
        return (uint32_t)random_next(seed);
    return near + offsets[random_below(seed, N_ROWS(offsets))];
}

static void *scribble(void *arg)
{
    uint64_t seed = 4;

    (void)arg;
    while (vc_load_relaxed(&done) == 0) {
        uint32_t near_out = vc_load_relaxed(&page->out_cons), near_in = vc_load_relaxed(&page->in_prod);

        switch (random_below(&seed, 12)) {
        case 0: vc_store_relaxed(&page->out_cons, hostile(&seed, near_out)); break;
        case 1: vc_store_relaxed(&page->in_prod, hostile(&seed, near_in)); break;
        case 2: vc_store8_seq(&page->connection, (uint8_t)random_next(&seed)); break;
        case 3: vc_store_relaxed(&page->in_cons, hostile(&seed, near_in)); break;
        case 4: vc_store_relaxed(&page->out_prod, hostile(&seed, near_out)); break;
        case 5:
        case 6:
        case 7: vc_store_relaxed(&page->in_cons, near_in); break; /* well-behaved for a while */
        default: vc_store_relaxed(&page->out_prod, near_out + random_below(&seed, 2049)); break;
        }
        random_delay(&seed);
    }
    return NULL;
}

static void a_guest_that_scribbles_while_it_is_served(void **state)
{
    pthread_t thread;
    uint64_t seed = 5;

    (void)state;
    page = aligned_alloc(XENCONS_PAGE_BYTES, XENCONS_PAGE_BYTES);
    assert_non_null(page);
    vc_xencons_build(page);
    vc_pvcons_init(&door, &env, NULL);
    assert_int_equal(vc_pvcons_attach(&door, page), VC_OK);
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    for (uint32_t i = 0; i < PASSES || n_broken < REPORTS || n_out < BYTES || n_in < BYTES; i++) {
        uint64_t out_before = n_out, in_before = n_in;

        clock_ms += random_below(&seed, 500);
        random_delay(&seed);
        vc_pvcons_serve(&door);
        require(n_out - out_before <= XENCONS_OUT_SIZE && n_in - in_before <= XENCONS_IN_SIZE);
        switch (random_below(&seed, 16)) {
        case 0: (void)vc_pvcons_connect(&door); break;
        case 1: (void)vc_pvcons_disconnect(&door); break;
        case 2: (void)vc_pvcons_unread(&door); break;
        case 3:
            vc_pvcons_detach(&door, random_below(&seed, 2) != 0);
            reported_ms = 0; /* the host began anew */
            for (uint32_t tries = 0; door.state == VC_PVCONS_DETACHED; tries++)
                if (vc_pvcons_attach(&door, page) != VC_OK &&
                    tries > 100) { /* the guest's choice, but the test goes on */
                    vc_store_relaxed(&page->out_prod, vc_load_relaxed(&page->out_cons));
                    vc_store_relaxed(&page->in_cons, vc_load_relaxed(&page->in_prod));
                }
            break;
        default: break;
        }
    }
    vc_store_relaxed(&done, 1);
    pthread_join(thread, NULL);
    print_message("%u reports, %llu bytes out, %llu in\n", n_broken, (unsigned long long)n_out,
                  (unsigned long long)n_in);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_guest_that_scribbles_while_it_is_served)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
