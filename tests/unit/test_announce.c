/* SPDX-License-Identifier: MIT */
/* Consoles of a domain announced in order: the turn by itself, then with two devices whose guests race for it. */
#include "unit.h"

#include "virtio_rig.h"
#include <string.h>

enum { PLACES = 5 };

struct world {
    struct vc_announce a;
    struct vc_announce_place places[PLACES];
    char turns[64]; /* whom env told, in order */
    uint64_t timer;
    bool locked;
};

static unsigned long lock(void *ctx)
{
    struct world *w = ctx;

    assert_false(w->locked);
    w->locked = true;
    return 7;
}
static void unlock(void *ctx, unsigned long saved)
{
    struct world *w = ctx;

    assert_true(w->locked && saved == 7);
    w->locked = false;
}
static void turn(void *ctx, void *owner)
{
    struct world *w = ctx;

    strncat(w->turns, owner, sizeof w->turns - strlen(w->turns) - 1);
}
static void timer(void *ctx, uint64_t ns) { ((struct world *)ctx)->timer = ns; }
static const struct vc_announce_env env = {.lock = {.lock = lock, .unlock = unlock}, .turn = turn, .timer = timer};

static char *const owners[PLACES] = {"0", "1", "2", "3", "4"};

/*
 * What happens, a letter and a place each: e expected, r ready, d done, l left; t the time is up; T together; N from
 * now on; "=": the rest up to the next blank is whose turn it became since; + and -: the timer runs, or not; y, n and a
 * place: it may be announced, or not.
 */
static const struct {
    const char *name, *steps;
} rows[] = {
    {"one", "e0 = - n0 r0 =0 + y0 d0 = - y0"},
    {"in order, when they are ready in order", "e0 e1 r0 =0 r1 = d0 =1 n2 d1 -"},
    {"in order, when they are ready the other way round", "e0 e1 e2 r2 = + r1 = r0 =0 d0 =1 d1 =2 d2 -"},
    {"the next only when the one before is open", "e0 e1 r0 r1 =0 n1 d0 =1 y1"},
    {"nobody is ready: nobody is waited for", "e0 e1 -"},
    {"never opened: the next after the limit", "e0 e1 r0 r1 =0 + t =1 + y0 t = - y1"},
    {"… and opened after that: nothing", "e0 e1 r0 r1 t =01 d0 = + d1 -"},
    {"never ready: passed by after the limit, all before the first that is",
     "e0 e1 e2 e3 r2 = + t =2 d2 = - r3 =3 d3 -"},
    {"late: gets its turn when it comes", "e0 e1 e2 r1 t =1 r0 = d1 =0 d0 = - r2 =2"},
    {"late, and behind it one that is ready goes on", "e0 e1 e2 r1 t =1 d1 r2 =2 r0 = d2 =0"},
    {"left while it is in turn", "e0 e1 r0 r1 =0 l0 =1 n0"},
    {"left while it is waited for", "e0 e1 r1 = + l0 =1 +"},
    {"left while others wait for it to be ready, and nobody is", "e0 e1 r0 =0 l0 = - "},
    {"its device was reset while it is in turn: it is waited for anew", "e0 e1 r0 r1 =0 e0 = + n0 r0 =0 d0 =1"},
    {"its device was reset after it was open", "e0 r0 d0 =0 e0 - r0 =0 + d0 -"},
    {"ready twice, done twice", "e0 e1 r0 r0 =0 d0 r0 d0 = y0 r1 =1 d1 d1 -"},
    {"not expected, and yet ready: nothing", "r0 = - n0"},
    {"done without a turn (a driver that knows one port only)", "e0 e1 d0 r1 =1"},
    {"plugged later, before one in turn: after it", "e1 r1 =1 e0 r0 = d1 =0"},
    {"plugged while it runs: behind all, in the order in which they came",
     "e0 e2 N r0 =0 e4 e1 e3 r4 r1 r3 r2 = d0 =2 d2 =4 d4 =1 d1 =3 d3 -"},
    {"in the place of one that left: behind all", "e0 e1 e2 N r0 =0 l1 e1 r1 r2 = d0 =2 d2 =1 d1 -"},
    {"in the place of one that was done and left, before one that waits",
     "e0 e1 N r0 d0 r1 d1 =01 e2 l0 e0 r0 = + r2 =2 d2 =0 d0 -"},
    {"all of them, again and again", "e0 e1 N l0 e0 l1 e1 l0 e0 r0 = + r1 =1 l1 =0 e1 r1 d0 =1 d1 -"},
    {"reset with its device it keeps its turn", "e0 N r0 d0 =0 e3 e1 r3 r1 =3 e3 = + r3 =3 d3 =1"},
    {"together, while it runs", "T e0 N r0 d0 =0 e3 e1 r1 = + r3 =31 -"},
    {"a timer that was taken back", "e0 r0 =0 d0 - t = y0"},
    {"together: all at once, when the last is ready", "T e0 e1 e2 r2 = + n2 r0 = + r1 =012 - y0 y1 y2"},
    {"together: nobody is waited for to open", "T e0 r0 =0 - e1 r1 =1 - d0 d1 = -"},
    {"together: those that are ready after the limit, the others when they come",
     "T e0 e1 e2 e3 r1 r3 = + t =13 - n0 r0 =0 r2 =2 -"},
    {"together: left while it is waited for", "T e0 e1 r1 = + l0 =1 - n0"},
    {"together: a device was reset", "T e0 e1 r0 r1 =01 e0 = - n0 y1 r0 =0"},
};

