/* SPDX-License-Identifier: MIT */
/* A virtio-console saved at any moment and restored: guest and host see no difference, and a saved state is not believed. */
#include "unit.h"

#include "virtio_rows.h"
#include <vcons/save.h>

enum { HEAD = VC_SAVE_HEAD_BYTES, BYTES_MAX = VC_SAVE_VIRTIO_CONSOLE_BYTES(RIG_PORTS) };

static size_t save(struct vc_virtio_console *c, uint8_t *bytes)
{
    struct vc_writer w;

    vc_writer_init(&w, bytes, BYTES_MAX);
    vc_virtio_console_save(c, &w);
    assert_true(vc_writer_ok(&w));
    return w.n;
}

/* The bytes are the heap's, and as many as there are: the sanitizer sees who reads on. */
static int restore(struct vc_virtio_console *c, const uint8_t *from, size_t n)
{
    uint8_t *bytes = malloc(n);
    struct vc_reader r;
    struct vc_section s;
    bool there;
    int error;

    memcpy(bytes, from, n);
    vc_reader_init(&r, bytes, n);
    error = vc_read_section(&r, &s, &there);
    if (error == VC_OK)
        error = vc_virtio_console_restore(c, &s);
    free(bytes);
    return error;
}

/* A new device of the same configuration and ports, as a hypervisor makes it before a restore; nobody hears of it. */
static void begin_anew(struct virtio_rig *g, const struct vc_virtio_console *old)
{
    g->c = malloc(sizeof *g->c);
    g->memory = malloc(vc_virtio_console_bytes(old->config.ports));
    assert_int_equal(vc_virtio_console_init(g->c, &old->config, &rig_env, g, g->memory), VC_OK);
    for (uint32_t i = 0; i < old->config.ports; i++) {
        const struct vc_virtio_port *p = &old->ports[i];
        char name[VC_VIRTIO_NAME_BYTES + 1] = "";
        struct vc_virtio_port_config port = {.name = name,
                                             .console = p->console,
                                             .host_open = p->host_open,
                                             .cols = p->cols,
                                             .rows = p->rows,
                                             .place = p->place};

        memcpy(name, p->name, p->n_name);
        if (p->plugged)
            assert_int_equal(vc_virtio_console_add(g->c, i, &port), VC_OK);
    }
}

static void move(struct virtio_rig *g, bool serve)
{
    struct vc_virtio_console *old = g->c;
    void *old_memory = g->memory;
    uint8_t bytes[BYTES_MAX];
    size_t n = save(old, bytes);
    bool irq = g->irq;
    char events[sizeof g->events];

    memcpy(events, g->events, sizeof events);
    g->irq = false;
    begin_anew(g, old);
    assert_int_equal(restore(g->c, bytes, n), VC_OK);
    if (g->irq != irq)
        fail_msg("the interrupt line was at %d", irq);
    if (serve)
        vc_virtio_console_serve(g->c);
    for (uint32_t i = 0; i < old->config.ports; i++)
        if (old->ports[i].hungry)
            assert_int_equal(vc_virtio_console_input(g->c, i, (const uint8_t *)"x", 1), 0);
    memcpy(g->events, events, sizeof events);
    free(old);
    free(old_memory);
}

static void move_quietly(struct virtio_rig *g) { move(g, false); }
static void move_and_serve(struct virtio_rig *g) { move(g, true); }

/* T25: between any two steps of what guest and host do. */
static void restored_after_every_step(void **state)
{
    struct vc_virtio_console_config config = {.ports = RIG_PORTS};

    (void)state;
    for (size_t i = 0; i < N_ROWS(virtio_rows); i++) {
        rig_run(&virtio_rows[i], &config, move_quietly);
        rig_run(&virtio_rows[i], &config, move_and_serve);
    }
}

/* A device in mid-conversation, with something of everything. */
static const struct rig_row busy = {"busy",
                                    {CONSOLE(0, "a"), PORT(2, "b"), RESIZE(0, 80, 25), BOOT(), BUFFERS(4, 72), READY(1),
                                     PORT_READY(0, 1), OPEN(0, 1), LET(3), TX(0, "hold me"), RX(0, 2, 8),
                                     INPUT(0, "typed", 5), ACK(), IRQ(0), TX(2, "x"), IRQ(0)}};

