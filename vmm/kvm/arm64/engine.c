/* SPDX-License-Identifier: MIT */
/* The engine `kvm` on arm64: one machine of KVM's for each run, with KVM's GICv3, timers and PSCI; UARTs are the domain's. */
#include "engine.h"
#include "../probe.h"
#include "cpu.h"
#include "host/clock.h"
#include "save.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check(const struct domain_config *config, struct problem *problem)
{
    if (config->vcpus > ARM64_VCPUS_MAX)
        return problem_set(problem, -1, "vcpus = %u: expected at most %u on arm64", config->vcpus, ARM64_VCPUS_MAX);
    return arm64_kernel_check(config->kernel, problem);
}

/* ---- A machine in the state before its first instruction. ---- */

static bool uart(int type, uint32_t n, struct engine_device *place)
{
    if ((type != DOOR_PL011 && type != DOOR_SBSA) || n >= ARM64_UARTS_MAX)
        return false;
    *place = (struct engine_device){.space = ENGINE_MEMORY,
                                    .address = ARM64_UART_GPA + n * ARM64_UART_STRIDE,
                                    .bytes = ARM64_UART_BYTES,
                                    .line = ARM64_UART_SPI + n};
    return true;
}

static void find_uarts(struct arm64_engine *e)
{
    for (uint32_t i = 0; i < e->config->n_consoles; i++) {
        enum config_door door = e->config->consoles[i].door;
        struct engine_device place;

        if (!uart((int)door, e->n_uarts, &place))
            continue;
        e->uarts[e->n_uarts++] =
            (struct device_tree_uart){.gpa = place.address, .spi = place.line, .sbsa = door == DOOR_SBSA};
    }
}

static int place_memory(struct arm64_engine *e, struct problem *problem)
{
    const struct guest_memory *m = e->memory;

    if (kvm_machine_map(&e->machine, m->ram_gpa, m->base, m->bytes, problem) != 0)
        return -1;
    return kvm_machine_map(&e->machine, m->special_gpa, m->base + m->bytes, MEMORY_SPECIAL_PAGES * 4096, problem);
}

static int make_vcpu(struct arm64_engine *e, uint32_t id, struct problem *problem)
{
    struct arm64_vcpu *v = &e->vcpus[id];

    v->engine = e;
    v->again = false;
    atomic_store(&v->up, id == 0);
    if (kvm_cpu_init(&v->cpu, &e->machine, id, problem) != 0)
        return -1;
    return arm64_cpu_reset(&v->cpu, &e->machine, id != 0, problem);
}

static int make_machine(struct arm64_engine *e, struct problem *problem)
{
    struct device_tree_machine described = {.uarts = e->uarts, .n_uarts = e->n_uarts, .virtio = e->virtio};
    struct arm64_entry entry;

    atomic_store(&e->spis, 0);
    if (arm64_kernel_place(&e->kernel, e->memory, e->config, &described, &entry, problem) != 0 ||
        kvm_machine_init(&e->machine, e->kvm, problem) != 0 || place_memory(e, problem) != 0)
        return -1;
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (make_vcpu(e, i, problem) != 0)
            return -1;
    kvm_coalesced_attach(&e->coalesced, &e->machine, &e->vcpus[0].cpu);
    kvm_doorbells_attach(&e->doorbells, e->machine.vm);
    if (gic_make(&e->gic, &e->machine, e->n_irqs, problem) != 0)
        return -1;
    return arm64_cpu_enter_at(&e->vcpus[0].cpu, entry.pc, entry.device_tree, problem);
}

/* At reset and destroy, not in stop: a late kick still finds the run area. */
static void drop_machine(struct arm64_engine *e)
{
    kvm_coalesced_detach(&e->coalesced);
    kvm_doorbells_attach(&e->doorbells, -1);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_cpu_finish(&e->vcpus[i].cpu);
    gic_finish(&e->gic);
    kvm_machine_finish(&e->machine);
}

static void destroy(void *engine)
{
    struct arm64_engine *e = engine;

    drop_machine(e);
    if (e->kvm >= 0)
        close(e->kvm);
    arm64_kernel_finish(&e->kernel);
    memory_destroy(e->memory);
    kvm_threads_finish(&e->threads);
    pthread_cond_destroy(&e->released);
    pthread_mutex_destroy(&e->held_lock);
    pthread_mutex_destroy(&e->look_lock);
    kvm_coalesced_finish(&e->coalesced);
    kvm_doorbells_finish(&e->doorbells);
    free(e);
}

static struct arm64_engine *allocate(struct domain *d, const struct domain_config *config, struct guest_memory *memory)
{
    struct arm64_engine *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    *e = (struct arm64_engine){.domain = d,
                               .config = config,
                               .memory = memory,
                               .kvm = -1,
                               .gic = -1,
                               .machine.vm = -1,
                               .n_vcpus = config->vcpus};
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        e->vcpus[i].cpu.fd = -1;
    kvm_threads_init(&e->threads);
    pthread_mutex_init(&e->look_lock, NULL);
    pthread_mutex_init(&e->held_lock, NULL);
    pthread_cond_init(&e->released, NULL);
    kvm_coalesced_init(&e->coalesced);
    kvm_doorbells_init(&e->doorbells);
    find_uarts(e);
    e->virtio = config_virtio_set(config);
    e->n_irqs = ARM64_N_IRQS(e->virtio != 0);
    return e;
}

