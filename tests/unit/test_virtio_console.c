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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_and_host_in_steps),
        cmocka_unit_test(rows_first),
        cmocka_unit_test(calls_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
