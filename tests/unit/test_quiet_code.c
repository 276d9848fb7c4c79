/* SPDX-License-Identifier: MIT */
/*
 * Sends without an exit: the code that goes into a guest (vmm/kvm/x86_64/quiet.h), run here by this processor; and where
 * in a kernel it is put. In place of the call stands `bswap %eax`, which shows that it came and with which number.
 */
#include "../../vmm/kvm/x86_64/cpu.h"
#include "../../vmm/kvm/x86_64/quiet.h"
#include "unit.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

#define PAGE    4096u
#define STACK   (4 * PAGE) /* of the caller; behind it lies a page that nobody may read */
#define USER    (-1)       /* offsets of the argument from the stack pointer: elsewhere */
#define CODE_AT 0x40u
#define BITS_AT 0x800u

static const uint8_t bswap[QUIET_CALL_BYTES] = {0x0f, 0xc8, 0x90}; /* bswap %eax; nop */
static uint8_t *machine, *stack;

struct registers {
    uint64_t ax, bx, cx, dx, si, di, bp, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* Call it on the other stack; every register is handed in and comes back. The code sees rsp 8 below top. */
void call_on_stack(const uint8_t *code, uint8_t *top, struct registers *r);
__asm__(
    ".pushsection .text\n"
    "call_on_stack:\n\t"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdx\n\t"
    "mov %rsp, saved_stack(%rip); mov %rdi, code_to_call(%rip); mov %rsi, %rsp; mov %rdx, %rax\n\t"
    "mov 8(%rax), %rbx; mov 16(%rax), %rcx; mov 24(%rax), %rdx; mov 32(%rax), %rsi; mov 40(%rax), %rdi\n\t"
    "mov 48(%rax), %rbp; mov 56(%rax), %r8; mov 64(%rax), %r9; mov 72(%rax), %r10; mov 80(%rax), %r11\n\t"
    "mov 88(%rax), %r12; mov 96(%rax), %r13; mov 104(%rax), %r14; mov 112(%rax), %r15; mov (%rax), %rax\n\t"
    "call *code_to_call(%rip)\n\t"
    "mov %rsp, stack_after(%rip); mov saved_stack(%rip), %rsp; push %rax; mov 8(%rsp), %rax\n\t"
    "mov %rbx, 8(%rax); mov %rcx, 16(%rax); mov %rdx, 24(%rax); mov %rsi, 32(%rax); mov %rdi, 40(%rax)\n\t"
    "mov %rbp, 48(%rax); mov %r8, 56(%rax); mov %r9, 64(%rax); mov %r10, 72(%rax); mov %r11, 80(%rax)\n\t"
    "mov %r12, 88(%rax); mov %r13, 96(%rax); mov %r14, 104(%rax); mov %r15, 112(%rax); pop %rcx; mov %rcx, (%rax)\n\t"
    "pop %rdx; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
    ".popsection\n"
    ".local saved_stack, code_to_call\n"
    ".comm saved_stack,8,8\n.comm code_to_call,8,8\n.globl stack_after\n.comm stack_after,8,8\n");
extern uint8_t *stack_after;

static const struct {
    const char *name;
    uint64_t nr, cmd;
    int64_t argument; /* from the stack pointer that the code sees, or USER */
    uint32_t port;
    bool bit, takes_yield;
    bool quiet;        /* the answer is 0, and there was no call */
    uint64_t calls_as; /* 0: nr */
} rows[] = {
    {"a send on a quiet port", 32, 4, 64, 3, true, false, true, 0},
    {"on one that is not", 32, 4, 64, 3, false, false, false, 0},
    {"the last port that has a bit", 32, 4, 64, QUIET_PORTS - 1, true, false, true, 0},
    {"the first that has none", 32, 4, 64, QUIET_PORTS, true, false, false, 0},
    {"a port far beyond", 32, 4, 64, UINT32_MAX, true, false, false, 0},
    {"a negative bit offset", 32, 4, 64, 0x80000003, true, false, false, 0},
    {"port 0", 32, 4, 64, 0, true, false, true, 0},
    {"the argument in the very frame", 32, 4, 8, 3, true, false, true, 0},
    {"as far away as is looked at", 32, 4, QUIET_STACK - 4, 3, true, false, true, 0},
    {"further away", 32, 4, QUIET_STACK, 3, true, false, false, 0},
    {"below the stack", 32, 4, -8, 3, true, false, false, 0},
    {"a program's pointer", 32, 4, USER, 3, true, false, false, 0},
    {"another command", 32, 6, 64, 3, true, false, false, 0},
    {"a command of 64 bits counts by its lower half, as Xen's", 32, UINT64_C(0x100000004), 64, 3, true, false, true, 0},
    {"another call", 29, 4, 64, 3, true, false, false, 0},
    {"a yield where it may stay", 29, 0, 64, 3, true, false, false, 0},
    {"a yield that is to come to us", 29, 0, 64, 3, true, true, false, VC_CALL_YIELD},
    {"a poll", 29, 3, 64, 3, true, true, false, 0},
    {"a send, where yields come to us", 32, 4, 64, 3, true, true, true, 0},
    {"one that is not quiet", 32, 4, 64, 3, false, true, false, 0},
    {"another call there", 12, 0, 64, 3, true, true, false, 0},
};

/* What the code does with this row, wherever it is. */
static void try(size_t i, const uint8_t *code, uint8_t *bits)
{
    uint8_t *top = stack + STACK - QUIET_STACK - 16;
    struct registers r, before;
    uint64_t expected = __builtin_bswap32((uint32_t)(rows[i].calls_as ? rows[i].calls_as : rows[i].nr));
    uint32_t port = rows[i].port;

    memset(bits, 0, QUIET_BYTES);
    if (rows[i].bit && port < QUIET_PORTS)
        bits[port / 8] = (uint8_t)(1u << port % 8);
    else if (rows[i].bit)
        memset(bits, 0xff, QUIET_BYTES);
    for (size_t word = 0; word < sizeof r / 8; word++)
        ((uint64_t *)&r)[word] = UINT64_C(0x1111111111111111) * (word + 1);
    r.ax = rows[i].nr;
    r.di = rows[i].cmd;
    r.si = rows[i].argument == USER ? 0 : (uintptr_t)(top - 8) + (uint64_t)rows[i].argument;
    if (rows[i].argument >= 8 && rows[i].argument <= (int64_t)QUIET_STACK - 4)
        memcpy(top - 8 + rows[i].argument, &port, 4);
    before = r;
    call_on_stack(code, top, &r);
    assert_ptr_equal(stack_after, top);
    if (rows[i].quiet ? r.ax != 0 : r.ax != expected)
        fail_msg("%s: 0x%llx", rows[i].name, (unsigned long long)r.ax);
    before.ax = r.ax;
    if (memcmp(&before, &r, sizeof r) != 0)
        fail_msg("%s: it changed a register", rows[i].name);
}

static void each_way_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint8_t code[QUIET_CODE_MAX];
        size_t at,
            n = quiet_write(
                code,
                &(struct quiet_code){.at = CODE_AT, .bits = BITS_AT, .call = bswap, .takes_yield = rows[i].takes_yield},
                &at);

