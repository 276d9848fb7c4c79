/* SPDX-License-Identifier: MIT */
#include "gap.h"

#include <inttypes.h>
#include <stdio.h>

const char *gap_text(char out[GAP_TEXT_BYTES], uint64_t bytes)
{
    if (bytes == UINT64_MAX)
        snprintf(out, GAP_TEXT_BYTES, "connected anew; bytes may be missing here");
    else
        snprintf(out, GAP_TEXT_BYTES, "%" PRIu64 " bytes dropped", bytes);
    return out;
}
