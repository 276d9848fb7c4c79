/* SPDX-License-Identifier: MIT */
/* The engine `kvm`: one machine of KVM's for each run, its vCPU on a thread of its own. */
#include "../engine.h"
#include "../boot.h"
#include "../config.h"
#include "exits.h"
#include "kernel.h"
#include "machine.h"
#include "probe.h"
#include "x86_64/acpi.h"
#include "x86_64/cpu.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kvm_engine {
    struct domain *domain;
    const char *cmdline, *ramdisk; /* the configuration's */
    struct guest_memory *memory;
    struct kvm_kernel kernel;
    int kvm;

    struct kvm_machine machine;
    struct kvm_cpu cpu; /* vCPU 0. A PVH start leaves the others down, and no hypercall that starts them exists yet */
    pthread_t thread;
    sem_t wake; /* for a vCPU that halted */
};

static int check(const struct domain_config *config, struct problem *problem)
{
    if (config->vcpus != 1)
        return problem_set(problem, -1, "vcpus = %u: expected 1, no hypercall of this version starts another",
                           config->vcpus);
    return kernel_check(config->kernel, problem);
}

/* RAM and special pages where memory.h says. */
static int place_memory(struct kvm_engine *e, struct problem *problem)
{
    const struct guest_memory *m = e->memory;

    if (kvm_machine_map(&e->machine, 0, m->base, m->low_bytes, problem) != 0)
        return -1;
    if (m->bytes > m->low_bytes &&
        kvm_machine_map(&e->machine, MEMORY_HIGH, m->base + m->low_bytes, m->bytes - m->low_bytes, problem) != 0)
        return -1;
    return kvm_machine_map(&e->machine, m->special_gpa, m->base + m->bytes, MEMORY_SPECIAL_PAGES * 4096, problem);
}

/* A machine in the state before its first instruction. RAM is zero. */
static int make_machine(struct kvm_engine *e, struct problem *problem)
{
    uint64_t start_info;
    uint8_t *acpi = memory_at(e->memory, BOOT_PC_ACPI_GPA, ACPI_TABLES_BYTES);

    if (acpi == NULL)
        return problem_set(problem, -1, "memory of %llu bytes is too small", (unsigned long long)e->memory->bytes);
    acpi_write(acpi, BOOT_PC_ACPI_GPA, 1);
    if (kernel_place(&e->kernel, e->memory, problem) != 0 ||
        boot_write(e->memory, e->cmdline, e->ramdisk, elf_end(&e->kernel.elf), &start_info, problem) != 0 ||
        kvm_machine_init(&e->machine, e->kvm, problem) != 0 || place_memory(e, problem) != 0 ||
        cpu_prepare_machine(&e->machine, problem) != 0 || kvm_cpu_init(&e->cpu, &e->machine, 0, problem) != 0)
        return -1;
    cpu_choose_registers(&e->cpu, &e->machine);
    if (cpu_identify(&e->cpu, &e->machine, domain_id(e->domain), problem) != 0)
        return -1;
    return cpu_enter_at(&e->cpu, e->kernel.elf.pvh_entry, (uint32_t)start_info, problem);
}

/* At reset and destroy, not in stop: a late kick still finds the run area. */
static void drop_machine(struct kvm_engine *e)
{
    kvm_cpu_finish(&e->cpu);
    kvm_machine_finish(&e->machine);
}

static void destroy(void *engine)
{
    struct kvm_engine *e = engine;

    drop_machine(e);
    if (e->kvm >= 0)
        close(e->kvm);
    sem_destroy(&e->wake);
    kernel_finish(&e->kernel);
    memory_destroy(e->memory);
    free(e);
}

static void *create(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem)
{
    struct kvm_engine *e = calloc(1, sizeof *e);

    if (e == NULL) {
        problem_set(problem, -1, "out of memory");
        return NULL;
    }
    *e = (struct kvm_engine){.domain = d,
                             .cmdline = config->cmdline,
                             .ramdisk = config->ramdisk,
                             .memory = memory,
                             .machine.vm = -1,
                             .cpu.fd = -1};
    sem_init(&e->wake, 0, 0);
    kvm_kick_prepare();
    e->kvm = kvm_open(problem);
    if (e->kvm < 0 || kernel_read(&e->kernel, config->kernel, problem) != 0 ||
        memory_create_pc(memory, config->memory_bytes, problem) != 0 || make_machine(e, problem) != 0) {
        destroy(e);
        return NULL;
    }
    return e;
}

/* Nothing wakes it but a kick: this engine has no interrupts yet. */
static void halt(struct kvm_engine *e)
{
    while (!domain_stopping(e->domain))
        sem_wait(&e->wake);
}

static void serve(struct kvm_engine *e)
{
    switch (exit_serve(e->domain, &e->cpu, e->memory)) {
    case EXIT_RUN: break;
    case EXIT_HALT: halt(e); break;
    case EXIT_DOWN: /* Xen: the last vCPU that halts with interrupts off switches the domain off (hvm_vcpu_down) */
        domain_exited(e->domain, 0);
        halt(e);
        break;
    case EXIT_BROKEN: halt(e); break;
    }
}

static void *vcpu_main(void *engine)
{
    struct kvm_engine *e = engine;

    kvm_cpu_own(&e->cpu, true);
    while (!domain_stopping(e->domain)) { /* looked at after every kick: kvm_cpu_run took note of it before */
        int error = kvm_cpu_run(&e->cpu);

        if (error == 0)
            serve(e);
        else if (error != -EINTR)
            domain_crashed(e->domain, "KVM: %s", strerror(-error));
    }
    kvm_cpu_own(&e->cpu, false);
    domain_ended(e->domain);
    return NULL;
}

static int start(void *engine, struct problem *problem)
{
    struct kvm_engine *e = engine;
    sigset_t all, before;
    char name[16];
    int result;

    /* Signals for the program are the loop's; ours ends KVM_RUN. */
    sigfillset(&all);
    sigdelset(&all, KVM_KICK_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&e->thread, NULL, vcpu_main, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0)
        return problem_set(problem, -1, "no thread for a vCPU: %s", strerror(result));
    snprintf(name, sizeof name, "kvm/%.11s", domain_name(e->domain));
    pthread_setname_np(e->thread, name);
    return 0;
}

static void kick(void *engine)
{
    struct kvm_engine *e = engine;

    kvm_cpu_kick(&e->cpu);
    sem_post(&e->wake);
}

static void stop(void *engine)
{
    struct kvm_engine *e = engine;

    pthread_join(e->thread, NULL);
    while (sem_trywait(&e->wake) == 0) /* kicks that came late are not the next run's */
        continue;
}

static int reset(void *engine, struct problem *problem)
{
    struct kvm_engine *e = engine;

    drop_machine(e);
    if (memory_clear(e->memory) != 0)
        return problem_set(problem, -1, "the domain's memory cannot be cleared: %s", strerror(errno));
    return make_machine(e, problem);
}

const struct engine_ops engine_kvm = {
    .name = "kvm",
    .usable = kvm_probe,
    .check = check,
    .create = create,
    .start = start,
    .kick = kick,
    .stop = stop,
    .reset = reset,
    .destroy = destroy,
};
