/* SPDX-License-Identifier: MIT */
/*
 * Pieces of output on their way to viewers, read once for those of a console who are near each other.
 *
 * What stands at an offset of a log never changes while its files are the same. So a piece that was read for one viewer is
 * good for another of that log, until it is closed. Pieces end at multiples of PIECE: however viewers begin, they meet there.
 */
#include <string.h>

#include "console.h"
#include "viewer_private.h"

#define PIECE  VIEWER_PIECE
#define PIECES 64u /* as far as viewers drift apart while their sockets take a few pieces at once, each in its turn */

static struct {
    const struct log *log; /* NULL: nothing is here */
    uint32_t files;
    uint64_t begin, end;
} kept[PIECES];
static uint8_t bytes[PIECES][PIECE]; /* pages that are never used cost nothing */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

void viewer_pieces_forget(const struct log *log)
{
    for (uint32_t i = 0; i < PIECES; i++)
        if (kept[i].log == log)
            kept[i].log = NULL;
}

static bool holds(uint32_t i, const struct log_cursor *c, const struct log_item *item)
{
    return kept[i].log == c->log && kept[i].files == c->files && kept[i].begin <= item->offset &&
           item->offset < kept[i].end;
}

/* Where nobody else looks on, the same memory each time, which stays in the processor's cache. */
ptrdiff_t viewer_piece(struct viewer *v, const struct log_item *item, uint64_t n, const uint8_t **to)
{
    struct log_cursor *c = &v->cursor;
    bool alone = v->console->n_viewers == 1;
    uint32_t i = alone ? 0 : (uint32_t)(item->offset / PIECE % PIECES);
    uint64_t most = alone ? PIECE : PIECE - item->offset % PIECE;
    ptrdiff_t got;

    n = least(n, least(item->n, most));
    if (!alone && holds(i, c, item)) {
        *to = bytes[i] + (item->offset - kept[i].begin);
        return (ptrdiff_t)least(n, kept[i].end - item->offset);
    }
    got = log_cursor_read(c, item, bytes[i], n < most && !alone ? least(item->n, most) : n);
    kept[i].log = alone || got <= 0 ? NULL : c->log;
    kept[i].files = c->files;
    kept[i].begin = item->offset;
    kept[i].end = item->offset + (got > 0 ? (uint64_t)got : 0);
    *to = bytes[i];
    return got > 0 ? (ptrdiff_t)least(n, (uint64_t)got) : got;
}
