/* SPDX-License-Identifier: MIT */
#include <vcons/atomic.h>
#include <vcons/pvcons.h>
#include <vcons/save.h>

void vc_pvcons_save(const struct vc_pvcons *c, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_PVCONS, 1);

    vc_write_u32(w, c->state);
    vc_write_u32(w, c->connect);
    vc_write_u32(w, c->back.out.cons);
    vc_write_u32(w, c->back.in.prod);
    vc_write_end(w, begun);
}

/* The page's own indices, the guest's apart, are made ours before anybody looks at them. */
static void attach_at(struct vc_pvcons *c, struct xencons_interface *page, uint32_t out_cons, uint32_t in_prod)
{
    vc_store_seq(&page->out_cons, out_cons);
    vc_store_seq(&page->in_prod, in_prod);
    vc_xencons_back_connect(&(struct vc_xencons_back){.page = page}, false);
    c->state = VC_PVCONS_SERVED;
    if (vc_xencons_back_attach(&c->back, page) == VC_OK)
        return;
    c->state = VC_PVCONS_BROKEN;
    c->retry_ms = c->env->now_ms(c->ctx) + VC_PVCONS_RETRY_MS;
    c->env->broken(c->ctx, vc_load_seq(&page->out_prod) - out_cons > XENCONS_OUT_SIZE ? VC_PVCONS_OUT_INDICES
                                                                                      : VC_PVCONS_IN_INDICES);
}

int vc_pvcons_restore(struct vc_pvcons *c, struct vc_section *s, struct xencons_interface *page)
{
    struct vc_reader *r = &s->body;
    uint32_t state = vc_read_u32(r), connect = vc_read_u32(r), out_cons = vc_read_u32(r), in_prod = vc_read_u32(r);
    int error;

    if (c->state != VC_PVCONS_DETACHED)
        return VC_EBUSY;
    if (s->tag != VC_SAVE_PVCONS || s->version != 1 || !vc_reader_done(r) || state > VC_PVCONS_BROKEN || connect > 1)
        return VC_EINVAL;
    if (state == VC_PVCONS_DETACHED)
        return VC_OK;
    error = c->env->bind(c->ctx);
    if (error)
        return error;
    c->connect = false;
    c->owes = false;
    attach_at(c, page, out_cons, in_prod);
    return VC_OK;
}
