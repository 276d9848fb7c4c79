/* SPDX-License-Identifier: MIT */
/* The file of a saved domain: what was written is read, and whatever else stands there is refused with one line. */
#include "unit.h"

#include "host/crc32c.h"
#include "vmm/config_value.h"
#include "vmm/save_config.h"
#include "vmm/save_file.h"
#include "vmm/save_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/vcons-test-save.XXXXXX";
static const uint8_t id[SAVE_ID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* Linked in the place of libc's. */
static ssize_t write_takes = -1; /* < 0: what the file takes */
ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    if (write_takes == 0)
        return 0;
    return __real_pwrite64(fd, bytes, write_takes > 0 && n > (size_t)write_takes ? (size_t)write_takes : n, at);
}

static int open_fresh(void)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* Two pages of RAM at 8192. */
static void write_small(void)
{
    uint8_t head[8] = {0, 0x20}, pages[8192];
    struct save_out out;
    int fd = open_fresh();

    memset(pages, 'p', sizeof pages);
    save_out_begin(&out, fd, id);
    save_out_record(&out, SAVE_CONFIG, "config", 6, NULL, 0);
    save_out_record(&out, SAVE_STATE, "state", 5, "more", 4);
    save_out_record(&out, SAVE_ENGINE, NULL, 0, NULL, 0);
    save_out_record(&out, SAVE_RAM, head, sizeof head, pages, 64);
    assert_int_equal(save_out_end(&out), 0);
    close(fd);
}

static uint8_t *slurp(size_t *n)
{
    struct stat st;
    uint8_t *bytes;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(fstat(fd, &st), 0);
    *n = (size_t)st.st_size;
    bytes = malloc(*n + 1);
    assert_int_equal(read(fd, bytes, *n), *n);
    close(fd);
    return bytes;
}

