/* SPDX-License-Identifier: MIT */
/* The driver's side of a split virtqueue: in step with the device's side, and against a device that lies (R35). */
#include "unit.h"

#include "../../guest/virtqueue.h"
#include "random.h"
#include "virtio_memory.h"

enum { SIZE = 8, BUFFERS = RAM + 0x10000, TABLES = RAM + 0x8000 };

struct rig {
    struct guest_ram ram;
    struct virtqueue driver;
    struct vc_virtqueue device;
    struct vc_chain chain;
};

static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    return ram_at(&((struct rig *)ctx)->ram, gpa, n, write);
}
static const struct vc_virtio_env env = {.at = at};

static void begin(struct rig *g, bool event_idx)
{
    memset(g, 0, sizeof *g);
    ram_init(&g->ram);
    assert_int_equal(virtqueue_init(&g->driver, SIZE, event_idx, g->ram.slots[0].at, RAM), VC_OK);
    g->device = (struct vc_virtqueue){
        .desc = g->driver.desc, .driver = g->driver.driver, .device = g->driver.device, .size = SIZE};
    assert_int_equal(vc_virtqueue_start(&g->device, &env, g, SIZE), VC_OK);
    g->device.indirect = true;
    g->device.event_idx = event_idx;
}

static void sizes(void **state)
{
    static const struct {
        uint32_t size;
        size_t bytes;
    } rows[] = {
        {0, 0}, {3, 0}, {512, 0}, {UINT32_MAX, 0}, {1, 16 + 8 + 14}, {8, 128 + 24 + 70}, {256, 4096 + 520 + 2054}};
    static struct virtqueue q;
    uint8_t memory[8192];

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        if (virtqueue_bytes(rows[i].size) != rows[i].bytes)
            fail_msg("size %u: %zu bytes", rows[i].size, virtqueue_bytes(rows[i].size));
        assert_int_equal(virtqueue_init(&q, rows[i].size, false, memory, 0x1000) == VC_OK, rows[i].bytes > 0);
    }
}

/* ---- In step: whatever is lent is found as it was lent, and comes back with its token, whatever the order of sizes. ---- */

struct lent {
    struct virtqueue_buffer buffers[4];
    uint32_t n_out, n_in, id;
};

static void fill(struct lent *l, uint64_t *random, uint32_t id)
{
    l->id = id;
    l->n_out = random_below(random, 3);
    l->n_in = random_below(random, 3);
    l->n_out += l->n_out + l->n_in == 0;
    for (uint32_t i = 0; i < l->n_out + l->n_in; i++)
        l->buffers[i] =
            (struct virtqueue_buffer){BUFFERS + 64 * random_below(random, 100), 1 + random_below(random, 60)};
}

static void compare(struct rig *g, const struct lent *l)
{
    assert_int_equal(g->chain.n_readable, l->n_out);
    assert_int_equal(g->chain.n_writable, l->n_in);
    for (uint32_t i = 0; i < l->n_out + l->n_in; i++) {
        assert_ptr_equal(g->chain.segments[i].at, ram_at(&g->ram, l->buffers[i].gpa, 1, false));
        assert_int_equal(g->chain.segments[i].n, l->buffers[i].n);
    }
}

static void in_step(void **state)
{
    uint64_t random = 20261121;
    static struct rig g;

    (void)state;
    for (int way = 0; way < 2; way++) {
        struct lent lent[64];
        uint32_t made = 0, seen = 0, back = 0;

        begin(&g, way == 1);
        while (back < 100000) {
            struct lent *l = &lent[made % 64];
            bool there, kick, table = random_below(&random, 3) == 0;
            uint32_t written, want;
            void *token;
            int error;

            fill(l, &random, made);
            error = table ? virtqueue_lend_table(&g.driver, l->buffers, l->n_out, l->n_in,
                                                 ram_at(&g.ram, TABLES + 64 * (made % 64), 64, true),
                                                 TABLES + 64 * (made % 64), l)
                          : virtqueue_lend(&g.driver, l->buffers, l->n_out, l->n_in, l);
            made += error == VC_OK;
            kick = virtqueue_show(&g.driver);
            if (error == VC_OK && random_below(&random, 2) == 0)
                continue;
            (void)kick;
            assert_int_equal(vc_virtqueue_peek(&g.device, &env, &g, &g.chain, &there), VC_OK);
            assert_int_equal(there, seen < made);
            if (!there)
                continue;
            compare(&g, &lent[seen % 64]);
            want = g.chain.writable > 0 ? random_below(&random, g.chain.writable + 1) : 0;
            vc_virtqueue_take(&g.device, &g.chain, want);
            seen++;
            vc_virtqueue_publish(&g.device);
            assert_int_equal(virtqueue_get(&g.driver, &token, &written), VC_OK);
            assert_ptr_equal(token, &lent[back % 64]);
            assert_int_equal(written, want);
            back++;
        }
        ram_finish(&g.ram);
    }
}

