/* SPDX-License-Identifier: MIT */
/* Ports of virtio-consoles in front of their lines: guest, domain and services in one process. */
#include "random.h"
#include "virtio_world.h"

#include <vcons/pvcons.h>

/* ---- What the guest finds. ---- */

static void numbers_in_the_configurations_order(void **state)
{
    static const uint32_t in_order[] = {A, B, C, D, E};
    struct world *w = *state;

    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(port_of(w, in_order[i])->number, i + 1);
        assert_true(port_of(w, in_order[i])->console);
        assert_string_equal(port_of(w, in_order[i])->name, w->consoles[in_order[i]].name);
    }
    assert_false(port_of(w, LOG)->console);
    assert_true(port_of(w, LOG)->host_open);
    assert_string_equal(port_of(w, LOG)->name, "log");
    assert_int_equal(w->guest->drivers[0].max_ports, 3 + 4);
}

/* Whoever comes last is waited for: the guest drives the device of the first console last. */
static void a_device_that_is_late(void **state)
{
    struct world *w = make_world(1000, 4);

    (void)state;
    assert_int_equal(world_boot(w, 2), VC_OK);
    assert_int_equal(world_boot(w, 0), VC_OK);
    world_settle(w);
    assert_int_equal(port_of(w, B)->number, 0);
    assert_int_equal(port_of(w, D)->number, 0);
    assert_int_equal(world_boot(w, 1), VC_OK);
    world_settle(w);
    assert_int_equal(port_of(w, A)->number, 1);
    assert_int_equal(port_of(w, B)->number, 2);
    assert_int_equal(port_of(w, D)->number, 4);
    world_finish(w);
}

static void a_device_that_never_comes(void **state)
{
    struct world *w = make_world(1000, 4);

    (void)state;
    assert_int_equal(world_boot(w, 0), VC_OK);
    world_settle(w);
    assert_int_equal(port_of(w, B)->number, 0);
    assert_true(uv_is_active((uv_handle_t *)&w->domain.virtio.timer));
    uv_timer_start(&w->domain.virtio.timer, w->domain.virtio.timer.timer_cb, 0, 0); /* the time has passed */
    world_settle(w);
    assert_int_equal(port_of(w, B)->number, 1);
    assert_int_equal(port_of(w, C)->number, 2);
    world_finish(w);
}

static void together(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    (void)state;
    w->config.virtio_together = true;
    world_config(w, "io", DOOR_CONSOLE_IO, 0);
    world_config(w, "a", DOOR_VIRTIO, 1);
    world_config(w, "b", DOOR_VIRTIO, 0);
    world_start(w, 0);
    assert_int_equal(world_boot(w, 0), VC_OK);
    world_settle(w);
    assert_int_equal(world_port(w, 0, 0)->number, 0); /* once the guest has the other, too */
    assert_int_equal(world_boot(w, 1), VC_OK);
    world_settle(w);
    assert_true(world_port(w, 0, 0)->number > 0 && world_port(w, 1, 0)->number > 0);
    world_finish(w);
}

/* Of a number between there is no device: a magic number of 0. */
static void devices_that_are_none(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t value = 77;

    (void)state;
    world_config(w, "a", DOOR_VIRTIO, 0);
    world_config(w, "b", DOOR_VIRTIO, 2);
    world_start(w, 0);
    assert_int_equal(world_devices(w), 3);
    assert_false(domain_access(&w->domain, ENGINE_MEMORY, MMIO_BASE + MMIO_STEP, 4, &value, false));
    assert_false(domain_access(&w->domain, ENGINE_MEMORY, MMIO_BASE - 1, 1, &value, false));
    assert_false(domain_access(&w->domain, ENGINE_MEMORY, MMIO_BASE + 3 * MMIO_STEP, 4, &value, true));
    assert_false(domain_access(&w->domain, ENGINE_PORTS, MMIO_BASE, 4, &value, true));
    assert_int_equal(value, 77);
    assert_true(domain_access(&w->domain, ENGINE_MEMORY, MMIO_BASE + 2 * MMIO_STEP, 8, &value, false));
    assert_int_equal(value, 0); /* no register is that wide */
    world_finish(w);
}

/* ---- Bytes. ---- */

