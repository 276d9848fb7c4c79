/* SPDX-License-Identifier: MIT */
/* The fourth of the functions that a freestanding compiler may call: the same on every processor. The others are in string.c. */
#include <stdint.h>
#include <string.h>

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}
