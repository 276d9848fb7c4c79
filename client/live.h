/* SPDX-License-Identifier: MIT */
/*
 * live.h: the consoles on the whole terminal, looked at anew each second: ls --watch and top.
 *
 * Spec:  docs/vcons.1 (LS, TOP).
 * Owner: nothing is kept between calls; the terminal is put back as tty.h says.
 * Lock:  none: one thread.
 * Trust: as listing.h. A service that is away is waited for; one that does not answer within two seconds counts as away.
 */
#ifndef CLIENT_LIVE_H
#define CLIENT_LIVE_H
#include "command.h"
#include "listing.h"

struct live {
    const enum listing_cell *columns;
    unsigned n_columns;
    bool busiest_first; /* else in the order of the service */
};

/* Until q, a signal, or the terminal goes. The exit status. */
int live_run(const struct options *options, const struct live *live);

#endif
