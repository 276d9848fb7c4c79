/* SPDX-License-Identifier: MIT */
/* Kernel images: a good one, and every kind of hostile header. */
#include "../../vmm/elf_image.h"
#include "unit.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 0x2000, CODE = 0x1000, CODE_BYTES = 0x800, NOTES = 0x200 };
#define LOAD       UINT64_C(0x100000)
#define LOAD_BYTES UINT64_C(0x3000)             /* 0x800 of the file, the rest zero */
#define HIGH       UINT64_C(0xffffffff80000000) /* where its code believes to be */
#define RAM_BYTES  UINT64_C(0x200000)

struct note {
    Elf64_Nhdr head;
    char name[4];
    uint64_t number;
};

struct image { /* a kernel as linkers make them, to be damaged by a row */
    Elf64_Ehdr head;
    Elf64_Phdr load, note;
    struct note notes[3]; /* at NOTES */
};

static struct note note(const char name[4], uint32_t type, uint64_t number)
{
    struct note n = {.head = {.n_namesz = 4, .n_descsz = 8, .n_type = type}, .number = number};

    memcpy(n.name, name, sizeof n.name);
    return n;
}

static struct image good(void)
{
    struct image i = {
        .head = {.e_type = ET_EXEC,
                 .e_machine = EM_X86_64,
                 .e_version = EV_CURRENT,
                 .e_phoff = sizeof(Elf64_Ehdr),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 2},
        .load = {.p_type = PT_LOAD,
                 .p_offset = CODE,
                 .p_vaddr = HIGH,
                 .p_paddr = LOAD,
                 .p_filesz = CODE_BYTES,
                 .p_memsz = LOAD_BYTES},
        .note =
            {.p_type = PT_NOTE, .p_offset = NOTES, .p_filesz = sizeof i.notes, .p_memsz = sizeof i.notes, .p_align = 4},
    };

    memcpy(i.head.e_ident, ELFMAG, SELFMAG);
    i.head.e_ident[EI_CLASS] = ELFCLASS64;
    i.head.e_ident[EI_DATA] = ELFDATA2LSB;
    i.head.e_ident[EI_VERSION] = EV_CURRENT;
    i.notes[0] = note("GNU", 18, 7); /* another owner's type 18 */
    i.notes[1] = note("Xen", 18, LOAD + 0x50);
    i.notes[2] = note("Xen", 2, HIGH + 0x1000);
    return i;
}

static const char *parse(struct elf *elf, const struct image *i, size_t n_bytes)
{
    uint8_t *bytes = calloc(1, FILE_BYTES), *file = malloc(n_bytes); /* as large as it says, for the sanitizer */
    const char *why;

    if (bytes == NULL || file == NULL)
        abort();
    memcpy(bytes, i, offsetof(struct image, notes));
    memcpy(bytes + NOTES, i->notes, sizeof i->notes);
    memset(bytes + CODE, 0x90, CODE_BYTES);
    memcpy(file, bytes, n_bytes);
    free(bytes);
    why = elf_parse(elf, file, n_bytes);
    if (why != NULL)
        free(file);
    return why;
}

static void drop(struct elf *elf) { free((void *)(uintptr_t)elf->bytes); }

static void a_kernel_is_loaded_where_it_says(void **state)
{
    uint8_t *ram = calloc(1, RAM_BYTES);
    struct image i = good();
    struct elf elf;

    (void)state;
    assert_null(parse(&elf, &i, FILE_BYTES));
    assert_true(elf.has_pvh_entry && elf.has_hypercall_page);
    assert_int_equal(elf.pvh_entry, LOAD + 0x50);
    assert_int_equal(elf.hypercall_page, LOAD + 0x1000); /* elfnote.h: the note is a virtual address */
    assert_null(elf_load(&elf, ram, RAM_BYTES, 4096));
    for (uint64_t at = 0; at < RAM_BYTES; at++)
        if (ram[at] != (at >= LOAD && at < LOAD + CODE_BYTES ? 0x90 : 0))
            fail_msg("byte at %#llx is %#x", (unsigned long long)at, ram[at]);
    drop(&elf);
    free(ram);
}

