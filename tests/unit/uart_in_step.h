/* SPDX-License-Identifier: MIT */
/*
 * uart_in_step.h: T6: a UART and its model, in step: whatever a driver and a line do, in any order, both give the same
 * answers, the same output, the same interrupt line, timer and notices. Writes also come in batches, and now and then
 * the device is saved and another goes on. A million steps; VCONS_LONG=1: a hundred million.
 */
#ifndef VCONS_TESTS_UART_IN_STEP_H
#define VCONS_TESTS_UART_IN_STEP_H
#include <stdlib.h>

#include "random.h"
#include "uart_model.h"
#include "uart_verbs.h"

/* One type of UART, and its model. */
struct in_step_kind {
    const struct uart_verbs *device, *model;
    void *(*create)(struct uart_rig *rig); /* of the heap, alone: the sanitizer guards its ends */
    struct vc_uart_write (*any_access)(uint64_t *random);
    const uint64_t *quiet; /* registers that a read does not change */
    size_t n_quiet;
    bool (*level)(const void *model); /* the interrupt line */
    void (*restored)(void *model);    /* another goes on from what was saved */
};
struct in_step {
    const struct in_step_kind *kind;
    uint64_t random;
    void *model;
    struct model_world *world; /* the model's */
    struct uart_rig rig;       /* the device's, and the device */
    const char *did;
};

static uint32_t below(struct in_step *p, uint32_t n) { return random_below(&p->random, n); }

static void read_both(struct in_step *p, uint64_t offset, uint32_t width)
{
    uint32_t ours = 0xdead, theirs = 0xbeef;
    bool taken = p->kind->device->read(p->rig.uart, offset, width, &ours);

    if (taken != p->kind->model->read(p->model, offset, width, &theirs) || ours != theirs)
        fail_msg("%s, then read of %u at 0x%llx: 0x%x, the model 0x%x", p->did, width, (unsigned long long)offset, ours,
                 theirs);
}

static void do_read(struct in_step *p)
{
    struct vc_uart_write a = p->kind->any_access(&p->random);

    p->did = "read";
    read_both(p, a.offset, a.width);
}

static void do_write(struct in_step *p)
{
    struct vc_uart_write a = p->kind->any_access(&p->random);

    p->did = "write";
    assert_int_equal(p->kind->device->write(p->rig.uart, a.offset, a.width, a.value),
                     p->kind->model->write(p->model, a.offset, a.width, a.value));
}

static void do_batch(struct in_step *p)
{
    struct vc_uart_write a[170];
    uint32_t n = below(p, 40) == 0 ? 170 : below(p, 20);
    bool any = below(p, 4) == 0;

    p->did = "batch";
    for (uint32_t i = 0; i < n; i++) {
        a[i] = (struct vc_uart_write){.offset = 0, .width = 1, .value = (uint32_t)random_next(&p->random)};
        if (any)
            a[i] = p->kind->any_access(&p->random);
        p->kind->model->write(p->model, a[i].offset, a[i].width, a[i].value);
    }
    p->kind->device->write_batch(p->rig.uart, a, n);
}

static void do_input(struct in_step *p)
{
    uint8_t bytes[40];
    uint32_t n = below(p, below(p, 2) == 0 ? 4 : 41);

    p->did = "input";
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)random_next(&p->random);
    assert_int_equal(p->kind->device->input(p->rig.uart, bytes, n), p->kind->model->input(p->model, bytes, n));
}

static void do_line(struct in_step *p)
{
    uint32_t room = below(p, 3) == 0 ? 0 : below(p, 3) == 0 ? 100000 : below(p, 50);

    p->did = "line";
    p->rig.room = p->world->room = room;
    if (below(p, 2) == 0) {
        p->kind->device->output_room(p->rig.uart);
        p->kind->model->output_room(p->model);
    }
}

