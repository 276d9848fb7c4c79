/* SPDX-License-Identifier: MIT */
#include "host/name.h"
#include "log_memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define DEFAULT_SEGMENT (UINT64_C(16) << 20)
#define DEFAULT_CONSOLE (UINT64_C(256) << 20)
#define DEFAULT_TOTAL   (UINT64_C(4) << 30)
#define DEFAULT_MEMORY  (UINT64_C(64) << 20)
#define MESSAGE_NS      (10 * NS_PER_S)

/* The first half of the boot id, proc(5) /proc/sys/kernel/random/boot_id; 0 where there is none: trust nothing. */
static uint64_t machine_boot(void)
{
    char text[37] = "";
    uint64_t boot = 0;
    int digits = 0, fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    for (const char *p = text; *p != '\0' && digits < 16; p++) {
        const char *hex = "0123456789abcdef", *at = strchr(hex, *p);

        if (at != NULL) {
            boot = boot << 4 | (uint64_t)(at - hex);
            digits++;
        }
    }
    return boot;
}

static uint64_t default_total(int dir)
{
    struct statfs fs;
    uint64_t tenth;

    if (fstatfs(dir, &fs) != 0 || fs.f_blocks == 0)
        return DEFAULT_TOTAL;
    tenth = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize / 10;
    return tenth < DEFAULT_TOTAL ? tenth : DEFAULT_TOTAL;
}

static void add_console(void *ctx, const char *domain, const char *console)
{
    struct log_store *s = ctx;
    struct log_segments list;

    if (log_segments_of(&list, s, domain, console) == 0)
        s->bytes += list.bytes;
    log_segments_finish(&list);
}

int log_store_open(struct log_store *s, const char *path, const struct log_limits *limits, const struct log_env *env,
                   void *ctx)
{
    static const struct log_env silent = {.message = NULL};
    int error;

    *s = (struct log_store){.env = env != NULL ? env : &silent, .ctx = ctx, .dir = -1};
    s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0)
        return -errno;
    if (limits != NULL)
        s->limits = *limits;
    if (s->limits.segment_bytes == 0)
        s->limits.segment_bytes = DEFAULT_SEGMENT;
    if (s->limits.console_bytes == 0)
        s->limits.console_bytes = DEFAULT_CONSOLE;
    if (s->limits.memory_bytes == 0)
        s->limits.memory_bytes = DEFAULT_MEMORY;
    if (s->limits.total_bytes == 0)
        s->limits.total_bytes = default_total(s->dir);
    s->machine_boot = machine_boot();
    s->tidy_above = s->limits.total_bytes;
    error = -pthread_mutex_init(&s->lock, NULL);
    if (error == 0)
        error = -pthread_mutex_init(&s->frames_lock, NULL);
    if (error == 0)
        error = -pthread_mutex_init(&s->names_lock, NULL);
    if (error == 0)
        error = log_pool_open(&s->pool, s->limits.memory_bytes);
    if (error == 0)
        error = log_store_each(s, add_console, s);
    if (error != 0)
        log_store_close(s);
    return error;
}

void log_store_close(struct log_store *s)
{
    if (s->env == NULL)
        return;
    if (s->dir >= 0)
        close(s->dir);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->frames_lock);
    pthread_mutex_destroy(&s->names_lock);
    free(s->names.at);
    log_pool_close(&s->pool);
    *s = (struct log_store){.dir = -1};
}

void log_rules_find(const struct log_store *s, const char *domain, const char *console, struct log_rules *rules)
{
    *rules = (struct log_rules){.pin_bytes = LOG_PIN_BYTES};
    if (s->env->rules != NULL)
        s->env->rules(s->ctx, domain, console, rules);
    if (rules->segment_bytes == 0)
        rules->segment_bytes = s->limits.segment_bytes;
    if (rules->keep_bytes == 0)
        rules->keep_bytes = s->limits.console_bytes;
    if (rules->segment_age_ns == 0)
        rules->segment_age_ns = rules->keep_age_ns / 4;
}

