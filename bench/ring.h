/* SPDX-License-Identifier: MIT */
/* ring.h: the two ends that W3 measures, once by the project's ring and once by the least code that can do it. */
#ifndef VCONS_BENCH_RING_H
#define VCONS_BENCH_RING_H
#include <stdint.h>
#include <vcons/wire/xencons.h>

void ends_open(struct xencons_interface *page);
uint32_t out_put(const uint8_t *bytes, uint32_t n); /* how many fitted */
uint32_t out_take(uint8_t *bytes);                  /* everything there is, copied out and freed; how many */

#endif
