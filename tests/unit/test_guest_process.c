/* SPDX-License-Identifier: MIT */
/* tiny-process itself, run against core in this process: the whole guest side without the hypervisor program. */
#include "guest_machine.h"
#include "process/process.h"
#include "spew.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vcons/atomic.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/pvh.h>

#define RAM_BYTES   (8u << 20)
#define START_GPA   0x1000u
#define CMDLINE_GPA 0x2000u
#define CONSOLE_GFN 0x80u /* below 1 MiB, where the guest puts nothing */
#define GUARD_MS    20000

struct run {
    struct machine machine;
    struct vc_call_page *call;
    uint8_t *ram;
    pid_t pid;
    int status;
    bool ready;
    const char *typed; /* once the guest waits */
    bool typed_all;
    bool toggles; /* connect and disconnect between calls */
    uint32_t n_toggled, random;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void *shared_memory(size_t bytes, int as_fd)
{
    int fd = memfd_create("guest", 0);
    void *memory;

    assert_true(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    if (fd != as_fd) {
        assert_true(dup2(fd, as_fd) == as_fd);
        close(fd);
    }
    return memory;
}

static void build(struct run *r, const char *cmdline)
{
    struct hvm_start_info *start;

    r->ram = shared_memory(RAM_BYTES, VC_CALL_FD_RAM);
    r->call = shared_memory(VC_CALL_PAGE_BYTES, VC_CALL_FD_PAGES);
    start = (void *)(r->ram + START_GPA);
    *start = (struct hvm_start_info){.magic = XEN_HVM_START_MAGIC_VALUE, .version = 1, .cmdline_paddr = CMDLINE_GPA};
    strcpy((char *)r->ram + CMDLINE_GPA, cmdline);
    r->call->version = VC_CALL_VERSION;
    r->call->n_vcpus = 1;
    r->call->ram_bytes = RAM_BYTES;
    r->call->start_info = START_GPA;
    machine_init(&r->machine, (void *)(r->ram + (CONSOLE_GFN << 12)), CONSOLE_GFN, true);
    r->machine.ram = r->ram;
    r->machine.ram_bytes = RAM_BYTES;
}

static const char *tiny_path(void)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/guest/tiny-process", getenv("VCONS_BUILD"));
    return path;
}

static void start(struct run *r)
{
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        execl(tiny_path(), "tiny-process", (char *)NULL);
        _exit(126);
    }
    close(VC_CALL_FD_RAM);
    close(VC_CALL_FD_PAGES);
}

static bool exited(struct run *r) { return waitpid(r->pid, &r->status, WNOHANG) == r->pid; }

/* The next call, or false: the guest is gone. */
static bool next_call(struct run *r)
{
    uint64_t until = now_ms() + GUARD_MS;

    while (vc_load_acquire(&r->call->state) != VC_CALL_POSTED) {
        uint32_t state = vc_load_acquire(&r->call->state);
        struct timespec slice = {.tv_nsec = 5000000};

        if (state != VC_CALL_POSTED)
            syscall(SYS_futex, &r->call->state, FUTEX_WAIT, state, &slice, NULL, 0);
        if (exited(r))
            return false;
        if (now_ms() > until)
            fail_msg("the guest makes no call");
    }
    return true;
}

static void between_calls(struct run *r)
{
    r->random = r->random * 1664525 + 1013904223; /* seed 0: the same toggles in each run */
    if (r->toggles && r->random >> 30 == 0)
        machine_connect(&r->machine, r->n_toggled++ % 2 != 0);
}

/* A field of /proc/PID/status. */
static int status_of(pid_t pid, const char *field)
{
    char path[64], line[256];
    int value = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
            value = atoi(line + strlen(field) + 1);
    fclose(file);
    return value;
}