static void time_is_up(struct world *w)
{
    w->timer = 0;
    vc_announce_timer(&w->a);
}

static void happen(struct world *w, const char *name, const char *step)
{
    uint32_t place = (uint32_t)(step[1] - '0');

    switch (step[0]) {
    case 'e': vc_announce_expect(&w->a, place, owners[place]); break;
    case 'r': vc_announce_ready(&w->a, place); break;
    case 'd': vc_announce_done(&w->a, place); break;
    case 'l': vc_announce_leave(&w->a, place); break;
    case 't': time_is_up(w); break;
    case 'N': vc_announce_from_now_on(&w->a); break;
    case 'T': vc_announce_together(&w->a); break;
    case '+':
    case '-':
        if ((w->timer != 0) != (step[0] == '+') || (w->timer != 0 && w->timer != VC_ANNOUNCE_LIMIT_NS))
            fail_msg("%s: timer %llu", name, (unsigned long long)w->timer);
        break;
    case 'y':
    case 'n':
        if (vc_announce_may(&w->a, place) != (step[0] == 'y'))
            fail_msg("%s: %s", name, step);
        break;
    default:
        if (strcmp(w->turns, step + 1) != 0)
            fail_msg("%s: turns %s, not %s", name, w->turns, step);
        w->turns[0] = '\0';
        break;
    }
}

static void the_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct world w = {0};
        char steps[128], *save = NULL;

        vc_announce_init(&w.a, &env, &w, &w, w.places, PLACES, VC_ANNOUNCE_LIMIT_NS);
        snprintf(steps, sizeof steps, "%s", rows[i].steps);
        for (char *s = strtok_r(steps, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save))
            happen(&w, rows[i].name, s);
    }
}

/* ---- Two devices, one announce: what the guest of each hears. ---- */

enum { DEVICES = 2 };
struct two {
    struct world w;
    struct virtio_rig g[DEVICES];
    bool due[DEVICES];
};

static void wake(void *ctx, void *owner)
{
    struct two *t = ctx;

    for (int i = 0; i < DEVICES; i++)
        t->due[i] = t->due[i] || owner == t->g[i].c;
}
static void two_timer(void *ctx, uint64_t ns) { ((struct two *)ctx)->w.timer = ns; }
static const struct vc_announce_env two_env = {
    .lock = {.lock = lock, .unlock = unlock}, .turn = wake, .timer = two_timer};

static void two_begin(struct two *t, bool ordered)
{
    memset(t, 0, sizeof *t);
    vc_announce_init(&t->w.a, &two_env, t, &t->w, t->w.places, PLACES, VC_ANNOUNCE_LIMIT_NS);
    for (int i = 0; i < DEVICES; i++) {
        struct vc_virtio_console_config config = {.ports = RIG_PORTS, .announce = ordered ? &t->w.a : NULL};
        struct vc_virtio_port_config port = {.console = true, .host_open = true};

        rig_begin(&t->g[i], &config);
        for (uint32_t p = 0; p < 2; p++) { /* places 0 and 2 in one, 1 and 3 in the other */
            port.place = 2 * p + (uint32_t)i;
            assert_int_equal(vc_virtio_console_add(t->g[i].c, p, &port), VC_OK);
        }
    }
}

static void two_finish(struct two *t)
{
    for (int i = 0; i < DEVICES; i++)
        rig_finish(&t->g[i]);
}

/* The loop of the hypervisor serves whose turn it is. */
static void two_serve(struct two *t)
{
    for (int i = 0; i < DEVICES; i++) {
        if (t->due[i])
            vc_virtio_console_serve(t->g[i].c);
        t->due[i] = false;
    }
}