static void begin_busy(struct virtio_rig *g)
{
    char saw[64];

    rig_begin(g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    for (int i = 0; busy.steps[i].op != END; i++)
        if (rig_step(g, &busy.steps[i], saw, sizeof saw) != NULL)
            fail_msg("busy: step %d", i);
}

/* What the device keeps until half a queue is used is the driver's again before it is saved, and the interrupt is for it. */
static void what_is_used_is_shown_first(void **state)
{
    static const uint8_t bytes[VC_VIRTIO_MUCH_BYTES];
    struct virtqueue *q;
    static struct virtio_rig g;
    uint8_t saved[BYTES_MAX];
    char saw[8];

    (void)state;
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    q = &g.queues[VIRTIO_CONSOLE_TX(2)];
    assert_null(rig_step(&g, &(struct rig_step)PORT(2, "b"), saw, sizeof saw));
    rig_boot(&g, RIG_ALL);
    vc_virtio_console_serve(g.c);
    for (int i = 0; i < 3; i++) /* the second and the third wait for the look that the first asked for */
        rig_lend(&g, VIRTIO_CONSOLE_TX(2), bytes, sizeof bytes);
    rig_collect(&g);
    virtqueue_listen(q);
    vc_virtio_console_serve(g.c);
    rig_collect(&g);
    assert_int_equal(q->size - q->free_count, 2);
    rig_step(&g, &(struct rig_step)ACK(), saw, sizeof saw);
    assert_false(g.irq);
    save(g.c, saved);
    assert_true(g.irq);
    rig_collect(&g);
    assert_int_equal(q->size - q->free_count, 0);
    rig_finish(&g);
}

static void finish_two(struct virtio_rig *g, struct vc_virtio_console *c, void *memory)
{
    free(c);
    free(memory);
    rig_finish(g);
}

static void env_hears_of_what_differs(void **state)
{
    static struct virtio_rig g;
    struct vc_virtio_console *old;
    uint8_t bytes[BYTES_MAX];
    void *old_memory;
    size_t n;
    char heard[512];

    (void)state;
    begin_busy(&g);
    assert_int_equal(rig_get(&g, VIRTIO_CONSOLE_RX0, heard, sizeof heard), 5);
    assert_int_equal(vc_virtio_console_input(g.c, 0, (const uint8_t *)"more", 4), 4);
    assert_true(g.irq);
    n = save(g.c, bytes);
    old = g.c;
    old_memory = g.memory;
    g.irq = false;
    g.events[0] = '\0';
    begin_anew(&g, old);
    vc_virtio_console_resize(g.c, 0, 100, 40); /* another terminal is at the other end now, and nobody at the agent's */
    vc_virtio_console_host(g.c, 2, false);
    assert_int_equal(restore(g.c, bytes, n), VC_OK);
    assert_true(g.irq);
    rig_events(&g, heard, sizeof heard);
    assert_string_equal(heard, "open0");
    g.room = 99;
    vc_virtio_console_serve(g.c);
    assert_memory_equal(g.out[0], "hold me", 7);
    for (int i = 0; i < 5; i++)
        rig_lend(&g, VIRTIO_CONSOLE_CONTROL_RX, NULL, 72);
    rig_heard(&g, heard, sizeof heard);
    assert_string_equal(heard, "add0 add2 console0 name0:a open0:1 size0:100x40");
    finish_two(&g, old, old_memory);
}

static void another_set_of_ports_is_refused(void **state)
{
    static const struct {
        const char *name;
        struct rig_step step;
    } rows[] = {
        {"a port more", CONSOLE(3, NULL)},
        {"a port less", UNPLUG(2)},
    };
    static struct virtio_rig g;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_virtio_console *old;
        void *old_memory;
        uint8_t bytes[BYTES_MAX];
        char saw[64];
        size_t n;

        begin_busy(&g);
        n = save(g.c, bytes);
        old = g.c;
        old_memory = g.memory;
        begin_anew(&g, old);
        g.queues[VIRTIO_CONSOLE_TX0].size = 0; /* this driver is the old device's */
        assert_null(rig_step(&g, &rows[i].step, saw, sizeof saw));
        if (restore(g.c, bytes, n) != VC_EINVAL)
            fail_msg("%s: taken", rows[i].name);
        finish_two(&g, old, old_memory);
    }
}

