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

#define RAM   (UINT64_C(8) << 20)
#define BASE  VC_CALL_RAM_BASE
#define SPACE 64u

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
    assert_int_equal(boot_write(&m, "spew 1; poweroff", path, &at, &problem), 0);
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
    assert_true(at + BOOT_AREA_BYTES - 4096 <= boot_console_gpa(&m));
    assert_true(module.paddr >= VC_CALL_LOAD + VC_CALL_LOAD_BYTES && module.paddr + module.size <= map[1].addr);
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
    assert_int_equal(boot_write(&m, "", path, &at, &problem), -1);
    assert_non_null(strstr(problem.text, "do not fit"));
    assert_int_equal(boot_write(&m, "", "/tmp", &at, &problem), -1);
    assert_non_null(strstr(problem.text, "not a regular file"));
    assert_int_equal(boot_write(&m, "", "/none/there", &at, &problem), -1);
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
        cmocka_unit_test(boot_area_says_what_is_where),
        cmocka_unit_test(ramdisks_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
