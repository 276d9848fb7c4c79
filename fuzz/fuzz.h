/* SPDX-License-Identifier: MIT */
/* fuzz.h: how a target takes numbers from its input, and says that something must hold. */
#ifndef VCONS_FUZZ_H
#define VCONS_FUZZ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next n bytes, 0..8, little-endian; zero where the input has ended. */
static inline uint64_t take(struct input *in, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n && in->left > 0; i++, in->at++, in->left--)
        value |= (uint64_t)*in->at << (8 * i);
    return value;
}

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
