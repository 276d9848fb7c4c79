/* SPDX-License-Identifier: MIT */
/*
 * Drivers of a virtio-console that break the rules, in each of its queues: that queue is left alone, the hypervisor hears of it
 * once, the guest learns that a reset is needed, and everything else goes on. And how much one call does at most.
 */
#include "unit.h"

#include "virtio_rig.h"

#define NEXT     VIRTQ_DESC_F_NEXT
#define WRITE    VIRTQ_DESC_F_WRITE
#define INDIRECT VIRTQ_DESC_F_INDIRECT

enum { TABLE = RAM + 0x20000, DATA = RAM + 0x30000 };

static const struct {
    const char *name;
    uint16_t head, jump; /* avail.idx goes on by this */
    struct virtq_desc descs[3], table[2];
} shapes[] = {
    {.name = "a loop", .jump = 1, .descs = {{DATA, 1, NEXT, 1}, {DATA, 1, NEXT, 0}}},
    {.name = "head beyond the table", .jump = 1, .head = RIG_SIZE},
    {.name = "next beyond the table", .jump = 1, .descs = {{DATA, 1, NEXT, 0x8000}}},
    {.name = "outside memory", .jump = 1, .descs = {{0xdead0000, 8, 0, 0}}},
    {.name = "outside memory, to be written", .jump = 1, .descs = {{0xdead0000, 8, WRITE, 0}}},
    {.name = "the device's own registers, R31", .jump = 1, .descs = {{0x0a000000, 4, WRITE, 0}}},
    {.name = "read-only memory, to be written", .jump = 1, .descs = {{ROM, 8, WRITE, 0}}},
    {.name = "across slots", .jump = 1, .descs = {{NEXT_SLOT - 4, 8, 0, 0}}},
    {.name = "across slots, to be written", .jump = 1, .descs = {{NEXT_SLOT - 4, 8, WRITE, 0}}},
    {.name = "an address that wraps around", .jump = 1, .descs = {{UINT64_MAX - 1, 8, 0, 0}}},
    {.name = "a length of 4 GiB", .jump = 1, .descs = {{DATA, UINT32_MAX, WRITE, 0}}},
    {.name = "read after write", .jump = 1, .descs = {{DATA, 8, WRITE | NEXT, 1}, {DATA, 8, 0, 0}}},
    {.name = "indirect, nested", .jump = 1, .descs = {{TABLE, 16, INDIRECT, 0}}, .table = {{TABLE, 16, INDIRECT, 0}}},
    {.name = "indirect, of an odd length", .jump = 1, .descs = {{TABLE, 17, INDIRECT, 0}}},
    {.name = "indirect, huge", .jump = 1, .descs = {{TABLE, 0x10000, INDIRECT, 0}}},
    {.name = "indirect, with NEXT", .jump = 1, .descs = {{TABLE, 16, INDIRECT | NEXT, 1}}},
    {.name = "an index that jumps", .jump = RIG_SIZE + 1},
    {.name = "an index that goes back", .jump = 0xffff},
};

static const struct {
    const char *name;
    uint32_t queue;
    const char *told;
} victims[] = {
    {"input", VIRTIO_CONSOLE_RX(1), "broken1:17"},
    {"output", VIRTIO_CONSOLE_TX(1), "broken1:16"},
    {"messages to the guest", VIRTIO_CONSOLE_CONTROL_RX, "broken:18"},
    {"messages of the guest", VIRTIO_CONSOLE_CONTROL_TX, "broken:18"},
};

