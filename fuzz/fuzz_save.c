/* SPDX-License-Identifier: MIT */
/*
 * A saved state that is anything at all: every section is given to every part. What is refused changes nothing; what is
 * taken, saved again, is taken again, and stays what it is.
 */
#include "fuzz.h"
#include <vcons/focus.h>
#include <vcons/params.h>
#include <vcons/pvcons.h>
#include <vcons/save.h>

struct world {
    struct vc_params params;
    struct vc_pvcons door;
    struct vc_focus focus;
    struct vc_focus_domain domain;
    struct xencons_interface *page;
    uint8_t typed[16], output[4096], shown[4096];
    bool bound;
};

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)ctx, (void)bytes;
    require(n > 0 && n <= XENCONS_OUT_SIZE);
    return n;
}
static uint32_t give(void *ctx, uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    require(n > 0 && n <= XENCONS_IN_SIZE);
    memset(bytes, 'i', n);
    return n;
}
static int bind(void *ctx)
{
    ((struct world *)ctx)->bound = true;
    return VC_OK;
}
static void unbind(void *ctx) { ((struct world *)ctx)->bound = false; }
static void notify(void *ctx) { require(((struct world *)ctx)->bound); }
static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 1000;
}
static void broken(void *ctx, enum vc_pvcons_reason reason) { require(ctx != NULL && reason <= VC_PVCONS_IN_INDICES); }
static const struct vc_pvcons_env door_env = {out, give, bind, unbind, notify, now_ms, broken, NULL};

static unsigned long no_lock(void *lock)
{
    (void)lock;
    return 0;
}
static void no_unlock(void *lock, unsigned long saved) { (void)lock, (void)saved; }
static void ready(void *ctx) { (void)ctx; }
static const struct vc_focus_env focus_env = {
    .lock = {.lock = no_lock, .unlock = no_unlock}, .now_ms = now_ms, .ready = ready};

static void set_up(struct world *w)
{
    struct vc_focus_config config = {
        .env = &focus_env, .typed = w->typed, .output = w->output, .typed_bytes = 16, .output_bytes = 4096};

    vc_params_init(&w->params, VC_PARAM_X86);
    vc_pvcons_init(&w->door, &door_env, w);
    require(vc_focus_init(&w->focus, &config) == VC_OK);
    require(vc_focus_add(&w->focus, &w->domain, 1, NULL, NULL, NULL) == VC_OK);
}

/* The one section that a save wrote. */
static struct vc_section section_of(const struct vc_writer *w)
{
    struct vc_reader r;
    struct vc_section s;
    bool there;

    require(vc_writer_ok(w));
    vc_reader_init(&r, w->bytes, w->n);
    require(vc_read_section(&r, &s, &there) == VC_OK && there && r.at == r.size);
    return s;
}

static void try_params(struct world *w, struct vc_section s)
{
    uint8_t bytes[VC_SAVE_PARAMS_BYTES];
    struct vc_params before = w->params;
    struct vc_writer writer;

    if (vc_params_restore(&w->params, &s) != VC_OK) {
        require(memcmp(&w->params, &before, sizeof before) == 0);
        return;
    }
    before = w->params;
    vc_writer_init(&writer, bytes, sizeof bytes);
    vc_params_save(&w->params, &writer);
    s = section_of(&writer);
    require(vc_params_restore(&w->params, &s) == VC_OK && memcmp(&w->params, &before, sizeof before) == 0);
}

static void try_door(struct world *w, struct vc_section s)
{
    struct xencons_interface before = *w->page;

    if (vc_pvcons_restore(&w->door, &s, w->page) != VC_OK) {
        require(!w->bound && memcmp(w->page, &before, sizeof before) == 0);
        return;
    }
    require((w->door.state == VC_PVCONS_DETACHED) != w->bound);
    (void)vc_pvcons_connect(&w->door);
    (void)vc_pvcons_serve(&w->door);
    vc_pvcons_detach(&w->door, true);
    require(!w->bound);
}

static void try_focus(struct world *w, struct vc_section s)
{
    uint8_t bytes[VC_SAVE_FOCUS_BYTES];
    struct vc_writer writer;
    uint32_t n;

    if (vc_focus_restore(&w->focus, &w->domain, &s) != VC_OK)
        return;
    n = w->domain.n;
    vc_writer_init(&writer, bytes, sizeof bytes);
    vc_focus_save(&w->focus, &w->domain, &writer);
    s = section_of(&writer);
    require(vc_focus_restore(&w->focus, &w->domain, &s) == VC_OK && w->domain.n == n);
    vc_focus_write(&w->focus, &w->domain, "more\n", 5);
    vc_focus_take(&w->focus, w->shown, sizeof w->shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct vc_reader r;
    struct vc_section s;
    bool there = true;
    struct xencons_interface *page = malloc(sizeof *page);

    require(page != NULL);
    memset(&w, 0, sizeof w);
    memset(page, 0, sizeof *page);
    memcpy(page, data, size < sizeof *page ? size : sizeof *page); /* the guest's page may be anything, too */
    w.page = page;
    set_up(&w);
    vc_reader_init(&r, data, size);
    while (vc_read_section(&r, &s, &there) == VC_OK && there) {
        require(s.body.size <= size);
        try_params(&w, s);
        try_door(&w, s);
        try_focus(&w, s);
    }
    free(page);
    return 0;
}
