/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PIECE (16u * 1024) /* of one turn, so that a thousand feeds all move */

static int open_memory(size_t bytes)
{
    int fd = memfd_create("vcons-line", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        err(1, "memory of a line");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        err(1, "sealing the memory of a line");
    return fd;
}

void feed_open(struct feed *f, uint32_t number, uint32_t width, uint32_t out_size, uint32_t in_size)
{
    uint8_t id[VC_LINE_ID_BYTES];
    size_t bytes = vc_line_bytes(out_size, in_size);

    *f = (struct feed){.number = number, .width = width, .bytes = bytes, .runnable = f->runnable, .next = f->next};
    f->there = true;
    if (bytes == 0 || getrandom(id, sizeof id, 0) != sizeof id)
        errx(2, "a line's sizes are powers of two from %u on", VC_LINE_SIZE_MIN);
    f->fds[VC_LINK_FD_MEMORY] = open_memory(bytes);
    f->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->fds[VC_LINK_FD_MEMORY], 0);
    if (f->memory == MAP_FAILED)
        err(1, "mapping a line");
    if (vc_line_format(f->memory, out_size, in_size, id) || vc_source_open(&f->source, f->memory, bytes))
        errx(1, "a fresh line does not open");
    for (int i = VC_LINK_FD_OUT_BYTES; i < VC_LINK_FDS; i++)
        if ((f->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
            err(1, "event descriptor of a line");
}

void feed_close(struct feed *f)
{
    f->there = f->served = false;
    f->position = f->target = 0;
    munmap(f->memory, f->bytes);
    for (int i = 0; i < VC_LINK_FDS; i++)
        close(f->fds[i]);
}

void feed_kick(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN) /* EAGAIN: 2^64 - 2 kicks wait already */
        err(1, "kicking the service");
}

static uint8_t *put_number(uint8_t *at, uint64_t number, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; number /= 10)
        at[i] = (uint8_t)('0' + number % 10);
    at[digits] = ' ';
    return at + digits + 1;
}

static void put_line(const struct feed *f, uint64_t i, uint8_t *line)
{
    uint8_t *fill = put_number(put_number(line, f->number, 4), i, 10);

    memset(fill, (int)(33 + (f->number * 7 + i) % 94), (size_t)(line + f->width - 1 - fill));
    line[f->width - 1] = '\n';
}

uint32_t feed_generate(const struct feed *f, uint8_t *to, uint32_t n)
{
    uint8_t line[FEED_WIDTH_MAX];
    uint32_t done = 0;

    while (done < n) {
        uint64_t position = f->position + done;
        uint32_t skip = (uint32_t)(position % f->width), part = f->width - skip;

        put_line(f, position / f->width, line);
        if (part > n - done)
            part = n - done;
        memcpy(to + done, line + skip, part);
        done += part;
    }
    return done;
}

static uint32_t room_of(struct feed *f)
{
    uint32_t room;

    if (vc_source_room(&f->source, &room))
        errx(1, "console %u: the service broke the line", f->number);
    return room;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* From when it found no room until it has written again: with the time that it waits for its turn in here. */
static void note_wait(struct feed *f, bool waits)
{
    uint64_t waited_us;

    if (waits && f->waits_since_us == 0)
        f->waits_since_us = now_us();
    if (waits || f->waits_since_us == 0)
        return;
    waited_us = now_us() - f->waits_since_us;
    if (waited_us > f->longest_us)
        f->longest_us = waited_us;
    f->waits_since_us = 0;
}

static bool write_piece(struct feed *f)
{
    static uint8_t piece[PIECE];
    uint64_t left = f->target - f->position;
    uint32_t room = room_of(f), n = room < PIECE ? room : PIECE, put;
    bool kick = false;

    if (n > left)
        n = (uint32_t)left;
    note_wait(f, n == 0 && left > 0);
    if (n == 0)
        return false;
    if (vc_source_put(&f->source, piece, feed_generate(f, piece, n), &put, &kick))
        errx(1, "console %u: the service broke the line", f->number);
    f->position += put;
    if (kick)
        feed_kick(f->fds[VC_LINK_FD_OUT_BYTES]);
    return true;
}

static void remember(struct feed *f, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        f->input[f->got++ % FEED_INPUT] = bytes[i];
}

/* Take what was typed; an echoing feed takes no more than it can send back. */
static void take_input(struct feed *f)
{
    uint8_t bytes[1024];
    struct vc_line_event event;
    uint32_t n = sizeof bytes, got, put;
    bool kick_room = false, kick_bytes = false, event_taken;

    if (f->echo && room_of(f) < n)
        n = room_of(f);
    if (vc_source_get(&f->source, bytes, n, &got, &kick_room) ||
        vc_source_event(&f->source, &event, &event_taken, &kick_room))
        errx(1, "console %u: the service broke the line's input", f->number);
    if (event_taken && event.kind == VC_LINE_RESIZE)
        f->size = (uint32_t)event.value;
    remember(f, bytes, got);
    if (f->echo && got > 0)
        vc_source_put(&f->source, bytes, got, &put, &kick_bytes);
    if (kick_bytes)
        feed_kick(f->fds[VC_LINK_FD_OUT_BYTES]);
    if (kick_room)
        feed_kick(f->fds[VC_LINK_FD_IN_ROOM]);
}

bool feed_run(struct feed *f)
{
    if (!f->there)
        return false;
    take_input(f);
    if (write_piece(f))
        return true;
    vc_source_arm_bytes(&f->source);
    if (f->position < f->target || (f->echo && !vc_source_idle(&f->source)))
        vc_source_arm_room(&f->source);
    if (!vc_source_idle(&f->source) && (!f->echo || room_of(f) > 0))
        return true;
    return f->position < f->target && room_of(f) > 0;
}

bool feed_post(struct feed *f, uint32_t kind, uint64_t value)
{
    bool kick = false;
    int error = vc_source_post(&f->source, kind, value, &kick);

    if (kick)
        feed_kick(f->fds[VC_LINK_FD_OUT_BYTES]);
    return error == VC_OK;
}

void feed_stop(struct feed *f)
{
    uint64_t end = (f->position + f->width - 1) / f->width * f->width;

    if (f->target > end)
        f->target = end;
}
