/* SPDX-License-Identifier: MIT */
#include "pages.h"
#include "arm64.h"

#define ENTRIES  512u
#define N_TABLES 16u /* of blocks of 2 MiB; what needs more stays a device */
#define GIB      (UINT64_C(1) << 30)
#define BLOCK    (UINT64_C(2) << 20)

enum { BLOCK_ENTRY = 1, TABLE_ENTRY = 3, DEVICE = 1 << 2, INNER_SHAREABLE = 3 << 8, ACCESSED = 1 << 10 };
#define NO_EXECUTE    (UINT64_C(3) << 53)
#define NORMAL_ENTRY  (BLOCK_ENTRY | INNER_SHAREABLE | ACCESSED)
#define DEVICE_ENTRY  (BLOCK_ENTRY | DEVICE | ACCESSED | NO_EXECUTE)
#define ADDRESS_OF(e) ((e)&UINT64_C(0x0000fffffffff000))

extern uint64_t arm64_tables[];
_Alignas(4096) uint64_t arm64_tables[(1 + N_TABLES) * ENTRIES]; /* the first is of blocks of 1 GiB */
static uint32_t n_tables;
struct tree arm64_tree;

/* The blocks of 2 MiB of this GiB, one by one from now on; NULL: no table is left. */
static uint64_t *split(uint64_t *entry, uint64_t base)
{
    uint64_t old = *entry, *table;

    if ((old & TABLE_ENTRY) == TABLE_ENTRY)
        return (uint64_t *)(uintptr_t)ADDRESS_OF(old);
    if (n_tables == N_TABLES)
        return NULL;
    table = arm64_tables + (++n_tables) * ENTRIES;
    for (uint64_t i = 0; i < ENTRIES; i++)
        table[i] = base + i * BLOCK + (old & ~ADDRESS_OF(UINT64_MAX));
    return table;
}

static void replace(uint64_t *entry, uint64_t value)
{
    if (*entry == value)
        return;
    *(volatile uint64_t *)entry = 0; /* break before make: no two translations of one address at a time */
    __asm__ volatile("dsb ishst; tlbi vmalle1is; dsb ish; isb" : : : "memory");
    *(volatile uint64_t *)entry = value;
    __asm__ volatile("dsb ishst; isb" : : : "memory");
}

/* The GiB at base, as far as it lies in from..end. */
static bool map_in_gib(uint64_t base, uint64_t from, uint64_t end)
{
    uint64_t *entry = &arm64_tables[base / GIB], *table;
    bool live = (*entry & TABLE_ENTRY) == TABLE_ENTRY;

    if (from <= base && end - base >= GIB) {
        replace(entry, base | NORMAL_ENTRY);
        return true;
    }
    if ((*entry & ~ADDRESS_OF(UINT64_MAX)) == NORMAL_ENTRY)
        return true;
    table = split(entry, base);
    if (table == NULL)
        return false;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t at = base + i * BLOCK;

        if (at + BLOCK > from && at < end && live)
            replace(&table[i], at | NORMAL_ENTRY);
        else if (at + BLOCK > from && at < end)
            table[i] = at | NORMAL_ENTRY;
    }
    replace(entry, (uint64_t)(uintptr_t)table | TABLE_ENTRY);
    return true;
}

bool arm64_map_memory(uint64_t address, uint64_t bytes)
{
    uint64_t end = address + bytes;

    if (address >= TREE_ADDRESS_END || bytes > TREE_ADDRESS_END - address)
        return false;
    for (uint64_t base = address & -GIB; base < end; base += GIB)
        if (!map_in_gib(base, address, end))
            return false;
    return true;
}

void arm64_map_all(const void *dtb)
{
    for (uint64_t i = 0; i < ENTRIES; i++)
        arm64_tables[i] = i * GIB | DEVICE_ENTRY;
    tree_read(&arm64_tree, dtb);
    for (uint32_t i = 0; i < arm64_tree.n_rams; i++)
        arm64_map_memory(arm64_tree.rams[i].base, arm64_tree.rams[i].bytes);
    arm64_map_memory((uintptr_t)arm64_tables, sizeof arm64_tables); /* this image, whatever the tree may say */
}

bool arm64_is_ram(uint64_t address, uint64_t bytes)
{
    for (uint32_t i = 0; i < arm64_tree.n_rams; i++) {
        const struct tree_range *r = &arm64_tree.rams[i];

        if (address >= r->base && address - r->base < r->bytes && bytes <= r->bytes - (address - r->base))
            return true;
    }
    return false;
}
