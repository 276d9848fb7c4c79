/* SPDX-License-Identifier: MIT */
/* Numbers: lowest first, recycled, and at a million live ones the same as a naive model. */
#include "random.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/ids.h>

static void *create(struct vc_ids *ids, uint32_t start, uint32_t count)
{
    void *memory = malloc(vc_ids_bytes(count)); /* exactly as large: the address sanitizer sees any step outside */

    assert_non_null(memory);
    assert_int_equal(vc_ids_init(ids, start, count, memory), VC_OK);
    return memory;
}

static void sizes(void **state)
{
    static const struct {
        uint32_t count;
        size_t words; /* of each level, added up by hand */
    } rows[] = {{0, 0},
                {1, 1},
                {64, 1},
                {65, 2 + 1},
                {4096, 64 + 1},
                {4097, 65 + 2 + 1},
                {1u << 18, 4096 + 64 + 1},
                {VC_IDS_MAX, 262144 + 4096 + 64 + 1},
                {VC_IDS_MAX + 1, 0},
                {UINT32_MAX, 0}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (vc_ids_bytes(rows[i].count) != rows[i].words * 8)
            fail_msg("%u numbers: %zu bytes", rows[i].count, vc_ids_bytes(rows[i].count));
}

static void init_refuses(void **state)
{
    static const struct {
        const char *name;
        uint32_t start, count;
        int error;
    } rows[] = {
        {"no numbers", 0, 0, VC_EINVAL},
        {"more than the most", 0, VC_IDS_MAX + 1, VC_EINVAL},
        {"the last passes 2^32 - 1", UINT32_MAX, 2, VC_EINVAL},
        {"the last is 2^32 - 1", UINT32_MAX - 1, 2, VC_OK},
    };
    uint64_t memory[1];
    struct vc_ids ids;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (vc_ids_init(&ids, rows[i].start, rows[i].count, memory) != rows[i].error)
            fail_msg("%s", rows[i].name);
}

static void counts_up_and_refuses_when_all_are_live(void **state)
{
    static const uint32_t counts[] = {1, 63, 64, 65, 4095, 4096, 4097, 70000};

    (void)state;
    for (size_t i = 0; i < N_ROWS(counts); i++) {
        struct vc_ids ids;
        void *memory = create(&ids, 5, counts[i]);
        uint32_t id = 0;

        for (uint32_t n = 0; n < counts[i]; n++) {
            assert_int_equal(vc_ids_alloc(&ids, &id), VC_OK);
            assert_int_equal(id, 5 + n);
        }
        id = 12345;
        assert_int_equal(vc_ids_alloc(&ids, &id), VC_ENOSPC);
        assert_int_equal(id, 12345);
        assert_int_equal(vc_ids_free(&ids, 5 + counts[i] / 2), VC_OK);
        assert_int_equal(vc_ids_alloc(&ids, &id), VC_OK);
        assert_int_equal(id, 5 + counts[i] / 2);
        assert_int_equal(vc_ids_alloc(&ids, &id), VC_ENOSPC);
        free(memory);
    }
}

static void strange_numbers_are_refused(void **state)
{
    static const uint32_t foreign[] = {0, 9, 110, 111, 0x7fffffff, 0x80000000, UINT32_MAX};
    struct vc_ids ids;
    void *memory = create(&ids, 10, 100);

    (void)state;
    for (size_t i = 0; i < N_ROWS(foreign); i++) {
        assert_int_equal(vc_ids_free(&ids, foreign[i]), VC_EINVAL);
        assert_int_equal(vc_ids_claim(&ids, foreign[i]), VC_EINVAL);
        assert_false(vc_ids_live(&ids, foreign[i]));
    }
    assert_int_equal(vc_ids_free(&ids, 50), VC_ENOENT);
    assert_int_equal(vc_ids_claim(&ids, 50), VC_OK);
    assert_int_equal(vc_ids_claim(&ids, 50), VC_EBUSY);
    assert_true(vc_ids_live(&ids, 50));
    assert_int_equal(vc_ids_free(&ids, 50), VC_OK);
    assert_int_equal(vc_ids_free(&ids, 50), VC_ENOENT);
    free(memory);
}

struct model { /* the naive one: a byte a number, and the lowest free by looking */
    uint8_t *live;
    uint32_t count, lowest; /* none below lowest is free */
};

static uint32_t model_lowest(struct model *m)
{
    const uint8_t *at = memchr(m->live + m->lowest, 0, m->count - m->lowest);

    return m->lowest = at != NULL ? (uint32_t)(at - m->live) : m->count;
}

static void one_move(struct vc_ids *ids, struct model *m, uint32_t start, uint64_t *seed)
{
    uint32_t n = random_below(seed, m->count), id, free_one;

    switch (random_below(seed, 4)) {
    case 0:
        assert_int_equal(vc_ids_free(ids, start + n), m->live[n] ? VC_OK : VC_ENOENT);
        m->live[n] = 0;
        m->lowest = n < m->lowest ? n : m->lowest;
        break;
    case 1:
        assert_int_equal(vc_ids_claim(ids, start + n), m->live[n] ? VC_EBUSY : VC_OK);
        m->live[n] = 1;
        break;
    case 2: assert_int_equal(vc_ids_live(ids, start + n), m->live[n]); break;
    default:
        free_one = model_lowest(m);
        assert_int_equal(vc_ids_alloc(ids, &id), free_one < m->count ? VC_OK : VC_ENOSPC);
        if (free_one < m->count) {
            assert_int_equal(id, start + free_one);
            m->live[free_one] = 1;
        }
    }
}

static void equals_a_naive_model(void **state)
{
    static const struct {
        uint32_t start, count, moves;
    } rows[] = {{0, 1, 1000}, {7, 100, 200000}, {1, 5000, 300000}, {UINT32_MAX - 1199999, 1200000, 500000}};
    uint64_t seed = 4711;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_ids ids;
        void *memory = create(&ids, rows[i].start, rows[i].count);
        struct model m = {calloc(rows[i].count, 1), rows[i].count, 0};
        uint32_t id;

        assert_non_null(m.live);
        for (uint32_t n = 0; n < rows[i].count / 6 * 5; n++) { /* a million live ones in the last row */
            assert_int_equal(vc_ids_alloc(&ids, &id), VC_OK);
            m.live[n] = 1;
        }
        for (uint32_t n = 0; n < rows[i].moves; n++)
            one_move(&ids, &m, rows[i].start, &seed);
        free(m.live);
        free(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(init_refuses),
        cmocka_unit_test(counts_up_and_refuses_when_all_are_live),
        cmocka_unit_test(strange_numbers_are_refused),
        cmocka_unit_test(equals_a_naive_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
