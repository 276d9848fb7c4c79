/* SPDX-License-Identifier: MIT */
/* Images for arm64, bare and packed: where they go, and one clear word for each that is damaged or something else. */
#include "../../vmm/kvm/arm64/image.h"
#include "unit.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FILE_BYTES = 100000, SPAN = 0x30000, PE_AT = 0x40, SECTION_AT = PE_AT + 24 + 16, LIMIT = 1 << 24 };

static void put16(uint8_t *at, uint32_t v) { memcpy(at, &(uint16_t){(uint16_t)v}, 2); }
static void put32(uint8_t *at, uint32_t v) { memcpy(at, &v, sizeof v); }
static void put64(uint8_t *at, uint64_t v) { memcpy(at, &v, sizeof v); }

/* As Linux makes it, with the part that firmware looks at: one section, which ends where the file does. */
static void make(uint8_t file[FILE_BYTES])
{
    for (size_t i = 0; i < FILE_BYTES; i++)
        file[i] = (uint8_t)(i * 167 >> 3);
    memset(file, 0, 256);
    memcpy(file, "MZ", 2);
    put64(file + 0x10, SPAN);
    put64(file + 0x18, 0xa);
    memcpy(file + 0x38, "ARM\x64", 4);
    put32(file + 0x3c, PE_AT);
    memcpy(file + PE_AT, "PE\0\0", 4);
    put16(file + PE_AT + 6, 1);
    put16(file + PE_AT + 20, 16);
    put32(file + SECTION_AT + 16, FILE_BYTES - 4096);
    put32(file + SECTION_AT + 20, 4096);
}

/* Its own memory, so that one byte behind it is seen. */
static const char *parse(struct arm64_image *image, const uint8_t *file, size_t n)
{
    static uint8_t *copy;

    free(copy);
    copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, file, n);
    return arm64_image_parse(image, copy, n);
}

static void places(void **state)
{
    static const struct {
        const char *name;
        uint64_t text_offset, image_size, at, span;
    } rows[] = {{"as today", 0, SPAN, 0, SPAN},
                {"with an offset", 0x80000, SPAN, 0x80000, SPAN},
                {"before Linux 3.17", UINT64_C(0x0000080000000000), 0, 0x80000, FILE_BYTES},
                {"signed: longer than it says", 0, FILE_BYTES - 1000, 0, FILE_BYTES}};
    uint8_t file[FILE_BYTES];
    struct arm64_image image;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        make(file);
        put64(file + 0x08, rows[i].text_offset);
        put64(file + 0x10, rows[i].image_size);
        if (parse(&image, file, FILE_BYTES) != NULL || image.text_offset != rows[i].at || image.span != rows[i].span ||
            image.n != FILE_BYTES || memcmp(image.bytes, file, FILE_BYTES) != 0)
            fail_msg("%s", rows[i].name);
    }
}

static void one_without_firmware_part(void **state)
{
    uint8_t file[FILE_BYTES];
    struct arm64_image image;

    (void)state;
    make(file);
    memset(file, 0, 2);
    assert_null(parse(&image, file, 4096)); /* nothing in it says how long it is */
}

static void refuse(const char *name, const uint8_t *file, size_t n, const char *word)
{
    struct arm64_image image;
    const char *why = parse(&image, file, n);

    if (why == NULL || strstr(why, word) == NULL)
        fail_msg("%s: expected \"%s\", got \"%s\"", name, word, why != NULL ? why : "nothing");
}

static void damaged(void **state)
{
    static const struct {
        const char *name;
        size_t at, bytes;
        uint64_t value;
        const char *word;
    } rows[] = {
        {"no magic", 0x38, 4, 0, "no arm64 kernel"},
        {"big-endian", 0x18, 8, 0xb, "big-endian"},
        {"text_offset of 2 MiB", 0x08, 8, 0x200000, "impossible place"},
        {"text_offset not of a page", 0x08, 8, 0x80, "impossible place"},
        {"text_offset that wraps", 0x08, 8, UINT64_MAX - 4095, "impossible place"},
        {"image_size of 1 GiB", 0x10, 8, UINT64_C(1) << 30, "impossible place"},
        {"image_size that wraps", 0x10, 8, UINT64_MAX, "impossible place"},
        {"a section behind the end", SECTION_AT + 16, 4, FILE_BYTES - 4095, "cut off"},
        {"a section that wraps", SECTION_AT + 20, 4, UINT32_MAX, "cut off"},
        {"more sections than there is file", PE_AT + 6, 2, 0xffff, "cut off"},
        {"sections behind the end", PE_AT + 20, 2, 0xffff, NULL},
    };
    uint8_t file[FILE_BYTES];

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        make(file);
        memcpy(file + rows[i].at, &rows[i].value, rows[i].bytes);
        if (rows[i].word != NULL)
            refuse(rows[i].name, file, FILE_BYTES, rows[i].word);
        else
            parse(&(struct arm64_image){0}, file, FILE_BYTES);
    }
    make(file);
    for (size_t n = 0; n < FILE_BYTES; n += n < 300 ? 1 : 997)
        refuse("cut off", file, n, n < 64 ? "no arm64 kernel" : "cut off");
    refuse("one byte short", file, FILE_BYTES - 1, "cut off");
}

