/* SPDX-License-Identifier: MIT */
/*
 * console_kvm WAY: as uart_kvm, by Xen's ways: ring: a PV console's ring, an event for each KiB, drained by core's backend before
 * the guest goes on; hypercall: console_io, 128 characters a call, served by core. Exits are by the port of vcons's own hypercall
 * page. Every byte is looked at.
 */
#include "../vmm/kvm/x86_64/cpu.h"
#include "bench.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <vcons/console_io.h>
#include <vcons/error.h>
#include <vcons/pvcons.h>

enum { CHARS = 1024 * 1024, KICK_CHARS = 1024, CALL_CHARS = 128, RAM_BYTES = 0x6000 };
enum { CODE = 0, RING = 0x1000, TEXT = 0x2000, LEVEL_4 = 0x3000, LEVEL_3 = 0x4000, LEVEL_2 = 0x5000 };
enum { PTE_PRESENT = 1, PTE_WRITE = 2, PTE_LARGE = 0x80 };
enum { CR0_PE = 1, CR4_PAE = 0x20, EFER_LME = 0x100, EFER_LMA = 0x400 };
#define CR0_PG 0x80000000u
_Static_assert(CPU_HYPERCALL_PORT == 0x2a, "what the guests write to");
_Static_assert(XEN_console_io == 18 && CONSOLEIO_write == 0, "what they ask for");
_Static_assert(RING + offsetof(struct xencons_interface, out_prod) == 0x1c0c, "where they find it");
_Static_assert(RING + offsetof(struct xencons_interface, out) == 0x1400, "…");

/* 64-bit mode. There is room whenever the first of them writes: each event is served before it goes on. */
static const uint8_t by_ring[] = {
    0xbe, 0x00, 0x20, 0x00, 0x00,             /* again: mov TEXT, %esi */
    0x8b, 0x04, 0x25, 0x0c, 0x1c, 0x00, 0x00, /* mov out_prod, %eax */
    0x89, 0xc7,                               /* mov %eax, %edi */
    0x81, 0xe7, 0xff, 0x07, 0x00, 0x00,       /* and 2047, %edi */
    0x81, 0xc7, 0x00, 0x14, 0x00, 0x00,       /* add out, %edi */
    0xb9, 0x80, 0x00, 0x00, 0x00,             /* mov 128, %ecx */
    0xf3, 0x48, 0xa5,                         /* rep movsq */
    0x05, 0x00, 0x04, 0x00, 0x00,             /* add 1024, %eax */
    0x89, 0x04, 0x25, 0x0c, 0x1c, 0x00, 0x00, /* mov %eax, out_prod */
    0xe6, 0x2a,                               /* out %al, port */
    0xeb, 0xce,                               /* jmp again */
};
static const uint8_t by_call[] = {
    0xb8, 0x12, 0x00, 0x00, 0x00,       /* again: mov console_io, %eax */
    0x31, 0xff,                         /* xor %edi, %edi */
    0xbe, 0x80, 0x00, 0x00, 0x00,       /* mov 128, %esi */
    0x89, 0xda,                         /* mov %ebx, %edx */
    0x81, 0xe2, 0x80, 0x00, 0x00, 0x00, /* and 128, %edx */
    0x81, 0xc2, 0x00, 0x20, 0x00, 0x00, /* add TEXT, %edx */
    0xe6, 0x2a,                         /* out %al, port */
    0x81, 0xc3, 0x80, 0x00, 0x00, 0x00, /* add 128, %ebx */
    0xeb, 0xdc,                         /* jmp again */
};

static uint8_t *ram;
static uint64_t said;

/* ---- The world of core's two doors: a line that takes everything. ---- */

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    for (uint32_t i = 0; i < n; i++)
        require(bytes[i] == (uint8_t)said++);
    return n;
}
static uint32_t none_in(void *ctx, uint8_t *bytes, uint32_t n) { return (void)ctx, (void)bytes, (void)n, 0; }
static int bind_port(void *ctx) { return (void)ctx, VC_OK; }
static void quiet(void *ctx) { (void)ctx; }
static uint64_t no_time(void *ctx) { return (void)ctx, 0; }
static void broken(void *ctx, enum vc_pvcons_reason reason) { require(ctx == NULL && reason == 0); }
static const struct vc_pvcons_env ring_env = {.out = out,
                                              .in = none_in,
                                              .bind = bind_port,
                                              .unbind = quiet,
                                              .notify = quiet,
                                              .now_ms = no_time,
                                              .broken = broken};

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    (void)ctx;
    if (from > RAM_BYTES || n > RAM_BYTES - from)
        return false;
    memcpy(to, ram + from, n);
    return true;
}
static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    return (void)ctx, (void)to, (void)from, (void)n, false;
}
static bool go_on(void *ctx, bool full) { return (void)ctx, !full; }
static const struct vc_console_io_env call_env = {copy_in, copy_out, out, none_in, go_on};

