/* SPDX-License-Identifier: MIT */
/*
 * XenStore and second consoles as a domain has them: a guest that is played here by hypercalls, its store page, a granted page
 * and a port of its own, against everything behind them but an engine.
 */
#include "vmm/calls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/xen.h>
#include <vcons/wire/xencons.h>
#include <vcons/wire/xenstore.h>

#include "domain_rig.h"

#define BASE       VC_CALL_RAM_BASE
#define ARG        (BASE + 0x3000)
#define RING_GFN   0x40u
#define TABLE_GFN  0x50u
#define RING_GRANT 8u

static void kick_nobody(void *engine) { (void)engine; }
static const struct engine_ops ops = {.name = "none", .kick = kick_nobody};

struct rig {
    struct vmm vmm;
    struct domain_config config;
    struct domain domain;
    struct vc_sink sink; /* the service's end of the second console */
    struct xenstore_domain_interface *page;
    struct xencons_interface *ring; /* the guest's */
    uint32_t store_port, port;
    struct xsd_sockmsg head;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

static void *at(struct rig *r, uint64_t gva) { return r->domain.memory.base + (gva - BASE); }

static int64_t call(struct rig *r, uint64_t nr, uint64_t cmd, uint64_t arg)
{
    return domain_hypercall(&r->domain, 0, nr, (const uint64_t[6]){cmd, arg, 0, 0, 0, 0});
}

static uint64_t param(struct rig *r, uint32_t index)
{
    struct xen_hvm_param *p = at(r, ARG);

    *p = (struct xen_hvm_param){.domid = XEN_DOMID_SELF, .index = index};
    assert_int_equal(call(r, XEN_hvm_op, HVMOP_get_param, ARG), 0);
    return p->value;
}

static void boot(struct rig *r)
{
    struct domain *d = &r->domain;
    struct problem problem;

    assert_int_equal(doors_open(d, &problem), 0);
    assert_int_equal(domain_store_open(d, &problem), 0);
    r->page = memory_at(&d->memory, param(r, HVM_PARAM_STORE_PFN) * XEN_PAGE_BYTES, XEN_PAGE_BYTES);
    assert_non_null(r->page);
    r->store_port = (uint32_t)param(r, HVM_PARAM_STORE_EVTCHN);
    assert_int_not_equal(r->store_port, 0);
}

static int make(void **state)
{
    static struct config_console consoles[] = {{.name = "hvc0", .door = DOOR_XEN}, {.name = "more", .door = DOOR_XEN}};
    struct rig *r = calloc(1, sizeof *r);
    const struct console *c;

    r->config = (struct domain_config){.xen_version = XEN_VERSION_OF(4, 17), .consoles = consoles, .n_consoles = 2};
    domain_rig_start(&r->domain, &r->vmm, &r->config, &ops, r);
    c = &r->domain.doors[1]->console;
    assert_int_equal(vc_sink_open(&r->sink, c->memory.base, c->memory.bytes), VC_OK);
    boot(r);
    r->ring = at(r, BASE + RING_GFN * XEN_PAGE_BYTES);
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct rig *r = *state;

    domain_store_close(&r->domain);
    domain_store_close(&r->domain); /* again: nothing to do */
    domain_rig_end(&r->domain);
    free(r);
    return 0;
}

/* ---- The guest ---- */

static void send_on(struct rig *r, uint32_t port)
{
    struct evtchn_send *send = at(r, ARG);

    send->port = port;
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_send, ARG), 0);
}

static void take(struct rig *r, void *to, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_int_not_equal(r->page->rsp_cons, r->page->rsp_prod);
        ((uint8_t *)to)[i] = r->page->rsp[r->page->rsp_cons++ % XENSTORE_RING_SIZE];
    }
}

