/* SPDX-License-Identifier: MIT */
/* Guest RAM by addresses and lengths of every hostile kind, and the boot area at its top. */
#include "vmm/boot.h"
#include "vmm/memory.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/pvh.h>

#include <cmocka.h>

#define RAM        (UINT64_C(8) << 20)
#define BASE       VC_CALL_RAM_BASE
#define SPACE      64u
#define HUGE_BYTES (2u << 20)
#define KERNEL_END (VC_CALL_LOAD + VC_CALL_LOAD_BYTES)

static const struct {
    const char *name;
    uint64_t gva;
    size_t n;
    bool ok;
} cases[] = {
    {"first bytes", BASE, SPACE, true},
    {"last bytes", BASE + RAM - SPACE, SPACE, true},
    {"nothing at the end", BASE + RAM, 0, true},
    {"nothing behind the end", BASE + RAM + 1, 0, false},
    {"one byte too many", BASE + RAM - SPACE + 1, SPACE, false},
    {"behind the end", BASE + RAM, 1, false},
    {"before the beginning", BASE - 1, 1, false},
    {"across the beginning", BASE - 1, 2, false},
    {"zero, which is no RAM of a process guest", 0, 1, false},
    {"a physical address", 4096, 1, false},
    {"the last address", UINT64_MAX, 1, false},
    {"a length that wraps", BASE + 1, SIZE_MAX, false},
    {"a length that wraps to the beginning", BASE + 16, SIZE_MAX - 15, false},
    {"more than there is", BASE, RAM + 1, false},
};

static void only_what_lies_inside(void **state)
{
    uint8_t in[SPACE], out[SPACE];
    struct guest_memory m;
    struct problem problem;

    (void)state;
    assert_int_equal(memory_create(&m, RAM, BASE, &problem), 0);
    memset(out, 0x5a, sizeof out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(in, 0xee, sizeof in);
        if (memory_copy_to_guest(&m, cases[i].gva, out, cases[i].n) != cases[i].ok ||
            memory_copy_from_guest(&m, cases[i].gva, in, cases[i].n) != cases[i].ok)
            fail_msg("wrong answer: %s", cases[i].name);
        if (memcmp(in, out, cases[i].n <= SPACE && cases[i].ok ? cases[i].n : 0) != 0)
            fail_msg("wrong bytes: %s", cases[i].name);
        if (!cases[i].ok && in[0] != 0xee)
            fail_msg("touched: %s", cases[i].name);
    }
    memory_destroy(&m);
    memory_destroy(&m); /* a second time does nothing */
}

static void sealed_and_cleared(void **state)
{
    struct guest_memory m;
    struct problem problem;
    uint32_t value = 0;

    (void)state;
    assert_int_equal(memory_create(&m, RAM, 0, &problem), 0);
    assert_int_equal(ftruncate(m.fd, 4096), -1); /* a guest that has it could else raise SIGBUS here */
    assert_int_equal(ftruncate(m.fd, (off_t)RAM * 2), -1);
    assert_true(fcntl(m.fd, F_GET_SEALS) & F_SEAL_SEAL);
    memset(m.base, 0xff, RAM);
    assert_int_equal(memory_clear(&m), 0);
    for (uint64_t at = 0; at < RAM; at += 4096)
        if (!memory_read(&m, at, &value, sizeof value) || value != 0)
            fail_msg("not cleared at %llu", (unsigned long long)at);
    memory_destroy(&m);
}

#define GIB (UINT64_C(1) << 30)

/* In each layout: the first and last byte of every stretch, and the bytes around them. */
static const struct {
    const char *name;
    uint64_t bytes, gpa;
    size_t n;
    bool ok;
} pc_cases[] = {
    {"the first", GIB, 0, 1, true},
    {"the last of little RAM", GIB, GIB - 8, 8, true},
    {"across the end of little RAM", GIB, GIB - 8, 9, false},
    {"above 4 GiB, of little RAM", GIB, MEMORY_HIGH, 1, false},
    {"nothing above 4 GiB, of little RAM", GIB, MEMORY_HIGH, 0, false},
    {"the last below the hole", 5 * GIB, MEMORY_HOLE - 8, 8, true},
    {"into the hole", 5 * GIB, MEMORY_HOLE - 8, 9, false},
    {"in the hole", 5 * GIB, MEMORY_HOLE, 1, false},
    {"before the special pages", 5 * GIB, MEMORY_SPECIAL_PC - 1, 1, false},
    {"into the special pages", 5 * GIB, MEMORY_SPECIAL_PC - 1, 2, false},
    {"the special pages", 5 * GIB, MEMORY_SPECIAL_PC, MEMORY_SPECIAL_PAGES * 4096, true},
    {"out of the special pages", 5 * GIB, MEMORY_SPECIAL_PC + 4096, MEMORY_SPECIAL_PAGES * 4096, false},
    {"the last before 4 GiB", 5 * GIB, MEMORY_HIGH - 1, 2, false},
    {"the first of high RAM", 5 * GIB, MEMORY_HIGH, 8, true},
    {"the last of high RAM", 5 * GIB, 6 * GIB - 8, 8, true},
    {"across the end of high RAM", 5 * GIB, 6 * GIB - 8, 9, false},
    {"behind high RAM", 5 * GIB, 6 * GIB, 1, false},
    {"a length that wraps", 5 * GIB, MEMORY_HIGH, SIZE_MAX, false},
    {"the last address", 5 * GIB, UINT64_MAX, 1, false},
};

