/* SPDX-License-Identifier: MIT */
/* bzImages: each way of packing, by the libraries that distributions pack with, and every kind of hostile header. */
#include "../../vmm/kvm/x86_64/bzimage.h"
#include "unit.h"
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { SETUP = 3 * 512, FILE_MAX = 16 << 20, INSIDE = 9000000, LIMIT = 256 << 20 }; /* more than one block of lz4's */

static uint8_t inside[INSIDE], file[FILE_MAX];

/* Not all alike, so that a piece in the wrong place shows. */
static void fill(void)
{
    uint32_t x = 1;

    for (size_t i = 0; i < sizeof inside; i++) {
        if (i % 64 == 0)
            x = x * 1664525 + 1013904223;
        inside[i] = (uint8_t)(x >> 24);
    }
}

static void put32(uint8_t *at, uint32_t v) { memcpy(at, &v, sizeof v); }

static size_t pack_gzip(uint8_t *to, size_t room)
{
    z_stream z = {.next_in = inside, .avail_in = INSIDE, .next_out = to, .avail_out = (uInt)room};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out; /* gzip's own last field is the size */
}

static size_t with_size(uint8_t *to, size_t n)
{
    put32(to + n, INSIDE);
    return n + 4;
}

static size_t pack_xz(uint8_t *to, size_t room)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t n = 0;

    assert_false(lzma_lzma_preset(&options, 0));
    assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, inside, INSIDE, to, &n, room), LZMA_OK);
    return with_size(to, n);
}

static size_t pack_zstd(uint8_t *to, size_t room) { return with_size(to, ZSTD_compress(to, room, inside, INSIDE, 1)); }

static size_t pack_lz4(uint8_t *to, size_t room)
{
    size_t n = 4;

    put32(to, 0x184c2102);
    for (size_t at = 0; at < INSIDE; at += 8 << 20) {
        size_t part = INSIDE - at < 8 << 20 ? INSIDE - at : 8 << 20;
        int packed = LZ4_compress_default((char *)inside + at, (char *)to + n + 4, (int)part, (int)(room - n - 4));

        assert_true(packed > 0);
        put32(to + n, (uint32_t)packed);
        n += 4 + (size_t)packed;
    }
    return with_size(to, n);
}

static const struct {
    const char *name;
    size_t (*pack)(uint8_t *to, size_t room);
} ways[] = {{"gzip", pack_gzip}, {"xz", pack_xz}, {"zstd", pack_zstd}, {"lz4", pack_lz4}};

/* A bzImage with the payload behind 64 bytes of unpacker, and something behind it. Returns the file's size. */
static size_t make(size_t (*pack)(uint8_t *to, size_t room))
{
    size_t n;

    memset(file, 0, SETUP + 64);
    file[0x1f1] = SETUP / 512 - 1;
    file[0x1fe] = 0x55;
    file[0x1ff] = 0xaa;
    memcpy(file + 0x202, "HdrS\x0f\x02", 6);
    n = pack(file + SETUP + 64, sizeof file - SETUP - 64 - 4);
    put32(file + 0x248, 64);
    put32(file + 0x24c, (uint32_t)n);
    return SETUP + 64 + n + 16;
}

/* In memory as large as the file, for the sanitizer. */
static const char *unpack(size_t n, size_t limit, uint8_t **kernel, size_t *kernel_bytes)
{
    uint8_t *copy = malloc(n + 1);
    const char *why;

    assert_non_null(copy);
    copy = realloc(copy, n > 0 ? n : 1);
    memcpy(copy, file, n);
    why = bzimage_unpack(copy, n, limit, kernel, kernel_bytes);
    free(copy);
    return why;
}

static void what_is_inside_comes_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(ways); i++) {
        size_t n = make(ways[i].pack), kernel_bytes = 0;
        uint8_t *kernel;
        const char *why = unpack(n, LIMIT, &kernel, &kernel_bytes);

        if (why != NULL)
            fail_msg("%s: %s", ways[i].name, why);
        assert_true(bzimage_is(file, n));
        assert_null(bzimage_check(file, n, LIMIT));
        assert_int_equal(kernel_bytes, INSIDE);
        if (memcmp(kernel, inside, INSIDE) != 0)
            fail_msg("%s: not what was packed", ways[i].name);
        free(kernel);
    }
}

