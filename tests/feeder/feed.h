/* SPDX-License-Identifier: MIT */
/*
 * feed.h: one console of the feeder: a line with its descriptors, and a stream of numbered lines that it writes there.
 *
 * Spec:  wire/line.h. The stream: line i of console k is "KKKK IIIIIIIIII " filled to width - 1 by the character
 *        33 + (7k + i) % 94, then a newline; pattern() in tests/lib/vcons.py says the same.
 * Owner: feed_open makes memory and descriptors, feed_close ends them.
 * Lock:  none, one thread.
 * Trust: the service on the other side is what is tested; a broken line ends the feeder with a message.
 */
#ifndef VCONS_FEED_H
#define VCONS_FEED_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/line.h>
#include <vcons/wire/link.h>

#define FEED_WIDTH_MIN 20u
#define FEED_WIDTH_MAX 4096u
#define FEED_INPUT     4096u

struct feed {
    struct vc_source source;
    void *memory;
    size_t bytes;
    int fds[VC_LINK_FDS];
    uint32_t number, width;
    uint64_t position, target; /* bytes of the stream written, and to write */
    uint64_t got;              /* bytes of input taken */
    uint64_t waits_since_us;   /* CLOCK_MONOTONIC: there is more to write, and no room; 0: it does not wait */
    uint64_t longest_us;       /* that it waited so */
    uint32_t size;             /* as last told, rows << 16 | columns */
    bool echo, served, runnable;
    bool there; /* false: a spare one, that has no line now */
    uint32_t kind;
    char domain[VC_LINK_NAME_BYTES], console[VC_LINK_NAME_BYTES];
    struct feed *next;         /* in the run queue */
    uint8_t input[FEED_INPUT]; /* the newest input, at got % FEED_INPUT */
};

/* Fresh memory of these sizes, sealed, with its four event descriptors; exits with a message when it cannot. */
void feed_open(struct feed *f, uint32_t number, uint32_t width, uint32_t out_size, uint32_t in_size);
void feed_close(struct feed *f); /* it stays in the run queue if it is there; nothing else of it may be used */
/* Write a bounded piece of the stream and take input. False: nothing more to do until a descriptor says so. */
bool feed_run(struct feed *f);
/* Post an event; false: its ring is full. */
bool feed_post(struct feed *f, uint32_t kind, uint64_t value);
/* Stop at the end of the line that is being written. */
void feed_stop(struct feed *f);
/* n bytes of the stream from its current position on; n. */
uint32_t feed_generate(const struct feed *f, uint8_t *to, uint32_t n);
void feed_kick(int fd);

#endif