static void something_else(void **state)
{
    uint8_t file[4096] = {0};

    (void)state;
    refuse("nothing", file, 0, "no arm64 kernel");
    refuse("zeros", file, sizeof file, "no arm64 kernel");
    memcpy(file + 0x202, "HdrS", 4);
    refuse("bzImage", file, sizeof file, "an x86_64 kernel; this machine is arm64");
    memcpy(file, ELFMAG, SELFMAG);
    put16(file + offsetof(Elf64_Ehdr, e_machine), EM_X86_64);
    refuse("vmlinux of x86", file, sizeof file, "another architecture; this machine is arm64");
    put16(file + offsetof(Elf64_Ehdr, e_machine), EM_AARCH64);
    refuse("vmlinux", file, sizeof file, "expected the Image or Image.gz");
    refuse("a short ELF file", file, 20, "no arm64 kernel");
}

/* ---- Packed. ---- */

static uint8_t packed[2 * FILE_BYTES];

static size_t pack(const uint8_t *from, size_t n)
{
    z_stream z = {.next_in = (uint8_t *)from, .avail_in = (uInt)n, .next_out = packed, .avail_out = sizeof packed};

    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void refuse_packed(const char *name, size_t n, size_t limit, const char *word)
{
    uint8_t *bytes = packed;
    size_t n_bytes;
    const char *why = arm64_image_unpack(packed, n, limit, &bytes, &n_bytes);

    if (why == NULL || strstr(why, word) == NULL || bytes != NULL)
        fail_msg("%s: expected \"%s\", got \"%s\"", name, word, why != NULL ? why : "nothing");
}

static void unpacked(void **state)
{
    uint8_t file[FILE_BYTES], *bytes;
    size_t n, n_packed;

    (void)state;
    make(file);
    n_packed = pack(file, sizeof file);
    assert_true(arm64_image_is_packed(packed, n_packed));
    assert_false(arm64_image_is_packed(file, sizeof file));
    assert_null(arm64_image_check_packed(packed, n_packed));
    assert_null(arm64_image_unpack(packed, n_packed, LIMIT, &bytes, &n));
    assert_int_equal(n, sizeof file);
    assert_memory_equal(bytes, file, n);
    free(bytes);
    /* The limit itself is not too much. */
    assert_null(arm64_image_unpack(packed, n_packed, sizeof file, &bytes, &n));
    free(bytes);
    refuse_packed("one byte too many", n_packed, sizeof file - 1, "larger than a kernel may be");
    packed[n_packed - 5] ^= 1;
    refuse_packed("CRC", n_packed, LIMIT, "broken");
    packed[n_packed - 5] ^= 1;
    packed[n_packed / 2] ^= 0x55;
    refuse_packed("a bit in the middle", n_packed, LIMIT, "damaged");
    packed[n_packed / 2] ^= 0x55;
    for (size_t i = 2; i < n_packed; i += 1009)
        refuse_packed("cut off", i, LIMIT, "damaged");
    packed[2] = 7;
    refuse_packed("a method that is none", n_packed, LIMIT, "broken");
    assert_non_null(arm64_image_check_packed(packed, n_packed));
}

static void packed_is_looked_into(void **state)
{
    uint8_t file[4096] = {0};
    size_t n;

    (void)state;
    memcpy(file + 0x202, "HdrS", 4);
    n = pack(file, sizeof file);
    assert_non_null(strstr(arm64_image_check_packed(packed, n), "an x86_64 kernel"));
    n = pack(file, 0);
    assert_non_null(strstr(arm64_image_check_packed(packed, n), "no arm64 kernel"));
    assert_non_null(arm64_image_check_packed(packed, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),   cmocka_unit_test(one_without_firmware_part),
        cmocka_unit_test(damaged),  cmocka_unit_test(something_else),
        cmocka_unit_test(unpacked), cmocka_unit_test(packed_is_looked_into),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
