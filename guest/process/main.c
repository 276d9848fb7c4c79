/* SPDX-License-Identifier: MIT */
#include "process.h"
#include "start_info.h"
#include "sys.h"
#include "tiny.h"
#include <linux/futex.h>
#include <vcons/atomic.h>
#include <vcons/wire/virtio_places.h>

#define PAGE      4096u
#define SPINS_MAX 256u /* about 10 us: what a served call takes when both sides have a processor */

struct process { /* ctx of the platform of a vCPU */
    struct vc_call_page *page;
    struct tiny_cpu *cpu; /* NULL until it may have upcalls */
    uint64_t ram_bytes;
    uint32_t spins; /* as many as lately paid */
};
static struct process vcpus[TINY_CPUS];

/* False: not within as many looks as lately paid. */
static bool is_served_soon(struct process *p)
{
    for (uint32_t i = 0; i < p->spins; i++) {
        if (vc_load_acquire(&p->page->state) == VC_CALL_DONE) {
            p->spins += p->spins < SPINS_MAX ? 1 : 0;
            return true;
        }
        __builtin_ia32_pause();
    }
    p->spins -= p->spins > 1 ? p->spins / 4 + 1 : 0;
    return false;
}

static void wait_until_served(struct process *p)
{
    uint32_t *state = &p->page->state;

    /* Pairs with the hypervisor's release of DONE: the result is there. */
    while (vc_load_acquire(state) != VC_CALL_DONE)
        sys6(__NR_futex, sys_address(state), FUTEX_WAIT, VC_CALL_POSTED, 0, 0, 0);
}

static bool means_to_sleep(const struct vc_call_page *page)
{
    return page->nr == VC_CALL_READY ||
           (page->nr == XEN_sched_op && (page->args[0] == SCHEDOP_poll || page->args[0] == SCHEDOP_block));
}

/* Called by process_post, and once more in another process if this one is saved meanwhile: a wake too many does no harm. */
void process_wait(struct process *p)
{
    struct vc_call_page *page = p->page;

    sys3(__NR_futex, sys_address(&page->state), FUTEX_WAKE, 1);
    if (means_to_sleep(page) || !is_served_soon(p))
        wait_until_served(p);
}

static int64_t process_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct process *p = ctx;
    struct vc_call_page *page = p->page;
    int64_t result;

    page->nr = nr;
    page->args[0] = a0;
    page->args[1] = a1;
    page->args[2] = a2;
    process_post(p, page); /* pairs with the hypervisor's acquire of POSTED: number and arguments first */
    result = page->result;
    vc_store_release(&page->state, VC_CALL_IDLE);
    if (p->cpu != NULL)
        events_look(&p->cpu->events); /* nothing interrupts a thread (callpage.h) */
    return result;
}

static void *process_map(void *ctx, uint64_t gpa, size_t bytes)
{
    struct process *p = ctx;

    if (gpa > p->ram_bytes || bytes > p->ram_bytes - gpa)
        return NULL;
    return (void *)(uintptr_t)(VC_CALL_RAM_BASE + gpa);
}

static uint64_t process_gpa(void *ctx, const void *at)
{
    (void)ctx;
    return guest_address(at) - VC_CALL_RAM_BASE;
}

/* ---- Devices. ---- */

static uint32_t read_register(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    return (uint32_t)process_hypercall(&vcpus[0], VC_CALL_READ, io->base + offset, width, 0);
}

static void write_register(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    process_hypercall(&vcpus[0], VC_CALL_WRITE, io->base + offset, width, value);
}

static const struct tiny_virtio_place *find_virtios(uint32_t *n)
{
    static struct tiny_virtio_place places[VC_VIRTIO_MAX];

    for (*n = 0; *n < VC_VIRTIO_MAX; ++*n)
        places[*n] = (struct tiny_virtio_place){
            {VC_VIRTIO_PC_BASE + *n * (uint64_t)VC_VIRTIO_BYTES, read_register, write_register}, 0};
    return places;
}

/* ---- vCPUs. ---- */

