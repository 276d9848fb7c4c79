/* SPDX-License-Identifier: MIT */
/* The virtio console device, a row for each rule of VIRTIO 1.2, 5.3, and each habit of a driver (named). */
#include "unit.h"

#include "virtio_rows.h"

static void guest_and_host_in_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(virtio_rows); i++)
        rig_run(&virtio_rows[i], &(struct vc_virtio_console_config){.ports = RIG_PORTS}, NULL);
}

static void rows_first(void **state)
{
    static const struct rig_row row = {"rows first, for Linux before 6.15; the configuration is as ever",
                                       {CONSOLE(0, NULL), RESIZE(0, 80, 25), CONFIG(80, 25), UP(9), PORT_READY(0, 1),
                                        HEARD("add0 console0 open0:1 size0:25x80")}};

    (void)state;
    rig_run(&row, &(struct vc_virtio_console_config){.ports = RIG_PORTS, .rows_first = true}, NULL);
}

/* What the hypervisor asks that cannot be: an error, and nothing changed. */
static void calls_that_are_refused(void **state)
{
    static const char long_name[] = "a name of sixty-five bytes, one more than there is room for in it";
    static struct virtio_rig g;
    struct vc_virtio_port_config port = {.name = long_name, .host_open = true};

    (void)state;
    _Static_assert(sizeof long_name - 1 == VC_VIRTIO_NAME_BYTES + 1, "just too long");
    rig_begin(&g, &(struct vc_virtio_console_config){.ports = RIG_PORTS});
    assert_int_equal(vc_virtio_console_add(g.c, 0, &port), VC_EINVAL);
    port.name++;
    assert_int_equal(vc_virtio_console_add(g.c, RIG_PORTS, &port), VC_EINVAL);
    assert_int_equal(vc_virtio_console_add(g.c, UINT32_MAX, &port), VC_EINVAL);
    assert_int_equal(vc_virtio_console_remove(g.c, 0), VC_ENOENT);
    assert_int_equal(vc_virtio_console_resize(g.c, 0, 80, 25), VC_ENOENT);
    assert_int_equal(vc_virtio_console_host(g.c, 0, true), VC_ENOENT);
    assert_int_equal(vc_virtio_console_add(g.c, 0, &port), VC_OK);
    assert_int_equal(vc_virtio_console_add(g.c, 0, &port), VC_EBUSY);
    assert_int_equal(vc_virtio_console_remove(g.c, RIG_PORTS), VC_ENOENT);
    assert_int_equal(vc_virtio_console_resize(g.c, RIG_PORTS, 80, 25), VC_ENOENT);
    assert_int_equal(vc_virtio_console_host(g.c, UINT32_MAX, true), VC_ENOENT);
    assert_false(vc_virtio_console_guest_open(g.c, 0));
    assert_false(vc_virtio_console_guest_open(g.c, UINT32_MAX));
    vc_virtio_console_serve(g.c);
    assert_string_equal(g.events, "");
    rig_boot(&g, RIG_ALL);
    rig_lend(&g, VIRTIO_CONSOLE_CONTROL_RX, NULL, 72);
    rig_lend(&g, VIRTIO_CONSOLE_CONTROL_RX, NULL, 72);
    rig_lend(&g, VIRTIO_CONSOLE_CONTROL_TX, &(struct virtio_console_control){0, VIRTIO_CONSOLE_PORT_READY, 1}, 8);
    {
        char heard[128];

        rig_heard(&g, heard, sizeof heard); /* the longest name that there may be */
        assert_string_equal(heard, "name0: name of sixty-five bytes, one more than there is room for in it open0:1");
    }
    assert_false(vc_virtio_console_guest_open(g.c, 0));
    rig_lend(&g, VIRTIO_CONSOLE_CONTROL_TX, &(struct virtio_console_control){0, VIRTIO_CONSOLE_PORT_OPEN, 1}, 8);
    assert_true(vc_virtio_console_guest_open(g.c, 0));
    rig_finish(&g);
}

static uint32_t sent(struct virtio_rig *g, uint32_t port, uint32_t n)
{
    static const uint8_t bytes[VC_VIRTIO_MUCH_BYTES];
    uint32_t kicks = g->kicks;

    rig_lend(g, VIRTIO_CONSOLE_TX(port), bytes, n);
    rig_collect(g);
    return g->kicks - kicks;
}
static uint32_t lent(struct virtio_rig *g, uint32_t port)
{
    return g->queues[VIRTIO_CONSOLE_TX(port)].size - g->queues[VIRTIO_CONSOLE_TX(port)].free_count;
}
static void look(struct virtio_rig *g)
{
    vc_virtio_console_serve(g->c);
    rig_collect(g);
    g->events[0] = '\0';
}