static void *create(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem)
{
    struct arm64_engine *e = allocate(d, config, memory);

    if (e == NULL) {
        problem_set(problem, -1, "out of memory");
        return NULL;
    }
    kvm_kick_prepare();
    e->kvm = kvm_open(problem);
    if (e->kvm < 0 || arm64_kernel_read(&e->kernel, config->kernel, problem) != 0 ||
        memory_create_board(memory, config->memory_bytes, ARM64_RAM_GPA, ARM64_SPECIAL_GPA, problem) != 0 ||
        make_machine(e, problem) != 0) {
        destroy(e);
        return NULL;
    }
    return e;
}

/* ---- A run. ---- */

static struct kvm_thread thread_of(void *engine, uint32_t i)
{
    struct arm64_vcpu *v = &((struct arm64_engine *)engine)->vcpus[i];

    return (struct kvm_thread){.id = &v->thread, .main = arm64_vcpu_main, .arg = v};
}

static int start(void *engine, struct problem *problem)
{
    struct arm64_engine *e = engine;
    int error = kvm_threads_start(&e->threads, e->n_vcpus, thread_of, e, domain_name(e->domain));

    return error == 0 ? 0 : problem_set(problem, -1, "no thread for a vCPU: %s", strerror(error));
}

static void kick(void *engine)
{
    struct arm64_engine *e = engine;

    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_cpu_kick(&e->vcpus[i].cpu);
}

static void stop(void *engine)
{
    struct arm64_engine *e = engine;

    for (uint32_t i = 0; i < e->n_vcpus; i++)
        pthread_join(e->vcpus[i].thread, NULL);
}

static int reset(void *engine, struct problem *problem)
{
    struct arm64_engine *e = engine;

    drop_machine(e);
    if (memory_clear(e->memory) != 0)
        return problem_set(problem, -1, "the domain's memory cannot be cleared: %s", strerror(errno));
    return make_machine(e, problem);
}

static bool virtio(uint32_t n, struct engine_device *place)
{
    if (n >= VC_VIRTIO_MAX)
        return false;
    *place = (struct engine_device){.space = ENGINE_MEMORY,
                                    .address = ARM64_VIRTIO_GPA + n * (uint64_t)VC_VIRTIO_BYTES,
                                    .bytes = VC_VIRTIO_BYTES,
                                    .line = ARM64_VIRTIO_SPI + n};
    return true;
}

static bool doorbell(void *engine, uint64_t address, uint32_t value, int fd)
{
    return kvm_doorbell_set(&((struct arm64_engine *)engine)->doorbells, address, value, fd);
}

static void irq_line(void *engine, uint32_t line, bool level)
{
    struct arm64_engine *e = engine;

    if (level)
        atomic_fetch_or(&e->spis, UINT64_C(1) << line);
    else
        atomic_fetch_and(&e->spis, ~(UINT64_C(1) << line));
    gic_line(&e->machine, line, level);
}

static bool zone(void *engine, const struct engine_device *place, uint32_t bytes, bool on)
{
    return kvm_coalesced_zone(&((struct arm64_engine *)engine)->coalesced, place, bytes, on);
}

static bool recorded(void *engine, const struct engine_device *place, engine_take *take, void *ctx)
{
    return kvm_coalesced_take(&((struct arm64_engine *)engine)->coalesced, place, take, ctx);
}

static bool vcpu_is_up(void *engine, uint32_t vcpu)
{
    return atomic_load(&((struct arm64_engine *)engine)->vcpus[vcpu].up);
}

static uint64_t time_ns(void *engine) { return clock_ns() + (uint64_t)((struct arm64_engine *)engine)->ahead_ns; }

const struct engine_ops engine_kvm = {.name = "kvm",
                                      .arm = true,
                                      .usable = kvm_probe,
                                      .check = check,
                                      .create = create,
                                      .start = start,
                                      .kick = kick,
                                      .stop = stop,
                                      .reset = reset,
                                      .destroy = destroy,
                                      .vcpu_is_up = vcpu_is_up,
                                      .uart = uart,
                                      .uarts = "types pl011 and sbsa",
                                      .virtio = virtio,
                                      .irq_line = irq_line,
                                      .doorbell = doorbell,
                                      .zone = zone,
                                      .recorded = recorded,
                                      .time_ns = time_ns,
                                      .pause = kick,
                                      .save = arm64_save,
                                      .restore = arm64_restore,
                                      .uart_by_default = true};

static bool xen_usable(struct problem *why)
{
    problem_set(why, -1, "KVM knows Xen's calls on x86_64 only");
    return false;
}

static int xen_check(const struct domain_config *config, struct problem *problem)
{
    (void)config;
    return xen_usable(problem) ? 0 : -1;
}

const struct engine_ops engine_kvm_xen = {.name = "kvm-xen", .usable = xen_usable, .check = xen_check};
