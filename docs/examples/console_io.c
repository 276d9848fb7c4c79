/* SPDX-License-Identifier: MIT */
/*
 * Two guests on one terminal by the console_io hypercall, as on a Xen host's serial line: one has the focus, the other's
 * lines come prefixed, Ctrl-A three times moves the focus on.
 *
 *     cc console_io.c $(pkg-config --cflags --libs vcons) -o console_io && ./console_io
 *
 * Here one thread plays all parts, so the locks do nothing. In a hypervisor each vCPU thread calls vc_console_io for its
 * guest's hypercall 18, and one thread owns the terminal: it calls vc_focus_type with what is typed and writes out what
 * vc_focus_take gives.
 */
#include <stdio.h>
#include <string.h>
#include <vcons/console_io.h>
#include <vcons/focus.h>

struct guest {
    struct vc_focus_domain on_terminal;
    struct vc_console_io calls;
    char memory[256]; /* guest addresses 0..255 */
};

static struct vc_focus terminal;
static struct guest guests[2];

/* What the terminal needs from you. */
static unsigned long lock(void *which)
{
    (void)which;
    return 0;
}
static void unlock(void *which, unsigned long saved)
{
    (void)which;
    (void)saved;
}
static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 0;
}
static void ready(void *ctx) { (void)ctx; } /* wake the terminal's thread */
static void input(void *ctx, struct vc_focus_domain *d)
{
    (void)ctx;
    (void)d; /* raise this guest's VIRQ_CONSOLE */
}
static void key(void *ctx, uint8_t k)
{
    (void)ctx;
    printf("[the hypervisor got the key '%c']\n", k);
}
static void moved(void *ctx, struct vc_focus_domain *to)
{
    (void)ctx;
    (void)to;
}
static const struct vc_focus_env on_terminal = {
    {.lock = lock, .unlock = unlock}, now_ms, ready, input, key, moved, input};

/* What a guest's hypercalls need: its memory, checked, and the two directions. */
static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    struct guest *g = ctx;

    return from < sizeof g->memory && n <= sizeof g->memory - from && memcpy(to, g->memory + from, n);
}
static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct guest *g = ctx;

    return to < sizeof g->memory && n <= sizeof g->memory - to && memcpy(g->memory + to, from, n);
}
static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    vc_focus_write(&terminal, &((struct guest *)ctx)->on_terminal, bytes, n);
    return n;
}
static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    return vc_focus_read(&terminal, &((struct guest *)ctx)->on_terminal, bytes, n);
}
static bool go_on(void *ctx, bool full)
{
    (void)ctx;
    return !full;
}
static const struct vc_console_io_env of_guest = {copy_in, copy_out, out, in, go_on};

/* The guest's side: its hypercall number 18. */
static int hypercall(struct guest *g, uint64_t cmd, uint64_t count)
{
    struct vc_console_io_call call = {.cmd = cmd, .count = count, .buffer = 0};

    vc_console_io(&g->calls, g, &call);
    return (int)call.result;
}
static void guest_prints(struct guest *g, const char *text)
{
    memcpy(g->memory, text, strlen(text));
    hypercall(g, CONSOLEIO_write, strlen(text));
}

static void show(void) /* the terminal's thread */
{
    char bytes[512];
    uint32_t n;

    while ((n = vc_focus_take(&terminal, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, n, stdout);
}

int main(void)
{
    static uint8_t typed[VC_FOCUS_TYPED_BYTES], output[VC_FOCUS_OUTPUT_BYTES];
    struct vc_focus_config config = {.env = &on_terminal,
                                     .typed = typed,
                                     .typed_bytes = sizeof typed,
                                     .output = output,
                                     .output_bytes = sizeof output};
    int n;

    vc_focus_init(&terminal, &config);
    for (uint32_t i = 0; i < 2; i++) {
        vc_focus_add(&terminal, &guests[i].on_terminal, i + 1, NULL, NULL, NULL);
        vc_console_io_init(&guests[i].calls, &of_guest);
    }
    vc_focus_start(&terminal, 1);
    guest_prints(&guests[0], "login: ");
    guest_prints(&guests[1], "a line from behind\nlogin: "); /* prefixed; the rest waits */
    vc_focus_type(&terminal, "root\n", 5);
    n = hypercall(&guests[0], CONSOLEIO_read, 64);
    show();
    printf("[guest 1 read %d bytes, guest 2 read %d]\n", n, hypercall(&guests[1], CONSOLEIO_read, 64));
    vc_focus_type(&terminal, "\1\1\1", 3); /* the partial line of guest 2 appears */
    show();
    vc_focus_type(&terminal, "\1\1\1h", 4);
    show();
    return 0;
}
