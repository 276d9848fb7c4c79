/* SPDX-License-Identifier: MIT */
/*
 * Compressed segments, read: zstd's frames of 1 MiB each and behind them the seek table of its seekable format, which is a
 * skippable frame (zstd, contrib/seekable_format/zstd_seekable_compression_format.md). Every number in the file is checked.
 *
 * Readers of one file share its descriptor, its table, and with those of all others a few unpacked frames: so no number of
 * viewers costs more memory than that.
 */
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define SLOTS        4u     /* unpacked frames kept: as many readers in a row read each frame once */
#define FRAMES_MAX   65536u /* of one segment: 64 GiB */
#define ENTRIES      64u    /* of the table read at once */
#define PACKED_BYTES ZSTD_COMPRESSBOUND(LOG_FRAME_BYTES)

struct frame {
    uint64_t at;    /* in the file */
    uint64_t begin; /* of its bytes in the segment */
};

struct log_frames { /* one file that is open; guarded by the store's frames_lock but for what never changes */
    struct log_frames *next;
    uint32_t users;
    int fd;
    dev_t device;
    ino_t inode;
    uint32_t n;           /* frames; frame[n] tells where the last one ends */
    struct frame frame[]; /* constant, as fd, n and the two above */
};

struct log_unpacked { /* what all readers of a store share, while there is any */
    ZSTD_DCtx *zstd;
    uint8_t *packed;
    struct slot {
        const struct log_frames *frames; /* NULL: nothing */
        uint32_t index;
        uint64_t used;
        uint8_t *bytes;
    } slot[SLOTS];
    uint64_t used;
};

