/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a ring driven by the input, whose bytes are also the hostile peer: any index may change between any two
 * calls. While nobody scribbled, what comes out must be what went in.
 */
#include "fuzz.h"
#include <vcons/ring.h>

enum { MOST = 4096 };

extern uint8_t sum_of_spans;
uint8_t sum_of_spans; /* keeps the reads of spans from being optimised away */

static void touch(const struct vc_span *span, uint8_t *sum)
{
    for (uint32_t i = 0; i < span->n; i++)
        *sum = (uint8_t)(*sum + span->bytes[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint32_t ring_bytes = 1u << take(&in, 1) % 13, prod = (uint32_t)take(&in, 4), cons = (uint32_t)take(&in, 4), n,
             used;
    uint8_t *bytes = calloc(1, ring_bytes), buffer[MOST], written = 0, read = 0, sum = 0;
    struct vc_ring ring = {bytes, ring_bytes, &prod, &cons};
    struct vc_span spans[2];
    struct vc_producer p;
    struct vc_consumer c;
    bool honest;

    require(bytes != NULL);
    honest = vc_producer_attach(&p, &ring) == VC_OK && prod == cons;
    (void)vc_consumer_attach(&c, &ring);
    while (in.left > 0) {
        uint32_t want = (uint32_t)take(&in, 2) % (MOST + 1);

        switch (take(&in, 1) % 6) {
        case 0:
            for (uint32_t i = 0; i < want; i++)
                buffer[i] = (uint8_t)(written + i);
            (void)vc_producer_put(&p, buffer, want, &n);
            require(n <= want && n <= ring_bytes);
            written = (uint8_t)(written + n);
            break;
        case 1:
            (void)vc_consumer_get(&c, buffer, want, &n);
            require(n <= want && n <= ring_bytes);
            for (uint32_t i = 0; honest && i < n; i++)
                require(buffer[i] == (uint8_t)(read + i));
            read = (uint8_t)(read + n);
            break;
        case 2:
            (void)vc_consumer_peek(&c, spans, &used);
            require(used <= ring_bytes && spans[0].n + spans[1].n == used);
            touch(&spans[0], &sum);
            touch(&spans[1], &sum);
            n = want < used ? want : used;
            vc_consumer_commit(&c, n);
            read = (uint8_t)(read + n);
            break;
        case 3:
            prod = (uint32_t)take(&in, 4);
            honest = false;
            break;
        case 4:
            cons = (uint32_t)take(&in, 4);
            honest = false;
            break;
        default:
            n = (uint32_t)take(&in, 4);
            if (vc_consumer_attach_at(&c, &ring, n) == VC_OK)
                require(n - cons <= prod - cons && prod - cons <= ring_bytes);
            else
                (void)vc_consumer_attach(&c, &ring);
            honest = false;
        }
    }
    free(bytes);
    sum_of_spans = sum;
    return 0;
}