/* One request, | standing for NUL; the reply, with | for it too. */
static const char *ask(struct rig *r, uint32_t type, const char *text)
{
    struct xsd_sockmsg head = {.type = type, .len = (uint32_t)strlen(text)};

    for (uint32_t i = 0; i < sizeof head; i++)
        r->page->req[r->page->req_prod++ % XENSTORE_RING_SIZE] = ((const uint8_t *)&head)[i];
    for (uint32_t i = 0; i < head.len; i++)
        r->page->req[r->page->req_prod++ % XENSTORE_RING_SIZE] = text[i] == '|' ? 0 : (uint8_t)text[i];
    send_on(r, r->store_port);
    take(r, &r->head, sizeof r->head);
    take(r, r->payload, r->head.len);
    for (uint32_t i = 0; i < r->head.len; i++)
        if (r->payload[i] == '\0')
            r->payload[i] = '|';
    r->payload[r->head.len] = '\0';
    return r->payload;
}

static void set(struct rig *r, const char *key, uint32_t value)
{
    char text[64];

    snprintf(text, sizeof text, "device/console/1/%s|%u", key, value);
    assert_string_equal(ask(r, XS_WRITE, text), "OK|");
}

static const char *backend(struct rig *r) { return ask(r, XS_READ, "/local/domain/0/backend/console/5/1/state|"); }

static struct grant_entry_v1 *grant_table(struct rig *r)
{
    struct xen_add_to_physmap *place = at(r, ARG);

    *place = (struct xen_add_to_physmap){.domid = XEN_DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = TABLE_GFN};
    assert_int_equal(call(r, XEN_memory_op, XENMEM_add_to_physmap, ARG), 0);
    return at(r, BASE + TABLE_GFN * XEN_PAGE_BYTES);
}

static uint32_t new_port(struct rig *r, uint16_t remote)
{
    struct evtchn_alloc_unbound *a = at(r, ARG);

    *a = (struct evtchn_alloc_unbound){.dom = XEN_DOMID_SELF, .remote_dom = remote};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_alloc_unbound, ARG), 0);
    return a->port;
}

static uint32_t status(struct rig *r, uint32_t port)
{
    struct evtchn_status *s = at(r, ARG);

    *s = (struct evtchn_status){.dom = XEN_DOMID_SELF, .port = port};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_status, ARG), 0);
    return s->status;
}

/* As Linux does: a page, a port, a grant, three nodes. */
static void connect_console(struct rig *r)
{
    memset(r->ring, 0, XEN_PAGE_BYTES);
    r->port = new_port(r, 0);
    grant_table(r)[RING_GRANT] = (struct grant_entry_v1){.flags = GTF_PERMIT_ACCESS, .frame = RING_GFN};
    set(r, "ring-ref", RING_GRANT);
    set(r, "port", r->port);
    set(r, "state", XENBUS_INITIALISED);
}

static void say(struct rig *r, const char *text)
{
    for (; *text != '\0'; text++)
        r->ring->out[r->ring->out_prod++ % XENCONS_OUT_SIZE] = (uint8_t)*text;
    send_on(r, r->port);
}

/* What the service finds of it. */
static void heard(struct rig *r, const char *text)
{
    struct vc_line_event event;
    struct vc_span spans[2];
    bool due = true;
    uint32_t n;

    while (due) {
        assert_int_equal(vc_sink_event(&r->sink, &event, &due), VC_OK);
        if (due)
            vc_sink_event_done(&r->sink);
    }
    assert_int_equal(vc_sink_peek(&r->sink, spans, &n), VC_OK);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(spans[0].bytes, text, n);
    vc_sink_commit(&r->sink, n);
}

/* ---- Tests ---- */