static void stretches_of_a_pc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pc_cases / sizeof pc_cases[0]; i++) {
        struct guest_memory m;
        struct problem problem;
        uint8_t *at;

        assert_int_equal(memory_create_pc(&m, pc_cases[i].bytes, &problem), 0);
        assert_int_equal(m.fd, -1);
        assert_int_equal((uintptr_t)m.base % HUGE_BYTES, 0); /* KVM maps huge pages where both addresses are */
        at = memory_at(&m, pc_cases[i].gpa, pc_cases[i].n);
        if ((at != NULL) != pc_cases[i].ok)
            fail_msg("wrong answer: %s", pc_cases[i].name);
        if (at != NULL) { /* ours, for the sanitizer and the memory's limits to agree */
            at[0] = 0x5a;
            at[pc_cases[i].n - 1] = 0x5a;
        }
        memory_destroy(&m);
    }
}

static void stretches_do_not_overlap(void **state)
{
    static const uint64_t gpas[] = {0, MEMORY_HOLE - 8, MEMORY_SPECIAL_PC, MEMORY_HIGH, 6 * GIB - 8};
    struct guest_memory m;
    struct problem problem;
    uint64_t value;

    (void)state;
    assert_int_equal(memory_create_pc(&m, 5 * GIB, &problem), 0);
    for (uint64_t i = 0; i < sizeof gpas / sizeof gpas[0]; i++)
        assert_true(memory_write(&m, gpas[i], &i, sizeof i));
    for (uint64_t i = 0; i < sizeof gpas / sizeof gpas[0]; i++) {
        assert_true(memory_read(&m, gpas[i], &value, sizeof value));
        assert_int_equal(value, i);
    }
    assert_int_equal(memory_clear(&m), 0);
    for (uint64_t i = 0; i < sizeof gpas / sizeof gpas[0]; i++)
        assert_true(memory_read(&m, gpas[i], &value, sizeof value) && value == 0);
    memory_destroy(&m);
}