/* Of its address space only RAM and call page are left, and nothing that can be both written and executed. */
static void look_at_maps(const struct run *r)
{
    char path[64], line[512];
    uint64_t ram = 0, call = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)r->pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long from, to;
        char rights[5];

        assert_int_equal(sscanf(line, "%lx-%lx %4s", &from, &to, rights), 3);
        if (from >= VC_CALL_RAM_BASE && to <= VC_CALL_RAM_BASE + RAM_BYTES)
            ram += to - from;
        else if (from < VC_CALL_RAM_BASE && to - from == VC_CALL_PAGE_BYTES)
            call += to - from;
        else if (strstr(line, "[vsyscall]") == NULL) /* the kernel's, and no mapping */
            fail_msg("still mapped: %s", line);
        if (rights[1] == 'w' && rights[2] == 'x')
            fail_msg("written and executed: %s", line);
    }
    fclose(file);
    assert_int_equal(ram, RAM_BYTES);
    assert_int_equal(call, VC_CALL_PAGE_BYTES);
}

/* What a guest is once it says READY. */
static void look_at(const struct run *r)
{
    assert_int_equal(status_of(r->pid, "NoNewPrivs"), 1);
    assert_int_equal(status_of(r->pid, "Seccomp"), 2);
    look_at_maps(r);
}

/* Serve until the guest has ended, by itself or by asking for it. */
static void serve(struct run *r)
{
    while (next_call(r)) {
        uint64_t args[6];

        between_calls(r);
        memcpy(args, r->call->args, sizeof args);
        if (r->call->nr == VC_CALL_READY) {
            r->ready = true;
            r->call->result = 0;
            look_at(r);
        } else {
            bool waits = r->call->nr == XEN_sched_op && (args[0] == SCHEDOP_poll || args[0] == SCHEDOP_block);

            if (waits && r->typed != NULL && !r->typed_all) {
                machine_type(&r->machine, r->typed, strlen(r->typed));
                r->typed_all = true;
            }
            r->call->result = machine_hypercall(&r->machine, 0, r->call->nr, args);
        }
        if (r->machine.ended) {
            kill(r->pid, SIGKILL);
            waitpid(r->pid, &r->status, 0);
            return;
        }
        vc_store_release(&r->call->state, VC_CALL_DONE);
        syscall(SYS_futex, &r->call->state, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

static void run(struct run *r, const char *cmdline, const char *typed)
{
    memset(r, 0, sizeof *r);
    build(r, cmdline);
    r->typed = typed;
    start(r);
    serve(r);
}

static void finish(struct run *r)
{
    machine_finish(&r->machine);
    munmap(r->ram, RAM_BYTES);
    munmap(r->call, VC_CALL_PAGE_BYTES);
}

static void expect_log(const struct run *r, const char *text)
{
    const char *log = r->machine.n_log > 0 ? (const char *)r->machine.log : "";

    if (r->machine.n_log != strlen(text) || memcmp(log, text, r->machine.n_log) != 0)
        fail_msg("log is \"%.*s\", wanted \"%s\"", (int)r->machine.n_log, log, text);
}

static void expect_spew(const struct run *r, uint64_t n, uint32_t width)
{
    struct spew spew;
    char line[SPEW_LINE_MAX];
    size_t at = 0;

    spew_init(&spew, width);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bytes = spew_line(&spew, line);

        if (at + bytes > r->machine.n_log || memcmp(r->machine.log + at, line, bytes) != 0)
            fail_msg("line %llu differs", (unsigned long long)i);
        at += bytes;
    }
    assert_int_equal(at, r->machine.n_log);
}

static const struct {
    const char *cmdline, *log;
    bool ended;
    uint32_t reason;
} boots[] = {
    {"quiet; echo hello; poweroff", "hello\r\n", true, SHUTDOWN_poweroff},
    {"quiet;echo a;;  ;echo  b c ;reboot", "a\r\nb c \r\n", true, SHUTDOWN_reboot},
    {"quiet; crash", "", true, SHUTDOWN_crash},
    {"quiet; crash trap", "", false, 0},
    {"quiet; crash touch", "", false, 0},
    {"poweroff", "tiny: the vcons test kernel, process, 8 MiB, console hvc0\r\n", true, SHUTDOWN_poweroff},
    {"console=console_io; poweroff", "tiny: the vcons test kernel, process, 8 MiB, console con_io\r\n", true,
     SHUTDOWN_poweroff},
    {"quiet; spew 3 12; poweroff", "0 ABCDEFGHIJ\r\n1 BCDEFGHIJK\r\n2 CDEFGHIJKL\r\n", true, SHUTDOWN_poweroff},
    {"quiet; nonsense; spew x; spew 1 0; poweroff",
     "nonsense: no such word, try help\r\nusage: spew N [WIDTH]\r\nusage: spew N [WIDTH]\r\n", true, SHUTDOWN_poweroff},
    {"quiet; slow 2 1; poweroff", "slow 0\r\nslow 1\r\n", true, SHUTDOWN_poweroff},
};

static void test_boot_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(boots); i++) {
        struct run r;

        run(&r, boots[i].cmdline, NULL);
        if (!r.ready || r.machine.ended != boots[i].ended || r.machine.reason != boots[i].reason)
            fail_msg("%s: ready %d, ended %d for %u, status %#x", boots[i].cmdline, r.ready, r.machine.ended,
                     r.machine.reason, (unsigned)r.status);
        if (!boots[i].ended && !WIFSIGNALED(r.status))
            fail_msg("%s: did not die of a signal", boots[i].cmdline);
        expect_log(&r, boots[i].log);
        finish(&r);
    }
}

