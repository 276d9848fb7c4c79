/* SPDX-License-Identifier: MIT */
/* The command against services that lie, stop in the middle or are none: each a script played by a thread at a socket. */
#include "unit.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/conn.h"
#include "host/sock.h"
#include "one_file.h"
struct service {
    const char *answer[3]; /* sent after one request each; NULL: close instead */
    size_t pad;            /* of the second answer: so many spaces before its end */
    int listener;
    pthread_t thread;
};

static void write_padded(int fd, const struct service *s, int i)
{
    static char spaces[65536];
    size_t left = i == 1 ? s->pad : 0;

    memset(spaces, ' ', sizeof spaces);
    for (; left > 0; left -= left < sizeof spaces ? left : sizeof spaces)
        if (send(fd, spaces, left < sizeof spaces ? left : sizeof spaces, MSG_NOSIGNAL) < 0)
            return;
    if (send(fd, s->answer[i], strlen(s->answer[i]), MSG_NOSIGNAL) < 0)
        return;
}

static void *serve(void *context)
{
    const struct service *s = context;
    char line[4096];
    int fd = accept(s->listener, NULL, NULL);

    for (int i = 0; i < 3 && s->answer[i] != NULL; i++) {
        if (read(fd, line, sizeof line) <= 0)
            break;
        write_padded(fd, s, i);
    }
    close(fd);
    return NULL;
}

static void start(struct service *s)
{
    unlink(path);
    s->listener = sock_listen(path, SOCK_STREAM, 0600, NULL);
    assert_true(s->listener >= 0);
    fcntl(s->listener, F_SETFL, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct service *s)
{
    pthread_join(s->thread, NULL);
    close(s->listener);
}

#define HELLO "{\"id\":1,\"ok\":{\"version\":1}}\n"
static const struct {
    const char *name;
    struct service service;
    int greeted, status;
} rows[] = {
    {"a service", {.answer = {HELLO, "{\"id\":2,\"ok\":{\"x\":1}}\n"}}, EXIT_DONE, EXIT_DONE},
    {"an answer of 3 MiB", {.answer = {HELLO, "{\"id\":2,\"ok\":{}}\n"}, .pad = 3u << 20}, EXIT_DONE, EXIT_DONE},
    {"closes at once", {.answer = {NULL}}, EXIT_NO_SERVICE, 0},
    {"closes after the greeting", {.answer = {HELLO, NULL}}, EXIT_DONE, EXIT_NO_SERVICE},
    {"half a line", {.answer = {"{\"id\":1,", NULL}}, EXIT_NO_SERVICE, 0},
    {"another protocol", {.answer = {"SSH-2.0-OpenSSH\r\n"}}, EXIT_NO_SERVICE, 0},
    {"JSON that is no object", {.answer = {"[1,2]\n"}}, EXIT_NO_SERVICE, 0},
    {"a number for an answer", {.answer = {"{\"id\":1,\"ok\":7}\n"}}, EXIT_NO_SERVICE, 0},
    {"no result", {.answer = {"{\"id\":1}\n"}}, EXIT_NO_SERVICE, 0},
    {"another request's answer", {.answer = {"{\"id\":9,\"ok\":{}}\n"}}, EXIT_NO_SERVICE, 0},
    {"another version", {.answer = {"{\"id\":1,\"error\":\"version\",\"message\":\"1 to 1\"}\n"}}, EXIT_FAILED, 0},
    {"no such console",
     {.answer = {HELLO, "{\"id\":2,\"error\":\"no-such-console\",\"message\":\"no x\"}\n"}},
     EXIT_DONE,
     EXIT_NO_CONSOLE},
    {"no such domain", {.answer = {HELLO, "{\"id\":2,\"error\":\"no-such-domain\"}\n"}}, EXIT_DONE, EXIT_NO_CONSOLE},
    {"not allowed", {.answer = {HELLO, "{\"id\":2,\"error\":\"not-allowed\"}\n"}}, EXIT_DONE, EXIT_NOT_ALLOWED},
    {"away", {.answer = {HELLO, "{\"id\":2,\"error\":\"away\"}\n"}}, EXIT_DONE, EXIT_FAILED},
    {"deep nesting",
     {.answer = {HELLO, "{\"id\":2,\"ok\":{\"a\":[[[[[[[[[[[[{}]]]]]]]]]]]]}}\n"}},
     EXIT_DONE,
     EXIT_DONE},
    {"NUL in a name",
     {.answer = {HELLO, "{\"id\":2,\"ok\":{\"console\":\"a\\u0000b\"}}\n"}},
     EXIT_DONE,
     EXIT_NO_SERVICE},
};

static void services_of_all_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct service s = rows[i].service;
        struct options options = {.socket = path};
        struct problem p = {""};
        struct conn c;
        json_t *ok = NULL;
        int status;

        start(&s);
        status = conn_try(&c, &options, &p);
        if (status != rows[i].greeted)
            fail_msg("%s: greeting: %d, %s", rows[i].name, status, p.text);
        if (status == EXIT_DONE) {
            status = conn_ask(&c, json_pack("{s:s}", "op", "it"), &ok);
            if (status != rows[i].status)
                fail_msg("%s: %d", rows[i].name, status);
        }
        json_decref(ok);
        conn_close(&c);
        stop(&s);
    }
}