static void a_guest_finds_itself(void **state)
{
    struct rig *r = *state;

    assert_string_equal(ask(r, XS_READ, "name|"), "rig");
    assert_string_equal(ask(r, XS_READ, "domid|"), "5");
    assert_string_equal(ask(r, XS_DIRECTORY, "device/console|"), "1|");
    assert_string_equal(ask(r, XS_READ, "device/console/1/name|"), "more");
    assert_string_equal(ask(r, XS_READ, "device/console/1/state|"), "1");
    assert_string_equal(backend(r), "2");
    snprintf(r->payload, sizeof r->payload, "%u", (uint32_t)param(r, HVM_PARAM_CONSOLE_EVTCHN));
    assert_int_equal(strtoul(ask(r, XS_READ, "console/port|"), NULL, 10), param(r, HVM_PARAM_CONSOLE_EVTCHN));
    assert_int_equal(strtoul(ask(r, XS_READ, "console/ring-ref|"), NULL, 10), param(r, HVM_PARAM_CONSOLE_PFN));
    assert_int_equal(grant_table(r)[1].frame, param(r, HVM_PARAM_STORE_PFN));
}

static void a_second_console(void **state)
{
    struct rig *r = *state;

    connect_console(r);
    assert_string_equal(backend(r), "4");
    assert_int_equal(status(r, r->port), EVTCHNSTAT_interdomain);
    assert_int_equal(grant_table(r)[RING_GRANT].flags, GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
    say(r, "hello from hvc1");
    assert_int_equal(r->ring->out_cons, r->ring->out_prod);
    heard(r, "hello from hvc1");
}

static void what_was_typed_before_it_came(void **state)
{
    struct rig *r = *state;
    uint32_t put;
    bool due;

    assert_int_equal(vc_sink_put(&r->sink, "typed", 5, &put, &due), VC_OK);
    connect_console(r);
    domain_look(&r->domain); /* the loop */
    assert_int_equal(r->ring->in_prod, 5);
    assert_memory_equal(r->ring->in, "typed", 5);
}

static void closed_and_taken_again(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 3; i++) {
        connect_console(r);
        say(r, "again");
        heard(r, "again");
        r->ring->out[r->ring->out_prod++ % XENCONS_OUT_SIZE] = '!'; /* without a kick: it is not lost */
        set(r, "state", XENBUS_CLOSED);
        assert_string_equal(backend(r), "6");
        heard(r, "!");
        assert_int_equal(status(r, r->port), EVTCHNSTAT_unbound);
        assert_int_equal(grant_table(r)[RING_GRANT].flags, GTF_PERMIT_ACCESS);
        say(r, "nobody listens");
        heard(r, "");
    }
}