static void each_has_a_line_of_its_own(void **state)
{
    struct world *w = *state;

    virtio_port_open(port_of(w, LOG), true);
    for (uint32_t i = A; i <= E; i++) {
        char text[48];

        snprintf(text, sizeof text, "I am %s.", w->consoles[i].name);
        print(w, i, text);
        world_said(w, i, text);
        snprintf(text, sizeof text, "you are %s!", w->consoles[i].name);
        world_type(w, i, text);
        reads(w, i, text);
    }
    world_said(w, IO, "");
}

static void input_waits_until_the_guest_opens(void **state)
{
    struct world *w = *state;

    world_type(w, LOG, "early");
    world_settle(w);
    assert_int_equal(w->domain.doors[LOG]->virtio.n_input, 0); /* in the line still, whatever becomes of this guest */
    virtio_port_open(port_of(w, LOG), true);
    reads(w, LOG, "early");
}

static void open_and_close_stand_in_the_line(void **state)
{
    struct world *w = *state;
    uint64_t values[16] = {0};
    char text[16];

    world_take(w, LOG, text, sizeof text, values);
    assert_int_equal(values[VC_LINE_BOOT], 1 + w->domain.boot);
    assert_int_equal(values[VC_LINE_OPEN], 0);
    virtio_port_open(port_of(w, LOG), true);
    world_settle(w);
    world_take(w, LOG, text, sizeof text, values);
    assert_int_equal(values[VC_LINE_OPEN], 1);
    assert_int_equal(values[VC_LINE_CLOSE], 0);
    virtio_port_open(port_of(w, LOG), false);
    world_settle(w);
    world_take(w, LOG, text, sizeof text, values);
    assert_int_equal(values[VC_LINE_CLOSE], 1 + VC_DOMAIN_RUNNING);
}

static void the_size_follows_who_types(void **state)
{
    struct world *w = *state;
    bool kick;

    assert_int_equal(vc_sink_post(&w->sinks[E], VC_LINE_RESIZE, 40u << 16 | 132, &kick), VC_OK);
    door_work(w->domain.doors[E]);
    world_settle(w);
    assert_int_equal(port_of(w, E)->cols, 132);
    assert_int_equal(port_of(w, E)->rows, 40);
    domain_console_resize(&w->domain, E, 25, 80);
    world_settle(w);
    assert_int_equal(port_of(w, E)->cols, 80);
    assert_int_equal(port_of(w, E)->rows, 25);
    assert_int_equal(port_of(w, A)->n_resizes, 0);
    domain_console_resize(&w->domain, IO, 25, 80); /* has none */
    domain_console_resize(&w->domain, LOG, 25, 80);
    domain_console_resize(&w->domain, 1000, 25, 80);
    domain_console_resize(&w->domain, E, 1u << 20, 1u << 20);
    world_settle(w);
    assert_int_equal(port_of(w, E)->cols, UINT16_MAX);
}

/* ---- A full line. ---- */

static void a_full_line_is_a_buffer_that_is_kept(void **state)
{
    struct world *w = *state;
    uint32_t wrote = fill(w, C, 0), took = 0;

    assert_true(wrote > VC_LINE_OUT_DEFAULT);
    assert_true(domain_held(&w->domain));
    print(w, B, "not me"); /* of the same device */
    world_said(w, B, "not me");
    for (unsigned i = 0; i < 50; i++) {
        took += take_pattern(w, C, took);
        door_work(w->domain.doors[C]); /* the loop, which the kick wakes: without any exit of the guest's */
        world_settle(w);
        wrote += i < 20 ? fill(w, C, wrote) : 0;
    }
    assert_int_equal(took, wrote);
    assert_false(domain_held(&w->domain));
    assert_int_equal(w->domain.doors[C]->console.dropped, 0);
}

