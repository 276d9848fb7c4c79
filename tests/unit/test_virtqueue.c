/* SPDX-License-Identifier: MIT */
/* The device's side of a split virtqueue: a row for each rule of VIRTIO 1.2, 2.7, and for each shape that breaks one. */
#include "unit.h"

#include "virtio_memory.h"

enum { SIZE = 8, DESC = RAM, DRIVER = RAM + 0x1000, DEVICE = RAM + 0x2000, TABLE = RAM + 0x3000, DATA = RAM + 0x8000 };

struct rig {
    struct guest_ram ram;
    struct vc_virtqueue q;
    struct vc_chain chain;
};

static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    struct rig *g = ctx;

    if (n == 0 || gpa + n < gpa)
        fail_msg("core asked for %u bytes at 0x%llx", n, (unsigned long long)gpa);
    return ram_at(&g->ram, gpa, n, write);
}
static const struct vc_virtio_env env = {.at = at};

static void begin(struct rig *g)
{
    memset(g, 0, sizeof *g);
    ram_init(&g->ram);
    g->q = (struct vc_virtqueue){.desc = DESC, .driver = DRIVER, .device = DEVICE, .size = SIZE};
}

static void start(struct rig *g, bool indirect, bool event_idx)
{
    begin(g);
    assert_int_equal(vc_virtqueue_start(&g->q, &env, g, SIZE), VC_OK);
    g->q.indirect = indirect;
    g->q.event_idx = event_idx;
}

static void put_desc(struct rig *g, uint64_t table, uint32_t i, struct virtq_desc d)
{
    ram_put(&g->ram, table + 16 * i, &d, sizeof d);
}

static void offer(struct rig *g, uint16_t slot, uint16_t head, uint16_t idx)
{
    ram_put16(&g->ram, DRIVER + 4 + 2 * (slot % SIZE), head);
    ram_put16(&g->ram, DRIVER + 2, idx);
}

/* ---- Rings: 2.7, 4.2.3.2. ---- */

static const struct {
    const char *name;
    uint32_t size;
    uint64_t desc, driver, device;
    bool ready;
} starts[] = {
    {"as it should be", 8, DESC, DRIVER, DEVICE, true},
    {"the smallest", 1, DESC, DRIVER, DEVICE, true},
    {"size 0", 0, DESC, DRIVER, DEVICE, false},
    {"no power of two", 6, DESC, DRIVER, DEVICE, false},
    {"above QueueSizeMax", 16, DESC, DRIVER, DEVICE, false},
    {"size 2^31", 0x80000000, DESC, DRIVER, DEVICE, false},
    {"size 2^32 - 1", UINT32_MAX, DESC, DRIVER, DEVICE, false},
    {"descriptors not aligned to 16", 8, DESC + 8, DRIVER, DEVICE, false},
    {"available ring at an odd address", 8, DESC, DRIVER + 1, DEVICE, false},
    {"available ring aligned to 2", 8, DESC, DRIVER + 2, DEVICE, true},
    {"used ring aligned to 2 only", 8, DESC, DRIVER, DEVICE + 2, false},
    {"used ring aligned to 4", 8, DESC, DRIVER, DEVICE + 4, true},
    {"descriptors nowhere", 8, 0, DRIVER, DEVICE, false},
    {"available ring nowhere", 8, DESC, 0x4000000000, DEVICE, false},
    {"used ring nowhere", 8, DESC, DRIVER, 0x60000, false},
    {"descriptors end at the end of a slot", 8, NEXT_SLOT - 128, DRIVER, DEVICE, true},
    {"descriptors reach into the next slot", 8, NEXT_SLOT - 112, DRIVER, DEVICE, false},
    {"available ring reaches out of memory", 8, DESC, NEXT_SLOT + NEXT_BYTES - 20, DEVICE, false},
    {"used ring reaches into the next slot", 8, DESC, DRIVER, NEXT_SLOT - 68, false},
    {"used ring in read-only memory", 8, DESC, DRIVER, ROM, false},
    {"available ring in read-only memory", 8, DESC, ROM, DEVICE, true},
    {"descriptors wrap around", 8, UINT64_MAX - 15, DRIVER, DEVICE, false},
    {"available ring wraps around", 8, DESC, UINT64_MAX - 1, DEVICE, false},
    {"used ring wraps around", 8, DESC, DRIVER, UINT64_MAX - 3, false},
};