static void begin(struct virtio_rig *g)
{
    static const struct rig_step steps[] = {CONSOLE(0, NULL),
                                            CONSOLE(1, NULL),
                                            BOOT(),
                                            BUFFERS(6, 72),
                                            READY(1),
                                            PORT_READY(0, 1),
                                            PORT_READY(1, 1),
                                            OPEN(0, 1),
                                            OPEN(1, 1),
                                            RX(0, 4, 8),
                                            RX(1, 6, 8),
                                            EVENTS("open0 open1"),
                                            HEARD("add0 add1 console0 open0:1 console1 open1:1")};
    char saw[256];

    rig_begin(g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    for (size_t i = 0; i < N_ROWS(steps); i++) {
        const char *instead = rig_step(g, &steps[i], saw, sizeof saw);

        if (instead != NULL)
            fail_msg("step %zu saw %s", i, instead);
    }
}

static void spoil(struct virtio_rig *g, uint32_t queue, size_t shape)
{
    struct virtqueue *q = &g->queues[queue];
    uint16_t idx = ram_get16(&g->ram, q->device + 2); /* so many were taken */

    ram_put(&g->ram, q->desc, shapes[shape].descs, sizeof shapes[shape].descs);
    ram_put(&g->ram, TABLE, shapes[shape].table, sizeof shapes[shape].table);
    for (uint32_t i = 0; i < RIG_SIZE; i++)
        ram_put16(&g->ram, q->driver + 4 + 2 * i, shapes[shape].head);
    ram_put16(&g->ram, q->driver + 2, (uint16_t)(idx + shapes[shape].jump));
}

/* Whatever makes the device look at any of its queues. */
static void stir(struct virtio_rig *g)
{
    vc_virtio_console_input(g->c, 1, (const uint8_t *)"x", 1);
    vc_virtio_console_resize(g->c, 1, 80, (uint16_t)(g->c->ports[1].rows + 1));
    for (uint32_t i = 2; i < 6; i++)
        rig_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, i);
    vc_virtio_console_output_room(g->c, 1);
    vc_virtio_console_serve(g->c);
}

static void only_that_queue_is_left_alone(void **state)
{
    static struct virtio_rig g;
    char heard[256];

    (void)state;
    for (size_t v = 0; v < N_ROWS(victims); v++) {
        for (size_t i = 0; i < N_ROWS(shapes); i++) {
            begin(&g);
            rig_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, 3);
            spoil(&g, victims[v].queue, i);
            stir(&g);
            stir(&g);
            rig_events(&g, heard, sizeof heard);
            if (strcmp(heard, victims[v].told) != 0 || rig_read(&g, VIRTIO_MMIO_STATUS) != 0x4f ||
                (rig_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG) == 0)
                fail_msg("%s, %s: told \"%s\"", victims[v].name, shapes[i].name, heard);
            rig_lend(&g, VIRTIO_CONSOLE_TX0, "other", 5);
            if (g.n_out[0] != 5 || vc_virtio_console_input(g.c, 0, (const uint8_t *)"typed", 5) != 5)
                fail_msg("%s, %s: another port is disturbed", victims[v].name, shapes[i].name);
            vc_virtio_console_remove(g.c, 1);
            rig_write(&g, VIRTIO_MMIO_STATUS, 0);
            rig_boot(&g, RIG_ALL);
            rig_lend(&g, VIRTIO_CONSOLE_TX0, "again", 5);
            if (g.n_out[0] != 10 || rig_read(&g, VIRTIO_MMIO_STATUS) != 0xf || g.wrong != 0)
                fail_msg("%s, %s: not well after a reset", victims[v].name, shapes[i].name);
            rig_finish(&g);
        }
    }
}

/* 5.3.2: output is read, input written; a buffer of the other kind is no better than one outside memory. */
static void buffers_of_the_wrong_direction(void **state)
{
    static struct virtio_rig g;
    char heard[256];

    (void)state;
    for (size_t v = 0; v < N_ROWS(victims); v++) {
        struct virtq_desc d = {DATA, 8, victims[v].queue % 2 == 0 ? 0 : WRITE, 0};
        struct virtqueue *q;

        begin(&g);
        q = &g.queues[victims[v].queue];
        spoil(&g, victims[v].queue, 0);
        ram_put(&g.ram, q->desc, &d, sizeof d);
        stir(&g);
        rig_events(&g, heard, sizeof heard);
        assert_string_equal(heard, victims[v].told);
        rig_finish(&g);
    }
}

/* Of a port that is not there nobody is told, but its queue is as dead. */
static void a_queue_of_no_port(void **state)
{
    static struct virtio_rig g;

    (void)state;
    begin(&g);
    spoil(&g, VIRTIO_CONSOLE_TX(3), 0);
    rig_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_CONSOLE_TX(3));
    assert_string_equal(g.events, "");
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_STATUS), 0x4f);
    rig_finish(&g);
}