static void spit(const uint8_t *bytes, size_t n)
{
    int fd = open_fresh();

    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* 0: all of it was read, with END. Else *p says why not. */
static int read_all(struct problem *p)
{
    enum save_kind last = 0;
    struct save_in in;
    int result = save_in_open(&in, path, p);

    while (result == 0 && !in.ended)
        result = save_in_next(&in, last, &last, p);
    save_in_close(&in);
    return result;
}

static void as_it_was_written(void **state)
{
    static const struct {
        enum save_kind kind;
        size_t n;
        const char *bytes;
    } wanted[] = {{SAVE_CONFIG, 6, "config"},
                  {SAVE_STATE, 9, "statemore"},
                  {SAVE_ENGINE, 0, ""},
                  {SAVE_RAM, 72, NULL},
                  {SAVE_END, 0, ""}};
    enum save_kind last = 0;
    struct save_in in;
    struct problem p;

    (void)state;
    write_small();
    assert_int_equal(save_in_open(&in, path, &p), 0);
    assert_memory_equal(in.id, id, sizeof id);
    for (size_t i = 0; i < N_ROWS(wanted); i++) {
        assert_int_equal(save_in_next(&in, last, &last, &p), 0);
        assert_int_equal(last, wanted[i].kind);
        assert_int_equal(in.bytes, wanted[i].n);
        if (wanted[i].bytes != NULL)
            assert_memory_equal(in.payload, wanted[i].bytes, in.bytes);
    }
    assert_true(in.ended);
    save_in_close(&in);
}

static void clear(const char *what, size_t at, const struct problem *p)
{
    if (strncmp(p->text, path, strlen(path)) != 0 || strchr(p->text, '\n') != NULL)
        fail_msg("%s %zu: \"%s\"", what, at, p->text);
}

static void cut_anywhere(void **state)
{
    struct problem p;
    uint8_t *bytes;
    size_t n;

    (void)state;
    write_small();
    bytes = slurp(&n);
    for (size_t cut = 0; cut < n; cut++) {
        spit(bytes, cut);
        if (read_all(&p) == 0)
            fail_msg("taken, cut to %zu of %zu", cut, n);
        clear("cut to", cut, &p);
    }
    bytes[n] = 0;
    spit(bytes, n + 1);
    assert_int_equal(read_all(&p), -1);
    assert_non_null(strstr(p.text, "behind its end"));
    free(bytes);
}

static void altered_anywhere(void **state)
{
    struct problem p;
    uint8_t *bytes;
    size_t n;

    (void)state;
    write_small();
    bytes = slurp(&n);
    for (size_t at = 0; at < n; at++) {
        bytes[at] ^= 0x10;
        spit(bytes, n);
        if (read_all(&p) == 0)
            fail_msg("taken, with byte %zu of %zu altered", at, n);
        clear("altered at", at, &p);
        bytes[at] ^= 0x10;
    }
    free(bytes);
}

/* Records that are whole and have their checksums, but not this order or size. */
static void no_such_order(void **state)
{
    static const struct {
        const char *name;
        enum save_kind kinds[8];
    } rows[] = {
        {"nothing but an end", {SAVE_END}},
        {"no state", {SAVE_CONFIG, SAVE_ENGINE, SAVE_END}},
        {"no engine", {SAVE_CONFIG, SAVE_STATE, SAVE_RAM, SAVE_END}},
        {"two configurations", {SAVE_CONFIG, SAVE_CONFIG, SAVE_STATE, SAVE_ENGINE, SAVE_END}},
        {"two states", {SAVE_CONFIG, SAVE_STATE, SAVE_STATE, SAVE_ENGINE, SAVE_END}},
        {"state first", {SAVE_STATE, SAVE_CONFIG, SAVE_ENGINE, SAVE_END}},
        {"engine after memory", {SAVE_CONFIG, SAVE_STATE, SAVE_ENGINE, SAVE_RAM, SAVE_ENGINE, SAVE_END}},
        {"a kind of tomorrow", {SAVE_CONFIG, SAVE_STATE, SAVE_ENGINE, (enum save_kind)6, SAVE_END}},
        {"no end", {SAVE_CONFIG, SAVE_STATE, SAVE_ENGINE, SAVE_RAM}},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct save_out out;
        struct problem p;
        int fd = open_fresh();

        save_out_begin(&out, fd, id);
        for (size_t k = 0; rows[i].kinds[k] != 0; k++)
            save_out_record(&out, rows[i].kinds[k], NULL, 0, NULL, 0);
        assert_int_equal(out.error, 0);
        close(fd);
        if (read_all(&p) == 0)
            fail_msg("taken: %s", rows[i].name);
        clear(rows[i].name, 0, &p);
    }
}

/* It says that it is long; memory is asked for only if the file is. */
static void lengths_that_lie(void **state)
{
    static const uint64_t lengths[] = {1, 65537, UINT32_MAX, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < N_ROWS(lengths); i++) {
        struct problem p;
        uint8_t *bytes;
        size_t n;
        uint32_t crc;

        write_small();
        bytes = slurp(&n);
        memcpy(bytes + 32 + 8, &lengths[i], 8);
        crc = crc32c(crc32c(0, bytes + 32, 16), bytes + 56, n - 56);
        memcpy(bytes + 32 + 16, &crc, 4);
        spit(bytes, n);
        assert_int_equal(read_all(&p), -1);
        clear("length", i, &p);
        free(bytes);
    }
}

static void what_is_no_file(void **state)
{
    static const char *const names[] = {"/tmp", "/dev/null", "/dev/zero", "/nowhere/at/all", "/proc/self/mem"};

    (void)state;
    for (size_t i = 0; i < N_ROWS(names); i++) {
        struct save_in in;
        struct problem p = {""};

        assert_int_equal(save_in_open(&in, names[i], &p), -1);
        assert_int_equal(strncmp(p.text, names[i], strlen(names[i])), 0);
        save_in_close(&in);
    }
    spit((const uint8_t *)"vcnsave\n\x09\0\0\0........................", 36);
    {
        struct problem p;

        assert_int_equal(read_all(&p), -1);
        assert_non_null(strstr(p.text, "format 9: expected 2"));
    }
}

/* A file system that takes seven bytes at a time takes all; one that takes none is an error, and no loop without end. */
static void written_in_parts(void **state)
{
    struct save_out out;
    struct problem p;
    int fd;

    (void)state;
    write_takes = 7;
    write_small();
    write_takes = -1;
    assert_int_equal(read_all(&p), 0);
    fd = open_fresh();
    save_out_begin(&out, fd, id);
    write_takes = 0;
    save_out_record(&out, SAVE_CONFIG, "config", 6, NULL, 0);
    write_takes = -1;
    assert_int_equal(out.error, -EIO);
    assert_int_equal(save_out_end(&out), -EIO);
    close(fd);
}

/* ---- RAM. ---- */

#define RAM_BYTES (UINT64_C(6) << 20)

static atomic_bool writes_on;

/* What only a guest that is a process, and breaks the rules, can do: it writes to its memory while that is saved. */
static void *scribble(void *memory)
{
    struct guest_memory *m = memory;
    uint8_t value = 0;

    while (atomic_load(&writes_on)) {
        value++;
        for (uint64_t at = 100; at < m->bytes; at += 4096)
            *(volatile uint8_t *)(m->base + at) = value;
    }
    return NULL;
}

static void write_with_memory(const struct guest_memory *m)
{
    struct save_out out;
    int fd = open_fresh();

    save_out_begin(&out, fd, id);
    save_out_record(&out, SAVE_CONFIG, NULL, 0, NULL, 0);
    save_out_record(&out, SAVE_STATE, NULL, 0, NULL, 0);
    save_out_record(&out, SAVE_ENGINE, NULL, 0, NULL, 0);
    save_memory(&out, m);
    assert_int_equal(save_out_end(&out), 0);
    close(fd);
}

static void memory_that_changes(void **state)
{
    struct guest_memory m;
    struct problem p;
    pthread_t writer;
    int result = 0;

    (void)state;
    assert_int_equal(memory_create(&m, RAM_BYTES, 0, &p), 0);
    atomic_store(&writes_on, true);
    assert_int_equal(pthread_create(&writer, NULL, scribble, &m), 0);
    while (*(volatile uint8_t *)(m.base + 100) == 0)
        continue;
    for (int i = 0; result == 0 && i < 8; i++) {
        write_with_memory(&m);
        result = read_all(&p);
    }
    atomic_store(&writes_on, false);
    pthread_join(writer, NULL);
    if (result != 0)
        fail_msg("its checksum is not of what was written: %s", p.text);
    memory_destroy(&m);
}

/* Pages that are not zero, and no others, each in its place: the file is as large as these. */
static void comes_back(struct guest_memory *m)
{
    static const uint64_t pages[] = {0, 1, 2, 7, 255, 256, 257, 511, 512, RAM_BYTES / 4096 - 1};
    struct problem p;
    enum save_kind last = 0;
    struct save_in in;
    size_t n_found = 0;
    unsigned char there;

    memset(m->base + 4096 * 300, 0, 4096); /* there, but zero */
    for (size_t i = 0; i < N_ROWS(pages); i++)
        memset(m->base + 4096 * pages[i], (int)(i + 1), 4096);
    write_with_memory(m);
    assert_int_equal(save_in_open(&in, path, &p), 0);
    assert_true(in.size < 4096 * N_ROWS(pages) + 1024);
    while (!in.ended) {
        uint64_t gpa;

        assert_int_equal(save_in_next(&in, last, &last, &p), 0);
        if (last != SAVE_RAM)
            continue;
        memcpy(&gpa, in.payload, 8);
        for (size_t at = 8; at < in.bytes; at += 4096, gpa += 4096, n_found++) {
            assert_int_equal(gpa, 4096 * pages[n_found]);
            assert_memory_equal(in.payload + at, m->base + gpa, 4096);
        }
    }
    assert_int_equal(n_found, N_ROWS(pages));
    save_in_close(&in);
    assert_int_equal(mincore(m->base + 4096 * 400, 4096, &there), 0); /* what was never there still is not */
    assert_int_equal(there & 1, 0);
    memory_destroy(m);
}

static void memory_comes_back(void **state)
{
    struct guest_memory m;
    struct problem p;

    (void)state;
    assert_int_equal(memory_create(&m, RAM_BYTES, 0, &p), 0);
    comes_back(&m);
    assert_int_equal(memory_create_pc(&m, RAM_BYTES, &p), 0);
    comes_back(&m);
}

/* ---- CONFIG. ---- */

static struct domain_config *sample(struct vmm_config *config)
{
    struct problem p;
    struct domain_config *d;

    config_defaults(config, NULL);
    d = config_domain_add(config, "web", &p);
    assert_non_null(d);
    strcpy(d->engine, "process");
    d->kernel = strdup("tiny");
    d->cmdline = strdup("quiet; \"x\" \\ ; spew 3");
    d->ramdisk = strdup("/a/ramdisk");
    d->vcpus = 3;
    d->domid = 7;
    d->hold_ms = CONFIG_HOLD_FOREVER;
    d->on_crash = ACTION_PRESERVE;
    d->connected = CONNECTED_SERVICE;
    assert_non_null(config_console_add(d));
    strcpy(d->consoles[1].name, "io");
    d->consoles[1].door = DOOR_CONSOLE_IO;
    for (uint32_t i = 0; i < 2; i++) { /* what is left of a device whose port 0 went */
        struct config_console *c = config_console_add(d);

        assert_non_null(c);
        snprintf(c->name, sizeof c->name, "v%u", i);
        c->door = i == 0 ? DOOR_VIRTIO : DOOR_VIRTIO_PORT;
        c->device = 3;
        c->port = i + 1;
    }
    d->virtio_ports[0] = 33;
    d->virtio_ports[3] = 35;
    d->virtio_rows_first = true;
    memset(d->uuid, 7, sizeof d->uuid);
    return d;
}

static void configuration_comes_back(void **state)
{
    struct vmm_config config, read;
    struct domain_config *d = sample(&config), *e;
    uint8_t bytes[8192];
    struct vc_writer w;
    struct problem p;

    (void)state;
    vc_writer_init(&w, bytes, sizeof bytes);
    save_config_write(d, d->domid, &w);
    assert_true(vc_writer_ok(&w));
    config_defaults(&read, NULL);
    assert_int_equal(save_config_read(&read, bytes, w.n, NULL, &p), 0);
    e = &read.domains[0];
    assert_string_equal(e->name, "web");
    assert_string_equal(e->engine, "process");
    assert_string_equal(e->kernel, "tiny");
    assert_string_equal(e->cmdline, d->cmdline);
    assert_string_equal(e->ramdisk, "/a/ramdisk");
    assert_int_equal(e->vcpus, 3);
    assert_int_equal(e->domid, 7);
    assert_int_equal(e->hold_ms, CONFIG_HOLD_FOREVER);
    assert_int_equal(e->on_crash, ACTION_PRESERVE);
    assert_int_equal(e->connected, CONNECTED_SERVICE);
    assert_int_equal(e->n_consoles, 4);
    assert_string_equal(e->consoles[1].name, "io");
    assert_int_equal(e->consoles[1].door, DOOR_CONSOLE_IO);
    assert_int_equal(e->consoles[2].door, DOOR_VIRTIO);
    assert_int_equal(e->consoles[3].door, DOOR_VIRTIO_PORT);
    assert_int_equal(e->consoles[3].device, 3);
    assert_int_equal(e->consoles[3].port, 2);
    assert_memory_equal(e->virtio_ports, d->virtio_ports, sizeof d->virtio_ports);
    assert_true(e->virtio_rows_first);
    assert_false(e->virtio_together);
    assert_memory_equal(e->uuid, d->uuid, sizeof d->uuid);
    vmm_config_finish(&read);
    /* Under another name it is another domain. */
    config_defaults(&read, NULL);
    assert_int_equal(save_config_read(&read, bytes, w.n, "mail", &p), 0);
    assert_string_equal(read.domains[0].name, "mail");
    assert_int_equal(read.domains[0].uuid[0], 0);
    vmm_config_finish(&read);
    vmm_config_finish(&config);
}

static void no_vcpus(struct domain_config *d) { d->vcpus = 0; }
static void many_vcpus(struct domain_config *d) { d->vcpus = CONFIG_VCPUS_MAX + 1; }
static void no_memory(struct domain_config *d) { d->memory_bytes = 4096; }
static void odd_memory(struct domain_config *d) { d->memory_bytes += 1; }
static void all_memory(struct domain_config *d) { d->memory_bytes = UINT64_MAX & ~UINT64_C(4095); }
static void no_consoles(struct domain_config *d) { d->n_consoles = 0; }
static void a_program(struct domain_config *d) { strcpy(d->engine, "command"); }
static void undecided(struct domain_config *d) { strcpy(d->engine, "auto"); }
static void relative(struct domain_config *d) { strcpy(d->kernel, "x/y"); }
static void relative_ramdisk(struct domain_config *d) { d->ramdisk[0] = 'x'; }
static void two_calls(struct domain_config *d) { d->consoles[0].door = DOOR_CONSOLE_IO; }
static void a_pty(struct domain_config *d) { d->consoles[0].door = DOOR_COMMAND; }
static void same_names(struct domain_config *d) { strcpy(d->consoles[1].name, "hvc0"); }
static void a_path(struct domain_config *d) { strcpy(d->consoles[0].name, "../x"); }
static void port_beyond(struct domain_config *d) { d->consoles[2].port = 35; }
static void device_beyond(struct domain_config *d) { d->consoles[2].device = CONFIG_VIRTIO_MAX; }
static void device_of_none(struct domain_config *d) { d->consoles[2].device = 1; }
static void same_port(struct domain_config *d) { d->consoles[2].port = 2; }
static void xen_port(struct domain_config *d) { d->consoles[0].port = 1; }
static void xen_device(struct domain_config *d) { d->consoles[0].device = 3; }
static void many_ports(struct domain_config *d) { d->virtio_ports[3] = CONFIG_VIRTIO_PORTS + 1; }
static void no_type(struct domain_config *d) { d->consoles[2].door = DOOR_VIRTIO_PORT + 1; }
static void domain_path(struct domain_config *d) { strcpy(d->name, "../x"); }
static void no_action(struct domain_config *d) { d->on_crash = (enum config_action)3; }
static void no_domid(struct domain_config *d) { d->domid = 0; }
static void reserved_domid(struct domain_config *d) { d->domid = 0x7ff0; }
static void no_hold(struct domain_config *d) { d->hold_ms = -2; }
static void a_newline(struct domain_config *d) { d->cmdline[0] = '\n'; }

static void configuration_refused(void **state)
{
    static const struct {
        const char *name;
        void (*spoil)(struct domain_config *d);
    } rows[] = {{"no vCPUs", no_vcpus},
                {"65 vCPUs", many_vcpus},
                {"a page of memory", no_memory},
                {"memory that is no pages", odd_memory},
                {"2^64 bytes of memory", all_memory},
                {"no consoles", no_consoles},
                {"engine command", a_program},
                {"engine auto", undecided},
                {"a relative kernel", relative},
                {"a relative ramdisk", relative_ramdisk},
                {"two consoles for hypercalls", two_calls},
                {"a console that is a pty", a_pty},
                {"two consoles of one name", same_names},
                {"a console named as a path", a_path},
                {"a domain named as a path", domain_path},
                {"a port that its device has not", port_beyond},
                {"device 32", device_beyond},
                {"a device without ports", device_of_none},
                {"two consoles of one port", same_port},
                {"a PV console of a port", xen_port},
                {"a PV console of a device", xen_device},
                {"512 ports", many_ports},
                {"a type that is none", no_type},
                {"an action that is none", no_action},
                {"hold -2", no_hold},
                {"domain 0", no_domid},
                {"a domid of those that are reserved", reserved_domid},
                {"a line break in the command line", a_newline}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vmm_config config, read;
        struct domain_config *d = sample(&config);
        uint8_t bytes[8192];
        struct vc_writer w;
        struct problem p = {""};

        rows[i].spoil(d);
        vc_writer_init(&w, bytes, sizeof bytes);
        save_config_write(d, d->domid, &w);
        config_defaults(&read, NULL);
        if (save_config_read(&read, bytes, w.n, NULL, &p) == 0 || strncmp(p.text, "damaged: ", 9) != 0)
            fail_msg("taken: %s: %s", rows[i].name, p.text);
        vmm_config_finish(&read);
        vmm_config_finish(&config);
    }
}

/* Written before there was virtio: domains of those files go on. */
static void configuration_of_version_2(void **state)
{
    static const uint32_t numbers[] = {2, 0x10011, 1000, 0,
                                       0, 1,       0,    5}; /* vcpus, version, hold, connected, actions, domid */
    static const char *const texts[] = {"web", "process", "tiny", "", "quiet"};
    static const uint8_t uuid[16] = {1};
    struct vmm_config read;
    uint8_t bytes[1024];
    struct vc_writer w;
    struct problem p;

    (void)state;
    vc_writer_init(&w, bytes, sizeof bytes);
    vc_write_u32(&w, 2);
    for (size_t i = 0; i < N_ROWS(texts); i++) {
        vc_write_u32(&w, (uint32_t)strlen(texts[i]));
        vc_write_bytes(&w, texts[i], strlen(texts[i]));
    }
    vc_write_u64(&w, UINT64_C(64) << 20);
    for (size_t i = 0; i < N_ROWS(numbers); i++)
        vc_write_u32(&w, numbers[i]);
    vc_write_bytes(&w, uuid, sizeof uuid);
    vc_write_u32(&w, 1);
    vc_write_u32(&w, 4);
    vc_write_bytes(&w, "hvc0", 4);
    vc_write_u32(&w, DOOR_XEN);
    assert_true(vc_writer_ok(&w));
    config_defaults(&read, NULL);
    assert_int_equal(save_config_read(&read, bytes, w.n, NULL, &p), 0);
    assert_int_equal(read.domains[0].n_consoles, 1);
    assert_string_equal(read.domains[0].consoles[0].name, "hvc0");
    assert_int_equal(config_virtio_devices(&read.domains[0]), 0);
    vmm_config_finish(&read);
}

static void configuration_cut(void **state)
{
    struct vmm_config config;
    struct domain_config *d = sample(&config);
    uint8_t bytes[8192];
    struct vc_writer w;

    (void)state;
    vc_writer_init(&w, bytes, sizeof bytes);
    save_config_write(d, d->domid, &w);
    for (size_t n = 0; n < w.n; n++) {
        uint8_t *cut = malloc(n + (n == 0));
        struct vmm_config read;
        struct problem p;

        memcpy(cut, bytes, n);
        config_defaults(&read, NULL);
        assert_int_equal(save_config_read(&read, cut, n, NULL, &p), -1);
        vmm_config_finish(&read);
        free(cut);
    }
    vmm_config_finish(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_was_written),          cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(altered_anywhere),           cmocka_unit_test(no_such_order),
        cmocka_unit_test(lengths_that_lie),           cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(configuration_comes_back),   cmocka_unit_test(configuration_refused),
        cmocka_unit_test(configuration_of_version_2), cmocka_unit_test(configuration_cut),
        cmocka_unit_test(written_in_parts),           cmocka_unit_test(memory_comes_back),
        cmocka_unit_test(memory_that_changes),
    };
    int fd = mkstemp(path), result;

    close(fd);
    result = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return result;
}
