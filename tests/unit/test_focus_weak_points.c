/* SPDX-License-Identifier: MIT */
/*
 * The ten weak points of the published series for focus-based console_io (Xen ABI 2.5), a test for each. All go through the
 * hypercall; whatever races there is forced to happen at the worst moment: inside copy_out.
 */
#include "unit.h"

#include "focus_rig.h"

struct vcpu {
    struct rig *rig;
    uint32_t id;
    struct vc_console_io *io;
    char memory[256];      /* the guest's, from address 0 */
    const char *meanwhile; /* typed at the terminal while the first copy to this guest is under way */
    struct vcpu *other;    /* reads while the first copy to this guest is under way */
    unsigned faults;       /* so many copies fail */
};

static int64_t console_read(struct vcpu *v, uint32_t n);

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    struct vcpu *v = ctx;

    door_may_sleep();
    if (from + n > sizeof v->memory)
        return false;
    memcpy(to, v->memory + from, n);
    return true;
}

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct vcpu *v = ctx;
    const char *meanwhile = v->meanwhile;
    struct vcpu *other = v->other;

    door_may_sleep(); /* no lock, interrupts on: guest memory may have to be paged in */
    v->meanwhile = NULL;
    v->other = NULL;
    if (meanwhile != NULL)
        rig_type(v->rig, meanwhile);
    if (other != NULL)
        console_read(other, 64);
    if (v->faults > 0) {
        v->faults--;
        return false;
    }
    memcpy(v->memory + to, from, n);
    return true;
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct vcpu *v = ctx;

    vc_focus_write(&v->rig->focus, &v->rig->domains[v->id - 1], bytes, n);
    return n;
}

static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct vcpu *v = ctx;

    return vc_focus_read(&v->rig->focus, &v->rig->domains[v->id - 1], bytes, n);
}

static bool go_on(void *ctx, bool full)
{
    (void)ctx;
    (void)full;
    door_may_sleep();
    return true;
}

static const struct vc_console_io_env env = {copy_in, copy_out, out, in, go_on};
static struct vc_console_io io;

static struct vcpu vcpu(struct rig *r, uint32_t id)
{
    vc_console_io_init(&io, &env);
    return (struct vcpu){.rig = r, .id = id, .io = &io};
}

static int64_t console_read(struct vcpu *v, uint32_t n)
{
    struct vc_console_io_call c = {.cmd = CONSOLEIO_read, .count = n};

    assert_true(vc_console_io(v->io, v, &c));
    return c.result;
}

static void console_write(struct vcpu *v, const char *text)
{
    struct vc_console_io_call c = {.cmd = CONSOLEIO_write, .count = strlen(text)};

    memcpy(v->memory, text, strlen(text));
    assert_true(vc_console_io(v->io, v, &c));
    assert_int_equal(c.result, 0);
}

/* 1: the lock is dropped before the copy; slots are overwritten meanwhile: another domain's bytes leak. */
static void point_1_slots_overwritten_during_the_copy(void **state)
{
    struct rig r;
    struct vcpu one;

    (void)state;
    rig_init(&r, 2);
    one = vcpu(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "for one");
    /* While it is copied the focus goes to 2 and the whole ring of 64 is overwritten with what is typed for 2. */
    one.meanwhile = AAA "222222222222222222222222222222222222222222222222222222222222222222222222222222222222";
    assert_int_equal(console_read(&one, 100), 7);
    assert_memory_equal(one.memory, "for one", 7);
    rig_balance(&r, 1, 0);
    rig_balance(&r, 2, 64);
}

/* 2: focus leaves and comes back during the copy; the indices were reset meanwhile. */
static void point_2_focus_leaves_and_comes_back(void **state)
{
    struct rig r;
    struct vcpu one;

    (void)state;
    rig_init(&r, 2);
    one = vcpu(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "before");
    one.meanwhile = AAA AAA AAA "xyz"; /* 2, Xen, 1 again */
    assert_int_equal(console_read(&one, 6), 6);
    assert_memory_equal(one.memory, "before", 6);
    rig_balance(&r, 1, 3); /* prod - cons is not huge: exactly xyz waits */
    assert_int_equal(console_read(&one, 100), 3);
    assert_memory_equal(one.memory, "xyz", 3);
    assert_int_equal(console_read(&one, 100), 0);
}

/* 3: two vCPUs of the domain in focus read at once: bytes doubled and skipped. */
static void point_3_two_vcpus_read_at_once(void **state)
{
    struct rig r;
    struct vcpu one, two;

    (void)state;
    rig_init(&r, 1);
    one = vcpu(&r, 1);
    two = vcpu(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "0123456789");
    one.other = &two; /* reads 64 while the first four go to one */
    assert_int_equal(console_read(&one, 4), 4);
    assert_memory_equal(one.memory, "0123", 4);
    assert_memory_equal(two.memory, "456789", 6);
    rig_balance(&r, 1, 0);
}

