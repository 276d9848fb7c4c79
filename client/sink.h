/* SPDX-License-Identifier: MIT */
/*
 * sink.h: output that never makes the program wait: bytes are kept until the terminal or pipe takes them.
 *
 * Owner: the caller places struct sink, opens and closes it.
 * Lock:  none: one thread.
 * Trust: whoever reads the output may stop, or go; the caller stops producing while sink_waits.
 */
#ifndef CLIENT_SINK_H
#define CLIENT_SINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink {
    int fd;
    bool own;     /* fd was opened here, without blocking: the shell's description is not touched */
    bool gone;    /* nobody will read it any more */
    int error;    /* why */
    uint8_t last; /* the last byte that was put; '\n' at first */
    uint8_t *bytes;
    size_t have, size;
};

void sink_open(struct sink *s, int fd);
void sink_close(struct sink *s); /* gives what is left half a second */
/* Room for n bytes to be written at the place returned, then sink_took. NULL: out of memory. */
uint8_t *sink_room(struct sink *s, size_t n);
void sink_took(struct sink *s, size_t n);
void sink_put(struct sink *s, const void *bytes, size_t n);
/* Write what can be written now; s->gone if nobody is there. */
void sink_flush(struct sink *s);
bool sink_waits(const struct sink *s);
/* It is gone: the command's exit status. What went wrong is said, but for a reader that left, or a terminal. */
int sink_status(const struct sink *s, bool terminal);

#endif