static void rings_are_looked_at_when_the_queue_starts(void **state)
{
    struct rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(starts); i++) {
        begin(&g);
        g.q = (struct vc_virtqueue){
            .desc = starts[i].desc, .driver = starts[i].driver, .device = starts[i].device, .size = starts[i].size};
        if ((vc_virtqueue_start(&g.q, &env, &g, SIZE) == VC_OK) != starts[i].ready || g.q.ready != starts[i].ready)
            fail_msg("%s: ready %d", starts[i].name, g.q.ready);
        ram_finish(&g.ram);
    }
}

/* ---- Chains: 2.7.5. ---- */

#define NEXT     VIRTQ_DESC_F_NEXT
#define WRITE    VIRTQ_DESC_F_WRITE
#define INDIRECT VIRTQ_DESC_F_INDIRECT

static const struct {
    const char *name;
    bool no_indirect;
    uint16_t head;
    struct virtq_desc descs[4], table[4];
    int error;
    uint16_t n_readable, n_writable;
    uint32_t readable, writable;
} chains[] = {
    {"one buffer to read", .descs = {{DATA, 5, 0, 0}}, .n_readable = 1, .readable = 5},
    {"one buffer to write", .descs = {{DATA, 4096, WRITE, 0}}, .n_writable = 1, .writable = 4096},
    {"three in a row", .descs = {{DATA, 1, NEXT, 2}, {DATA, 4, WRITE, 0}, {DATA + 1, 2, NEXT, 1}}, .n_readable = 2,
     .n_writable = 1, .readable = 3, .writable = 4},
    {"any head", .head = 3, .descs = {[3] = {DATA, 7, 0, 0}}, .n_readable = 1, .readable = 7},
    {"next is nothing without NEXT", .descs = {{DATA, 5, 0, 0xffff}}, .n_readable = 1, .readable = 5},
    {"unknown flags are nothing", .descs = {{DATA, 5, 0xfff8, 0}}, .n_readable = 1, .readable = 5},
    {"buffers of no length are skipped, wherever they are",
     .descs = {{0, 0, NEXT, 1}, {DATA, 5, NEXT, 2}, {UINT64_MAX, 0, WRITE, 0}}, .n_readable = 1, .readable = 5},
    {"a chain of nothing", .descs = {{DATA, 0, 0, 0}}},
    {"to the last byte of a slot", .descs = {{NEXT_SLOT - 5, 5, WRITE, 0}}, .n_writable = 1, .writable = 5},
    {"read-only memory can be read", .descs = {{ROM, ROM_BYTES, 0, 0}}, .n_readable = 1, .readable = ROM_BYTES},
    {"indirect", .descs = {{TABLE, 32, INDIRECT, 0}}, .table = {{DATA, 5, NEXT, 1}, {DATA, 6, WRITE, 0}},
     .n_readable = 1, .n_writable = 1, .readable = 5, .writable = 6},
    {"direct descriptors before an indirect one", .descs = {{DATA, 5, NEXT, 1}, {TABLE, 16, INDIRECT, 0}},
     .table = {{DATA, 6, 0, 0}}, .n_readable = 2, .readable = 11},
    {"WRITE of an indirect descriptor is ignored", .descs = {{TABLE, 16, INDIRECT | WRITE, 0}},
     .table = {{DATA, 5, 0, 0}}, .n_readable = 1, .readable = 5},
    {"a table at any address", .descs = {{TABLE + 1, 16, INDIRECT, 0}}, .n_readable = 0},
    {"a table of which not all is used", .descs = {{TABLE, 64, INDIRECT, 0}}, .table = {{DATA, 5, 0, 0}},
     .n_readable = 1, .readable = 5},

    {"head beyond the table", .head = 8, .error = VC_EPEER},
    {"head far beyond the table", .head = 0xffff, .error = VC_EPEER},
    {"next beyond the table", .descs = {{DATA, 1, NEXT, 8}}, .error = VC_EPEER},
    {"next far beyond the table", .descs = {{DATA, 1, NEXT, 0xffff}}, .error = VC_EPEER},
    {"a loop of one", .descs = {{DATA, 1, NEXT, 0}}, .error = VC_EPEER},
    {"a loop of one without length", .descs = {{DATA, 0, NEXT, 0}}, .error = VC_EPEER},
    {"a loop of three", .descs = {{DATA, 1, NEXT, 1}, {DATA, 1, NEXT, 2}, {DATA, 1, NEXT, 0}}, .error = VC_EPEER},
    {"a loop behind a tail", .descs = {{DATA, 1, NEXT, 1}, {DATA, 1, NEXT, 2}, {DATA, 1, NEXT, 1}}, .error = VC_EPEER},
    {"outside memory", .descs = {{0x1000, 1, 0, 0}}, .error = VC_EPEER},
    {"just behind memory", .descs = {{NEXT_SLOT + NEXT_BYTES, 1, 0, 0}}, .error = VC_EPEER},
    {"out of memory with its last byte", .descs = {{NEXT_SLOT + 1, NEXT_BYTES, 0, 0}}, .error = VC_EPEER},
    {"across slots", .descs = {{NEXT_SLOT - 1, 2, 0, 0}}, .error = VC_EPEER},
    {"address and length wrap around", .descs = {{UINT64_MAX - 3, 8, 0, 0}}, .error = VC_EPEER},
    {"… or just do not", .descs = {{UINT64_MAX - 3, 4, 0, 0}}, .error = VC_EPEER},
    {"length of 4 GiB - 1", .descs = {{DATA, UINT32_MAX, 0, 0}}, .error = VC_EPEER},
    {"read-only memory to write", .descs = {{ROM, 1, WRITE, 0}}, .error = VC_EPEER},
    {"to read after to write", .descs = {{DATA, 1, WRITE | NEXT, 1}, {DATA, 1, 0, 0}}, .error = VC_EPEER},
    {"the second buffer outside memory", .descs = {{DATA, 1, NEXT, 1}, {0, 1, 0, 0}}, .error = VC_EPEER},
    {"indirect, but not negotiated", .no_indirect = true, .descs = {{TABLE, 16, INDIRECT, 0}},
     .table = {{DATA, 5, 0, 0}}, .error = VC_EPEER},
    {"indirect and NEXT", .descs = {{TABLE, 16, INDIRECT | NEXT, 1}, {DATA, 1, 0, 0}}, .table = {{DATA, 5, 0, 0}},
     .error = VC_EPEER},
    {"indirect within indirect", .descs = {{TABLE, 16, INDIRECT, 0}}, .table = {{TABLE, 16, INDIRECT, 0}},
     .error = VC_EPEER},
    {"a table of no length", .descs = {{TABLE, 0, INDIRECT, 0}}, .error = VC_EPEER},
    {"a table of less than one", .descs = {{TABLE, 15, INDIRECT, 0}}, .error = VC_EPEER},
    {"a table of one and a half", .descs = {{TABLE, 24, INDIRECT, 0}}, .table = {{DATA, 5, 0, 0}}, .error = VC_EPEER},
    {"a table of more than VC_CHAIN_MAX", .descs = {{TABLE, 16 * 257, INDIRECT, 0}}, .table = {{DATA, 5, 0, 0}},
     .error = VC_EPEER},
    {"a table of 4 GiB", .descs = {{TABLE, 0xfffffff0, INDIRECT, 0}}, .table = {{DATA, 5, 0, 0}}, .error = VC_EPEER},
    {"a table outside memory", .descs = {{0x1000, 16, INDIRECT, 0}}, .error = VC_EPEER},
    {"a table across slots", .descs = {{NEXT_SLOT - 16, 32, INDIRECT, 0}}, .error = VC_EPEER},
    {"a table that wraps around", .descs = {{UINT64_MAX - 15, 32, INDIRECT, 0}}, .error = VC_EPEER},
    {"next beyond the indirect table, within the other", .descs = {{TABLE, 16, INDIRECT, 0}},
     .table = {{DATA, 5, NEXT, 1}, {DATA, 5, 0, 0}}, .error = VC_EPEER},
    {"a loop in an indirect table", .descs = {{TABLE, 32, INDIRECT, 0}},
     .table = {{DATA, 1, NEXT, 1}, {DATA, 1, NEXT, 0}}, .error = VC_EPEER},
    {"to read, in a table behind one to write", .descs = {{DATA, 1, WRITE | NEXT, 1}, {TABLE, 16, INDIRECT, 0}},
     .table = {{DATA, 1, 0, 0}}, .error = VC_EPEER},
};