static void as_many_as_there_are_descriptors(void **state)
{
    struct virtqueue_buffer b[SIZE + 1];
    static struct rig g;
    int token;

    (void)state;
    begin(&g, false);
    for (int i = 0; i <= SIZE; i++)
        b[i] = (struct virtqueue_buffer){BUFFERS, 1};
    assert_int_equal(virtqueue_lend(&g.driver, b, 0, 0, &token), VC_ENOSPC);
    assert_int_equal(virtqueue_lend(&g.driver, b, SIZE + 1, 0, &token), VC_ENOSPC);
    assert_int_equal(virtqueue_lend(&g.driver, b, SIZE - 1, 0, &token), VC_OK);
    assert_int_equal(virtqueue_lend(&g.driver, b, 2, 0, &token), VC_ENOSPC);
    assert_int_equal(virtqueue_lend(&g.driver, b, 1, 0, &token), VC_OK);
    assert_int_equal(g.driver.free_count, 0);
    assert_int_equal(virtqueue_lend_table(&g.driver, b, 1, 0, ram_at(&g.ram, TABLES, 16, true), TABLES, &token),
                     VC_ENOSPC);
    ram_finish(&g.ram);
}

/* ---- A device that lies. ---- */

/* Lent: chain of head 0 with 16 bytes to write, and the one of head 1 and 2 with none; 2 elements of room in the used ring. */
static const struct {
    const char *name;
    uint16_t idx;
    struct virtq_used_elem used[2];
    int first, second; /* what virtqueue_get says, once and again */
} lies[] = {
    {"none: the truth", 2, {{0, 16}, {1, 0}}, VC_OK, VC_OK},
    {"the other order is fine", 2, {{1, 0}, {0, 0}}, VC_OK, VC_OK},
    {"more than was lent", 3, {{0, 0}, {1, 0}}, VC_EPEER, VC_EPEER},
    {"an index that goes back", 0xffff, {{0, 0}}, VC_EPEER, VC_EPEER},
    {"an id beyond the table", 1, {{SIZE, 0}}, VC_EPEER, VC_EPEER},
    {"an id far beyond", 1, {{0xffffffff, 0}}, VC_EPEER, VC_EPEER},
    {"an id whose low 16 bits are right", 1, {{0x10000, 0}}, VC_EPEER, VC_EPEER},
    {"one that is free", 1, {{5, 0}}, VC_EPEER, VC_EPEER},
    {"one in the middle of a chain", 1, {{2, 0}}, VC_EPEER, VC_EPEER},
    {"the same twice", 2, {{0, 0}, {0, 0}}, VC_OK, VC_EPEER},
    {"more bytes than there was room", 1, {{0, 17}}, VC_EPEER, VC_EPEER},
    {"bytes where there was no room", 1, {{1, 1}}, VC_EPEER, VC_EPEER},
    {"4 GiB", 1, {{0, 0xffffffff}}, VC_EPEER, VC_EPEER},
};

