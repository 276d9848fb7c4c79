/* SPDX-License-Identifier: MIT */
#include "save_file.h"
#include "host/crc32c.h"
#include "host/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vcons/save.h>

#define HEADER_BYTES 32u
#define HEAD_BYTES   24u
#define CRC_AT       12u /* in the header */

static const uint8_t magic[8] = "vcnsave\n";

/* ---- Out. ---- */

static void put(struct save_out *out, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    while (out->error == 0 && n > 0) {
        ssize_t done = pwrite(out->fd, from, n, (off_t)out->at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) { /* 0: it takes none of what it is given, and never will */
            out->error = done < 0 ? -errno : -EIO;
            return;
        }
        from += done;
        out->at += (uint64_t)done;
        n -= (size_t)done;
    }
}

void save_out_begin(struct save_out *out, int fd, const uint8_t id[SAVE_ID_BYTES])
{
    uint8_t header[HEADER_BYTES];
    struct vc_writer w;
    uint32_t crc;

    *out = (struct save_out){.fd = fd};
    vc_writer_init(&w, header, sizeof header);
    vc_write_bytes(&w, magic, sizeof magic);
    vc_write_u32(&w, SAVE_FILE_VERSION);
    vc_write_u32(&w, 0);
    vc_write_bytes(&w, id, SAVE_ID_BYTES);
    crc = crc32c(0, header, sizeof header);
    vc_writer_init(&w, header + CRC_AT, 4);
    vc_write_u32(&w, crc);
    put(out, header, sizeof header);
}

void save_out_record(struct save_out *out, enum save_kind kind, const void *a, size_t a_bytes, const void *b,
                     size_t b_bytes)
{
    uint8_t head[HEAD_BYTES];
    struct vc_writer w;

    vc_writer_init(&w, head, sizeof head);
    vc_write_u32(&w, kind);
    vc_write_u32(&w, 0);
    vc_write_u64(&w, a_bytes + b_bytes);
    vc_write_u32(&w, crc32c(crc32c(crc32c(0, head, w.n), a, a_bytes), b, b_bytes));
    vc_write_u32(&w, 0);
    put(out, head, sizeof head);
    put(out, a, a_bytes);
    put(out, b, b_bytes);
}

int save_out_end(struct save_out *out)
{
    save_out_record(out, SAVE_END, NULL, 0, NULL, 0);
    if (out->error == 0 && fsync(out->fd) != 0)
        out->error = -errno;
    return out->error;
}

/* ---- In. ---- */

static uint64_t limit_of(uint32_t kind)
{
    switch (kind) {
    case SAVE_CONFIG: return 1u << 20; /* 32 devices of 511 ports */
    case SAVE_STATE: return 16u << 20;
    case SAVE_ENGINE: return 64u << 20;
    case SAVE_RAM: return 8 + SAVE_RAM_BYTES;
    default: return 0; /* END has nothing to say; others are refused */
    }
}

static int get(struct save_in *in, void *to, size_t n, struct problem *p)
{
    int error = n > in->size - in->at ? -EIO : file_read_all(in->fd, to, n);

    if (error == -EIO)
        return problem_set(p, -1, "%s: ends early, at byte %llu: expected the whole file of a saved domain", in->path,
                           (unsigned long long)in->size);
    if (error != 0)
        return problem_set(p, -1, "%s: %s", in->path, strerror(-error));
    in->at += n;
    return 0;
}

static int check_header(struct save_in *in, struct problem *p)
{
    uint8_t header[HEADER_BYTES];
    struct vc_reader r;
    uint32_t version, crc;

    if (in->size < HEADER_BYTES || get(in, header, sizeof header, p) != 0 || memcmp(header, magic, sizeof magic) != 0)
        return problem_set(p, -1, "%s: no file of a saved domain: expected one that `vcons save` wrote", in->path);
    vc_reader_init(&r, header + sizeof magic, sizeof header - sizeof magic);
    version = vc_read_u32(&r);
    crc = vc_read_u32(&r);
    vc_read_bytes(&r, in->id, sizeof in->id);
    if (version != SAVE_FILE_VERSION)
        return problem_set(p, -1, "%s: saved in format %u: expected %u, which this program knows", in->path, version,
                           SAVE_FILE_VERSION);
    memset(header + CRC_AT, 0, 4);
    if (crc32c(0, header, sizeof header) != crc)
        return problem_set(p, -1, "%s: damaged: its first bytes do not have their checksum", in->path);
    return 0;
}

int save_in_open(struct save_in *in, const char *path, struct problem *p)
{
    struct stat st;

    *in = (struct save_in){.path = path};
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop us */
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return problem_set(p, -1, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return problem_set(p, -1, "%s: not a regular file", path);
    in->size = (uint64_t)st.st_size;
    return check_header(in, p);
}

static bool may_follow(enum save_kind last, uint32_t kind)
{
    return kind == (uint32_t)last + 1 || (last == SAVE_ENGINE && kind == SAVE_END) ||
           (last == SAVE_RAM && kind == SAVE_RAM);
}

static int get_payload(struct save_in *in, size_t bytes, struct problem *p)
{
    uint8_t *grown = realloc(in->payload, bytes > 0 ? bytes : 1);

    if (grown == NULL)
        return problem_set(p, -1, "%s: no memory", in->path);
    in->payload = grown;
    in->bytes = bytes;
    return get(in, in->payload, bytes, p);
}

int save_in_next(struct save_in *in, enum save_kind last, enum save_kind *kind, struct problem *p)
{
    uint64_t begun = in->at, bytes;
    uint8_t head[HEAD_BYTES];
    struct vc_reader r;
    uint32_t word, zero, crc;

    if (get(in, head, sizeof head, p) != 0)
        return -1;
    vc_reader_init(&r, head, sizeof head);
    word = vc_read_u32(&r);
    zero = vc_read_u32(&r);
    bytes = vc_read_u64(&r);
    crc = vc_read_u32(&r);
    zero |= vc_read_u32(&r);
    if (!may_follow(last, word) || zero != 0 || bytes > limit_of(word))
        return problem_set(p, -1, "%s: damaged: at byte %llu stands no record that may follow there", in->path,
                           (unsigned long long)begun);
    if (bytes > in->size - in->at) /* before memory is asked for */
        return get(in, NULL, SIZE_MAX, p);
    if (get_payload(in, bytes, p) != 0)
        return -1;
    if (crc32c(crc32c(0, head, 16), in->payload, bytes) != crc)
        return problem_set(p, -1, "%s: damaged: the record at byte %llu does not have its checksum", in->path,
                           (unsigned long long)begun);
    *kind = (enum save_kind)word;
    in->ended = word == SAVE_END;
    if (in->ended && in->at != in->size)
        return problem_set(p, -1, "%s: damaged: %llu bytes stand behind its end", in->path,
                           (unsigned long long)(in->size - in->at));
    return 0;
}

uint8_t *save_in_take(struct save_in *in, size_t *bytes)
{
    uint8_t *payload = in->payload;

    *bytes = in->bytes;
    in->payload = NULL;
    in->bytes = 0;
    return payload;
}

void save_in_close(struct save_in *in)
{
    if (in->fd >= 0)
        close(in->fd);
    free(in->payload);
    *in = (struct save_in){.fd = -1};
}
