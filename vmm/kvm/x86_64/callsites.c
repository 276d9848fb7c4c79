/* SPDX-License-Identifier: MIT */
#include "callsites.h"
#include <string.h>

#define CALL_BYTES 3u
#define OUT_BYTES  2u
#define NEAR       64u /* the two functions are aligned to 16 or 64 bytes and follow each other */

static const uint8_t amd[CALL_BYTES] = {0x0f, 0x01, 0xd9}, intel[CALL_BYTES] = {0x0f, 0x01, 0xc1};

/* A calling instruction with the end of its function behind it. */
static bool is_call(const uint8_t *at, const uint8_t call[CALL_BYTES])
{
    return memcmp(at, call, CALL_BYTES) == 0 && (at[CALL_BYTES] == 0xc3 || at[CALL_BYTES] == 0xe9);
}

static const char *add_pair(struct call_sites *sites, const struct elf_segment *s, uint64_t first, uint64_t second)
{
    if (sites->n > 0)
        return "has several places that look like Xen's hypercalls, and only one can be";
    sites->at[0] = (struct call_site){s->paddr + first, s->vaddr + first};
    sites->at[1] = (struct call_site){s->paddr + second, s->vaddr + second};
    sites->n = 2;
    return NULL;
}

/* bytes: what the file has of the segment, n of them; at: where an AMD call is. */
static const char *find_partners(struct call_sites *sites, const struct elf_segment *s, const uint8_t *bytes,
                                 uint64_t n, uint64_t at)
{
    uint64_t from = at > NEAR ? at - NEAR : 0, to = n - at > NEAR ? at + NEAR : n;
    const char *why = NULL;

    for (uint64_t i = from; why == NULL && i < to && n - i > CALL_BYTES; i++)
        if (is_call(bytes + i, intel))
            why = add_pair(sites, s, at, i);
    return why;
}

static const char *scan(struct call_sites *sites, const struct elf_segment *s, const uint8_t *bytes)
{
    uint64_t n = s->file_bytes, at = 0;
    const char *why = NULL;
    const uint8_t *found;

    while (why == NULL && n - at > CALL_BYTES && (found = memmem(bytes + at, n - at, amd, CALL_BYTES)) != NULL) {
        at = (uint64_t)(found - bytes);
        if (n - at > CALL_BYTES && is_call(found, amd))
            why = find_partners(sites, s, bytes, n, at);
        at++;
    }
    return why;
}

const char *callsites_find(const struct elf *elf, struct call_sites *sites)
{
    const char *why = NULL;

    *sites = (struct call_sites){0};
    for (unsigned i = 0; why == NULL && i < elf->n_segments; i++)
        if (elf->segments[i].executable)
            why = scan(sites, &elf->segments[i], elf->bytes + elf->segments[i].offset);
    return why;
}

void callsites_patch(const struct call_sites *sites, uint8_t *memory, uint8_t port)
{
    const uint8_t call[CALL_BYTES] = {0xe6, port, 0x90}; /* out %al, $port; nop */

    for (unsigned i = 0; i < sites->n; i++)
        memcpy(memory + sites->at[i].paddr, call, CALL_BYTES);
}

static bool stands_at(uint64_t rip, uint64_t site) { return rip == site || rip == site + OUT_BYTES; }

bool callsites_has(const struct call_sites *sites, uint64_t rip)
{
    for (unsigned i = 0; i < sites->n; i++)
        if (stands_at(rip, sites->at[i].vaddr) || stands_at(rip, sites->at[i].paddr))
            return true;
    return false;
}
