/* SPDX-License-Identifier: MIT */
/*
 * safe_check.h: an independent reader of what the safe filter let through, for its unit test and its fuzz target. It knows
 * what a terminal does (xterm's ctlseqs), not how the filter is written. Returns NULL, or what is active in the output.
 */
#ifndef VCONS_TESTS_SAFE_CHECK_H
#define VCONS_TESTS_SAFE_CHECK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t safe_check_character(const uint8_t *b, size_t n) /* bytes of a legal character beyond ASCII, or 0 */
{
    uint32_t code = 0;
    size_t want = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc0 ? 2 : 0;

    if (want == 0 || want > n || b[0] > 0xf7)
        return 0;
    code = b[0] & (0x7fu >> want);
    for (size_t i = 1; i < want; i++) {
        if (b[i] < 0x80 || b[i] > 0xbf)
            return 0;
        code = code << 6 | (b[i] & 0x3fu);
    }
    if (code < 0xa0 || (want == 3 && code < 0x800) || (want == 4 && code < 0x10000) || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return 0;
    return want;
}

/* In a log: text, tab, newline; with colour also ESC [ digits m. */
static const char *safe_check_log(const uint8_t *b, size_t n, bool colour)
{
    for (size_t i = 0; i < n;) {
        if (b[i] >= 0x80) {
            size_t length = safe_check_character(b + i, n - i);

            if (length == 0)
                return "bytes that are no character";
            if (length == 3 && b[i] == 0xe2 && b[i + 1] == 0x80 && b[i + 2] == 0xae)
                return "right-to-left override";
            i += length;
        } else if (b[i] == 0x1b) {
            if (!colour || i + 2 >= n || b[i + 1] != '[')
                return "an escape";
            i += 2 + strspn((const char *)b + i + 2, "0123456789;:");
            if (i >= n || b[i++] != 'm')
                return "a sequence that is no colour";
        } else if ((b[i] < 0x20 && b[i] != '\n' && b[i] != '\t') || b[i] == 0x7f) {
            return "a control character";
        } else {
            i++;
        }
    }
    return NULL;
}

/* One control sequence b[0..n) with its ESC [ and final byte. */
static const char *safe_check_csi(const uint8_t *b, size_t n, bool queries)
{
    char text[80] = "", *inner = text + 2, final = (char)b[n - 1];

    if (n >= sizeof text)
        return "a sequence too long to judge";
    memcpy(text, b, n);
    text[n - 1] = '\0';
    if (final == 'c')
        return queries && strchr("=", inner[0] ? inner[0] : 'x') == NULL ? NULL : "DA: the terminal answers";
    if (final == 'n')
        return queries ? NULL : "DSR: the terminal answers";
    if (final == 't')
        return "window operation or report";
    if (final == 'i')
        return "media copy";
    if (final == 'y' || final == 'x' || final == 'w' || final == 'R' || final == '|' || final == '}' || final == 'v')
        return "a report or key definition";
    if (strpbrk(inner, "$'*&+,-.%#") != NULL)
        return "intermediates that ask or move memory";
    if ((inner[0] == '>' || inner[0] == '=' || inner[0] == '<'))
        return "private key or version sequence";
    if (final == 'u' && inner[0] == '?')
        return "keyboard query";
    if (final == 'p' && strchr(inner, '!') == NULL)
        return "mode query or conformance level";
    if (final == 'q' && inner[0] != '\0' && strpbrk(inner, " \"") == NULL)
        return "lamps or version";
    if (final == 'h' && inner[0] != '?' && strcmp(inner, "4") != 0)
        return "a mode of keyboard or line";
    if (inner[0] == '?' && (final == 'h' || final == 'l'))
        for (char *part = strtok(inner + 1, ";:"); part != NULL; part = strtok(NULL, ";:")) {
            int mode = -1;

            sscanf(part, "%d", &mode);
            if (mode == 3 || mode == 40 || mode == 1001 || mode == 80 || mode == 2 || mode == 1007 || mode == 9)
                return "a mode that may not be set";
        }
    return NULL;
}

/* On a terminal: what a program may draw with, and no string, report or answer-back. */
static const char *safe_check_live(const uint8_t *b, size_t n, bool queries)
{
    for (size_t i = 0; i < n;) {
        if (b[i] >= 0x80) {
            size_t length = safe_check_character(b + i, n - i);

            if (length == 0)
                return "bytes that are no character";
            i += length;
        } else if (b[i] == 0x1b) {
            size_t end = i + 1;
            const char *wrong;

            if (end >= n)
                return "a lone escape";
            if (b[end] != '[') {
                if (strchr("P]_^Xk Z\\V@Nl", b[end]) != NULL)
                    return "a string, answer-back, or 8-bit switch";
                while (end < n && b[end] >= 0x20 && b[end] < 0x30)
                    end++;
                if (end >= n || b[end] < 0x30 || b[end] > 0x7e)
                    return "an escape without end";
                i = end + 1;
                continue;
            }
            for (end++; end < n && b[end] >= 0x20 && b[end] < 0x40; end++)
                continue;
            if (end >= n || b[end] < 0x40 || b[end] > 0x7e)
                return "a sequence without end";
            wrong = safe_check_csi(b + i, end + 1 - i, queries);
            if (wrong != NULL)
                return wrong;
            i = end + 1;
        } else if (b[i] < 0x20 && strchr("\a\b\t\n\v\f\r\x0e\x0f", b[i]) == NULL) {
            return "a control character";
        } else if (b[i] == 0x7f || b[i] == 0) {
            return "a control character";
        } else {
            i++;
        }
    }
    return NULL;
}

#endif
