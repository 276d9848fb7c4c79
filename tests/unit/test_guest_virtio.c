/* SPDX-License-Identifier: MIT */
/*
 * The guest's virtio-console driver on the core's own devices: who gets which number (device ABI 3.5), what arrives where, and ports
 * that come and go.
 */
#include "random.h"
#include "unit.h"

#include "guest_virtio.h"

/* ---- Old and new guests, old and new devices: each cell of device ABI 3.5. ---- */

enum { NO_MULTIPORT = 1 << VIRTIO_CONSOLE_F_MULTIPORT };

static const struct {
    const char *name;
    struct world_shape shape;
    uint32_t ports;      /* of each device, consoles */
    const char *numbers; /* in the order of devices and ports; announced together, sorted */
} cells[] = {
    /* clang-format off */
    {"G0 D0: the console is port 0", {1, NO_MULTIPORT, false, true, true}, 1, "1"},
    {"G0 D1: not acknowledged, port 0 alone", {1, 0, true, true, true}, 3, "1"},
    {"G0 D2: of each device port 0", {3, 0, true, true, true}, 3, "1 2 3"},
    {"G1 D0: one console", {1, NO_MULTIPORT, false, false, true}, 1, "1"},
    {"G1 D1: one after another", {1, 0, false, false, true}, 4, "1 2 3 4"},
    {"G1 D1, announced in order", {1, 0, true, false, true}, 4, "1 2 3 4"},
    {"G1 D2, announced together: one number for all, and then some are skipped", {3, 0, false, false, true}, 1, "1 1 1"},
    {"G1 D2, announced in order: no two the same, in the configured order", {3, 0, true, false, true}, 3, "1 2 3 4 5 6 7 8 9"},
    {"G1, several D0: they overlap in nothing", {3, NO_MULTIPORT, false, false, true}, 1, "1 2 3"},
    {"G2 D0: one console", {1, NO_MULTIPORT, false, false, false}, 1, "1"},
    {"G2 D1: unique, the lowest", {1, 0, false, false, false}, 8, "1 2 3 4 5 6 7 8"},
    {"G2 D2, announced together: unique", {3, 0, false, false, false}, 2, "1 2 3 4 5 6"},
    {"G2 D2, announced in order: unique, in the configured order", {3, 0, true, false, false}, 2, "1 2 3 4 5 6"},
    /* clang-format on */
};

static void boot_all(struct world *w, bool single)
{
    for (uint32_t i = 0; i < w->n_devices; i++)
        assert_int_equal(world_boot(w, i, single), VC_OK);
    world_settle(w);
}

/* One digit each. */
static void sort_words(char *words)
{
    size_t n = strlen(words);

    for (size_t i = 0; i < n; i += 2)
        for (size_t j = i + 2; j < n; j += 2)
            if (words[j] < words[i]) {
                char c = words[i];

                words[i] = words[j];
                words[j] = c;
            }
}

static void who_gets_which_number(void **state)
{
    char numbers[128];

    (void)state;
    for (size_t r = 0; r < N_ROWS(cells); r++) {
        struct world *w = world_create(&cells[r].shape);

        for (uint32_t i = 0; i < w->n_devices; i++)
            for (uint32_t j = 0; j < cells[r].ports; j++)
                world_plug(w, i, j, true, NULL);
        boot_all(w, cells[r].shape.single);
        world_numbers(w, numbers, sizeof numbers);
        if (!cells[r].shape.ordered)
            sort_words(numbers);
        if (strcmp(numbers, cells[r].numbers) != 0)
            fail_msg("%s: %s, not %s", cells[r].name, numbers, cells[r].numbers);
        for (uint32_t i = 0; i < w->n_devices; i++)
            if (w->devices[i].driver.violations != 0 || w->devices[i].broken != 0)
                fail_msg("%s: something was against the spec", cells[r].name);
        world_destroy(w);
    }
}

