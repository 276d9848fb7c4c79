/* SPDX-License-Identifier: MIT */
/*
 * The engine `process`: a guest is a sandboxed process whose RAM is a memfd; it calls through a page, as
 * wire/callpage.h says. Two threads a run: one serves the calls, one waits for the process to die.
 */
#include "../engine.h"
#include "../boot.h"
#include "../config.h"
#include "exec.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vcons/atomic.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

#define SPINS_MAX 256u /* about 10 us: what a guest takes between two calls that belong together */

struct engine {
    struct domain *domain;
    const struct domain_config *config;
    struct guest_memory *memory;
    struct vc_call_page *page; /* of vCPU 0, the only one that `tiny` has */
    int pages_fd;
    struct launched process;
    pthread_t vcpu, watcher;
    uint32_t spins;
};

static bool usable(struct problem *why)
{
#if defined(__x86_64__)
    (void)why;
    return true;
#else
    problem_set(why, -1, "there is no tiny-process for this kind of processor");
    return false;
#endif
}

static int check(const struct domain_config *config, struct problem *problem)
{
    char program[PATH_MAX];

    if (config->vcpus != 1)
        return problem_set(problem, -1, "vcpus = %u: expected 1, the process engine has no more", config->vcpus);
    if (config->ramdisk != NULL && access(config->ramdisk, R_OK) != 0)
        return problem_set(problem, -1, "ramdisk %s: %s", config->ramdisk, strerror(errno));
    if (boot_kernel_path(config->kernel, "tiny-process", program, sizeof program, problem) != 0)
        return -1;
    if (access(program, X_OK) != 0)
        return problem_set(problem, -1, "kernel %s: expected a program for the process engine: %s", program,
                           strerror(errno));
    return 0;
}