        assert_in_range(n, 1, QUIET_CODE_MAX);
        assert_memory_equal(code + at, bswap, sizeof bswap);
        memcpy(machine + CODE_AT, code, n);
        try(i, machine + CODE_AT, machine + BITS_AT);
    }
}

static void in_a_hypercall_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint8_t *call_of = machine + rows[i].nr * 32;

        cpu_fill_hypercall_page(machine, !rows[i].takes_yield);
        for (unsigned stub = 0; stub < PAGE / 32; stub++)
            memcpy(machine + stub * 32 + 5, bswap, sizeof bswap);
        quiet_fill_page(machine, !rows[i].takes_yield);
        try(i, call_of, machine + 0xf80);
    }
}

static void stubs_of_others_stay(void **state)
{
    uint8_t plain[PAGE], page[PAGE];

    (void)state;
    cpu_fill_hypercall_page(plain, true);
    memcpy(page, plain, PAGE);
    quiet_fill_page(page, true);
    for (unsigned stub = 0; stub < 56; stub++)
        if ((memcmp(page + stub * 32, plain + stub * 32, 32) != 0) != (stub == XEN_event_channel_op))
            fail_msg("stub %u", stub);
    assert_memory_equal(page + VC_CALL_TIME_STUB * 32, plain + VC_CALL_TIME_STUB * 32, 32);
}

