/* SPDX-License-Identifier: MIT */
/* The engines `kvm` and `kvm-xen`: one machine of KVM's for each run, each vCPU on a thread of its own. */
#include "engine.h"
#include "../../boot.h"
#include "../probe.h"
#include "acpi.h"
#include "cpu.h"
#include "save.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vcons/wire/virtio_places.h>

#define MSI_ADDRESS 0xfee00000u /* SDM vol. 3, 11.11.1: physical destination in bits 19:12, fixed delivery */

static int check(const struct domain_config *config, const struct kvm_way *way, struct problem *problem)
{
    int kvm, most;

    if (kernel_check(config->kernel, way->calls, problem) != 0)
        return -1;
    if (config->vcpus == 1)
        return 0;
    kvm = kvm_open(problem);
    if (kvm < 0)
        return -1;
    most = kvm_can_have_lapics(kvm) ? ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) : 1;
    close(kvm);
    if (config->vcpus > (unsigned)most)
        return problem_set(problem, -1, "vcpus = %u: expected at most %d, KVM has no more here", config->vcpus, most);
    return 0;
}

/* ---- A machine in the state before its first instruction. ---- */

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

static uint32_t n_uarts(const struct kvm_engine *e)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < e->config->n_consoles; i++)
        n += e->config->consoles[i].door == DOOR_16550;
    return n;
}

static bool has_lines(const struct kvm_engine *e) { return n_uarts(e) > 0 || config_virtio_set(e->config) != 0; }

/* Kernel, ACPI and boot data into RAM that is zero. */
static int fill_memory(struct kvm_engine *e, uint64_t *start_info, struct problem *problem)
{
    const struct acpi_machine machine = {
        .n_vcpus = e->n_vcpus, .uarts = lines_uarts, .n_uarts = n_uarts(e), .virtio = config_virtio_set(e->config)};
    uint8_t *acpi = memory_at(e->memory, BOOT_PC_ACPI_GPA, ACPI_TABLES_BYTES);

    if (acpi == NULL)
        return problem_set(problem, -1, "memory of %llu bytes is too small", (unsigned long long)e->memory->bytes);
    acpi_write(acpi, BOOT_PC_ACPI_GPA, &machine);
    if (kernel_place(&e->kernel, e->memory, &e->quiet, problem) != 0)
        return -1;
    return boot_write(e->memory, e->config->cmdline, e->config->ramdisk, elf_end(&e->kernel.elf), start_info, problem);
}

static int make_vcpu(struct kvm_engine *e, uint32_t id, struct problem *problem)
{
    struct kvm_vcpu *v = &e->vcpus[id];
    const struct cpu_identity identity = {.n_vcpus = e->n_vcpus,
                                          .domid = domain_id(e->domain),
                                          .xen_version = e->config->xen_version,
                                          .hypercall_msr = e->machine.hypercall_msr,
                                          .lapic = e->lapic,
                                          .stable_tsc = e->stable_tsc};

    kvm_vcpu_finish(v);
    kvm_vcpu_init(v, e);
    if (kvm_cpu_init(&v->cpu, &e->machine, id, problem) != 0)
        return -1;
    cpu_choose_registers(&v->cpu, &e->machine);
    if (cpu_identify(&v->cpu, &e->machine, &identity, problem) != 0)
        return -1;
    return e->way->prepare_vcpu(v, problem);
}

static int make_machine(struct kvm_engine *e, struct problem *problem)
{
    uint64_t start_info;

    if (fill_memory(e, &start_info, problem) != 0 || kvm_machine_init(&e->machine, e->kvm, problem) != 0 ||
        place_memory(e, problem) != 0 || cpu_prepare_machine(&e->machine, problem) != 0)
        return -1;
    e->lapic = has_lines(e) && kvm_can_have_lapics(e->kvm) ? lines_give_irqchip(&e->machine)
                                                           : kvm_machine_give_lapics(&e->machine);
    lines_reset(&e->lines, e->lapic && has_lines(e) ? e->machine.vm : -1);
    kvm_doorbells_attach(&e->doorbells, e->machine.vm);
    e->stable_tsc = cpu_host_tsc_is_stable();
    if (e->way->prepare(e, problem) != 0)
        return -1;
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (make_vcpu(e, i, problem) != 0)
            return -1;
    kvm_coalesced_attach(&e->coalesced, &e->machine, &e->vcpus[0].cpu);
    atomic_store(&e->vcpus[0].up, true);
    return cpu_enter_at(&e->vcpus[0].cpu, e->kernel.elf.pvh_entry, (uint32_t)start_info, problem);
}