static int write_file(char path[32], size_t bytes)
{
    int fd;

    strcpy(path, "/tmp/vcons-ramdisk-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
    assert_int_equal(pwrite(fd, "end", 3, (off_t)bytes - 3), 3);
    return fd;
}

static void boot_area_says_what_is_where(void **state)
{
    struct hvm_memmap_table_entry map[2];
    struct hvm_modlist_entry module;
    struct hvm_start_info info;
    struct guest_memory m;
    struct problem problem;
    uint64_t at;
    char path[32], text[16];
    int fd = write_file(path, 100000);

    (void)state;
    assert_int_equal(memory_create(&m, RAM, 0, &problem), 0);
    assert_int_equal(boot_write(&m, "spew 1; poweroff", path, KERNEL_END, &at, &problem), 0);
    assert_true(memory_read(&m, at, &info, sizeof info));
    assert_int_equal(info.magic, XEN_HVM_START_MAGIC_VALUE);
    assert_int_equal(info.nr_modules, 1);
    assert_int_equal(info.memmap_entries, 2);
    assert_string_equal((char *)memory_at(&m, info.cmdline_paddr, 17), "spew 1; poweroff");
    assert_true(memory_read(&m, info.modlist_paddr, &module, sizeof module));
    assert_int_equal(module.size, 100000);
    assert_int_equal(module.paddr % 4096, 0);
    assert_true(memory_read(&m, module.paddr, text, 5) && memcmp(text, "begin", 5) == 0);
    assert_true(memory_read(&m, module.paddr + 100000 - 3, text, 3) && memcmp(text, "end", 3) == 0);
    /* Console page and boot area are reserved, the module and the load range of `tiny` are not in each other's way. */
    assert_true(memory_read(&m, info.memmap_paddr, map, sizeof map));
    assert_int_equal(map[1].type, XEN_HVM_MEMMAP_TYPE_RESERVED);
    assert_int_equal(map[0].addr + map[0].size, map[1].addr);
    assert_int_equal(map[1].addr + map[1].size, RAM);
    assert_true(boot_console_gpa(&m) >= map[1].addr && at >= map[1].addr);
    assert_true(at + BOOT_AREA_BYTES <= m.special_gpa);
    assert_true(boot_console_gpa(&m) >= m.special_gpa && boot_store_gpa(&m) + 4096 <= RAM);
    assert_true(module.paddr >= VC_CALL_LOAD + VC_CALL_LOAD_BYTES && module.paddr + module.size <= map[1].addr);
    memory_destroy(&m);
    close(fd);
    unlink(path);
}

/* Every address below so much that matters to somebody: of which type the map says it is, once. */
static uint32_t type_at(const struct guest_memory *m, const struct hvm_start_info *info, uint64_t gpa)
{
    uint32_t type = 0;

    for (uint32_t i = 0; i < info->memmap_entries; i++) {
        struct hvm_memmap_table_entry e;

        assert_true(memory_read(m, info->memmap_paddr + i * sizeof e, &e, sizeof e));
        if (gpa < e.addr || gpa - e.addr >= e.size)
            continue;
        assert_int_equal(type, 0); /* no two entries */
        type = e.type;
    }
    return type;
}

static void boot_area_of_a_pc(void **state)
{
    const uint64_t kernel_end = 0x3e00000;
    struct hvm_modlist_entry module;
    struct hvm_start_info info;
    struct guest_memory m;
    struct problem problem;
    uint64_t at;
    char path[32];
    int fd = write_file(path, 100000);

    (void)state;
    assert_int_equal(memory_create_pc(&m, 5 * GIB, &problem), 0);
    assert_int_equal(boot_write(&m, "console=hvc0", path, kernel_end, &at, &problem), 0);
    assert_true(at + sizeof info <= GIB); /* Linux's first page tables reach no farther */
    assert_true(memory_read(&m, at, &info, sizeof info));
    assert_int_equal(info.version, 1);
    assert_int_equal(info.flags, 0);
    assert_int_equal(info.rsdp_paddr, BOOT_PC_ACPI_GPA);
    assert_true(memory_read(&m, info.modlist_paddr, &module, sizeof module));
    assert_int_equal(module.paddr, MEMORY_HOLE - 25 * 4096); /* below 4 GiB: Linux keeps 32 bits of it */
    assert_int_equal(type_at(&m, &info, 0), XEN_HVM_MEMMAP_TYPE_RAM);
    assert_int_equal(type_at(&m, &info, 0xa0000), 0);
    assert_int_equal(type_at(&m, &info, at), XEN_HVM_MEMMAP_TYPE_RESERVED);
    assert_int_equal(type_at(&m, &info, info.cmdline_paddr), XEN_HVM_MEMMAP_TYPE_RESERVED);
    assert_int_equal(type_at(&m, &info, BOOT_PC_ACPI_GPA), XEN_HVM_MEMMAP_TYPE_ACPI);
    assert_int_equal(type_at(&m, &info, 0x100000), XEN_HVM_MEMMAP_TYPE_RAM);
    assert_int_equal(type_at(&m, &info, MEMORY_HOLE), 0);
    assert_int_equal(type_at(&m, &info, boot_console_gpa(&m)), XEN_HVM_MEMMAP_TYPE_RESERVED);
    assert_int_equal(type_at(&m, &info, boot_store_gpa(&m)), XEN_HVM_MEMMAP_TYPE_RESERVED);
    assert_int_equal(boot_console_gpa(&m), 0xfeffc000);
    assert_int_equal(type_at(&m, &info, 6 * GIB - 1), XEN_HVM_MEMMAP_TYPE_RAM);
    assert_int_equal(type_at(&m, &info, 6 * GIB), 0);
    memory_destroy(&m);
    close(fd);
    unlink(path);
}

static void a_ramdisk_stays_out_of_the_kernel(void **state)
{
    struct guest_memory m;
    struct problem problem;
    uint64_t at;
    char path[32];
    int fd = write_file(path, RAM / 2);

    (void)state;
    assert_int_equal(memory_create_pc(&m, RAM, &problem), 0);
    assert_int_equal(boot_write(&m, "", path, RAM / 2, &at, &problem), 0);
    assert_int_equal(boot_write(&m, "", path, RAM / 2 + 1, &at, &problem), -1);
    assert_non_null(strstr(problem.text, "do not fit"));
    memory_destroy(&m);
    close(fd);
    unlink(path);
}

static void ramdisks_that_do_not_fit(void **state)
{
    struct guest_memory m;
    struct problem problem;
    uint64_t at;
    char path[32];
    int fd = write_file(path, RAM);

    (void)state;
    assert_int_equal(memory_create(&m, RAM, 0, &problem), 0);
    assert_int_equal(boot_write(&m, "", path, KERNEL_END, &at, &problem), -1);
    assert_non_null(strstr(problem.text, "do not fit"));
    assert_int_equal(boot_write(&m, "", "/tmp", KERNEL_END, &at, &problem), -1);
    assert_non_null(strstr(problem.text, "not a regular file"));
    assert_int_equal(boot_write(&m, "", "/none/there", KERNEL_END, &at, &problem), -1);
    assert_non_null(strstr(problem.text, "/none/there"));
    memory_destroy(&m);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_lies_inside),
        cmocka_unit_test(sealed_and_cleared),
        cmocka_unit_test(stretches_of_a_pc),
        cmocka_unit_test(stretches_do_not_overlap),
        cmocka_unit_test(boot_area_of_a_pc),
        cmocka_unit_test(a_ramdisk_stays_out_of_the_kernel),
        cmocka_unit_test(boot_area_says_what_is_where),
        cmocka_unit_test(ramdisks_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
