/* SPDX-License-Identifier: MIT */
/* Ports of virtio-consoles that come and go while their domain runs, and that are saved and restored with it. */
#include "random.h"
#include "virtio_world.h"

#include <dirent.h>
#include <unistd.h>
#include <vcons/pvcons.h>

/* ---- Consoles that come and go. ---- */

static uint32_t n_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint32_t n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static struct config_console more(const char *name, uint32_t device)
{
    struct config_console c = {.door = DOOR_VIRTIO, .device = device};

    snprintf(c.name, sizeof c.name, "%s", name);
    return c;
}

static uint32_t number_of(struct world *w, const char *name)
{
    for (uint32_t i = 0; i < domain_n_consoles(&w->domain); i++)
        if (domain_has_console(&w->domain, i) && strcmp(domain_console_config(&w->domain, i)->name, name) == 0)
            return i;
    fail_msg("no console %s", name);
    return 0;
}

static void what_may_not_come_or_go(void **state)
{
    struct world *w = *state;
    struct config_console xen = more("x", 0), nameless = more("", 0), path = more("../x", 0), taken = more("c", 0),
                          nowhere = more("x", 3), far = more("x", UINT32_MAX), endless = more("x", 0);
    const struct {
        const struct config_console *c;
        const char *says;
    } rows[] = {{&xen, "type xen"},
                {&nameless, "a name"},
                {&path, "a name"},
                {&taken, "already"},
                {&nowhere, "no virtio device 3"},
                {&far, "no virtio device"},
                {&endless, "a name"}};
    static const struct {
        const char *name, *says;
    } gone[] = {{"x", "no such console"}, {"io", "console_io"}, {"", "no such console"}};
    struct problem p;

    xen.door = DOOR_XEN;
    memset(endless.name, 'x', sizeof endless.name);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (domain_console_add(&w->domain, rows[i].c, &p) == 0 || strstr(p.text, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, p.text);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        if (domain_console_remove(&w->domain, gone[i].name, &p) == 0 || strstr(p.text, gone[i].says) == NULL)
            fail_msg("%s: %s", gone[i].name, p.text);
    assert_int_equal(domain_n_consoles(&w->domain), 7);
}

static void as_many_as_a_device_has_ports(void **state)
{
    struct world *w = *state;
    struct problem p;
    char name[16];

    for (unsigned i = 0; i < 4; i++) {
        struct config_console c;

        snprintf(name, sizeof name, "more%u", i);
        c = more(name, 0);
        assert_int_equal(domain_console_add(&w->domain, &c, &p), 0);
    }
    struct config_console one = more("one", 0), other = more("other", 2);

    assert_int_equal(domain_console_add(&w->domain, &one, &p), -1);
    assert_non_null(strstr(p.text, "7 ports"));
    assert_int_equal(domain_console_add(&w->domain, &other, &p), 0);
    world_settle(w);
    assert_int_equal(world_port(w, 0, 6)->number, 9);
}

static void one_goes_while_it_is_written_to(void **state)
{
    struct world *w = *state;
    struct problem p;
    uint32_t wrote = fill(w, C, 0), took = 0, slot = C;

    assert_true(wrote > VC_LINE_OUT_DEFAULT);
    w->domain.doors[C]->linked = true;
    assert_int_equal(domain_console_remove(&w->domain, "c", &p), 0);
    assert_int_equal(w->domain.doors[C]->console.dropped, wrote - VC_LINE_OUT_DEFAULT); /* what its buffers held */
    world_settle(w);
    assert_null(virtio_console_port(&w->guest->drivers[0], places[C].id));
    assert_true(domain_has_console(&w->domain, slot)); /* its service has not all of it yet */
    assert_int_equal(domain_console_remove(&w->domain, "c", &p), -1);
    took = take_pattern(w, C, 0);
    assert_true(took >= VC_LINE_OUT_DEFAULT / 2);
    door_work(w->domain.doors[C]);
    took += take_pattern(w, C, took);
    door_work(w->domain.doors[C]);
    world_settle(w);
    assert_false(domain_has_console(&w->domain, slot));
    print(w, B, "still here");
    world_said(w, B, "still here");
}

/* Within one turn of the loop: a name is free when its console has left, a number only when the loop has let go of it. */
static void one_goes_and_comes_at_once(void **state)
{
    struct world *w = *state;
    struct config_console c = more("c", 0);
    struct problem p;

    assert_int_equal(domain_console_remove(&w->domain, "c", &p), 0);
    assert_false(domain_has_console(&w->domain, C));
    for (unsigned i = 0; i < 3; i++) {
        uint32_t number;

        assert_int_equal(domain_console_add(&w->domain, &c, &p), 0);
        number = number_of(w, "c");
        assert_int_equal(number, 7 + i);
        if (i < 2)
            assert_int_equal(domain_console_remove(&w->domain, "c", &p), 0);
    }
    world_settle(w);
    world_attach(w, 9);
    world_print(w, 0, 2, "the last");
    world_said(w, 9, "the last");
}

static void guest_stands(struct world *w, bool stands)
{
    for (uint32_t i = 0; i < DEVICES; i++)
        w->guest->drivers[i].running = !stands;
    world_settle(w);
}

/* A number that one has left is given again, and is not whose turn it is. */
static void who_came_first_is_announced_first(void **state)
{
    struct world *w = *state;
    struct config_console gone = more("gone", 1), first = more("first", 0), then = more("then", 2);
    uint32_t number[2];
    struct problem p;

    assert_int_equal(domain_console_add(&w->domain, &gone, &p), 0);
    world_settle(w);
    guest_stands(w, true);
    assert_int_equal(domain_console_add(&w->domain, &first, &p), 0);
    assert_int_equal(domain_console_remove(&w->domain, "gone", &p), 0);
    world_settle(w);
    assert_int_equal(domain_console_add(&w->domain, &then, &p), 0);
    number[0] = number_of(w, "first");
    number[1] = number_of(w, "then");
    assert_true(number[0] > number[1]);
    guest_stands(w, false);
    for (unsigned i = 0; i < 2; i++) {
        const struct config_console *c = domain_console_config(&w->domain, number[i]);

        number[i] = world_port(w, c->device, c->port)->number;
    }
    assert_true(number[0] > 0 && number[0] < number[1]);
}

/* One hundred times: no leak, no mix. */
static void a_hundred_come_and_go(void **state)
{
    static const char *const names[] = {"p", "q", "r"};
    struct world *w = *state;
    uint64_t seed = 7;
    uint32_t before;
    bool there[3] = {false};
    struct problem p;

    world_settle(w);
    before = n_descriptors();
    for (unsigned i = 0; i < 100; i++) {
        uint32_t which = (uint32_t)(random_next(&seed) % 3);
        struct config_console c = more(names[which], which);
        char text[32];

        if (there[which]) {
            assert_int_equal(domain_console_remove(&w->domain, names[which], &p), 0);
            world_settle(w);
        } else {
            uint32_t number, id;

            assert_int_equal(domain_console_add(&w->domain, &c, &p), 0);
            number = number_of(w, names[which]);
            id = domain_console_config(&w->domain, number)->port;
            world_attach(w, number);
            world_settle(w);
            assert_string_equal(world_port(w, which, id)->name, names[which]);
            assert_in_range(world_port(w, which, id)->number, 6, 8); /* the lowest free */
            snprintf(text, sizeof text, "%s in turn %u", names[which], i);
            world_print(w, which, id, text);
            world_said(w, number, text);
            world_type(w, number, text);
            world_reads(w, which, id, text);
        }
        there[which] = !there[which];
        print(w, A, "a");
        world_said(w, A, "a");
    }
    for (unsigned i = 0; i < 3; i++)
        if (there[i])
            assert_int_equal(domain_console_remove(&w->domain, names[i], &p), 0);
    world_settle(w);
    assert_int_equal(n_descriptors(), before);
    assert_in_range(domain_n_consoles(&w->domain), 8, 10);
}

static void they_stay_over_a_reset(void **state)
{
    struct world *w = *state;
    struct config_console c = more("more", 2);
    struct problem p;

    assert_int_equal(domain_console_add(&w->domain, &c, &p), 0);
    assert_int_equal(domain_console_remove(&w->domain, "a", &p), 0);
    world_settle(w);
    world_attach(w, number_of(w, "more"));
    for (uint32_t i = 0; i < DEVICES; i++)
        w->guest->drivers[i].running = false;
    doors_close(&w->domain, false);
    memset(w->level, 0, sizeof w->level); /* the engine's reset */
    guest_reset(&w->domain);
    assert_int_equal(guest_open(&w->domain, &p), 0);
    assert_int_equal(doors_open(&w->domain, &p), 0);
    memset(w->guest->drivers, 0, sizeof w->guest->drivers);
    memset(w->guest->ports, 0, sizeof w->guest->ports);
    assert_int_equal(vterms_init(&w->guest->terms, &world_terms_env, w, TERMS, w->guest->terms_memory, false), VC_OK);
    boot_all(w);
    assert_null(virtio_console_port(&w->guest->drivers[1], 0));
    assert_int_equal(port_of(w, B)->number, 1);
    assert_int_equal(world_port(w, 2, 1)->number, 5);
    world_print(w, 2, 1, "back");
    world_said(w, number_of(w, "more"), "back");
}

/* ---- Save and restore. ---- */

/* As a domain is that was just created: everything is plugged, and nobody has driven it. */
static void open_anew(struct world *w)
{
    virtio_close(&w->domain);
    memset(w->level, 0, sizeof w->level);
    virtio_open(&w->domain);
    for (uint32_t i = A; i <= E; i++) {
        console_lock(&w->domain.doors[i]->console);
        virtio_plug(w->domain.doors[i]);
        console_unlock(&w->domain.doors[i]->console);
    }
}

/* The guest's memory is as it was; its engine and devices are made anew. */
static void saved_and_restored(void **state)
{
    struct world *w = *state;
    size_t bytes = virtio_save_bytes(&w->domain);
    uint8_t *saved = malloc(bytes);
    uint64_t values[16] = {0};
    struct vc_writer writer;
    struct vc_reader r;
    char text[64];

    print(w, A, "one ");
    world_type(w, LOG, "not read yet");
    virtio_freeze(&w->domain, true);
    vc_writer_init(&writer, saved, bytes);
    virtio_save(&w->domain, &writer);
    assert_true(vc_writer_ok(&writer));
    world_take(w, C, text, sizeof text, NULL);
    for (size_t n = 0; n < writer.n; n += 97) { /* cut off anywhere: refused */
        open_anew(w);
        vc_reader_init(&r, saved, n);
        assert_false(virtio_restore(&w->domain, &r));
    }
    open_anew(w);
    vc_reader_init(&r, saved, writer.n);
    assert_true(virtio_restore(&w->domain, &r));
    assert_true(vc_reader_done(&r));
    world_settle(w);
    print(w, A, "two");
    world_said(w, A, "one two");
    world_type(w, E, "typed");
    reads(w, E, "typed");
    virtio_port_open(port_of(w, LOG), true);
    reads(w, LOG, "not read yet");
    assert_int_equal(port_of(w, E)->number, 5);
    world_take(w, C, text, sizeof text, values);
    assert_int_equal(values[VC_LINE_OPEN], 0); /* that is nothing new */
    free(saved);
}

/* What has left its line and found no buffer of the guest's is saved before what is in the line still. */
static void input_is_put_back(void **state)
{
    enum { TYPED = 3000 }; /* more than the guest's buffers hold */
    struct world *w = *state;
    struct door *door = w->domain.doors[A];
    char text[TYPED + 1], got[TYPED + 1];
    size_t n = 0, part;

    for (uint32_t i = 0; i < TYPED; i++)
        text[i] = (char)('a' + i * 7 / 3 % 26);
    text[TYPED] = '\0';
    world_type(w, A, text);
    assert_true(door->virtio.at_input < door->virtio.n_input);
    console_lock(&door->console);
    assert_int_equal(virtio_put_back(door), 0);
    assert_int_equal(door->virtio.n_input, 0);
    console_unlock(&door->console);
    do {
        world_settle(w);
        part = hvc_read(&port_of(w, A)->hvc, got + n, sizeof got - n);
        n += part;
    } while (part > 0);
    assert_int_equal(n, TYPED);
    assert_memory_equal(got, text, TYPED);
}

/* Nobody may touch the guest's memory while it is written to the file. */
static void frozen_nothing_moves(void **state)
{
    struct world *w = *state;
    struct virtio_device *v = &w->domain.virtio.devices[0];
    uint8_t *before = malloc(RAM);
    uint32_t wrote;

    virtio_port_open(port_of(w, LOG), true);
    world_settle(w);
    v->open = false;
    wrote = fill(w, LOG, 0);
    v->open = true;
    v->console.later[0] |= UINT64_C(1) << places[LOG].id; /* there is output that was put off */
    memcpy(before, w->domain.memory.base, RAM);
    virtio_freeze(&w->domain, true);
    world_type(w, A, "typed");
    domain_console_resize(&w->domain, E, 50, 100);
    for (uint32_t i = 0; i < DEVICES; i++)
        atomic_store(&w->domain.virtio.devices[i].look, true);
    doors_look(&w->domain);
    assert_memory_equal(before, w->domain.memory.base, RAM);
    virtio_freeze(&w->domain, false);
    for (uint32_t i = A; i <= E; i++)
        door_work(w->domain.doors[i]);
    assert_int_equal(take_pattern(w, LOG, 0), wrote);
    reads(w, A, "typed");
    assert_int_equal(port_of(w, E)->cols, 100);
    free(before);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(what_may_not_come_or_go),
        TEST(as_many_as_a_device_has_ports),
        TEST(one_goes_while_it_is_written_to),
        TEST(one_goes_and_comes_at_once),
        TEST(a_hundred_come_and_go),
        TEST(they_stay_over_a_reset),
        TEST(saved_and_restored),
        TEST(frozen_nothing_moves),
        TEST(input_is_put_back),
        TEST(who_came_first_is_announced_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
