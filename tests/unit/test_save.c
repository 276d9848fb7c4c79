/* SPDX-License-Identifier: MIT */
/* Layouts of saved parts, byte for byte as save.h has them, and what a reader must refuse. */
#include "unit.h"
#include <setjmp.h>

#include <stdlib.h>
#include <string.h>
#include <vcons/focus.h>
#include <vcons/params.h>
#include <vcons/pvcons.h>
#include <vcons/save.h>

/* ---- Numbers and sections. ---- */

static void test_layout(void **state)
{
    static const uint8_t wanted[] = {'P',  'A',  'R',  'M',  7,    0,    0,   0,   16,  0,    0,
                                     0,    0,    0,    0,    0,    1,    2,   3,   4,   0xf0, 0xde,
                                     0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 'a', 'b', 'c', 0xff};
    uint8_t bytes[64];
    struct vc_writer w;
    struct vc_reader r;
    struct vc_section s;
    size_t begun;
    bool there;
    char text[3];

    (void)state;
    vc_writer_init(&w, bytes, sizeof bytes);
    begun = vc_write_begin(&w, VC_SAVE_PARAMS, 7);
    vc_write_u32(&w, 0x04030201);
    vc_write_u64(&w, 0x123456789abcdef0);
    vc_write_bytes(&w, "abc", 3);
    vc_write_u8(&w, 0xff);
    vc_write_end(&w, begun);
    assert_true(vc_writer_ok(&w));
    assert_int_equal(w.n, sizeof wanted);
    assert_memory_equal(bytes, wanted, sizeof wanted);

    vc_reader_init(&r, bytes, w.n);
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    assert_true(there);
    assert_int_equal(s.tag, VC_SAVE_PARAMS);
    assert_int_equal(s.version, 7);
    assert_int_equal(vc_read_u32(&s.body), 0x04030201);
    assert_true(vc_read_u64(&s.body) == 0x123456789abcdef0);
    vc_read_bytes(&s.body, text, 3);
    assert_memory_equal(text, "abc", 3);
    assert_false(vc_reader_done(&s.body));
    assert_int_equal(vc_read_u8(&s.body), 0xff);
    assert_true(vc_reader_done(&s.body));
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    assert_false(there);
}

/* What does not fit is not written, at any size of the buffer, and no byte behind it is touched. */
static void test_no_room(void **state)
{
    uint8_t bytes[64];

    (void)state;
    for (size_t size = 0; size < 29; size++) {
        struct vc_writer w;
        size_t begun;

        memset(bytes, 0xee, sizeof bytes);
        vc_writer_init(&w, bytes, size);
        begun = vc_write_begin(&w, VC_SAVE_FOCUS, 1);
        vc_write_u64(&w, UINT64_MAX);
        vc_write_u32(&w, 1);
        vc_write_u8(&w, 1);
        vc_write_end(&w, begun);
        assert_false(vc_writer_ok(&w));
        for (size_t i = size; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 0xee);
    }
}

/* Cut off at any byte: refused, and nothing read past the end (the sanitizer looks). */
static void test_cut(void **state)
{
    uint8_t whole[] = {'F', 'O', 'C', 'U', 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 'l', 'i', 'n', 'e'};

    (void)state;
    for (size_t n = 1; n < sizeof whole; n++) {
        uint8_t *cut = malloc(n);
        struct vc_reader r;
        struct vc_section s;
        bool there = true;

        memcpy(cut, whole, n);
        vc_reader_init(&r, cut, n);
        assert_int_equal(vc_read_section(&r, &s, &there), VC_EINVAL);
        assert_false(there);
        assert_int_equal(vc_read_section(&r, &s, &there), VC_EINVAL);
        assert_int_equal(vc_read_u64(&r), 0);
        free(cut);
    }
}