static void frames(void **state)
{
    uint8_t bytes[64] = {0};
    struct conn c = {.fd = -1, .in = bytes, .in_size = sizeof bytes};
    struct vc_control_frame head = {.length = htole32(5), .type = VC_CONTROL_OUT};
    struct frame f;

    (void)state;
    assert_int_equal(conn_frame(&c, &f), 0);
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + 8, "hello", 5);
    for (c.have = 1; c.have < 13; c.have++)
        assert_int_equal(conn_frame(&c, &f), 0);
    assert_int_equal(conn_frame(&c, &f), 1);
    assert_int_equal(f.type, VC_CONTROL_OUT);
    assert_int_equal(f.n, 5);
    assert_memory_equal(f.bytes, "hello", 5);
    assert_int_equal(conn_frame(&c, &f), 0);
    c.taken = 0;
    head.length = htole32(VC_CONTROL_OUT_MAX + 9);
    memcpy(bytes, &head, sizeof head);
    assert_int_equal(conn_frame(&c, &f), -EPROTO);
    head.length = UINT32_MAX;
    memcpy(bytes, &head, sizeof head);
    assert_int_equal(conn_frame(&c, &f), -EPROTO);
}

static void every_path_that_was_tried_is_named(void **state)
{
    struct options any = {.socket = NULL}, user = {.scope = SCOPE_USER}, named = {.socket = "/nowhere/it.sock"};
    char too_long[200];
    struct options at_length = {.socket = too_long};
    struct problem p;
    struct conn c;

    (void)state;
    unsetenv("VCONS_RUNTIME_DIR");
    setenv("XDG_RUNTIME_DIR", directory, 1);
    assert_int_equal(conn_try(&c, &user, &p), EXIT_NO_SERVICE);
    assert_non_null(strstr(p.text, directory));
    assert_null(strstr(p.text, "/run/vcons"));
    if (access("/run/vcons/control.sock", F_OK) != 0) { /* the machine's own service is not ours to ask */
        assert_int_equal(conn_try(&c, &any, &p), EXIT_NO_SERVICE);
        assert_non_null(strstr(p.text, directory));
        assert_non_null(strstr(p.text, "/run/vcons/control.sock"));
    }
    assert_int_equal(conn_try(&c, &named, &p), EXIT_NO_SERVICE);
    assert_non_null(strstr(p.text, "/nowhere/it.sock"));
    assert_null(strstr(p.text, directory));
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    assert_int_equal(conn_try(&c, &at_length, &p), EXIT_USAGE);
    assert_non_null(strstr(p.text, "at most 107 bytes"));
}

static int set_up(void **state)
{
    (void)state;
    return make_directory("control.sock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(services_of_all_kinds), cmocka_unit_test(frames),
                                       cmocka_unit_test(every_path_that_was_tried_is_named)};

    return cmocka_run_group_tests(tests, set_up, remove_directory);
}