/* At reset and destroy, not in stop: a late kick still finds the run area. */
static void drop_machine(struct kvm_engine *e)
{
    kvm_coalesced_detach(&e->coalesced);
    kvm_doorbells_attach(&e->doorbells, -1);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_cpu_finish(&e->vcpus[i].cpu);
    kvm_machine_finish(&e->machine);
    memset(e->pages, 0, sizeof e->pages);
}

static void destroy(void *engine)
{
    struct kvm_engine *e = engine;

    drop_machine(e);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_vcpu_finish(&e->vcpus[i]);
    free(e->vcpus);
    if (e->kvm >= 0)
        close(e->kvm);
    kernel_finish(&e->kernel);
    memory_destroy(e->memory);
    lines_finish(&e->lines);
    kvm_coalesced_finish(&e->coalesced);
    kvm_doorbells_finish(&e->doorbells);
    quiet_finish(&e->quiet);
    pthread_mutex_destroy(&e->pages_lock);
    pthread_mutex_destroy(&e->told_lock);
    kvm_threads_finish(&e->threads);
    free(e);
}

static struct kvm_engine *allocate(struct domain *d, const struct domain_config *config, const struct kvm_way *way,
                                   struct guest_memory *memory)
{
    struct kvm_engine *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    *e = (struct kvm_engine){.domain = d, .config = config, .way = way, .memory = memory, .kvm = -1, .machine.vm = -1};
    e->vcpus = calloc(config->vcpus, sizeof e->vcpus[0]);
    if (e->vcpus == NULL) {
        free(e);
        return NULL;
    }
    e->n_vcpus = config->vcpus;
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_vcpu_init(&e->vcpus[i], e);
    kvm_threads_init(&e->threads);
    pthread_mutex_init(&e->pages_lock, NULL);
    pthread_mutex_init(&e->told_lock, NULL);
    lines_init(&e->lines);
    kvm_coalesced_init(&e->coalesced);
    kvm_doorbells_init(&e->doorbells);
    quiet_init(&e->quiet);
    return e;
}

static void *create(struct domain *d, const struct domain_config *config, const struct kvm_way *way,
                    struct guest_memory *memory, struct problem *problem)
{
    struct kvm_engine *e = allocate(d, config, way, memory);

    if (e == NULL) {
        problem_set(problem, -1, "out of memory");
        return NULL;
    }
    kvm_kick_prepare();
    e->kvm = kvm_open(problem);
    if (e->kvm < 0 || kernel_read(&e->kernel, config->kernel, way->calls, problem) != 0 ||
        memory_create_pc(memory, config->memory_bytes, problem) != 0 || make_machine(e, problem) != 0) {
        destroy(e);
        return NULL;
    }
    return e;
}

/* ---- A run. ---- */

static struct kvm_thread thread_of(void *engine, uint32_t i)
{
    struct kvm_vcpu *v = &((struct kvm_engine *)engine)->vcpus[i];

    return (struct kvm_thread){.id = &v->thread, .main = kvm_vcpu_main, .arg = v};
}

static int start(void *engine, struct problem *problem)
{
    struct kvm_engine *e = engine;
    int error = kvm_threads_start(&e->threads, e->n_vcpus, thread_of, e, domain_name(e->domain));

    return error == 0 ? 0 : problem_set(problem, -1, "no thread for a vCPU: %s", strerror(error));
}

static void kick(void *engine)
{
    struct kvm_engine *e = engine;

    for (uint32_t i = 0; i < e->n_vcpus; i++) {
        kvm_cpu_kick(&e->vcpus[i].cpu);
        sem_post(&e->vcpus[i].wake);
    }
}

static void stop(void *engine)
{
    struct kvm_engine *e = engine;

    for (uint32_t i = 0; i < e->n_vcpus; i++)
        pthread_join(e->vcpus[i].thread, NULL);
}

