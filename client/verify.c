/* SPDX-License-Identifier: MIT */
#include "verify.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "host/crc32c.h"
#include "host/message.h"
#include "verify_bytes.h"
#include <vcons/wire/index.h>

#define BLOCK       VC_INDEX_CRC_BLOCK
#define INDEX_BYTES (UINT64_C(1) << 30) /* no index is longer */
#define RANGES      4u                  /* damaged ones that are told of each segment */

struct range {
    uint64_t from, to; /* offsets into the history */
};

struct segment {
    uint64_t start, next; /* next: where the one behind it starts; UINT64_MAX: it is the newest */
    struct segment_bytes bytes;
    struct vc_index_record *index;
    size_t n_index, bad_index;
    bool no_index;
    uint64_t good, unvouched, foreign;
    struct range damaged[RANGES];
    size_t n_damaged;
    uint64_t damaged_bytes;
};

struct totals {
    uint64_t good, damaged, unvouched, missing;
    size_t segments, wrong;
};

/* The index. */

static bool record_ok(const struct vc_index_record *r)
{
    struct vc_index_record copy = *r;

    copy.crc32c = 0;
    return le16toh(r->kind) != 0 && crc32c(0, &copy, sizeof copy) == le32toh(r->crc32c);
}

static int read_index(struct segment *s, int dir)
{
    char name[40];
    struct stat st;
    ssize_t got;
    int fd;

    snprintf(name, sizeof name, "%020" PRIu64 ".idx", s->start);
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    s->no_index = fd < 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > INDEX_BYTES) {
        close(fd);
        return -EINVAL;
    }
    s->index = malloc((size_t)st.st_size + 1);
    got = s->index != NULL ? pread(fd, s->index, (size_t)st.st_size, 0) : -1;
    close(fd);
    if (got < 0)
        return s->index == NULL ? -ENOMEM : -errno;
    s->n_index = (size_t)got / sizeof *s->index;
    for (size_t i = 0; i < s->n_index; i++)
        if (!record_ok(&s->index[i])) {
            s->bad_index += i + 1 < s->n_index || s->next != UINT64_MAX; /* the very newest may be under way */
            s->index[i].kind = 0;
        }
    return 0;
}

/* The bytes. */

static void note_damage(struct segment *s, uint64_t from, uint64_t to)
{
    struct range *last = s->n_damaged > 0 ? &s->damaged[s->n_damaged - 1] : NULL;

    s->damaged_bytes += to - from;
    if (last != NULL && last->to == from)
        last->to = to;
    else if (s->n_damaged < RANGES)
        s->damaged[s->n_damaged++] = (struct range){from, to};
}

/* What the index says of one block, whose records begin at *at: how far it is right, and how far it is known not to be. */
static void judge_block(struct segment *s, size_t *at, uint64_t begin, const uint8_t *bytes, size_t n, uint64_t *right,
                        uint64_t *wrong)
{
    uint64_t summed = begin;
    uint32_t crc = 0;

    *right = *wrong = begin;
    for (; *at < s->n_index; ++*at) {
        const struct vc_index_record *r = &s->index[*at];
        uint64_t offset = le64toh(r->offset);
        unsigned kind = le16toh(r->kind);

        if (kind == 0)
            continue;
        if (offset > begin + BLOCK || (offset == begin + BLOCK && kind != VC_INDEX_CRC))
            return;
        if ((kind != VC_INDEX_TIME && kind != VC_INDEX_CRC) || offset <= begin || offset < summed ||
            (kind == VC_INDEX_CRC && offset != begin + BLOCK))
            continue;
        if (bytes == NULL || offset > begin + n) {
            *wrong = offset;
            continue;
        }
        crc = crc32c(crc, bytes + (summed - begin), offset - summed);
        summed = offset;
        *(crc == le64toh(r->value) ? right : wrong) = offset;
    }
}

static void judge(struct segment *s)
{
    static uint8_t block[BLOCK];
    uint64_t end = s->start + s->bytes.bytes, claimed = 0;
    size_t at = 0;

    if (end > s->next) {
        s->foreign = end - s->next;
        end = s->next;
    }
    for (size_t i = 0; i < s->n_index; i++)
        if (s->index[i].kind != 0 && le64toh(s->index[i].offset) > claimed)
            claimed = le64toh(s->index[i].offset);
    for (uint64_t begin = s->start; begin < end; begin += BLOCK) {
        size_t n = end - begin < BLOCK ? (size_t)(end - begin) : BLOCK;
        bool there = segment_read(&s->bytes, begin - s->start, block, n);
        uint64_t right, wrong;

        judge_block(s, &at, begin, there ? block : NULL, n, &right, &wrong);
        right = right < begin + n ? right : begin + n;
        wrong = !there ? begin + n : wrong < begin + n ? wrong : begin + n;
        s->good += right - begin;
        if (wrong > right)
            note_damage(s, right, wrong);
        s->unvouched += begin + n - (wrong > right ? wrong : right);
    }
    if (claimed > end && claimed <= s->next)
        note_damage(s, end, claimed); /* cut: the index saw more */
    else if (s->next != UINT64_MAX && s->bytes.no_table && end < s->next)
        note_damage(s, end, s->next);
}

