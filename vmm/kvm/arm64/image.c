/* SPDX-License-Identifier: MIT */
#include "image.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEADER_BYTES = 64, TEXT_OFFSET = 0x08, IMAGE_SIZE = 0x10, FLAGS = 0x18, MAGIC = 0x38, PE_OFFSET = 0x3c };
enum { FLAG_BIG_ENDIAN = 1 };
#define MAGIC_ARM64      0x644d5241u /* "ARM\x64" */
#define TEXT_OFFSET_OLD  0x80000u    /* booting.rst: where image_size is 0 text_offset is of no known order of bytes */
#define TEXT_OFFSET_MAX  0x200000u   /* it is from a multiple of 2 MiB */
#define SPAN_MAX         (UINT64_C(512) << 20)
#define BZIMAGE_MAGIC_AT 0x202u

/* PE format: after the signature the file header, the optional header, then sections of 40 bytes. */
enum { PE_SIGNATURE = 0x00004550, PE_N_SECTIONS = 6, PE_OPTIONAL_BYTES = 20, PE_HEADER_BYTES = 24 };
enum { SECTION_BYTES = 40, SECTION_RAW_BYTES = 16, SECTION_RAW_AT = 20 };

static uint32_t load16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t load32(const uint8_t *p) { return load16(p) | load16(p + 2) << 16; }
static uint64_t load64(const uint8_t *p) { return load32(p) | (uint64_t)load32(p + 4) << 32; }

static const char *what_else(const uint8_t *bytes, size_t n)
{
    if (n >= sizeof(Elf64_Ehdr) && memcmp(bytes, ELFMAG, SELFMAG) == 0)
        return load16(bytes + offsetof(Elf64_Ehdr, e_machine)) == EM_AARCH64
                   ? "an ELF file: expected the Image or Image.gz of the same build (arch/arm64/boot)"
                   : "a kernel for another architecture; this machine is arm64";
    if (n >= BZIMAGE_MAGIC_AT + 4 && memcmp(bytes + BZIMAGE_MAGIC_AT, "HdrS", 4) == 0)
        return "an x86_64 kernel; this machine is arm64";
    return "no arm64 kernel: expected an Image or an Image.gz";
}

/* How long the file is by its own account, where it is also a program for EFI; else n. */
static uint64_t whole_bytes(const uint8_t *bytes, size_t n)
{
    size_t at = load32(bytes + PE_OFFSET), n_sections;
    uint64_t whole = 0;

    if (bytes[0] != 'M' || bytes[1] != 'Z')
        return n;
    if (at > n || n - at < PE_HEADER_BYTES)
        return n + 1;
    if (load32(bytes + at) != PE_SIGNATURE)
        return n;
    n_sections = load16(bytes + at + PE_N_SECTIONS);
    at += PE_HEADER_BYTES + load16(bytes + at + PE_OPTIONAL_BYTES);
    for (; n_sections > 0 && at <= n && n - at >= SECTION_BYTES; n_sections--, at += SECTION_BYTES) {
        uint64_t end = (uint64_t)load32(bytes + at + SECTION_RAW_AT) + load32(bytes + at + SECTION_RAW_BYTES);

        whole = end > whole ? end : whole;
    }
    return n_sections == 0 ? whole : n + 1;
}

static const char *parse_header(struct arm64_image *image, const uint8_t *bytes, size_t n)
{
    if (n < HEADER_BYTES || load32(bytes + MAGIC) != MAGIC_ARM64)
        return what_else(bytes, n);
    if ((load64(bytes + FLAGS) & FLAG_BIG_ENDIAN) != 0)
        return "a big-endian kernel: expected a little-endian one";
    *image = (struct arm64_image){
        .bytes = bytes, .n = n, .text_offset = load64(bytes + TEXT_OFFSET), .span = load64(bytes + IMAGE_SIZE)};
    if (image->span == 0)
        image->text_offset = TEXT_OFFSET_OLD;
    if (image->text_offset >= TEXT_OFFSET_MAX || image->text_offset % 4096 != 0 || image->span > SPAN_MAX)
        return "a damaged kernel: its header asks for an impossible place";
    return NULL;
}

const char *arm64_image_parse(struct arm64_image *image, const uint8_t *bytes, size_t n)
{
    const char *why = parse_header(image, bytes, n);

    if (why != NULL)
        return why;
    if (whole_bytes(bytes, n) > n)
        return "a damaged kernel: the file has been cut off";
    if (image->span < n)
        image->span = n; /* a signature may follow what the header counts */
    return NULL;
}

/* ---- gzip. ---- */

bool arm64_image_is_packed(const uint8_t *bytes, size_t n) { return n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

static bool begin(z_stream *z, const uint8_t *packed, size_t n)
{
    *z = (z_stream){.next_in = (uint8_t *)packed, .avail_in = (uInt)n};
    return inflateInit2(z, 15 + 16) == Z_OK; /* zlib.h: the largest window; gzip's wrapping alone */
}

const char *arm64_image_check_packed(const uint8_t *packed, size_t n)
{
    struct arm64_image image;
    uint8_t header[BZIMAGE_MAGIC_AT + 4];
    z_stream z;
    int result;

    if (!begin(&z, packed, n))
        return "out of memory";
    z.next_out = header;
    z.avail_out = sizeof header;
    result = inflate(&z, Z_SYNC_FLUSH);
    inflateEnd(&z);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return "a damaged kernel: what gzip packed is broken";
    return parse_header(&image, header, sizeof header - z.avail_out);
}

/* Room is doubled as needed: the length at the end of the file is only a claim. */
static const char *unpack_all(z_stream *z, size_t max_bytes, uint8_t **bytes, size_t *room)
{
    for (;;) {
        size_t wanted = *room == 0 ? (size_t)1 << 22 : *room * 2;
        uint8_t *grown;
        int result;

        wanted = wanted < max_bytes ? wanted : max_bytes;
        if (wanted == *room)
            return "larger than a kernel may be, unpacked";
        grown = realloc(*bytes, wanted);
        if (grown == NULL)
            return "out of memory";
        *bytes = grown;
        z->next_out = grown + *room;
        z->avail_out = (uInt)(wanted - *room);
        *room = wanted;
        result = inflate(z, Z_NO_FLUSH);
        if (result == Z_STREAM_END)
            return NULL;
        if (result != Z_OK && result != Z_BUF_ERROR)
            return "a damaged kernel: what gzip packed is broken";
        if (z->avail_out > 0)
            return "a damaged kernel: the file has been cut off";
    }
}

const char *arm64_image_unpack(const uint8_t *packed, size_t n_packed, size_t max_bytes, uint8_t **bytes, size_t *n)
{
    const char *why;
    size_t room = 0;
    z_stream z;

    *bytes = NULL;
    if (!begin(&z, packed, n_packed))
        return "out of memory";
    why = unpack_all(&z, max_bytes, bytes, &room);
    *n = room - z.avail_out;
    inflateEnd(&z);
    if (why == NULL)
        return NULL;
    free(*bytes);
    *bytes = NULL;
    return why;
}