static int make_pages(struct engine *e, struct problem *problem)
{
    void *page;

    e->pages_fd = memfd_create("vcons-calls", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (e->pages_fd < 0 || ftruncate(e->pages_fd, VC_CALL_PAGE_BYTES) != 0 ||
        fcntl(e->pages_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return problem_set(problem, -1, "memory for the call page: %s", strerror(errno));
    page = mmap(NULL, VC_CALL_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, e->pages_fd, 0);
    if (page == MAP_FAILED)
        return problem_set(problem, -1, "memory for the call page: %s", strerror(errno));
    e->page = page;
    return 0;
}

static int prepare(struct engine *e, struct problem *problem)
{
    uint64_t start_info;

    if (boot_write(e->memory, e->config->cmdline, e->config->ramdisk, VC_CALL_LOAD + VC_CALL_LOAD_BYTES, &start_info,
                   problem) != 0)
        return -1;
    memset(e->page, 0, VC_CALL_PAGE_BYTES);
    e->page->version = VC_CALL_VERSION;
    e->page->n_vcpus = 1;
    e->page->ram_bytes = e->memory->bytes;
    e->page->start_info = start_info;
    return 0;
}

static void destroy(void *engine)
{
    struct engine *e = engine;

    if (e->page != NULL)
        munmap(e->page, VC_CALL_PAGE_BYTES);
    if (e->pages_fd >= 0)
        close(e->pages_fd);
    memory_destroy(e->memory);
    free(e);
}

static void *create(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem)
{
    struct engine *e = calloc(1, sizeof *e);

    if (e == NULL) {
        problem_set(problem, -1, "no memory");
        return NULL;
    }
    *e = (struct engine){.domain = d, .config = config, .memory = memory, .pages_fd = -1};
    if (memory_create(memory, config->memory_bytes, VC_CALL_RAM_BASE, problem) == 0 && make_pages(e, problem) == 0 &&
        prepare(e, problem) == 0)
        return e;
    destroy(e);
    return NULL;
}

/* ---- The thread that waits for death. ---- */

static void report_death(struct engine *e, int status)
{
    if (domain_stopping(e->domain))
        return; /* by our own hand */
    if (status < 0)
        domain_crashed(e->domain, "the launcher of processes died");
    else if (status > 128)
        domain_crashed(e->domain, "signal %d (%s)", status - 128, strsignal(status - 128));
    else
        domain_crashed(e->domain, "its process left, exit status %d", status);
}

static void wake(const uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

static void *watch(void *engine)
{
    struct engine *e = engine;
    uint32_t state;

    report_death(e, launched_wait(&e->process));
    /*
     * Now only we write the page. Any new value will do, that a vCPU thread that looked just before does not fall asleep; but
     * never POSTED, which would have it serve the guest's last call once more.
     */
    state = vc_load_relaxed(&e->page->state);
    vc_store_release(&e->page->state, state == VC_CALL_DONE ? VC_CALL_IDLE : VC_CALL_DONE);
    wake(&e->page->state);
    return NULL;
}

/* ---- The vCPU thread. ---- */

static bool posted_soon(struct engine *e)
{
    for (uint32_t i = 0; i < e->spins; i++) {
        if (vc_load_acquire(&e->page->state) == VC_CALL_POSTED) {
            e->spins += e->spins < SPINS_MAX ? 1 : 0;
            return true;
        }
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    e->spins -= e->spins > 1 ? e->spins / 4 + 1 : 0;
    return false;
}

/* False: the process is dead. */
static bool next_call(struct engine *e, uint64_t *nr, uint64_t args[6])
{
    uint32_t state;

    if (!posted_soon(e))
        /* Pairs with the guest's release of POSTED: number and arguments are there. */
        while ((state = vc_load_acquire(&e->page->state)) != VC_CALL_POSTED) {
            if (domain_stopping(e->domain))
                return false; /* dead; see watch */
            syscall(SYS_futex, &e->page->state, FUTEX_WAIT, state, NULL, NULL, 0);
        }
    *nr = __atomic_load_n(&e->page->nr, __ATOMIC_RELAXED); /* once each: the guest may still write */
    for (unsigned i = 0; i < 6; i++)
        args[i] = __atomic_load_n(&e->page->args[i], __ATOMIC_RELAXED);
    return true;
}

static void answer(struct engine *e, int64_t result)
{
    __atomic_store_n(&e->page->result, result, __ATOMIC_RELAXED);
    vc_store_release(&e->page->state, VC_CALL_DONE); /* pairs with the guest's acquire: the result first */
    wake(&e->page->state);
}

static void serve(struct engine *e)
{
    uint64_t nr, args[6];
    bool ready = false;

    while (!domain_stopping(e->domain) && next_call(e, &nr, args)) {
        if (nr == VC_CALL_READY) {
            ready = true;
            answer(e, 0);
        } else if (!ready) {
            domain_crashed(e->domain, "called its hypervisor before it had sandboxed itself");
        } else {
            answer(e, domain_hypercall(e->domain, 0, nr, args));
        }
    }
}

static void *run_vcpu(void *engine)
{
    struct engine *e = engine;

    serve(e);
    launched_kill(&e->process);
    pthread_join(e->watcher, NULL);
    domain_ended(e->domain);
    return NULL;
}

/* ---- The loop's side. ---- */

static int start(void *engine, struct problem *problem)
{
    struct engine *e = engine;
    const int fds[] = {e->memory->fd, e->pages_fd};

    e->spins = SPINS_MAX / 2;
    if (domain_launch(e->domain, fds, 2, &e->process, problem) != 0)
        return -1;
    if (pthread_create(&e->watcher, NULL, watch, e) != 0)
        goto kill_process;
    if (pthread_create(&e->vcpu, NULL, run_vcpu, e) == 0)
        return 0;
    launched_kill(&e->process);
    pthread_join(e->watcher, NULL);
kill_process:
    launched_kill(&e->process);
    launched_close(&e->process);
    return problem_set(problem, -1, "no thread for a vCPU");
}

/* A guest that must leave has nothing more to say: whatever it spins in, its process goes. */
static void kick(void *engine)
{
    struct engine *e = engine;

    launched_kill(&e->process);
}

static void stop(void *engine)
{
    struct engine *e = engine;

    pthread_join(e->vcpu, NULL);
    launched_close(&e->process);
}

static int reset(void *engine, struct problem *problem)
{
    struct engine *e = engine;

    if (memory_clear(e->memory) != 0)
        return problem_set(problem, -1, "cannot clear the guest's memory: %s", strerror(errno));
    return prepare(e, problem);
}

const struct engine_ops engine_process = {
    .name = "process",
    .usable = usable,
    .check = check,
    .create = create,
    .start = start,
    .kick = kick,
    .stop = stop,
    .reset = reset,
    .destroy = destroy,
    .exec = process_exec,
};
