/* SPDX-License-Identifier: MIT */
/*
 * Moves this program into its RAM, or lets a saved guest go on there. Until process_jump nothing is relocated: only what is reached relative to
 * the instruction pointer may be used, so no table of pointers and no string but by its own array.
 */
#include "process.h"
#include "sys.h"
#include <elf.h>
#include <linux/mman.h>
#include <string.h>

#define PAGE        4096u
#define STACK_BYTES 65536u

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
_Noreturn void process_jump(void *stack, uint64_t target) __attribute__((visibility("hidden")));

static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

static uint64_t old_base(void) { return guest_address(&__ehdr_start); }

static uint64_t image_bytes(void) { return (guest_address(_end) - old_base() + PAGE - 1) & -(uint64_t)PAGE; }

uint32_t process_vcpus(void)
{
    uint32_t n = process_page(0)->n_vcpus;

    return n < 1 ? 1 : n > PROCESS_VCPUS ? PROCESS_VCPUS : n;
}

static bool map_at(uint64_t address, uint64_t bytes, int fd, uint64_t offset)
{
    return sys6(__NR_mmap, (long)address, (long)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
                (long)offset) == (long)address;
}

/* R_X86_64_RELATIVE is all that a static-pie without undefined symbols has; false: something else. */
static bool relocate(uint64_t base)
{
    uint64_t rela = 0, bytes = 0;

    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            rela = d->d_un.d_ptr;
        if (d->d_tag == DT_RELASZ)
            bytes = d->d_un.d_val;
    }
    for (uint64_t at = 0; at < bytes; at += sizeof(Elf64_Rela)) {
        const Elf64_Rela *r = (const Elf64_Rela *)(uintptr_t)(old_base() + rela + at);

        if (ELF64_R_TYPE(r->r_info) != R_X86_64_RELATIVE)
            return false;
        *(uint64_t *)(uintptr_t)(base + r->r_offset) = base + (uint64_t)r->r_addend;
    }
    return true;
}

/*
 * What may be executed must not be written, and the other way round. By the headers of the image that lies at base: a saved
 * guest's may be another one than ours, and anything at all.
 */
static bool protect(uint64_t base)
{
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)(uintptr_t)base;
    const Elf64_Phdr *p = (const Elf64_Phdr *)(uintptr_t)(base + e->e_phoff);

    if (e->e_phoff > PAGE || e->e_phnum > PAGE / sizeof *p)
        return false;
    for (uint32_t i = 0; i < e->e_phnum; i++, p++) {
        uint64_t from = p->p_vaddr & -(uint64_t)PAGE,
                 bytes = (p->p_vaddr % PAGE + p->p_memsz + PAGE - 1) & -(uint64_t)PAGE;

        if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0)
            continue;
        if (from > VC_CALL_LOAD_BYTES || bytes > VC_CALL_LOAD_BYTES - from ||
            sys3(__NR_mprotect, (long)(base + from), (long)bytes, PROT_READ | PROT_EXEC) != 0)
            return false;
    }
    return true;
}

static void unmap(uint64_t from, uint64_t to)
{
    if (to > from)
        sys3(__NR_munmap, (long)from, (long)(to - from), 0);
}

static void unmap_but_image(uint64_t from, uint64_t to)
{
    uint64_t image = old_base(), end = image + image_bytes();

    unmap(from, to < image ? to : image);
    unmap(from > end ? from : end, to);
}

/*
 * A saved guest goes on. Its code is trusted with nothing but its own life, so the sandbox comes first; therefore the old image,
 * which holds nothing but what is in this program's file, is all that stays mapped besides RAM and call page.
 */
_Noreturn static void go_on(void)
{
    static const char no_threads[] = "no threads for its vCPUs";
    static const char no_sandbox[] = "the kernel refuses its sandbox";
    const struct vc_call_page *page = process_page(0);

    unmap_but_image(0, PROCESS_CALL_PAGE);
    unmap_but_image(PROCESS_CALL_PAGE + process_vcpus() * (uint64_t)PAGE, VC_CALL_RAM_BASE);
    unmap_but_image(VC_CALL_RAM_BASE + ((page->ram_bytes + PAGE - 1) & -(uint64_t)PAGE), PROCESS_ADDRESS_END);
    if (!process_make_threads(process_vcpus()))
        process_fail(no_threads);
    if (!process_sandbox())
        process_fail(no_sandbox);
    process_let_threads_go();
    process_go_on(page->stack, page->go_on);
}

_Noreturn void process_start(void)
{
    static const char no_page[] = "no call page: vcons-vmm starts this program";
    static const char no_ram[] = "cannot map its RAM";
    static const char no_move[] = "cannot move into its RAM";
    const struct vc_call_page *page = (const struct vc_call_page *)(uintptr_t)PROCESS_CALL_PAGE;
    const uint64_t base = VC_CALL_RAM_BASE + VC_CALL_LOAD;
    uint64_t ram_bytes;

    if (!map_at(PROCESS_CALL_PAGE, PAGE, VC_CALL_FD_PAGES, 0) || page->version != VC_CALL_VERSION ||
        (process_vcpus() > 1 &&
         !map_at(PROCESS_CALL_PAGE + PAGE, (process_vcpus() - 1) * (uint64_t)PAGE, VC_CALL_FD_PAGES, PAGE)))
        process_fail(no_page);
    ram_bytes = page->ram_bytes;
    if (ram_bytes < VC_CALL_LOAD + VC_CALL_LOAD_BYTES || image_bytes() > VC_CALL_LOAD_BYTES ||
        !map_at(VC_CALL_RAM_BASE, ram_bytes, VC_CALL_FD_RAM, 0))
        process_fail(no_ram);
    if (page->restored == 0)
        memcpy((void *)(uintptr_t)base, &__ehdr_start, image_bytes());
    if ((page->restored == 0 && !relocate(base)) || !protect(base))
        process_fail(no_move);
    if (page->restored != 0) /* on a stack that stays */
        process_jump(stack + STACK_BYTES, (uint64_t)(uintptr_t)go_on);
    process_jump((void *)(uintptr_t)(base + guest_address(stack + STACK_BYTES) - old_base()),
                 base + guest_address((const void *)(uintptr_t)process_main) - old_base());
}