/* ---- A kernel as Debian's 6.1 is: call sites, text that ends within a page, a segment that does. ---- */

#define PADDR   UINT64_C(0x1000000)
#define VADDR   UINT64_C(0xffffffff81000000)
#define TEXT    0x1ef2u
#define SEGMENT 0x3634u
#define AMD     0xdb0u
#define INTEL   0xdc0u
#define FILE    (SEGMENT + PAGE)

struct kernel {
    struct elf elf;
    struct call_sites sites;
    uint8_t file[FILE];
};

static void put_function(uint8_t *at, uint8_t last)
{
    const uint8_t function[16] = {0x0f, 0x01, last, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0x0f, 0x1f, 0x84};

    memcpy(at, function, sizeof function);
}

static void put_section(struct kernel *k, unsigned i, uint64_t flags, uint64_t at, uint64_t bytes)
{
    const Elf64_Shdr s = {.sh_type = SHT_PROGBITS, .sh_flags = flags, .sh_addr = at, .sh_size = bytes};

    memcpy(k->file + SEGMENT + i * sizeof s, &s, sizeof s);
}

/* The segment stands at the file's beginning, whose first bytes are the header. */
static struct kernel *make_kernel(void)
{
    struct kernel *k = calloc(1, sizeof *k);
    const Elf64_Ehdr h = {.e_shoff = SEGMENT, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 3};

    if (k == NULL)
        abort();
    memset(k->file, 0x90, TEXT);
    memset(k->file + 0x3000, 0x11, SEGMENT - 0x3000);
    memcpy(k->file, &h, sizeof h);
    put_function(k->file + AMD, 0xd9);
    put_function(k->file + INTEL, 0xc1);
    put_section(k, 1, SHF_ALLOC | SHF_EXECINSTR, VADDR, TEXT);
    put_section(k, 2, SHF_ALLOC, VADDR + 0x3000, SEGMENT - 0x3000);
    k->elf = (struct elf){.bytes = k->file, .n_bytes = FILE, .machine = EM_X86_64, .n_segments = 1};
    k->elf.segments[0] = (struct elf_segment){
        .paddr = PADDR, .vaddr = VADDR, .file_bytes = SEGMENT, .memory_bytes = SEGMENT, .executable = true};
    k->sites = (struct call_sites){2, {{PADDR + AMD, VADDR + AMD}, {PADDR + INTEL, VADDR + INTEL}}};
    return k;
}

static struct guest_memory memory_of(const struct kernel *k)
{
    struct guest_memory m;
    struct problem problem;

    assert_int_equal(memory_create_pc(&m, 32 << 20, &problem), 0);
    memcpy(memory_at(&m, PADDR, SEGMENT), k->file, SEGMENT);
    return m;
}

