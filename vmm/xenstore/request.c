/* SPDX-License-Identifier: MIT */
/* request.c: messages of connections. What is checked first, and what is answered, is as xenstored does it. */
#include "store_private.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERMS_MAX = 64, DOMID_SELF = 0x7ff0 };

struct request {
    struct store_conn *conn;
    struct xs_who who;
    struct xs_watch *announce; /* a new watch, whose first event follows the reply */
    const struct xsd_sockmsg *head;
    uint32_t n;                             /* bytes of payload */
    uint32_t n_reply;                       /* of reply */
    char payload[XENSTORE_PAYLOAD_MAX + 1]; /* with a NUL behind it, whatever the client sent */
    char path[XS_PATH_BYTES];
    char reply[XENSTORE_PAYLOAD_MAX];
};

static void reply_with(struct request *r, const void *bytes, size_t n)
{
    memcpy(r->reply, bytes, n);
    r->n_reply = (uint32_t)n;
}

static int ok(struct request *r, int error)
{
    if (error == 0)
        reply_with(r, "OK", 3);
    return error;
}

static uint32_t count_strings(const struct request *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->n; i++)
        n += r->payload[i] == '\0';
    return n;
}

/* The payload is one string, with its NUL at the very end. */
static bool one_string(const struct request *r) { return r->n > 0 && strlen(r->payload) + 1 == r->n; }

static const char *second(const struct request *r) { return r->payload + strlen(r->payload) + 1; }

static bool path_of(struct request *r) { return xs_path_absolute(r->who.domain->domid, r->payload, r->path); }

static int look(struct request *r, uint32_t may, struct xs_node **node)
{
    return one_string(r) && path_of(r) ? xs_look(&r->who, r->path, may, node) : EINVAL;
}

/* ---- Looking ---- */

static int do_read(struct request *r)
{
    struct xs_node *node;
    int error = look(r, XS_MAY_READ, &node);

    if (error != 0)
        return error;
    reply_with(r, node->value, node->n_value);
    return 0;
}

static int do_directory(struct request *r)
{
    struct xs_node *node;
    int error = look(r, XS_MAY_READ, &node);

    if (error != 0)
        return error;
    if (node->names_bytes > XENSTORE_PAYLOAD_MAX)
        return E2BIG;
    for (uint32_t i = 0; i < node->n_children; i++) {
        size_t n = strlen(node->children[i]->name) + 1;

        memcpy(r->reply + r->n_reply, node->children[i]->name, n);
        r->n_reply += (uint32_t)n;
    }
    return 0;
}

/* Names from a byte offset on, as many as fit, behind the generation; an empty name says that it was the last part. */
static int do_directory_part(struct request *r)
{
    struct xs_node *node;
    uint32_t offset, at = 0;
    int error;

    if (count_strings(r) != 2 || !path_of(r))
        return EINVAL;
    error = xs_look(&r->who, r->path, XS_MAY_READ, &node);
    if (error != 0)
        return error;
    offset = (uint32_t)strtoul(second(r), NULL, 10);
    r->n_reply = (uint32_t)sprintf(r->reply, "%llu", (unsigned long long)node->generation) + 1;
    for (uint32_t i = 0; i < node->n_children; i++) {
        uint32_t n = (uint32_t)strlen(node->children[i]->name) + 1;

        if (at >= offset && r->n_reply + n >= XENSTORE_PAYLOAD_MAX)
            return 0;
        if (at >= offset) {
            memcpy(r->reply + r->n_reply, node->children[i]->name, n);
            r->n_reply += n;
        }
        at += n;
    }
    r->reply[r->n_reply++] = '\0';
    return 0;
}

static int do_get_perms(struct request *r)
{
    struct xs_node *node;
    int error = look(r, XS_MAY_READ, &node);

    if (error != 0)
        return error;
    r->n_reply = (uint32_t)xs_perms_print(node->perms, node->n_perms, r->reply, sizeof r->reply);
    return 0;
}