/* tiny-pvh32's kind: one segment where it is linked to, notes of 4 bytes. */
static void a_32_bit_kernel_is_one(void **state)
{
    struct {
        Elf32_Ehdr head;
        Elf32_Phdr load, note;
        Elf32_Nhdr entry;
        char name[4];
        uint32_t at;
    } file = {
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_EXEC,
                 .e_machine = EM_386,
                 .e_version = EV_CURRENT,
                 .e_phoff = sizeof(Elf32_Ehdr),
                 .e_phentsize = sizeof(Elf32_Phdr),
                 .e_phnum = 2},
        .load = {.p_type = PT_LOAD, .p_vaddr = LOAD, .p_paddr = LOAD, .p_filesz = sizeof file, .p_memsz = LOAD_BYTES},
        .note = {.p_type = PT_NOTE, .p_filesz = sizeof(Elf32_Nhdr) + 8, .p_align = 4},
        .entry = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},
        .name = "Xen",
        .at = LOAD + 0x60,
    };
    uint8_t *ram = calloc(1, RAM_BYTES);
    struct elf elf;

    (void)state;
    file.note.p_offset = (uint32_t)((uint8_t *)&file.entry - (uint8_t *)&file);
    assert_null(elf_parse(&elf, &file, sizeof file));
    assert_int_equal(elf.machine, EM_386);
    assert_true(elf.has_pvh_entry && elf.pvh_entry == LOAD + 0x60);
    assert_null(elf_load(&elf, ram, RAM_BYTES, 4096));
    assert_memory_equal(ram + LOAD, &file, sizeof file);
    file.head.e_phentsize = sizeof(Elf64_Phdr);
    assert_non_null(strstr(elf_parse(&elf, &file, sizeof file), "of the wrong size"));
    free(ram);
}

static void a_kernel_without_notes_is_one(void **state)
{
    struct image i = good();
    struct elf elf;

    (void)state;
    i.head.e_phnum = 1;
    assert_null(parse(&elf, &i, FILE_BYTES));
    assert_false(elf.has_pvh_entry || elf.has_hypercall_page);
    drop(&elf);
}

enum field { HEAD, PROGRAM, NOTE_HEAD, NOTE0, NOTE1, NOTE2 };
#define AT(struct_, member) offsetof(struct_, member), sizeof(((struct_ *)0)->member)