/* The kernel's pages, with our code in them, run here; the return behind the call is its own. */
static void at_the_call_sites(void **state)
{
    struct kernel *k = make_kernel();
    struct quiet_plan plan;

    (void)state;
    for (unsigned by_port = 0; by_port < 2; by_port++) {
        struct guest_memory m = memory_of(k);
        uint8_t *text = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        quiet_plan(&plan, &k->elf, &k->sites, by_port);
        assert_int_equal(plan.n, 2);
        assert_false(quiet_plan_stands(&plan, &m));
        assert_true(quiet_plan_place(&plan, &m));
        assert_true(quiet_plan_stands(&plan, &m));
        memcpy(text, memory_at(&m, PADDR, 4 * PAGE), 4 * PAGE);
        for (unsigned site = 0; site < 2; site++) {
            uint8_t *at = text + (plan.at[site].call_vaddr - VADDR);
            const uint8_t port[] = {0xe6, CPU_HYPERCALL_PORT, 0x90}, own[] = {0x0f, 0x01, site == 0 ? 0xd9 : 0xc1};

            assert_memory_equal(at, by_port ? port : own, 3);
            memcpy(at, bswap, sizeof bswap);
            for (size_t i = 0; i < N_ROWS(rows); i++)
                if (rows[i].takes_yield == !by_port)
                    try(i, text + (plan.at[site].site - PADDR), text + (plan.bits - PADDR));
        }
        munmap(text, 4 * PAGE);
        memory_destroy(&m);
    }
    free(k);
}

static void nothing_of_the_kernels_is_touched(void **state)
{
    struct kernel *k = make_kernel();
    struct guest_memory m = memory_of(k);
    struct quiet_plan plan;
    const uint8_t *now = memory_at(&m, PADDR, 4 * PAGE);

    (void)state;
    quiet_plan(&plan, &k->elf, &k->sites, true);
    assert_true(quiet_plan_place(&plan, &m));
    assert_in_range(plan.bits - PADDR, SEGMENT, 4 * PAGE - QUIET_BYTES);
    for (unsigned i = 0; i < SEGMENT; i++) {
        bool site = i - AMD < 3 || i - INTEL < 3 || i - (AMD + 8) < 8 || i - (INTEL + 8) < 8;

        if (now[i] != k->file[i] && !site && (i < TEXT || i >= 2 * PAGE))
            fail_msg("byte 0x%x", i);
    }
    memory_destroy(&m);
    free(k);
}

static void spoil_header(struct kernel *k) { memset(k->file, 0xff, sizeof(Elf64_Ehdr)); }
static void no_sections(struct kernel *k) { memset(k->file, 0, sizeof(Elf64_Ehdr)); }
static void wild_section(struct kernel *k) { put_section(k, 1, SHF_ALLOC | SHF_EXECINSTR, VADDR, UINT64_MAX - 5); }
static void only_data(struct kernel *k) { put_section(k, 1, SHF_ALLOC, VADDR, TEXT); }
static void something_behind_text(struct kernel *k) { k->file[TEXT + 20] = 7; }
static void no_room_behind_text(struct kernel *k) { put_section(k, 1, SHF_ALLOC | SHF_EXECINSTR, VADDR, 0x1f80); }
static void whole_pages(struct kernel *k) { put_section(k, 1, SHF_ALLOC | SHF_EXECINSTR, VADDR, 0x2000); }
static void function_goes_on(struct kernel *k) { k->file[AMD + 11] = 0x55; }
static void odd_place(struct kernel *k) { k->sites.at[1].paddr += 8; }
static void one_site(struct kernel *k) { k->sites.n = 0; }
static void of_32_bits(struct kernel *k) { k->elf.machine = EM_386; }
static void segment_fills_its_page(struct kernel *k) { k->elf.segments[0].memory_bytes = 0x3fd0; }
static void another_segment_there(struct kernel *k)
{
    k->elf.segments[1] = (struct elf_segment){.paddr = PADDR + 0x3640, .vaddr = VADDR, .memory_bytes = 8};
    k->elf.n_segments = 2;
}

static const struct {
    const char *name;
    void (*spoil)(struct kernel *k);
} refused[] = {
    {"a header of ones", spoil_header},
    {"no section headers", no_sections},
    {"a section without end", wild_section},
    {"no section of code", only_data},
    {"something stands behind the text", something_behind_text},
    {"too little room there", no_room_behind_text},
    {"none at all", whole_pages},
    {"a function that is longer", function_goes_on},
    {"one that is not aligned", odd_place},
    {"no call sites", one_site},
    {"a 32-bit kernel", of_32_bits},
    {"a segment that fills its last page", segment_fills_its_page},
    {"another segment in that page", another_segment_there},
};