static void what_a_hostile_guest_offers(void **state)
{
    struct rig *r = *state;
    struct {
        const char *name;
        struct grant_entry_v1 entry;
        uint32_t ring_ref, port;
    } rows[] = {
        {"nothing granted", {0, 0, RING_GFN}, RING_GRANT, 0},
        {"granted to another", {GTF_PERMIT_ACCESS, 3, RING_GFN}, RING_GRANT, 0},
        {"read-only", {GTF_PERMIT_ACCESS | GTF_READONLY, 0, RING_GFN}, RING_GRANT, 0},
        {"a frame outside of its memory", {GTF_PERMIT_ACCESS, 0, 0xffffffff}, RING_GRANT, 0},
        {"a reference beyond the table", {GTF_PERMIT_ACCESS, 0, RING_GFN}, 5000, 0},
        {"the store's port", {GTF_PERMIT_ACCESS, 0, RING_GFN}, RING_GRANT, r->store_port},
        {"a port for another", {GTF_PERMIT_ACCESS, 0, RING_GFN}, RING_GRANT, new_port(r, 1)},
        {"no port", {GTF_PERMIT_ACCESS, 0, RING_GFN}, RING_GRANT, 4000},
        {"no port at all", {GTF_PERMIT_ACCESS, 0, RING_GFN}, RING_GRANT, UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(r->ring, 0, XEN_PAGE_BYTES);
        grant_table(r)[RING_GRANT] = rows[i].entry;
        set(r, "ring-ref", rows[i].ring_ref);
        set(r, "port", rows[i].port != 0 ? rows[i].port : new_port(r, 0));
        set(r, "state", XENBUS_INITIALISED);
        if (strcmp(backend(r), "6") != 0)
            fail_msg("%s: %s", rows[i].name, r->payload);
        assert_int_equal(grant_table(r)[RING_GRANT].flags, rows[i].entry.flags); /* unmarked */
        set(r, "state", XENBUS_CLOSED);
    }
    connect_console(r);
    assert_string_equal(backend(r), "4");
}

static void wild_rings(void **state)
{
    struct rig *r = *state;

    memset(r->ring, 0, XEN_PAGE_BYTES);
    r->ring->out_prod = 5000;
    r->port = new_port(r, 0);
    grant_table(r)[RING_GRANT] = (struct grant_entry_v1){.flags = GTF_PERMIT_ACCESS, .frame = RING_GFN};
    set(r, "ring-ref", RING_GRANT);
    set(r, "port", r->port);
    set(r, "state", XENBUS_INITIALISED);
    assert_string_equal(backend(r), "6");
    assert_int_equal(status(r, r->port), EVTCHNSTAT_unbound);
    set(r, "state", XENBUS_CLOSED);
    connect_console(r);
    r->ring->out_prod += 5000; /* later: the console is broken, the store and its port are not */
    send_on(r, r->port);
    assert_string_equal(backend(r), "4");
    set(r, "state", XENBUS_CLOSING);
    assert_string_equal(backend(r), "5");
    assert_int_equal(status(r, r->port), EVTCHNSTAT_unbound);
    r->page->req_prod += 5000;
    send_on(r, r->store_port);
    assert_int_equal(r->page->error, XENSTORE_ERROR_RINGIDX);
    r->page->connection = XENSTORE_RECONNECT;
    send_on(r, r->store_port);
    assert_string_equal(backend(r), "5");
}

/* The guest closes ports and takes back pages under us. */
static void what_is_pulled_away(void **state)
{
    struct rig *r = *state;
    struct evtchn_send *close_port = at(r, ARG);

    connect_console(r);
    close_port->port = r->port;
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_close, ARG), 0);
    grant_table(r)[RING_GRANT] = (struct grant_entry_v1){0};
    memset(r->ring, 0xff, XEN_PAGE_BYTES);
    domain_look(&r->domain);
    set(r, "state", XENBUS_CLOSED);
    assert_string_equal(backend(r), "6");
    connect_console(r);
    close_port->port = r->store_port;
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_close, ARG), 0);
    say(r, "goes on");
    heard(r, "goes on");
}

static void another_boot_begins_with_nothing(void **state)
{
    struct rig *r = *state;
    struct domain *d = &r->domain;
    struct problem problem;

    connect_console(r);
    assert_string_equal(ask(r, XS_WRITE, "data/mine|v"), "OK|");
    say(r, "last words");
    domain_store_close(d);
    doors_close(d, false);
    guest_reset(d);
    heard(r, "last words");
    assert_int_equal(guest_open(d, &problem), 0);
    boot(r);
    assert_string_equal(ask(r, XS_READ, "data/mine|"), "ENOENT|");
    assert_string_equal(backend(r), "2");
    connect_console(r);
    say(r, "first words");
    heard(r, "first words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_guest_finds_itself, make, unmake),
        cmocka_unit_test_setup_teardown(a_second_console, make, unmake),
        cmocka_unit_test_setup_teardown(what_was_typed_before_it_came, make, unmake),
        cmocka_unit_test_setup_teardown(closed_and_taken_again, make, unmake),
        cmocka_unit_test_setup_teardown(what_a_hostile_guest_offers, make, unmake),
        cmocka_unit_test_setup_teardown(wild_rings, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_pulled_away, make, unmake),
        cmocka_unit_test_setup_teardown(another_boot_begins_with_nothing, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
