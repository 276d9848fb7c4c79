/* SPDX-License-Identifier: MIT */
#include "start_info.h"
#include <vcons/wire/pvh.h>

static void read_cmdline(struct start_info *info, const struct platform *platform, uint64_t gpa)
{
    /* A byte at a time: the text may end just before memory does. */
    for (size_t n = 0; n < START_INFO_CMDLINE_BYTES - 1; n++) {
        const char *c = platform->map(platform->ctx, gpa + n, 1);

        if (c == NULL || *c == '\0')
            return;
        info->cmdline[n] = *c;
    }
}

static void read_memmap(struct start_info *info, const struct platform *platform, const struct hvm_start_info *start)
{
    for (uint32_t i = 0; i < start->memmap_entries && i < 64; i++) {
        const struct hvm_memmap_table_entry *entry =
            platform->map(platform->ctx, start->memmap_paddr + i * sizeof *entry, sizeof *entry);

        if (entry != NULL && entry->type == XEN_HVM_MEMMAP_TYPE_RAM)
            info->ram_bytes += entry->size;
    }
}

void start_info_read(struct start_info *info, const struct platform *platform, uint64_t gpa)
{
    const struct hvm_start_info *start = platform->map(platform->ctx, gpa, sizeof *start);

    *info = (struct start_info){0};
    if (start == NULL || start->magic != XEN_HVM_START_MAGIC_VALUE)
        return;
    if (start->cmdline_paddr != 0)
        read_cmdline(info, platform, start->cmdline_paddr);
    if (start->version >= 1 && start->memmap_paddr != 0)
        read_memmap(info, platform, start);
}