static int reset(void *engine, struct problem *problem)
{
    struct kvm_engine *e = engine;

    drop_machine(e);
    if (memory_clear(e->memory) != 0)
        return problem_set(problem, -1, "the domain's memory cannot be cleared: %s", strerror(errno));
    return make_machine(e, problem);
}

void kvm_engine_halted(struct kvm_engine *e)
{
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (atomic_load(&e->vcpus[i].up) && !atomic_load(&e->vcpus[i].halted))
            return;
    domain_exited(e->domain, 0);
}

bool kvm_engine_interrupt(struct kvm_engine *e, uint32_t vcpu, uint32_t vector)
{
    struct kvm_msi msi = {.address_lo = MSI_ADDRESS | vcpu << 12, .data = vector};

    return ioctl(e->machine.vm, KVM_SIGNAL_MSI, &msi) > 0;
}

/* ---- What hypercalls need. ---- */

static bool translate(void *engine, uint32_t vcpu, uint64_t gva, bool write, uint64_t *gpa)
{
    struct kvm_engine *e = engine;
    struct walk_mode mode;

    return cpu_walk_mode(&e->vcpus[vcpu].cpu, &mode) && walk(e->memory, &mode, gva, write, gpa);
}

/* The entry for a page at gpa, or a free one. NULL: there are too many. */
static int find_page(const struct kvm_engine *e, uint64_t gpa, bool used)
{
    for (unsigned i = 0; i < KVM_ENGINE_PAGES_MAX; i++)
        if (e->pages[i].used == used && (!used || e->pages[i].gpa == gpa))
            return (int)i;
    return -1;
}

static int add_page(struct kvm_engine *e, uint64_t gpa, void *page)
{
    int i = find_page(e, gpa, false);

    if (i < 0)
        return -XEN_ENOSPC;
    if (kvm_machine_slot(&e->machine, e->machine.n_slots + (uint32_t)i, gpa, page, 4096) != 0)
        return -XEN_EINVAL; /* there is something already, or no such address */
    e->pages[i].gpa = gpa;
    e->pages[i].used = true;
    return 0;
}

static int remove_page(struct kvm_engine *e, uint64_t gpa)
{
    int i = find_page(e, gpa, true);

    if (i < 0)
        return -XEN_EINVAL;
    kvm_machine_slot(&e->machine, e->machine.n_slots + (uint32_t)i, gpa, NULL, 0);
    e->pages[i].used = false;
    return 0;
}

static int map_page(void *engine, uint64_t gpa, void *page)
{
    struct kvm_engine *e = engine;
    int result;

    if (gpa % 4096 != 0)
        return -XEN_EINVAL;
    pthread_mutex_lock(&e->pages_lock);
    result = page != NULL ? add_page(e, gpa, page) : remove_page(e, gpa);
    pthread_mutex_unlock(&e->pages_lock);
    return result;
}

/* KVM's clock is what it writes into vcpu_info. */
static uint64_t time_ns(void *engine)
{
    struct kvm_clock_data now = {0};

    ioctl(((struct kvm_engine *)engine)->machine.vm, KVM_GET_CLOCK, &now);
    return now.clock;
}

static int vcpu_initialise(void *engine, uint32_t vcpu, const struct vcpu_hvm_context *context)
{
    return kvm_vcpu_initialise(&((struct kvm_engine *)engine)->vcpus[vcpu], context);
}

static int vcpu_up(void *engine, uint32_t vcpu) { return kvm_vcpu_up(&((struct kvm_engine *)engine)->vcpus[vcpu]); }

static int vcpu_down(void *engine, uint32_t vcpu) { return kvm_vcpu_down(&((struct kvm_engine *)engine)->vcpus[vcpu]); }

static bool vcpu_is_up(void *engine, uint32_t vcpu)
{
    return atomic_load(&((struct kvm_engine *)engine)->vcpus[vcpu].up);
}

static bool upcall(void *engine, uint32_t vcpu)
{
    struct kvm_engine *e = engine;

    return e->way->upcall(e, vcpu);
}

static int set_vector(void *engine, uint32_t vcpu, uint64_t value)
{
    struct kvm_engine *e = engine;

    return e->way->set_vector(e, vcpu, value);
}

static int placed(void *engine, enum engine_area area, uint32_t vcpu, uint64_t gpa)
{
    struct kvm_engine *e = engine;

    return e->way->placed(e, area, vcpu, gpa);
}

