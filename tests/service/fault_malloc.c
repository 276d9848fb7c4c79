/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: the allocation of number VCONS_FAULT_AT of this process fails, and each after it if VCONS_FAULT_ALL is set. For each that
 * failed there is a byte in the file VCONS_FAULT_FILE. Children of the process have no faults.
 *
 * Counted from when the service begins to serve: behind uv_loop_init, which aborts without memory. What libconfuse (from cfg_init to cfg_free)
 * and libseccomp allocate is not counted: both crash, or take a half for a whole. The service makes sure that there is memory for the first
 * (service/reload.c), and needs the second only at its start.
 */
#include <confuse.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static unsigned long at, wanted, n; /* n: atomic; at 0: no faults */
static bool all;
static int file = -1;
static _Thread_local unsigned within; /* those libraries */
static cfg_t *file_read;

static void no_more(void) { at = 0; }

__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv("VCONS_FAULT_AT"), *path = getenv("VCONS_FAULT_FILE");
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (number == NULL || fd < 0)
        return;
    file = fcntl(fd, F_DUPFD_CLOEXEC, 300); /* out of the way of descriptors whose numbers mean something */
    close(fd);
    all = getenv("VCONS_FAULT_ALL") != NULL;
    pthread_atfork(NULL, NULL, no_more);
    unsetenv("LD_PRELOAD");
    wanted = strtoul(number, NULL, 10);
}

static bool fails(void)
{
    unsigned long number;

    if (at == 0 || within > 0)
        return false;
    number = __atomic_add_fetch(&n, 1, __ATOMIC_RELAXED);
    if (number != at && (!all || number < at))
        return false;
    (void)!write(file, "x", 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes) { return fails() ? NULL : __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return fails() ? NULL : __libc_calloc(count, bytes); }
void *realloc(void *old, size_t bytes) { return fails() ? NULL : __libc_realloc(old, bytes); }

/* The function of that name behind ours. */
static void *behind(const char *name) { return dlsym(RTLD_NEXT, name); }

int uv_loop_init(uv_loop_t *loop)
{
    int (*init)(uv_loop_t *);
    int error;

    *(void **)&init = behind("uv_loop_init");
    error = init(loop);
    at = wanted;
    return error;
}

cfg_t *cfg_init(cfg_opt_t *options, cfg_flag_t flags)
{
    cfg_t *(*init)(cfg_opt_t *, cfg_flag_t);

    *(void **)&init = behind("cfg_init");
    within++;
    return file_read = init(options, flags);
}

int cfg_free(cfg_t *cfg) /* which calls itself for each block of a file */
{
    int (*end)(cfg_t *);
    int error;

    *(void **)&end = behind("cfg_free");
    error = end(cfg);
    if (cfg == file_read)
        within--;
    return error;
}

scmp_filter_ctx seccomp_init(uint32_t action)
{
    scmp_filter_ctx (*init)(uint32_t);

    *(void **)&init = behind("seccomp_init");
    within++;
    return init(action);
}

void seccomp_release(scmp_filter_ctx ctx)
{
    void (*end)(scmp_filter_ctx);

    *(void **)&end = behind("seccomp_release");
    end(ctx);
    within--;
}
