/* SPDX-License-Identifier: MIT */
/* The client of XenStore against a server that speaks its protocol over a socket (our own store), whole and in pieces, and against
 * peers that break it. */
#include "unit.h"

#include "../../xen/nodes.h"
#include "xenstore_client.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    int listening;
    char directory[32], path[64];
    pthread_t thread;
    size_t piece; /* bytes a write */
} server;

static void send_pieces(int fd, const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(fd, bytes + at, n - at < server.piece ? n - at : server.piece, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        at += (size_t)sent;
    }
}

static void flush(int fd, struct client *c)
{
    while (c->queue.prod != c->queue.cons) {
        uint8_t byte[1];

        client_take(c, byte, 1);
        send_pieces(fd, byte, 1);
    }
    store_drained(c->conn);
}

/* One connection of domain 0, to a store of its own. */
static void *serve(void *argument)
{
    struct store *store = store_create(NULL);
    int fd = accept(server.listening, NULL, NULL);
    struct xsd_sockmsg head;
    uint8_t payload[XENSTORE_PAYLOAD_MAX];
    struct client c;

    (void)argument;
    client_connect(&c, store, 0);
    store_introduce(store, 7);
    while (recv(fd, &head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head &&
           (head.len == 0 || recv(fd, payload, head.len, MSG_WAITALL) == (ssize_t)head.len)) {
        store_request(c.conn, &head, payload);
        flush(fd, &c);
    }
    close(fd);
    store_disconnect(c.conn);
    store_destroy(store);
    return NULL;
}

static void listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(server.directory, "/tmp/vcons-nodes-XXXXXX");
    assert_non_null(mkdtemp(server.directory));
    snprintf(server.path, sizeof server.path, "%s/socket", server.directory);
    strcpy(address.sun_path, server.path);
    server.listening = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.listening, 1), 0);
    setenv("XENSTORED_PATH", server.path, 1);
}

static void leave(void)
{
    pthread_join(server.thread, NULL);
    close(server.listening);
    unlink(server.path);
    rmdir(server.directory);
}

static struct {
    uint32_t n;
    char path[64], token[16];
} fired;

static void event(void *ctx, const char *path, const char *token)
{
    assert_ptr_equal(ctx, &fired);
    fired.n++;
    snprintf(fired.path, sizeof fired.path, "%s", path);
    snprintf(fired.token, sizeof fired.token, "%s", token);
}

static void begin(struct nodes *s, void *(*who)(void *), size_t piece)
{
    struct problem p;

    server.piece = piece;
    fired.n = 0;
    listen_here();
    assert_int_equal(pthread_create(&server.thread, NULL, who, NULL), 0);
    assert_int_equal(nodes_open(s, event, &fired, &p), 0);
}

/* Any permissions, as others of domain 0 may set them: a message of its own on that connection. */
static void permit(struct nodes *s, const char *payload, size_t n)
{
    struct xsd_sockmsg head = {.type = XS_SET_PERMS, .req_id = ++s->request, .len = (uint32_t)n};
    char answer[sizeof head + 3], *at = answer; /* "OK" */

    assert_int_equal(write(s->fd, &head, sizeof head), sizeof head);
    assert_int_equal(write(s->fd, payload, n), (ssize_t)n);
    while (at < answer + sizeof answer) {
        ssize_t got = recv(s->fd, at, (size_t)(answer + sizeof answer - at), 0);

        assert_true(got > 0 || errno == EAGAIN);
        at += got > 0 ? got : 0;
    }
    memcpy(&head, answer, sizeof head);
    assert_int_equal(head.type, XS_SET_PERMS);
}

