/* SPDX-License-Identifier: MIT */
/* The guest's virtio-console driver on a device that lies wherever it can: at random, from many seeds. */
#include "random.h"
#include "unit.h"

#include "hostile_virtio.h"

enum { SEEDS = 1500, BYTES = 6000 };

static void whatever_it_does(void **state)
{
    static uint8_t bytes[BYTES];

    (void)state;
    for (unsigned i = 0; i < SEEDS; i++) {
        uint64_t seed = i * 7919 + 1;

        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(random_next(&seed) >> 33);
        hostile_run(bytes, sizeof bytes);
    }
}

/* ---- One lie at a time, from a device that is polite otherwise. ---- */

static uint32_t one_register, its_value;

static uint32_t lie(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    struct hostile *h = (struct hostile *)(uintptr_t)io->base;

    (void)width;
    hostile_count(h);
    return offset == one_register ? its_value : hostile_polite(h, offset);
}

static const struct {
    const char *name;
    uint32_t at, value;
    int error;
} lies[] = {
    {"another magic number", VIRTIO_MMIO_MAGIC_VALUE, 0x74726977, VC_ENOENT},
    {"a legacy device", VIRTIO_MMIO_VERSION_VALUE, 1, VC_ENOENT},
    {"a placeholder", VIRTIO_MMIO_DEVICE_ID, 0, VC_ENOENT},
    {"a network card", VIRTIO_MMIO_DEVICE_ID, 1, VC_ENOENT},
    {"it does not reset", VIRTIO_MMIO_STATUS, 4, VC_EPEER},
    {"it offers nothing, VERSION_1 neither", VIRTIO_MMIO_DEVICE_FEATURES, 0, VC_EPEER},
    {"it does not take the features", VIRTIO_MMIO_STATUS, 0, VC_EPEER},
    {"its queues are in use", VIRTIO_MMIO_QUEUE_READY, 1, VC_EPEER},
    {"its queues do not become ready", VIRTIO_MMIO_QUEUE_READY, 0, VC_EPEER},
    {"it has no queues", VIRTIO_MMIO_QUEUE_SIZE_MAX, 0, VC_EPEER},
    {"queues of one buffer", VIRTIO_MMIO_QUEUE_SIZE_MAX, 1, VC_OK},
    {"queues of three buffers", VIRTIO_MMIO_QUEUE_SIZE_MAX, 3, VC_OK},
    {"queues of any size", VIRTIO_MMIO_QUEUE_SIZE_MAX, UINT32_MAX, VC_OK},
    {"no ports", VIRTIO_MMIO_CONFIG + 4, 0, VC_EPEER},
    {"more ports than there are queues", VIRTIO_MMIO_CONFIG + 4, 0x8001, VC_EPEER},
    {"all its ports", VIRTIO_MMIO_CONFIG + 4, 1, VC_OK},
};

static void one_lie(void **state)
{
    static uint8_t sixes[64]; /* MULTIPORT is offered, and queues have 64 buffers */

    (void)state;
    memset(sixes, 6, sizeof sixes);
    for (size_t i = 0; i < N_ROWS(lies); i++) {
        struct hostile *h = calloc(1, sizeof *h);
        const struct virtio_io io = {(uintptr_t)h, lie, hostile_write};
        const struct virtio_console_setup setup = {
            .platform = &h->platform, .terms = &h->terms, .ports = h->ports, .n_ports = HOSTILE_PORTS};
        int error;

        one_register = lies[i].at;
        its_value = lies[i].value;
        hostile_init(h, sixes, sizeof sixes);
        h->limit = 2000000; /* it is waited for a reset, for a while */
        error = virtio_console_begin(&h->driver, &io, &setup);
        if (error != lies[i].error)
            fail_msg("%s: %d, not %d", lies[i].name, error, lies[i].error);
        if (error == VC_OK)
            assert_true(virtio_console_end(&h->driver));
        free(h);
    }
}

/* A device that takes no answer, and says that it adds a port, again and again: each has its answer in the end, and none is kept. */
static void messages_wait_for_room(void **state)
{
    static const uint8_t add[10] = {1, VIRTIO_CONSOLE_PORT_ADD, 1, 0, 1, 1, 1, 1, 1, 1};
    static uint8_t sixes[64], adds[40 * sizeof add];
    struct hostile *h = calloc(1, sizeof *h);
    const struct virtio_io io = {(uintptr_t)h, lie, hostile_write};
    const struct virtio_console_setup setup = {
        .platform = &h->platform, .terms = &h->terms, .ports = h->ports, .n_ports = HOSTILE_PORTS};
    const uint32_t in = VIRTIO_CONSOLE_CONTROL_RX, out = VIRTIO_CONSOLE_CONTROL_TX;
    uint32_t said = 0;

    (void)state;
    memset(sixes, 6, sizeof sixes);
    one_register = UINT32_MAX;
    hostile_init(h, sixes, sizeof sixes);
    h->limit = UINT32_MAX;
    h->deaf = true;
    assert_int_equal(virtio_console_begin(&h->driver, &io, &setup), VC_OK);
    for (size_t i = 0; i < sizeof adds; i++)
        adds[i] = add[i % sizeof add];
    h->bytes = adds;
    h->n = sizeof adds;
    h->at = 0;
    for (int round = 0; round < 4; round++) {
        for (; said < 40 && h->queues[in].seen != hostile_words(h->queues[in].driver)[VIRTQ_AVAIL_IDX]; said++)
            hostile_use(h, in);
        virtio_console_work(&h->driver);
        assert_true(hostile_words(h->queues[out].driver)[VIRTQ_AVAIL_IDX] <= VIRTIO_CONSOLE_MESSAGES);
    }
    assert_true(said > VIRTIO_CONSOLE_MESSAGES && said < 40); /* the others have no buffer */
    h->n = h->at = 0;                                         /* zeros from now on: what it uses is 0 bytes long */
    h->bytes = (const uint8_t[]){0};
    for (uint32_t i = 0; i < said + 1; i++) {
        const uint16_t *avail = hostile_words(h->queues[out].driver);
        uint16_t *used = hostile_words(h->queues[out].device);

        assert_true(h->queues[out].seen != avail[VIRTQ_AVAIL_IDX]); /* one answer for each, and DEVICE_READY */
        memcpy((uint8_t *)used + VIRTQ_USED_RING + 8 * (h->queues[out].used++ % VIRTIO_CONSOLE_MESSAGES),
               (const uint32_t[]){avail[VIRTQ_AVAIL_RING + h->queues[out].seen++ % VIRTIO_CONSOLE_MESSAGES], 0}, 8);
        vc_store16_seq(&used[VIRTQ_USED_IDX], h->queues[out].used);
        virtio_console_work(&h->driver);
    }
    assert_int_equal(h->queues[out].seen, hostile_words(h->queues[out].driver)[VIRTQ_AVAIL_IDX]);
    assert_int_equal(h->driver.violations, 0);
    assert_true(virtio_console_end(&h->driver));
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_it_does),
        cmocka_unit_test(one_lie),
        cmocka_unit_test(messages_wait_for_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