void log_rules_take(struct log *l)
{
    struct log_rules rules;

    log_rules_find(l->store, l->domain, l->console, &rules);
    store64(&l->rules.segment_bytes, rules.segment_bytes);
    store64(&l->rules.segment_age_ns, rules.segment_age_ns);
    store64(&l->rules.keep_bytes, rules.keep_bytes);
    store64(&l->rules.keep_age_ns, rules.keep_age_ns);
    store64(&l->rules.pin_bytes, rules.pin_bytes);
    store64(&l->rules.raw, rules.raw);
    store64(&l->rules.sync_ns, rules.sync_ns);
    log_dirty(l);
}

void log_store_rules(struct log_store *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct log *l = s->logs; l != NULL; l = l->next) {
        log_rules_take(l);
        __atomic_store_n(&l->closed, 1, __ATOMIC_RELEASE); /* what was to stay raw may not any more */
    }
    pthread_mutex_unlock(&s->lock);
    if (s->env->untidy != NULL)
        s->env->untidy(s->ctx);
    if (s->env->closed != NULL)
        s->env->closed(s->ctx);
}

/* Each directory below dir whose name is an id. The stream owns its descriptor, so it gets one of its own. */
static DIR *dir_stream(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (stream == NULL && fd >= 0)
        close(fd);
    return stream;
}

static const char *next_name(DIR *stream)
{
    struct dirent *entry;

    do
        entry = readdir(stream);
    while (entry != NULL && (!name_ok(entry->d_name) || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)));
    return entry == NULL ? NULL : entry->d_name;
}

int log_store_each(struct log_store *s, void (*each)(void *ctx, const char *domain, const char *console), void *ctx)
{
    DIR *domains = dir_stream(s->dir, "."), *consoles;
    const char *domain, *console;

    if (domains == NULL)
        return -errno;
    while ((domain = next_name(domains)) != NULL) {
        consoles = dir_stream(dirfd(domains), domain);
        while (consoles != NULL && (console = next_name(consoles)) != NULL)
            each(ctx, domain, console);
        if (consoles != NULL)
            closedir(consoles);
    }
    closedir(domains);
    return 0;
}

void log_tell(const struct log *l, enum log_tell_kind kind, const struct log_time *now, const char *format, ...)
{
    struct log_store *s = l->store;
    uint64_t next = load64(&s->next_message[kind]);
    char text[256];
    va_list args;
    int n;

    if (s->env->message == NULL || now->mono_ns < next ||
        !__atomic_compare_exchange_n(&s->next_message[kind], &next, now->mono_ns + MESSAGE_NS, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return;
    n = snprintf(text, sizeof text, "log %s/%s: ", l->domain, l->console);
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    s->env->message(s->ctx, text);
}

const char *log_error_text(int error)
{
    switch (error) {
    case ENOSPC: return "no space left on the file system";
    case EDQUOT: return "the disk quota is used up";
    case EIO: return "the disk reports an input/output error";
    case EROFS: return "the file system is read-only";
    case EFBIG: return "a file size limit is reached";
    case EMFILE:
    case ENFILE: return "no descriptor is left";
    case EACCES:
    case EPERM: return "permission denied";
    default: return strerrordesc_np(error) != NULL ? strerrordesc_np(error) : "unknown error";
    }
}

void log_store_account(struct log_store *s, struct log *l, uint64_t bytes)
{
    if (l != NULL)
        add64(&l->bytes, bytes);
    add64(&s->bytes, bytes);
}

void log_account(struct log *l, uint64_t bytes)
{
    struct log_store *s = l->store;

    log_store_account(s, l, bytes);
    if (load64(&l->bytes) > load64(&l->rules.keep_bytes) || load64(&s->bytes) > load64(&s->tidy_above))
        log_untidy(s);
}

/* Others may have changed the files: never below nothing. */
static void take_away(uint64_t *from, uint64_t bytes)
{
    uint64_t had = load64(from);

    while (!__atomic_compare_exchange_n(from, &had, had - (bytes < had ? bytes : had), true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
}

void log_forget(struct log_store *s, struct log *l, uint64_t bytes)
{
    if (l != NULL)
        take_away(&l->bytes, bytes);
    take_away(&s->bytes, bytes);
}

void log_untidy(struct log_store *s)
{
    uint32_t clean = 0;

    if (__atomic_load_n(&s->untidy, __ATOMIC_RELAXED) != 0)
        return;
    if (__atomic_compare_exchange_n(&s->untidy, &clean, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) &&
        s->env->untidy != NULL)
        s->env->untidy(s->ctx);
}
