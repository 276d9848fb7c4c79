/* SPDX-License-Identifier: MIT */
/* walk.h: where a kernel's addresses are, for each format of page tables, and where it may not write. */
#include "../../vmm/kvm/x86_64/walk.h"
#include "unit.h"

#define PAGE     UINT64_C(0x1000)
#define TABLE(n) ((n)*PAGE) /* table number n lies at that page; the first is cr3's */
#define MEMORY   (UINT64_C(8) << 20)

#define P    1u
#define W    2u
#define U    4u
#define A    0x20u
#define D    0x40u
#define PS   0x80u
#define NX   (UINT64_C(1) << 63)
#define CR0  (UINT64_C(1) << 31) /* paging */
#define WP   (CR0 | UINT64_C(1) << 16)
#define PSE  (UINT64_C(1) << 4)
#define PAE  (UINT64_C(1) << 5)
#define LA57 (UINT64_C(1) << 12)
#define LONG (UINT64_C(1) << 10)

static struct guest_memory memory;

struct entry {
    uint64_t at, value;
};

static void put(const struct entry *e, size_t bytes) { assert_true(memory_write(&memory, e->at, &e->value, bytes)); }

static uint64_t get(uint64_t at, size_t bytes)
{
    uint64_t value = 0;

    assert_true(memory_read(&memory, at, &value, bytes));
    return value;
}

static int make(void **state)
{
    struct problem problem;

    (void)state;
    return memory_create_pc(&memory, MEMORY, &problem);
}

static int unmake(void **state)
{
    (void)state;
    memory_destroy(&memory);
    return 0;
}

#define NOWHERE UINT64_MAX

static const struct {
    const char *what;
    struct walk_mode mode;
    struct entry entries[5];
    uint64_t gva, reads, writes; /* where it is found */
} rows[] = {
    {"no paging", {.cr0 = 1}, {{0}}, 0x12345, 0x12345, 0x12345},
    {"no paging, behind 4 GiB", {.cr0 = 1}, {{0}}, 0x100000000, 0x100000000, 0x100000000},

    {"4 levels",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W},
      {TABLE(2) + 8, TABLE(3) | P | W},
      {TABLE(3) + 16, TABLE(4) | P | W},
      {TABLE(4) + 24, TABLE(9) | P | W}},
     0x40403abc,
     TABLE(9) + 0xabc,
     TABLE(9) + 0xabc},
    {"4 levels, the upper half",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1) + 511 * 8, TABLE(2) | P | W},
      {TABLE(2) + 511 * 8, TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | P | W | NX}},
     0xffffffffc0000000,
     TABLE(9),
     TABLE(9)},
    {"4 levels, not canonical",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1) + 256 * 8, TABLE(2) | P | W},
      {TABLE(2), TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | P | W}},
     0x0000800000000000,
     NOWHERE,
     NOWHERE},
    {"4 levels, not present at the first", {WP, TABLE(1), PAE, LONG}, {{TABLE(1), TABLE(2) | W}}, 0, NOWHERE, NOWHERE},
    {"4 levels, not present at the last",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W},
      {TABLE(2), TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | W}},
     0,
     NOWHERE,
     NOWHERE},
    {"read-only page",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W},
      {TABLE(2), TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | P}},
     0,
     TABLE(9),
     NOWHERE},
    {"read-only at the first level",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P},
      {TABLE(2), TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | P | W}},
     0,
     TABLE(9),
     NOWHERE},
    {"read-only page, kernel may all the same",
     {CR0, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W},
      {TABLE(2), TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | P}},
     0,
     TABLE(9),
     TABLE(9)},
    {"a user's page",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W | U},
      {TABLE(2), TABLE(3) | P | W | U},
      {TABLE(3), TABLE(4) | P | W | U},
      {TABLE(4), TABLE(9) | P | W | U}},
     0,
     TABLE(9),
     TABLE(9)},
    {"2 MiB page",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W}, {TABLE(2), TABLE(3) | P | W}, {TABLE(3), 0x400000 | P | W | PS}},
     0x123456,
     0x523456,
     0x523456},
    {"2 MiB page, its PAT bit is no address",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W}, {TABLE(2), TABLE(3) | P | W}, {TABLE(3), 0x401000 | P | PS}},
     0x10,
     0x400010,
     NOWHERE},
    {"1 GiB page",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W}, {TABLE(2), P | W | PS}},
     0x765432,
     0x765432,
     0x765432},
    {"no page of 512 GiB",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W | PS}, {TABLE(2), P | W | PS}},
     0x76,
     0x76,
     0x76},
    {"PS at the last level is PAT",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W},
      {TABLE(2), TABLE(3) | P | W},
      {TABLE(3), TABLE(4) | P | W},
      {TABLE(4), TABLE(9) | P | W | PS}},
     5,
     TABLE(9) + 5,
     TABLE(9) + 5},
    {"a table outside memory",
     {WP, TABLE(1), PAE, LONG},
     {{TABLE(1), UINT64_C(0x80000000) | P | W}},
     0,
     NOWHERE,
     NOWHERE},
    {"cr3 outside memory", {WP, 0x000ffffffffff000, PAE, LONG}, {{0}}, 0, NOWHERE, NOWHERE},
    {"cr3 with flags and PCID",
     {WP, TABLE(1) | 0xfff | UINT64_C(1) << 63, PAE, LONG},
     {{TABLE(1), TABLE(2) | P | W}, {TABLE(2), P | W | PS}},
     1,
     1,
     1},
    {"5 levels",
     {WP, TABLE(1), PAE | LA57, LONG},
     {{TABLE(1) + 8, TABLE(2) | P | W}, {TABLE(2) + 8, TABLE(3) | P | W}, {TABLE(3), 0 | P | W | PS}},
     UINT64_C(1) << 48 | UINT64_C(1) << 39 | 7,
     7,
     7},
    {"5 levels, not canonical",
     {WP, TABLE(1), PAE | LA57, LONG},
     {{TABLE(1), TABLE(2) | P | W}},
     UINT64_C(1) << 57,
     NOWHERE,
     NOWHERE},

    {"PAE",
     {WP, TABLE(1) + 0x20, PAE, 0},
     {{TABLE(1) + 0x20 + 24, TABLE(2) | P}, {TABLE(2) + 8, TABLE(3) | P | W}, {TABLE(3) + 16, TABLE(9) | P | W}},
     0xc0202003,
     TABLE(9) + 3,
     TABLE(9) + 3},
    {"PAE, read-only",
     {WP, TABLE(1), PAE, 0},
     {{TABLE(1), TABLE(2) | P}, {TABLE(2), TABLE(3) | P}, {TABLE(3), TABLE(9) | P | W}},
     0,
     TABLE(9),
     NOWHERE},
    {"PAE, 2 MiB page",
     {WP, TABLE(1), PAE, 0},
     {{TABLE(1), TABLE(2) | P}, {TABLE(2), 0x200000 | P | W | PS}},
     0x1fffff,
     0x3fffff,
     0x3fffff},
    {"PAE, not present", {WP, TABLE(1), PAE, 0}, {{TABLE(1), TABLE(2)}}, 0, NOWHERE, NOWHERE},

    {"2 levels",
     {WP, TABLE(1), 0, 0},
     {{TABLE(1) + 4 * 768, TABLE(2) | P | W}, {TABLE(2) + 4 * 1023, TABLE(9) | P | W}},
     0xc03ff123,
     TABLE(9) + 0x123,
     TABLE(9) + 0x123},
    {"2 levels, read-only",
     {WP, TABLE(1), 0, 0},
     {{TABLE(1), TABLE(2) | P | W}, {TABLE(2), TABLE(9) | P}},
     0,
     TABLE(9),
     NOWHERE},
    {"2 levels, 4 MiB page", {WP, TABLE(1), PSE, 0}, {{TABLE(1), 0x400000 | P | W | PS}}, 0x3ffff0, 0x7ffff0, 0x7ffff0},
    {"2 levels, 4 MiB page behind 4 GiB",
     {WP, TABLE(1), PSE, 0},
     {{TABLE(1), 0x400000 | 1u << 13 | P | W | PS}},
     0x10,
     0x100400010,
     0x100400010},
    {"2 levels, PS without PSE",
     {WP, TABLE(1), 0, 0},
     {{TABLE(1), TABLE(2) | P | W | PS}, {TABLE(2), TABLE(9) | P | W}},
     0,
     TABLE(9),
     TABLE(9)},
};