static void talk(size_t piece)
{
    static struct nodes s;
    char value[NODES_VALUE_BYTES], huge[NODES_VALUE_BYTES + 1];
    const char *names;
    uint32_t bytes;

    begin(&s, serve, piece);
    assert_int_equal(nodes_read(&s, value, "/local/domain/7/name"), -ENOENT);
    assert_int_equal(nodes_write(&s, "/local/domain/7/name", "web"), 0);
    assert_int_equal(nodes_read(&s, value, "/local/domain/7/name"), 0);
    assert_string_equal(value, "web");
    assert_int_equal(nodes_write(&s, "/local/domain/7/empty", ""), 0);
    assert_int_equal(nodes_read(&s, value, "/local/domain/7/empty"), 0);
    assert_string_equal(value, "");
    /* As much as fits, and a byte more. */
    memset(huge, 'x', sizeof huge);
    huge[NODES_VALUE_BYTES - 1] = '\0';
    assert_int_equal(nodes_write(&s, "/local/domain/7/big", huge), 0);
    assert_int_equal(nodes_read(&s, value, "/local/domain/7/big"), 0);
    assert_string_equal(value, huge);
    huge[NODES_VALUE_BYTES - 1] = 'x';
    huge[NODES_VALUE_BYTES] = '\0';
    assert_int_equal(nodes_write(&s, "/local/domain/7/big", huge), 0);
    assert_int_equal(nodes_read(&s, value, "/local/domain/7/big"), -E2BIG);
    assert_int_equal(nodes_read(&s, value, "not a path"), -EINVAL);
    /* Directories and permissions. */
    assert_int_equal(nodes_mkdir(&s, "/local/domain/7/device"), 0);
    assert_int_equal(nodes_mkdir(&s, "/local/domain/7/device"), 0);
    assert_int_equal(nodes_permit(&s, "/local/domain/7/device", 7, 0), 0);
    assert_int_equal(nodes_list(&s, "/local/domain/7", &names, &bytes), 0);
    assert_int_equal(bytes, sizeof "name" + sizeof "empty" + sizeof "big" + sizeof "device");
    assert_int_equal(nodes_list(&s, "/local/domain/8", &names, &bytes), -ENOENT);
    assert_int_equal(bytes, 0);
    /* Who may write: domain 0 alone, or the domain, or it beside domain 0. */
    assert_int_equal(nodes_guarded(&s, "/local/domain/7/device"), 0);
    assert_int_equal(nodes_guarded(&s, "/local/domain/8"), -ENOENT);
    assert_int_equal(nodes_mkdir(&s, "/local/domain/7/vuart"), 0);
    assert_int_equal(nodes_permit(&s, "/local/domain/7/vuart", 0, 7), 0);
    assert_int_equal(nodes_guarded(&s, "/local/domain/7/vuart"), 1);
    assert_int_equal(nodes_write(&s, "/local/domain/7/vuart/0", ""), 0);
    assert_int_equal(nodes_guarded(&s, "/local/domain/7/vuart/0"), 1);
    permit(&s, "/local/domain/7/vuart\0n0\0b7", sizeof "/local/domain/7/vuart\0n0\0b7");
    assert_int_equal(nodes_guarded(&s, "/local/domain/7/vuart"), 0);
    permit(&s, "/local/domain/7/vuart\0w0\0r7", sizeof "/local/domain/7/vuart\0w0\0r7");
    assert_int_equal(nodes_guarded(&s, "/local/domain/7/vuart"), 0);
    permit(&s, "/local/domain/7/vuart\0r0\0n7", sizeof "/local/domain/7/vuart\0r0\0n7");
    assert_int_equal(nodes_guarded(&s, "/local/domain/7/vuart"), 1);
    /* Watches: at once, then for what changes; they come with answers and without. */
    assert_int_equal(nodes_watch(&s, "/local/domain/7/console", "7"), 0);
    assert_int_equal(nodes_watch(&s, "/local/domain/7/console", "7"), 0);
    assert_int_equal(nodes_write(&s, "/local/domain/7/console/tty", "/dev/pts/1"), 0);
    assert_int_equal(nodes_read(&s, value, "/local/domain/7/console/tty"), 0);
    assert_int_equal(fired.n, 2);
    assert_string_equal(fired.path, "/local/domain/7/console/tty");
    assert_string_equal(fired.token, "7");
    assert_int_equal(nodes_unwatch(&s, "/local/domain/7/console", "7"), 0);
    assert_int_equal(nodes_unwatch(&s, "/local/domain/7/console", "7"), 0);
    assert_int_equal(nodes_write(&s, "/local/domain/7/console/tty", "/dev/pts/2"), 0);
    assert_int_equal(nodes_events(&s), 0);
    assert_int_equal(fired.n, 2);
    /* Transactions: all or nothing. */
    assert_int_equal(nodes_begin(&s), 0);
    assert_int_equal(nodes_write(&s, "/a", "1"), 0);
    assert_int_equal(nodes_end(&s, false), 0);
    assert_int_equal(nodes_read(&s, value, "/a"), -ENOENT);
    assert_int_equal(nodes_begin(&s), 0);
    assert_int_equal(nodes_write(&s, "/a", "1"), 0);
    assert_int_equal(nodes_end(&s, true), 0);
    assert_int_equal(nodes_read(&s, value, "/a"), 0);
    assert_int_equal(nodes_remove(&s, "/a"), 0);
    assert_int_equal(nodes_remove(&s, "/a"), 0);
    assert_false(nodes_lost(&s));
    nodes_close(&s);
    leave();
}