static int do_get_domain_path(struct request *r)
{
    if (!one_string(r))
        return EINVAL;
    r->n_reply = (uint32_t)sprintf(r->reply, "/local/domain/%u", (uint32_t)strtol(r->payload, NULL, 10)) + 1;
    return 0;
}

static int do_is_domain_introduced(struct request *r)
{
    const struct xs_domain *d;
    uint32_t domid;

    if (!one_string(r))
        return EINVAL;
    domid = (uint32_t)strtol(r->payload, NULL, 10);
    d = xs_domain_find(r->conn->store, domid);
    reply_with(r, domid == DOMID_SELF || (d != NULL && d->introduced) ? "T" : "F", 2);
    return 0;
}

/* ---- Changing ---- */

static int do_write(struct request *r)
{
    const char *value = second(r);

    if (count_strings(r) < 1 || !path_of(r))
        return EINVAL;
    return ok(r, xs_write(&r->who, r->path, value, (size_t)(r->payload + r->n - value)));
}

static int do_mkdir(struct request *r)
{
    return one_string(r) && path_of(r) ? ok(r, xs_mkdir(&r->who, r->path)) : EINVAL;
}

static int do_rm(struct request *r)
{
    return one_string(r) && path_of(r) ? ok(r, xs_remove(&r->who, r->path)) : EINVAL;
}

/* Who hears of domains that come and go. */
static int set_special_perms(struct request *r, const struct xs_perm *perms, uint32_t n)
{
    struct store *s = r->conn->store;
    uint32_t which = strcmp(r->payload, "@introduceDomain") == 0 ? 0 : 1;

    if (which == 1 && strcmp(r->payload, "@releaseDomain") != 0)
        return EINVAL;
    if (!xs_privileged(r->conn->domain))
        return EACCES;
    if (n > sizeof s->specials[0] / sizeof s->specials[0][0])
        return ENOSPC;
    memcpy(s->specials[which], perms, n * sizeof *perms);
    s->n_specials[which] = n;
    return ok(r, 0);
}

static int do_set_perms(struct request *r)
{
    uint32_t n = count_strings(r) - 1;
    struct xs_perm perms[PERMS_MAX];

    if (count_strings(r) < 2)
        return EINVAL;
    if (n > PERMS_MAX || (!xs_privileged(r->conn->domain) && n > r->conn->store->limits.perms))
        return ENOSPC;
    if (!xs_perms_parse(r->conn->store, second(r), perms, n))
        return EINVAL;
    if (perms[0].ignored)
        return ENOENT; /* no node is left to a domain that there is not */
    if (r->payload[0] == '@')
        return set_special_perms(r, perms, n);
    return path_of(r) ? ok(r, xs_set_perms(&r->who, r->path, perms, n)) : EINVAL;
}

/* ---- Watches, transactions ---- */

static int do_watch(struct request *r)
{
    return ok(r, count_strings(r) != 2 ? EINVAL : xs_watch_add(r->conn, r->payload, second(r), &r->announce));
}

static int do_unwatch(struct request *r)
{
    return ok(r, count_strings(r) != 2 ? EINVAL : xs_watch_remove(r->conn, r->payload, second(r)));
}

static int do_reset_watches(struct request *r)
{
    xs_watch_remove_all(r->conn);
    while (r->conn->transactions != NULL)
        xs_transaction_end(r->conn, r->conn->transactions);
    return ok(r, 0);
}

static int do_transaction_start(struct request *r)
{
    uint32_t id;
    int error = r->who.transaction != NULL ? EBUSY : xs_transaction_start(r->conn, &id);

    if (error == 0)
        r->n_reply = (uint32_t)sprintf(r->reply, "%u", id) + 1;
    return error;
}

static int do_transaction_end(struct request *r)
{
    if (!one_string(r) || (strcmp(r->payload, "T") != 0 && strcmp(r->payload, "F") != 0))
        return EINVAL;
    if (r->who.transaction == NULL)
        return ENOENT;
    if (r->payload[0] == 'T')
        return ok(r, xs_transaction_commit(r->conn, r->who.transaction));
    xs_transaction_end(r->conn, r->who.transaction);
    return ok(r, 0);
}