/* A port that is no console asks for a look in a while: the loop comes by itself. And of a guest that stops meanwhile nothing is lost. */
static void much_is_taken_in_a_while(void **state)
{
    struct world *w = *state;
    struct virtio_device *v = &w->domain.virtio.devices[0];
    uint32_t wrote = 0, took = 0;

    virtio_port_open(port_of(w, LOG), true);
    world_settle(w);
    for (unsigned i = 0; i < 2; i++) {
        console_lock(&w->domain.doors[LOG]->console);
        v->open = false; /* notifications go nowhere: buffers wait */
        console_unlock(&w->domain.doors[LOG]->console);
        wrote += fill(w, LOG, wrote);
        console_lock(&w->domain.doors[LOG]->console);
        v->open = true;
        v->console.later[places[LOG].id / 64] |= UINT64_C(1) << places[LOG].id % 64;
        v->console.env->in_a_while(v);
        console_unlock(&w->domain.doors[LOG]->console);
        assert_int_equal(take_pattern(w, LOG, took), 0);
        if (i == 0)
            for (unsigned n = 0; took < wrote && n < 1000; n++) {
                doors_look(&w->domain);
                uv_run(&w->vmm.loop, UV_RUN_NOWAIT);
                usleep(1000);
                took += take_pattern(w, LOG, took);
            }
        else {
            atomic_store(&w->domain.stopping, true);
            assert_true(doors_drained(&w->domain));
            took += take_pattern(w, LOG, took);
        }
        assert_int_equal(took, wrote);
        world_settle(w);
    }
}

