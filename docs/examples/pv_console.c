/* SPDX-License-Identifier: MIT */
/*
 * A Xen PV console in your own hypervisor: what vc_pvcons needs from you, and what it does with a guest's ring page.
 *
 *     cc pv_console.c $(pkg-config --cflags --libs vcons) -o pv_console && ./pv_console
 *
 * Here the guest is the second half of main. In a hypervisor the page is guest memory, serve() is called by the vCPU
 * thread whose guest sent on the port, and by the thread that has input for the guest or room for its output again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/pvcons.h>

struct console {
    struct vc_pvcons door;
    const char *typed; /* what a person typed for this guest and the guest has not yet got */
    unsigned events;   /* how often we raised the guest's port */
};

/* Output. Take less than n if your log is full: the rest stays in the ring, and the guest waits. */
static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    return (uint32_t)fwrite(bytes, 1, n, stdout);
}

/* Input, at most n bytes; they will fit. */
static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct console *c = ctx;
    uint32_t have = (uint32_t)strlen(c->typed);

    n = n < have ? n : have;
    memcpy(bytes, c->typed, n);
    c->typed += n;
    return n;
}

static int bind(void *ctx) /* here you would allocate an event channel for the guest */
{
    (void)ctx;
    return VC_OK;
}

static void unbind(void *ctx) { (void)ctx; }

static void notify(void *ctx) { ((struct console *)ctx)->events++; } /* and here make it pending */

static uint64_t now_ms(void *ctx) /* any monotonic clock; asked only while the guest's ring is broken */
{
    (void)ctx;
    return 0;
}

static void broken(void *ctx, enum vc_pvcons_reason reason)
{
    (void)ctx;
    fprintf(stderr, "the guest broke its ring, reason %d\n", (int)reason);
}

static const struct vc_pvcons_env env = {out, in, bind, unbind, notify, now_ms, broken, NULL};

static void check(int error, const char *what)
{
    if (error == VC_OK)
        return;
    fprintf(stderr, "%s: error %d\n", what, error);
    exit(1);
}

int main(void)
{
    struct console c = {.typed = "hello guest\n"};
    struct xencons_interface *page = aligned_alloc(XENCONS_PAGE_BYTES, XENCONS_PAGE_BYTES);
    struct vc_xencons_front guest;
    char line[64];
    uint32_t n;

    if (page == NULL)
        return 1;
    /* The hypervisor builds the domain, attaches, and only then lets the guest run: nothing it prints is lost. */
    vc_xencons_build(page);
    vc_pvcons_init(&c.door, &env, &c);
    check(vc_pvcons_attach(&c.door, page), "attach");
    check(vc_pvcons_connect(&c.door), "connect");

    /* The guest prints, and notifies. */
    check(vc_xencons_front_attach(&guest, page), "guest: attach");
    check(vc_producer_put(&guest.out, "Hello, hypervisor.\n", 19, &n), "guest: put");
    vc_pvcons_serve(&c.door); /* … which is this */

    /* What was typed is in its ring now. It answers. */
    check(vc_consumer_get(&guest.in, line, sizeof line, &n), "guest: get");
    check(vc_producer_put(&guest.out, "You typed: ", 11, &n), "guest: put");
    check(vc_producer_put(&guest.out, line, 12, &n), "guest: put");
    vc_pvcons_serve(&c.door);

    vc_pvcons_detach(&c.door, true); /* drains, and tells the guest to use console_io from now on */
    printf("connected: %d, events: %u\n", vc_xencons_front_connected(&guest), c.events);
    free(page);
    return 0;
}