static void a_chain_is_checked_as_a_whole(void **state)
{
    struct rig g;
    bool there;

    (void)state;
    for (size_t i = 0; i < N_ROWS(chains); i++) {
        int error;

        start(&g, !chains[i].no_indirect, false);
        ram_put(&g.ram, DESC, chains[i].descs, sizeof chains[i].descs);
        ram_put(&g.ram, TABLE, chains[i].table, sizeof chains[i].table);
        offer(&g, 0, chains[i].head, 1);
        error = vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there);
        if (error != chains[i].error || there != (error == VC_OK) || g.q.broken != (error != VC_OK))
            fail_msg("%s: error %d, there %d", chains[i].name, error, there);
        if (there && (g.chain.n_readable != chains[i].n_readable || g.chain.n_writable != chains[i].n_writable ||
                      g.chain.readable != chains[i].readable || g.chain.writable != chains[i].writable ||
                      g.chain.head != chains[i].head))
            fail_msg("%s: %u+%u segments, %u+%u bytes", chains[i].name, g.chain.n_readable, g.chain.n_writable,
                     g.chain.readable, g.chain.writable);
        if (vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there) != VC_OK || there != (error == VC_OK))
            fail_msg("%s: looked at again, broken or not", chains[i].name);
        ram_finish(&g.ram);
    }
}

