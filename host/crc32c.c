/* SPDX-License-Identifier: MIT */
#include "crc32c.h"
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78) /* 0x1EDC6F41, bits reversed */

static uint32_t slices[8][256]; /* slices[k][b]: the effect of byte b with k zero bytes behind it */
static pthread_once_t slices_once = PTHREAD_ONCE_INIT;

static void slices_fill(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        slices[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            slices[k][b] = (slices[k - 1][b] >> 8) ^ slices[0][slices[k - 1][b] & 0xff];
}

uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    pthread_once(&slices_once, slices_fill);
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = slices[7][crc & 0xff] ^ slices[6][crc >> 8 & 0xff] ^ slices[5][crc >> 16 & 0xff] ^ slices[4][crc >> 24] ^
              slices[3][p[4]] ^ slices[2][p[5]] ^ slices[1][p[6]] ^ slices[0][p[7]];
    }
    for (; n > 0; n--, p++)
        crc = (crc >> 8) ^ slices[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined __x86_64__
#include <immintrin.h>

/* The instruction takes 3 cycles but starts each cycle: three streams at once use it fully. */
#define STREAM_BYTES ((size_t)2048)

static uint32_t zeros[4][256]; /* zeros[k]: what STREAM_BYTES zero bytes make of byte k of a crc */
static pthread_once_t zeros_once = PTHREAD_ONCE_INIT;

static void zeros_fill(void)
{
    pthread_once(&slices_once, slices_fill);
    for (int k = 0; k < 4; k++)
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t crc = b << (8 * k);

            for (size_t i = 0; i < STREAM_BYTES; i++)
                crc = (crc >> 8) ^ slices[0][crc & 0xff];
            zeros[k][b] = crc;
        }
}

