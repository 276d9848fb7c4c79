/* SPDX-License-Identifier: MIT */
/* The process that connects to XenStore for a service that may not: what it gets is ours, what it does not is told, and it ends with us. */
#include "unit.h"

#include "../../xen/dialer.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -errno;
}

static int listen_there(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void asked(void **state)
{
    struct dialer d;
    struct problem p;
    char byte = 0;
    int listening, ours, theirs, status;

    (void)state;
    assert_int_equal(dialer_start(&d, dial, &p), 0);
    assert_int_equal(dialer_ask(&d), -ENOENT);
    listening = listen_there();
    for (int i = 0; i < 3; i++) {
        ours = dialer_ask(&d);
        assert_true(ours >= 0);
        assert_true((fcntl(ours, F_GETFD) & FD_CLOEXEC) != 0);
        theirs = accept(listening, NULL, NULL);
        assert_int_equal(write(ours, "x", 1), 1);
        assert_int_equal(read(theirs, &byte, 1), 1);
        close(ours);
        assert_int_equal(read(theirs, &byte, 1), 0); /* the dialer kept none of it */
        close(theirs);
    }
    close(listening);
    assert_int_equal(dialer_ask(&d), -ECONNREFUSED);
    dialer_close(&d);
    assert_true(wait(&status) > 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(dialer_ask(&d), -EPIPE);
    unlink(address.sun_path);
}

/* It holds nothing that was open: not even while it waits. */
static void holds_nothing(void **state)
{
    struct dialer d;
    struct problem p;
    char byte;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dialer_start(&d, dial, &p), 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    dialer_close(&d);
    assert_true(wait(NULL) > 0);
}

static void killed(void **state)
{
    struct dialer d;
    struct problem p;
    char line[256] = "";
    FILE *children;

    (void)state;
    assert_int_equal(dialer_start(&d, dial, &p), 0);
    children = fopen("/proc/thread-self/children", "r");
    if (children == NULL) {
        dialer_close(&d);
        assert_true(wait(NULL) > 0);
        skip(); /* a kernel that does not tell */
    }
    assert_non_null(fgets(line, sizeof line, children));
    fclose(children);
    assert_int_equal(kill((pid_t)strtol(line, NULL, 10), SIGKILL), 0);
    assert_true(wait(NULL) > 0);
    assert_int_equal(dialer_ask(&d), -EPIPE);
    assert_int_equal(d.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(asked), cmocka_unit_test(holds_nothing),
                                       cmocka_unit_test(killed)};
    char directory[] = "/tmp/vcons-dialer-XXXXXX";
    int failed;

    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