/* What the VMM does by calls of store.h, not by messages. */
static int do_refuse(struct request *r)
{
    (void)r;
    return ENOSYS;
}

/* ---- Dispatch ---- */

enum { ANY_TRANSACTION = 1, PRIVILEGED = 2 }; /* tx_id is not looked at; EACCES for guests */
static const struct {
    int (*run)(struct request *r);
    unsigned flags;
} types[] = {
    [XS_CONTROL] = {do_refuse, PRIVILEGED},
    [XS_DIRECTORY] = {do_directory, 0},
    [XS_READ] = {do_read, 0},
    [XS_GET_PERMS] = {do_get_perms, 0},
    [XS_WATCH] = {do_watch, ANY_TRANSACTION},
    [XS_UNWATCH] = {do_unwatch, ANY_TRANSACTION},
    [XS_TRANSACTION_START] = {do_transaction_start, 0},
    [XS_TRANSACTION_END] = {do_transaction_end, 0},
    [XS_INTRODUCE] = {do_refuse, PRIVILEGED},
    [XS_RELEASE] = {do_refuse, PRIVILEGED},
    [XS_GET_DOMAIN_PATH] = {do_get_domain_path, 0},
    [XS_WRITE] = {do_write, 0},
    [XS_MKDIR] = {do_mkdir, 0},
    [XS_RM] = {do_rm, 0},
    [XS_SET_PERMS] = {do_set_perms, 0},
    [XS_IS_DOMAIN_INTRODUCED] = {do_is_domain_introduced, PRIVILEGED},
    [XS_RESUME] = {do_refuse, PRIVILEGED},
    [XS_SET_TARGET] = {do_refuse, PRIVILEGED},
    [XS_RESET_WATCHES] = {do_reset_watches, 0},
    [XS_DIRECTORY_PART] = {do_directory_part, 0},
};

static const char *name_of(int error)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{EACCES, "EACCES"}, {EEXIST, "EEXIST"}, {ENOENT, "ENOENT"}, {ENOMEM, "ENOMEM"}, {ENOSPC, "ENOSPC"},
                 {ENOSYS, "ENOSYS"}, {EBUSY, "EBUSY"},   {EAGAIN, "EAGAIN"}, {E2BIG, "E2BIG"},   {EPERM, "EPERM"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == error)
            return names[i].name;
    return "EINVAL";
}

static int run(struct request *r)
{
    uint32_t type = r->head->type;

    if (type >= sizeof types / sizeof types[0] || types[type].run == NULL)
        return ENOSYS;
    if ((types[type].flags & PRIVILEGED) != 0 && !xs_privileged(r->conn->domain))
        return EACCES;
    if (r->head->tx_id != 0 && (types[type].flags & ANY_TRANSACTION) == 0) {
        r->who.transaction = xs_transaction_find(r->conn, r->head->tx_id);
        if (r->who.transaction == NULL)
            return ENOENT;
    }
    return types[type].run(r);
}

void store_request(struct store_conn *c, const struct xsd_sockmsg *head, const uint8_t *payload)
{
    struct xsd_sockmsg answer = *head;
    struct request r;
    int error;

    assert(store_ready(c) && head->len <= XENSTORE_PAYLOAD_MAX);
    r.conn = c;
    r.who = (struct xs_who){.store = c->store, .domain = c->domain};
    r.announce = NULL;
    r.head = head;
    r.n = head->len;
    r.n_reply = 0;
    memcpy(r.payload, payload, r.n);
    r.payload[r.n] = '\0';
    error = run(&r);
    if (error != 0) {
        answer.type = XS_ERROR;
        reply_with(&r, name_of(error), strlen(name_of(error)) + 1);
    }
    answer.len = r.n_reply;
    xs_queue_put(c->out, &answer, r.reply);
    if (r.announce != NULL)
        xs_watch_announce(c, r.announce);
    xs_dispatch(c->store);
}