static void who_spins_is_held_for_a_second_at_most(void **state)
{
    static const struct {
        int hold, is;
    } rows[] = {{CONFIG_HOLD_FOREVER, 1000}, {3600000, 1000}, {1001, 1000}, {1000, 1000}, {500, 500}, {0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(virtio_hold_ms(DOOR_VIRTIO, rows[i].hold), rows[i].is);
        assert_int_equal(virtio_hold_ms(DOOR_VIRTIO_PORT, rows[i].hold), rows[i].hold);
    }
}

/* When hold is over all goes into the tail, and head and newest are there in the end, with one gap of the right size. */
static void without_room_the_middle_goes(void **state)
{
    static char text[1u << 20];
    struct world *w = make_world(0, 0);
    uint64_t values[16] = {0};
    uint32_t wrote = 0, n = 0;

    (void)state;
    boot_all(w);
    while (wrote < 3 * VC_LINE_OUT_DEFAULT) {
        char part[256];

        for (uint32_t i = 0; i < sizeof part; i++)
            part[i] = (char)((wrote + i) * 7 >> 3);
        hvc_write(&port_of(w, C)->hvc, part, sizeof part);
        wrote += (uint32_t)sizeof part;
    }
    for (unsigned i = 0; i < 10; i++) {
        n += world_take(w, C, text + n, sizeof text - n, values);
        door_work(w->domain.doors[C]);
        world_settle(w);
    }
    assert_int_equal(n + values[VC_LINE_GAP] - 1, wrote);
    for (uint32_t i = 0; i < CONSOLE_TAIL_BYTES; i++)
        assert_int_equal(text[n - 1 - i], (char)((wrote - 1 - i) * 7 >> 3));
    world_finish(w);
}

/* Of a guest that has stopped the last look takes all that is in its queue, however long its buffers are. */
static void last_words(void **state)
{
    enum { LONG = 64 * 1024, ALL = VIRTIO_PORT_BUFFERS * LONG };
    struct world *w = make_world(0, 0);
    struct virtio_port *p;
    uint64_t values[16] = {0}, gap = 0;
    static char text[1u << 20];
    uint32_t n;

    (void)state;
    boot_all(w);
    p = port_of(w, C);
    w->domain.virtio.devices[0].open = false; /* notifications go nowhere */
    assert_int_equal(fill(w, C, 0), VIRTIO_PORT_BUFFERS * 256);
    w->domain.virtio.devices[0].open = true;
    for (uint32_t i = 0; i < VIRTIO_PORT_BUFFERS; i++)
        p->out.descs[i].len = LONG; /* a driver of larger buffers; what is in them does not matter */
    atomic_store(&w->domain.stopping, true);
    assert_true(doors_drained(&w->domain));
    n = world_take(w, C, text, sizeof text, values);
    for (unsigned i = 0; i < 4; i++) { /* there was room for the first of it; the newest follows behind the gap */
        door_work(w->domain.doors[C]);
        n += world_take(w, C, text, sizeof text, values);
    }
    gap = values[VC_LINE_GAP] - 1;
    assert_int_equal(n + gap, ALL);
    world_finish(w);
}

static void emergency_is_never_held(void **state)
{
    struct world *w = *state;
    struct virtio_io io = world_io(0);
    static char text[1u << 20];
    uint32_t wrote = fill(w, B, 0), n = 0;

    assert_true(domain_held(&w->domain));
    assert_true(virtio_console_emergency(&io, '!'));
    assert_int_equal(w->domain.doors[B]->console.flow, CONSOLE_TAILS);
    for (unsigned i = 0; i < 10; i++) {
        world_settle(w);
        n += world_take(w, B, text + n, sizeof text - n, NULL);
        door_work(w->domain.doors[B]);
    }
    assert_int_equal(n, wrote + 1);
    assert_non_null(memchr(text, '!', n));
}

/* Also before any driver: R30, device ABI 3.1. */
static void emergency_needs_no_driver(void **state)
{
    struct world *w = make_world(1000, 0);
    struct virtio_io io = world_io(0);

    (void)state;
    assert_true(virtio_console_emergency(&io, 'x'));
    world_said(w, B, "x");
    world_finish(w);
}

/* What is shown on the terminal is what is logged, whatever the guest does to its buffer meanwhile: the first console's is copied. */
static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static void nobody(void *ctx) { (void)ctx; }

/* What it has no room for stays in the guest's buffers, and comes once. */
static void first_is_full(struct world *w)
{
    struct hvc *hvc = &world_port(w, 0, 0)->hvc;
    static char got[1u << 20];
    uint32_t wrote = 0, n = 0, taken;

    do {
        char part[256];

        for (uint32_t i = 0; i < sizeof part; i++)
            part[i] = (char)((wrote + i) * 7 >> 3);
        taken = (uint32_t)hvc->driver->put(hvc, part, sizeof part);
        wrote += taken;
    } while (taken > 0 && wrote < sizeof got);
    assert_true(domain_held(&w->domain));
    for (unsigned i = 0; i < 10; i++) {
        n += world_take(w, 0, got + n, (uint32_t)sizeof got - n, NULL);
        door_work(w->domain.doors[0]);
        world_settle(w);
    }
    assert_int_equal(n, wrote);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(got[i], (char)(i * 7 >> 3));
}

static void the_first_console_may_be_a_port(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    static struct vc_focus_env env = {.now_ms = no_time, .ready = nobody};
    static uint8_t typed[VC_FOCUS_TYPED_BYTES], output[4096];
    struct vc_focus_config focus = {.env = &env,
                                    .ctx = &w->vmm,
                                    .lock = &w->vmm.focus_lock,
                                    .notice = "",
                                    .typed = typed,
                                    .output = output,
                                    .typed_bytes = sizeof typed,
                                    .output_bytes = sizeof output};
    struct problem problem;
    char big[10000];

    (void)state;
    w->config.hold_ms = 1000;
    world_config(w, "first", DOOR_VIRTIO, 0);
    world_start(w, 2);
    env.lock = domain_locks;
    vc_focus_init(&w->vmm.focus, &focus);
    domain_join(&w->domain);
    assert_int_equal(world_boot(w, 0), VC_OK);
    world_settle(w);
    for (uint32_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 26);
    for (uint32_t at = 0; at < sizeof big; at += 500)
        hvc_write(&world_port(w, 0, 0)->hvc, big + at, 500);
    {
        static char got[20000];

        assert_int_equal(world_take(w, 0, got, sizeof got, NULL), sizeof big);
        assert_memory_equal(got, big, sizeof big);
    }
    first_is_full(w);
    assert_ptr_equal(w->domain.io_door, w->domain.doors[0]); /* hypercalls go there, too */
    domain_debug_port(&w->domain, 'E');
    world_said(w, 0, "E");
    assert_int_equal(domain_console_remove(&w->domain, "first", &problem), -1);
    world_finish(w);
}

/* ---- Guests that break off, or the rules. ---- */

static void a_reset_in_the_middle(void **state)
{
    struct world *w = *state;
    struct virtio_io io = world_io(1);
    uint64_t values[16] = {0};
    char text[64];

    print(w, A, "before");
    print(w, B, "be");
    virtio_console_end(&w->guest->drivers[1]);
    io.write(&io, VIRTIO_MMIO_STATUS, 4, 0);
    world_settle(w);
    world_type(w, A, "typed");
    print(w, B, "fore");
    assert_int_equal(world_boot(w, 1), VC_OK);
    world_settle(w);
    print(w, A, " and after");
    reads(w, A, "typed");
    assert_int_equal(world_take(w, A, text, sizeof text, values), 16);
    assert_memory_equal(text, "before and after", 16);
    assert_int_equal(values[VC_LINE_CLOSE], 1 + VC_DOMAIN_RUNNING);
    world_said(w, B, "before");
}

static void break_queue(struct world *w, uint32_t device, uint32_t queue)
{
    struct virtio_console *c = &w->guest->drivers[device];
    struct virtio_port *p = &w->guest->ports[device][0];
    struct virtqueue *q = queue == VIRTIO_CONSOLE_CONTROL_TX ? &c->out : queue == VIRTIO_CONSOLE_RX0 ? &p->in : &p->out;
    uint16_t *index = &q->avail_ring[1]; /* 2.7.6 */
    struct virtio_io io = world_io(device);

    *index = (uint16_t)(*index + 1000); /* more than there can be */
    io.write(&io, VIRTIO_MMIO_QUEUE_NOTIFY, 4, queue);
}

static void broken_queues_are_told_of(void **state)
{
    static const struct {
        uint32_t queue, reason;
    } rows[] = {{VIRTIO_CONSOLE_TX0, VC_VIRTIO_BROKEN_OUT},
                {VIRTIO_CONSOLE_RX0, VC_VIRTIO_BROKEN_IN},
                {VIRTIO_CONSOLE_CONTROL_TX, VC_VIRTIO_BROKEN_CONTROL}};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t values[16] = {0};
        struct virtio_io io = world_io(1);
        char text[16];

        break_queue(w, 1, rows[i].queue);
        world_type(w, A, "x");
        world_take(w, A, text, sizeof text, values);
        if (values[VC_LINE_BROKEN] != 1 + rows[i].reason)
            fail_msg("row %zu: broken says %llu", i, (unsigned long long)values[VC_LINE_BROKEN] - 1);
        assert_true((io.read(&io, VIRTIO_MMIO_STATUS, 4) & VIRTIO_STATUS_NEEDS_RESET) != 0);
        print(w, B, "another device");
        world_said(w, B, "another device");
        if (rows[i].queue != VIRTIO_CONSOLE_RX0)
            reads(w, A, "x");
        virtio_console_end(&w->guest->drivers[1]);
        assert_int_equal(world_boot(w, 1), VC_OK);
        world_settle(w);
        if (rows[i].queue == VIRTIO_CONSOLE_RX0)
            reads(w, A, "x"); /* it was not lost */
        print(w, A, "again");
        world_said(w, A, "again");
    }
}

