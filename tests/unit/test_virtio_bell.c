/* SPDX-License-Identifier: MIT */
/* Doorbells of virtio-consoles: which notifications the loop takes. */
#include "unit.h"
#include "virtio_domain.h"

enum { IO, CONSOLE, LOG, OTHER }; /* consoles; the last three are ports 0 to 2 of device 0 */
enum { PORT_LOG = 1, PORT_OTHER = 2 };

static struct world *make_world(uint32_t no_bells)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->bells = true;
    w->no_bells = no_bells;
    w->config.hold_ms = 1000;
    world_config(w, "io", DOOR_CONSOLE_IO, 0);
    world_config(w, "console", DOOR_VIRTIO, 0);
    world_config(w, "log", DOOR_VIRTIO_PORT, 0);
    world_config(w, "other", DOOR_VIRTIO_PORT, 0);
    world_start(w, 4);
    assert_int_equal(world_boot(w, 0), VC_OK);
    world_settle(w);
    virtio_port_open(world_port(w, 0, PORT_LOG), true);
    virtio_port_open(world_port(w, 0, PORT_OTHER), true);
    world_settle(w);
    w->rung = w->notified = 0;
    return w;
}

static int make(void **state)
{
    *state = make_world(0);
    return 0;
}

static int unmake(void **state)
{
    world_finish(*state);
    return 0;
}

static void ports_ring_and_consoles_do_not(void **state)
{
    struct world *w = *state;

    world_print(w, 0, PORT_LOG, "to a port");
    assert_int_equal(w->rung, 1);
    world_said(w, LOG, "");
    world_settle(w);
    world_said(w, LOG, "to a port");
    world_print(w, 0, 0, "to a console"); /* whose driver spins until that is used */
    assert_int_equal(w->notified, 1);
    world_said(w, CONSOLE, "to a console");
    assert_int_equal(w->rung, 1);
}

/* It says not who it was. */
static void all_that_rang_are_heard(void **state)
{
    struct world *w = *state;

    world_print(w, 0, PORT_OTHER, "this");
    world_print(w, 0, PORT_LOG, "and that");
    assert_int_equal(w->rung, 2);
    world_settle(w);
    world_said(w, OTHER, "this");
    world_said(w, LOG, "and that");
    for (unsigned i = 0; i < 20; i++) {
        world_print(w, 0, PORT_LOG, "again");
        world_settle(w);
        world_said(w, LOG, "again");
    }
    assert_int_equal(w->rung, 22);
    assert_int_equal(w->notified, 0);
}

/* A new run has those of its own. */
static void the_doorbells_end_with_the_run(void **state)
{
    struct world *w = *state;
    struct virtio_bell *bell = &w->domain.virtio.devices[0].bell;

    assert_int_equal(bell->ports[0], 1u << PORT_LOG | 1u << PORT_OTHER);
    virtio_close(&w->domain);
    assert_int_equal(bell->ports[0], 0);
    assert_int_equal(eventfd_write(bell->fd, 1), 0); /* one that came last */
    uv_run(&w->vmm.loop, UV_RUN_NOWAIT);
    assert_false(bell->missed);
}

static void a_port_that_goes_takes_its_doorbell(void **state)
{
    struct world *w = *state;
    struct problem problem;

    assert_true(w->fds[0][VIRTIO_CONSOLE_TX(PORT_LOG)] > 0);
    world_print(w, 0, PORT_LOG, "not heard any more");
    assert_int_equal(domain_console_remove(&w->domain, "log", &problem), 0);
    assert_int_equal(w->fds[0][VIRTIO_CONSOLE_TX(PORT_LOG)], 0);
    assert_true(w->fds[0][VIRTIO_CONSOLE_TX(PORT_OTHER)] > 0);
    world_print(w, 0, PORT_OTHER, "here");
    world_settle(w);
    world_said(w, OTHER, "here");
    assert_int_equal(w->guest->drivers[0].violations, 0);
}

/* A vCPU that has looked whether the port is there, and not yet heard that it goes. */
static void print_last(struct world *w)
{
    struct virtio_port *p = world_port(w, 0, PORT_LOG);
    struct virtqueue_buffer v = {world_gpa(w, p->out_bytes[0]), 16};
    struct virtio_io io = world_io(0);

    assert_int_equal(virtqueue_lend(&p->out, &v, 1, 0, p->out_bytes[0]), VC_OK);
    if (virtqueue_show(&p->out))
        io.write(&io, VIRTIO_MMIO_QUEUE_NOTIFY, 4, VIRTIO_CONSOLE_TX(PORT_LOG));
}

/* What nobody will look at any more is counted, and its buffer comes back: a driver may wait for that. */
static void what_rings_just_before_it_goes_is_heard(void **state)
{
    struct world *w = *state;
    struct problem problem;

    w->bell_goes = print_last;
    assert_int_equal(domain_console_remove(&w->domain, "log", &problem), 0);
    assert_int_equal(w->rung, 1);
    assert_int_equal(w->domain.virtio.devices[0].console.dropped, 16);
}

static void what_rings_while_it_is_saved_is_heard_after(void **state)
{
    struct world *w = *state;

    virtio_freeze(&w->domain, true);
    world_print(w, 0, PORT_LOG, "meanwhile");
    world_settle(w);
    world_said(w, LOG, "");
    virtio_freeze(&w->domain, false);
    world_settle(w);
    world_said(w, LOG, "meanwhile");
}

static void where_there_are_none_the_device_is_told(void **state)
{
    struct world *w = make_world(1);

    (void)state;
    world_print(w, 0, PORT_LOG, "by a register");
    world_said(w, LOG, "by a register");
    assert_int_equal(w->rung, 0);
    world_finish(w);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(ports_ring_and_consoles_do_not),
        TEST(all_that_rang_are_heard),
        TEST(the_doorbells_end_with_the_run),
        TEST(a_port_that_goes_takes_its_doorbell),
        TEST(what_rings_just_before_it_goes_is_heard),
        TEST(what_rings_while_it_is_saved_is_heard_after),
        cmocka_unit_test(where_there_are_none_the_device_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