/* 4: data is in the guest but focus was lost: the choice is to consume before copying; what is counted was read. */
static void point_4_focus_lost_after_the_bytes_were_taken(void **state)
{
    struct rig r;
    struct vcpu one;
    struct vc_focus_counts c;

    (void)state;
    rig_init(&r, 2);
    one = vcpu(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "abcdef");
    one.meanwhile = AAA;
    assert_int_equal(console_read(&one, 4), 4);
    c = vc_focus_count(&r.focus, &r.domains[0]);
    assert_int_equal(c.read, 4);
    assert_int_equal(c.discarded, 2);
    assert_int_equal(console_read(&one, 4), 0);
}

/* 5: switching runs from the receive interrupt: the interrupt state must be saved and restored, not switched. */
static void point_5_interrupt_state_is_restored(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    assert_int_equal(door_irqs, 1);
    rig_type(&r, AAA "typed"); /* door_lock and door_unlock check every pair, nested ones too */
    rig_write(&r, 1, "in focus");
    rig_write(&r, 2, "out of focus\n");
    assert_int_equal(vc_focus_id(&r.focus), 1);
    assert_int_equal(door_irqs, 1);
    assert_int_equal(n_door_held, 0);
}

/* 6: the flushed partial line was filtered, what follows is not: mixed policies in one line. */
static void point_6_one_policy_for_one_line(void **state)
{
    struct rig r;
    struct vcpu one;

    (void)state;
    rig_init(&r, 1);
    one = vcpu(&r, 1);
    console_write(&one, "\033[1mlog");
    vc_focus_start(&r.focus, 1);
    console_write(&one, "in:\033[0m ");
    assert_string_equal(strchr(rig_screen(&r), '\n') + 1, "\033[1mlogin:\033[0m ");
    console_write(&one, "root\n");
    console_write(&one, "x\033[1my");
    rig_type(&r, AAA); /* the focus leaves in mid-line: what was shown raw is closed, what follows is filtered */
    rig_screen(&r);
    console_write(&one, "\033[2mz\n");
    assert_string_equal(rig_screen(&r), "(d1) [2mz\n");
}

/* 7: on losing focus in mid-line the terminal line is left open. */
static void point_7_the_column_is_tracked(void **state)
{
    struct rig r;
    struct vcpu one, two;

    (void)state;
    rig_init(&r, 2);
    one = vcpu(&r, 1);
    two = vcpu(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    console_write(&one, "# half");
    vc_focus_start(&r.focus, 0);
    console_write(&two, "whole\n");
    console_write(&one, " and half\n");
    assert_string_equal(rig_screen(&r), "# half\n*** Serial input to Xen (type 'CTRL-a' three times to switch input)\n"
                                        "(d2) whole\n(d1)  and half\n");
}

/* 8: discarding at every switch is intended, also to and from the hypervisor, and counted. */
static void point_8_typed_ahead_is_discarded_and_counted(void **state)
{
    struct rig r;
    struct vcpu one;

    (void)state;
    rig_init(&r, 1);
    one = vcpu(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "ahead" AAA AAA);
    assert_int_equal(console_read(&one, 100), 0);
    assert_int_equal(vc_focus_count(&r.focus, &r.domains[0]).discarded, 5);
    rig_balance(&r, 1, 0);
}

/* 9: input notification stays global; other focused domains must poll. Ours tell the domain that was typed for. */
static void point_9_each_domain_has_its_own_notification(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 3);
    rig_type(&r, AAA "x" AAA "y" AAA "z" AAA "k");
    assert_string_equal(r.inputs, "123");
    assert_string_equal(r.keys, "k");
}

/* 10: a fault in the copy must not leave the ring index half advanced. */
static void point_10_a_fault_leaves_the_ring_consistent(void **state)
{
    struct rig r;
    struct vcpu one;

    (void)state;
    rig_init(&r, 1);
    one = vcpu(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "lost");
    one.faults = 1;
    assert_int_equal(console_read(&one, 4), -XEN_EFAULT);
    assert_int_equal(one.io->fault_bytes, 4);
    rig_balance(&r, 1, 0);
    rig_type(&r, "kept");
    assert_int_equal(console_read(&one, 100), 4);
    assert_memory_equal(one.memory, "kept", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(point_1_slots_overwritten_during_the_copy),
        cmocka_unit_test(point_2_focus_leaves_and_comes_back),
        cmocka_unit_test(point_3_two_vcpus_read_at_once),
        cmocka_unit_test(point_4_focus_lost_after_the_bytes_were_taken),
        cmocka_unit_test(point_5_interrupt_state_is_restored),
        cmocka_unit_test(point_6_one_policy_for_one_line),
        cmocka_unit_test(point_7_the_column_is_tracked),
        cmocka_unit_test(point_8_typed_ahead_is_discarded_and_counted),
        cmocka_unit_test(point_9_each_domain_has_its_own_notification),
        cmocka_unit_test(point_10_a_fault_leaves_the_ring_consistent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
