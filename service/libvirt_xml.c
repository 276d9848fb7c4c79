/* SPDX-License-Identifier: MIT */
#include "libvirt_xml.h"

#include <stdbool.h>
#include <string.h>

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-:.", c) != NULL;
}

/* The next element's name from *at on, behind its '<'; *at is behind the name. NULL: there is none. End tags begin with '/'. */
static const char *next_element(const char **at, size_t *n)
{
    const char *begin = strchr(*at, '<');

    while (begin != NULL && strncmp(begin, "<!--", 4) == 0) { /* what is in a comment is none */
        begin = strstr(begin, "-->");
        begin = begin != NULL ? strchr(begin, '<') : NULL;
    }
    if (begin == NULL)
        return NULL;
    begin++;
    for (*n = *begin == '/'; begin[*n] != '\0' && is_name(begin[*n]);)
        (*n)++;
    *at = begin + *n;
    return begin;
}

/* Its attribute of that name, up to the end of the tag. */
static const char *attribute(const char *at, const char *name, size_t *n)
{
    while (*at != '\0' && *at != '>') {
        const char *key = at, *end;
        size_t key_n = 0;

        while (key[key_n] != '\0' && is_name(key[key_n]))
            key_n++;
        at += key_n > 0 ? key_n : 1;
        if (key_n == 0 || *at != '=' || (at[1] != '\'' && at[1] != '"'))
            continue;
        end = strchr(at + 2, at[1]);
        if (end == NULL)
            return NULL;
        *n = (size_t)(end - (at + 2));
        if (key_n == strlen(name) && strncmp(key, name, key_n) == 0)
            return at + 2;
        at = end + 1;
    }
    return NULL;
}

static bool is(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && strncmp(text, word, n) == 0;
}

static bool take_path(const char *at, char path[LIBVIRT_PATH_BYTES])
{
    size_t n;
    const char *value = attribute(at, "path", &n);

    if (value == NULL || n == 0 || n >= LIBVIRT_PATH_BYTES || value[0] != '/' || memchr(value, '&', n) != NULL)
        return false;
    memcpy(path, value, n);
    path[n] = '\0';
    return true;
}

const char *libvirt_xml_console(const char *text, char path[LIBVIRT_PATH_BYTES])
{
    const char *at = text, *element, *type;
    bool inside = false, other = false;
    size_t n, type_n;

    while ((element = next_element(&at, &n)) != NULL) {
        if (is(element, n, "console") || is(element, n, "serial")) {
            type = attribute(at, "type", &type_n);
            inside = type != NULL && is(type, type_n, "pty");
            other = other || !inside;
        } else if (is(element, n, "/console") || is(element, n, "/serial"))
            inside = false;
        else if (inside && is(element, n, "source") && take_path(at, path))
            return NULL;
    }
    return other ? "its console is no pseudo-terminal: name what it is, as unix:PATH" : "it has no console";
}
