/* SPDX-License-Identifier: MIT */
#include "engine_run.h"
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <vcons/wire/pvh.h>
#include <vcons/wire/xen.h>

/* ---- The domain's side of engine.h. ---- */

static void changed(struct domain *d) { pthread_cond_broadcast(&d->changed); }

static void end_run(struct domain *d)
{
    atomic_store(&d->stopping, true);
    d->ops->kick(d->engine);
}

static int64_t take_call(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6], bool compat)
{
    struct call call = {.vcpu = vcpu, .nr = nr, .compat = compat};

    memcpy(call.args, args, sizeof call.args);
    call.translated = d->ops->translate(d->engine, vcpu, args[0], false, &call.gpa);
    pthread_mutex_lock(&d->lock);
    if (d->n_calls < N_ROWS(d->calls))
        d->calls[d->n_calls] = call;
    d->n_calls++;
    changed(d);
    pthread_mutex_unlock(&d->lock);
    if (nr == XEN_sched_op)
        end_run(d);
    return -XEN_ENOSYS;
}

int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    return take_call(d, vcpu, nr, args, false);
}

int64_t domain_hypercall_compat(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    return take_call(d, vcpu, nr, args, true);
}

void domain_vcpu_exit(struct domain *d, uint32_t vcpu)
{
    (void)vcpu;
    pthread_mutex_lock(&d->lock);
    d->exits++;
    pthread_mutex_unlock(&d->lock);
}

void domain_mode(struct domain *d, bool long_mode)
{
    (void)long_mode;
    pthread_mutex_lock(&d->lock);
    d->modes++;
    pthread_mutex_unlock(&d->lock);
}

bool domain_access(struct domain *d, enum engine_space space, uint64_t address, uint32_t width, uint64_t *value,
                   bool write)
{
    if (!d->device || space != ENGINE_MEMORY)
        return false;
    if (!write)
        *value = address & 0xff;
    pthread_mutex_lock(&d->lock);
    d->accesses[d->n_accesses++ % N_ROWS(d->accesses)] = (struct device_access){space, address, *value, width, write};
    pthread_mutex_unlock(&d->lock);
    return true;
}

void domain_debug_port(struct domain *d, uint8_t byte)
{
    pthread_mutex_lock(&d->lock);
    if (d->n_printed < sizeof d->printed)
        d->printed[d->n_printed] = (char)byte;
    d->n_printed++;
    changed(d);
    pthread_mutex_unlock(&d->lock);
}

bool domain_stopping(const struct domain *d) { return atomic_load(&d->stopping); }
bool domain_interrupted(const struct domain *d) { return domain_stopping(d); }
bool domain_park(struct domain *d) { return !domain_stopping(d); }
bool domain_call_again(struct domain *d, uint32_t vcpu, uint64_t args[6])
{
    (void)d, (void)vcpu, (void)args;
    return false;
}

void domain_crashed(struct domain *d, const char *why, ...)
{
    va_list args;

    pthread_mutex_lock(&d->lock);
    va_start(args, why);
    vsnprintf(d->crashed, sizeof d->crashed, why, args);
    va_end(args);
    pthread_mutex_unlock(&d->lock);
    end_run(d);
}

void domain_exited(struct domain *d, int status)
{
    pthread_mutex_lock(&d->lock);
    d->exited = status;
    pthread_mutex_unlock(&d->lock);
    end_run(d);
}

void domain_ended(struct domain *d)
{
    pthread_mutex_lock(&d->lock);
    d->ends++;
    changed(d);
    pthread_mutex_unlock(&d->lock);
}

const char *domain_name(const struct domain *d)
{
    (void)d;
    return "test";
}

uint32_t domain_id(const struct domain *d)
{
    (void)d;
    return 5;
}

int boot_write(struct guest_memory *m, const char *cmdline, const char *ramdisk, uint64_t kernel_end,
               uint64_t *start_info, struct problem *problem)
{
    (void)cmdline;
    (void)ramdisk;
    (void)kernel_end;
    (void)problem;
    *start_info = m->bytes - BOOT_AREA_BYTES;
    return 0;
}

int boot_kernel_path(const char *kernel, const char *program, char *path, size_t path_bytes, struct problem *problem)
{
    (void)program;
    (void)problem;
    snprintf(path, path_bytes, "%s", kernel);
    return 0;
}

/* ---- A kernel file around the guests. ---- */

