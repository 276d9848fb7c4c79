/* SPDX-License-Identifier: MIT */
/*
 * check_spew: compares a console's raw log, all segments in order, with what `spew N` of tiny prints, byte for byte. What
 * the kernel says before it is skipped up to the first line's beginning. Arguments: the log's directory, N.
 */
#include "../guest/spew.h"
#include "bench.h"
#include <dirent.h>

static struct dirent **segments;
static int n_segments;

static int is_segment(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return d->d_name[0] >= '0' && d->d_name[0] <= '9' && n > 4 && strcmp(d->d_name + n - 4, ".log") == 0;
}

static FILE *next_segment(const char *directory)
{
    static int at;
    char path[4096];
    FILE *file;

    if (at == n_segments)
        return NULL;
    snprintf(path, sizeof path, "%s/%s", directory, segments[at++]->d_name);
    file = fopen(path, "r");
    require(file != NULL);
    return file;
}

/* Up to n bytes of the log, from wherever the last call ended; fewer only at its end. */
static size_t more(const char *directory, char *bytes, size_t n)
{
    static FILE *file;
    size_t done = 0;

    while (done < n) {
        size_t got = file != NULL ? fread(bytes + done, 1, n - done, file) : 0;

        done += got;
        if (got > 0)
            continue;
        if (file != NULL)
            fclose(file);
        file = next_segment(directory);
        if (file == NULL)
            break;
    }
    return done;
}

int main(int argc, char **argv)
{
    struct spew spew;
    char expected[SPEW_LINE_MAX + 1], got[SPEW_LINE_MAX];
    uint64_t n;
    char last = '\n';

    require(argc == 3);
    n = strtoull(argv[2], NULL, 10);
    n_segments = scandir(argv[1], &segments, is_segment, alphasort);
    require(n_segments > 0);
    spew_init(&spew, SPEW_WIDTH_DEFAULT);
    while (more(argv[1], got, 1) == 1 && !(last == '\n' && got[0] == '0'))
        last = got[0];
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bytes = spew_line(&spew, expected), skip = i == 0; /* the first line's 0 was read above */

        if (more(argv[1], got, bytes - skip) != bytes - skip || memcmp(got, expected + skip, bytes - skip) != 0) {
            fprintf(stderr, "%s: line %llu is not what was printed\n", argv[1], (unsigned long long)i);
            return 1;
        }
    }
    return 0;
}