static void do_rare(struct in_step *p)
{
    const struct uart_verbs *device = p->kind->device, *model = p->kind->model;
    uint32_t lines = (uint32_t)random_next(&p->random);

    p->did = "modem, overrun, break, reset";
    switch (below(p, 5)) {
    case 0:
    case 1:
        lines |= below(p, 3) != 0;
        device->modem(p->rig.uart, lines);
        model->modem(p->model, lines);
        break;
    case 2:
        device->overrun(p->rig.uart);
        model->overrun(p->model);
        break;
    case 3: assert_int_equal(device->send_break(p->rig.uart), model->send_break(p->model)); break;
    default:
        if (below(p, 10) != 0)
            return;
        device->reset(p->rig.uart);
        model->reset(p->model);
    }
}

static void do_timer(struct in_step *p)
{
    p->did = "timer";
    p->rig.timer = 0;
    p->kind->device->timer(p->rig.uart);
    p->kind->model->timer(p->model);
}

/* Another device goes on from the saved state. What only its caller knows is given to it anew. */
static void do_save(struct in_step *p)
{
    uint8_t bytes[VC_SAVE_PL011_BYTES > VC_SAVE_16550_BYTES ? VC_SAVE_PL011_BYTES : VC_SAVE_16550_BYTES];
    void *was = p->rig.uart;
    struct vc_writer w;
    struct vc_reader r;
    struct vc_section s;
    bool there;

    p->did = "save";
    vc_writer_init(&w, bytes, sizeof bytes);
    p->kind->device->save(was, &w);
    assert_true(vc_writer_ok(&w));
    vc_reader_init(&r, bytes, w.n);
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    p->rig.irq = false;
    p->rig.timer = 0;
    p->rig.uart = p->kind->create(&p->rig);
    assert_int_equal(p->kind->device->restore(p->rig.uart, &s), VC_OK);
    free(was);
    p->kind->restored(p->model);
}

static void compare(struct in_step *p)
{
    struct uart_rig *g = &p->rig;
    struct model_world *w = p->world;

    for (size_t i = 0; i < p->kind->n_quiet; i++)
        read_both(p, p->kind->quiet[i], p->kind->device->width);
    if (g->wrong != 0 || g->irq != p->kind->level(p->model) || g->timer != w->timer_ns ||
        uart_counted(&g->breaks) != uart_counted(&w->breaks) || uart_counted(&g->asks) != uart_counted(&w->asks))
        fail_msg("%s: line %u, timer %llu", p->did, g->irq, (unsigned long long)g->timer);
    if (g->n_out != w->n_out || memcmp(g->out, w->out, w->n_out) != 0)
        fail_msg("%s: %u bytes on the line, the model %u", p->did, g->n_out, w->n_out);
    g->n_out = w->n_out = 0;
}

static void step(struct in_step *p)
{
    uint32_t what = below(p, 100);

    if (what < 30)
        do_read(p);
    else if (what < 60)
        do_write(p);
    else if (what < 65)
        do_batch(p);
    else if (what < 77)
        do_input(p);
    else if (what < 86)
        do_line(p);
    else if (what < 91)
        do_rare(p);
    else if (what < 99)
        do_timer(p);
    else
        do_save(p);
    compare(p);
}

/* The model was just initialised; 5000 steps from a device that was, too. */
static void in_step_run(const struct in_step_kind *kind, void *model, struct model_world *world, uint64_t seed)
{
    struct in_step p = {.kind = kind, .random = seed, .model = model, .world = world};

    p.rig.uart = kind->create(&p.rig);
    for (uint32_t i = 0; i < 5000; i++)
        step(&p);
    free(p.rig.uart);
}

/* Of runs from seeds of their own. */
static uint32_t in_step_runs(void) { return getenv("VCONS_LONG") != NULL ? 20000 : 200; }
static uint64_t in_step_seed(uint32_t run) { return (run + 1) * UINT64_C(0x9e3779b97f4a7c15); }

#endif
