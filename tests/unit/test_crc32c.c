/* SPDX-License-Identifier: MIT */
#include "service/crc32c.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

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
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        if (crc32c(0, rows[i].bytes, rows[i].n) != rows[i].crc)
            fail_msg("%s: fast", rows[i].name);
        if (crc32c_plain(0, rows[i].bytes, rows[i].n) != rows[i].crc)
            fail_msg("%s: plain", rows[i].name);
    }
}

static void fast_and_plain_agree_at_every_length_and_place(void **state)
{
    enum { N = 40000 };
    uint8_t *bytes = malloc(N);
    uint32_t seed = 1;

    (void)state;
    assert_non_null(bytes);
    for (int i = 0; i < N; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    for (size_t n = 0; n < 20000; n += n < 200 ? 1 : 997) /* beyond three streams of 2,048 bytes, several times */
        for (size_t at = 0; at < 16; at += 3)
            if (crc32c(7, bytes + at, n) != crc32c_plain(7, bytes + at, n))
                fail_msg("%zu bytes at %zu", n, at);
    for (size_t cut = 0; cut <= N; cut += 1111)
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, N - cut), crc32c_plain(0, bytes, N));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc),
        cmocka_unit_test(fast_and_plain_agree_at_every_length_and_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