static const struct {
    const char *typed, *log;
} dialogues[] = {
    {"echo hi\rpoweroff\r", "tiny> echo hi\r\nhi\r\ntiny> poweroff\r\n"},
    {"echo hi\npoweroff\n", "tiny> echo hi\r\nhi\r\ntiny> poweroff\r\n"},
    {"ecx\x7fho x\b!\rpoweroff\r", "tiny> ecx\b \bho x\b \b!\r\n!\r\ntiny> poweroff\r\n"},
    {"junk\x15poweroff\r", "tiny> junk\b \b\b \b\b \b\b \bpoweroff\r\n"},
    {"junk\x03poweroff\r", "tiny> junk^C\r\ntiny> poweroff\r\n"},
    {"\x1b[Apoweroff\r\rpoweroff\r",
     "tiny> [Apoweroff\r\n[Apoweroff: no such word, try help\r\ntiny> \r\ntiny> poweroff\r\n"},
    {"sum 5\r\x01\x02\r\n\x03poweroff\r", "tiny> sum 5\r\nsum 5 0x3a753c45\r\ntiny> poweroff\r\n"},
};

static void test_typed(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(dialogues); i++) {
        struct run r;

        run(&r, "quiet", dialogues[i].typed);
        expect_log(&r, dialogues[i].log);
        finish(&r);
    }
}

static void test_self_test(void **state)
{
    struct run r;

    (void)state;
    run(&r, "quiet; selftest; poweroff", NULL);
    r.machine.log[r.machine.n_log - 1] = '\0';
    assert_null(strstr((char *)r.machine.log, "FAILED"));
    assert_non_null(strstr((char *)r.machine.log, "selftest: 34 ok, 0 failed\r"));
    finish(&r);
}

static void test_line_is_bounded(void **state)
{
    struct run r;
    char typed[600] = "echo ", log[700] = "tiny> echo ";

    (void)state;
    memset(typed + 5, 'x', 300);
    strcpy(typed + 305, "\rpoweroff\r");
    memset(log + 11, 'x', 250);
    memset(log + 261, '\a', 50);
    strcpy(log + 311, "\r\n");
    memset(log + 313, 'x', 250);
    strcpy(log + 563, "\r\ntiny> poweroff\r\n");
    run(&r, "quiet", typed);
    expect_log(&r, log);
    finish(&r);
}