/* Offsets within the section's body: those of the device, of queue 0, of queue 3, and of port 0 and 3. */
enum {
    Q0 = HEAD + 56,
    Q1 = Q0 + 36,
    P0 = Q0 + 36 * RIG_QUEUES,
    P1 = P0 + 24,
    P2 = P0 + 48,
};
static const struct {
    const char *name;
    uint32_t at, value;
} spoiled[] = {
    {"its tag", 0, VC_SAVE_PL011},
    {"its version", 4, 2},
    {"ports", HEAD, RIG_PORTS - 1},
    {"features offered", HEAD + 4, 3},
    {"features that were not offered", HEAD + 12, 0x30000047},
    {"no version 1", HEAD + 16, 0},
    {"a status bit", HEAD + 20, 0x1f},
    {"DRIVER_OK without FEATURES_OK", HEAD + 20, 7},
    {"not running, and yet its queues are used", HEAD + 20, 0xb},
    {"never started, and yet an interrupt", HEAD + 36, 4},
    {"beyond", HEAD + 44, 2},
    {"ready", HEAD + 48, 2},
    {"next sender", HEAD + 52, RIG_PORTS},
    {"a ready queue's descriptors", Q0, 0x1008},
    {"a ready queue's available ring", Q0 + 12, 1},
    {"a ready queue's used ring", Q0 + 16, 2},
    {"a ready queue's size 0", Q0 + 24, 0},
    {"a ready queue's size too large", Q0 + 24, 128},
    {"a queue broken and not ready", Q0 + 28, 2},
    {"a queue's flag", Q0 + 28, 5},
    {"a broken queue, and yet no reset is needed", Q0 + 28, 3},
    {"a queue not ready, and yet used", Q0 + 28, 0},
    {"chains above 2^16", Q1 + 32, 0x10000},
    {"a port's flag", P0, 64 + 63},
    {"a console that is none here", P0, 61},
    {"a port that is not plugged here", P1, 1},
    {"open, but not ready", P0, 1 + 2 + 4 + 8 + 32},
    {"ready, but never told", P0, 1 + 2 + 4 + 16},
    {"a message of no kind", P0 + 4, 64},
    {"a console's message of what is none", P2 + 4, 4},
    {"a message of a port that is not there", P1 + 4, 2},
    {"told, and yet not there", P1, 16},
    {"columns", P0 + 16, 65536},
    {"rows", P0 + 20, 65536},
};

static void refused(struct virtio_rig *g, const struct vc_virtio_console *old, const uint8_t *bytes, size_t n,
                    const char *name, uint32_t at)
{
    uint8_t before[BYTES_MAX], after[BYTES_MAX];

    save(g->c, before);
    if (restore(g->c, bytes, n) != VC_EINVAL)
        fail_msg("%s (%u): taken", name, at);
    save(g->c, after);
    if (memcmp(before, after, sizeof after) != 0)
        fail_msg("%s (%u): refused, and yet it is another device now", name, at);
    (void)old;
}

static void a_spoiled_state_is_refused(void **state)
{
    static struct virtio_rig g;
    struct vc_virtio_console *old;
    uint8_t bytes[BYTES_MAX + 4], bad[BYTES_MAX + 4];
    void *old_memory;
    size_t n;

    (void)state;
    begin_busy(&g);
    n = save(g.c, bytes);
    old = g.c;
    old_memory = g.memory;
    g.irq = false;
    begin_anew(&g, old);
    for (size_t i = 0; i < N_ROWS(spoiled); i++) {
        memcpy(bad, bytes, n);
        memcpy(bad + spoiled[i].at, &spoiled[i].value, 4);
        refused(&g, old, bad, n, spoiled[i].name, spoiled[i].at);
    }
    for (uint32_t cut = 0; cut < n - HEAD; cut++) {
        uint32_t body = cut;

        memcpy(bad, bytes, n);
        memcpy(bad + 8, &body, 4);
        refused(&g, old, bad, HEAD + cut, "cut", cut);
    }
    memcpy(bad, bytes, n);
    memset(bad + n, 0, 4);
    memcpy(bad + 8, &(uint32_t){(uint32_t)(n - HEAD + 4)}, 4);
    refused(&g, old, bad, n + 4, "longer", 0);
    assert_int_equal(restore(g.c, bytes, n), VC_OK);
    finish_two(&g, old, old_memory);
}

/* With an announce: who is not open yet is waited for anew, whom the guest knows is not announced twice. */
static unsigned long lock(void *l)
{
    (void)l;
    return 0;
}
static void unlock(void *l, unsigned long saved)
{
    (void)l;
    (void)saved;
}
static void turn(void *ctx, void *owner)
{
    (void)ctx;
    (void)owner;
}
static void timer(void *ctx, uint64_t ns) { *(uint64_t *)ctx = ns; }
static const struct vc_announce_env announce_env = {
    .lock = {.lock = lock, .unlock = unlock}, .turn = turn, .timer = timer};