/* The longest that is legal, all its bytes counted; one more is not, nor are more bytes than 2^32 - 1. */
static void a_chain_has_its_limits(void **state)
{
    static const struct {
        const char *name;
        uint32_t direct, entries, length;
        bool ok;
    } rows[] = {
        {"VC_CHAIN_MAX buffers", 0, 256, 1, true},
        {"one direct and VC_CHAIN_MAX in the table", 1, 256, 1, false},
        {"as long as the queue", 8, 0, 0x8000, true},
        {"the sum of lengths", 7, 255, 0x1000, false},
    };
    struct rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint32_t direct = rows[i].direct, entries = rows[i].entries;
        bool there;

        start(&g, true, false);
        for (uint32_t k = 0; k < direct; k++)
            put_desc(
                &g, DESC, k,
                (struct virtq_desc){DATA, rows[i].length, k + 1 < direct || entries > 0 ? NEXT : 0, (uint16_t)(k + 1)});
        if (entries > 0)
            put_desc(&g, DESC, direct, (struct virtq_desc){TABLE, 16 * entries, INDIRECT, 0});
        for (uint32_t k = 0; k < entries; k++)
            put_desc(&g, TABLE, k,
                     (struct virtq_desc){DATA, rows[i].length, k + 1 < entries ? NEXT : 0, (uint16_t)(k + 1)});
        offer(&g, 0, 0, 1);
        assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), rows[i].ok ? VC_OK : VC_EPEER);
        if (there && g.chain.readable != (direct + entries) * rows[i].length)
            fail_msg("%s: %u bytes", rows[i].name, g.chain.readable);
        ram_finish(&g.ram);
    }
}

static uint8_t large[16];
static void *anywhere(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    struct rig *g = ctx;

    return gpa < DATA ? ram_at(&g->ram, gpa, n, write) : large;
}
static const struct vc_virtio_env huge_env = {.at = anywhere};

/* 2.7.5.2, with so much memory that each buffer alone is legal. */
static void a_chain_is_no_longer_than_2_32_bytes(void **state)
{
    struct rig g;
    bool there;

    (void)state;
    start(&g, true, false);
    put_desc(&g, DESC, 0, (struct virtq_desc){DATA, 0x80000000, NEXT, 1});
    put_desc(&g, DESC, 1, (struct virtq_desc){DATA, 0x7fffffff, WRITE, 0});
    offer(&g, 0, 0, 1);
    assert_int_equal(vc_virtqueue_peek(&g.q, &huge_env, &g, &g.chain, &there), VC_OK);
    assert_true(there && g.chain.readable == 0x80000000 && g.chain.writable == 0x7fffffff);
    put_desc(&g, DESC, 1, (struct virtq_desc){DATA, 0x80000000, WRITE, 0});
    assert_int_equal(vc_virtqueue_peek(&g.q, &huge_env, &g, &g.chain, &there), VC_EPEER);
    ram_finish(&g.ram);
}

