/* SPDX-License-Identifier: MIT */
/* Whether files hold what their console said. */
#include "feed.h"

struct said { /* what a console's files, one behind the other, have held so far */
    uint32_t console;
    uint64_t pieces;
    uint32_t part;
};

static void check_file(struct said *s, const char *path, uint8_t *piece, uint32_t piece_bytes)
{
    static uint8_t found[PIECE_MOST];
    FILE *f = fopen(path, "rbe");
    size_t n;

    require(f != NULL);
    while ((n = fread(found, 1, piece_bytes - s->part, f)) > 0) {
        piece_number(piece, s->console, s->pieces);
        if (memcmp(piece + s->part, found, n) != 0) {
            fprintf(stderr, "%s: piece %lu of console %u is not as it was said\n", path, s->pieces, s->console);
            exit(1);
        }
        s->part = (s->part + (uint32_t)n) % piece_bytes;
        s->pieces += s->part == 0;
    }
    fclose(f);
}

int feed_check(uint32_t piece_bytes)
{
    static uint8_t piece[PIECE_MOST];
    char line[4352], path[4096];
    struct said s = {0};
    uint64_t wanted = 0, pieces;
    uint32_t c;

    piece_begin(piece, piece_bytes);
    while (fgets(line, sizeof line, stdin) != NULL) {
        require(sscanf(line, "%u %lu %4095[^\n]", &c, &pieces, path) == 3);
        if (c != s.console) {
            require(s.pieces == wanted && s.part == 0);
            s = (struct said){.console = c};
        }
        wanted = pieces;
        check_file(&s, path, piece, piece_bytes);
    }
    require(s.pieces == wanted && s.part == 0);
    return 0;
}
