/* SPDX-License-Identifier: MIT */
#include "store_private.h"
#include <stdio.h>
#include <string.h>

/* Bytes of "/local/domain/N/" at the start of path, which do not count for its length; 0: it starts otherwise. */
static size_t home_bytes(const char *path)
{
    static const char home[] = "/local/domain/";
    size_t n = sizeof home - 1, digits;

    if (strncmp(path, home, n) != 0)
        return 0;
    digits = strspn(path + n, "0123456789");
    return digits >= 1 && digits <= 5 && path[n + digits] == '/' ? n + digits + 1 : 0;
}

bool xs_path_valid(const char *path)
{
    size_t n = strlen(path);

    if (path[0] != '/' || (n > 1 && path[n - 1] == '/') || strstr(path, "//") != NULL)
        return false;
    return n <= home_bytes(path) + XENSTORE_REL_PATH_MAX &&
           strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@") == n;
}

bool xs_path_absolute(uint32_t domid, const char *path, char out[XS_PATH_BYTES])
{
    int n = path[0] == '/' || path[0] == '@' ? snprintf(out, XS_PATH_BYTES, "%s", path)
                                             : snprintf(out, XS_PATH_BYTES, "/local/domain/%u/%s", domid, path);

    return n >= 0 && (size_t)n < XS_PATH_BYTES;
}

void xs_path_parent(char *path)
{
    char *slash = strrchr(path, '/');

    slash[slash == path ? 1 : 0] = '\0';
}

bool xs_path_below(const char *path, const char *top, size_t n_top)
{
    if (n_top == 1 && top[0] == '/')
        return path[0] == '/';
    return strncmp(path, top, n_top) == 0 && (path[n_top] == '/' || path[n_top] == '\0');
}