static void consoles_go_on_in_order(void **state)
{
    static const struct rig_step before[] = {CONSOLE(0, NULL),
                                             CONSOLE(1, NULL),
                                             CONSOLE(2, NULL),
                                             CONSOLE(3, NULL),
                                             BOOT(),
                                             BUFFERS(12, 72),
                                             READY(1),
                                             PORT_READY(0, 1),
                                             OPEN(0, 1),
                                             PORT_READY(1, 0),
                                             PORT_READY(2, 1),
                                             PORT_READY(3, 1),
                                             HEARD("add0 add1 add2 add3 console0 open0:1 console2 open2:1 open3:1")};
    static const struct rig_step after[] = {SERVE(), HEARD(""), OPEN(2, 1), HEARD("console3"), OPEN(3, 1)};
    static struct virtio_rig g;
    static struct vc_announce announces[2];
    struct vc_announce_place places[2][RIG_PORTS];
    struct vc_virtio_console *old;
    struct vc_virtio_console_config config = {.ports = RIG_PORTS, .announce = &announces[0]};
    uint64_t times[2] = {0, 0};
    uint8_t bytes[BYTES_MAX];
    void *old_memory;
    char saw[256];
    size_t n;

    (void)state;
    for (int i = 0; i < 2; i++)
        vc_announce_init(&announces[i], &announce_env, &times[i], NULL, places[i], RIG_PORTS, VC_ANNOUNCE_LIMIT_NS);
    rig_begin(&g, &config);
    for (size_t i = 0; i < N_ROWS(before); i++)
        assert_null(rig_step(&g, &before[i], saw, sizeof saw));
    n = save(g.c, bytes);
    old = g.c;
    old_memory = g.memory;
    g.irq = false;
    old->config.announce = &announces[1];
    begin_anew(&g, old);
    assert_int_equal(restore(g.c, bytes, n), VC_OK);
    assert_int_equal(times[1], VC_ANNOUNCE_LIMIT_NS); /* for the one that was told, and had not opened */
    for (size_t i = 0; i < N_ROWS(after); i++)
        if (rig_step(&g, &after[i], saw, sizeof saw) != NULL)
            fail_msg("step %zu saw \"%s\"", i, saw);
    assert_int_equal(times[1], 0);
    finish_two(&g, old, old_memory);
}

/* Without MULTIPORT a size that differs is told as any other is. */
static void a_single_port_of_another_size(void **state)
{
    static const struct rig_step before[] = {CONSOLE(0, NULL), RESIZE(0, 80, 25), BOOT_SINGLE(), ACK(), IRQ(0)};
    static struct virtio_rig g;
    struct vc_virtio_console *old;
    uint8_t bytes[BYTES_MAX];
    void *old_memory;
    char saw[64];
    size_t n;

    (void)state;
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    for (size_t i = 0; i < N_ROWS(before); i++)
        assert_null(rig_step(&g, &before[i], saw, sizeof saw));
    n = save(g.c, bytes);
    old = g.c;
    old_memory = g.memory;
    begin_anew(&g, old);
    vc_virtio_console_resize(g.c, 0, 100, 40);
    assert_int_equal(restore(g.c, bytes, n), VC_OK);
    assert_true(g.irq);
    assert_int_equal(rig_read(&g, VIRTIO_MMIO_CONFIG), 100 | 40 << 16);
    assert_int_equal(g.c->ports[0].owed & 0x20, 0);
    finish_two(&g, old, old_memory);
}

/* Never started: nothing that only a running device has. */
static void a_device_that_does_not_run(void **state)
{
    static const struct {
        const char *name;
        uint32_t at, value;
    } rows[] = {
        {"an interrupt", HEAD + 36, 1}, {"ready", HEAD + 48, 1},     {"a port told", P0, 1 + 2 + 4 + 8},
        {"answers", P0 + 8, 1},         {"bytes taken", P0 + 12, 1}, {"a queue's chains", Q0 + 32, 1},
    };
    static struct virtio_rig g;
    uint8_t bytes[BYTES_MAX], bad[BYTES_MAX];
    struct vc_virtio_port_config port = {.console = true, .host_open = true};
    size_t n;

    (void)state;
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    vc_virtio_console_add(g.c, 0, &port);
    n = save(g.c, bytes);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        memcpy(bad, bytes, n);
        memcpy(bad + rows[i].at, &rows[i].value, 4);
        refused(&g, g.c, bad, n, rows[i].name, rows[i].at);
    }
    assert_int_equal(restore(g.c, bytes, n), VC_OK);
    rig_finish(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restored_after_every_step),  cmocka_unit_test(what_is_used_is_shown_first),
        cmocka_unit_test(env_hears_of_what_differs),  cmocka_unit_test(another_set_of_ports_is_refused),
        cmocka_unit_test(a_spoiled_state_is_refused), cmocka_unit_test(a_device_that_does_not_run),
        cmocka_unit_test(consoles_go_on_in_order),    cmocka_unit_test(a_single_port_of_another_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