/* ---- Indices. ---- */

static void an_index_that_jumps_breaks_the_queue(void **state)
{
    static const struct {
        const char *name;
        uint16_t last, idx;
        bool broken, there;
    } rows[] = {
        {"nothing new", 0, 0, false, false},       {"one", 0, 1, false, true},
        {"a full ring", 0, 8, false, true},        {"one more than the ring holds", 0, 9, true, false},
        {"one back", 0, 0xffff, true, false},      {"far away", 0, 0x8000, true, false},
        {"wraps at 2^16", 0xfffe, 2, false, true}, {"wraps, and is too far", 0xfffe, 7, true, false},
    };
    struct rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        bool there;

        start(&g, false, false);
        g.q.last_avail = g.q.seen = rows[i].last;
        put_desc(&g, DESC, 0, (struct virtq_desc){DATA, 1, 0, 0});
        ram_put16(&g.ram, DRIVER + 2, rows[i].idx);
        if ((vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there) != VC_OK) != rows[i].broken || there != rows[i].there)
            fail_msg("%s", rows[i].name);
        ram_finish(&g.ram);
    }
}

/* ---- Giving back, and notifications. ---- */

static void what_is_taken_is_used_in_order(void **state)
{
    struct rig g;
    bool there;

    (void)state;
    start(&g, false, false);
    for (uint16_t i = 0; i < 20; i++) {
        struct virtq_used_elem e;

        put_desc(&g, DESC, i % SIZE, (struct virtq_desc){DATA, 16, WRITE, 0});
        offer(&g, i, i % SIZE, (uint16_t)(i + 1));
        assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
        assert_true(there);
        vc_virtqueue_take(&g.q, &g.chain, i);
        assert_int_equal(ram_get16(&g.ram, DEVICE + 2), i); /* not before publish */
        assert_true(vc_virtqueue_publish(&g.q));
        assert_int_equal(ram_get16(&g.ram, DEVICE + 2), i + 1);
        memcpy(&e, ram_at(&g.ram, DEVICE + 4 + 8 * (i % SIZE), 8, false), 8);
        assert_int_equal(e.id, i % SIZE);
        assert_int_equal(e.len, i);
        assert_false(vc_virtqueue_publish(&g.q)); /* nothing new: no interrupt */
    }
    ram_finish(&g.ram);
}

static void a_peek_takes_nothing(void **state)
{
    struct rig g;
    bool there;

    (void)state;
    start(&g, false, false);
    put_desc(&g, DESC, 1, (struct virtq_desc){DATA, 16, 0, 0});
    put_desc(&g, DESC, 2, (struct virtq_desc){DATA, 17, 0, 0});
    offer(&g, 0, 1, 1);
    offer(&g, 1, 2, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
        assert_int_equal(g.chain.readable, 16);
    }
    vc_virtqueue_take(&g.q, &g.chain, 0);
    assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
    assert_int_equal(g.chain.readable, 17);
    vc_virtqueue_take(&g.q, &g.chain, 0);
    assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
    assert_false(there);
    ram_finish(&g.ram);
}

