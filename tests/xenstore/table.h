/* SPDX-License-Identifier: MIT */
/*
 * table.h: requests and replies of XenStore, put to ours and to the real xenstored alike.
 *
 * Two clients: '0' is domain 0, 'g' a guest. Before each case (a row with a name) these nodes stand there anew, all watches and
 * transactions being gone:
 *
 *     /vt         n0 rG    domain 0's; the guest may read
 *     /vt/own     nG       the guest's
 *     /vt/secret  n0       domain 0's alone
 *     /vt/shared  b0       everybody may write
 *
 * In payload, reply and events: | is NUL, $ the guest's number, {300x} three hundred times x, ~ (replies only) a number.
 */
#ifndef VCONS_TESTS_XENSTORE_TABLE_H
#define VCONS_TESTS_XENSTORE_TABLE_H
#include <stddef.h>
#include <stdint.h>

struct xt_row {
    const char *name; /* of the case; NULL: another step of it */
    char who;
    uint32_t type;
    char tx; /* 0: none; a, b, c: the one that a reply "#a" named; '!': one that there is not */
    const char *payload;
    const char
        *reply; /* "OK"; "!" and an error's name, or any; "=" and data; "#" and where the new transaction is kept */
    const char *events; /* NULL: none. "g:path|token|", several with a space between, in order for each client */
    /* Where the real one answers otherwise, and why ours does not. NULL: as above. "-": it has no events. */
    const char *real, *real_events, *why;
};
extern const struct xt_row xt_rows[];
extern const size_t xt_n_rows;

#endif
