/* SPDX-License-Identifier: MIT */
/*
 * console_io of three domains on one terminal: any hypercall at any address, any key, the focus moving also while bytes are
 * copied to a guest. Each domain is typed its own alphabet and must never read another; the counts must balance; what a
 * domain writes out of focus reaches the terminal without a control character.
 */
#include "locks.h"
#include <vcons/console_io.h>
#include <vcons/focus.h>

enum { DOMAINS = 3, RAM = 3000 };

struct domain {
    struct vc_focus_domain d;
    struct vc_console_io io;
    bool there;
    uint64_t reads, faults;
};
static struct world {
    struct input in;
    struct vc_focus focus;
    struct domain domains[DOMAINS];
    uint8_t typed[64], output[4096], ram[RAM];
    bool ever_in_focus, copying;
    uint64_t now_ms;
} w;

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return w.now_ms += 100;
}
static void ready(void *ctx)
{
    (void)ctx;
    require(locks_held > 0);
}
static void free_of_locks(void *ctx, struct vc_focus_domain *d)
{
    (void)ctx;
    (void)d;
    require(locks_held == 0);
}
static void moved(void *ctx, struct vc_focus_domain *to)
{
    free_of_locks(ctx, to);
    w.ever_in_focus = w.ever_in_focus || to != NULL;
}
static void key(void *ctx, uint8_t k)
{
    (void)ctx;
    require(locks_held == 0);
    if (k % 16 == 5)
        (void)vc_focus_start(&w.focus, k % 5u);
}
static const struct vc_focus_env focus_env = {
    {.lock = lock, .unlock = unlock}, now_ms, ready, free_of_locks, key, moved, free_of_locks};

/* Bytes for whoever has the focus; now and then the switch. */
static void type(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t choice = (uint8_t)take(&w.in, 1);
        uint32_t id = vc_focus_id(&w.focus);
        uint8_t byte = choice % 4 == 0 ? 1 : id == 0 ? choice : (uint8_t)(id << 6 | (choice & 63));

        vc_focus_type(&w.focus, &byte, 1);
    }
}

static bool inside(uint64_t at, uint32_t n) { return at < RAM && n <= RAM - at; }

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    (void)ctx;
    require(locks_held == 0 && n > 0 && n <= 4096);
    return inside(from, n) && memcpy(to, w.ram + from, n);
}

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct domain *d = ctx;
    const uint8_t *bytes = from;

    require(locks_held == 0);
    for (uint32_t i = 0; i < n; i++) /* its own alphabet, or a switch character that was delivered */
        require(bytes[i] >> 6 == d->d.id || bytes[i] == 1);
    if (!w.copying) {
        w.copying = true;
        type((uint32_t)take(&w.in, 1) % 16);
        w.copying = false;
    }
    if (inside(to, n))
        return memcpy(w.ram + to, from, n);
    d->faults += n;
    return false;
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct domain *d = ctx;
    uint32_t part = take(&w.in, 1) % 2 != 0 ? n : n / 2;

    vc_focus_write(&w.focus, &d->d, bytes, part);
    return part;
}

static uint32_t give(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct domain *d = ctx;

    n = vc_focus_read(&w.focus, &d->d, bytes, n);
    d->reads += n;
    return n;
}

static bool go_on(void *ctx, bool full)
{
    (void)ctx;
    require(locks_held == 0);
    return !full || w.in.left > 0;
}

static const struct vc_console_io_env io_env = {copy_in, copy_out, out, give, go_on};

static void hypercall(struct domain *d)
{
    static const uint64_t counts[] = {0, 1, 40, 255, 256, 4096, 0x7fffffff, 0x80000000, UINT32_MAX, UINT64_MAX};
    struct vc_console_io_call c = {.cmd = take(&w.in, 1) % 4};
    uint8_t kind = (uint8_t)take(&w.in, 1);
    uint32_t value = (uint32_t)kind;

    c.count = kind % 2 != 0 ? take(&w.in, 1) : counts[kind / 2 % 10];
    c.buffer = kind % 3 != 0 ? take(&w.in, 2) % (RAM + 64) : UINT64_MAX - take(&w.in, 2);
    if (kind % 16 == 15) {
        (void)vc_console_io_port(&d->io, d, kind % 32 == 15, 1 + kind / 64, &value);
        return;
    }
    if (!vc_console_io(&d->io, d, &c))
        return;
    require(c.result <= 0 || c.cmd == CONSOLEIO_read);
    require(c.result >= 0 || c.result == -XEN_EFAULT || c.result == -XEN_E2BIG || c.result == -XEN_ENOSYS);
}

static void take_output(void)
{
    uint8_t bytes[512];
    uint32_t n;

    while ((n = vc_focus_take(&w.focus, bytes, sizeof bytes)) > 0)
        for (uint32_t i = 0; i < n; i++)
            require(w.ever_in_focus || (bytes[i] >= 0x20 && bytes[i] < 0x7f) || bytes[i] == '\n' || bytes[i] == '\t');
}

static void come_or_go(struct domain *d)
{
    if (d->there)
        vc_focus_remove(&w.focus, &d->d);
    else
        require(vc_focus_add(&w.focus, &d->d, (uint32_t)(d - w.domains) + 1, NULL, NULL, NULL) == VC_OK);
    d->there = !d->there;
    d->reads = 0; /* counts start anew with it */
}

static void check_balance(void)
{
    require(w.focus.output_prod - w.focus.output_cons <= sizeof w.output);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        struct vc_focus_counts c = vc_focus_count(&w.focus, &w.domains[i].d);
        uint64_t waiting = c.typed - c.read - c.discarded - c.overflow;

        require(!w.domains[i].there || c.read == w.domains[i].reads);
        require(w.domains[i].io.fault_bytes >= (uint32_t)w.domains[i].faults); /* more: addresses that wrap */
        require(waiting <= sizeof w.typed && (waiting == 0 || w.focus.focus == &w.domains[i].d));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vc_focus_config c = {.env = &focus_env, .typed = w.typed, .output = w.output};

    memset(&w, 0, sizeof w);
    w.in = (struct input){data, size};
    c.typed_bytes = sizeof w.typed;
    c.output_bytes = sizeof w.output;
    require(vc_focus_init(&w.focus, &c) == VC_OK);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        vc_console_io_init(&w.domains[i].io, &io_env);
        come_or_go(&w.domains[i]);
    }
    for (uint32_t i = 0; i < RAM && size > 0; i++)
        w.ram[i] = data[i % size];
    while (w.in.left > 0) {
        uint8_t op = (uint8_t)take(&w.in, 1);
        struct domain *d = &w.domains[op / 8 % DOMAINS];

        switch (op % 8) {
        case 0: take_output(); break;
        case 1: come_or_go(d); break;
        case 2: type(op / 8); break;
        case 3: vc_focus_print(&w.focus, "(XEN) text\n"); break;
        default:
            if (d->there)
                hypercall(d);
            break;
        }
        check_balance();
    }
    take_output();
    return 0;
}