static void assert_refused(const char *what, size_t n, size_t limit, const char *expected)
{
    uint8_t *kernel = file;
    size_t kernel_bytes = 0;
    const char *why = unpack(n, limit, &kernel, &kernel_bytes);

    if (why == NULL || strstr(why, expected) == NULL)
        fail_msg("%s: expected \"%s\", got \"%s\"", what, expected, why ? why : "success");
    if (kernel != NULL)
        fail_msg("%s: something is left over", what);
}

static void cut_short(void **state)
{
    static const struct {
        const char *name, *why;
        size_t n;
    } cuts[] = {{"nothing", "not a bzImage", 0},
                {"before the end of the header", "not a bzImage", 0x24f},
                {"all but the header", "cut short", 0x250},
                {"before the payload", "cut short", SETUP},
                {"in the payload", "cut short", SETUP + 1000}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(ways); i++) {
        size_t n = make(ways[i].pack);

        for (size_t cut = 0; cut < N_ROWS(cuts); cut++)
            assert_refused(cuts[cut].name, cuts[cut].n, LIMIT, cuts[cut].why);
        assert_refused("one byte too few", n - 17, LIMIT, "cut short");
    }
}

static const struct {
    const char *name;
    size_t at, n;
    uint32_t value;
    const char *why;
} damages[] = {
    {"no boot flag", 0x1fe, 2, 0, "not a bzImage"},
    {"no magic", 0x202, 4, 0, "not a bzImage"},
    {"an old protocol", 0x206, 2, 0x0207, "older than boot protocol 2.08"},
    {"a payload of nothing", 0x24c, 4, 0, "cut short"},
    {"a payload without its size", 0x24c, 4, 3, "cut short"},
    {"only a size", 0x24c, 4, 4, "not known here"},
    {"a payload longer than the file", 0x24c, 4, UINT32_MAX, "cut short"},
    {"a payload behind the file", 0x248, 4, UINT32_MAX, "cut short"},
    {"sectors behind the file", 0x1f1, 1, 255, "not known here"},
    {"another way of packing", SETUP + 64, 4, 0x5a4c, "not known here"},
};

static void hostile_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(damages); i++) {
        size_t n = make(pack_zstd);

        if (i + 2 == N_ROWS(damages)) /* the payload lies where so many sectors say, and that is other bytes */
            n = 256 * 512 + 64 + 100000;
        if (damages[i].at == 0x1f1)
            put32(file + 0x24c, 5000);
        memcpy(file + damages[i].at, &damages[i].value, damages[i].n);
        assert_refused(damages[i].name, n, LIMIT, damages[i].why);
    }
}

static void damaged_payloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(ways); i++) {
        size_t n = make(ways[i].pack), size_at = n - 16 - 4;

        assert_refused("larger than allowed", n, INSIDE - 1, "larger than any");
        put32(file + size_at, INSIDE - 1);
        assert_refused(ways[i].name, n, LIMIT, "cannot be unpacked"); /* more comes out than it says */
        put32(file + size_at, INSIDE + 1);
        assert_refused(ways[i].name, n, LIMIT, "cannot be unpacked"); /* less */
        put32(file + size_at, 0);
        assert_refused(ways[i].name, n, LIMIT, "empty");
        put32(file + size_at, UINT32_MAX);
        assert_refused(ways[i].name, n, LIMIT, "larger than any");
        n = make(ways[i].pack);
        memset(file + SETUP + 64 + 6, 0xff, 64);
        assert_refused(ways[i].name, n, LIMIT, "cannot be unpacked");
    }
}

/* lz4's legacy frame is unpacked by our own loop: each of its lengths. */
static void hostile_blocks(void **state)
{
    static const uint32_t lengths[] = {0, 1, UINT32_MAX, INT32_MAX, (uint32_t)INT32_MAX + 1, FILE_MAX};

    (void)state;
    for (size_t i = 0; i < N_ROWS(lengths); i++) {
        size_t n = make(pack_lz4);

        put32(file + SETUP + 64 + 4, lengths[i]);
        assert_refused("the length of a block", n, LIMIT, "cannot be unpacked");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_inside_comes_out), cmocka_unit_test(cut_short),      cmocka_unit_test(hostile_headers),
        cmocka_unit_test(damaged_payloads),         cmocka_unit_test(hostile_blocks),
    };

    fill();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
