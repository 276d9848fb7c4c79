/* SPDX-License-Identifier: MIT */
/* The rows of Xen ABI §11, each as a world of a builder, a frontend and a backend. Expected values are that table's. */
#include "unit.h"
#include <string.h>
#include <vcons/pvcons.h>

enum frontend { OLD, LINUX_NEW, VCONS };
enum age { OLD_SIDE, NEW_SIDE };

struct world {
    _Alignas(8) uint8_t page_bytes[XENCONS_PAGE_BYTES];
    struct xencons_interface *page;
    struct vc_pvcons door;
    struct vc_xencons_back old_backend; /* xenconsoled up to 4.20, QEMU: never touches the byte */
    struct vc_xencons_front front;
    enum frontend kind;
    char log[8192]; /* the one log of vcons: both ways end here */
    uint32_t n_log, accepts;
    uint32_t dropped, stalled;
    bool attached, bound;
    unsigned n_notify;
    int bind_result;
    uint32_t left_when_disconnected; /* in the ring, as a frontend woken by the notify finds it */
    bool changed_before_bind;
    const char *typed;
};

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;

    n = n < w->accepts ? n : w->accepts;
    w->accepts -= n;
    assert_true(w->n_log + n <= sizeof w->log);
    memcpy(w->log + w->n_log, bytes, n);
    w->n_log += n;
    return n;
}

static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;
    uint32_t have = (uint32_t)strlen(w->typed);

    n = n < have ? n : have;
    memcpy(bytes, w->typed, n);
    w->typed += n;
    return n;
}

static int bind(void *ctx)
{
    struct world *w = ctx;

    w->changed_before_bind = w->page->connection != XENCONSOLE_DISCONNECTED;
    w->bound = w->bind_result == VC_OK;
    return w->bind_result;
}

static void unbind(void *ctx) { ((struct world *)ctx)->bound = false; }

static void notify(void *ctx)
{
    struct world *w = ctx;

    w->n_notify++;
    if (w->page->connection == XENCONSOLE_DISCONNECTED && w->left_when_disconnected == UINT32_MAX)
        w->left_when_disconnected = w->page->out_prod - w->page->out_cons;
}

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 0;
}

static void broken(void *ctx, enum vc_pvcons_reason reason)
{
    (void)ctx;
    fail_msg("broken: %d", (int)reason);
}

static const struct vc_pvcons_env env = {out, in, bind, unbind, notify, now_ms, broken, NULL};

static void world_init(struct world *w, enum frontend kind, enum age builder)
{
    *w = (struct world){.kind = kind, .accepts = UINT32_MAX, .typed = "", .left_when_disconnected = UINT32_MAX};
    w->page = (struct xencons_interface *)(void *)w->page_bytes;
    if (builder == NEW_SIDE)
        vc_xencons_build(w->page);
    vc_pvcons_init(&w->door, &env, w);
    assert_int_equal(vc_xencons_front_attach(&w->front, w->page), VC_OK);
}

static void backend_attach(struct world *w, enum age backend)
{
    w->attached = true;
    if (backend == OLD_SIDE) {
        assert_int_equal(vc_xencons_back_attach(&w->old_backend, w->page), VC_OK);
        return;
    }
    assert_int_equal(vc_pvcons_attach(&w->door, w->page), VC_OK);
    assert_int_equal(vc_pvcons_connect(&w->door), VC_OK);
}

/* What a kick does, if somebody listens. */
static void backend_serve(struct world *w, enum age backend)
{
    uint8_t bytes[XENCONS_OUT_SIZE];
    uint32_t n;

    if (!w->attached)
        return;
    if (backend == NEW_SIDE) {
        vc_pvcons_serve(&w->door);
        return;
    }
    vc_consumer_get(&w->old_backend.out, bytes, sizeof bytes, &n);
    out(w, bytes, n);
}

/* The hypercall of vcons-vmm: the ring is drained first. */
static void console_io(struct world *w, const uint8_t *bytes, uint32_t n)
{
    vc_pvcons_serve(&w->door);
    out(w, bytes, n);
}

