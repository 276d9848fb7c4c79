/* SPDX-License-Identifier: MIT */
/*
 * print.h: text for a console, gathered and sent in large pieces.
 *
 * Owner: the caller places struct print; it must be flushed before it goes.
 * Lock:  the console's.
 * Trust: nothing of a peer is parsed here.
 */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H
#include "hvc.h"

#define PRINT_BYTES 16384u

struct print {
    struct hvc *hvc;
    size_t n;
    char bytes[PRINT_BYTES];
};

void print_init(struct print *p, struct hvc *hvc);
void print_flush(struct print *p);
/* A place for n bytes, at most PRINT_BYTES, to be filled and then counted by print_taken. */
char *print_room(struct print *p, size_t n);
void print_taken(struct print *p, size_t n);
void print_bytes(struct print *p, const void *bytes, size_t n);
void print_text(struct print *p, const char *text);
void print_number(struct print *p, uint64_t number);
void print_hex(struct print *p, uint32_t number); /* 0x and eight digits */
/* text as a line: CR LF as every line of tiny ends, and out with all of it. */
void print_line(struct print *p, const char *text);

#endif
