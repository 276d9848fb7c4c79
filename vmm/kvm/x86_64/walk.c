/* SPDX-License-Identifier: MIT */
#include "walk.h"
#include <string.h>

#define CR0_WP   (UINT64_C(1) << 16)
#define CR0_PG   (UINT64_C(1) << 31)
#define CR4_PSE  (UINT64_C(1) << 4)
#define CR4_PAE  (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

#define ENTRY_PRESENT  UINT64_C(0x01)
#define ENTRY_WRITE    UINT64_C(0x02)
#define ENTRY_ACCESSED UINT64_C(0x20)
#define ENTRY_DIRTY    UINT64_C(0x40)
#define ENTRY_LARGE    UINT64_C(0x80)
#define ENTRY_FRAME    UINT64_C(0x000ffffffffff000)

struct format { /* of page tables */
    unsigned levels, index_bits;
    size_t entry_bytes;
    unsigned large; /* levels, as bits, that may have large pages; the lowest is 0 */
    bool pdpt;      /* the highest has four entries without rights or Accessed */
};

static struct format format_of(const struct walk_mode *mode)
{
    if ((mode->efer & EFER_LMA) != 0)
        return (struct format){
            .levels = (mode->cr4 & CR4_LA57) != 0 ? 5 : 4, .index_bits = 9, .entry_bytes = 8, .large = 6};
    if ((mode->cr4 & CR4_PAE) != 0)
        return (struct format){.levels = 3, .index_bits = 9, .entry_bytes = 8, .large = 2, .pdpt = true};
    return (struct format){
        .levels = 2, .index_bits = 10, .entry_bytes = 4, .large = (mode->cr4 & CR4_PSE) != 0 ? 2 : 0};
}

/* Bits of addresses that are translated; above them a 64-bit one repeats the highest. */
static bool is_canonical(const struct format *f, uint64_t gva)
{
    unsigned bits = 12 + f->levels * f->index_bits;
    uint64_t above = gva >> (bits - 1);

    return f->levels < 4 || above == 0 || above == UINT64_MAX >> (bits - 1);
}

static uint64_t load(const void *entry, size_t bytes)
{
    return bytes == 8 ? __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED)
                      : __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
}

/* Accessed and Dirty of an entry that was read as value. False: it is another by now. */
static bool mark(void *entry, size_t bytes, uint64_t value, uint64_t bits)
{
    uint32_t narrow = (uint32_t)value;

    if ((value & bits) == bits)
        return true;
    if (bytes == 8)
        return __atomic_compare_exchange_n((uint64_t *)entry, &value, value | bits, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n((uint32_t *)entry, &narrow, narrow | (uint32_t)bits, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

/* Where a page that an entry names begins; of 4 MiB without PAE bits 32-39 stand in 13-20. */
static uint64_t frame(const struct format *f, uint64_t entry, unsigned shift)
{
    uint64_t offset = (UINT64_C(1) << shift) - 1;

    if (f->entry_bytes == 4 && shift > 12)
        return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    return entry & ENTRY_FRAME & ~offset;
}

enum step { STEP_DOWN, STEP_FOUND, STEP_NOWHERE, STEP_CHANGED };

/* One level, from the table at *at: to the next table, or the page. */
static enum step step(const struct guest_memory *m, const struct format *f, unsigned level, uint64_t gva, bool write,
                      bool guarded, uint64_t *at)
{
    unsigned shift = 12 + level * f->index_bits;
    bool is_top_of_pae = f->pdpt && level + 1 == f->levels;
    uint64_t index = gva >> shift & ((is_top_of_pae ? 4u : 1u << f->index_bits) - 1), entry;
    bool is_page;
    void *place = memory_at(m, *at + index * f->entry_bytes, f->entry_bytes);

    if (place == NULL)
        return STEP_NOWHERE;
    entry = load(place, f->entry_bytes);
    if ((entry & ENTRY_PRESENT) == 0 || (write && guarded && !is_top_of_pae && (entry & ENTRY_WRITE) == 0))
        return STEP_NOWHERE;
    is_page = level == 0 || ((entry & ENTRY_LARGE) != 0 && (f->large >> level & 1) != 0);
    if (!is_top_of_pae && !mark(place, f->entry_bytes, entry, ENTRY_ACCESSED | (is_page && write ? ENTRY_DIRTY : 0)))
        return STEP_CHANGED;
    *at = frame(f, entry, is_page ? shift : 12);
    if (is_page)
        *at += gva & ((UINT64_C(1) << shift) - 1);
    return is_page ? STEP_FOUND : STEP_DOWN;
}

static uint64_t root(const struct format *f, uint64_t cr3)
{
    if (f->levels >= 4)
        return cr3 & ENTRY_FRAME;
    return cr3 & (f->pdpt ? 0xffffffe0 : 0xfffff000);
}

bool walk(const struct guest_memory *m, const struct walk_mode *mode, uint64_t gva, bool write, uint64_t *gpa)
{
    struct format f = format_of(mode);
    bool guarded = (mode->cr0 & CR0_WP) != 0;
    enum step found = STEP_DOWN;
    unsigned again = 0;

    if ((mode->cr0 & CR0_PG) == 0) {
        *gpa = gva;
        return true;
    }
    if (!is_canonical(&f, gva))
        return false;
    do { /* a guest that changes its tables all the time gets nothing */
        *gpa = root(&f, mode->cr3);
        for (unsigned level = f.levels; level > 0; level--)
            if ((found = step(m, &f, level - 1, gva, write, guarded, gpa)) != STEP_DOWN)
                break;
    } while (found == STEP_CHANGED && again++ < 16);
    return found == STEP_FOUND;
}
