/* SPDX-License-Identifier: MIT */
/*
 * The filter between a guest and a viewer's terminal: whatever the input, nothing active comes out, in either mode, and the
 * output does not depend on where the input was cut. Behind it the screen that this output has arrived at, which is painted: nothing
 * active comes out of that either.
 */
#include "../tests/unit/safe_check.h"
#include "fuzz.h"

#include <stdlib.h>

#include "client/safe.h"
#include "client/screen.h"

enum { MOST = 16384 };

static struct safe filter;

static size_t run(enum safe_mode mode, uint8_t flags, const uint8_t *in, size_t n, size_t cut, uint8_t *out)
{
    size_t have = 0;

    safe_init(&filter, mode, true, (flags & 1) != 0);
    safe_queries(&filter, (flags & 2) != 0);
    for (size_t at = 0; at < n; at += cut)
        have += safe_filter(&filter, in + at, n - at < cut ? n - at : cut, out + have);
    return have + safe_end(&filter, out + have);
}

/* What the filter let through, on a screen of some size that changes half way; then every way to show it. */
static void paint(uint8_t flags, const uint8_t *bytes, size_t n, size_t cut)
{
    static uint8_t out[SAFE_OUT_BYTES(MOST)];
    struct sink sink = {.fd = -1};
    struct screen screen;

    if (!screen_open(&screen, 1 + (flags >> 4), 1 + (flags >> 2) % 13))
        return;
    safe_init(&filter, SAFE_LIVE, true, false);
    for (size_t at = 0; at < n; at += cut) {
        size_t part = n - at < cut ? n - at : cut, got = safe_filter(&filter, bytes + at, part, out);

        screen_feed(&screen, out, got, filter.text_last);
        if (at / cut == 3)
            screen_resize(&screen, &filter.seen, 1 + (flags >> 2) % 13, 1 + (flags >> 4));
    }
    screen_paint(&screen, &filter.seen, (flags & 4) != 0, &sink);
    screen_overlay(&screen, &filter.seen, "[vcons: a notice, longer than most of these rows are]", &sink);
    screen_overlay(&screen, &filter.seen, NULL, &sink);
    if (!screen_full(&screen, &filter.seen))
        screen_paint_lines(&screen, &filter.seen, 5, &sink);
    require(safe_check_live(sink.bytes, sink.have, false) == NULL);
    free(sink.bytes);
    screen_close(&screen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t whole[SAFE_OUT_BYTES(MOST)], pieces[SAFE_OUT_BYTES(MOST)];
    struct input in = {data, size};
    uint8_t flags = (uint8_t)take(&in, 1);
    size_t cut = 1 + take(&in, 1) % 64, n = in.left < MOST ? in.left : MOST, got;
    const uint8_t *bytes = data + (size - in.left);

    got = run(SAFE_LOG, flags, bytes, n, MOST, whole);
    require(got <= sizeof whole && safe_check_log(whole, got, (flags & 1) != 0) == NULL);
    require(run(SAFE_LOG, flags, bytes, n, cut, pieces) == got && memcmp(whole, pieces, got) == 0);
    got = run(SAFE_LIVE, flags, bytes, n, MOST, whole);
    require(got <= sizeof whole && safe_check_live(whole, got, (flags & 2) != 0) == NULL);
    require(run(SAFE_LIVE, flags, bytes, n, cut, pieces) == got && memcmp(whole, pieces, got) == 0);
    paint(flags, bytes, n, cut);
    return 0;
}