static void a_device_that_lies(void **state)
{
    static struct rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(lies); i++) {
        struct virtqueue_buffer b[2] = {{BUFFERS, 16}, {BUFFERS, 16}};
        int tokens[2], first, second;
        uint32_t written;
        void *token;

        begin(&g, false);
        assert_int_equal(virtqueue_lend(&g.driver, b, 0, 1, &tokens[0]), VC_OK);
        assert_int_equal(virtqueue_lend(&g.driver, b, 2, 0, &tokens[1]), VC_OK);
        virtqueue_show(&g.driver);
        ram_put(&g.ram, g.driver.device + 4, lies[i].used, sizeof lies[i].used);
        ram_put16(&g.ram, g.driver.device + 2, lies[i].idx);
        first = virtqueue_get(&g.driver, &token, &written);
        second = virtqueue_get(&g.driver, &token, &written);
        if (first != lies[i].first || second != lies[i].second || g.driver.broken != (second != VC_OK))
            fail_msg("%s: %d, %d", lies[i].name, first, second);
        if (g.driver.broken) {
            assert_int_equal(virtqueue_lend(&g.driver, b, 1, 0, &tokens[0]), VC_EPEER);
            assert_int_equal(virtqueue_lend_table(&g.driver, b, 1, 0, ram_at(&g.ram, TABLES, 16, true), TABLES, b),
                             VC_EPEER);
            assert_false(virtqueue_show(&g.driver));
            assert_false(virtqueue_listen(&g.driver));
            assert_null(token);
        }
        ram_finish(&g.ram);
    }
}

/* What was lent but not shown the device cannot have used. */
static void used_before_it_was_shown(void **state)
{
    struct virtqueue_buffer b = {BUFFERS, 16};
    static struct rig g;
    uint32_t written;
    void *token;

    (void)state;
    begin(&g, false);
    assert_int_equal(virtqueue_lend(&g.driver, &b, 0, 1, &b), VC_OK);
    ram_put16(&g.ram, g.driver.device + 2, 1);
    assert_int_equal(virtqueue_get(&g.driver, &token, &written), VC_EPEER);
    ram_finish(&g.ram);
}

/* ---- Notifications. ---- */

static void notifications(void **state)
{
    struct virtqueue_buffer b = {BUFFERS, 16};
    static struct rig g;
    bool there;
    uint32_t written;
    void *token;

    (void)state;
    for (int event_idx = 0; event_idx < 2; event_idx++) {
        begin(&g, event_idx != 0);
        assert_false(virtqueue_show(&g.driver)); /* nothing to show */
        assert_int_equal(virtqueue_lend(&g.driver, &b, 1, 0, &b), VC_OK);
        assert_true(virtqueue_show(&g.driver));
        assert_false(virtqueue_show(&g.driver));
        assert_int_equal(virtqueue_lend(&g.driver, &b, 1, 0, &b), VC_OK);
        assert_int_equal(virtqueue_show(&g.driver), event_idx == 0); /* the device was told, and has not looked yet */
        for (int i = 0; i < 2; i++) {
            assert_int_equal(vc_virtqueue_peek(&g.device, &env, &g, &g.chain, &there), VC_OK);
            vc_virtqueue_take(&g.device, &g.chain, 0);
            virtqueue_quiet(&g.driver);
            assert_false(vc_virtqueue_publish(&g.device));
            assert_true(virtqueue_listen(&g.driver)); /* look first */
            assert_int_equal(virtqueue_get(&g.driver, &token, &written), VC_OK);
            assert_false(virtqueue_listen(&g.driver));
        }
        vc_virtqueue_arm(&g.device);
        assert_int_equal(virtqueue_lend(&g.driver, &b, 1, 0, &b), VC_OK);
        assert_true(virtqueue_show(&g.driver));
        assert_int_equal(vc_virtqueue_peek(&g.device, &env, &g, &g.chain, &there), VC_OK);
        vc_virtqueue_take(&g.device, &g.chain, 0);
        assert_true(vc_virtqueue_publish(&g.device)); /* it listens */
        ram_put16(&g.ram, g.driver.device, VIRTQ_USED_F_NO_NOTIFY);
        assert_int_equal(virtqueue_lend(&g.driver, &b, 1, 0, &b), VC_OK);
        assert_false(virtqueue_show(&g.driver)); /* the flag, or the event of before */
        ram_finish(&g.ram);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(in_step),
        cmocka_unit_test(as_many_as_there_are_descriptors),
        cmocka_unit_test(a_device_that_lies),
        cmocka_unit_test(used_before_it_was_shown),
        cmocka_unit_test(notifications),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
