/* SPDX-License-Identifier: MIT */
/*
 * check.h: compares what a log holds with what a feed wrote, at the speed of memory.
 *
 * Spec:  feed.h, the stream.
 * Lock:  none.
 * Trust: the files are what is tested.
 */
#ifndef VCONS_FEEDER_CHECK_H
#define VCONS_FEEDER_CHECK_H
#include <stdint.h>

/* Every segment in this directory, in order, against the stream of that number and width: a segment's first byte stands at
 * the offset in its name, each ends where the next begins, the last at total. Returns 0, or 1 with a message. */
int check_log(const char *directory, uint32_t number, uint32_t width, uint64_t total);

#endif