/* A body that does not hold what is asked of it gives zeros for all that follows. */
static void test_short_body(void **state)
{
    static const uint8_t five[] = {1, 1, 1, 1, 1};
    uint8_t to[8] = {9, 9, 9, 9, 9, 9, 9, 9}, none[8] = {0};
    struct vc_reader r;

    (void)state;
    vc_reader_init(&r, five, sizeof five);
    assert_int_equal(vc_read_u64(&r), 0);
    assert_false(vc_reader_ok(&r));
    assert_int_equal(vc_read_u8(&r), 0);
    vc_read_bytes(&r, to, sizeof to);
    assert_memory_equal(to, none, sizeof to);
    vc_reader_init(&r, five, sizeof five);
    assert_null(vc_read_span(&r, SIZE_MAX));
}

/* The body that a save just wrote. */
static struct vc_section section_of(const struct vc_writer *w)
{
    struct vc_reader r;
    struct vc_section s;
    bool there;

    assert_true(vc_writer_ok(w));
    vc_reader_init(&r, w->bytes, w->n);
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    assert_true(there && r.at == r.size);
    return s;
}

/* ---- Parameters. ---- */

static size_t saved_params(uint8_t bytes[VC_SAVE_PARAMS_BYTES])
{
    struct vc_params p;
    struct vc_writer w;

    vc_params_init(&p, VC_PARAM_X86);
    vc_params_set(&p, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, 0x1234);
    vc_params_set(&p, VC_PARAM_GUEST, HVM_PARAM_CALLBACK_IRQ, UINT64_C(0x0200000000000020));
    vc_params_hide(&p, HVM_PARAM_STORE_PFN);
    vc_writer_init(&w, bytes, VC_SAVE_PARAMS_BYTES);
    vc_params_save(&p, &w);
    assert_true(vc_writer_ok(&w));
    return w.n;
}

static int restore_params(struct vc_params *p, uint8_t *bytes, size_t n)
{
    struct vc_reader r;
    struct vc_section s;
    bool there;

    vc_reader_init(&r, bytes, n);
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    return vc_params_restore(p, &s);
}

static void test_params(void **state)
{
    uint8_t bytes[VC_SAVE_PARAMS_BYTES];
    size_t n = saved_params(bytes);
    struct vc_params p;
    uint64_t value;

    (void)state;
    vc_params_init(&p, VC_PARAM_X86);
    assert_int_equal(restore_params(&p, bytes, n), VC_OK);
    assert_int_equal(vc_params_get(&p, VC_PARAM_GUEST, HVM_PARAM_CONSOLE_PFN, &value), 0);
    assert_int_equal(value, 0x1234);
    assert_int_equal(vc_params_get(&p, VC_PARAM_GUEST, HVM_PARAM_CALLBACK_IRQ, &value), 0);
    assert_true(value == UINT64_C(0x0200000000000020));
    assert_int_equal(vc_params_get(&p, VC_PARAM_GUEST, HVM_PARAM_STORE_PFN, &value), -XEN_EPERM);
}

static void test_params_refused(void **state)
{
    static const struct {
        const char *name;
        size_t at; /* in the section */
        uint8_t value;
    } rows[] = {
        {"another tag", 0, 'X'},
        {"version 0", 4, 0},
        {"version 2", 4, 2},
        {"another architecture", 16, 1},
        {"no architecture", 19, 0x80},
        {"40 parameters", 20, 40},
        {"38 parameters of 39", 20, 38},
        {"2^31 parameters", 23, 0x80},
        {"parameter 39 hidden", 24 + 4, 0x80},
        {"a value in a hole", 32 + 3 * 8, 1},
    };
    uint8_t bytes[VC_SAVE_PARAMS_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = saved_params(bytes);
        struct vc_params p, before;

        vc_params_init(&p, VC_PARAM_X86);
        before = p;
        bytes[rows[i].at] = rows[i].value;
        if (restore_params(&p, bytes, n) != VC_EINVAL || memcmp(&p, &before, sizeof p) != 0)
            fail_msg("taken: %s", rows[i].name);
    }
}

/* ---- The PV console. ---- */

struct rig {
    struct vc_pvcons door;
    _Alignas(4096) struct xencons_interface page;
    uint8_t out[4096], in[64];
    uint32_t n_out, accepts, n_in;
    int bind_error, bound, notified, broken;
    enum vc_pvcons_reason reason;
};