static void interrupts_come_when_they_are_wanted(void **state)
{
    static const struct {
        const char *name;
        bool event_idx;
        uint16_t flags, used_event, before, batch; /* used before this batch of so many */
        bool interrupt;
    } rows[] = {
        {"flags 0", false, 0, 0, 0, 1, true},
        {"NO_INTERRUPT", false, 1, 0, 0, 1, false},
        {"other flags are nothing", false, 0xfffe, 0, 0, 1, true},
        {"used_event is nothing without EVENT_IDX", false, 0, 5, 0, 1, true},
        {"flags are nothing with EVENT_IDX", true, 1, 0, 0, 1, true},
        {"the one that was asked for", true, 0, 3, 3, 1, true},
        {"the one before", true, 0, 4, 3, 1, false},
        {"the one after", true, 0, 2, 3, 1, false},
        {"in a batch", true, 0, 5, 3, 4, true},
        {"the last of a batch", true, 0, 6, 3, 4, true},
        {"behind a batch", true, 0, 7, 3, 4, false},
        {"across 2^16", true, 0, 0xffff, 0xfffe, 3, true},
        {"across 2^16, not yet", true, 0, 1, 0xfffe, 3, false},
    };
    struct rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint16_t idx = rows[i].before;
        bool there, interrupt;

        start(&g, false, rows[i].event_idx);
        g.q.last_avail = g.q.seen = g.q.used = g.q.published = idx;
        ram_put16(&g.ram, DRIVER, rows[i].flags);
        ram_put16(&g.ram, DRIVER + 4 + 2 * SIZE, rows[i].used_event);
        put_desc(&g, DESC, 0, (struct virtq_desc){DATA, 1, 0, 0});
        for (uint16_t k = 0; k < rows[i].batch; k++, idx++)
            offer(&g, idx, 0, (uint16_t)(idx + 1));
        for (uint16_t k = 0; k < rows[i].batch; k++) {
            assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
            assert_true(there);
            vc_virtqueue_take(&g.q, &g.chain, 0);
        }
        interrupt = vc_virtqueue_publish(&g.q);
        if (interrupt != rows[i].interrupt)
            fail_msg("%s: %d", rows[i].name, interrupt);
        ram_finish(&g.ram);
    }
}

static void to_arm_is_to_ask_for_the_next(void **state)
{
    struct rig g;
    bool there;

    (void)state;
    start(&g, false, true);
    ram_put16(&g.ram, DEVICE + 4 + 8 * SIZE, 0x1234);
    assert_false(vc_virtqueue_arm(&g.q));
    assert_int_equal(ram_get16(&g.ram, DEVICE + 4 + 8 * SIZE), 0);
    put_desc(&g, DESC, 0, (struct virtq_desc){DATA, 1, 0, 0});
    offer(&g, 0, 0, 1);
    assert_true(vc_virtqueue_arm(&g.q)); /* one came: look again */
    assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
    vc_virtqueue_take(&g.q, &g.chain, 0);
    assert_false(vc_virtqueue_arm(&g.q));
    assert_int_equal(ram_get16(&g.ram, DEVICE + 4 + 8 * SIZE), 1);
    vc_virtqueue_break(&g.q);
    offer(&g, 1, 0, 2);
    assert_false(vc_virtqueue_arm(&g.q)); /* or a broken queue would be looked at for ever */
    ram_finish(&g.ram);

    start(&g, false, false);
    offer(&g, 0, 0, 1);
    assert_false(vc_virtqueue_arm(&g.q));
    ram_finish(&g.ram);
}

/* ---- Life. ---- */

static void stopped_or_moved(void **state)
{
    struct rig g;
    bool there;

    (void)state;
    start(&g, false, false);
    put_desc(&g, DESC, 0, (struct virtq_desc){DATA, 1, 0, 0});
    offer(&g, 0, 0, 1);
    assert_int_equal(vc_virtqueue_remap(&g.q, &env, &g), VC_OK);
    assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
    assert_true(there);
    g.ram.gone = true;
    assert_int_equal(vc_virtqueue_remap(&g.q, &env, &g), VC_EPEER);
    assert_true(g.q.broken);
    assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
    assert_false(there);
    vc_virtqueue_stop(&g.q);
    assert_false(g.q.ready || g.q.broken);
    assert_int_equal(vc_virtqueue_remap(&g.q, &env, &g), VC_OK);
    assert_int_equal(vc_virtqueue_peek(&g.q, &env, &g, &g.chain, &there), VC_OK);
    assert_false(there);
    assert_int_equal(g.q.size, SIZE);
    ram_finish(&g.ram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_are_looked_at_when_the_queue_starts),
        cmocka_unit_test(a_chain_is_checked_as_a_whole),
        cmocka_unit_test(a_chain_has_its_limits),
        cmocka_unit_test(a_chain_is_no_longer_than_2_32_bytes),
        cmocka_unit_test(an_index_that_jumps_breaks_the_queue),
        cmocka_unit_test(what_is_taken_is_used_in_order),
        cmocka_unit_test(a_peek_takes_nothing),
        cmocka_unit_test(interrupts_come_when_they_are_wanted),
        cmocka_unit_test(to_arm_is_to_ask_for_the_next),
        cmocka_unit_test(stopped_or_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
