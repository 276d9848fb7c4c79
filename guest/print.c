/* SPDX-License-Identifier: MIT */
#include "print.h"
#include <string.h>

void print_init(struct print *p, struct hvc *hvc)
{
    p->hvc = hvc;
    p->n = 0;
}

void print_flush(struct print *p)
{
    hvc_write(p->hvc, p->bytes, p->n);
    p->n = 0;
}

char *print_room(struct print *p, size_t n)
{
    if (n > PRINT_BYTES - p->n)
        print_flush(p);
    return p->bytes + p->n;
}

void print_taken(struct print *p, size_t n) { p->n += n; }

void print_bytes(struct print *p, const void *bytes, size_t n)
{
    while (n > 0) {
        size_t piece = n < PRINT_BYTES ? n : PRINT_BYTES;

        memcpy(print_room(p, piece), bytes, piece);
        print_taken(p, piece);
        bytes = (const char *)bytes + piece;
        n -= piece;
    }
}

void print_text(struct print *p, const char *text)
{
    size_t n = 0;

    while (text[n] != '\0')
        n++;
    print_bytes(p, text, n);
}

void print_number(struct print *p, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    print_bytes(p, digits + at, sizeof digits - at);
}

void print_hex(struct print *p, uint32_t number)
{
    print_text(p, "0x");
    for (int shift = 28; shift >= 0; shift -= 4)
        print_bytes(p, &"0123456789abcdef"[number >> shift & 15], 1);
}

void print_line(struct print *p, const char *text)
{
    print_text(p, text);
    print_text(p, "\r\n");
    print_flush(p);
}