static void latched(void *engine, bool long_mode)
{
    struct kvm_engine *e = engine;

    if (e->way->latched != NULL)
        e->way->latched(e, long_mode);
}

static bool uart(int type, uint32_t n, struct engine_device *place)
{
    if (type != DOOR_16550 || n >= LINES_UARTS_MAX)
        return false;
    *place = (struct engine_device){
        .space = ENGINE_PORTS, .address = lines_uarts[n].port, .bytes = LINES_UART_PORTS, .line = lines_uarts[n].line};
    return true;
}

static bool virtio(uint32_t n, struct engine_device *place)
{
    if (n >= VC_VIRTIO_MAX)
        return false;
    *place = (struct engine_device){.space = ENGINE_MEMORY,
                                    .address = VC_VIRTIO_PC_BASE + n * (uint64_t)VC_VIRTIO_BYTES,
                                    .bytes = VC_VIRTIO_BYTES,
                                    .line = VC_VIRTIO_PC_LINE + n % VC_VIRTIO_PC_LINES};
    return true;
}

static void irq_line(void *engine, uint32_t line, bool level)
{
    lines_set(&((struct kvm_engine *)engine)->lines, line, level);
}

static bool doorbell(void *engine, uint64_t address, uint32_t value, int fd)
{
    return kvm_doorbell_set(&((struct kvm_engine *)engine)->doorbells, address, value, fd);
}

static bool zone(void *engine, const struct engine_device *place, uint32_t bytes, bool on)
{
    return kvm_coalesced_zone(&((struct kvm_engine *)engine)->coalesced, place, bytes, on);
}

static bool recorded(void *engine, const struct engine_device *place, engine_take *take, void *ctx)
{
    return kvm_coalesced_take(&((struct kvm_engine *)engine)->coalesced, place, take, ctx);
}

/* What calls us otherwise, an early kernel's code or another kernel's, would not look at the bit. */
static bool quiet(void *engine, uint32_t port, bool on)
{
    struct kvm_engine *e = engine;

    return (!on || kvm_vcpu_called_quietly(e)) && quiet_set(&e->quiet, port, on);
}

static const struct engine_events *events(void *engine) { return ((struct kvm_engine *)engine)->way->events; }

#define COMMON_OPERATIONS                                                                                              \
    .start = start, .kick = kick, .stop = stop, .reset = reset, .destroy = destroy, .translate = translate,            \
    .map_page = map_page, .time_ns = time_ns, .vcpu_initialise = vcpu_initialise, .vcpu_up = vcpu_up,                  \
    .vcpu_down = vcpu_down, .vcpu_is_up = vcpu_is_up, .upcall = upcall, .set_vector = set_vector, .placed = placed,    \
    .latched = latched, .events = events, .uart = uart, .uarts = "type 16550, at most 4,", .virtio = virtio,           \
    .irq_line = irq_line, .doorbell = doorbell, .zone = zone, .recorded = recorded, .quiet = quiet, .pause = kick,     \
    .save = kvm_save, .restore = kvm_restore

static int check_kvm(const struct domain_config *config, struct problem *problem)
{
    return check(config, &kvm_way_kvm, problem);
}

static void *create_kvm(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                        struct problem *problem)
{
    return create(d, config, &kvm_way_kvm, memory, problem);
}

const struct engine_ops engine_kvm = {
    .name = "kvm", .usable = kvm_probe, .check = check_kvm, .create = create_kvm, COMMON_OPERATIONS};

static bool usable_xen(struct problem *why)
{
    int kvm;
    bool usable;

    if (!kvm_probe(why))
        return false;
    kvm = kvm_open(why);
    if (kvm < 0)
        return false;
    usable = kvm_way_xen.usable(kvm, why);
    close(kvm);
    return usable;
}

static int check_xen(const struct domain_config *config, struct problem *problem)
{
    return check(config, &kvm_way_xen, problem);
}

static void *create_xen(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                        struct problem *problem)
{
    return create(d, config, &kvm_way_xen, memory, problem);
}

const struct engine_ops engine_kvm_xen = {
    .name = "kvm-xen", .usable = usable_xen, .check = check_xen, .create = create_xen, COMMON_OPERATIONS};