static uint32_t rig_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct rig *g = ctx;

    n = n < g->accepts ? n : g->accepts;
    memcpy(g->out + g->n_out, bytes, n);
    g->n_out += n;
    return n;
}
static uint32_t rig_in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct rig *g = ctx;

    n = n < g->n_in ? n : g->n_in;
    memcpy(bytes, g->in, n);
    g->n_in -= n;
    return n;
}
static int rig_bind(void *ctx)
{
    struct rig *g = ctx;

    g->bound += g->bind_error == 0;
    return g->bind_error;
}
static void rig_unbind(void *ctx) { ((struct rig *)ctx)->bound--; }
static void rig_notify(void *ctx) { ((struct rig *)ctx)->notified++; }
static uint64_t rig_now(void *ctx) { return ctx != NULL ? 5000 : 0; }
static void rig_broken(void *ctx, enum vc_pvcons_reason reason)
{
    ((struct rig *)ctx)->broken++;
    ((struct rig *)ctx)->reason = reason;
}
static const struct vc_pvcons_env rig_env = {rig_out,    rig_in,  rig_bind,   rig_unbind,
                                             rig_notify, rig_now, rig_broken, NULL};

static struct rig *rig_new(void)
{
    struct rig *g = aligned_alloc(4096, (sizeof *g + 4095) / 4096 * 4096);

    memset(g, 0, sizeof *g);
    vc_xencons_build(&g->page);
    vc_pvcons_init(&g->door, &rig_env, g);
    return g;
}

/* A guest that wrote "output" into its ring, which nobody took, and did not read "typed", of which 2 bytes more wait. */
static struct rig *rig_busy(void)
{
    struct rig *g = rig_new();
    struct vc_xencons_front front;
    uint32_t put;

    memcpy(g->in, "typed", 5);
    g->n_in = 5;
    assert_int_equal(vc_pvcons_attach(&g->door, &g->page), VC_OK);
    assert_int_equal(vc_pvcons_connect(&g->door), VC_OK);
    assert_int_equal(vc_xencons_front_attach(&front, &g->page), VC_OK);
    assert_int_equal(vc_producer_put(&front.out, "output", 6, &put), VC_OK);
    vc_pvcons_serve(&g->door);
    assert_int_equal(g->n_out, 0);
    return g;
}

static struct vc_writer save_door(const struct rig *g, uint8_t bytes[VC_SAVE_PVCONS_BYTES])
{
    struct vc_writer w;

    vc_writer_init(&w, bytes, VC_SAVE_PVCONS_BYTES);
    vc_pvcons_save(&g->door, &w);
    return w;
}

static void test_pvcons(void **state)
{
    struct rig *before = rig_busy(), *after = rig_new();
    uint8_t bytes[VC_SAVE_PVCONS_BYTES], typed[8];
    struct vc_writer w = save_door(before, bytes);
    struct vc_section s = section_of(&w);
    struct vc_xencons_front front;
    uint32_t got;

    (void)state;
    after->page = before->page;
    assert_int_equal(vc_pvcons_restore(&after->door, &s, &after->page), VC_OK);
    assert_int_equal(after->bound, 1);
    assert_int_equal(after->door.state, VC_PVCONS_SERVED);
    assert_int_equal(after->page.connection, XENCONSOLE_DISCONNECTED);
    assert_true(vc_pvcons_unread(&after->door));
    after->accepts = 100;
    assert_int_equal(vc_pvcons_connect(&after->door), VC_OK);
    assert_int_equal(after->page.connection, XENCONSOLE_CONNECTED);
    assert_int_equal(vc_pvcons_serve(&after->door), VC_PVCONS_DONE);
    assert_int_equal(after->n_out, 6);
    assert_memory_equal(after->out, "output", 6);
    front = (struct vc_xencons_front){.page = &after->page};
    assert_int_equal(vc_xencons_front_attach(&front, &after->page), VC_OK);
    assert_int_equal(vc_consumer_get(&front.in, typed, sizeof typed, &got), VC_OK);
    assert_int_equal(got, 5);
    assert_memory_equal(typed, "typed", 5);
    free(before);
    free(after);
}

