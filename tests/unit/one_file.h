/* SPDX-License-Identifier: MIT */
/* one_file.h: a directory of a test's own, for one file at `path`, whatever it is. */
#ifndef VCONS_TESTS_ONE_FILE_H
#define VCONS_TESTS_ONE_FILE_H
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/vcons-unit-XXXXXX";
static char path[64];

static int make_directory(const char *name)
{
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

#endif