/* ---- What one call does at most. ---- */

/* A chain of so many bytes, and a guest that makes the same one available again and again. */
static void flood(struct virtio_rig *g, uint32_t port, uint32_t bytes, uint16_t chains)
{
    struct virtqueue *q = &g->queues[VIRTIO_CONSOLE_TX(port)];
    struct virtq_desc d = {RAM, bytes, 0, 0};
    uint16_t idx = ram_get16(&g->ram, q->driver + 2);

    ram_put(&g->ram, q->desc, &d, sizeof d);
    for (uint32_t i = 0; i < RIG_SIZE; i++)
        ram_put16(&g->ram, q->driver + 4 + 2 * i, 0);
    ram_put16(&g->ram, q->driver + 2, (uint16_t)(idx + chains));
    rig_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_CONSOLE_TX(port));
}

static void one_call_takes_so_much_output(void **state)
{
    static struct virtio_rig g;
    uint32_t calls = 1;

    (void)state;
    begin(&g);
    g.room = UINT32_MAX;
    flood(&g, 0, 0x30000, RIG_SIZE); /* 3 MiB */
    flood(&g, 1, 0x30000, RIG_SIZE);
    assert_int_equal(UINT32_MAX - g.room, 2 * VC_VIRTIO_BATCH_BYTES);
    assert_non_null(strstr(g.events, "later"));
    do {
        uint32_t before = g.room;

        g.events[0] = '\0';
        vc_virtio_console_serve(g.c);
        assert_in_range(before - g.room, 0, VC_VIRTIO_BATCH_BYTES);
        calls++;
    } while (strstr(g.events, "later") != NULL && calls < 100);
    assert_int_equal(UINT32_MAX - g.room, 2 * RIG_SIZE * 0x30000);
    assert_in_range(calls, 24, 27);
    rig_finish(&g);
}

/* While one floods, another is served after one batch of the first. */
static void a_flood_starves_nobody(void **state)
{
    static struct virtio_rig g;

    (void)state;
    begin(&g);
    flood(&g, 0, 0x30000, RIG_SIZE);
    flood(&g, 1, 0x30000, RIG_SIZE);
    g.n_out[1] = 0;
    vc_virtio_console_serve(g.c); /* one of them … */
    vc_virtio_console_serve(g.c); /* … and the other */
    assert_true(g.c->ports[0].at > 0 || g.c->mmio.queues[VIRTIO_CONSOLE_TX0].used > 0);
    assert_true(g.n_out[1] > 0);
    rig_finish(&g);
}

/* A guest that makes chains available as fast as they are used, from within env->out. */
static struct virtio_rig *endless;
static uint64_t endless_calls;
static uint32_t endless_out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    struct virtqueue *q = &endless->queues[VIRTIO_CONSOLE_TX(port)];

    (void)ctx;
    (void)bytes;
    endless_calls++;
    ram_put16(&endless->ram, q->driver + 2, (uint16_t)(ram_get16(&endless->ram, q->driver + 2) + 1));
    return n;
}

static void an_endless_guest_ends_nobodys_call(void **state)
{
    static struct virtio_rig g;
    struct vc_virtio_console_env env = rig_env;

    (void)state;
    begin(&g);
    env.out = endless_out;
    g.c->env = &env;
    endless = &g;
    endless_calls = 0;
    flood(&g, 0, 1, 1);
    assert_in_range(endless_calls, 100, VC_VIRTIO_BATCH_BYTES / VC_VIRTIO_BUFFER_COST);
    assert_non_null(strstr(g.events, "later"));
    rig_finish(&g);
}