static void run(struct two *t, int device, const struct rig_step *steps, const char *what)
{
    char saw[512];

    for (int i = 0; steps[i].op != END; i++) {
        const char *instead = rig_step(&t->g[device], &steps[i], saw, sizeof saw);

        if (instead != NULL)
            fail_msg("%s: step %d of device %d saw \"%s\"", what, i, device, instead);
    }
    two_serve(t);
}
#define ON(device, ...) run(&t, device, (const struct rig_step[]){__VA_ARGS__, {END, 0, 0, 0, NULL}}, __func__)
#define START           BOOT(), BUFFERS(12, 72), READY(1), HEARD("add0 add1")

static void two_devices_in_the_order_of_places(void **state)
{
    static struct two t;

    (void)state;
    two_begin(&t, true);
    /* The second device's driver is faster, and its ports are ready first. */
    ON(1, START, PORT_READY(0, 1), PORT_READY(1, 1), RESIZE(0, 80, 25), HEARD("open0:1 open1:1"));
    ON(0, START, PORT_READY(1, 1), HEARD("open1:1"));
    ON(0, PORT_READY(0, 1), HEARD("console0 open0:1"));
    ON(1, HEARD(""));
    ON(0, OPEN(0, 1), HEARD(""));
    ON(1, HEARD("console0 size0:80x25"), OPEN(0, 1), HEARD(""));
    ON(0, HEARD("console1"), OPEN(1, 1));
    ON(1, HEARD("console1"), OPEN(1, 1));
    assert_int_equal(t.w.timer, 0);
    two_finish(&t);
}

static void a_guest_that_opens_nothing_gets_them_all_the_same(void **state)
{
    static struct two t;

    (void)state;
    two_begin(&t, true);
    ON(0, START, PORT_READY(0, 1), PORT_READY(1, 1), HEARD("console0 open0:1 open1:1"));
    ON(1, START, PORT_READY(0, 1), PORT_READY(1, 0), HEARD("open0:1"));
    time_is_up(&t.w);
    two_serve(&t);
    ON(1, HEARD("console0"));
    time_is_up(&t.w);
    two_serve(&t);
    ON(0, HEARD("console1"), OPEN(1, 1));
    assert_int_equal(t.w.timer, 0); /* the last one could not be made */
    two_finish(&t);
}

static void devices_that_come_and_go(void **state)
{
    static struct two t;

    (void)state;
    two_begin(&t, true);
    ON(1, START, PORT_READY(0, 1), HEARD("open0:1"));
    ON(0, UNPLUG(0));
    ON(1, HEARD("console0"));
    ON(0, UNPLUG(1));
    ON(1, RESET());
    ON(1, START, PORT_READY(1, 1), HEARD("open1:1"), PORT_READY(0, 1), HEARD("console0 open0:1"), OPEN(0, 1),
       HEARD("console1"), OPEN(1, 1));
    assert_int_equal(t.w.timer, 0);
    ON(0, CONSOLE(3, NULL)); /* place 3 is the other's: its own doing, here it stands for a new one */
    ON(0, BOOT(), BUFFERS(9, 72), READY(1), PORT_READY(3, 1), HEARD("add3 console3 open3:1"));
    two_finish(&t);
}

/* A driver without MULTIPORT makes a console of its port by itself, and of no other. */
static void a_single_port_is_not_waited_for(void **state)
{
    static struct two t;

    (void)state;
    two_begin(&t, true);
    ON(1, START, PORT_READY(0, 1), PORT_READY(1, 1), HEARD("open0:1 open1:1"));
    ON(0, BOOT_SINGLE());
    ON(1, HEARD("console0"), OPEN(0, 1), HEARD("console1"));
    two_finish(&t);
}

/* So that the order is known to come from there. */
static void without_an_announce_all_at_once(void **state)
{
    static struct two t;

    (void)state;
    two_begin(&t, false);
    ON(1, START, PORT_READY(0, 1), PORT_READY(1, 1), HEARD("console0 open0:1 console1 open1:1"));
    ON(0, START, PORT_READY(1, 1), HEARD("console1 open1:1"));
    two_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_turn),
        cmocka_unit_test(two_devices_in_the_order_of_places),
        cmocka_unit_test(a_guest_that_opens_nothing_gets_them_all_the_same),
        cmocka_unit_test(devices_that_come_and_go),
        cmocka_unit_test(a_single_port_is_not_waited_for),
        cmocka_unit_test(without_an_announce_all_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
