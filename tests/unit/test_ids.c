/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <vcons/ids.h>

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(vc_ids_bytes(0), 0);
    assert_int_equal(vc_ids_bytes(1), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
