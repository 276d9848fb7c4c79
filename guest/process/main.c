/* SPDX-License-Identifier: MIT */
#include "process.h"
#include "start_info.h"
#include "sys.h"
#include "tiny.h"
#include <linux/futex.h>
#include <vcons/atomic.h>

#define PAGE      4096u
#define SPINS_MAX 256u /* about 10 us: what a served call takes when both sides have a processor */

struct process { /* ctx of the platform */
    struct vc_call_page *page;
    uint64_t ram_bytes;
    uint32_t spins; /* as many as lately paid */
};

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

/* Called by process_post, and once more in another process if this one is saved meanwhile: a wake too many does no harm. */
void process_wait(struct process *p)
{
    struct vc_call_page *page = p->page;

    sys3(__NR_futex, sys_address(&page->state), FUTEX_WAKE, 1);
    if ((page->nr == XEN_sched_op && page->args[0] == SCHEDOP_poll) ||
        !is_served_soon(p)) /* who polls means to sleep */
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
    return result;
}

static void *process_map(void *ctx, uint64_t gpa, size_t bytes)
{
    struct process *p = ctx;

    if (gpa > p->ram_bytes || bytes > p->ram_bytes - gpa)
        return NULL;
    return (void *)(uintptr_t)(VC_CALL_RAM_BASE + gpa);
}

static void halt(uint32_t reason) { sys_exit(reason == SHUTDOWN_poweroff ? 0 : 1); }

/* All that is not RAM and call page: the old image and stack, and what the kernel put beside them. */
static void unmap_rest(uint64_t ram_bytes)
{
    uint64_t ram_end = VC_CALL_RAM_BASE + ((ram_bytes + PAGE - 1) & -(uint64_t)PAGE);

    sys3(__NR_munmap, 0, (long)PROCESS_CALL_PAGE, 0);
    sys3(__NR_munmap, (long)(PROCESS_CALL_PAGE + PAGE), (long)(VC_CALL_RAM_BASE - PROCESS_CALL_PAGE - PAGE), 0);
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

_Noreturn void process_main(void)
{
    static struct process process;
    static struct tiny tiny;
    static struct start_info info;
    static struct platform platform = {&process, process_hypercall, process_map};
    static struct tiny_machine machine = {
        .platform = &platform, .name = "process", .cmdline = info.cmdline, .hypervisor = true, .halt = halt};

    process.page = (struct vc_call_page *)(uintptr_t)PROCESS_CALL_PAGE;
    process.ram_bytes = process.page->ram_bytes;
    process.spins = SPINS_MAX / 2;
    unmap_rest(process.ram_bytes);
    if (!process_sandbox())
        process_fail("the kernel refuses its sandbox");
    if (process_hypercall(&process, VC_CALL_READY, 0, 0, 0) < 0)
        process_fail("the hypervisor does not want it to run");
    start_info_read(&info, &platform, process.page->start_info);
    machine.ram_bytes = process.ram_bytes;
    tiny_main(&tiny, &machine);
    sys_exit(PROCESS_EXIT);
}