static void who_sends_much_is_looked_at_in_a_while(void **state)
{
    struct vc_virtio_console_config config = {.ports = RIG_PORTS};
    struct vc_virtio_port_config console = {.console = true}, port = {.name = "port"};
    static struct virtio_rig g;

    (void)state;
    rig_begin(&g, &config);
    assert_int_equal(vc_virtio_console_add(g.c, 0, &console), VC_OK);
    assert_int_equal(vc_virtio_console_add(g.c, 1, &port), VC_OK);
    rig_boot(&g, RIG_ALL);
    look(&g);
    for (int i = 0; i < 3; i++) { /* whoever sends little is heard each time, and so is a console */
        assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES - 1), 1);
        assert_int_equal(sent(&g, 0, VC_VIRTIO_MUCH_BYTES), 1);
    }
    assert_string_equal(g.events, "");
    assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 1);
    assert_string_equal(g.events, "while");
    for (uint32_t i = 1; i < RIG_SIZE / 2; i++) {
        assert_int_equal(sent(&g, 1, 1), 0);
        assert_int_equal(lent(&g, 1), i);
    }
    assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 1); /* half of the queue */
    assert_int_equal(lent(&g, 1), 0);
    assert_string_equal(g.events, "while while");
    assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 0);
    vc_virtio_console_serve(g.c); /* the while is over, and there was much: another one */
    assert_string_equal(g.events, "while while while");
    assert_int_equal(sent(&g, 1, 1), 0);
    look(&g); /* little */
    assert_int_equal(lent(&g, 1), 0);
    assert_int_equal(sent(&g, 1, 1), 1);
    rig_finish(&g);
}

static void begin_with_a_port(struct virtio_rig *g)
{
    struct vc_virtio_console_config config = {.ports = RIG_PORTS};
    struct vc_virtio_port_config port = {.name = "port"};

    rig_begin(g, &config);
    assert_int_equal(vc_virtio_console_add(g->c, 1, &port), VC_OK);
    rig_boot(g, RIG_ALL);
    look(g);
}

/* Two at a time: such a driver does not wait for the first. */
static void sends_on(struct virtio_rig *g)
{
    assert_int_equal(sent(g, 1, VC_VIRTIO_MUCH_BYTES), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sent(g, 1, VC_VIRTIO_MUCH_BYTES), 0);
    vc_virtio_console_serve(g->c);
    rig_collect(g);
    assert_int_equal(lent(g, 1), 2); /* used, not shown */
}

static void who_sends_on_has_buffers_back_by_half_queues(void **state)
{
    static struct virtio_rig g;

    (void)state;
    begin_with_a_port(&g);
    sends_on(&g);
    for (uint32_t i = 2; i < RIG_SIZE / 2; i++) {
        assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 0);
        vc_virtio_console_serve(g.c);
        rig_collect(&g);
        assert_int_equal(lent(&g, 1), i + 1 < RIG_SIZE / 2 ? i + 1 : 0);
    }
    assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 0);
    vc_virtio_console_serve(g.c);
    vc_virtio_console_output_room(g.c, 1); /* not the look that it waits for */
    rig_collect(&g);
    assert_int_equal(lent(&g, 1), 1);
    look(&g); /* nothing came */
    assert_int_equal(lent(&g, 1), 0);
    assert_int_equal(sent(&g, 1, 1), 1);
    assert_int_equal(lent(&g, 1), 0);
    rig_finish(&g);
}

/* While its line is full nothing is hurried; what is used is shown with what then goes on, or when the port goes. */
static void who_sends_on_is_held(void **state)
{
    static struct virtio_rig g;

    (void)state;
    for (int i = 0; i < 3; i++) {
        begin_with_a_port(&g);
        sends_on(&g);
        g.room = 0;
        assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 0);
        look(&g);
        look(&g);
        assert_int_equal(lent(&g, 1), 3);
        g.room = i == 0 ? VC_VIRTIO_MUCH_BYTES : i == 1 ? 1 : 0;
        if (i == 2)
            assert_int_equal(vc_virtio_console_remove(g.c, 1), VC_OK);
        else
            vc_virtio_console_output_room(g.c, 1);
        rig_collect(&g);
        assert_int_equal(lent(&g, 1), i == 2 ? 0 : 3);
        g.room = UINT32_MAX;
        vc_virtio_console_output_room(g.c, 1);
        look(&g);
        look(&g);
        assert_int_equal(lent(&g, 1), 0);
        rig_finish(&g);
    }
}

