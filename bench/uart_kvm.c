/* SPDX-License-Identifier: MIT */
/*
 * uart_kvm WAY: a guest on this machine's KVM that writes characters to a UART of core's, a FIFO's load for each look at its
 * status, as guest/ns16550.c and guest/pl011.c do: ns of processor, and exits, a character. 16550, pl011: each write is an
 * exit; with -coalesced: KVM records those of the data register. Every byte is looked at.
 */
#include "../vmm/kvm/coalesced.h"
#include "bench.h"
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <vcons/ns16550.h>
#include <vcons/pl011.h>

enum { CHARS = 64 * 1024, RAM_BYTES = 4096 };
#define PORT UINT64_C(0x3f8)
#define MMIO UINT64_C(0xd0000)

/* Real mode, at address 0, ds at MMIO. */
static const uint8_t by_ports[] = {
    0xba, 0xfd, 0x03, /* again: mov LSR, %dx */
    0xec,             /* wait: in %dx, %al */
    0xa8, 0x20,       /* test THRE, %al */
    0x74, 0xfb,       /* jz wait */
    0xba, 0xf8, 0x03, /* mov THR, %dx */
    0xb9, 16,   0,    /* mov 16, %cx */
    0x88, 0xd8,       /* next: mov %bl, %al */
    0xee,             /* out %al, %dx */
    0x43,             /* inc %bx */
    0xe2, 0xfa,       /* loop next */
    0xeb, 0xea,       /* jmp again */
};
static const uint8_t by_memory[] = {
    0xa0, 0x18, 0x00, /* again: mov FR, %al */
    0xa8, 0x80,       /* test TXFE, %al */
    0x74, 0xf9,       /* jz again */
    0xb9, 32,   0,    /* mov 32, %cx */
    0x88, 0xd8,       /* next: mov %bl, %al */
    0xa2, 0x00, 0x00, /* mov %al, DR */
    0x43,             /* inc %bx */
    0xe2, 0xf8,       /* loop next */
    0xeb, 0xec,       /* jmp again */
};

static struct vc_16550 pc;
static struct vc_pl011 arm;
static bool is_pc;
static uint64_t said;

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    for (uint32_t i = 0; i < n; i++)
        require(bytes[i] == (uint8_t)said++);
    return n;
}
static void irq(void *ctx, bool level) { (void)ctx, (void)level; }
static void timer(void *ctx, uint64_t ns) { (void)ctx, (void)ns; }
static void quiet(void *ctx) { (void)ctx; }
static const struct vc_uart_env env = {out, irq, timer, quiet, quiet};

static uint32_t take(void *ctx, const struct vc_uart_write *writes, uint32_t n)
{
    (void)ctx;
    if (is_pc)
        vc_16550_write_batch(&pc, writes, n);
    else
        vc_pl011_write_batch(&arm, writes, n);
    return n;
}

static void serve(struct kvm_run *run)
{
    uint32_t value = 0;

    if (run->exit_reason == KVM_EXIT_IO) {
        uint8_t *data = (uint8_t *)run + run->io.data_offset;

        require(run->io.size == 1 && run->io.count == 1);
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            require(vc_16550_write(&pc, run->io.port - PORT, 1, *data));
        } else {
            require(vc_16550_read(&pc, run->io.port - PORT, 1, &value));
            *data = (uint8_t)value;
        }
        return;
    }
    require(run->exit_reason == KVM_EXIT_MMIO && run->mmio.len == 1);
    if (run->mmio.is_write) {
        require(vc_pl011_write(&arm, run->mmio.phys_addr - MMIO, 1, run->mmio.data[0]));
    } else {
        require(vc_pl011_read(&arm, run->mmio.phys_addr - MMIO, 1, &value));
        run->mmio.data[0] = (uint8_t)value;
    }
}

static void begin(struct kvm_machine *m, struct kvm_cpu *cpu)
{
    uint8_t *ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvm_regs regs = {.rflags = 2};
    struct problem problem;
    struct kvm_sregs sregs;
    int kvm = kvm_open(&problem);

    if (kvm < 0) {
        fprintf(stderr, "%s\n", problem.text);
        exit(77);
    }
    require(ram != MAP_FAILED && kvm_machine_init(m, kvm, &problem) == 0);
    memcpy(ram, is_pc ? by_ports : by_memory, is_pc ? sizeof by_ports : sizeof by_memory);
    require(kvm_machine_map(m, 0, ram, RAM_BYTES, &problem) == 0 && kvm_cpu_init(cpu, m, 0, &problem) == 0);
    require(ioctl(cpu->fd, KVM_GET_SREGS, &sregs) == 0);
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    sregs.ds.base = MMIO;
    sregs.ds.selector = MMIO >> 4;
    require(ioctl(cpu->fd, KVM_SET_SREGS, &sregs) == 0 && ioctl(cpu->fd, KVM_SET_REGS, &regs) == 0);
}

static void begin_uarts(void)
{
    vc_16550_init(&pc, &env, NULL);
    require(vc_16550_write(&pc, UART_IIR, 1, 1)); /* FIFOs on */
    vc_pl011_init(&arm, VC_PL011_SBSA, &env, NULL);
}

int main(int argc, char **argv)
{
    const struct engine_device ports = {.space = ENGINE_PORTS, .address = PORT, .bytes = 8};
    const struct engine_device memory = {.space = ENGINE_MEMORY, .address = MMIO, .bytes = 4096};
    const struct engine_device *place = &memory;
    struct kvm_coalesced coalesced;
    struct kvm_machine machine;
    struct kvm_cpu cpu;
    uint64_t began, exits = 0;

    require(argc == 2);
    is_pc = strncmp(argv[1], "16550", 5) == 0;
    place = is_pc ? &ports : &memory;
    begin_uarts();
    begin(&machine, &cpu);
    kvm_coalesced_init(&coalesced);
    kvm_coalesced_attach(&coalesced, &machine, &cpu);
    if (strstr(argv[1], "-coalesced") != NULL)
        require(kvm_coalesced_zone(&coalesced, place, is_pc ? 1 : 4, true));
    began = thread_cpu_ns();
    for (; said < CHARS; exits++) {
        require(kvm_cpu_run(&cpu) == 0);
        require(kvm_coalesced_take(&coalesced, place, take, NULL));
        serve(cpu.run);
    }
    printf("{\"value\": %.1f, \"exits\": %.4f}\n", (double)(thread_cpu_ns() - began) / (double)said,
           (double)exits / (double)said);
    return 0;
}