/* One write of the frontend; a full ring that nobody empties would spin: the rest is counted as stalled. */
static void guest_write(struct world *w, enum age backend, const void *bytes, uint32_t n)
{
    const uint8_t *from = bytes;
    uint32_t put = 0;

    if (w->kind == LINUX_NEW && w->page->connection == XENCONSOLE_DISCONNECTED) {
        w->dropped += n; /* -ENOTCONN, and hvc core throws the bytes away */
        return;
    }
    while (n > 0) {
        if (w->kind == VCONS && !vc_xencons_front_connected(&w->front)) {
            console_io(w, from, n);
            return;
        }
        assert_int_equal(vc_producer_put(&w->front.out, from, n, &put), VC_OK);
        from += put;
        n -= put;
        backend_serve(w, backend);
        if (put == 0 && !w->attached) {
            w->stalled += n;
            return;
        }
    }
}

#define BEFORE 3000u
#define AFTER  3000u

static const struct combination {
    const char *row;
    enum frontend frontend;
    enum age backend, builder;
    uint8_t byte_before, byte_after;
    uint32_t stalled, dropped; /* of BEFORE bytes written before attach and AFTER written after it */
} combinations[] = {
    {"old old old: until full, then spins; works", OLD, OLD_SIDE, OLD_SIDE, 0, 0, BEFORE - 2048, 0},
    {"old new old", OLD, NEW_SIDE, OLD_SIDE, 0, 0, BEFORE - 2048, 0},
    {"old old new: byte stays 1, unread", OLD, OLD_SIDE, NEW_SIDE, 1, 1, BEFORE - 2048, 0},
    {"old new new: byte 0", OLD, NEW_SIDE, NEW_SIDE, 1, 0, BEFORE - 2048, 0},
    {"new old old: behaves like old", LINUX_NEW, OLD_SIDE, OLD_SIDE, 0, 0, BEFORE - 2048, 0},
    {"new new old: flag gives nothing", LINUX_NEW, NEW_SIDE, OLD_SIDE, 0, 0, BEFORE - 2048, 0},
    {"new new new: dropped, no stall; flows from then on", LINUX_NEW, NEW_SIDE, NEW_SIDE, 1, 0, 0, BEFORE},
    {"new old new: output lost for ever", LINUX_NEW, OLD_SIDE, NEW_SIDE, 1, 1, 0, BEFORE + AFTER},
    {"vcons new new: nothing dropped, no stall", VCONS, NEW_SIDE, NEW_SIDE, 1, 0, 0, 0},
    {"vcons new old: as any", VCONS, NEW_SIDE, OLD_SIDE, 0, 0, BEFORE - 2048, 0},
    {"vcons old new: by console_io, the byte stays 1", VCONS, OLD_SIDE, NEW_SIDE, 1, 1, 0, 0},
    {"vcons old old", VCONS, OLD_SIDE, OLD_SIDE, 0, 0, BEFORE - 2048, 0},
};

static void the_table_of_combinations(void **state)
{
    static uint8_t bytes[BEFORE + AFTER];

    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    for (size_t i = 0; i < N_ROWS(combinations); i++) {
        const struct combination *c = &combinations[i];
        struct world w;

        world_init(&w, c->frontend, c->builder);
        assert_int_equal(w.page->connection, c->byte_before);
        guest_write(&w, c->backend, bytes, BEFORE);
        backend_attach(&w, c->backend);
        backend_serve(&w, c->backend);
        guest_write(&w, c->backend, bytes + BEFORE, AFTER);
        backend_serve(&w, c->backend);
        if (w.page->connection != c->byte_after || w.stalled != c->stalled || w.dropped != c->dropped)
            fail_msg("%s: byte %u, stalled %u, dropped %u", c->row, w.page->connection, w.stalled, w.dropped);
        if (w.n_log != sizeof bytes - c->stalled - c->dropped)
            fail_msg("%s: %u bytes in the log", c->row, w.n_log);
        if (w.dropped == 0) { /* what did not stall is there, in order */
            assert_memory_equal(w.log, bytes, BEFORE - c->stalled);
            assert_memory_equal(w.log + BEFORE - c->stalled, bytes + BEFORE, AFTER);
        }
    }
}

/* "toolstack boot: attach before unpausing" */
static void attached_before_the_first_instruction(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, LINUX_NEW, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    guest_write(&w, NEW_SIDE, "first", 5);
    assert_int_equal(w.dropped, 0);
    assert_memory_equal(w.log, "first", 5);
}

