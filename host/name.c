/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "name.h"

static bool plain(char c) /* not isalnum: that one follows the locale */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool hex(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); }

static bool name_ok_n(const char *text, size_t n)
{
    if (n == 0 || n > NAME_CHARS || (!plain(text[0]) && text[0] != '%'))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '%' && (n - i < 3 || !hex(text[i + 1]) || !hex(text[i + 2])))
            return false;
        if (!plain(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-' && text[i] != '%')
            return false;
    }
    return true;
}

bool name_ok(const char *text) { return name_ok_n(text, strnlen(text, NAME_BYTES)); }

int name_split(const char *text, struct name *name, struct problem *p)
{
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strnlen(text, NAME_BYTES);

    *name = (struct name){0};
    if (!name_ok_n(text, n) || (slash != NULL && !name_ok(slash + 1)))
        return problem_set(p, -EINVAL,
                           "'%.80s' is not a console: expected DOMAIN or DOMAIN/CONSOLE, each 1 to 32 of letters, "
                           "digits, '.', '_', '-', beginning with a letter or digit",
                           text);
    memcpy(name->domain, text, n);
    if (slash != NULL)
        memcpy(name->console, slash + 1, strlen(slash + 1));
    return 0;
}

bool name_domid(const char *text, uint32_t *domid)
{
    uint64_t value = 0;
    size_t n = strnlen(text, 11);

    if (n == 0 || n > 10 || (text[0] == '0' && n > 1))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value > UINT32_MAX)
        return false;
    *domid = (uint32_t)value;
    return true;
}