static const struct {
    const char *name;
    enum field in;
    size_t offset, size;
    uint64_t value;
    const char *why;
} damaged[] = {
    {"no magic", HEAD, 0, 1, 0, "not an ELF file"},
    {"32-bit", HEAD, EI_CLASS, 1, ELFCLASS32, "a 32-bit ELF file, but not for x86"},
    {"big-endian", HEAD, EI_DATA, 1, ELFDATA2MSB, "neither a 64-bit nor a 32-bit"},
    {"of no class", HEAD, EI_CLASS, 1, 0, "neither a 64-bit nor a 32-bit"},
    {"version in ident", HEAD, EI_VERSION, 1, 2, "an ELF version"},
    {"version", HEAD, AT(Elf64_Ehdr, e_version), 0, "an ELF version"},
    {"relocatable", HEAD, AT(Elf64_Ehdr, e_type), ET_REL, "not an executable one"},
    {"core dump", HEAD, AT(Elf64_Ehdr, e_type), ET_CORE, "not an executable one"},
    {"another machine", HEAD, AT(Elf64_Ehdr, e_machine), EM_RISCV, "neither x86_64 nor arm64"},
    {"headers of size 0", HEAD, AT(Elf64_Ehdr, e_phentsize), 0, "wrong size"},
    {"headers of another size", HEAD, AT(Elf64_Ehdr, e_phentsize), 57, "wrong size"},
    {"no program headers", HEAD, AT(Elf64_Ehdr, e_phnum), 0, "no program headers"},
    {"65 program headers", HEAD, AT(Elf64_Ehdr, e_phnum), 65, "more than 64"},
    {"PN_XNUM", HEAD, AT(Elf64_Ehdr, e_phnum), 0xffff, "more than 64"},
    {"headers behind the end", HEAD, AT(Elf64_Ehdr, e_phoff), FILE_BYTES, "outside the file"},
    {"headers across the end", HEAD, AT(Elf64_Ehdr, e_phoff), FILE_BYTES - 100, "outside the file"},
    {"headers at the end of all", HEAD, AT(Elf64_Ehdr, e_phoff), UINT64_MAX - 8, "outside the file"},
    {"nothing to load", PROGRAM, AT(Elf64_Phdr, p_type), PT_NULL, "nothing"},
    {"more file than memory", PROGRAM, AT(Elf64_Phdr, p_memsz), CODE_BYTES - 1, "larger in the file"},
    {"memory size 0", PROGRAM, AT(Elf64_Phdr, p_memsz), 0, "larger in the file"},
    {"segment behind the end", PROGRAM, AT(Elf64_Phdr, p_offset), FILE_BYTES, "outside the file"},
    {"segment across the end", PROGRAM, AT(Elf64_Phdr, p_offset), FILE_BYTES - CODE_BYTES + 1, "outside the file"},
    {"offset wraps", PROGRAM, AT(Elf64_Phdr, p_offset), UINT64_MAX - CODE_BYTES + 2, "outside the file"},
    {"physical address wraps", PROGRAM, AT(Elf64_Phdr, p_paddr), UINT64_MAX - 1, "wrap"},
    {"virtual address wraps", PROGRAM, AT(Elf64_Phdr, p_vaddr), UINT64_MAX - 1, "wrap"},
    {"all of memory", PROGRAM, AT(Elf64_Phdr, p_memsz), UINT64_MAX, "wrap"},
    {"notes behind the end", NOTE_HEAD, AT(Elf64_Phdr, p_offset), FILE_BYTES + 1, "notes lie outside"},
    {"notes of all sizes", NOTE_HEAD, AT(Elf64_Phdr, p_filesz), UINT64_MAX, "notes lie outside"},
    {"name of 4 GiB", NOTE0, AT(Elf64_Nhdr, n_namesz), UINT32_MAX, "longer than the notes"},
    {"descriptor of 4 GiB", NOTE1, AT(Elf64_Nhdr, n_descsz), UINT32_MAX, "longer than the notes"},
    {"descriptor one too long", NOTE2, AT(Elf64_Nhdr, n_descsz), 9, "longer than the notes"},
    {"entry of 7 bytes", NOTE1, AT(Elf64_Nhdr, n_descsz), 7, "wrong size"},
    {"entry of none", NOTE1, AT(Elf64_Nhdr, n_descsz), 0, "wrong size"},
    {"entry twice", NOTE2, AT(Elf64_Nhdr, n_type), 18, "twice"},
    {"entry above 4 GiB", NOTE1, AT(struct note, number), UINT64_C(1) << 32, "above 4 GiB"},
    {"entry before the segment", NOTE1, AT(struct note, number), LOAD - 1, "entry point lies outside"},
    {"entry behind the segment", NOTE1, AT(struct note, number), LOAD + LOAD_BYTES, "entry point lies outside"},
    {"hypercall page elsewhere", NOTE2, AT(struct note, number), 0, "page lies outside"},
    {"hypercall page physical", NOTE2, AT(struct note, number), LOAD, "page lies outside"},
    {"hypercall page across the end", NOTE2, AT(struct note, number), HIGH + 0x2001, "page lies outside"},
    {"hypercall page at the end of all", NOTE2, AT(struct note, number), UINT64_MAX, "page lies outside"},
    {"hypercall page askew", NOTE2, AT(struct note, number), HIGH + 8, "not aligned"},
};

