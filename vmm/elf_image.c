/* SPDX-License-Identifier: MIT */
#include "elf_image.h"
#include <elf.h>
#include <string.h>
#include <vcons/wire/pvh.h>

#define PAGE_BYTES UINT64_C(4096)

/* Offset and length lie within a whole of so many bytes; no sum can overflow. */
static bool within(uint64_t offset, uint64_t n, uint64_t whole) { return offset <= whole && n <= whole - offset; }

/* Every number of a 32-bit file fits into its 64-bit header: there is one kind from here on. */
static Elf64_Ehdr header_of(const uint8_t *bytes)
{
    Elf64_Ehdr h;
    Elf32_Ehdr small;

    memcpy(&h, bytes, sizeof h);
    if (h.e_ident[EI_CLASS] != ELFCLASS32)
        return h;
    memcpy(&small, bytes, sizeof small);
    h.e_type = small.e_type;
    h.e_machine = small.e_machine;
    h.e_version = small.e_version;
    h.e_phoff = small.e_phoff;
    h.e_phentsize = small.e_phentsize;
    h.e_phnum = small.e_phnum;
    return h;
}

static Elf64_Phdr program_header_of(const Elf64_Ehdr *h, const uint8_t *bytes, unsigned i)
{
    const uint8_t *at = bytes + h->e_phoff + (uint64_t)i * h->e_phentsize;
    Elf64_Phdr p;
    Elf32_Phdr small;

    if (h->e_ident[EI_CLASS] != ELFCLASS32) {
        memcpy(&p, at, sizeof p);
        return p;
    }
    memcpy(&small, at, sizeof small);
    return (Elf64_Phdr){.p_type = small.p_type,
                        .p_flags = small.p_flags,
                        .p_offset = small.p_offset,
                        .p_vaddr = small.p_vaddr,
                        .p_paddr = small.p_paddr,
                        .p_filesz = small.p_filesz,
                        .p_memsz = small.p_memsz,
                        .p_align = small.p_align};
}

static const char *check_machine(const Elf64_Ehdr *h)
{
    if (h->e_ident[EI_CLASS] == ELFCLASS32)
        return h->e_machine == EM_386 ? NULL : "a 32-bit ELF file, but not for x86";
    return h->e_machine == EM_X86_64 || h->e_machine == EM_AARCH64 ? NULL : "an ELF file for neither x86_64 nor arm64";
}

static const char *check_header(const Elf64_Ehdr *h, size_t n_bytes)
{
    size_t entry_bytes = h->e_ident[EI_CLASS] == ELFCLASS32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
    const char *error;

    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return "not an ELF file";
    if ((h->e_ident[EI_CLASS] != ELFCLASS64 && h->e_ident[EI_CLASS] != ELFCLASS32) ||
        h->e_ident[EI_DATA] != ELFDATA2LSB)
        return "neither a 64-bit nor a 32-bit little-endian ELF file";
    if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
        return "an ELF version that nobody has defined";
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return "an ELF file, but not an executable one";
    error = check_machine(h);
    if (error != NULL)
        return error;
    if (h->e_phentsize != entry_bytes)
        return "damaged: program headers are of the wrong size";
    if (h->e_phnum == 0)
        return "damaged: no program headers";
    if (h->e_phnum > ELF_MAX_SEGMENTS) /* PN_XNUM, "the number is elsewhere", among them */
        return "more than 64 program headers";
    if (!within(h->e_phoff, (uint64_t)h->e_phnum * entry_bytes, n_bytes))
        return "damaged: program headers lie outside the file";
    return NULL;
}

static bool overlap(const struct elf_segment *a, const struct elf_segment *b)
{
    return a->paddr < b->paddr + b->memory_bytes && b->paddr < a->paddr + a->memory_bytes;
}

static const char *add_segment(struct elf *elf, const Elf64_Phdr *p)
{
    struct elf_segment *s = &elf->segments[elf->n_segments];

    if (p->p_memsz == 0 && p->p_filesz == 0)
        return NULL;
    if (p->p_filesz > p->p_memsz)
        return "damaged: a segment is larger in the file than in memory";
    if (!within(p->p_offset, p->p_filesz, elf->n_bytes))
        return "damaged: a segment lies outside the file (cut short?)";
    if (!within(p->p_paddr, p->p_memsz, UINT64_MAX) || !within(p->p_vaddr, p->p_memsz, UINT64_MAX))
        return "damaged: a segment's addresses wrap";
    *s = (struct elf_segment){p->p_offset, p->p_paddr, p->p_vaddr, p->p_filesz, p->p_memsz, (p->p_flags & PF_X) != 0};
    for (unsigned i = 0; i < elf->n_segments; i++)
        if (overlap(s, &elf->segments[i]))
            return "damaged: two segments overlap in memory";
    elf->n_segments++;
    return NULL;
}

static uint64_t aligned(uint64_t n, uint64_t to) { return (n + to - 1) & ~(to - 1); }

/* A number as notes hold them: 4 or 8 bytes. */
static bool note_number(const uint8_t *bytes, uint32_t n, uint64_t *number)
{
    *number = 0;
    if (n != 4 && n != 8)
        return false;
    memcpy(number, bytes, n);
    return true;
}

