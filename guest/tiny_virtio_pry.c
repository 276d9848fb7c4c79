/* SPDX-License-Identifier: MIT */
/*
 * What `virtio-pry` does: to each device what VIRTIO 1.2 forbids drivers, or says nothing of. Rows of a device without a driver, which
 * begins again in the last; each begins and ends with a reset. Ours answers as vcons/virtio_mmio.h says; others may answer otherwise.
 */
#include "tiny_virtio_test.h"
#include <vcons/atomic.h>

#define QUEUE     VIRTIO_CONSOLE_TX0
#define ENTRIES   8u
#define REGISTERS (VIRTIO_MMIO_CONFIG / 4)
#define EMERGENCY (VIRTIO_MMIO_CONFIG + offsetof(struct virtio_console_config, emerg_wr))
#define NOWHERE   (UINT64_C(1) << 52)
#define LATER     1000u
#define RESETS    20u

static const char line[] = "virtio-pry\r\n";
static struct virtio_mmio mmio;
static struct virtqueue queue;
static _Alignas(4096) uint8_t memory[4096];
static char buffers[ENTRIES][sizeof line];
static const struct {
    enum virtio_mmio_register at;
    uint32_t value;
} forbidden[] = {/* to a device that runs */
                 {VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0}, {VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX},
                 {VIRTIO_MMIO_QUEUE_SEL, QUEUE},       {VIRTIO_MMIO_QUEUE_SIZE, 3},
                 {VIRTIO_MMIO_QUEUE_DESC_LOW, 1},      {VIRTIO_MMIO_QUEUE_DESC_HIGH, UINT32_MAX},
                 {VIRTIO_MMIO_QUEUE_DRIVER_LOW, 1},    {VIRTIO_MMIO_QUEUE_DEVICE_HIGH, UINT32_MAX},
                 {VIRTIO_MMIO_QUEUE_READY, 0},         {VIRTIO_MMIO_QUEUE_READY, 1},
                 {VIRTIO_MMIO_QUEUE_READY, UINT32_MAX}};

static uint64_t gpa(const struct virtio_test *test, const void *at)
{
    const struct platform *p = test->c->setup.platform;

    return p->gpa(p->ctx, at);
}

static bool status_has(const struct virtio_test *test, uint32_t bits)
{
    return (virtio_test_get(test, VIRTIO_MMIO_STATUS) & bits) == bits;
}

static bool needs_reset(const struct virtio_test *test) { return status_has(test, VIRTIO_STATUS_NEEDS_RESET); }
static bool ready(const struct virtio_test *test)
{
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, QUEUE);
    return virtio_test_get(test, VIRTIO_MMIO_QUEUE_READY) == 1;
}

static bool reset(const struct virtio_test *test)
{
    virtio_test_set(test, VIRTIO_MMIO_STATUS, 0);
    return virtio_test_get(test, VIRTIO_MMIO_STATUS) == 0 && virtio_test_get(test, VIRTIO_MMIO_INTERRUPT_STATUS) == 0 &&
           !ready(test);
}

/* A driver without MULTIPORT, whose only queue is the transmit queue of the first port. */
static bool begin(const struct virtio_test *test)
{
    return virtio_mmio_begin(&mmio, &test->c->mmio.io, 0) == VC_OK &&
           virtio_mmio_queue(&mmio, QUEUE, ENTRIES, &queue, memory, gpa(test, memory)) == VC_OK;
}

static bool begin_and_go(const struct virtio_test *test)
{
    bool begun = begin(test);

    virtio_mmio_go(&mmio);
    return begun && status_has(test, VIRTIO_STATUS_DRIVER_OK) && !needs_reset(test);
}

/* ---- Registers. ---- */

static void read_all(const struct virtio_test *test, uint32_t *values)
{
    for (uint32_t i = 0; i < REGISTERS; i++)
        values[i] = virtio_test_get(test, (enum virtio_mmio_register)(i * 4));
}

static bool same(const uint32_t *a, const uint32_t *b)
{
    for (uint32_t i = 0; i < REGISTERS; i++)
        if (a[i] != b[i] && i != VIRTIO_MMIO_CONFIG_GENERATION / 4) /* a console may come or be resized at any time */
            return false;
    return true;
}

static bool other_widths_reach_no_register(const struct virtio_test *test)
{
    const struct virtio_io *io = &test->c->mmio.io;
    uint32_t were[REGISTERS], are[REGISTERS];
    bool nothing = reset(test);

    read_all(test, were);
    for (uint32_t width = 1; width <= 2; width++)
        for (uint32_t at = 0; at < VIRTIO_MMIO_CONFIG; at += width) {
            io->write(io, at, width, UINT32_MAX);
            nothing = nothing && io->read(io, at, width) == 0;
        }
    read_all(test, are);
    return nothing && same(were, are);
}

