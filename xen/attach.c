/* SPDX-License-Identifier: MIT */
#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vcons/atomic.h>

#define GRANT_CONSOLE 0u /* GNTTAB_RESERVED_CONSOLE */

static void hash(uint64_t *h, const void *bytes, size_t n) /* FNV-1a */
{
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

/* One console page of one life of one domain, on one boot of the machine: by it a log knows its ring again. */
static void name_line(const struct xen *x, struct ring *r, const uint8_t uuid[16], enum attach_by by)
{
    const uint64_t facts[] = {r->domid, r->place.frame, by == ATTACH_GRANT};
    uint64_t h[2] = {UINT64_C(14695981039346656037), UINT64_C(0x9e3779b97f4a7c15)};

    for (int i = 0; i < 2; i++) {
        hash(&h[i], x->boot_id, strlen(x->boot_id));
        hash(&h[i], uuid, 16);
        hash(&h[i], facts, sizeof facts);
    }
    memcpy(r->source.line_id, h, sizeof h);
}

static void *map_grant(struct xen *x, uint32_t domid, uint32_t grant)
{
    return xengnttab_map_grant_ref(x->grants, domid, grant, PROT_READ | PROT_WRITE);
}

static void *map_frame(struct xen *x, uint32_t domid, uint64_t frame)
{
    xen_pfn_t pfn = (xen_pfn_t)frame;
    int error = 0;
    void *page = xenforeignmemory_map(x->memory, domid, PROT_READ | PROT_WRITE, 1, &pfn, &error);

    if (page != NULL && error != 0) {
        xenforeignmemory_unmap(x->memory, page, 1);
        page = NULL;
        errno = error < 0 ? -error : error;
    }
    return page;
}

static int map(struct xen *x, struct ring *r, enum attach_by by)
{
    if (by == ATTACH_GRANT)
        r->page = map_grant(x, r->domid, (uint32_t)r->place.frame);
    else if (by == ATTACH_GRANT_0_OR_FRAME)
        r->page = map_grant(x, r->domid, GRANT_CONSOLE);
    r->granted = r->page != NULL;
    if (r->page == NULL && by != ATTACH_GRANT)
        r->page = map_frame(x, r->domid, r->place.frame);
    return r->page != NULL ? 0 : errno != 0 ? -errno : -EINVAL;
}

static void unmap(struct xen *x, struct ring *r)
{
    if (r->granted)
        xengnttab_unmap(x->grants, r->page, 1);
    else
        xenforeignmemory_unmap(x->memory, r->page, 1);
}

/* The service is done with it. */
static void gone(void *ctx, struct ring *r)
{
    struct xen *x = ctx;

    post_send(&x->post, POST_THREAD, r, RING_GONE);
}

struct ring *attach_ring(struct xen *x, uint32_t domid, const uint8_t uuid[16], const struct place *place,
                         enum attach_by by, int *error)
{
    struct ring *r = calloc(1, sizeof *r);
    int port;

    *error = -ENOMEM;
    if (r == NULL)
        return NULL;
    r->domid = domid;
    r->place = *place;
    r->ports = &x->ports;
    r->gone = gone;
    r->ctx = x;
    *error = map(x, r, by);
    if (*error)
        goto free_ring;
    *error = ring_open(r);
    if (*error) {
        *error = *error == VC_EPEER ? -EPROTO : -EMFILE;
        goto unmap_page;
    }
    port = ports_bind(&x->ports, domid, place->port, &r->user);
    if (port < 0) {
        *error = port;
        goto close_ring;
    }
    vc_store_seq(&r->port, (uint32_t)port);
    name_line(x, r, uuid, by);
    return r;

close_ring:
    close(r->source.room_fd);
unmap_page:
    unmap(x, r);
free_ring:
    free(r);
    return NULL;
}

int attach_rebind(struct xen *x, struct ring *r, uint32_t remote)
{
    uint32_t old = vc_load_seq(&r->port);
    int port = ports_bind(&x->ports, r->domid, remote, &r->user);

    if (port < 0)
        return port;
    /* It is pending, as any port that was just bound: whatever came between is seen now. */
    vc_store_seq(&r->port, (uint32_t)port);
    r->place.port = remote;
    ports_unbind(&x->ports, old);
    return 0;
}

bool attach_connected(struct xen *x, const struct ring *r)
{
    xc_evtchn_status_t status = {.dom = DOMID_SELF, .port = vc_load_seq(&r->port)};

    return xc_evtchn_status(x->control, &status) == 0 && status.status == EVTCHNSTAT_interdomain;
}

void attach_undo(struct xen *x, struct ring *r)
{
    ports_unbind(&x->ports, vc_load_seq(&r->port));
    unmap(x, r);
    close(r->source.room_fd);
    free(r);
}