/* What is told. */

static bool wrong(const struct segment *s)
{
    return s->damaged_bytes > 0 || s->foreign > 0 || s->bad_index > 0 || s->no_index || s->bytes.no_table;
}

static void tell(const struct segment *s)
{
    printf("%020" PRIu64 "%s: %" PRIu64 " bytes good", s->start, s->bytes.compressed ? ".log.zst" : ".log", s->good);
    for (size_t i = 0; i < s->n_damaged; i++)
        printf(", %" PRIu64 " at offset %" PRIu64 " damaged", s->damaged[i].to - s->damaged[i].from,
               s->damaged[i].from);
    if (s->n_damaged == RANGES)
        printf(", %" PRIu64 " damaged in all", s->damaged_bytes);
    if (s->unvouched > 0)
        printf(", %" PRIu64 " without a checksum", s->unvouched);
    if (s->foreign > 0)
        printf(", %" PRIu64 " behind the end that were not stored", s->foreign);
    if (s->bad_index > 0)
        printf(", %zu index records damaged", s->bad_index);
    if (s->no_index)
        printf(", no index");
    if (s->bytes.no_table)
        printf(", no seek table");
    putchar('\n');
}

static int one_segment(int dir, struct segment *s, struct totals *t)
{
    int error = read_index(s, dir); /* before the bytes: what it speaks of is there then */

    if (error == 0)
        error = segment_open(&s->bytes, dir, s->start);
    else
        s->bytes.fd = -1;
    if (error == 0) {
        judge(s);
        tell(s);
        t->segments++;
        t->good += s->good;
        t->damaged += s->damaged_bytes;
        t->unvouched += s->unvouched;
        t->wrong += wrong(s);
        if (s->next != UINT64_MAX && s->damaged_bytes == 0 && s->start + s->bytes.bytes < s->next)
            t->missing += s->next - s->start - s->bytes.bytes;
    }
    segment_close(&s->bytes);
    free(s->index);
    return error == -ENOENT ? 0 : error; /* retention took it */
}

static int is_segment(const struct dirent *d)
{
    const char *suffix = strspn(d->d_name, "0123456789") == 20 ? d->d_name + 20 : "";

    return strcmp(suffix, ".log") == 0 || strcmp(suffix, ".log.zst") == 0;
}

static uint64_t start_of(const struct dirent *d) { return strtoull(d->d_name, NULL, 10); }

static int all_segments(int dir, struct dirent **names, int n, struct totals *t)
{
    int error = 0;

    for (int i = 0; i < n && error == 0; i++) {
        struct segment s = {.start = start_of(names[i]), .next = UINT64_MAX, .bytes = {.fd = -1}};

        if (i > 0 && start_of(names[i - 1]) == s.start)
            continue; /* raw and compressed: the raw one holds */
        for (int k = i + 1; k < n && s.next == UINT64_MAX; k++)
            if (start_of(names[k]) != s.start)
                s.next = start_of(names[k]);
        error = one_segment(dir, &s, t);
    }
    return error;
}

static int cannot(const char *directory, int error)
{
    message("%s: %s", directory, strerror(error));
    return error == EACCES || error == EPERM ? EXIT_NOT_ALLOWED : error == ENOENT ? EXIT_NO_CONSOLE : EXIT_FAILED;
}

int verify_log(const char *name, const char *directory)
{
    int error = 0, dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;
    struct dirent **names = NULL;
    struct totals t = {0};

    if (dir < 0)
        return cannot(directory, errno);
    n = scandir(directory, &names, is_segment, alphasort);
    if (n < 0)
        error = -errno;
    else
        error = all_segments(dir, names, n, &t);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    close(dir);
    if (error != 0)
        return cannot(directory, -error);
    printf("%s: %zu segments, %" PRIu64 " bytes good, %" PRIu64 " damaged, %" PRIu64 " without a checksum, %" PRIu64
           " not kept\n",
           name, t.segments, t.good, t.damaged, t.unvouched, t.missing);
    return t.wrong > 0 ? EXIT_FAILED : EXIT_DONE;
}
