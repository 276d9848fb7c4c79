/* SPDX-License-Identifier: MIT */
/*
 * gap.h: what people are told where the history has a gap.
 *
 * Spec:  wire/index.h, VC_INDEX_GAP.
 */
#ifndef VCONS_CLIENT_GAP_H
#define VCONS_CLIENT_GAP_H
#include <stdint.h>

#define GAP_TEXT_BYTES 64u

/* Returns out, filled. bytes UINT64_MAX: what the source said while it was away is unknown, and may be nothing. */
const char *gap_text(char out[GAP_TEXT_BYTES], uint64_t bytes);

#endif