/* The device reads so many messages, no more, and goes on when it is called again. */
static void one_call_reads_so_many_messages(void **state)
{
    static struct virtio_rig g;
    struct virtio_console_control m = {0, VIRTIO_CONSOLE_PORT_OPEN, 0};
    struct virtq_desc d = {DATA, sizeof m, 0, 0};

    (void)state;
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    rig_accept(&g, RIG_ALL);
    for (uint32_t i = 0; i < RIG_QUEUES; i++)
        rig_set_queue(&g, i);
    /* One ring of 64, all of it one message. */
    rig_write(&g, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_CONSOLE_CONTROL_TX);
    rig_write(&g, VIRTIO_MMIO_QUEUE_READY, 0);
    rig_write(&g, VIRTIO_MMIO_QUEUE_SIZE, 64);
    rig_write(&g, VIRTIO_MMIO_QUEUE_DESC_LOW, TABLE);
    rig_write(&g, VIRTIO_MMIO_QUEUE_DRIVER_LOW, TABLE + 0x1000);
    rig_write(&g, VIRTIO_MMIO_QUEUE_DEVICE_LOW, TABLE + 0x2000);
    rig_write(&g, VIRTIO_MMIO_QUEUE_READY, 1);
    rig_write(&g, VIRTIO_MMIO_STATUS, 0xf);
    ram_put(&g.ram, DATA, &m, sizeof m);
    ram_put(&g.ram, TABLE, &d, sizeof d);
    ram_put16(&g.ram, TABLE + 0x1002, 64);
    g.events[0] = '\0';
    rig_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_CONSOLE_CONTROL_TX);
    assert_int_equal(ram_get16(&g.ram, TABLE + 0x2002), 64);
    assert_string_equal(g.events, "later"); /* it cannot know that there is no more */
    ram_put16(&g.ram, TABLE + 0x1002, 70);
    vc_virtio_console_serve(g.c);
    assert_int_equal(ram_get16(&g.ram, TABLE + 0x2002), 70);
    rig_finish(&g);
}

/* Input of many small buffers: so many in one call, and the rest is asked for. */
static void one_offer_fills_so_many_buffers(void **state)
{
    static struct virtio_rig g;
    uint8_t bytes[200] = {0};
    struct virtqueue *q = &g.queues[VIRTIO_CONSOLE_RX(1)];
    struct virtq_desc d = {DATA, 0, WRITE, 0};
    char heard[64];

    (void)state;
    begin(&g);
    for (uint16_t i = 0; i < RIG_SIZE; i++) { /* buffers of no length, as many as there may be */
        ram_put(&g.ram, q->desc + 16 * i, &d, sizeof d);
        ram_put16(&g.ram, q->driver + 4 + 2 * i, i);
    }
    for (int round = 0; round < 5; round++) {
        ram_put16(&g.ram, q->driver + 2, (uint16_t)(RIG_SIZE * (round + 1)));
        assert_int_equal(vc_virtio_console_input(g.c, 1, bytes, sizeof bytes), 0);
        assert_int_equal(g.c->mmio.queues[VIRTIO_CONSOLE_RX(1)].used, RIG_SIZE * (round + 1));
    }
    rig_events(&g, heard, sizeof heard);
    assert_string_equal(heard, "");
    rig_finish(&g);
}

/* The memory map changes under a device that runs. */
static void memory_that_goes(void **state)
{
    static struct virtio_rig g;

    (void)state;
    begin(&g);
    vc_virtio_mmio_remapped(&g.c->mmio);
    rig_lend(&g, VIRTIO_CONSOLE_TX0, "still", 5);
    assert_int_equal(g.n_out[0], 5);
    g.ram.gone = true;
    vc_virtio_mmio_remapped(&g.c->mmio);
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_STATUS), 0x4f);
    stir(&g);
    assert_int_equal(vc_virtio_console_input(g.c, 0, (const uint8_t *)"x", 1), 0);
    g.ram.gone = false;
    rig_write(&g, VIRTIO_MMIO_STATUS, 0);
    rig_boot(&g, RIG_ALL);
    rig_lend(&g, VIRTIO_CONSOLE_TX0, "again", 5);
    assert_int_equal(g.n_out[0], 10);
    rig_finish(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_that_queue_is_left_alone),
        cmocka_unit_test(buffers_of_the_wrong_direction),
        cmocka_unit_test(a_queue_of_no_port),
        cmocka_unit_test(one_call_takes_so_much_output),
        cmocka_unit_test(a_flood_starves_nobody),
        cmocka_unit_test(an_endless_guest_ends_nobodys_call),
        cmocka_unit_test(one_call_reads_so_many_messages),
        cmocka_unit_test(one_offer_fills_so_many_buffers),
        cmocka_unit_test(memory_that_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