/* The old counter's damage, and that ours has none of it: who came second has no terminal, and is back when it is plugged anew. */
static void a_shared_number_is_one_terminal(void **state)
{
    const struct world_shape shape = {2, 0, false, false, true};
    struct world *w = world_create(&shape);
    char numbers[64];

    (void)state;
    world_plug(w, 0, 0, true, NULL);
    world_plug(w, 1, 0, true, NULL);
    boot_all(w, false);
    world_numbers(w, numbers, sizeof numbers);
    assert_string_equal(numbers, "1 1");
    assert_int_equal(w->n_begun, 1);
    assert_int_equal(vterm_index(&w->terms, 1), 0);
    for (uint32_t i = 0; i < 2; i++)
        if (vterm_find(&w->terms, 1) != &w->devices[i].ports[0].hvc) {
            assert_int_equal(vc_virtio_console_remove(&w->devices[i].core, 0), VC_OK);
            world_settle(w);
            world_plug(w, i, 0, true, NULL);
            world_settle(w);
            assert_int_equal(w->devices[i].ports[0].number, 3);
            break;
        }
    assert_int_equal(vterm_index(&w->terms, 3), 1);
    assert_int_equal(w->n_begun, 2);
    world_destroy(w);
}

/* Unplugged and plugged: {counter, numbers afterwards, its hvcN}. */
static void numbers_come_again(void **state)
{
    static const struct {
        bool counter;
        uint32_t number;
    } rows[] = {{true, 4}, {false, 2}};
    char numbers[64];

    (void)state;
    for (size_t r = 0; r < N_ROWS(rows); r++) {
        const struct world_shape shape = {1, 0, true, false, rows[r].counter};
        struct world *w = world_create(&shape);

        for (uint32_t j = 0; j < 3; j++)
            world_plug(w, 0, j, true, NULL);
        boot_all(w, false);
        assert_int_equal(vc_virtio_console_remove(&w->devices[0].core, 1), VC_OK);
        world_settle(w);
        world_numbers(w, numbers, sizeof numbers);
        assert_string_equal(numbers, "1 3");
        world_plug(w, 0, 1, true, NULL);
        world_settle(w);
        assert_int_equal(w->devices[0].ports[1].number, rows[r].number);
        assert_int_equal(vterm_index(&w->terms, rows[r].number), 1); /* /dev/hvc1 in both */
        world_destroy(w);
    }
}

static void a_terminal_that_does_not_begin_gives_its_number_back(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    struct world *w = world_create(&shape);
    char numbers[64];

    (void)state;
    w->refuse = 1;
    for (uint32_t j = 0; j < 3; j++)
        world_plug(w, 0, j, true, NULL);
    boot_all(w, false);
    world_numbers(w, numbers, sizeof numbers);
    assert_string_equal(numbers, "- 1 2");
    assert_false(w->devices[0].opened[0]);
    assert_int_equal(vc_virtio_console_remove(&w->devices[0].core, 0), VC_OK);
    world_plug(w, 0, 0, true, NULL);
    world_settle(w);
    world_numbers(w, numbers, sizeof numbers);
    assert_string_equal(numbers, "3 1 2");
    assert_int_equal(w->devices[0].driver.violations, 0);
    world_destroy(w);
}

/* The number is published before its terminal begins: what that writes at once arrives. */
static void the_first_line_arrives(void **state)
{
    const struct world_shape shape = {2, 0, true, false, false};
    struct world *w = world_create(&shape);

    (void)state;
    w->greets = true;
    for (uint32_t i = 0; i < 2; i++)
        world_plug(w, i, 0, true, NULL);
    boot_all(w, false);
    assert_int_equal(w->n_unpublished, 0);
    for (uint32_t i = 0; i < 2; i++) {
        char hello[32];
        int n = snprintf(hello, sizeof hello, "terminal %u\n", i + 1);

        assert_int_equal(w->devices[i].lines[0].n, n);
        assert_memory_equal(w->devices[i].lines[0].out, hello, (size_t)n);
    }
    world_destroy(w);
}

/* ---- What a port is told, and tells. ---- */

