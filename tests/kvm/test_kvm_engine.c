/* SPDX-License-Identifier: MIT */
/*
 * The engine `kvm` alone, on this machine's KVM: kernels of a few instructions (guests.S) against a domain that records
 * what it is asked. Skipped, with the probe's own reason, where KVM cannot be used.
 */
#include "../../vmm/boot.h"
#include "../../vmm/config.h"
#include "../../vmm/engine.h"
#include "../../vmm/kvm/probe.h"
#include "../unit/unit.h"
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/pvh.h>
#include <vcons/wire/xen.h>

#define LOAD         0x100000u
#define MEMORY_BYTES (8u << 20)
#define LIMIT_S      20 /* a hang guard: everything here takes milliseconds */

extern const uint8_t guests[], guests_end[], guests_hypercall_page[];
extern const uint8_t guest_ports[], guest_call32[], guest_call64[], guest_user[], guest_spin[], guest_print[],
    guest_call[], guest_wait[], guest_down[], guest_fault[], guest_bad_page[], guest_poison[];

struct call {
    uint32_t vcpu;
    uint64_t nr, args[6];
};

struct domain { /* the engine sees only a name for it */
    void *engine;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under lock. */
    char printed[256], crashed[128];
    size_t n_printed; /* all of it, also what did not fit */
    struct call calls[8];
    size_t n_calls;
    int ends, exited; /* exited: -1 not */
};

static void changed(struct domain *d) { pthread_cond_broadcast(&d->changed); }

static void end_run(struct domain *d)
{
    atomic_store(&d->stopping, true);
    engine_kvm.kick(d->engine);
}

int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    pthread_mutex_lock(&d->lock);
    if (d->n_calls < N_ROWS(d->calls)) {
        d->calls[d->n_calls].vcpu = vcpu;
        d->calls[d->n_calls].nr = nr;
        memcpy(d->calls[d->n_calls].args, args, sizeof d->calls[0].args);
    }
    d->n_calls++;
    changed(d);
    pthread_mutex_unlock(&d->lock);
    if (nr == XEN_sched_op)
        end_run(d);
    return -XEN_ENOSYS;
}

int64_t domain_hypercall_compat(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    return domain_hypercall(d, vcpu, nr, args);
}

void domain_vcpu_exit(struct domain *d, uint32_t vcpu)
{
    (void)d;
    (void)vcpu;
}

void domain_mode(struct domain *d, bool long_mode)
{
    (void)d;
    (void)long_mode;
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

/* ---- A kernel file around the guests, and a run of it */

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

static struct image image_of(const uint8_t *entry)
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
                 .p_offset = sizeof i,
                 .p_vaddr = LOAD,
                 .p_paddr = LOAD,
                 .p_filesz = (uint64_t)(guests_end - guests),
                 .p_memsz = (uint64_t)(guests_end - guests)},
        .note = {.p_type = PT_NOTE, .p_offset = offsetof(struct image, notes), .p_filesz = sizeof i.notes},
        .notes = {{{4, 4, XEN_ELFNOTE_PHYS32_ENTRY}, "Xen", LOAD + (uint32_t)(entry - guests)},
                  {{4, 4, XEN_ELFNOTE_HYPERCALL_PAGE}, "Xen", LOAD + (uint32_t)(guests_hypercall_page - guests)}},
    };

    return i;
}

struct run {
    struct domain domain;
    struct guest_memory memory;
    struct problem error;
    char kernel[32];
};

