/* SPDX-License-Identifier: MIT */
/* What is kept of a domain's consoles: files as they should be, and as they should not. */
#include "unit.h"

#include "../../xen/keep.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID "00112233445566778899aabbccddeeff"

static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
static const uint8_t other[16] = {1};

static void texts(void **state)
{
    static const struct {
        const char *text;
        size_t bytes; /* 0: of the text */
        bool ok;
    } rows[] = {
        {"1 " UUID "\npv1\n", 0, true},
        {"1 " UUID "\npv1\nbuild\n%2Fx\n", 0, true},
        {"", 0, false},
        {"1 " UUID "\n", 0, false},       /* of nothing */
        {"1 " UUID, 0, false},            /* no line */
        {"1 " UUID "\npv1", 0, false},    /* torn */
        {"2 " UUID "\npv1\n", 0, false},  /* another form */
        {"1 " UUID "0\npv1\n", 0, false}, /* too long a UUID */
        {"1 00112233\npv1\n", 0, false},  /* too short */
        {"1 \npv1\n", 0, false},          /* none */
        {"1 0011223344556677 899aabbccddeef\npv1\n", 0, false},
        {"1 " UUID "\n\npv1\n", 0, false}, /* an empty name */
        {"1 " UUID "\n../x\n", 0, false},  /* a path */
        {"1 " UUID "\n.\n", 0, false},
        {"1 " UUID "\npv1 \n", 0, false},
        {"1 " UUID "\npv1\r\n", 0, false},
        {"1 " UUID "\n\033[2J\n", 0, false},
        {"1 " UUID "\npv1\npv1\n", 0, false}, /* twice */
        {"1 " UUID "\na\nb\nc\nd\ne\nf\ng\nh\ni\n", 0, true},
        {"1 " UUID "\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 0, false}, /* more than there can be */
        {"1 " UUID "\nabcdefghabcdefghabcdefghabcdefgh\n", 0, true},
        {"1 " UUID "\nabcdefghabcdefghabcdefghabcdefghi\n", 0, false},
        {"1 " UUID "\np\0v\n", 39, false},
    };
    struct kept k, again;
    char text[KEEP_BYTES];

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        size_t n = rows[i].bytes != 0 ? rows[i].bytes : strlen(rows[i].text);

        if (keep_parse(rows[i].text, n, &k) != rows[i].ok)
            fail_msg("row %zu: %s", i, rows[i].text);
        if (!rows[i].ok)
            continue;
        assert_memory_equal(k.uuid, uuid, sizeof uuid);
        assert_int_equal(keep_format(&k, text), n);
        assert_string_equal(text, rows[i].text);
        assert_true(keep_parse(text, n, &again));
        assert_int_equal(again.n, k.n);
    }
}

/* Each byte of a file changed to each value, and each length: taken or not, nothing else happens. */
static void any_bytes(void **state)
{
    static const char good[] = "1 " UUID "\npv1\nbuild\n";
    char text[sizeof good];
    struct kept k;

    (void)state;
    for (size_t i = 0; i < sizeof good - 1; i++)
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, good, sizeof good);
            text[i] = (char)byte;
            if (keep_parse(text, sizeof good - 1, &k))
                assert_in_range(k.n, 1, 3);
            if (i > 0)
                (void)keep_parse(good, i, &k);
        }
    assert_false(keep_parse(good, KEEP_BYTES, &k)); /* the length alone says so: nothing is read */
}

static char state_directory[64];
static struct keep keep;

static int set_up(void **state)
{
    (void)state;
    strcpy(state_directory, "/tmp/vcons-keep-XXXXXX");
    return mkdtemp(state_directory) == NULL || keep_open(&keep, state_directory) != 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"web", "db", "big", "link", "fifo", "dir"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < N_ROWS(names); i++)
        if (unlinkat(keep.fd, names[i], 0) != 0)
            unlinkat(keep.fd, names[i], AT_REMOVEDIR);
    keep_close(&keep);
    snprintf(path, sizeof path, "%s/xen", state_directory);
    return rmdir(path) != 0 || rmdir(state_directory) != 0;
}