/* What the guest wrote over our indices counts for nothing; illegal ones of its own make a broken door, told once. */
static void test_pvcons_scribbled(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint32_t value;
        enum vc_pvcons_state state;
        enum vc_pvcons_reason reason;
    } rows[] = {
        {"our out_cons", offsetof(struct xencons_interface, out_cons), 0x80000000, VC_PVCONS_SERVED, 0},
        {"our in_prod", offsetof(struct xencons_interface, in_prod), 77, VC_PVCONS_SERVED, 0},
        {"out_prod", offsetof(struct xencons_interface, out_prod), 2049, VC_PVCONS_BROKEN, VC_PVCONS_OUT_INDICES},
        {"in_cons", offsetof(struct xencons_interface, in_cons), 6, VC_PVCONS_BROKEN, VC_PVCONS_IN_INDICES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *before = rig_busy(), *after = rig_new();
        uint8_t bytes[VC_SAVE_PVCONS_BYTES];
        struct vc_writer w = save_door(before, bytes);
        struct vc_section s = section_of(&w);
        int error;

        after->page = before->page;
        memcpy((uint8_t *)&after->page + rows[i].at, &rows[i].value, 4);
        error = vc_pvcons_restore(&after->door, &s, &after->page);
        if (error != VC_OK || after->door.state != rows[i].state || after->reason != rows[i].reason ||
            after->broken != (rows[i].reason != 0))
            fail_msg("%s: %d, state %d, reason %d", rows[i].name, error, after->door.state, after->reason);
        free(before);
        free(after);
    }
}

static void test_pvcons_refused(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        int bind_error, error;
    } rows[] = {
        {"another tag", 3, 'X', 0, VC_EINVAL}, {"version 2", 4, 2, 0, VC_EINVAL},
        {"state 4", 16, 4, 0, VC_EINVAL},      {"state 2^31", 19, 0x80, 0, VC_EINVAL},
        {"connect 2", 20, 2, 0, VC_EINVAL},    {"no port for it", 12, 0, VC_ENOSPC, VC_ENOSPC},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *before = rig_busy(), *after = rig_new();
        struct xencons_interface page = before->page;
        uint8_t bytes[VC_SAVE_PVCONS_BYTES];
        struct vc_writer w = save_door(before, bytes);
        struct vc_section s;

        bytes[rows[i].at] = rows[i].value;
        s = section_of(&w);
        after->bind_error = rows[i].bind_error;
        if (vc_pvcons_restore(&after->door, &s, &page) != rows[i].error || after->door.state != VC_PVCONS_DETACHED ||
            memcmp(&page, &before->page, sizeof page) != 0 || after->bound != 0)
            fail_msg("taken: %s", rows[i].name);
        free(before);
        free(after);
    }
}

static void test_pvcons_attached(void **state)
{
    struct rig *g = rig_busy();
    uint8_t bytes[VC_SAVE_PVCONS_BYTES];
    struct vc_writer w = save_door(g, bytes);
    struct vc_section s = section_of(&w);

    (void)state;
    assert_int_equal(vc_pvcons_restore(&g->door, &s, &g->page), VC_EBUSY);
    assert_int_equal(g->door.state, VC_PVCONS_CONNECTED);
    free(g);
}

static void test_pvcons_detached(void **state)
{
    struct rig *before = rig_new(), *after = rig_new();
    uint8_t bytes[VC_SAVE_PVCONS_BYTES];
    struct vc_writer w = save_door(before, bytes);
    struct vc_section s = section_of(&w);

    (void)state;
    assert_int_equal(vc_pvcons_restore(&after->door, &s, &after->page), VC_OK);
    assert_int_equal(after->door.state, VC_PVCONS_DETACHED);
    assert_int_equal(after->bound, 0);
    free(before);
    free(after);
}

/* ---- The line that a domain has not ended. ---- */