/* Ctrl-C ends the words that would go on for ever, after a whole line; what is typed behind it is kept. */
static void test_interrupt(void **state)
{
    static const char typed[] = "spew 1000000000000\r\x03slow 1000000000 1\r\x03poweroff\r";
    static const char begin[] = "tiny> spew 1000000000000\r\n0 ABC", tail[] = "^C\r\ntiny> poweroff\r\n";
    static const char middle[] = "\r\n^C\r\ntiny> slow 1000000000 1\r\n";
    struct run r;

    (void)state;
    run(&r, "quiet", typed);
    assert_memory_equal(r.machine.log, begin, sizeof begin - 1);
    assert_memory_equal(r.machine.log + r.machine.n_log - (sizeof tail - 1), tail, sizeof tail - 1);
    assert_non_null(memmem(r.machine.log, r.machine.n_log, middle, sizeof middle - 1));
    finish(&r);
}

static void test_spew_is_exact(void **state)
{
    static const struct {
        const char *cmdline;
        uint64_t n;
        uint32_t width;
    } rows[] = {{"quiet; spew 100000; poweroff", 100000, SPEW_WIDTH_DEFAULT},
                {"quiet; spew 20000 1; poweroff", 20000, 1},
                {"quiet; spew 3000 1024; poweroff", 3000, 1024},
                {"console=console_io; quiet; spew 20000 33; poweroff", 20000, 33}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct run r;

        run(&r, rows[i].cmdline, NULL);
        expect_spew(&r, rows[i].n, rows[i].width);
        finish(&r);
    }
}

/* T15 with the real guest: the flag goes to and fro between its calls. */
static void test_flag_toggles_under_spew(void **state)
{
    struct run r;

    (void)state;
    memset(&r, 0, sizeof r);
    build(&r, "quiet; spew 30000; poweroff");
    r.toggles = true;
    start(&r);
    serve(&r);
    expect_spew(&r, 30000, SPEW_WIDTH_DEFAULT);
    assert_true(r.machine.by_hypercall > 0 && r.machine.n_sends > 0);
    assert_true(r.n_toggled > 100);
    finish(&r);
}

static void test_without_a_hypervisor(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        close(2);
        execl(tiny_path(), "tiny-process", (char *)NULL);
        _exit(126);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

static const struct {
    const char *name;
    long nr, a0, a1, a2;
    bool allowed;
} system_calls[] = {
    {"futex", SYS_futex, 0, FUTEX_WAKE, 0, true},
    {"read of a call page", SYS_read, VC_CALL_FD_PAGES, 0, 0, true},
    {"write to standard error", SYS_write, 2, 0, 0, true},
    {"read of another descriptor", SYS_read, VC_CALL_FD_PAGES + 1, 0, 0, false},
    {"write to another descriptor", SYS_write, 1000, 0, 0, false},
    {"write to descriptor -1", SYS_write, -1, 0, 0, false},
    {"getpid", SYS_getpid, 0, 0, 0, false},
    {"open", SYS_open, 0, 0, 0, false},
    {"mmap", SYS_mmap, 0, 4096, 0, false},
    {"execve", SYS_execve, 0, 0, 0, false},
    {"socket", SYS_socket, 1, 1, 0, false},
    {"x32 write", 0x40000001, 2, 0, 0, false},
};

static void test_sandbox(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(system_calls); i++) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
            if (!process_sandbox())
                syscall(SYS_exit_group, 99);
            syscall(system_calls[i].nr, system_calls[i].a0, system_calls[i].a1, system_calls[i].a2);
            syscall(SYS_exit_group, 7);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (system_calls[i].allowed ? !WIFEXITED(status) || WEXITSTATUS(status) != 7
                                    : !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status %#x", system_calls[i].name, (unsigned)status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot_arguments),
        cmocka_unit_test(test_typed),
        cmocka_unit_test(test_self_test),
        cmocka_unit_test(test_line_is_bounded),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_spew_is_exact),
        cmocka_unit_test(test_flag_toggles_under_spew),
        cmocka_unit_test(test_without_a_hypervisor),
        cmocka_unit_test(test_sandbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