static void names_sizes_and_openness(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    struct world *w = world_create(&shape);
    struct world_device *d = &w->devices[0];
    struct virtio_port *v, *g;
    char got[16];

    (void)state;
    world_plug(w, 0, 0, true, "v0");
    world_plug(w, 0, 3, false, "org.vcons.agent-with-a-name-that-is-long");
    assert_int_equal(vc_virtio_console_resize(&d->core, 0, 132, 50), VC_OK);
    boot_all(w, false);
    v = virtio_console_port(&d->driver, 0);
    g = virtio_console_port(&d->driver, 3);
    assert_non_null(v);
    assert_non_null(g);
    assert_null(virtio_console_port(&d->driver, 1));
    assert_string_equal(v->name, "v0");
    assert_string_equal(v->hvc.name, "vport0p0");
    assert_int_equal(v->cols, 132);
    assert_int_equal(v->rows, 50);
    assert_true(v->console && v->guest_open && v->host_open && d->opened[0]);
    assert_string_equal(g->name, "org.vcons.agent-with-a-name-tha");
    assert_true(!g->console && !g->guest_open && g->host_open && !d->opened[3] && g->number == 0);

    assert_int_equal(vc_virtio_console_resize(&d->core, 0, 80, 24), VC_OK);
    assert_int_equal(vc_virtio_console_host(&d->core, 3, false), VC_OK);
    world_settle(w);
    assert_int_equal(v->cols, 80);
    assert_int_equal(v->rows, 24);
    assert_int_equal(v->n_resizes, 2);
    assert_false(g->host_open);

    assert_int_equal(vc_virtio_console_input(&d->core, 3, (const uint8_t *)"early", 5), 0); /* nobody has opened it */
    virtio_port_open(g, true);
    world_settle(w);
    assert_true(d->opened[3]);
    assert_int_equal(vc_virtio_console_input(&d->core, 3, (const uint8_t *)"now", 3), 3);
    assert_int_equal(hvc_read(&g->hvc, got, sizeof got), 3);
    assert_memory_equal(got, "now", 3);
    virtio_port_open(g, false);
    world_settle(w);
    assert_false(d->opened[3]);
    virtio_port_open(v, false); /* a console is open as long as it is there */
    world_settle(w);
    assert_true(d->opened[0]);
    world_destroy(w);
}

static void a_device_of_one_port_has_its_size_in_the_configuration(void **state)
{
    const struct world_shape shape = {1, 0, false, true, false};
    struct world *w = world_create(&shape);
    struct virtio_port *p = &w->devices[0].ports[0];

    (void)state;
    world_plug(w, 0, 0, true, NULL);
    assert_int_equal(vc_virtio_console_resize(&w->devices[0].core, 0, 100, 30), VC_OK);
    boot_all(w, true);
    assert_int_equal(p->cols, 100);
    assert_int_equal(p->rows, 30);
    assert_int_equal(vc_virtio_console_resize(&w->devices[0].core, 0, 90, 20), VC_OK);
    world_settle(w);
    assert_int_equal(p->cols, 90);
    assert_int_equal(p->rows, 20);
    world_destroy(w);
}

static void more_ports_than_we_have(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    struct world *w = world_create(&shape);

    (void)state;
    for (uint32_t j = 0; j < WORLD_IDS; j++)
        world_plug(w, 0, j, true, NULL);
    boot_all(w, false);
    assert_int_equal(w->devices[0].driver.refused, WORLD_IDS - WORLD_PORTS);
    for (uint32_t j = 0; j < WORLD_IDS; j++)
        assert_int_equal(w->devices[0].opened[j], j < WORLD_PORTS);
    assert_int_equal(w->devices[0].driver.violations, 0);
    world_destroy(w);
}

static void emergency_needs_no_driver(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    const struct world_shape without = {1, 1 << VIRTIO_CONSOLE_F_EMERG_WRITE, true, false, false};
    struct world *w = world_create(&shape);
    struct virtio_io io = world_io(&w->devices[0]);

    (void)state;
    world_plug(w, 0, 0, true, NULL);
    assert_true(virtio_console_emergency(&io, '!'));
    assert_int_equal(w->devices[0].lines[0].n, 1);
    assert_int_equal(w->devices[0].lines[0].out[0], '!');
    world_destroy(w);
    w = world_create(&without);
    io = world_io(&w->devices[0]);
    assert_false(virtio_console_emergency(&io, '!'));
    world_destroy(w);
}

/* ---- Full, gone, and back. ---- */

