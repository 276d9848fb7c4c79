/* SPDX-License-Identifier: MIT */
/*
 * from.h: where a viewer begins, as --from takes it: start, boot, now, an offset in bytes, or a moment (when.h).
 *
 * Spec:  wire/control.h, FROM.
 * Owner: the JSON is the caller's.
 * Lock:  none.
 * Trust: the text is the user's.
 */
#ifndef CLIENT_FROM_H
#define CLIENT_FROM_H
#include <jansson.h>

json_t *from_parse(const char *text); /* NULL: none of these */

#endif
