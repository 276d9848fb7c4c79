/* SPDX-License-Identifier: MIT */
/*
 * Telnet from a hostile peer: data never grows, what is answered is bounded by what was asked and is itself telnet without data;
 * neither depends on where the input was cut; and what is sent comes back as it was from a peer that speaks the same.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "service/telnet.h"

enum { MOST = 4096 };

struct side {
    struct telnet telnet;
    uint8_t sent[64 + 8 * MOST];
    size_t n;
};

static bool keep(void *ctx, const uint8_t *bytes, size_t n)
{
    struct side *s = ctx;

    require(n <= sizeof s->sent - s->n);
    memcpy(s->sent + s->n, bytes, n);
    s->n += n;
    return true;
}

static size_t run(struct side *s, const uint8_t *in, size_t n, size_t cut, uint8_t *out)
{
    static const struct telnet_port port = {.speed = 0xffffffff, .bits = 8, .parity = 1, .stop = 1, .flow = 1};
    size_t have = 0;

    *s = (struct side){.telnet = {.send = keep, .ctx = s}};
    telnet_begin(&s->telnet, &port);
    for (size_t at = 0; at < n; at += cut) {
        size_t part = n - at < cut ? n - at : cut;
        uint8_t piece[MOST];

        memcpy(piece, in + at, part);
        part = telnet_decode(&s->telnet, piece, part);
        memcpy(out + have, piece, part);
        have += part;
    }
    return have;
}

/* As it arrives at a peer that was told the same about BINARY: what we send plain, with CR NUL, and what not. */
static void there_and_back(const struct telnet *t, const uint8_t *data, size_t n)
{
    static uint8_t wire[TELNET_GROW * MOST];
    static struct side peer;
    size_t sent = telnet_encode(t, data, n, wire);
    uint8_t binary[] = {255, 251, TELNET_BINARY};

    peer = (struct side){.telnet = {.send = keep, .ctx = &peer}};
    if (t->us[0] == 2) /* BINARY is agreed upon */
        telnet_decode(&peer.telnet, binary, sizeof binary);
    require(sent <= TELNET_GROW * n);
    require(telnet_decode(&peer.telnet, wire, sent) == n && memcmp(wire, data, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side whole, pieces, peer;
    static uint8_t one[MOST], other[MOST];
    size_t n = size > 1 ? size - 1 : 0, cut = size > 1 ? 1 + data[0] : 1, have;

    if (n > MOST || n == 0)
        return 0;
    have = run(&whole, data + 1, n, MOST, one);
    require(have <= n);
    require(run(&pieces, data + 1, n, cut, other) == have && memcmp(one, other, have) == 0);
    require(whole.n == pieces.n && memcmp(whole.sent, pieces.sent, whole.n) == 0);
    peer = (struct side){.telnet = {.send = keep, .ctx = &peer}};
    require(telnet_decode(&peer.telnet, whole.sent, whole.n) == 0); /* commands, and no byte of data */
    there_and_back(&whole.telnet, data + 1, n);
    return 0;
}
