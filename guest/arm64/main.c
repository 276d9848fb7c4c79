/* SPDX-License-Identifier: MIT */
#include "machine.h"
#include "pages.h"

static struct tiny tiny;

/* A frame of the hypervisor's, as the console's page, may lie where no RAM is; it is memory all the same. */
static void *map(void *ctx, uint64_t gpa, size_t bytes)
{
    (void)ctx;
    if (!arm64_is_ram(gpa, bytes) && !arm64_map_memory(gpa, bytes))
        return NULL;
    return (void *)(uintptr_t)gpa;
}

static uint64_t gpa(void *ctx, const void *at)
{
    (void)ctx;
    return (uintptr_t)at; /* one to one */
}

static uint64_t ram_bytes(const struct tree *t)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < t->n_rams; i++)
        bytes += t->rams[i].bytes;
    return bytes;
}

static void print_address(struct print *p, const char *what, uint64_t address)
{
    print_text(p, what);
    print_text(p, "0x");
    for (int shift = 60; shift >= 0; shift -= 4)
        print_bytes(p, &"0123456789abcdef"[address >> shift & 15], 1);
}

/* On the console that there is, if there is one; a fault in here is the end without a word. */
void arm64_fault(uint64_t esr, uint64_t elr, uint64_t far, uint64_t vector)
{
    static bool again;
    struct print *p = &tiny.consoles[0].out;

    if (!again && p->hvc != NULL && tiny.consoles[0].hvc != NULL) {
        again = true;
        p->n = 0;
        print_text(p, "\r\ntiny: fault ");
        print_number(p, vector);
        print_address(p, ", syndrome ", esr);
        print_address(p, ", at image + ", elr - guest_address(arm64_image));
        print_address(p, ", address ", far);
        print_line(p, "");
        hypercall_shutdown(&tiny.cpus[0].platform, SHUTDOWN_crash);
    }
    arm64_halt(SHUTDOWN_crash);
}

void arm64_main(void)
{
    static struct platform platform = {.hypercall = arm64_hypercall, .map = map, .gpa = gpa};
    static struct tiny_machine machine = {.platform = &platform,
                                          .name = "arm64",
                                          .cmdline = arm64_tree.cmdline,
                                          .cpu_ops = &arm64_cpu_ops,
                                          .uarts = arm64_uart_places,
                                          .uart_interrupts = arm64_uart_interrupts,
                                          .virtio = arm64_virtio_places,
                                          .virtio_interrupts = arm64_virtio_interrupts,
                                          .wait = arm64_wait,
                                          .checks = arm64_checks,
                                          .halt = arm64_halt};

    platform.ctx = arm64_cpu_of(0);
    machine.hypervisor = arm64_machine_begin(&arm64_tree);
    platform.wait = machine.hypervisor ? NULL : arm64_wait;
    arm64_uarts_begin(&arm64_tree);
    arm64_virtios_begin(&arm64_tree);
    machine.n_uarts = arm64_tree.n_uarts;
    machine.n_virtio = arm64_tree.n_virtios;
    machine.first_uart = arm64_tree.stdout_uart;
    machine.ram_bytes = ram_bytes(&arm64_tree);
    tiny_main(&tiny, &machine);
}
