/* SPDX-License-Identifier: MIT */
#include "bzimage.h"
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    HEADER = 0x202,
    VERSION = 0x206,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    HEADER_END = 0x250
};
#define SECTOR_BYTES     512u
#define VERSION_PAYLOAD  0x0208u               /* boot.rst: the payload fields are there since 2.08 */
#define XZ_MEMORY        (UINT64_C(256) << 20) /* for the dictionary; Linux's own scripts use 32 MiB at most */
#define LZ4_BLOCK_BYTES  (8u << 20)            /* of the legacy frame, unpacked; the last is smaller */
#define LZ4_LEGACY_MAGIC 0x184c2102u
#define DAMAGED_PAYLOAD  "damaged: what it holds cannot be unpacked"

struct payload {
    const uint8_t *bytes;
    size_t n_bytes;      /* without the size behind it */
    size_t kernel_bytes; /* of what is inside, as that size says */
};

struct format {
    const char *name;
    uint8_t magic[6];
    size_t magic_bytes;
    bool (*unpack)(const struct payload *p, uint8_t *kernel); /* false: not exactly kernel_bytes came out */
};

static uint32_t u32(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

static uint16_t u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static bool unpack_gzip(const struct payload *p, uint8_t *kernel)
{
    /* zlib's type has no const; it does not write there. */
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p->bytes,
                  .avail_in = (uInt)p->n_bytes,
                  .next_out = kernel,
                  .avail_out = (uInt)p->kernel_bytes};
    bool ok;

    if (inflateInit2(&z, 15 + 16) != Z_OK) /* a gzip header, any window */
        return false;
    ok = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == p->kernel_bytes;
    inflateEnd(&z);
    return ok;
}

static bool unpack_xz(const struct payload *p, uint8_t *kernel)
{
    uint64_t memory = XZ_MEMORY;
    size_t in = 0, out = 0;

    return lzma_stream_buffer_decode(&memory, 0, NULL, p->bytes, &in, p->n_bytes, kernel, &out, p->kernel_bytes) ==
               LZMA_OK &&
           out == p->kernel_bytes;
}

static bool unpack_zstd(const struct payload *p, uint8_t *kernel)
{
    size_t frame = ZSTD_findFrameCompressedSize(p->bytes, p->n_bytes);

    return !ZSTD_isError(frame) && ZSTD_decompress(kernel, p->kernel_bytes, p->bytes, frame) == p->kernel_bytes;
}

/* The frame has no end mark: blocks, each with its length before it, until the file ends. */
static bool unpack_lz4(const struct payload *p, uint8_t *kernel)
{
    size_t at = 4, out = 0;

    while (p->n_bytes - at >= 4) {
        uint32_t block = u32(p->bytes + at);
        size_t room = p->kernel_bytes - out < LZ4_BLOCK_BYTES ? p->kernel_bytes - out : LZ4_BLOCK_BYTES;
        int n;

        at += 4;
        if (block == LZ4_LEGACY_MAGIC) /* another frame behind the first */
            continue;
        if (block == 0 || block > p->n_bytes - at || block > LZ4_COMPRESSBOUND(LZ4_BLOCK_BYTES))
            return false;
        n = LZ4_decompress_safe((const char *)p->bytes + at, (char *)kernel + out, (int)block, (int)room);
        if (n <= 0)
            return false;
        at += block;
        out += (size_t)n;
    }
    return out == p->kernel_bytes;
}

static const struct format formats[] = {
    {"gzip", {0x1f, 0x8b}, 2, unpack_gzip},
    {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, unpack_xz},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, unpack_zstd},
    {"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, unpack_lz4},
};

static const struct format *format_of(const struct payload *p)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (p->n_bytes >= formats[i].magic_bytes && memcmp(p->bytes, formats[i].magic, formats[i].magic_bytes) == 0)
            return &formats[i];
    return NULL;
}

bool bzimage_is(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= HEADER_END && u16(bytes + BOOT_FLAG) == 0xaa55 && memcmp(bytes + HEADER, "HdrS", 4) == 0;
}

static const char *find_payload(const uint8_t *bytes, size_t n_bytes, size_t max_bytes, struct payload *p)
{
    uint64_t sectors = bytes[SETUP_SECTS] != 0 ? bytes[SETUP_SECTS] : 4; /* boot.rst: 0 stands for 4 */
    uint64_t at = (sectors + 1) * SECTOR_BYTES + u32(bytes + PAYLOAD_OFFSET), length = u32(bytes + PAYLOAD_LENGTH);

    if (u16(bytes + VERSION) < VERSION_PAYLOAD)
        return "a bzImage older than boot protocol 2.08, which does not say where its kernel is";
    if (length < 4 || at > n_bytes || length > n_bytes - at)
        return "damaged: the kernel in the bzImage lies outside the file (cut short?)";
    *p = (struct payload){bytes + at, (size_t)length - 4, u32(bytes + at + length - 4)};
    if (format_of(p) == NULL)
        return "a bzImage packed in a way that is not known here; gzip, xz, zstd and lz4 are";
    if (format_of(p)->unpack == unpack_gzip)
        p->n_bytes += 4; /* RFC 1952: gzip's own last field is that size */
    if (p->kernel_bytes == 0 || p->kernel_bytes > max_bytes)
        return "damaged: the kernel in the bzImage is empty, or larger than any that can be loaded";
    return NULL;
}

const char *bzimage_check(const uint8_t *bytes, size_t n_bytes, size_t max_bytes)
{
    struct payload p;

    return bzimage_is(bytes, n_bytes) ? find_payload(bytes, n_bytes, max_bytes, &p) : "not a bzImage";
}

const char *bzimage_unpack(const uint8_t *bytes, size_t n_bytes, size_t max_bytes, uint8_t **kernel,
                           size_t *kernel_bytes)
{
    struct payload p;
    const char *why;

    *kernel = NULL;
    if (!bzimage_is(bytes, n_bytes))
        return "not a bzImage";
    why = find_payload(bytes, n_bytes, max_bytes, &p);
    if (why != NULL)
        return why;
    *kernel = malloc(p.kernel_bytes);
    if (*kernel == NULL)
        return "out of memory";
    *kernel_bytes = p.kernel_bytes;
    if (format_of(&p)->unpack(&p, *kernel))
        return NULL;
    free(*kernel);
    *kernel = NULL;
    return DAMAGED_PAYLOAD;
}
