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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_and_host_in_steps),
        cmocka_unit_test(rows_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
