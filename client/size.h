/* SPDX-License-Identifier: MIT */
/*
 * size.h: the size of a terminal as people write it, 80x25: columns, then rows.
 *
 * Owner: the caller's.
 * Lock:  none.
 * Trust: the text is the user's.
 */
#ifndef CLIENT_SIZE_H
#define CLIENT_SIZE_H
#include <stdbool.h>
#include <stdint.h>

#define SIZE_EXPECTED "COLUMNSxROWS, each from 1 to 65535"

/* False: it is no size, and the two are as they were. */
bool size_parse(const char *text, uint16_t *columns, uint16_t *rows);

#endif
