/* SPDX-License-Identifier: MIT */
/*
 * The engine `process`: a guest is a sandboxed process whose RAM is a memfd; it calls through a page, as
 * wire/callpage.h says. Threads of a run: one a vCPU, which serves its calls, and one that waits for the process to die.
 */
#include "../engine.h"
#include "../boot.h"
#include "../config.h"
#include "exec.h"
#include "host/clock.h"
#include "vcpu.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/virtio_places.h>
#include <vcons/wire/xen.h>

#define KERNEL_END (VC_CALL_LOAD + VC_CALL_LOAD_BYTES)

struct engine {
    struct domain *domain;
    const struct domain_config *config;
    struct guest_memory *memory;
    uint8_t *pages; /* one a vCPU */
    int pages_fd;
    uint64_t ahead_ns; /* its clock less ours, modulo 2^64: not 0 once it was restored */
    struct launched process;
    pthread_t watcher;
    uint32_t n_vcpus;
    uint32_t n_threads;    /* of vCPUs, to be joined */
    atomic_uint n_running; /* and not yet gone; the last one ends the run */
    struct process_vcpu vcpus[CONFIG_VCPUS_MAX];
    pthread_t threads[CONFIG_VCPUS_MAX];
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

    if (config->memory_bytes > MEMORY_HOLE) /* `tiny` counts in one stretch below what 32 bits reach */
        return problem_set(problem, -1, "memory = %lluM: expected at most %lluM, the engine process has no more",
                           (unsigned long long)(config->memory_bytes >> 20), (unsigned long long)(MEMORY_HOLE >> 20));
    if (config->ramdisk != NULL && access(config->ramdisk, R_OK) != 0)
        return problem_set(problem, -1, "ramdisk %s: %s", config->ramdisk, strerror(errno));
    if (boot_kernel_path(config->kernel, "tiny-process", program, sizeof program, problem) != 0)
        return -1;
    if (access(program, X_OK) != 0)
        return problem_set(problem, -1, "kernel %s: expected a program for the process engine: %s", program,
                           strerror(errno));
    return 0;
}

static size_t pages_bytes(const struct engine *e) { return (size_t)e->n_vcpus * VC_CALL_PAGE_BYTES; }