static void prepare(struct tiny_cpu *cpu)
{
    cpu->platform = cpu->tiny->cpus[0].platform;
    cpu->platform.ctx = &vcpus[cpu->id];
    cpu->platform.wait_ctx = &cpu->events;
    vcpus[cpu->id].cpu = cpu;
}

/* Its thread is in VC_CALL_READY; what of the context could be used is its own already. */
static int64_t start(struct tiny_cpu *cpu)
{
    const struct vcpu_hvm_context context = {.mode = VCPU_HVM_MODE_64B};
    const struct platform *p = &cpu->tiny->cpus[0].platform;
    int64_t error = p->hypercall(p->ctx, XEN_vcpu_op, VCPUOP_initialise, cpu->id, guest_address(&context));

    return error == 0 ? p->hypercall(p->ctx, XEN_vcpu_op, VCPUOP_up, cpu->id, 0) : error;
}

static void upcalls_by_looking(struct tiny_cpu *cpu) { events_cpu_way(&cpu->events, &events_by_block, &cpu->events); }

static const struct tiny_cpu_ops cpu_ops = {prepare, start, upcalls_by_looking};

static void halt(uint32_t reason) { sys_exit(reason == SHUTDOWN_poweroff ? 0 : 1); }

/* All that is not RAM and call pages: the old image and stack, and what the kernel put beside them. */
static void unmap_rest(uint64_t ram_bytes, uint32_t n_pages)
{
    uint64_t pages_end = PROCESS_CALL_PAGE + n_pages * (uint64_t)PAGE;
    uint64_t ram_end = VC_CALL_RAM_BASE + ((ram_bytes + PAGE - 1) & -(uint64_t)PAGE);

    sys3(__NR_munmap, 0, (long)PROCESS_CALL_PAGE, 0);
    sys3(__NR_munmap, (long)pages_end, (long)(VC_CALL_RAM_BASE - pages_end), 0);
    sys3(__NR_munmap, (long)ram_end, (long)(PROCESS_ADDRESS_END - ram_end), 0);
}

_Noreturn void process_fail(const char *why)
{
    static const char prefix[] = "tiny-process: ";
    size_t n = 0;

    while (why[n] != '\0')
        n++;
    sys3(__NR_write, 2, sys_address(prefix), sizeof prefix - 1);
    sys3(__NR_write, 2, sys_address(why), (long)n);
    sys3(__NR_write, 2, sys_address("\n"), 1);
    sys_exit(PROCESS_EXIT);
}

_Noreturn void process_secondary(uint32_t vcpu)
{
    struct process *p = &vcpus[vcpu];

    process_hypercall(p, VC_CALL_READY, 0, 0, 0);
    tiny_cpu_main(p->cpu);
}

_Noreturn void process_main(void)
{
    static struct tiny tiny;
    static struct start_info info;
    static const struct platform platform = {
        .ctx = &vcpus[0], .hypercall = process_hypercall, .map = process_map, .gpa = process_gpa};
    static struct tiny_machine machine = {.platform = &platform,
                                          .name = "process",
                                          .cmdline = info.cmdline,
                                          .hypervisor = true,
                                          .cpu_ops = &cpu_ops,
                                          .virtio_virq = VIRQ_ARCH_7,
                                          .halt = halt};
    const uint32_t n_vcpus = process_vcpus();

    for (uint32_t i = 0; i < n_vcpus; i++)
        vcpus[i] =
            (struct process){.page = process_page(i), .ram_bytes = process_page(0)->ram_bytes, .spins = SPINS_MAX / 2};
    unmap_rest(vcpus[0].ram_bytes, n_vcpus);
    if (!process_make_threads(n_vcpus))
        process_fail("no threads for its vCPUs");
    if (!process_sandbox())
        process_fail("the kernel refuses its sandbox");
    process_let_threads_go();
    if (process_hypercall(&vcpus[0], VC_CALL_READY, 0, 0, 0) < 0)
        process_fail("the hypervisor does not want it to run");
    start_info_read(&info, &platform, process_page(0)->start_info);
    machine.ram_bytes = vcpus[0].ram_bytes;
    machine.virtio = find_virtios(&machine.n_virtio);
    tiny_main(&tiny, &machine);
    sys_exit(PROCESS_EXIT);
}
