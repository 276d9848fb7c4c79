/* SPDX-License-Identifier: MIT */
/*
 * tiny with its drivers, alone among enemies: boot arguments, what is typed, every result of every hypercall and, at each
 * of them, any byte of the console's page and of shared_info are the input's; so is all that a UART's registers say, and
 * when it interrupts.
 */
#include "fuzz.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdio.h>

enum { ARGS_MOST = 300, PFN = 5 };

struct world {
    struct input in;
    struct xencons_interface *page;
    uint8_t *shared; /* NULL until the guest gave a page for it */
    jmp_buf end;
};
static struct world world; /* longjmp needs it outside of any frame */

void tiny_pry(struct tiny_console *c) { (void)c; } /* hands over frames that are no memory here */
void tiny_fault_trap(void) { longjmp(world.end, 1); }
void tiny_fault_touch(void) { longjmp(world.end, 1); }
static void halt(uint32_t reason)
{
    (void)reason;
    longjmp(world.end, 1);
}

/* Some of the page is overwritten: mostly where the indices and the flag are. */
static void scribble(struct world *w)
{
    size_t at = take(&w->in, 1) % 2 == 0 ? offsetof(struct xencons_interface, in_cons) + take(&w->in, 1) % 20
                                         : take(&w->in, 2) % sizeof *w->page;

    if (at < sizeof *w->page)
        ((uint8_t *)w->page)[at] = (uint8_t)take(&w->in, 1);
    if (w->shared != NULL && take(&w->in, 1) % 2 == 0)
        w->shared[take(&w->in, 2) % SHARED_PAGE_BYTES] = (uint8_t)take(&w->in, 1);
}

/* Results as they should be, but for every fourth. */
static int64_t answer(struct world *w, int64_t right)
{
    return take(&w->in, 1) % 4 == 0 ? (int64_t)take(&w->in, 8) : right;
}

static int64_t console_io(struct world *w, uint64_t cmd, uint64_t n, uint64_t address)
{
    volatile uint8_t *bytes = (volatile uint8_t *)(uintptr_t)address;
    uint64_t got = take(&w->in, 1) % 32;

    if (cmd != CONSOLEIO_read) {
        for (uint64_t i = 0; i < n; i++)
            (void)bytes[i]; /* all of it must be the guest's to give */
        return answer(w, 0);
    }
    got = got < n ? got : n;
    for (uint64_t i = 0; i < got; i++)
        bytes[i] = (uint8_t)take(&w->in, 1);
    return answer(w, (int64_t)got);
}

static int64_t get_param(struct world *w, uint64_t address)
{
    struct xen_hvm_param *param = (void *)(uintptr_t)address;

    param->value = param->index == HVM_PARAM_CONSOLE_PFN ? PFN : 1;
    if (take(&w->in, 1) % 8 == 0)
        param->value = take(&w->in, 8);
    return take(&w->in, 1) % 8 == 0 ? -XEN_EINVAL : 0;
}

static int64_t memory_op(struct world *w, uint64_t address)
{
    const struct xen_add_to_physmap *add = (const void *)(uintptr_t)address;
    int64_t result = answer(w, 0);

    if (result == 0)
        w->shared = (uint8_t *)(uintptr_t)(add->gpfn << 12);
    return result;
}

/* The self-test's own wild pointers. */
static bool nowhere(uint64_t address) { return address > UINT64_MAX - 4096; }

static int64_t hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct world *w = ctx;

    if (w->in.left == 0)
        longjmp(w->end, 1);
    if (take(&w->in, 1) % 2 == 0)
        scribble(w);
    if (nowhere(a1) || nowhere(a2))
        return answer(w, -XEN_EFAULT);
    switch (nr) {
    case XEN_console_io: return console_io(w, a0, a1, a2);
    case XEN_hvm_op: return get_param(w, a1);
    case XEN_memory_op: return memory_op(w, a1);
    default: return answer(w, 0);
    }
}

static void *map(void *ctx, uint64_t gpa, size_t bytes)
{
    require(bytes == XENCONS_PAGE_BYTES);
    return gpa == PFN << 12 ? ((struct world *)ctx)->page : NULL;
}

static uint64_t gpa(void *ctx, const void *at)
{
    (void)ctx;
    return (uintptr_t)at;
}

static struct uart *listener; /* of the UARTs, the last that was told it may interrupt */

static uint32_t read_register(const struct uart_io *io, uint32_t offset, uint32_t width)
{
    static bool nested;

    (void)io, (void)offset;
    if (world.in.left == 0) {
        nested = false;
        longjmp(world.end, 1);
    }
    if (!nested && listener != NULL && take(&world.in, 1) % 8 == 0) {
        nested = true;
        uart_interrupt(listener);
        nested = false;
    }
    return (uint32_t)take(&world.in, width < 2 ? width : 2);
}

static void write_register(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    (void)io, (void)offset, (void)width, (void)value;
}

static bool uart_interrupts_come(struct uart *u, uint32_t irq)
{
    (void)irq;
    listener = u;
    return true;
}

static void prepare(struct tiny_cpu *cpu) { cpu->platform = cpu->tiny->cpus[0].platform; }
static int64_t start(struct tiny_cpu *cpu) { return answer(&world, (int64_t)cpu->id - 1); }
static void interrupts(struct tiny_cpu *cpu) { events_cpu_way(&cpu->events, &events_by_block, &cpu->events); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct platform platform = {.ctx = &world, .hypercall = hypercall, .map = map, .gpa = gpa};
    static const struct tiny_cpu_ops cpu_ops = {prepare, start, interrupts};
    static const struct tiny_uart_place uarts[] = {{&uart_16550, {0, read_register, write_register}, 4},
                                                   {&uart_pl011, {1, read_register, write_register}, 33},
                                                   {&uart_sbsa, {2, read_register, write_register}, 34}};
    char args[ARGS_MOST + 1] = "";
    struct tiny_machine machine = {.platform = &platform,
                                   .name = "fuzz",
                                   .cmdline = args,
                                   .hypervisor = true,
                                   .cpu_ops = &cpu_ops,
                                   .uarts = uarts,
                                   .n_uarts = sizeof uarts / sizeof uarts[0],
                                   .first_uart = sizeof uarts / sizeof uarts[0],
                                   .uart_interrupts = uart_interrupts_come,
                                   .halt = halt};
    struct tiny *tiny = calloc(1, sizeof *tiny);

    world.in = (struct input){data, size};
    world.shared = NULL;
    listener = NULL;
    world.page = calloc(1, sizeof *world.page);
    require(tiny != NULL && world.page != NULL);
    for (size_t i = 0, n = take(&world.in, 2) % (ARGS_MOST + 1); i < n; i++)
        args[i] = (char)take(&world.in, 1);
    if (setjmp(world.end) == 0)
        tiny_main(tiny, &machine);
    free(world.page);
    free(tiny);
    return 0;
}