/* Each by itself, then what is left of all: before a driver, nothing starts by it. */
static bool any_value_in_any_register(const struct virtio_test *test)
{
    static const uint32_t values[] = {1, 0x80000000, UINT32_MAX};
    uint32_t were[REGISTERS], are[REGISTERS];
    bool clean = reset(test);

    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, 0);
    read_all(test, were);
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (uint32_t at = 0; at < VIRTIO_MMIO_BYTES; at += 4)
            if (at != EMERGENCY) /* that is output, always */
                virtio_test_set(test, (enum virtio_mmio_register)at, values[i]);
    clean = clean && !status_has(test, VIRTIO_STATUS_DRIVER_OK) && reset(test);
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, 0);
    read_all(test, are);
    return clean && same(were, are);
}

static bool features_that_were_not_offered(const struct virtio_test *test)
{
    bool refused = reset(test);

    for (uint32_t which = 0; which < 4; which++) {
        virtio_test_set(test, VIRTIO_MMIO_DRIVER_FEATURES_SEL, which);
        virtio_test_set(test, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
    }
    virtio_test_set(test, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
    return refused && virtio_test_get(test, VIRTIO_MMIO_STATUS) == 0 && reset(test);
}

/* ---- Queues. ---- */

static bool refuses(const struct virtio_test *test, enum virtio_mmio_register at, uint32_t value)
{
    bool refused = begin(test);

    virtio_test_set(test, VIRTIO_MMIO_QUEUE_READY, 0);
    virtio_test_set(test, at, value);
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_READY, 1);
    return refused && !ready(test) && needs_reset(test) && reset(test);
}

static bool sizes_that_no_queue_has(const struct virtio_test *test)
{
    static const uint32_t sizes[] = {0, 3, 7, 65536, 0x80000000, UINT32_MAX};
    bool all = true;

    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        all = refuses(test, VIRTIO_MMIO_QUEUE_SIZE, sizes[i]) && all;
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, QUEUE);
    return refuses(test, VIRTIO_MMIO_QUEUE_SIZE, 2 * virtio_test_get(test, VIRTIO_MMIO_QUEUE_SIZE_MAX)) && all;
}

static bool rings_where_there_is_no_memory(const struct virtio_test *test)
{
    static const enum virtio_mmio_register rings[] = {VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DRIVER_LOW,
                                                      VIRTIO_MMIO_QUEUE_DEVICE_LOW};
    bool all = true;

    for (uint32_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        all = refuses(test, rings[i], (uint32_t)gpa(test, memory) + 1) && all; /* 2.7: not aligned */
        all = refuses(test, (enum virtio_mmio_register)(rings[i] + 4), UINT32_MAX) && all;
        all = refuses(test, (enum virtio_mmio_register)(rings[i] + 4), NOWHERE >> 32) && all;
    }
    return all;
}

static bool ready_twice_is_once(const struct virtio_test *test)
{
    bool stays = begin(test);

    virtio_test_set(test, VIRTIO_MMIO_QUEUE_READY, 1);
    stays = stays && ready(test);
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SIZE, 3); /* of one that is ready: not taken */
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_READY, 1);
    return stays && ready(test) && !needs_reset(test) && reset(test);
}

/* Sends n lines, each a buffer; true: all came back. */
static bool send(const struct virtio_test *test, uint32_t n)
{
    bool sent = true;
    uint32_t back = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct virtqueue_buffer b = {gpa(test, buffers[i]), sizeof line - 1};

        for (uint32_t j = 0; j < b.n; j++)
            buffers[i][j] = line[j];
        sent = sent && virtqueue_lend(&queue, &b, 1, 0, buffers[i]) == VC_OK;
    }
    virtqueue_show(&queue);
    virtio_mmio_notify(&mmio, QUEUE);
    for (uint32_t looks = 0; sent && back < n && looks < 1000 * LATER; looks++) {
        void *token = NULL;
        uint32_t written;

        if (virtqueue_get(&queue, &token, &written) != VC_OK)
            return false;
        if (token == NULL)
            hypercall_yield(test->c->setup.platform);
        back += token != NULL;
    }
    return sent && back == n;
}