static void kernels_that_stay_as_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(refused); i++) {
        struct kernel *k = make_kernel();
        struct quiet_plan plan;

        refused[i].spoil(k);
        quiet_plan(&plan, &k->elf, &k->sites, true);
        if (plan.n != 0)
            fail_msg("%s: taken", refused[i].name);
        free(k);
    }
}

/* ---- Which ports. ---- */

static void bits_come_and_go(void **state)
{
    struct kernel *k = make_kernel();
    struct guest_memory m = memory_of(k);
    uint8_t *bits = memory_at(&m, 0x5000 + 0xf80, QUIET_BYTES), *others = memory_at(&m, 0x6000 + 0xf80, QUIET_BYTES);
    struct quiet q;

    (void)state;
    quiet_init(&q);
    assert_false(quiet_set(&q, 3, true)); /* nowhere yet */
    assert_false(quiet_is_call(&q, 0));
    quiet_in_page(&q, &m, 0x5000, true);
    assert_true(quiet_set(&q, 9, true));
    assert_true(quiet_set(&q, 10, true));
    assert_int_equal(bits[1], 6);
    assert_true(quiet_set(&q, 9, false));
    assert_int_equal(bits[1], 4);
    assert_false(quiet_set(&q, QUIET_PORTS, true));
    assert_false(quiet_set(&q, UINT32_MAX, true));
    quiet_in_page(&q, &m, 0x6000, true); /* the page moved: the old one is memory like any other */
    assert_int_equal(bits[1], 0);
    quiet_set(&q, 9, true);
    assert_int_equal(others[1], 2);
    others[2] = 0xff; /* the guest's own */
    quiet_set(&q, 17, false);
    assert_int_equal(others[2], 0xff);
    quiet_nowhere(&q);
    assert_int_equal(others[1], 0);
    assert_int_equal(others[2], 0xff);
    assert_false(quiet_set(&q, 9, true));
    assert_int_equal(others[1], 0);
    quiet_finish(&q);
    memory_destroy(&m);
    free(k);
}

static void calls_are_known(void **state)
{
    struct kernel *k = make_kernel();
    struct guest_memory m = memory_of(k);
    struct quiet_plan plan;
    struct quiet q;

    (void)state;
    quiet_init(&q);
    quiet_plan(&plan, &k->elf, &k->sites, true);
    quiet_plan_place(&plan, &m);
    quiet_by_plan(&q, &plan, &m);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(quiet_is_call(&q, plan.at[i].call_vaddr));
        assert_true(quiet_is_call(&q, plan.at[i].call_vaddr + 2)); /* KVM emulated it */
        assert_false(quiet_is_call(&q, plan.at[i].call_vaddr - 1));
        assert_false(quiet_is_call(&q, k->sites.at[i].vaddr));
        assert_false(quiet_is_call(&q, plan.at[i].call_vaddr - VADDR + PADDR)); /* not by its physical address */
    }
    quiet_forget(&q);
    assert_false(quiet_is_call(&q, plan.at[0].call_vaddr));
    quiet_finish(&q);
    memory_destroy(&m);
    free(k);
}

static int map_machine(void **state)
{
    (void)state;
    machine = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack = mmap(NULL, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return machine == MAP_FAILED || stack == MAP_FAILED ? -1 : mprotect(stack + STACK, PAGE, PROT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_through),
        cmocka_unit_test(in_a_hypercall_page),
        cmocka_unit_test(stubs_of_others_stay),
        cmocka_unit_test(at_the_call_sites),
        cmocka_unit_test(nothing_of_the_kernels_is_touched),
        cmocka_unit_test(kernels_that_stay_as_they_are),
        cmocka_unit_test(bits_come_and_go),
        cmocka_unit_test(calls_are_known),
    };

    return cmocka_run_group_tests(tests, map_machine, NULL);
}
