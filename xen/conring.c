/* SPDX-License-Identifier: MIT */
#include "conring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16384u
#define HOLDS   (1024u * 1024) /* of a ring whose size is Xen's configuration: more than it has by default */

struct conring {
    struct source source; /* first */
    struct port_user user;
    struct ports *ports;
    xc_interface *control;
    uint32_t port;
    uint32_t index;      /* of the first byte that was not read */
    uint32_t lost;       /* bytes that are missing before those read */
    uint32_t begin, end; /* bytes[begin..end) were read and not taken */
    char bytes[AT_ONCE];
};

static struct conring *conring_of(const struct source *s) { return (struct conring *)(uintptr_t)s; }

static bool reported(struct port_user *u)
{
    (void)u;
    return true;
}

/* Read on, if all that was read is taken. */
static void fill(struct conring *k)
{
    unsigned int n = AT_ONCE;
    uint32_t next = k->index;

    if (k->begin < k->end)
        return;
    k->begin = k->end = 0;
    if (xc_readconsolering(k->control, k->bytes, &n, 0, 1, &next) != 0 || n == 0 || n > AT_ONCE)
        return;
    k->lost = next - n - k->index; /* mod 2^32, as Xen counts */
    k->index = next;
    k->end = n;
}

static int conring_peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    struct conring *k = conring_of(s);

    fill(k);
    *n = k->lost == 0 ? k->end - k->begin : 0;
    spans[0] = (struct vc_span){(const uint8_t *)k->bytes + k->begin, *n};
    spans[1] = (struct vc_span){(const uint8_t *)k->bytes, 0};
    return VC_OK;
}

static void conring_commit(struct source *s, uint32_t n) { conring_of(s)->begin += n; }

static int conring_event(struct source *s, struct source_event *event, bool *due)
{
    const struct conring *k = conring_of(s);

    *due = k->lost > 0;
    *event = (struct source_event){VC_INDEX_GAP, 0, k->lost};
    return VC_OK;
}

static void conring_event_done(struct source *s) { conring_of(s)->lost = 0; }

static bool conring_rest(struct source *s)
{
    struct conring *k = conring_of(s);

    ports_unmask(k->ports, k->port);
    fill(k);
    return k->begin == k->end;
}

static uint32_t conring_index(const struct source *s)
{
    const struct conring *k = conring_of(s);

    return k->index - (k->end - k->begin);
}

static int conring_revive(struct source *s)
{
    (void)s;
    return VC_OK; /* it never breaks */
}

static int conring_resume(struct source *s, uint32_t cons, uint16_t event)
{
    struct conring *k = conring_of(s);

    (void)event;
    *k = (struct conring){
        .source = k->source, .user = k->user, .ports = k->ports, .control = k->control, .port = k->port, .index = cons};
    return VC_OK;
}

/* Text from before the first look was overwritten. */
static bool conring_used(const struct source *s) { return conring_index(s) != 0; }

/* Nothing is typed to it: its keys do what no viewer should (xl debug-keys). */
static int conring_room(struct source *s, uint32_t *room)
{
    (void)s;
    *room = 0;
    return VC_OK;
}

static int conring_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    (void)s, (void)bytes, (void)n;
    *put = 0;
    return VC_OK;
}

static bool conring_room_rest(struct source *s)
{
    (void)s;
    return true;
}

static void conring_destroy(struct source *s)
{
    struct conring *k = conring_of(s);

    ports_unbind(k->ports, k->port);
    xc_interface_close(k->control);
    free(k);
}

static const struct source_ops conring_ops = {
    .type = "hypervisor",
    .resume = conring_resume,
    .used = conring_used,
    .peek = conring_peek,
    .commit = conring_commit,
    .event = conring_event,
    .event_done = conring_event_done,
    .rest = conring_rest,
    .index = conring_index,
    .revive = conring_revive,
    .room = conring_room,
    .put = conring_put,
    .room_rest = conring_room_rest,
    .destroy = conring_destroy,
};

struct source *conring_create(struct xen *x, struct problem *p)
{
    struct conring *k = calloc(1, sizeof *k);
    int port;

    if (k == NULL) {
        problem_set(p, -ENOMEM, "out of memory");
        return NULL;
    }
    k->source =
        (struct source){.ops = &conring_ops, .bytes_fd = -1, .room_fd = -1, .holds = HOLDS, .hub = &x->ports.hub};
    memcpy(k->source.line_id, "XenL", 4); /* the rest: this boot of the machine */
    for (size_t i = 0; x->boot_id[i] != '\0'; i++)
        k->source.line_id[4 + i % 12] = (uint8_t)(k->source.line_id[4 + i % 12] * 31 + x->boot_id[i]);
    k->user = (struct port_user){&k->source, reported};
    k->ports = &x->ports;
    k->control = xc_interface_open(&x->quiet, &x->quiet, 0);
    if (k->control == NULL) {
        problem_set(p, -errno, "/dev/xen/privcmd: %s", strerror(errno));
        goto free_conring;
    }
    fill(k);
    k->lost = 0; /* index says where it begins */
    port = ports_bind_virq(&x->ports, VIRQ_CON_RING, &k->user);
    if (port < 0) {
        problem_set(p, port, "its interrupt: %s (does xenconsoled log it?)", strerror(-port));
        goto close_control;
    }
    k->port = (uint32_t)port;
    return &k->source;

close_control:
    xc_interface_close(k->control);
free_conring:
    free(k);
    return NULL;
}