static void damage(struct image *i, size_t row)
{
    uint8_t *base[] = {(uint8_t *)&i->head,     (uint8_t *)&i->load,     (uint8_t *)&i->note,
                       (uint8_t *)&i->notes[0], (uint8_t *)&i->notes[1], (uint8_t *)&i->notes[2]};

    memcpy(base[damaged[row].in] + damaged[row].offset, &damaged[row].value, damaged[row].size);
}

static void damage_is_named(void **state)
{
    (void)state;
    for (size_t row = 0; row < N_ROWS(damaged); row++) {
        struct image i = good();
        struct elf elf;
        const char *why;

        damage(&i, row);
        why = parse(&elf, &i, FILE_BYTES);
        if (why == NULL || strstr(why, damaged[row].why) == NULL)
            fail_msg("%s: %s", damaged[row].name, why ? why : "taken");
    }
}

static void overlapping_segments_are_damage(void **state)
{
    static const struct {
        const char *name;
        uint64_t paddr;
        bool taken;
    } rows[] = {{"the same place", LOAD, false},
                {"its last byte", LOAD + LOAD_BYTES - 1, false},
                {"just behind", LOAD + LOAD_BYTES, true},
                {"up to its first byte", LOAD - 0x0fff, false},
                {"just before", LOAD - 0x1000, true}};

    (void)state;
    for (size_t row = 0; row < N_ROWS(rows); row++) {
        struct image i = good();
        struct elf elf;
        bool taken;

        i.note = i.load;
        i.note.p_paddr = rows[row].paddr;
        i.note.p_memsz = 0x1000;
        taken = parse(&elf, &i, FILE_BYTES) == NULL;
        if (taken)
            drop(&elf);
        if (taken != rows[row].taken)
            fail_msg("%s: %s", rows[row].name, taken ? "taken" : "refused");
    }
}

/* A file cut anywhere never shows more than it has; the sanitizer looks on. */
static void a_file_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n < FILE_BYTES; n += n < 0x400 ? 1 : 97) {
        struct image i = good();
        struct elf elf;

        if (parse(&elf, &i, n) == NULL) {
            assert_true(n >= CODE + CODE_BYTES);
            drop(&elf);
        }
    }
}

static void a_segment_must_lie_in_memory(void **state)
{
    static const struct {
        const char *name;
        uint64_t ram_bytes, low_bytes;
        bool fits;
    } rows[] = {{"exactly", LOAD + LOAD_BYTES, LOAD, true},
                {"one byte short", LOAD + LOAD_BYTES - 1, 0, false},
                {"no memory", 0, 0, false},
                {"the loader's own", RAM_BYTES, LOAD + 1, false}};

    (void)state;
    for (size_t row = 0; row < N_ROWS(rows); row++) {
        uint8_t *ram = calloc(1, rows[row].ram_bytes + 1);
        struct image i = good();
        struct elf elf;

        assert_null(parse(&elf, &i, FILE_BYTES));
        if ((elf_load(&elf, ram, rows[row].ram_bytes, rows[row].low_bytes) == NULL) != rows[row].fits)
            fail_msg("%s", rows[row].name);
        for (uint64_t at = 0; !rows[row].fits && at < rows[row].ram_bytes; at++)
            assert_int_equal(ram[at], 0);
        drop(&elf);
        free(ram);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_is_loaded_where_it_says), cmocka_unit_test(a_kernel_without_notes_is_one),
        cmocka_unit_test(a_32_bit_kernel_is_one),           cmocka_unit_test(damage_is_named),
        cmocka_unit_test(overlapping_segments_are_damage),  cmocka_unit_test(a_file_may_be_cut_anywhere),
        cmocka_unit_test(a_segment_must_lie_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