static void a_full_port_is_waited_for_and_then_dropped(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    struct world *w = world_create(&shape);
    struct world_device *d = &w->devices[0];
    static char bytes[VIRTIO_PORT_BUFFERS * VIRTIO_PORT_OUT_BYTES];
    struct hvc *hvc = &d->ports[0].hvc;
    size_t all = sizeof bytes;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    world_plug(w, 0, 0, true, NULL);
    boot_all(w, false);
    d->room = 100;
    w->clock = 1;
    d->driver.patience_ns = 1000000;
    assert_int_equal(hvc->driver->put(hvc, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(hvc->driver->put(hvc, bytes, 1), 0);
    hvc_write(hvc, bytes, 10); /* until its patience is over */
    assert_int_equal(hvc->dropped, 10);
    d->room = UINT32_MAX;
    for (int i = 0; i < 20; i++)
        vc_virtio_console_output_room(&d->core, 0);
    world_settle(w);
    assert_int_equal(d->lines[0].n, all);
    hvc_write(hvc, "on", 2);
    assert_int_equal(d->lines[0].n, all + 2);
    assert_int_equal(hvc->dropped, 10);
    world_destroy(w);
}

/* Written to while it goes, and comes back while its writer has not noticed: nothing of the one comes to the other. */
static void gone_while_it_is_written_to(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    struct world *w = world_create(&shape);
    struct world_device *d = &w->devices[0];
    struct virtio_port *p = &d->ports[2];

    (void)state;
    world_plug(w, 0, 2, true, "a");
    boot_all(w, false);
    w->holds = true;
    hvc_write(&p->hvc, "one", 3);
    d->room = 0;
    hvc_write(&p->hvc, "two", 3); /* the device has it, and its line takes nothing */
    assert_int_equal(vc_virtio_console_remove(&d->core, 2), VC_OK);
    d->room = UINT32_MAX;
    hvc_write(&p->hvc, "three", 5); /* sees that it has gone */
    assert_int_equal(p->hvc.dropped, 5);
    assert_false(p->added);
    assert_int_equal(p->number, 1);
    world_plug(w, 0, 2, true, "b");
    world_settle(w);
    assert_false(p->added);          /* the first one's user still has it */
    world_plug(w, 0, 5, true, NULL); /* nor has anybody else its number */
    world_settle(w);
    vc_announce_timer(&w->announce); /* it does not wait for the one before for ever */
    world_settle(w);
    assert_int_equal(d->ports[5].number, 2);
    hvc_write(&p->hvc, "four", 4);
    assert_int_equal(d->lines[2].n, 0);
    assert_int_equal(vc_virtio_console_remove(&d->core, 2), VC_OK);
    world_plug(w, 0, 2, true, "c");
    world_settle(w);
    world_let_go(w);
    world_settle(w);
    assert_true(p->added && d->opened[2]);
    assert_string_equal(p->name, "c");
    assert_int_equal(p->number, 1);
    assert_int_equal(p->hvc.dropped, 0);
    hvc_write(&p->hvc, "five", 4);
    assert_int_equal(d->lines[2].n, 4);
    assert_memory_equal(d->lines[2].out, "five", 4);
    assert_int_equal(d->driver.violations, 0);
    world_destroy(w);
}

static void a_device_that_is_given_up(void **state)
{
    const struct world_shape shape = {1, 0, true, false, false};
    struct world *w = world_create(&shape);
    struct world_device *d = &w->devices[0];

    (void)state;
    world_plug(w, 0, 0, true, NULL);
    boot_all(w, false);
    w->holds = true;
    assert_false(virtio_console_end(&d->driver));
    assert_false(virtio_console_end(&d->driver));
    world_let_go(w);
    assert_true(virtio_console_end(&d->driver));
    assert_int_equal(d->core.mmio.status, 0);
    assert_false(virtio_console_work(&d->driver));
    assert_int_equal(world_boot(w, 0, false), VC_OK); /* and again */
    world_settle(w);
    assert_int_equal(d->ports[0].number, 1);
    world_destroy(w);
}

/* ---- Three devices of eight ports, plugged and unplugged at random. ---- */

enum { ROUNDS = 20000 };

struct model {
    bool plugged, console;
    char sent[WORLD_OUT]; /* since it was plugged, as far as it was taken */
    uint32_t n;
};

static uint32_t lowest_free(const struct world *w)
{
    uint32_t n = 1;

    while (w->live[n])
        n++;
    return n;
}

static void check_numbers(const struct world *w)
{
    unsigned seen[sizeof w->live] = {0};

    for (uint32_t i = 0; i < w->n_devices; i++)
        for (uint32_t j = 0; j < WORLD_PORTS; j++) {
            const struct virtio_port *p = &w->devices[i].ports[j];

            assert_true(p->number < sizeof w->live);
            if (p->number > 0)
                assert_int_equal(++seen[p->number], 1);
        }
}

static void write_to(struct world *w, struct model *m, uint32_t i, uint32_t j, uint64_t *seed)
{
    struct virtio_port *p = &w->devices[i].ports[j];
    uint64_t dropped = p->hvc.dropped;
    char text[48];
    int n = snprintf(text, sizeof text, "%u.%u.%u:%u ", i, j, w->devices[i].lines[j].plugs,
                     (unsigned)random_below(seed, 1000));

    if (m->n + (uint32_t)n > WORLD_OUT)
        return;
    hvc_write(&p->hvc, text, (size_t)n);
    assert_true(p->hvc.dropped == dropped); /* room is never short here, and the host is not faster than the guest */
    memcpy(m->sent + m->n, text, (size_t)n);
    m->n += (uint32_t)n;
}

static void type_at(struct world *w, uint32_t i, uint32_t j)
{
    char text[32], got[32];
    int n = snprintf(text, sizeof text, "in %u.%u", i, j);

    assert_int_equal(vc_virtio_console_input(&w->devices[i].core, j, (const uint8_t *)text, (uint32_t)n), n);
    assert_int_equal(hvc_read(&w->devices[i].ports[j].hvc, got, sizeof got), n);
    assert_memory_equal(got, text, (size_t)n);
}

static void at_random(void **state)
{
    static struct model models[WORLD_DEVICES][WORLD_PORTS];
    const struct world_shape shape = {WORLD_DEVICES, 0, true, false, false};
    struct world *w = world_create(&shape);
    uint64_t seed = 20261122;
    unsigned plugs = 0;

    (void)state;
    boot_all(w, false);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t i = random_below(&seed, WORLD_DEVICES), j = random_below(&seed, WORLD_PORTS);
        struct model *m = &models[i][j];
        struct virtio_port *p = &w->devices[i].ports[j];
        uint32_t free;

        switch (random_below(&seed, 6)) {
        case 0:
            if (m->plugged)
                break;
            *m = (struct model){.plugged = true, .console = random_below(&seed, 8) > 0};
            if (plugs % 2 == 0)
                world_settle(w); /* else ports that went come to be known with this one, and in any order */
            free = lowest_free(w);
            world_plug(w, i, j, m->console, "x");
            world_settle(w);
            assert_true(plugs++ % 2 == 1 || p->number == (m->console ? free : 0));
            assert_int_equal(p->number > 0, m->console);
            break;
        case 1:
            if (!m->plugged || random_below(&seed, 3) == 0)
                break;
            m->plugged = false;
            assert_int_equal(vc_virtio_console_remove(&w->devices[i].core, j), VC_OK);
            assert_int_equal(w->devices[i].lines[j].n, m->n); /* every byte, and at no other port */
            assert_memory_equal(w->devices[i].lines[j].out, m->sent, m->n);
            break;
        case 2:
        case 3:
            if (m->plugged && p->console)
                write_to(w, m, i, j, &seed);
            break;
        case 4:
            if (m->plugged && p->console)
                type_at(w, i, j);
            break;
        default: world_settle(w); break;
        }
        if (round % 16 == 0) {
            world_settle(w);
            check_numbers(w);
        }
    }
    assert_true(plugs > ROUNDS / 20);
    for (uint32_t i = 0; i < WORLD_DEVICES; i++) {
        assert_int_equal(w->devices[i].driver.violations, 0);
        assert_int_equal(w->devices[i].broken, 0);
    }
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gets_which_number),
        cmocka_unit_test(a_shared_number_is_one_terminal),
        cmocka_unit_test(numbers_come_again),
        cmocka_unit_test(a_terminal_that_does_not_begin_gives_its_number_back),
        cmocka_unit_test(the_first_line_arrives),
        cmocka_unit_test(names_sizes_and_openness),
        cmocka_unit_test(a_device_of_one_port_has_its_size_in_the_configuration),
        cmocka_unit_test(more_ports_than_we_have),
        cmocka_unit_test(emergency_needs_no_driver),
        cmocka_unit_test(a_full_port_is_waited_for_and_then_dropped),
        cmocka_unit_test(gone_while_it_is_written_to),
        cmocka_unit_test(a_device_that_is_given_up),
        cmocka_unit_test(at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