static void put(const char *name, const char *text, size_t n)
{
    int fd = openat(keep.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static void by_name_and_uuid(void **state)
{
    struct kept k;
    char file[NAME_BYTES];

    (void)state;
    assert_int_equal(keep_find(&keep, "web", uuid, &k, file), -ENOENT);
    assert_int_equal(keep_add(&keep, "web", uuid, "pv1"), 0);
    assert_int_equal(keep_add(&keep, "web", uuid, "build"), 0);
    assert_int_equal(keep_add(&keep, "web", uuid, "pv1"), 0);      /* it is there */
    assert_int_equal(keep_find(&keep, "web", other, &k, file), 0); /* created anew, with another UUID */
    assert_int_equal(k.n, 2);
    assert_string_equal(k.names[1], "build");
    assert_int_equal(keep_find(&keep, "www", uuid, &k, file), 0); /* renamed */
    assert_string_equal(file, "web");
    assert_int_equal(keep_find(&keep, "www", other, &k, file), -ENOENT);
    assert_int_equal(keep_add(&keep, "www", uuid, "more"), 0); /* into the file that is there */
    assert_int_equal(keep_remove(&keep, "web", NULL, "nothing"), -ENOENT);
    assert_int_equal(keep_remove(&keep, "web", NULL, "pv1"), 0);
    assert_int_equal(keep_remove(&keep, "www", uuid, "build"), 0);
    assert_int_equal(keep_find(&keep, "web", uuid, &k, file), 0);
    assert_int_equal(k.n, 1);
    assert_string_equal(k.names[0], "more");
    assert_int_equal(keep_remove(&keep, "web", NULL, "more"), 0);
    assert_int_equal(keep_find(&keep, "web", uuid, &k, file), -ENOENT);
    assert_int_equal(faccessat(keep.fd, "web", F_OK, 0), -1); /* of nothing there is no file */
    for (int i = 0; i < (int)KEEP_CONSOLES; i++) {
        char name[16];

        snprintf(name, sizeof name, "c%d", i);
        assert_int_equal(keep_add(&keep, "web", uuid, name), 0);
    }
    assert_int_equal(keep_add(&keep, "web", uuid, "one-more"), -ENOSPC);
}

static void no_files(void **state)
{
    static char big[1 << 16];
    struct kept k;
    char file[NAME_BYTES];

    (void)state;
    memset(big, 'x', sizeof big);
    put("big", big, sizeof big);
    put("db", "1 " UUID "\n../../etc\n", 2 + 32 + 1 + 10);
    assert_int_equal(symlinkat("db", keep.fd, "link"), 0);
    assert_int_equal(mkfifoat(keep.fd, "fifo", 0600), 0);
    assert_int_equal(mkdirat(keep.fd, "dir", 0700), 0);
    assert_int_equal(keep_find(&keep, "big", other, &k, file), -EPROTO);
    assert_int_equal(keep_find(&keep, "db", other, &k, file), -EPROTO);
    assert_int_equal(keep_find(&keep, "link", other, &k, file), -EPROTO);
    assert_int_equal(keep_find(&keep, "fifo", other, &k, file), -EPROTO);
    assert_int_equal(keep_find(&keep, "dir", other, &k, file), -EPROTO);
    assert_int_equal(keep_find(&keep, "../web", other, &k, file), -ENOENT);
    assert_int_equal(keep_find(&keep, "none", other, &k, file),
                     -ENOENT);                               /* all of these are looked into for the UUID */
    assert_int_equal(keep_add(&keep, "db", uuid, "pv1"), 0); /* in its place */
    assert_int_equal(keep_find(&keep, "db", other, &k, file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(any_bytes),
                                       cmocka_unit_test_setup_teardown(by_name_and_uuid, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(no_files, set_up, tear_down)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