/* Any access to any register of one device, while the others print. */
static void hostile_accesses(void **state)
{
    struct world *w = *state;
    uint64_t seed = 20261122;

    for (unsigned i = 0; i < 100000; i++) {
        uint64_t value = random_next(&seed), r = random_next(&seed);
        uint64_t address = MMIO_BASE + MMIO_STEP + (i % 3 == 0 ? r % MMIO_STEP : r % 64 * 4);

        if (r >> 60 < 4)
            value %= 16;
        else if (r >> 60 < 12)
            value = value % RAM;
        domain_access(&w->domain, ENGINE_MEMORY, address, 1u << (r >> 32) % 4, &value, (r >> 40 & 3) != 0);
        if (i % 1000 == 0) {
            w->guest->drivers[1].running = false; /* nobody drives it */
            print(w, B, "steady");
            world_said(w, B, "steady");
            world_type(w, D, "as ever");
            reads(w, D, "as ever");
        }
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(numbers_in_the_configurations_order),
        cmocka_unit_test(a_device_that_is_late),
        cmocka_unit_test(a_device_that_never_comes),
        cmocka_unit_test(together),
        cmocka_unit_test(devices_that_are_none),
        TEST(each_has_a_line_of_its_own),
        TEST(input_waits_until_the_guest_opens),
        TEST(open_and_close_stand_in_the_line),
        TEST(the_size_follows_who_types),
        TEST(a_full_line_is_a_buffer_that_is_kept),
        TEST(much_is_taken_in_a_while),
        cmocka_unit_test(who_spins_is_held_for_a_second_at_most),
        cmocka_unit_test(without_room_the_middle_goes),
        cmocka_unit_test(last_words),
        TEST(emergency_is_never_held),
        cmocka_unit_test(emergency_needs_no_driver),
        cmocka_unit_test(the_first_console_may_be_a_port),
        TEST(a_reset_in_the_middle),
        TEST(broken_queues_are_told_of),
        TEST(hostile_accesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
