/* SPDX-License-Identifier: MIT */
/* log_lab.h: what the tests of the log store share: a directory, a clock of their own, a pattern whose bytes tell where they
 * belong, and a reader that collects everything a cursor shows. */
#ifndef VCONS_TESTS_LOG_LAB_H
#define VCONS_TESTS_LOG_LAB_H
#include "host/crc32c.h"
#include "service/log.h"
#include "service/log_compress.h"
#include "unit.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LAB_DOMAIN  "d1"
#define LAB_CONSOLE "hvc0"
#define MS          UINT64_C(1000000)

struct lab {
    char path[64];
    struct log_store store;
    struct log log;
    struct log_limits limits;
    struct log_env env;
    struct log_time now;
    struct log_rules rules; /* said to hold for every console */
    unsigned n_messages, n_untidy;
    char message[256];
};

/* How often: VCONS_LONG asks for the long figure. */
static inline unsigned lab_times(unsigned usual, unsigned in_long)
{
    const char *wish = getenv("VCONS_LONG");

    return wish != NULL && *wish != '\0' && strcmp(wish, "0") != 0 ? in_long : usual;
}

static inline void lab_message(void *ctx, const char *text)
{
    struct lab *lab = ctx;

    lab->n_messages++;
    snprintf(lab->message, sizeof lab->message, "%s", text);
}

static inline void lab_untidy(void *ctx) { ((struct lab *)ctx)->n_untidy++; }

static inline void lab_rules(void *ctx, const char *domain, const char *console, struct log_rules *rules)
{
    (void)domain;
    (void)console;
    *rules = ((struct lab *)ctx)->rules;
}

/* The byte at each offset: position-dependent at every scale, with line ends. */
static inline uint8_t lab_byte(uint64_t offset)
{
    uint64_t x = (offset + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return offset % 61 == 60 ? '\n' : (uint8_t)(' ' + (x >> 40) % 95);
}

static inline void lab_fill(uint8_t *bytes, uint64_t offset, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = lab_byte(offset + i);
}

static inline void lab_store(struct lab *lab)
{
    lab->env = (struct log_env){.message = lab_message, .untidy = lab_untidy, .rules = lab_rules};
    assert_int_equal(log_store_open(&lab->store, lab->path, &lab->limits, &lab->env, lab), 0);
}

static inline void lab_open(struct lab *lab)
{
    assert_int_equal(log_open(&lab->log, &lab->store, LAB_DOMAIN, LAB_CONSOLE, 0, &lab->now), 0);
}

static inline void lab_begin(struct lab *lab, const struct log_limits *limits)
{
    *lab = (struct lab){.now = {1700000000 * UINT64_C(1000000000), 5000 * MS}};
    if (limits != NULL)
        lab->limits = *limits;
    strcpy(lab->path, "/tmp/vcons-log-XXXXXX");
    assert_non_null(mkdtemp(lab->path));
    lab_store(lab);
    lab_open(lab);
}

static inline void lab_remove(const char *path)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* All regular files and links in a directory; cheaper than a shell, for loops. */
static inline void lab_remove_files(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
}

/* Written out here: what the format says, not what the store does. */
static inline void lab_seal(struct vc_index_record *r)
{
    r->crc32c = 0;
    r->crc32c = crc32c_plain(0, r, sizeof *r);
}

static inline void lab_end(struct lab *lab)
{
    log_close(&lab->log, &lab->now);
    log_store_close(&lab->store);
    lab_remove(lab->path);
}

/* As after kill -9: nothing is written any more, descriptors just go. */
static inline void lab_kill(struct lab *lab)
{
    close(lab->log.log_fd);
    close(lab->log.idx_fd);
    log_store_close(&lab->store);
    lab->log = (struct log){.log_fd = -1, .idx_fd = -1};
}

static inline void lab_tick(struct lab *lab, uint64_t ns)
{
    lab->now.real_ns += ns;
    lab->now.mono_ns += ns;
}

static inline uint32_t lab_append(struct log *l, const void *bytes, uint32_t n, const struct log_time *now)
{
    struct vc_span spans[2] = {{bytes, n / 3}, {(const uint8_t *)bytes + n / 3, n - n / 3}};

    return log_append(l, spans, now);
}

/* n bytes of the pattern, which must all be stored. */
static inline void lab_put(struct lab *lab, uint32_t n)
{
    uint8_t *bytes = malloc(n);

    assert_non_null(bytes);
    lab_fill(bytes, log_end(&lab->log), n);
    assert_int_equal(lab_append(&lab->log, bytes, n, &lab->now), n);
    free(bytes);
}

/* Compress all that is closed. Returns how many segments now are. */
static inline unsigned lab_compress(struct lab *lab)
{
    static const uint32_t go = 0;
    struct log_compress c;
    unsigned n = 0;

    log_compress_init(&c, &lab->store);
    while (log_compress_next(&lab->store, &c)) {
        log_compress_run(&c, &go);
        n += log_compress_end(&lab->store, &c) == 0;
    }
    log_compress_finish(&c);
    return n;
}

static inline void lab_file(const struct lab *lab, char path[160], uint64_t start, const char *suffix)
{
    snprintf(path, 160, "%s/" LAB_DOMAIN "/" LAB_CONSOLE "/%020llu%s", lab->path, (unsigned long long)start, suffix);
}

struct lab_read { /* all that a cursor showed */
    uint8_t *bytes;
    size_t n;
    uint64_t first; /* offset of bytes[0] */
    struct vc_index_record marks[4096];
    size_t n_marks;
    uint64_t lost; /* sum of the gaps without a line and beyond */
};

/* Read all from offset on; offsets never go back. */
static inline void lab_read(struct lab_read *r, const struct log *l, uint64_t offset, uint32_t kinds)
{
    struct log_cursor c;
    struct log_item item;
    uint64_t at = 0;

    *r = (struct lab_read){0};
    assert_int_equal(log_cursor_open(&c, l, offset, kinds), 0);
    r->first = c.offset;
    for (;;) {
        assert_int_equal(log_cursor_next(&c, &item), 0);
        if (item.kind == LOG_NOTHING)
            break;
        assert_true(item.offset >= at);
        at = item.offset;
        if (item.kind == LOG_MARK) {
            assert_true(r->n_marks < N_ROWS(r->marks));
            r->marks[r->n_marks++] = item.record;
            if (item.record.kind == VC_INDEX_GAP)
                r->lost += item.record.value;
            continue;
        }
        r->bytes = realloc(r->bytes, r->n + item.n);
        assert_non_null(r->bytes);
        ptrdiff_t n = log_cursor_read(&c, &item, r->bytes + r->n, item.n);
        assert_true(n >= 0);
        log_cursor_take(&c, (uint64_t)n);
        r->n += (size_t)n;
    }
    log_cursor_close(&c);
}

static inline void lab_read_end(struct lab_read *r) { free(r->bytes); }

/* The history from its first kept byte to its end is the pattern, without a hole. */
static inline void lab_expect_pattern(const struct log *l, uint64_t first, uint64_t end)
{
    static struct lab_read r;

    lab_read(&r, l, 0, LOG_KINDS_STREAM);
    assert_int_equal(r.first, first);
    assert_int_equal(r.n, end - first);
    for (size_t i = 0; i < r.n; i++)
        if (r.bytes[i] != lab_byte(first + i))
            fail_msg("byte %llu differs", (unsigned long long)(first + i));
    lab_read_end(&r);
}

#endif
