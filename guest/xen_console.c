/* SPDX-License-Identifier: MIT */
#include "xen_console.h"
#include "console_io.h"

static struct xen_console *of(struct hvc *hvc) { return (struct xen_console *)hvc; }

bool xen_console_connected(const struct xen_console *x) { return vc_xencons_front_connected(&x->front); }

static uint32_t clamp(size_t n, uint32_t most) { return n < most ? (uint32_t)n : most; }

static void violated(struct xen_console *x)
{
    if (x->violations != UINT32_MAX)
        x->violations++;
}

/* Never waits, whatever the hypervisor answers: disconnected must not stall a guest (rule R9). */
static size_t put_by_hypercall(struct xen_console *x, const void *bytes, size_t n)
{
    return console_io_write(x->hvc.platform, bytes, n, &x->hvc.dropped);
}

/* The rings may be used: their indices were legal once, and from then on each use checks the peer's. */
static bool attach(struct xen_console *x)
{
    if (!x->attached)
        x->attached = vc_xencons_front_attach(&x->front, x->front.page) == VC_OK;
    return x->attached;
}

/* Tells of both directions. */
static void notify(struct xen_console *x)
{
    x->owes_event = false;
    hypercall_notify(x->hvc.platform, x->hvc.port);
}

static int ring_put(struct xen_console *x, const void *bytes, size_t n, uint32_t *put)
{
    *put = 0;
    return attach(x) ? vc_producer_put(&x->front.out, bytes, clamp(n, XENCONS_OUT_SIZE), put) : VC_EPEER;
}

static int ring_get(struct xen_console *x, void *bytes, size_t n, uint32_t *got)
{
    *got = 0;
    return attach(x) ? vc_consumer_get(&x->front.in, bytes, clamp(n, XENCONS_IN_SIZE), got) : VC_EPEER;
}

static size_t xen_put(struct hvc *hvc, const void *bytes, size_t n)
{
    struct xen_console *x = of(hvc);
    uint32_t put;

    if (!xen_console_connected(x) && x->drops) {
        hvc->dropped += n;
        return n;
    }
    if (!xen_console_connected(x))
        return put_by_hypercall(x, bytes, n);
    if (ring_put(x, bytes, n, &put) != VC_OK) {
        violated(x);
        return put_by_hypercall(x, bytes, n);
    }
    if (put > 0) /* one event for the batch, none when nothing changed (Xen ABI 1.3) */
        notify(x);
    return put;
}

static size_t xen_get(struct hvc *hvc, void *bytes, size_t n)
{
    struct xen_console *x = of(hvc);
    bool connected = xen_console_connected(x); /* before the ring: what came there before the flag went is seen */
    uint32_t got;

    if (ring_get(x, bytes, n, &got) != VC_OK)
        violated(x);
    if (got > 0) {
        x->owes_event = true;
        return got;
    }
    if (x->owes_event)
        notify(x);
    return connected ? 0 : console_io_read(hvc->platform, bytes, n);
}

static uint32_t xen_input_ports(struct hvc *hvc, uint32_t ports[2])
{
    struct xen_console *x = of(hvc);

    /* Both, whatever the flag says now: it may change while the caller sleeps, and the change comes by the port. */
    ports[0] = hvc->port;
    ports[1] = x->virq_port;
    return x->virq_port != 0 ? 2 : xen_console_connected(x) ? 1 : 0;
}

static const struct hvc_driver xen_driver = {xen_put, xen_get, xen_input_ports};

void xen_console_init(struct xen_console *x, const struct platform *platform, struct xencons_interface *page,
                      uint32_t port, const char *name)
{
    *x = (struct xen_console){.hvc = {.driver = &xen_driver, .platform = platform}};
    for (size_t i = 0; i < HVC_NAME_BYTES - 1 && name[i] != '\0'; i++)
        x->hvc.name[i] = name[i];
    x->front.page = page;
    x->virq_port = console_io_bind(platform);
    xen_console_resume(x, port);
}

int xen_console_discover(struct xen_console *x, const struct platform *platform)
{
    uint64_t port, frame;
    void *page;

    /* Linux's order (Xen ABI 1.6): an error or a 0 in either says that there is no console. */
    if (hypercall_get_param(platform, HVM_PARAM_CONSOLE_EVTCHN, &port) != 0 || port == 0 || port > UINT32_MAX)
        return VC_ENOENT;
    if (hypercall_get_param(platform, HVM_PARAM_CONSOLE_PFN, &frame) != 0 || frame == 0 || frame > UINT64_MAX >> 12)
        return VC_ENOENT;
    page = platform->map(platform->ctx, frame << 12, XENCONS_PAGE_BYTES);
    if (page == NULL)
        return VC_ENOENT;
    xen_console_init(x, platform, page, (uint32_t)port, "hvc0");
    return VC_OK;
}

void xen_console_resume(struct xen_console *x, uint32_t port)
{
    x->hvc.port = port;
    x->attached = false;
    attach(x);
}
