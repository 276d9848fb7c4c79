/* SPDX-License-Identifier: MIT */
/* The backend's state machine: what hvc_xen does, what a hostile frontend does in any order, and that it always comes to rest. */
#include "unit.h"

#include "../../xen/backend.h"
#include "random.h"

static void table(void **state)
{
    static const struct {
        const char *what;
        struct backend_view view;
        enum backend_act act;
        uint32_t say;
    } rows[] = {
        {"made by the toolstack", {1, 1, true, false, false, false, false}, BACKEND_SAY, 2},
        {"nothing from the guest yet", {2, 1, true, false, false, false, false}, BACKEND_WAIT, 2},
        {"its ring is there", {2, 3, true, false, false, false, false}, BACKEND_ATTACH, 0},
        {"and mapped", {2, 3, true, true, false, false, false}, BACKEND_SAY, 4},
        {"both connected", {4, 4, true, true, false, false, false}, BACKEND_WAIT, 4},
        {"we were killed and are back", {4, 4, true, false, false, false, false}, BACKEND_ATTACH, 0},
        {"it closes", {4, 5, true, true, false, false, false}, BACKEND_DETACH, 0},
        {"still mapped", {4, 5, true, false, true, false, false}, BACKEND_WAIT, 4},
        {"unmapped", {4, 5, true, false, false, false, false}, BACKEND_SAY, 6},
        {"closed on both sides", {6, 6, true, false, false, false, false}, BACKEND_WAIT, 6},
        {"its driver comes again", {6, 1, true, false, false, false, false}, BACKEND_SAY, 2},
        {"another kernel, without a word", {4, 1, true, true, false, false, false}, BACKEND_DETACH, 0},
        {"another ring", {4, 3, true, true, false, true, false}, BACKEND_DETACH, 0},
        {"another ring, too late", {4, 4, true, true, false, true, false}, BACKEND_WAIT, 4},
        {"connected before it has a ring to name", {2, 4, true, false, false, false, false}, BACKEND_ATTACH, 0},
        {"states of other devices", {4, 7, true, true, false, false, false}, BACKEND_WAIT, 4},
        {"no state at all", {2, 4000000000u, true, false, false, false, false}, BACKEND_WAIT, 2},
        {"to be removed", {4, 4, false, true, false, false, false}, BACKEND_SAY, 5},
        {"the guest thinks about it", {5, 4, false, true, false, false, false}, BACKEND_WAIT, 5},
        {"and agrees", {5, 6, false, true, false, false, false}, BACKEND_DETACH, 0},
        {"or never does", {5, 4, false, true, false, false, true}, BACKEND_DETACH, 0},
        {"unmapped for good", {5, 6, false, false, false, false, false}, BACKEND_SAY, 6},
        {"over", {6, 6, false, false, false, false, false}, BACKEND_REMOVE, 0},
        {"over, against its will", {6, 4, false, false, false, false, true}, BACKEND_REMOVE, 0},
        {"removed before it began", {2, 1, false, false, false, false, false}, BACKEND_SAY, 6},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint32_t say;
        enum backend_act act = backend_next(&rows[i].view, &say);

        if (act != rows[i].act || (rows[i].say != 0 && say != rows[i].say))
            fail_msg("%s: act %d, say %u", rows[i].what, (int)act, say);
    }
}

/* What the caller does: the world as it is after an act. False: there is no more to do. */
static bool apply(struct backend_view *v)
{
    uint32_t say;
    enum backend_act act = backend_next(v, &say);

    switch (act) {
    case BACKEND_WAIT: return false;
    case BACKEND_ATTACH:
        assert_false(v->attached || v->leaving || !v->online);
        v->attached = true;
        v->moved = false;
        return true;
    case BACKEND_DETACH:
        assert_true(v->attached && !v->leaving);
        v->attached = false;
        v->leaving = true;
        return true;
    case BACKEND_SAY:
        assert_true(say != v->backend);
        assert_true(say == 2 || say == 4 || say == 5 || say == 6);
        assert_true(say != 4 || v->attached);
        assert_true(say != 6 || !v->attached);
        v->backend = say;
        return true;
    case BACKEND_REMOVE: assert_false(v->attached || v->leaving || v->online); return false;
    }
    return false;
}

/* Every state, in every order: it rests after a few steps, whatever was before, and never does what it may not. */
static void walks(void **state)
{
    uint64_t r = 7; /* a failing walk is the same each time */
    struct backend_view v = {.backend = 1, .frontend = 1, .online = true};

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint32_t n = random_below(&r, 12);
        int steps = 0;

        if (n < 10)
            v.frontend = n;
        else if (n == 10)
            v.frontend = random_below(&r, UINT32_MAX);
        else
            v.moved = v.attached;
        v.online = random_below(&r, 8) != 0;
        v.impatient = !v.online && random_below(&r, 2) == 0;
        while (apply(&v)) {
            if (++steps > 8)
                fail_msg("it never rests at frontend %u", v.frontend);
            v.leaving = v.leaving && random_below(&r, 2) == 0;
        }
        v.leaving = false;
        if (!v.online && v.impatient) {
            while (apply(&v))
                v.leaving = false;
            assert_false(v.attached);
            assert_int_equal(v.backend, 6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(walks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