static uint32_t shift(uint32_t crc)
{
    return zeros[0][crc & 0xff] ^ zeros[1][crc >> 8 & 0xff] ^ zeros[2][crc >> 16 & 0xff] ^ zeros[3][crc >> 24];
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* crc here and below: the state, without the inversions at both ends. */
__attribute__((target("sse4.2"))) static uint32_t tail(uint64_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8)
        crc = _mm_crc32_u64(crc, load64(p));
    for (; n > 0; n--, p++)
        crc = _mm_crc32_u8((uint32_t)crc, *p);
    return (uint32_t)crc;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_streams(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t a = (uint32_t)~crc;

    pthread_once(&zeros_once, zeros_fill);
    for (; n >= 3 * STREAM_BYTES; n -= 3 * STREAM_BYTES, p += 3 * STREAM_BYTES) {
        uint64_t b = 0, c = 0;

        for (size_t i = 0; i < STREAM_BYTES; i += 8) {
            a = _mm_crc32_u64(a, load64(p + i));
            b = _mm_crc32_u64(b, load64(p + STREAM_BYTES + i));
            c = _mm_crc32_u64(c, load64(p + 2 * STREAM_BYTES + i));
        }
        a = shift(shift((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    return ~tail(a, p, n);
}

/*
 * Folding, after Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009): 16
 * bytes that stand d bytes before others are multiplied by x^(8d) and added to these. In the reversed order of bits a
 * carry-less product of 64 by 32 bits comes out 33 bits too high, so the factors are x^(8d + 64 - 33) for the first 8
 * bytes, which weigh x^64 more, and x^(8d - 33) for the others.
 */
#define WIDE_BYTES ((size_t)256)

static __m128i fold_256, fold_64, fold_16; /* the two factors for d = 256, 64, 16 */
static pthread_once_t folds_once = PTHREAD_ONCE_INIT;

static uint32_t power(unsigned n) /* x^n modulo the polynomial, bits reversed */
{
    uint32_t value = UINT32_C(1) << 31;

    while (n-- > 0)
        value = (value >> 1) ^ ((value & 1) != 0 ? POLYNOMIAL : 0);
    return value;
}

static __m128i factors(unsigned d) { return _mm_set_epi64x(power(8 * d - 33), power(8 * d + 31)); }

static void folds_fill(void)
{
    fold_256 = factors(256);
    fold_64 = factors(64);
    fold_16 = factors(16);
}

#define WIDE __attribute__((target("sse4.2,pclmul,avx512f,avx512dq,vpclmulqdq")))

WIDE static __m512i fold(__m512i x, __m512i k, __m512i onto)
{
    __m512i first = _mm512_clmulepi64_epi128(x, k, 0x00), second = _mm512_clmulepi64_epi128(x, k, 0x11);

    return _mm512_xor_si512(_mm512_xor_si512(first, second), onto);
}

WIDE static __m128i fold_small(__m128i x, __m128i k, __m128i onto)
{
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), onto);
}

/* 64 bytes into a crc: one of 16 bytes that are congruent to them. */
WIDE static uint32_t reduce(__m512i x)
{
    __m128i y = _mm512_extracti64x2_epi64(x, 0);

    y = fold_small(y, fold_16, _mm512_extracti64x2_epi64(x, 1));
    y = fold_small(y, fold_16, _mm512_extracti64x2_epi64(x, 2));
    y = fold_small(y, fold_16, _mm512_extracti64x2_epi64(x, 3));
    return (uint32_t)_mm_crc32_u64(_mm_crc32_u64(0, (uint64_t)_mm_extract_epi64(y, 0)),
                                   (uint64_t)_mm_extract_epi64(y, 1));
}

WIDE static uint32_t crc32c_wide(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    __m512i x[4], k;

    if (n < WIDE_BYTES)
        return ~tail((uint32_t)~crc, p, n);
    pthread_once(&folds_once, folds_fill);
    for (size_t i = 0; i < 4; i++)
        x[i] = _mm512_loadu_si512(p + 64 * i);
    x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
    k = _mm512_broadcast_i64x2(fold_256);
    for (p += WIDE_BYTES, n -= WIDE_BYTES; n >= WIDE_BYTES; p += WIDE_BYTES, n -= WIDE_BYTES)
        for (size_t i = 0; i < 4; i++)
            x[i] = fold(x[i], k, _mm512_loadu_si512(p + 64 * i));
    k = _mm512_broadcast_i64x2(fold_64);
    return ~tail(reduce(fold(fold(fold(x[0], k, x[1]), k, x[2]), k, x[3])), p, n);
}

unsigned crc32c_ways(crc32c_way *ways[CRC32C_WAYS])
{
    unsigned n = 0;

    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("vpclmulqdq"))
        ways[n++] = crc32c_wide;
    if (__builtin_cpu_supports("sse4.2"))
        ways[n++] = crc32c_streams;
    ways[n++] = crc32c_plain;
    return n;
}

#elif defined __aarch64__
#include <arm_acle.h>
#include <sys/auxv.h>

#define HAVE_CRC32 (1ul << 7) /* HWCAP_CRC32, Linux arch/arm64 uapi asm/hwcap.h */

__attribute__((target("+crc"))) static uint32_t crc32c_arm(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;

        memcpy(&v, p, sizeof v);
        crc = __crc32cd(crc, v);
    }
    for (; n > 0; n--, p++)
        crc = __crc32cb(crc, *p);
    return ~crc;
}

unsigned crc32c_ways(crc32c_way *ways[CRC32C_WAYS])
{
    unsigned n = 0;

    if ((getauxval(AT_HWCAP) & HAVE_CRC32) != 0)
        ways[n++] = crc32c_arm;
    ways[n++] = crc32c_plain;
    return n;
}

#else

unsigned crc32c_ways(crc32c_way *ways[CRC32C_WAYS])
{
    ways[0] = crc32c_plain;
    return 1;
}

#endif

static crc32c_way *best;
static pthread_once_t best_once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    crc32c_way *ways[CRC32C_WAYS];

    (void)crc32c_ways(ways);
    best = ways[0];
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    pthread_once(&best_once, choose);
    return best(crc, bytes, n);
}