/* "hyperlaunch, daemon starts late: builder sets 1; guest falls back to console_io" */
static void daemon_starts_late(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, VCONS, NEW_SIDE);
    guest_write(&w, NEW_SIDE, "by call, ", 9);
    assert_int_equal(w.page->out_prod, 0);
    backend_attach(&w, NEW_SIDE);
    guest_write(&w, NEW_SIDE, "by ring", 7);
    assert_int_equal(w.page->out_prod, 7);
    assert_memory_equal(w.log, "by call, by ring", 16);
}

/* "restore, HVM/PVH: page cleared and set to 1; reset private indices" */
static void restored_with_a_cleared_page(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, VCONS, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    guest_write(&w, NEW_SIDE, "before", 6);
    vc_pvcons_detach(&w.door, true);
    w.attached = false;
    vc_xencons_build(w.page);
    vc_xencons_front_attach(&w.front, w.page);
    guest_write(&w, NEW_SIDE, " call", 5);
    backend_attach(&w, NEW_SIDE);
    assert_int_equal(w.page->out_cons, 0);
    guest_write(&w, NEW_SIDE, " ring", 5);
    assert_memory_equal(w.log, "before call ring", 16);
}

/* "restore, PV: content kept, set to 1; start from the indices in the page" */
static void restored_with_its_content(void **state)
{
    struct world w;
    uint32_t put;

    (void)state;
    world_init(&w, VCONS, NEW_SIDE);
    w.page->out_prod = w.page->out_cons = 123456;
    vc_xencons_front_attach(&w.front, w.page);
    vc_producer_put(&w.front.out, "in flight", 9, &put);
    backend_attach(&w, NEW_SIDE);
    assert_int_equal(w.n_log, 9);
    assert_memory_equal(w.log, "in flight", 9);
    assert_int_equal(w.page->out_cons, 123465);
}

/* "save on the source: set 1 on detach, last", and "never set 1 on a ring you will not drain first" */
static void drained_before_the_byte_is_1(void **state)
{
    struct world w;
    uint32_t put;

    (void)state;
    world_init(&w, VCONS, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    vc_producer_put(&w.front.out, "last words", 10, &put);
    vc_pvcons_detach(&w.door, true);
    assert_int_equal(w.left_when_disconnected, 0);
    assert_int_equal(w.page->connection, 1);
    assert_memory_equal(w.log, "last words", 10);
}

/* "daemon restart or crash: stays 0; new daemon resumes from the shared indices" */
static void an_exit_that_a_restart_follows(void **state)
{
    struct world w;
    uint32_t put;

    (void)state;
    world_init(&w, LINUX_NEW, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    guest_write(&w, NEW_SIDE, "one ", 4);
    vc_pvcons_detach(&w.door, false);
    assert_int_equal(w.page->connection, 0); /* new Linux would throw output away */
    assert_false(w.bound);
    vc_producer_put(&w.front.out, "two", 3, &put);
    backend_attach(&w, NEW_SIDE);
    assert_memory_equal(w.log, "one two", 7);
    assert_int_equal(w.dropped, 0);
}

/* "domain reboot (soft reset, kexec): byte kept; re-validate indices, rebind port" */
static void a_new_kernel_on_the_old_page(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, OLD, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    guest_write(&w, NEW_SIDE, "old", 3);
    vc_pvcons_detach(&w.door, false);
    vc_xencons_front_attach(&w.front, w.page); /* it takes up the indices where they are */
    w.page->out_prod = 90000;                  /* … or leaves them in a state that no kernel may */
    assert_int_equal(vc_pvcons_attach(&w.door, w.page), VC_EPEER);
    assert_false(w.bound);
    w.page->out_prod = 3;
    backend_attach(&w, NEW_SIDE);
    assert_true(w.bound);
    guest_write(&w, NEW_SIDE, "new", 3);
    assert_memory_equal(w.log, "oldnew", 6);
}

/* "driver-domain backend: write 0 only after the port is bound" */
static void the_byte_waits_for_the_port(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, VCONS, NEW_SIDE);
    w.bind_result = VC_ENOSPC;
    assert_int_equal(vc_pvcons_attach(&w.door, w.page), VC_ENOSPC);
    assert_int_equal(vc_pvcons_connect(&w.door), VC_EINVAL);
    assert_int_equal(w.page->connection, 1);
    w.bind_result = VC_OK;
    backend_attach(&w, NEW_SIDE);
    assert_false(w.changed_before_bind);
    assert_int_equal(w.page->connection, 0);
}

/* "a vcons backend must always write 0", also over what is no flag value at all */
static void connect_always_writes_0(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        struct world w;

        world_init(&w, VCONS, OLD_SIDE);
        w.page->connection = (uint8_t)byte;
        assert_int_equal(vc_xencons_front_connected(&w.front), byte != 1); /* Linux: only exactly 1 */
        backend_attach(&w, NEW_SIDE);
        assert_int_equal(w.page->connection, 0);
    }
}