static int make_pages(struct engine *e, struct problem *problem)
{
    void *pages;

    e->pages_fd = memfd_create("vcons-calls", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (e->pages_fd < 0 || ftruncate(e->pages_fd, (off_t)pages_bytes(e)) != 0 ||
        fcntl(e->pages_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return problem_set(problem, -1, "memory for the call pages: %s", strerror(errno));
    pages = mmap(NULL, pages_bytes(e), PROT_READ | PROT_WRITE, MAP_SHARED, e->pages_fd, 0);
    if (pages == MAP_FAILED)
        return problem_set(problem, -1, "memory for the call pages: %s", strerror(errno));
    e->pages = pages;
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        e->vcpus[i] =
            (struct process_vcpu){.engine = e,
                                  .domain = e->domain,
                                  .number = i,
                                  .page = (struct vc_call_page *)(void *)(e->pages + (size_t)i * VC_CALL_PAGE_BYTES)};
    return 0;
}

static int prepare(struct engine *e, struct problem *problem)
{
    uint64_t start_info;

    if (boot_write(e->memory, e->config->cmdline, e->config->ramdisk, KERNEL_END, &start_info, problem) != 0)
        return -1;
    memset(e->pages, 0, pages_bytes(e));
    e->ahead_ns = 0;
    for (uint32_t i = 0; i < e->n_vcpus; i++) {
        struct vc_call_page *page = e->vcpus[i].page;

        page->vcpu = i;
        page->version = VC_CALL_VERSION;
        page->n_vcpus = e->n_vcpus;
        page->ram_bytes = e->memory->bytes;
        page->start_info = start_info;
        process_vcpu_reset(&e->vcpus[i]);
    }
    return 0;
}

static void destroy(void *engine)
{
    struct engine *e = engine;

    if (e->pages != NULL)
        munmap(e->pages, pages_bytes(e));
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
    *e = (struct engine){.domain = d, .config = config, .memory = memory, .pages_fd = -1, .n_vcpus = config->vcpus};
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

static void *watch(void *engine)
{
    struct engine *e = engine;

    report_death(e, launched_wait(&e->process));
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        process_vcpu_release(&e->vcpus[i]);
    return NULL;
}

/* ---- The vCPU threads. ---- */

static void leave(struct engine *e)
{
    launched_kill(&e->process);
    if (atomic_fetch_sub(&e->n_running, 1) > 1)
        return;
    pthread_join(e->watcher, NULL);
    domain_ended(e->domain);
}

static void *run_vcpu(void *arg)
{
    struct process_vcpu *v = arg;

    process_vcpu_serve(v);
    leave(v->engine);
    return NULL;
}

/* ---- The loop's side. ---- */

static int start_vcpus(struct engine *e)
{
    char name[16];

    atomic_store(&e->n_running, e->n_vcpus);
    for (e->n_threads = 0; e->n_threads < e->n_vcpus; e->n_threads++) {
        if (pthread_create(&e->threads[e->n_threads], NULL, run_vcpu, &e->vcpus[e->n_threads]) != 0)
            return -1;
        snprintf(name, sizeof name, "vcpu%u/%.8s", e->n_threads, domain_name(e->domain));
        pthread_setname_np(e->threads[e->n_threads], name);
    }
    return 0;
}

static int start(void *engine, struct problem *problem)
{
    struct engine *e = engine;
    const int fds[] = {e->memory->fd, e->pages_fd};

    if (domain_launch(e->domain, fds, 2, &e->process, problem) != 0)
        return -1;
    if (pthread_create(&e->watcher, NULL, watch, e) != 0) {
        launched_kill(&e->process);
        launched_close(&e->process);
    } else if (start_vcpus(e) == 0) {
        return 0;
    } else {
        /* As if the missing ones had come and gone: those that run leave as at any end, and are waited for by `stop`. */
        domain_crashed(e->domain, "no thread for a vCPU");
        for (uint32_t i = e->n_threads; i < e->n_vcpus; i++)
            leave(e);
        return 0;
    }
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

    for (uint32_t i = 0; i < e->n_threads; i++)
        pthread_join(e->threads[i], NULL);
    launched_close(&e->process);
}

static int reset(void *engine, struct problem *problem)
{
    struct engine *e = engine;

    if (memory_clear(e->memory) != 0)
        return problem_set(problem, -1, "cannot clear the guest's memory: %s", strerror(errno));
    return prepare(e, problem);
}

/* ---- vCPUs that come and go: from any vCPU's thread. ---- */

static int vcpu_initialise(void *engine, uint32_t vcpu, const struct vcpu_hvm_context *context)
{
    (void)engine, (void)vcpu, (void)context; /* wire/callpage.h: its thread knows where to go */
    return 0;
}

static int vcpu_up(void *engine, uint32_t vcpu)
{
    process_vcpu_set(&((struct engine *)engine)->vcpus[vcpu], true);
    return 0;
}

/* Its thread stops at its next call, or at the end of the one it is in. */
static int vcpu_down(void *engine, uint32_t vcpu)
{
    process_vcpu_set(&((struct engine *)engine)->vcpus[vcpu], false);
    return 0;
}

/* ---- Devices: their registers by calls (vcpu.c), their interrupts as one virq (wire/callpage.h). ---- */

static bool virtio(uint32_t n, struct engine_device *place)
{
    if (n >= VC_VIRTIO_MAX)
        return false;
    *place = (struct engine_device){.space = ENGINE_MEMORY,
                                    .address = VC_VIRTIO_PC_BASE + n * (uint64_t)VC_VIRTIO_BYTES,
                                    .bytes = VC_VIRTIO_BYTES,
                                    .line = n};
    return true;
}

static void irq_line(void *engine, uint32_t line, bool level)
{
    (void)line; /* the guest looks at all */
    if (level)
        domain_virq(((struct engine *)engine)->domain, VIRQ_ARCH_7);
}

/* ---- Saving. ---- */

static void pause_vcpus(void *engine)
{
    struct engine *e = engine;

    for (uint32_t i = 0; i < e->n_vcpus; i++)
        process_vcpu_pause(&e->vcpus[i]);
}

static int save(void *engine, void **bytes, size_t *n, struct problem *problem)
{
    struct engine *e = engine;

    return process_vcpus_save(e->vcpus, e->n_vcpus, bytes, n, problem);
}

static int restore(void *engine, const void *bytes, size_t n, uint64_t time_ns, struct problem *problem)
{
    struct engine *e = engine;

    e->ahead_ns = time_ns - clock_ns();
    return process_vcpus_restore(e->vcpus, e->n_vcpus, bytes, n, problem);
}

/* A guest's clock stood still while it was saved. */
static uint64_t guest_time(void *engine) { return clock_ns() + ((struct engine *)engine)->ahead_ns; }

static bool vcpu_is_up(void *engine, uint32_t vcpu) { return atomic_load(&((struct engine *)engine)->vcpus[vcpu].up); }

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
    .time_ns = guest_time,
    .vcpu_initialise = vcpu_initialise,
    .vcpu_up = vcpu_up,
    .vcpu_down = vcpu_down,
    .vcpu_is_up = vcpu_is_up,
    .virtio = virtio,
    .irq_line = irq_line,
    .pause = pause_vcpus,
    .save = save,
    .restore = restore,
};
