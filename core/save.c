/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/save.h>

void vc_writer_init(struct vc_writer *w, void *bytes, size_t size)
{
    *w = (struct vc_writer){.bytes = bytes, .size = size};
}

void vc_write_bytes(struct vc_writer *w, const void *bytes, size_t n)
{
    w->full = w->full || n > w->size - w->n;
    if (w->full || n == 0)
        return;
    memcpy(w->bytes + w->n, bytes, n);
    w->n += n;
}

static void put(uint8_t bytes[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

void vc_write_u64(struct vc_writer *w, uint64_t value)
{
    uint8_t bytes[8];

    put(bytes, value);
    vc_write_bytes(w, bytes, 8);
}

void vc_write_u32(struct vc_writer *w, uint32_t value)
{
    uint8_t bytes[8];

    put(bytes, value);
    vc_write_bytes(w, bytes, 4);
}

void vc_write_u8(struct vc_writer *w, uint8_t value) { vc_write_bytes(w, &value, 1); }

size_t vc_write_begin(struct vc_writer *w, uint32_t tag, uint32_t version)
{
    vc_write_u32(w, tag);
    vc_write_u32(w, version);
    vc_write_u32(w, 0); /* vc_write_end knows */
    vc_write_u32(w, 0);
    return w->n;
}

void vc_write_end(struct vc_writer *w, size_t begun)
{
    uint8_t bytes[8];

    w->full = w->full || w->n - begun > UINT32_MAX;
    if (w->full)
        return;
    put(bytes, w->n - begun);
    memcpy(w->bytes + begun - 8, bytes, 4);
}

bool vc_writer_ok(const struct vc_writer *w) { return !w->full; }

void vc_reader_init(struct vc_reader *r, const void *bytes, size_t size)
{
    *r = (struct vc_reader){.bytes = bytes, .size = size};
}

const void *vc_read_span(struct vc_reader *r, size_t n)
{
    const uint8_t *span = r->bytes + r->at;

    r->bad = r->bad || n > r->size - r->at;
    if (r->bad)
        return NULL;
    r->at += n;
    return span;
}

void vc_read_bytes(struct vc_reader *r, void *to, size_t n)
{
    const void *span = vc_read_span(r, n);

    if (span != NULL)
        memcpy(to, span, n);
    else
        memset(to, 0, n);
}

static uint64_t get(struct vc_reader *r, unsigned n)
{
    const uint8_t *span = vc_read_span(r, n);
    uint64_t value = 0;

    for (unsigned i = 0; span != NULL && i < n; i++)
        value |= (uint64_t)span[i] << (8 * i);
    return value;
}

uint8_t vc_read_u8(struct vc_reader *r) { return (uint8_t)get(r, 1); }
uint32_t vc_read_u32(struct vc_reader *r) { return (uint32_t)get(r, 4); }
uint64_t vc_read_u64(struct vc_reader *r) { return get(r, 8); }

bool vc_reader_ok(const struct vc_reader *r) { return !r->bad; }
bool vc_reader_done(const struct vc_reader *r) { return !r->bad && r->at == r->size; }

int vc_read_section(struct vc_reader *r, struct vc_section *s, bool *there)
{
    uint32_t bytes, zero;
    const void *body;

    *there = !r->bad && r->at < r->size;
    if (!*there)
        return r->bad ? VC_EINVAL : VC_OK;
    *s = (struct vc_section){.tag = vc_read_u32(r), .version = 0};
    s->version = vc_read_u32(r);
    bytes = vc_read_u32(r);
    zero = vc_read_u32(r);
    body = vc_read_span(r, bytes);
    *there = body != NULL && zero == 0;
    r->bad = !*there;
    vc_reader_init(&s->body, body, body != NULL ? bytes : 0);
    return *there ? VC_OK : VC_EINVAL;
}