static size_t width(const struct walk_mode *mode) { return (mode->cr4 & PAE) != 0 ? 8 : 4; }

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int write = 0; write <= 1; write++) {
            uint64_t wanted = write ? rows[i].writes : rows[i].reads, gpa = 0;

            assert_int_equal(memory_clear(&memory), 0);
            for (size_t e = 0; e < 5 && rows[i].entries[e].at != 0; e++)
                put(&rows[i].entries[e], width(&rows[i].mode));
            if (walk(&memory, &rows[i].mode, rows[i].gva, write, &gpa) != (wanted != NOWHERE) ||
                (wanted != NOWHERE && gpa != wanted))
                fail_msg("%s, %s: 0x%llx", rows[i].what, write ? "write" : "read", (unsigned long long)gpa);
        }
}

/* As the processor does: Accessed on the way, Dirty where it writes; nothing of a page that it may not write to is dirty. */
static void what_was_used_is_marked(void **state)
{
    const struct walk_mode mode = {WP, TABLE(1), PAE, LONG};
    const struct entry on_the_way[] = {
        {TABLE(1), TABLE(2) | P | W}, {TABLE(2), TABLE(3) | P | W}, {TABLE(3), TABLE(4) | P | W}};
    static const struct {
        uint64_t rights;
        bool write;
        uint64_t marks;
    } leaves[] = {{P | W, false, A}, {P | W, true, A | D}, {P, false, A}, {P, true, 0}, {W, true, 0}};
    uint64_t gpa;

    (void)state;
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        struct entry leaf = {TABLE(4), TABLE(9) | leaves[i].rights};

        for (size_t e = 0; e < 3; e++)
            put(&on_the_way[e], 8);
        put(&leaf, 8);
        walk(&memory, &mode, 0, leaves[i].write, &gpa);
        for (size_t e = 0; e < 3; e++)
            assert_int_equal(get(on_the_way[e].at, 8), on_the_way[e].value | A);
        assert_int_equal(get(leaf.at, 8), leaf.value | leaves[i].marks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_row, make, unmake),
        cmocka_unit_test_setup_teardown(what_was_used_is_marked, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
