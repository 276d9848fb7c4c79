/* SPDX-License-Identifier: MIT */
#include "host/crc32c.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static crc32c_way *ways[CRC32C_WAYS];
static unsigned n_ways;

static void vectors_of_the_rfc(void **state)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    static const char check[] = "123456789";

    (void)state;
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    const struct {
        const char *name;
        const void *bytes;
        size_t n;
        uint32_t crc;
    } rows[] = {
        /* RFC 3720 appendix B.4, as numbers; the check value is the catalogue's for CRC-32/ISCSI. */
        {"32 zeros", zeros, 32, 0x8a9136aa}, {"32 ones", ones, 32, 0x62a8ab43},     {"0 to 31", up, 32, 0x46dd794e},
        {"31 to 0", down, 32, 0x113fdb5c},   {"check value", check, 9, 0xe3069283}, {"nothing", zeros, 0, 0},
    };
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (unsigned w = 0; w < n_ways; w++)
            if (ways[w](0, rows[i].bytes, rows[i].n) != rows[i].crc)
                fail_msg("%s: way %u of %u", rows[i].name, w, n_ways);
    assert_int_equal(crc32c(0, check, 9), 0xe3069283);
}

static void all_ways_agree_at_every_length_and_place(void **state)
{
    enum { N = 40000 };
    uint8_t *bytes = malloc(N);
    uint32_t seed = 1;

    (void)state;
    assert_non_null(bytes);
    for (int i = 0; i < N; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    for (size_t n = 0; n < 20000; n += n < 1100 ? 1 : 997) /* beyond three streams of 2,048 bytes, several times */
        for (size_t at = 0; at < 16; at += 5) {
            uint32_t crc = crc32c_plain(7, bytes + at, n);

            for (unsigned w = 0; w < n_ways; w++)
                if (ways[w](7, bytes + at, n) != crc)
                    fail_msg("%zu bytes at %zu: way %u of %u", n, at, w, n_ways);
        }
    for (size_t cut = 0; cut <= N; cut += 1111)
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, N - cut), crc32c_plain(0, bytes, N));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc),
        cmocka_unit_test(all_ways_agree_at_every_length_and_place),
    };

    n_ways = crc32c_ways(ways);
    print_message("%u ways on this machine\n", n_ways);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