/* ---- The guest. ---- */

static void entry(uint32_t at, uint64_t to)
{
    to |= PTE_PRESENT | PTE_WRITE;
    memcpy(ram + at, &to, sizeof to);
}

static void fill(const uint8_t *code, size_t n)
{
    ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(ram != MAP_FAILED);
    memcpy(ram + CODE, code, n);
    for (uint32_t i = 0; i < KICK_CHARS; i++)
        ram[TEXT + i] = (uint8_t)i;
    entry(LEVEL_4, LEVEL_3);
    entry(LEVEL_3, LEVEL_2);
    entry(LEVEL_2, PTE_LARGE); /* the first 2 MiB where they are */
}

static void begin(struct kvm_machine *m, struct kvm_cpu *cpu)
{
    struct kvm_regs regs = {.rflags = 2, .rip = CODE};
    struct problem problem;
    struct kvm_sregs s;
    int kvm = kvm_open(&problem);

    if (kvm < 0) {
        fprintf(stderr, "%s\n", problem.text);
        exit(77);
    }
    require(kvm_machine_init(m, kvm, &problem) == 0 && kvm_machine_map(m, 0, ram, RAM_BYTES, &problem) == 0);
    require(kvm_cpu_init(cpu, m, 0, &problem) == 0 && ioctl(cpu->fd, KVM_GET_SREGS, &s) == 0);
    s.cs = (struct kvm_segment){.limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    s.ss = (struct kvm_segment){.limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    s.ds = s.es = s.fs = s.gs = s.ss;
    s.cr0 |= CR0_PE | CR0_PG;
    s.cr3 = LEVEL_4;
    s.cr4 |= CR4_PAE;
    s.efer = EFER_LME | EFER_LMA;
    require(ioctl(cpu->fd, KVM_SET_SREGS, &s) == 0 && ioctl(cpu->fd, KVM_SET_REGS, &regs) == 0);
    cpu_choose_registers(cpu, m);
}

static void serve_call(struct vc_console_io *io, struct kvm_cpu *cpu)
{
    struct vc_console_io_call write;
    struct cpu_call call;

    require(cpu_get_call(cpu, &call) == 0 && call.nr == XEN_console_io && call.privileged && call.long_mode);
    write = (struct vc_console_io_call){.cmd = call.args[0], .count = call.args[1], .buffer = call.args[2]};
    require(vc_console_io(io, NULL, &write) && write.result == 0 && cpu_set_result(cpu, write.result) == 0);
}

int main(int argc, char **argv)
{
    bool ring = argc == 2 && strcmp(argv[1], "ring") == 0;
    struct vc_console_io io;
    struct kvm_machine machine;
    struct vc_pvcons pvcons;
    struct kvm_cpu cpu;
    uint64_t began, exits = 0;

    require(ring || (argc == 2 && strcmp(argv[1], "hypercall") == 0));
    fill(ring ? by_ring : by_call, ring ? sizeof by_ring : sizeof by_call);
    begin(&machine, &cpu);
    vc_console_io_init(&io, &call_env);
    io.may_write = true;
    vc_pvcons_init(&pvcons, &ring_env, NULL);
    require(vc_pvcons_attach(&pvcons, (struct xencons_interface *)(void *)(ram + RING)) == VC_OK);
    require(vc_pvcons_connect(&pvcons) == VC_OK);
    began = thread_cpu_ns();
    for (; said < CHARS; exits++) {
        require(kvm_cpu_run(&cpu) == 0);
        require(cpu.run->exit_reason == KVM_EXIT_IO && cpu.run->io.port == CPU_HYPERCALL_PORT);
        if (ring)
            require(vc_pvcons_serve(&pvcons) == VC_PVCONS_DONE);
        else
            serve_call(&io, &cpu);
    }
    printf("{\"value\": %.1f, \"exits\": %.10f}\n", (double)(thread_cpu_ns() - began) / (double)said,
           (double)exits / (double)said);
    return 0;
}
