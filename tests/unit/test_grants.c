/* SPDX-License-Identifier: MIT */
/* Grant entries as a guest may fill them: public/grant_table.h. */
#include "unit.h"

#include "vmm/grants.h"
#include <stdlib.h>
#include <string.h>

struct rig {
    struct grants grants;
    struct grant_entry *frame; /* the first */
};

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->frame = aligned_alloc(GRANTS_FRAME_BYTES, GRANTS_FRAME_BYTES);
    memset(r->frame, 0, GRANTS_FRAME_BYTES);
    grants_init(&r->grants);
    assert_true(grants_add_frame(&r->grants, r->frame));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    free(r->frame);
    free(r);
    return 0;
}

enum { GTF_INVALID = 0, GTF_ACCEPT_TRANSFER = 2, GTF_TRANSITIVE = 3, GTF_SUB_PAGE = 1 << 8 };

static const struct {
    const char *name;
    struct grant_entry entry;
    bool taken;
} rows[] = {
    {"nothing", {GTF_INVALID, 0, 5}, false},
    {"granted to domain 0", {GTF_PERMIT_ACCESS, 0, 5}, true},
    {"to another domain", {GTF_PERMIT_ACCESS, 1, 5}, false},
    {"to itself by name", {GTF_PERMIT_ACCESS, 0x7ff0, 5}, false},
    {"read-only", {GTF_PERMIT_ACCESS | GTF_READONLY, 0, 5}, false},
    {"a transfer", {GTF_ACCEPT_TRANSFER, 0, 5}, false},
    {"of type 3", {GTF_TRANSITIVE, 0, 5}, false},
    {"with marks set before", {GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING, 0, 5}, true},
    {"with flags that version 1 does not look at", {GTF_PERMIT_ACCESS | GTF_SUB_PAGE, 0, 5}, true},
    {"any frame", {GTF_PERMIT_ACCESS, 0, UINT32_MAX}, true},
};

static void which_entries_may_be_used(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct grant_entry *e = &r->frame[GRANTS_PER_FRAME - 1];
        uint64_t gfn = 99;

        *e = rows[i].entry;
        if (grants_pin(&r->grants, GRANTS_PER_FRAME - 1, &gfn) != rows[i].taken)
            fail_msg("%s", rows[i].name);
        assert_int_equal(gfn, rows[i].taken ? rows[i].entry.frame : 0);
        if (!rows[i].taken) {
            assert_memory_equal(e, &rows[i].entry, sizeof *e); /* unmarked */
            continue;
        }
        assert_int_equal(e->flags, rows[i].entry.flags | GTF_READING | GTF_WRITING);
        grants_unpin(&r->grants, GRANTS_PER_FRAME - 1);
        assert_int_equal(e->flags, rows[i].entry.flags & ~(GTF_READING | GTF_WRITING));
    }
}

static void references_beyond_the_table(void **state)
{
    static const uint32_t refs[] = {GRANTS_PER_FRAME, GRANTS_PER_FRAME * GRANTS_FRAMES_MAX, 0x80000000, UINT32_MAX};
    struct rig *r = *state;
    uint64_t gfn;

    for (size_t i = 0; i < N_ROWS(refs); i++) {
        assert_false(grants_pin(&r->grants, refs[i], &gfn));
        assert_false(grants_seed(&r->grants, refs[i], 1));
        grants_unpin(&r->grants, refs[i]);
    }
}

static void frames_are_limited(void **state)
{
    struct rig *r = *state;

    for (uint32_t i = 1; i < GRANTS_FRAMES_MAX; i++)
        assert_true(grants_add_frame(&r->grants, r->frame));
    assert_false(grants_add_frame(&r->grants, r->frame));
}

static void marks_stay_until_the_last_use(void **state)
{
    struct rig *r = *state;
    uint64_t gfn;

    assert_true(grants_seed(&r->grants, GRANT_CONSOLE, 0xfeffc));
    assert_false(grants_seed(&r->grants, GRANT_CONSOLE, 1ull << 32));
    assert_true(grants_pin(&r->grants, GRANT_CONSOLE, &gfn));
    assert_int_equal(gfn, 0xfeffc);
    assert_true(grants_pin(&r->grants, GRANT_CONSOLE, &gfn));
    grants_unpin(&r->grants, GRANT_CONSOLE);
    assert_int_equal(r->frame[0].flags, GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
    grants_unpin(&r->grants, GRANT_CONSOLE);
    assert_int_equal(r->frame[0].flags, GTF_PERMIT_ACCESS);
    grants_unpin(&r->grants, GRANT_CONSOLE); /* once too often */
    assert_int_equal(r->frame[0].flags, GTF_PERMIT_ACCESS);
    assert_true(grants_pin(&r->grants, GRANT_CONSOLE, &gfn));
    r->frame[0] = (struct grant_entry){0}; /* the guest takes it back all the same */
    grants_unpin(&r->grants, GRANT_CONSOLE);
    assert_int_equal(r->frame[0].flags, 0);
}

static void so_many_at_once(void **state)
{
    struct rig *r = *state;
    uint64_t gfn;

    for (uint32_t i = 0; i <= GRANTS_PINS_MAX; i++) {
        assert_true(grants_seed(&r->grants, i, i));
        assert_int_equal(grants_pin(&r->grants, i, &gfn), i < GRANTS_PINS_MAX);
    }
    assert_int_equal(r->frame[GRANTS_PINS_MAX].flags, GTF_PERMIT_ACCESS);
    grants_unpin(&r->grants, 3);
    assert_true(grants_pin(&r->grants, GRANTS_PINS_MAX, &gfn));
    grants_reset(&r->grants);
    assert_int_equal(r->frame[0].flags, 0);
    assert_false(grants_pin(&r->grants, 0, &gfn));
    assert_true(grants_seed(&r->grants, 0, 1) && grants_pin(&r->grants, 0, &gfn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(which_entries_may_be_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(references_beyond_the_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_stay_until_the_last_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(so_many_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