static bool frozen_once_it_runs(const struct virtio_test *test)
{
    bool stays = begin_and_go(test);
    uint32_t size = virtio_mmio_config(&mmio, 0, 4);

    for (uint32_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        virtio_test_set(test, forbidden[i].at, forbidden[i].value);
    virtio_mmio_set_config(&mmio, 0, 4, ~size); /* read only */
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_CONSOLE_RX0);
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SIZE, ENTRIES);
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_READY, 1);
    stays = stays && virtio_test_get(test, VIRTIO_MMIO_QUEUE_READY) == 0 && ready(test);
    return stays && virtio_mmio_config(&mmio, 0, 4) != ~size && send(test, 1) && !needs_reset(test) && reset(test);
}

static uint16_t used(void) { return vc_load16_seq((const uint16_t *)(const void *)queue.used_ring + VIRTQ_USED_IDX); }

static bool hears_no_notification_before(const struct virtio_test *test)
{
    struct virtqueue_buffer b = {gpa(test, buffers[0]), 1};
    bool silent = begin(test) && virtqueue_lend(&queue, &b, 1, 0, buffers[0]) == VC_OK;

    virtqueue_show(&queue);
    for (uint32_t i = 0; i < LATER; i++)
        virtio_test_set(test, VIRTIO_MMIO_QUEUE_NOTIFY, i == 0 ? QUEUE : i * 0x10001);
    return silent && used() == 0 && !needs_reset(test) && reset(test);
}

static bool a_reset_in_the_middle(const struct virtio_test *test)
{
    bool right = true;

    for (uint32_t i = 0; right && i < RESETS; i++) {
        uint16_t was;

        right = begin_and_go(test) && send(test, i % ENTRIES);
        virtio_mmio_notify(&mmio, QUEUE);
        right = reset(test) && right;
        was = used();
        virtio_mmio_notify(&mmio, QUEUE);
        right = right && used() == was && !ready(test);
    }
    return right;
}

/* ---- Chains. ---- */

static bool breaks(const struct virtio_test *test, struct virtq_desc first, struct virtq_desc second, uint16_t shown)
{
    bool begun = begin_and_go(test);

    queue.descs[0] = first;
    queue.descs[1] = second;
    vc_store16_seq(&queue.avail_ring[VIRTQ_AVAIL_IDX], shown);
    virtio_mmio_notify(&mmio, QUEUE);
    return virtio_test_soon(test, needs_reset) && begun && used() == 0 && reset(test);
}

static bool chains_against_the_spec(const struct virtio_test *test)
{
    const uint64_t here = gpa(test, memory);
    const struct virtq_desc right = {here, 0, 0, 0};
    bool all = breaks(test, (struct virtq_desc){NOWHERE, 16, 0, 0}, right, 1);

    all = breaks(test, (struct virtq_desc){UINT64_MAX - 7, 16, 0, 0}, right, 1) && all;
    all = breaks(test, (struct virtq_desc){here, UINT32_MAX, 0, 0}, right, 1) && all;
    all = breaks(test, (struct virtq_desc){here, 0, VIRTQ_DESC_F_NEXT, 0}, right, 1) && all; /* of itself */
    all = breaks(test, (struct virtq_desc){here, 0, VIRTQ_DESC_F_NEXT, ENTRIES}, right, 1) && all;
    all = breaks(test, (struct virtq_desc){here, 0, VIRTQ_DESC_F_NEXT, 1},
                 (struct virtq_desc){here, 0, VIRTQ_DESC_F_NEXT, 0}, 1) &&
          all;
    all = breaks(test, (struct virtq_desc){here, 16, VIRTQ_DESC_F_INDIRECT, 0}, right, 1) && all; /* not negotiated */
    return breaks(test, right, right, ENTRIES + 1) && all;
}

static const struct virtio_check checks[] = {
    {"a reset clears it", virtio_test_leave, true},
    {"no register has another width", other_widths_reach_no_register, true},
    {"any value in any register is gone by a reset", any_value_in_any_register, true},
    {"features that were not offered are not taken", features_that_were_not_offered, true},
    {"no queue has such a size", sizes_that_no_queue_has, true},
    {"no ring is where there is no memory", rings_where_there_is_no_memory, true},
    {"a queue that is made ready twice is ready", ready_twice_is_once, true},
    {"what runs stays as it is", frozen_once_it_runs, true},
    {"no notification is heard before", hears_no_notification_before, true},
    {"a reset in the middle leaves memory alone", a_reset_in_the_middle, true},
    {"a chain against the spec breaks its queue", chains_against_the_spec, true},
    {"its ports come again, with their names", virtio_test_return, true},
};

bool tiny_run_virtio_pry(struct tiny_console *c, char *rest)
{
    (void)rest;
    virtio_run_checks(c, "virtio-pry", checks, sizeof checks / sizeof checks[0]);
    return true;
}