static unsigned long no_lock(void *lock)
{
    (void)lock;
    return 0;
}
static void no_unlock(void *lock, unsigned long saved) { (void)lock, (void)saved; }
static void no_ready(void *ctx) { (void)ctx; }
static void no_moved(void *ctx, struct vc_focus_domain *to) { (void)ctx, (void)to; }
static const struct vc_focus_env focus_env = {
    .lock = {.lock = no_lock, .unlock = no_unlock}, .now_ms = rig_now, .ready = no_ready, .moved = no_moved};

struct terminal {
    struct vc_focus focus;
    struct vc_focus_domain domain;
    uint8_t typed[16], output[4096];
    char shown[4096];
};

static void terminal_init(struct terminal *t)
{
    struct vc_focus_config config = {
        .env = &focus_env, .typed = t->typed, .output = t->output, .typed_bytes = 16, .output_bytes = 4096};

    assert_int_equal(vc_focus_init(&t->focus, &config), VC_OK);
    assert_int_equal(vc_focus_add(&t->focus, &t->domain, 1, NULL, NULL, NULL), VC_OK);
}

static const char *shown(struct terminal *t)
{
    t->shown[vc_focus_take(&t->focus, t->shown, sizeof t->shown - 1)] = '\0';
    return t->shown;
}

static void test_focus(void **state)
{
    static struct terminal before, after;
    uint8_t bytes[VC_SAVE_FOCUS_BYTES];
    struct vc_writer w;
    struct vc_section s;

    (void)state;
    terminal_init(&before);
    terminal_init(&after);
    vc_focus_write(&before.focus, &before.domain, "half a ", 7);
    vc_writer_init(&w, bytes, sizeof bytes);
    vc_focus_save(&before.focus, &before.domain, &w);
    vc_focus_forget(&before.focus, &before.domain);
    vc_focus_remove(&before.focus, &before.domain);
    assert_string_equal(shown(&before), "");
    s = section_of(&w);
    assert_int_equal(vc_focus_restore(&after.focus, &after.domain, &s), VC_OK);
    vc_focus_write(&after.focus, &after.domain, "line\n", 5);
    assert_string_equal(shown(&after), "(d1) half a line\n");
}

/* The longest that can wait is 255 bytes: so many are taken, with one more it is no line. */
static void test_focus_refused(void **state)
{
    static const struct {
        const char *name;
        uint32_t tag, version, says, has;
        int error;
    } rows[] = {
        {"255 bytes", VC_SAVE_FOCUS, 1, 255, 255, VC_OK},
        {"256 bytes", VC_SAVE_FOCUS, 1, 256, 256, VC_EINVAL},
        {"fewer than said", VC_SAVE_FOCUS, 1, 9, 8, VC_EINVAL},
        {"more than said", VC_SAVE_FOCUS, 1, 8, 9, VC_EINVAL},
        {"2^32 - 1 bytes", VC_SAVE_FOCUS, 1, UINT32_MAX, 8, VC_EINVAL},
        {"version 2", VC_SAVE_FOCUS, 2, 8, 8, VC_EINVAL},
        {"another tag", VC_SAVE_EVENTS, 1, 8, 8, VC_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct terminal t;
        uint8_t bytes[512], line[256];
        struct vc_writer w;
        struct vc_section s;
        size_t begun;
        int error;

        terminal_init(&t);
        memset(line, 'x', sizeof line);
        vc_writer_init(&w, bytes, sizeof bytes);
        begun = vc_write_begin(&w, rows[i].tag, rows[i].version);
        vc_write_u32(&w, rows[i].says);
        vc_write_bytes(&w, line, rows[i].has);
        vc_write_end(&w, begun);
        s = section_of(&w);
        error = vc_focus_restore(&t.focus, &t.domain, &s);
        if (error != rows[i].error || (error != VC_OK && t.domain.n != 0))
            fail_msg("%s: %d", rows[i].name, error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_short_body),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_params_refused),
        cmocka_unit_test(test_pvcons),
        cmocka_unit_test(test_pvcons_scribbled),
        cmocka_unit_test(test_pvcons_refused),
        cmocka_unit_test(test_pvcons_attached),
        cmocka_unit_test(test_pvcons_detached),
        cmocka_unit_test(test_focus),
        cmocka_unit_test(test_focus_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