static void write_kernel(char path[32], const uint8_t *entry)
{
    struct image i = image_of(entry);
    size_t n = (size_t)(guests_end - guests);
    int fd;

    strcpy(path, "/tmp/vcons-kvm-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, &i, sizeof i), sizeof i);
    assert_int_equal(write(fd, guests, n), n);
    close(fd);
}

static void run_create(struct run *r, const uint8_t *entry)
{
    struct domain_config config = {
        .kernel = r->kernel, .cmdline = (char[1]){""}, .memory_bytes = MEMORY_BYTES, .vcpus = 1};

    *r = (struct run){
        .domain.exited = -1, .domain.lock = PTHREAD_MUTEX_INITIALIZER, .domain.changed = PTHREAD_COND_INITIALIZER};
    write_kernel(r->kernel, entry);
    r->domain.engine = engine_kvm.create(&r->domain, &config, &r->memory, &r->error);
    if (r->domain.engine == NULL)
        fail_msg("create: %s", r->error.text);
}

static struct timespec limit(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_S;
    return until;
}

/* Wait until the run ended, or printed so many bytes, or made so many calls: what comes first. */
static void run_wait(struct run *r, size_t n_printed, size_t n_calls)
{
    struct timespec until = limit();
    struct domain *d = &r->domain;

    pthread_mutex_lock(&d->lock);
    while (d->ends == 0 && d->n_printed < n_printed && d->n_calls < n_calls)
        if (pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT)
            fail_msg("nothing happened for %d s", LIMIT_S);
    pthread_mutex_unlock(&d->lock);
}

static void run_start(struct run *r)
{
    if (engine_kvm.start(r->domain.engine, &r->error) != 0)
        fail_msg("start: %s", r->error.text);
}

static void run_stop(struct run *r)
{
    end_run(&r->domain);
    run_wait(r, SIZE_MAX, SIZE_MAX);
    engine_kvm.stop(r->domain.engine);
    assert_int_equal(r->domain.ends, 1);
}

static void run_finish(struct run *r)
{
    engine_kvm.destroy(r->domain.engine);
    unlink(r->kernel);
}

static void run_all(struct run *r, const uint8_t *entry)
{
    run_create(r, entry);
    run_start(r);
    run_wait(r, SIZE_MAX, SIZE_MAX); /* it ends by itself */
    run_stop(r);
}

static void assert_printed(struct run *r, const char *bytes, size_t n)
{
    assert_int_equal(r->domain.n_printed, n);
    assert_memory_equal(r->domain.printed, bytes, n);
}

/* ---- What a guest sees */

static void ports_answer_as_xen_does(void **state)
{
    struct run r;

    (void)state;
    run_all(&r, guest_ports);
    assert_printed(&r, "hello\xe9\xff\xff\xff", 9); /* a read; absent ports, a wrong width and absent memory */
    assert_string_equal(r.domain.crashed, "");
    run_finish(&r);
}

static void a_call_in_32_bits(void **state)
{
    const struct call *c;
    struct run r;

    (void)state;
    run_all(&r, guest_call32);
    c = &r.domain.calls[0];
    assert_int_equal(c->nr, XEN_console_io);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(c->args[i], UINT32_C(0x11111111) * (i + 1)); /* zero-extended */
    assert_printed(&r, "\xda\xff", 2);                                /* -ENOSYS, all of eax */
    run_finish(&r);
}

static void a_call_in_64_bits_by_the_msr(void **state)
{
    const struct call *c;
    struct run r;

    (void)state;
    run_all(&r, guest_call64);
    assert_string_equal(r.domain.crashed, "");
    c = r.domain.calls;
    assert_int_equal(r.domain.n_calls, 3);
    assert_int_equal(c[0].nr, XEN_hvm_op);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(c[0].args[i], UINT64_C(0x1111111111111111) * (i + 1));
    assert_int_equal(c[1].nr, VC_CALL_TIME);
    assert_int_equal(c[2].nr, XEN_sched_op);
    assert_printed(&r, "\x04X\x05\xda\xff", 5); /* Xen's leaves, "XenV…", domain 5, -ENOSYS, all of rax */
    run_finish(&r);
}

static void a_program_makes_no_hypercalls(void **state)
{
    struct run r;

    (void)state;
    run_create(&r, guest_user);
    run_start(&r);
    run_wait(&r, 1, SIZE_MAX);
    run_stop(&r);
    assert_int_equal(r.domain.n_calls, 0);
    assert_string_equal(r.domain.crashed, "");
    assert_int_equal((uint8_t)r.domain.printed[0], 0xff); /* -EPERM */
    run_finish(&r);
}

/* ---- Ends */

static void a_crash_is_named(void **state)
{
    static const struct {
        const char *name;
        const uint8_t *entry;
    } rows[] = {{"two faults without a table", guest_fault}, {"a hypercall page outside RAM", guest_bad_page}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct run r;

        run_all(&r, rows[i].entry);
        if (strncmp(r.domain.crashed, "triple fault at 0x1", 19) != 0 || r.domain.n_printed != 0)
            fail_msg("%s: \"%s\"", rows[i].name, r.domain.crashed);
        run_finish(&r);
    }
}

static void halting_for_ever_switches_off(void **state)
{
    struct run r;

    (void)state;
    run_all(&r, guest_down);
    assert_int_equal(r.domain.exited, 0);
    assert_string_equal(r.domain.crashed, "");
    run_finish(&r);
}

static void any_guest_is_stopped(void **state)
{
    static const struct {
        const char *name;
        const uint8_t *entry;
        size_t n_printed, n_calls; /* it is seen running */
    } rows[] = {{"spins", guest_spin, 0, 0},
                {"waits for an interrupt", guest_wait, 0, 0},
                {"prints", guest_print, 300, SIZE_MAX},
                {"calls", guest_call, SIZE_MAX, 300}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (unsigned round = 0; round < 20; round++) { /* a kick finds it at another place each time */
            struct run r;

            run_create(&r, rows[i].entry);
            run_start(&r);
            run_wait(&r, rows[i].n_printed, rows[i].n_calls);
            run_stop(&r);
            if (r.domain.crashed[0] != '\0' || r.domain.exited != -1)
                fail_msg("%s: ended by itself: %s", rows[i].name, r.domain.crashed);
            run_finish(&r);
        }
}

static void a_reset_starts_from_zero(void **state)
{
    struct run r;

    (void)state;
    run_create(&r, guest_poison);
    for (unsigned round = 0; round < 5; round++) {
        atomic_store(&r.domain.stopping, false);
        r.domain.ends = 0;
        r.domain.n_printed = 0;
        run_start(&r);
        run_wait(&r, SIZE_MAX, SIZE_MAX);
        run_stop(&r);
        assert_printed(&r, "0", 1); /* no mark of the run before */
        if (engine_kvm.reset(r.domain.engine, &r.error) != 0)
            fail_msg("reset: %s", r.error.text);
    }
    run_finish(&r);
}

static void a_kernel_that_cannot_be_loaded_is_refused(void **state)
{
    struct domain_config config = {.cmdline = (char[1]){""}, .memory_bytes = MEMORY_BYTES, .vcpus = 1};
    static const struct {
        const char *name, *path, *why;
    } rows[] = {{"none", "/nowhere/kernel", "No such file"},
                {"a directory", "/tmp", "not a regular file"},
                {"a device", "/dev/zero", "not a regular file"},
                {"another file", "/etc/passwd", "not an ELF file"},
                {"a program", "/bin/sh", "no PVH kernel"}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct guest_memory memory = {0};
        struct problem problem = {""};
        struct domain d;

        config.kernel = (char *)(uintptr_t)rows[i].path;
        if (engine_kvm.check(&config, &problem) == 0 || strstr(problem.text, rows[i].why) == NULL)
            fail_msg("%s: check: %s", rows[i].name, problem.text);
        problem.text[0] = '\0';
        if (engine_kvm.create(&d, &config, &memory, &problem) != NULL || strstr(problem.text, rows[i].why) == NULL)
            fail_msg("%s: create: %s", rows[i].name, problem.text);
    }
}

static void one_hundred_machines_leave_nothing_open(void **state)
{
    int before = dup(0), after;

    (void)state;
    close(before);
    for (unsigned i = 0; i < 100; i++) {
        struct run r;

        run_create(&r, guest_spin);
        run_finish(&r);
    }
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_answer_as_xen_does),
        cmocka_unit_test(a_call_in_32_bits),
        cmocka_unit_test(a_call_in_64_bits_by_the_msr),
        cmocka_unit_test(a_program_makes_no_hypercalls),
        cmocka_unit_test(a_crash_is_named),
        cmocka_unit_test(halting_for_ever_switches_off),
        cmocka_unit_test(any_guest_is_stopped),
        cmocka_unit_test(a_reset_starts_from_zero),
        cmocka_unit_test(a_kernel_that_cannot_be_loaded_is_refused),
        cmocka_unit_test(one_hundred_machines_leave_nothing_open),
    };
    struct problem why;

    if (!kvm_probe(&why)) {
        printf("skipped: KVM cannot be used here: %s\n", why.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