struct note {
    Elf64_Nhdr head;
    char name[4];
    uint32_t number;
};

struct image {
    Elf64_Ehdr head;
    Elf64_Phdr load, note;
    struct note notes[2];
};

static struct image image_of(const uint8_t *entry, bool no_page)
{
    struct image i = {
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_EXEC,
                 .e_machine = EM_X86_64,
                 .e_version = EV_CURRENT,
                 .e_phoff = offsetof(struct image, load),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 2},
        .load = {.p_type = PT_LOAD,
                 .p_flags = PF_R | PF_W | PF_X,
                 .p_offset = sizeof i,
                 .p_vaddr = RUN_LOAD,
                 .p_paddr = RUN_LOAD,
                 .p_filesz = (uint64_t)(guests_end - guests),
                 .p_memsz = (uint64_t)(guests_end - guests)},
        .note = {.p_type = PT_NOTE,
                 .p_offset = offsetof(struct image, notes),
                 .p_filesz = no_page ? sizeof i.notes[0] : sizeof i.notes},
        .notes = {{{4, 4, XEN_ELFNOTE_PHYS32_ENTRY}, "Xen", RUN_LOAD + (uint32_t)(entry - guests)},
                  {{4, 4, XEN_ELFNOTE_HYPERCALL_PAGE}, "Xen", RUN_LOAD + (uint32_t)(guests_hypercall_page - guests)}},
    };

    return i;
}

void run_write_kernel(char path[32], const uint8_t *entry, bool no_page)
{
    struct image i = image_of(entry, no_page);
    size_t n = (size_t)(guests_end - guests);
    int fd;

    strcpy(path, "/tmp/vcons-kvm-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, &i, sizeof i), sizeof i);
    assert_int_equal(write(fd, guests, n), n);
    close(fd);
}

/* ---- A run of it. ---- */

void run_create_with(struct run *r, const uint8_t *entry, const struct run_options *options)
{
    struct domain_config config = {.kernel = r->kernel,
                                   .cmdline = (char[1]){""},
                                   .memory_bytes = RUN_MEMORY_BYTES,
                                   .vcpus = options->vcpus > 0 ? options->vcpus : 1};

    *r = (struct run){.domain.exited = -1,
                      .domain.lock = PTHREAD_MUTEX_INITIALIZER,
                      .domain.changed = PTHREAD_COND_INITIALIZER,
                      .domain.ops = options->ops != NULL ? options->ops : &engine_kvm};
    r->config = config;
    r->config.virtio_ports[0] = options->virtio;
    r->domain.device = options->virtio;
    run_write_kernel(r->kernel, entry, options->no_page);
    r->domain.engine = r->domain.ops->create(&r->domain, &r->config, &r->memory, &r->error);
    if (r->domain.engine == NULL)
        fail_msg("create: %s", r->error.text);
}

void run_create(struct run *r, const uint8_t *entry) { run_create_with(r, entry, &(struct run_options){0}); }

static struct timespec limit(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RUN_LIMIT_S;
    return until;
}

void run_wait(struct run *r, size_t n_printed, size_t n_calls)
{
    struct timespec until = limit();
    struct domain *d = &r->domain;

    pthread_mutex_lock(&d->lock);
    while (d->ends == 0 && d->n_printed < n_printed && d->n_calls < n_calls)
        if (pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT)
            fail_msg("nothing happened for %d s; printed: %.*s", RUN_LIMIT_S, (int)d->n_printed, d->printed);
    pthread_mutex_unlock(&d->lock);
}

void run_start(struct run *r)
{
    if (r->domain.ops->start(r->domain.engine, &r->error) != 0)
        fail_msg("start: %s", r->error.text);
}

void run_stop(struct run *r)
{
    end_run(&r->domain);
    run_wait(r, SIZE_MAX, SIZE_MAX);
    r->domain.ops->stop(r->domain.engine);
    assert_int_equal(r->domain.ends, 1);
}

void run_finish(struct run *r)
{
    r->domain.ops->destroy(r->domain.engine);
    unlink(r->kernel);
}

void run_all(struct run *r, const uint8_t *entry)
{
    run_create(r, entry);
    run_start(r);
    run_wait(r, SIZE_MAX, SIZE_MAX);
    run_stop(r);
}

void assert_printed(struct run *r, const char *bytes, size_t n)
{
    assert_int_equal(r->domain.n_printed, n);
    assert_memory_equal(r->domain.printed, bytes, n);
}
