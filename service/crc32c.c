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
#include <nmmintrin.h>

/* The instruction takes 3 cycles but starts each cycle: three streams at once use it fully. */
#define STREAM_BYTES 2048u

static uint32_t zeros[4][256]; /* zeros[k]: what STREAM_BYTES zero bytes make of byte k of a crc */
static pthread_once_t zeros_once = PTHREAD_ONCE_INIT;

static void zeros_fill(void)
{
    for (int k = 0; k < 4; k++)
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t crc = b << (8 * k);

            for (uint32_t i = 0; i < STREAM_BYTES; i++)
                crc = (crc >> 8) ^ slices[0][crc & 0xff];
            zeros[k][b] = crc;
        }
}

static void tables_fill(void)
{
    pthread_once(&slices_once, slices_fill);
    zeros_fill();
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

__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t a = ~crc;

    for (; n >= 3 * STREAM_BYTES; n -= 3 * STREAM_BYTES, p += 3 * STREAM_BYTES) {
        uint64_t b = 0, c = 0;

        for (uint32_t i = 0; i < STREAM_BYTES; i += 8) {
            a = _mm_crc32_u64(a, load64(p + i));
            b = _mm_crc32_u64(b, load64(p + STREAM_BYTES + i));
            c = _mm_crc32_u64(c, load64(p + 2 * STREAM_BYTES + i));
        }
        a = shift(shift((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    for (; n >= 8; n -= 8, p += 8)
        a = _mm_crc32_u64(a, load64(p));
    for (; n > 0; n--, p++)
        a = _mm_crc32_u8((uint32_t)a, *p);
    return ~(uint32_t)a;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    if (!__builtin_cpu_supports("sse4.2"))
        return crc32c_plain(crc, bytes, n);
    pthread_once(&zeros_once, tables_fill);
    return crc32c_fast(crc, bytes, n);
}

#elif defined __aarch64__
#include <arm_acle.h>
#include <sys/auxv.h>

#define HAVE_CRC32 (1ul << 7) /* HWCAP_CRC32, Linux arch/arm64 uapi asm/hwcap.h */

__attribute__((target("+crc"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *p, size_t n)
{
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

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    return (getauxval(AT_HWCAP) & HAVE_CRC32) != 0 ? crc32c_fast(crc, bytes, n) : crc32c_plain(crc, bytes, n);
}

#else

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n) { return crc32c_plain(crc, bytes, n); }

#endif