static const char *take_note(struct elf *elf, uint32_t type, const uint8_t *desc, uint32_t n)
{
    uint64_t number;
    bool *has = type == XEN_ELFNOTE_PHYS32_ENTRY ? &elf->has_pvh_entry : &elf->has_hypercall_page;

    if (type != XEN_ELFNOTE_PHYS32_ENTRY && type != XEN_ELFNOTE_HYPERCALL_PAGE)
        return NULL;
    if (!note_number(desc, n, &number))
        return "damaged: a Xen note is of the wrong size";
    if (*has)
        return "damaged: a Xen note is there twice";
    if (type == XEN_ELFNOTE_PHYS32_ENTRY && number > UINT32_MAX)
        return "its PVH entry point lies above 4 GiB";
    *has = true;
    if (type == XEN_ELFNOTE_PHYS32_ENTRY)
        elf->pvh_entry = (uint32_t)number;
    else
        elf->hypercall_page = number; /* still virtual: place_hypercall_page */
    return NULL;
}

/* gABI: name and descriptor are padded to 4 bytes each, to 8 in a segment that says so (GNU's property notes). */
static const char *take_notes(struct elf *elf, const Elf64_Phdr *p)
{
    uint64_t pad = p->p_align == 8 ? 8 : 4, at = 0;

    if (!within(p->p_offset, p->p_filesz, elf->n_bytes))
        return "damaged: its notes lie outside the file";
    while (p->p_filesz - at >= sizeof(Elf64_Nhdr)) {
        const uint8_t *note = elf->bytes + p->p_offset + at;
        Elf64_Nhdr h;
        uint64_t desc;
        const char *error = NULL;

        memcpy(&h, note, sizeof h);
        desc = aligned(sizeof h + (uint64_t)h.n_namesz, pad);
        if (!within(desc, h.n_descsz, p->p_filesz - at))
            return "damaged: a note is longer than the notes";
        if (h.n_namesz == sizeof "Xen" && memcmp(note + sizeof h, "Xen", sizeof "Xen") == 0)
            error = take_note(elf, h.n_type, note + desc, h.n_descsz);
        if (error)
            return error;
        at += aligned(desc + h.n_descsz, pad);
        if (at > p->p_filesz)
            return NULL; /* the last note may lack its padding */
    }
    return NULL;
}

static bool loaded(const struct elf *elf, uint64_t paddr)
{
    for (unsigned i = 0; i < elf->n_segments; i++)
        if (paddr >= elf->segments[i].paddr && paddr - elf->segments[i].paddr < elf->segments[i].memory_bytes)
            return true;
    return false;
}

/* The note holds a virtual address (public/elfnote.h); what a segment loads there tells the physical one. */
static const char *place_hypercall_page(struct elf *elf)
{
    uint64_t va = elf->hypercall_page;

    for (unsigned i = 0; i < elf->n_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];

        if (va < s->vaddr || !within(va - s->vaddr, PAGE_BYTES, s->memory_bytes))
            continue;
        elf->hypercall_page = s->paddr + (va - s->vaddr);
        return elf->hypercall_page % PAGE_BYTES != 0 ? "its hypercall page is not aligned to a page" : NULL;
    }
    return "its hypercall page lies outside its segments";
}

const char *elf_parse(struct elf *elf, const void *bytes, size_t n_bytes)
{
    const char *error;
    Elf64_Ehdr h;

    *elf = (struct elf){.bytes = bytes, .n_bytes = n_bytes};
    if (n_bytes < sizeof h)
        return "not an ELF file";
    h = header_of(elf->bytes); /* no kernel is as short as the larger header */
    error = check_header(&h, n_bytes);
    elf->machine = h.e_machine;
    for (unsigned i = 0; error == NULL && i < h.e_phnum; i++) {
        Elf64_Phdr p = program_header_of(&h, elf->bytes, i);

        if (p.p_type == PT_LOAD)
            error = add_segment(elf, &p);
        else if (p.p_type == PT_NOTE)
            error = take_notes(elf, &p);
    }
    if (error == NULL && elf->n_segments == 0)
        return "nothing in it is to be loaded";
    if (error == NULL && elf->has_hypercall_page)
        error = place_hypercall_page(elf);
    if (error == NULL && elf->has_pvh_entry && !loaded(elf, elf->pvh_entry))
        return "its PVH entry point lies outside its segments";
    return error;
}

uint64_t elf_end(const struct elf *elf)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < elf->n_segments; i++)
        if (elf->segments[i].paddr + elf->segments[i].memory_bytes > end)
            end = elf->segments[i].paddr + elf->segments[i].memory_bytes;
    return end;
}

const char *elf_load(const struct elf *elf, void *memory, uint64_t memory_bytes, uint64_t low_bytes)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        if (elf->segments[i].paddr < low_bytes)
            return "wants memory where the boot data go";
        if (!within(elf->segments[i].paddr, elf->segments[i].memory_bytes, memory_bytes))
            return "does not fit into the domain's memory";
    }
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];

        memcpy((uint8_t *)memory + s->paddr, elf->bytes + s->offset, s->file_bytes);
    }
    return NULL;
}