static int read_all(int fd, void *bytes, size_t n, uint64_t at)
{
    for (uint8_t *p = bytes; n > 0;) {
        ssize_t got = pread(fd, p, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* Where the table's entries begin, and how many; 0: there is no table that could be right. */
static uint32_t find_table(int fd, uint64_t *at)
{
    struct log_table_foot foot;
    struct log_table_head head;
    int64_t bytes = log_file_bytes(fd);
    uint64_t table;

    if (bytes < (int64_t)(sizeof head + sizeof foot) ||
        read_all(fd, &foot, sizeof foot, (uint64_t)bytes - sizeof foot) != 0 || foot.magic != LOG_TABLE_MAGIC ||
        foot.descriptor != 0 || foot.n == 0 || foot.n > FRAMES_MAX)
        return 0;
    table = sizeof head + foot.n * sizeof(struct log_table_entry) + sizeof foot;
    if (table > (uint64_t)bytes || read_all(fd, &head, sizeof head, (uint64_t)bytes - table) != 0 ||
        head.magic != LOG_TABLE_SKIP || head.bytes != table - sizeof head)
        return 0;
    *at = (uint64_t)bytes - table + sizeof head;
    return foot.n;
}

/* Add up the table, and lay it out if frame is given. False: it does not describe this file. */
static bool read_table(int fd, uint64_t at, uint32_t n, struct frame *frame, uint64_t *content)
{
    uint64_t packed = 0, end = at - sizeof(struct log_table_head);
    struct log_table_entry entries[ENTRIES];

    *content = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i % ENTRIES, some = n - i < ENTRIES ? n - i : ENTRIES;

        if (k == 0 && read_all(fd, entries, some * sizeof *entries, at + i * sizeof *entries) != 0)
            return false;
        if (entries[k].content == 0 || entries[k].content > LOG_FRAME_BYTES || entries[k].packed > PACKED_BYTES)
            return false;
        if (frame != NULL)
            frame[i] = (struct frame){packed, *content};
        packed += entries[k].packed;
        *content += entries[k].content;
    }
    if (frame != NULL)
        frame[n] = (struct frame){packed, *content};
    return packed == end; /* the frames fill the file up to the table */
}

static struct log_frames *new_frames(uint32_t n, int fd)
{
    struct log_frames *f = calloc(1, sizeof *f + (n + 1) * sizeof f->frame[0]);

    if (f != NULL) {
        f->n = n;
        f->fd = fd;
    }
    return f;
}

/* A file that was cut has lost its table: its frames tell of themselves what is left of them. most: of frame, with its end one more. */
static uint32_t walk_frames(int fd, uint8_t *packed, struct frame *frame, uint32_t most)
{
    struct frame end = {0, 0};
    uint32_t n = 0;

    while (n < most) {
        ssize_t got = pread(fd, packed, PACKED_BYTES, (off_t)end.at);
        unsigned long long content = got > 0 ? ZSTD_getFrameContentSize(packed, (size_t)got) : 0;
        size_t bytes = got > 0 ? ZSTD_findFrameCompressedSize(packed, (size_t)got) : 0;

        if (got <= 0 || ZSTD_isError(bytes) || content == 0 || content > LOG_FRAME_BYTES)
            break; /* both errors of getFrameContentSize are larger than that */
        if (frame != NULL)
            frame[n] = end;
        end.at += bytes;
        end.begin += content;
        n++;
    }
    if (frame != NULL)
        frame[n] = end;
    return n;
}

static struct log_frames *frames_by_walk(int fd)
{
    uint8_t *packed = malloc(PACKED_BYTES);
    uint32_t n = packed != NULL ? walk_frames(fd, packed, NULL, FRAMES_MAX) : 0;
    struct log_frames *f = packed != NULL ? new_frames(n, fd) : NULL;

    if (f != NULL)
        f->n = walk_frames(fd, packed, f->frame, n); /* others may write to it meanwhile: there is room for n */
    free(packed);
    return f;
}

static struct log_frames *load(int fd)
{
    uint64_t at = 0, content;
    uint32_t n = find_table(fd, &at);
    struct log_frames *f = n > 0 ? new_frames(n, fd) : NULL;

    if (n > 0 && f == NULL)
        return NULL;
    if (n > 0 && read_table(fd, at, n, f->frame, &content))
        return f;
    free(f);
    return frames_by_walk(fd);
}

int log_frames_open(struct log_frames **opened, struct log_store *s, int fd)
{
    struct log_frames *f;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    pthread_mutex_lock(&s->frames_lock);
    for (f = s->frames; f != NULL && (f->device != st.st_dev || f->inode != st.st_ino); f = f->next)
        ; /* as long as it is open there, no other file has its number */
    if (f != NULL) {
        close(fd);
    } else if ((f = load(fd)) != NULL) {
        f->device = st.st_dev;
        f->inode = st.st_ino;
        f->next = s->frames;
        s->frames = f;
    }
    if (f != NULL)
        f->users++;
    pthread_mutex_unlock(&s->frames_lock);
    *opened = f;
    return f != NULL ? 0 : -ENOMEM;
}

static void free_unpacked(struct log_unpacked *u)
{
    if (u == NULL)
        return;
    for (unsigned i = 0; i < SLOTS; i++)
        free(u->slot[i].bytes);
    free(u->packed);
    ZSTD_freeDCtx(u->zstd);
    free(u);
}

static void forget_slots(struct log_unpacked *u, const struct log_frames *f)
{
    for (unsigned i = 0; u != NULL && i < SLOTS; i++)
        if (u->slot[i].frames == f)
            u->slot[i].frames = NULL;
}

void log_frames_close(struct log_store *s, struct log_frames *f)
{
    struct log_frames **at = &s->frames;

    pthread_mutex_lock(&s->frames_lock);
    if (--f->users == 0) {
        while (*at != f)
            at = &(*at)->next;
        *at = f->next;
        forget_slots(s->unpacked, f);
        close(f->fd);
        free(f);
    }
    if (s->frames == NULL) {
        free_unpacked(s->unpacked);
        s->unpacked = NULL;
    }
    pthread_mutex_unlock(&s->frames_lock);
}

uint64_t log_frames_bytes(const struct log_frames *f) { return f->frame[f->n].begin; }

/* The frame that holds this byte, which there is. */
static uint32_t frame_of(const struct log_frames *f, uint64_t position)
{
    uint32_t low = 0, high = f->n;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (f->frame[middle].begin <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct log_unpacked *new_unpacked(void)
{
    struct log_unpacked *u = calloc(1, sizeof *u);

    if (u == NULL)
        return NULL;
    u->zstd = ZSTD_createDCtx();
    u->packed = malloc(PACKED_BYTES);
    if (u->zstd != NULL && u->packed != NULL)
        return u;
    free_unpacked(u);
    return NULL;
}

/* The slot that has the frame, else the one that was not used for longest, emptied. */
static struct slot *find_slot(struct log_unpacked *u, const struct log_frames *f, uint32_t index)
{
    struct slot *oldest = &u->slot[0];

    for (struct slot *s = u->slot; s < u->slot + SLOTS; s++) {
        if (s->frames == f && s->index == index)
            return s;
        if (s->used < oldest->used)
            oldest = s;
    }
    oldest->frames = NULL;
    return oldest;
}

/* Unpack a frame into a slot. 0 or a negative errno; -EBADMSG: it is not what the file says. */
static int unpack(struct log_unpacked *u, struct slot *slot, const struct log_frames *f, uint32_t index)
{
    const struct frame *frame = &f->frame[index];
    size_t content = frame[1].begin - frame[0].begin, packed = frame[1].at - frame[0].at;

    if (slot->bytes == NULL && (slot->bytes = malloc(LOG_FRAME_BYTES)) == NULL)
        return -ENOMEM;
    if (read_all(f->fd, u->packed, packed, frame->at) != 0 ||
        ZSTD_decompressDCtx(u->zstd, slot->bytes, LOG_FRAME_BYTES, u->packed, packed) != content)
        return -EBADMSG;
    slot->frames = f;
    slot->index = index;
    return 0;
}

ptrdiff_t log_frames_read(struct log_store *s, struct log_frames *f, uint64_t position, void *bytes, size_t size,
                          uint64_t *damaged)
{
    uint32_t index = frame_of(f, position);
    uint64_t begin = f->frame[index].begin, left = f->frame[index + 1].begin - position;
    struct slot *slot = NULL;
    int error = 0;

    size = size < left ? size : left;
    *damaged = left;
    pthread_mutex_lock(&s->frames_lock);
    if (s->unpacked == NULL)
        s->unpacked = new_unpacked();
    if (s->unpacked != NULL) {
        slot = find_slot(s->unpacked, f, index);
        slot->used = ++s->unpacked->used;
    }
    if (slot != NULL && slot->frames == NULL)
        error = unpack(s->unpacked, slot, f, index);
    if (slot != NULL && error == 0)
        memcpy(bytes, slot->bytes + (position - begin), size);
    pthread_mutex_unlock(&s->frames_lock);
    return slot == NULL ? -ENOMEM : error == 0 ? (ptrdiff_t)size : error == -EBADMSG ? 0 : error;
}

uint64_t log_frames_content(int dir, uint64_t start)
{
    int fd = log_file_open(dir, start, LOG_COMPRESSED, O_RDONLY);
    uint64_t at, content = 0;
    struct log_frames *f;
    uint32_t n;

    if (fd < 0)
        return 0;
    n = find_table(fd, &at);
    if (n == 0 || !read_table(fd, at, n, NULL, &content)) {
        f = frames_by_walk(fd);
        content = f != NULL ? log_frames_bytes(f) : 0;
        free(f);
    }
    close(fd);
    return content;
}

int log_bytes_open(struct log_bytes *b, struct log_store *store, int dir, const struct log_segment *segment)
{
    int error;

    *b = (struct log_bytes){.start = segment->start, .store = store};
    b->fd = log_file_open(dir, segment->start, segment->compressed ? LOG_COMPRESSED : ".log", O_RDONLY);
    if (b->fd < 0 || !segment->compressed)
        return b->fd < 0 ? b->fd : 0;
    error = log_frames_open(&b->frames, store, b->fd);
    if (error != 0)
        close(b->fd);
    return error;
}

ptrdiff_t log_bytes_read(const struct log_bytes *b, uint64_t offset, uint8_t *bytes, size_t n)
{
    uint64_t damaged;
    ssize_t got;

    if (b->frames != NULL)
        return offset - b->start < log_frames_bytes(b->frames)
                   ? log_frames_read(b->store, b->frames, offset - b->start, bytes, n, &damaged)
                   : 0;
    do
        got = pread(b->fd, bytes, n, (off_t)(offset - b->start));
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

void log_bytes_close(struct log_bytes *b)
{
    if (b->frames != NULL)
        log_frames_close(b->store, b->frames);
    else
        close(b->fd);
}