/* "secondary consoles: page zeroed by the guest: 0; may write 0/1 consistently"; "vuart page: leave 0" */
static void served_without_touching_the_byte(void **state)
{
    struct world w;
    uint32_t put;

    (void)state;
    world_init(&w, OLD, OLD_SIDE);
    assert_int_equal(vc_pvcons_attach(&w.door, w.page), VC_OK);
    vc_producer_put(&w.front.out, "uart", 4, &put);
    vc_pvcons_serve(&w.door);
    assert_memory_equal(w.log, "uart", 4);
    vc_pvcons_detach(&w.door, false);
    assert_int_equal(w.page->connection, 0);
}

/* "flag toggled 0 -> 1 while the guest is in its retry loop: not re-tested, guest keeps spinning" */
static void toggled_while_the_guest_waits_for_room(void **state)
{
    static uint8_t full[XENCONS_OUT_SIZE];
    struct world w;
    uint32_t put, room;

    (void)state;
    world_init(&w, LINUX_NEW, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    w.accepts = 100; /* the line is nearly full */
    vc_producer_put(&w.front.out, full, sizeof full, &put);
    assert_int_equal(vc_pvcons_disconnect(&w.door), VC_PVCONS_HELD);
    w.accepts = UINT32_MAX;
    assert_int_equal(vc_pvcons_serve(&w.door), VC_PVCONS_DONE); /* the I/O thread goes on: the guest gets out */
    vc_producer_room(&w.front.out, &room);
    assert_int_equal(room, XENCONS_OUT_SIZE);
    assert_int_equal(w.n_log, XENCONS_OUT_SIZE);
}

/* "guest writes the byte itself: hurts only itself; never read it back" */
static void the_guest_writes_the_byte(void **state)
{
    struct world w;
    char got[4] = "";
    uint32_t n, put;

    (void)state;
    world_init(&w, OLD, NEW_SIDE);
    backend_attach(&w, NEW_SIDE);
    w.page->connection = 1;
    vc_producer_put(&w.front.out, "out", 3, &put);
    w.typed = "in";
    vc_pvcons_serve(&w.door);
    vc_consumer_get(&w.front.in, got, 3, &n);
    assert_string_equal(got, "in");
    assert_memory_equal(w.log, "out", 3);
    assert_int_equal(w.page->connection, 1); /* nor repaired behind its back */
}

/* "no notification on change: optional: one event after the change" */
static void one_event_after_each_change(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, VCONS, NEW_SIDE);
    vc_pvcons_attach(&w.door, w.page);
    assert_int_equal(w.n_notify, 0);
    vc_pvcons_connect(&w.door);
    assert_int_equal(w.n_notify, 1);
    vc_pvcons_disconnect(&w.door);
    assert_int_equal(w.n_notify, 2);
    vc_pvcons_connect(&w.door);
    assert_int_equal(w.n_notify, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_combinations),
        cmocka_unit_test(attached_before_the_first_instruction),
        cmocka_unit_test(daemon_starts_late),
        cmocka_unit_test(restored_with_a_cleared_page),
        cmocka_unit_test(restored_with_its_content),
        cmocka_unit_test(drained_before_the_byte_is_1),
        cmocka_unit_test(an_exit_that_a_restart_follows),
        cmocka_unit_test(a_new_kernel_on_the_old_page),
        cmocka_unit_test(the_byte_waits_for_the_port),
        cmocka_unit_test(connect_always_writes_0),
        cmocka_unit_test(served_without_touching_the_byte),
        cmocka_unit_test(toggled_while_the_guest_waits_for_room),
        cmocka_unit_test(the_guest_writes_the_byte),
        cmocka_unit_test(one_event_after_each_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
