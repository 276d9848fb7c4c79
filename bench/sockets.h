/* SPDX-License-Identifier: MIT */
/*
 * sockets.h: what stands for many guests of other hypervisors: consoles behind UNIX sockets DIR/NNNNN.sock, and what each
 * of them says, so that whoever stored it can be checked byte for byte.
 *
 * A console says pieces of one size. Piece k of console c begins with both numbers and ends with a newline.
 */
#ifndef VCONS_BENCH_SOCKETS_H
#define VCONS_BENCH_SOCKETS_H
#include "bench.h"

#define PIECE_MOST 65536u
#define PIECE_HEAD 18u /* "CCCCC KKKKKKKKKKK " */

static inline void decimal(uint8_t *to, uint32_t digits, uint64_t number)
{
    while (digits > 0) {
        to[--digits] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
}

/* What all pieces have in common. */
static inline void piece_begin(uint8_t *piece, uint32_t bytes)
{
    for (uint32_t i = PIECE_HEAD; i < bytes; i++)
        piece[i] = (uint8_t)('!' + i * 7 % 90);
    piece[5] = piece[PIECE_HEAD - 1] = ' ';
    piece[bytes - 1] = '\n';
}

static inline void piece_number(uint8_t *piece, uint32_t c, uint64_t k)
{
    decimal(piece, 5, c);
    decimal(piece + 6, 11, k);
}

static inline void socket_path(char *to, size_t n, const char *dir, uint32_t c)
{
    snprintf(to, n, "%s/%05u.sock", dir, c);
}

#endif
