/* SPDX-License-Identifier: MIT */
#include "xen_console.h"
#include "console_io.h"

static struct xen_console *of(struct hvc *hvc) { return (struct xen_console *)hvc; }

bool xen_console_connected(const struct xen_console *x)
{
    /* Pairs with the backend's store after it drained: only exactly 1 is disconnected (Xen ABI 1.5). */
    return __atomic_load_n(&x->page->connection, __ATOMIC_SEQ_CST) != XENCONSOLE_DISCONNECTED;
}

static void violated(struct xen_console *x)
{
    if (x->violations != UINT32_MAX)
        x->violations++;
}

/* Never waits, whatever the hypervisor answers: disconnected must not stall a guest (rule R9). */
static size_t put_by_hypercall(struct xen_console *x, const void *bytes, size_t n)
{
    size_t sent;

    if (!console_io_write(x->hvc.platform, bytes, n, &sent))
        x->hvc.dropped += n - sent;
    return n;
}

static size_t xen_put(struct hvc *hvc, const void *bytes, size_t n)
{
    struct xen_console *x = of(hvc);
    uint32_t put;

    if (!xen_console_connected(x))
        return put_by_hypercall(x, bytes, n);
    if (vc_producer_put(&x->out, bytes, n < XENCONS_OUT_SIZE ? (uint32_t)n : XENCONS_OUT_SIZE, &put) !=
        VC_OK) {
        violated(x);
        return put_by_hypercall(x, bytes, n);
    }
    if (put > 0) /* one event for the batch, none when nothing changed (Xen ABI 1.3) */
        hypercall_notify(hvc->platform, hvc->port);
    return put;
}

static size_t xen_get(struct hvc *hvc, void *bytes, size_t n)
{
    struct xen_console *x = of(hvc);
    uint32_t got;

    if (vc_consumer_get(&x->in, bytes, n < XENCONS_IN_SIZE ? (uint32_t)n : XENCONS_IN_SIZE, &got) != VC_OK)
        violated(x);
    if (got > 0)
        hypercall_notify(hvc->platform, hvc->port);
    else if (!xen_console_connected(x))
        got = (uint32_t)console_io_read(hvc->platform, bytes, n);
    return got;
}

/* While disconnected nobody promises an event for what the hypercall could read. */
static uint32_t xen_input_port(struct hvc *hvc) { return xen_console_connected(of(hvc)) ? hvc->port : 0; }

static const struct hvc_driver xen_driver = {xen_put, xen_get, xen_input_port};

static void attach_rings(struct xen_console *x)
{
    struct xencons_interface *page = x->page;
    const struct vc_ring out = {page->out, XENCONS_OUT_SIZE, &page->out_prod, &page->out_cons};
    const struct vc_ring in = {page->in, XENCONS_IN_SIZE, &page->in_prod, &page->in_cons};

    /* An index that is not legal is found again, and counted, by each pass that would use it. */
    vc_producer_attach(&x->out, &out);
    vc_consumer_attach(&x->in, &in);
}

void xen_console_init(struct xen_console *x, const struct platform *platform, struct xencons_interface *page,
                      uint32_t port, const char *name)
{
    *x = (struct xen_console){.hvc = {.driver = &xen_driver, .platform = platform, .port = port},
                              .page = page};
    for (size_t i = 0; i < HVC_NAME_BYTES - 1 && name[i] != '\0'; i++)
        x->hvc.name[i] = name[i];
    attach_rings(x);
}

int xen_console_discover(struct xen_console *x, const struct platform *platform)
{
    uint64_t port, frame;
    void *page;

    /* Linux's order (Xen ABI 1.6): an error or a 0 in either says that there is no console. */
    if (hypercall_get_param(platform, HVM_PARAM_CONSOLE_EVTCHN, &port) != 0 || port == 0 || port > UINT32_MAX)
        return VC_ENOENT;
    if (hypercall_get_param(platform, HVM_PARAM_CONSOLE_PFN, &frame) != 0 || frame == 0 ||
        frame > UINT64_MAX >> 12)
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
    attach_rings(x);
}
