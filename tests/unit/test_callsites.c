/* SPDX-License-Identifier: MIT */
/* The two places of a kernel that call Xen: found where they stand once as a pair, patched, and refused where they do not. */
#include "../../vmm/kvm/x86_64/callsites.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#define PADDR UINT64_C(0x1000000)
#define VADDR UINT64_C(0xffffffff81000000)

enum { TEXT = 4096 };

struct piece {
    size_t at;
    uint8_t bytes[4];
};
#define AMD_JUMP                                                                                                       \
    {                                                                                                                  \
        0x0f, 0x01, 0xd9, 0xe9                                                                                         \
    }
#define AMD_RET                                                                                                        \
    {                                                                                                                  \
        0x0f, 0x01, 0xd9, 0xc3                                                                                         \
    }
#define INTEL_JUMP                                                                                                     \
    {                                                                                                                  \
        0x0f, 0x01, 0xc1, 0xe9                                                                                         \
    }
#define INTEL_RET                                                                                                      \
    {                                                                                                                  \
        0x0f, 0x01, 0xc1, 0xc3                                                                                         \
    }

static const struct {
    const char *name;
    struct piece pieces[4];
    unsigned n_pieces, n_sites;
    size_t amd, intel; /* where, when found */
    bool refused, in_data;
} rows[] = {
    {.name = "nothing at all"},
    {.name = "as in Debian's 6.1: jumps to the return thunk",
     .pieces = {{0xdb0, AMD_JUMP}, {0xdc0, INTEL_JUMP}},
     .n_pieces = 2,
     .n_sites = 2,
     .amd = 0xdb0,
     .intel = 0xdc0},
    {.name = "plain returns, the other way round",
     .pieces = {{64, INTEL_RET}, {128, AMD_RET}},
     .n_pieces = 2,
     .n_sites = 2,
     .amd = 128,
     .intel = 64},
    {.name = "at the very beginning and the very end of 68 bytes",
     .pieces = {{0, AMD_RET}, {63, INTEL_RET}},
     .n_pieces = 2,
     .n_sites = 2,
     .amd = 0,
     .intel = 63},
    {.name = "the last bytes of the segment",
     .pieces = {{TEXT - 20, AMD_RET}, {TEXT - 4, INTEL_RET}},
     .n_pieces = 2,
     .n_sites = 2,
     .amd = TEXT - 20,
     .intel = TEXT - 4},
    {.name = "one alone", .pieces = {{0xdb0, AMD_JUMP}}, .n_pieces = 1},
    {.name = "the other alone", .pieces = {{0xdb0, INTEL_JUMP}}, .n_pieces = 1},
    {.name = "far apart", .pieces = {{0x100, AMD_JUMP}, {0x200, INTEL_JUMP}}, .n_pieces = 2},
    {.name = "instructions in the middle of a function",
     .pieces = {{0x100, {0x0f, 0x01, 0xd9, 0x90}}, {0x110, INTEL_RET}},
     .n_pieces = 2},
    {.name = "the pair, and a lone one that is data",
     .pieces = {{0x100, AMD_RET}, {0x110, INTEL_RET}, {0x800, AMD_RET}},
     .n_pieces = 3,
     .n_sites = 2,
     .amd = 0x100,
     .intel = 0x110},
    {.name = "two pairs",
     .pieces = {{0x100, AMD_RET}, {0x110, INTEL_RET}, {0x800, INTEL_JUMP}, {0x810, AMD_JUMP}},
     .n_pieces = 4,
     .refused = true},
    {.name = "one with two partners",
     .pieces = {{0x100, AMD_RET}, {0x110, INTEL_RET}, {0x120, INTEL_RET}},
     .n_pieces = 3,
     .refused = true},
    {.name = "the pair in data", .pieces = {{0x100, AMD_RET}, {0x110, INTEL_RET}}, .n_pieces = 2, .in_data = true},
};

static struct elf *elf_of(size_t row)
{
    struct elf *elf = calloc(1, sizeof *elf);
    uint8_t *text = malloc(TEXT); /* its own, so that one byte behind it is seen */

    if (elf == NULL || text == NULL)
        abort();
    memset(text, 0x90, TEXT);
    for (unsigned i = 0; i < rows[row].n_pieces; i++)
        memcpy(text + rows[row].pieces[i].at, rows[row].pieces[i].bytes, 4);
    elf->bytes = text;
    elf->n_bytes = TEXT;
    elf->n_segments = 1;
    elf->segments[0] = (struct elf_segment){
        .paddr = PADDR, .vaddr = VADDR, .file_bytes = TEXT, .memory_bytes = TEXT, .executable = !rows[row].in_data};
    return elf;
}

static void drop(struct elf *elf)
{
    free((void *)(uintptr_t)elf->bytes);
    free(elf);
}

static void one_pair_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct elf *elf = elf_of(i);
        struct call_sites sites;
        const char *why = callsites_find(elf, &sites);

        if ((why != NULL) != rows[i].refused)
            fail_msg("%s: %s", rows[i].name, why != NULL ? why : "taken");
        if (why == NULL && sites.n != rows[i].n_sites)
            fail_msg("%s: %u found", rows[i].name, sites.n);
        if (why == NULL && sites.n == 2) {
            assert_int_equal(sites.at[0].paddr, PADDR + rows[i].amd);
            assert_int_equal(sites.at[0].vaddr, VADDR + rows[i].amd);
            assert_int_equal(sites.at[1].paddr, PADDR + rows[i].intel);
            assert_int_equal(sites.at[1].vaddr, VADDR + rows[i].intel);
        }
        drop(elf);
    }
}

static void patched_and_known_again(void **state)
{
    const struct call_sites sites = {2, {{0x10, VADDR + 0x10}, {0x20, VADDR + 0x20}}};
    const uint8_t patched[] = {0xe6, 0x2a, 0x90, 0x00};
    uint8_t memory[0x30] = {0};

    (void)state;
    callsites_patch(&sites, memory, 0x2a);
    assert_memory_equal(memory + 0x10, patched, 4);
    assert_memory_equal(memory + 0x20, patched, 4);
    memset(memory + 0x10, 0, 3);
    memset(memory + 0x20, 0, 3);
    for (size_t i = 0; i < sizeof memory; i++) /* nothing else was touched */
        assert_int_equal(memory[i], 0);
    for (uint64_t i = 0; i < sizeof memory; i++) {
        bool at = i == 0x10 || i == 0x20 || i == 0x12 || i == 0x22; /* at the out, or behind it */

        assert_int_equal(callsites_has(&sites, i), at);
        assert_int_equal(callsites_has(&sites, VADDR + i), at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_pair_and_no_more),
        cmocka_unit_test(patched_and_known_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