/* A console's driver spins, whatever it did before: of what its line takes no more nothing else is kept. */
static void a_console_that_is_held_has_back_what_is_used(void **state)
{
    static const uint8_t bytes[VC_VIRTIO_MUCH_BYTES];
    struct vc_virtio_console_config config = {.ports = RIG_PORTS};
    struct vc_virtio_port_config console = {.console = true};
    static struct virtio_rig g;

    (void)state;
    rig_begin(&g, &config);
    assert_int_equal(vc_virtio_console_add(g.c, 1, &console), VC_OK);
    rig_boot(&g, RIG_ALL);
    look(&g);
    g.room = 2 * sizeof bytes;
    for (int i = 0; i < 3; i++) {
        struct rig_buffer *b = rig_buffer(&g, sizeof bytes);
        struct virtqueue_buffer v = {b->gpa, b->n};

        assert_int_equal(virtqueue_lend(&g.queues[VIRTIO_CONSOLE_TX(1)], &v, 1, 0, b), VC_OK);
    }
    rig_show(&g, VIRTIO_CONSOLE_TX(1));
    rig_collect(&g);
    assert_int_equal(lent(&g, 1), 1);
    rig_finish(&g);
}

static void who_waits_for_each_is_heard_each_time(void **state)
{
    static const uint8_t bytes[VC_VIRTIO_MUCH_BYTES];
    static struct virtio_rig g;

    (void)state;
    begin_with_a_port(&g);
    for (uint32_t i = 0; i < VC_VIRTIO_TRIES; i += 2) {
        assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 1);
        assert_int_equal(lent(&g, 1), 0);
        assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 0); /* not heard: it waits now */
        look(&g);
        assert_int_equal(lent(&g, 1), 0);
        look(&g);
    }
    for (int i = 0; i < 2 * RIG_SIZE; i++)
        assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 1);
    assert_string_equal(g.events, "");
    for (int i = 0; i < 2; i++) { /* it has learnt to send on */
        struct rig_buffer *b = rig_buffer(&g, sizeof bytes);
        struct virtqueue_buffer v = {b->gpa, b->n};

        assert_int_equal(virtqueue_lend(&g.queues[VIRTIO_CONSOLE_TX(1)], &v, 1, 0, b), VC_OK);
    }
    rig_show(&g, VIRTIO_CONSOLE_TX(1));
    assert_string_equal(g.events, "while");
    rig_boot(&g, RIG_ALL); /* who knows who comes now */
    look(&g);
    assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 1);
    assert_int_equal(lent(&g, 1), 0);
    rig_finish(&g);
}

static void nobody_is_lazy_who_cannot_be(void **state)
{
    struct vc_virtio_console_config config = {.ports = RIG_PORTS};
    struct vc_virtio_port_config port = {.name = "port"};
    struct vc_virtio_console_env env = rig_env;
    static struct virtio_rig g;

    (void)state;
    for (int i = 0; i < 3; i++) { /* nobody looks in a while; there is no event index; the port is gone */
        rig_begin(&g, &config);
        env.in_a_while = i == 0 ? NULL : rig_env.in_a_while;
        assert_int_equal(vc_virtio_console_init(g.c, &config, &env, &g, g.memory), VC_OK);
        assert_int_equal(vc_virtio_console_add(g.c, 1, &port), VC_OK);
        rig_boot(&g, i == 1 ? RIG_PLAIN : RIG_ALL);
        look(&g);
        if (i == 2)
            assert_int_equal(vc_virtio_console_remove(g.c, 1), VC_OK);
        for (uint32_t n = 0; n < RIG_SIZE; n++)
            assert_int_equal(sent(&g, 1, VC_VIRTIO_MUCH_BYTES), 1);
        assert_string_equal(g.events, "");
        rig_finish(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_and_host_in_steps),
        cmocka_unit_test(rows_first),
        cmocka_unit_test(calls_that_are_refused),
        cmocka_unit_test(who_sends_much_is_looked_at_in_a_while),
        cmocka_unit_test(nobody_is_lazy_who_cannot_be),
        cmocka_unit_test(who_sends_on_has_buffers_back_by_half_queues),
        cmocka_unit_test(a_console_that_is_held_has_back_what_is_used),
        cmocka_unit_test(who_sends_on_is_held),
        cmocka_unit_test(who_waits_for_each_is_heard_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
