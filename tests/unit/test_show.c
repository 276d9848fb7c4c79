/* SPDX-License-Identifier: MIT */
/* show.h: what wakes the loop for the terminal, and what waits until it looks by itself. */
#include "unit.h"
#include <string.h>

#include "vmm/domain_private.h"
#include "vmm/vmm.h"

static unsigned n_woken;

static void woken(void *ctx)
{
    (void)ctx;
    n_woken++;
}

static void ready(void *ctx) { show_wanted(&((struct vmm *)ctx)->show); }
static uint64_t no_time(void *ctx) { return (void)ctx, 0; }

/* How often the loop was woken for all that was asked of it since the last look, which then follows. */
static unsigned looks(struct vmm *vmm)
{
    n_woken = 0;
    uv_run(&vmm->loop, UV_RUN_NOWAIT);
    if (n_woken > 0)
        show_look(&vmm->show);
    return n_woken;
}

/* The timer's time has come. */
static void look_now(struct vmm *vmm)
{
    uv_timer_start(&vmm->show.timer, vmm->show.timer.timer_cb, 0, 0);
    assert_int_equal(looks(vmm), 0);
}

static void print(struct vmm *vmm, const char *text) { vc_focus_print(&vmm->focus, text); }

static void test_what_wakes_the_loop(void **state)
{
    static const struct console_env console_env = {.now_ms = no_time};
    static struct vc_focus_env env;
    static struct vmm vmm;
    struct problem problem;
    struct vc_focus_config config = {.env = &env,
                                     .ctx = &vmm,
                                     .lock = &vmm.focus_lock,
                                     .typed = vmm.typed,
                                     .output = vmm.output,
                                     .typed_bytes = sizeof vmm.typed,
                                     .output_bytes = sizeof vmm.output};

    (void)state;
    env = (struct vc_focus_env){.lock = domain_locks, .now_ms = no_time, .ready = ready};
    uv_loop_init(&vmm.loop);
    assert_int_equal(waker_init(&vmm.wake, &vmm.loop, woken, &vmm), 0);
    pthread_mutex_init(&vmm.focus_lock, NULL);
    assert_int_equal(console_kicks_init(&vmm.kicks, &problem), 0);
    assert_int_equal(console_init(&vmm.console, &console_env, &vmm, &vmm.kicks, 0, &problem), 0);
    vmm.terminal = (struct terminal){.vmm = &vmm, .in_fd = -1, .out_fd = -1};
    show_init(&vmm.show, &vmm);
    assert_int_equal(vc_focus_init(&vmm.focus, &config), VC_OK);

    print(&vmm, "first"); /* it was quiet: at once */
    assert_int_equal(looks(&vmm), 1);
    assert_int_equal(vmm.focus.output_cons, vmm.focus.output_prod);
    uv_timer_start(&vmm.show.timer, vmm.show.timer.timer_cb, UINT32_MAX, 0); /* however slow this machine is */
    for (int i = 0; i < 1000; i++)
        print(&vmm, ".");
    show_bytes(&vmm.show, SHOW_BYTES - 1);
    assert_int_equal(looks(&vmm), 0); /* the timer will look */
    assert_int_not_equal(vmm.focus.output_cons, vmm.focus.output_prod);
    show_bytes(&vmm.show, 1); /* unless much waits */
    assert_int_equal(looks(&vmm), 1);
    assert_int_equal(vmm.focus.output_cons, vmm.focus.output_prod);
    uv_timer_start(&vmm.show.timer, vmm.show.timer.timer_cb, UINT32_MAX, 0);
    print(&vmm, "words of our own");
    show_at_once(&vmm.show);
    assert_int_equal(looks(&vmm), 1);
    assert_int_equal(vmm.focus.output_cons, vmm.focus.output_prod);
    print(&vmm, "last");
    look_now(&vmm);
    assert_int_equal(vmm.focus.output_cons, vmm.focus.output_prod);

    for (int i = 0; i < 5; i++) { /* it goes on, and is looked at less and less often */
        assert_int_equal(vmm.show.pace_ms, i < 1 ? 2 * SHOW_MS : SHOW_MAX_MS);
        print(&vmm, "more");
        look_now(&vmm);
        assert_int_equal(vmm.focus.output_cons, vmm.focus.output_prod);
    }
    look_now(&vmm); /* nothing came: the next is at once again */
    assert_int_equal(vmm.show.pace_ms, SHOW_MS);
    print(&vmm, "alone");
    assert_int_equal(looks(&vmm), 1);

    show_finish(&vmm.show);
    waker_finish(&vmm.wake);
    while (uv_run(&vmm.loop, UV_RUN_NOWAIT) != 0)
        ;
    uv_loop_close(&vmm.loop);
    console_finish(&vmm.console);
    console_kicks_finish(&vmm.kicks);
    pthread_mutex_destroy(&vmm.focus_lock);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_wakes_the_loop)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
