/* SPDX-License-Identifier: MIT */
/* The guest's reader of device trees: sizes in the header are right, so that all else is reached; the rest is the input's. */
#include "arm64/tree.h"
#include "fuzz.h"

enum { HEADER = 40 };

static void be32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    size_t strings = take(&in, 1);
    struct tree t = {0};
    uint8_t *dtb;

    strings = strings < in.left ? strings : in.left;
    dtb = calloc(1, HEADER + in.left);
    require(dtb != NULL);
    be32(dtb, 0xd00dfeed);
    be32(dtb + 4, (uint32_t)(HEADER + in.left));
    be32(dtb + 8, HEADER);
    be32(dtb + 12, (uint32_t)(HEADER + in.left - strings));
    be32(dtb + 32, (uint32_t)strings);
    be32(dtb + 36, (uint32_t)(in.left - strings));
    memcpy(dtb + HEADER, in.at, in.left);
    require(tree_read(&t, dtb));
    require(t.n_rams <= TREE_RAMS && t.n_uarts <= TREE_UARTS && t.n_cpus <= TREE_CPUS);
    require(memchr(t.cmdline, '\0', sizeof t.cmdline) != NULL);
    free(dtb);
    return 0;
}