static void whole(void **state)
{
    (void)state;
    talk(4096);
}

static void in_pieces(void **state)
{
    (void)state;
    talk(1);
}

/* Peers that break the protocol: the connection is of no use, and says so from then on. */

static struct {
    struct xsd_sockmsg head;
    bool echo_id; /* the request's number */
    const char *payload;
} bad;

static void *serve_badly(void *argument)
{
    int fd = accept(server.listening, NULL, NULL);
    struct xsd_sockmsg head;
    char payload[64];

    (void)argument;
    if (recv(fd, &head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head)
        recv(fd, payload, head.len, MSG_WAITALL);
    if (bad.echo_id)
        bad.head.req_id = head.req_id;
    if (bad.payload != NULL) {
        send_pieces(fd, (const uint8_t *)&bad.head, sizeof bad.head);
        send_pieces(fd, (const uint8_t *)bad.payload, strlen(bad.payload));
    }
    shutdown(fd, SHUT_WR);
    recv(fd, payload, sizeof payload, 0); /* until it has let go */
    close(fd);
    return NULL;
}

static void broken_peers(void **state)
{
    static const struct {
        const char *what;
        struct xsd_sockmsg head;
        bool echo_id;
        const char *payload;
        int error;
    } rows[] = {
        {"closes at once", {0, 0, 0, 0}, false, NULL, -EPIPE},
        {"closes in the middle of a value", {XS_READ, 0, 0, 9}, true, "value", -EPIPE},
        {"says more than a message has", {XS_READ, 0, 0, XENSTORE_PAYLOAD_MAX + 1}, true, "", -EPROTO},
        {"says four billion bytes", {XS_READ, 0, 0, UINT32_MAX}, true, "", -EPROTO},
        {"answers another request", {XS_READ, 99, 0, 1}, false, "x", -EPROTO},
        {"answers with another type", {XS_WRITE, 0, 0, 1}, true, "x", -EPROTO},
        {"has an error without a name", {XS_ERROR, 0, 0, 5}, true, "EWHAT", -EINVAL},
    };
    static struct nodes s;
    char value[NODES_VALUE_BYTES];

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        bad.head = rows[i].head;
        bad.echo_id = rows[i].echo_id;
        bad.payload = rows[i].payload;
        begin(&s, serve_badly, 4096);
        if (nodes_read(&s, value, "/a") != rows[i].error)
            fail_msg("a peer that %s", rows[i].what);
        if (nodes_lost(&s) != (rows[i].error != -EINVAL))
            fail_msg("lost by a peer that %s", rows[i].what);
        if (nodes_lost(&s) && nodes_write(&s, "/a", "b") != -EPIPE)
            fail_msg("goes on with a peer that %s", rows[i].what);
        nodes_close(&s);
        leave();
    }
}

static void nobody(void **state)
{
    static struct nodes s;
    struct problem p;

    (void)state;
    setenv("XENSTORED_PATH", "/tmp/there is no such socket", 1);
    assert_int_equal(nodes_open(&s, event, &fired, &p), -ENOENT);
    assert_non_null(strstr(p.text, "xenstored"));
    nodes_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(in_pieces),
                                       cmocka_unit_test(broken_peers), cmocka_unit_test(nobody)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
