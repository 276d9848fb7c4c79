/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/focus.h>
#include <vcons/save.h>

void vc_focus_save(struct vc_focus *f, struct vc_focus_domain *d, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_FOCUS, 1);
    unsigned long saved = vc_lock_take(&f->env->lock, d->lock, VC_RANK_DOMAIN_CONSOLE, 0);

    vc_write_u32(w, d->n);
    vc_write_bytes(w, d->line, d->n);
    vc_lock_drop(&f->env->lock, d->lock, saved);
    vc_write_end(w, begun);
}

int vc_focus_restore(struct vc_focus *f, struct vc_focus_domain *d, struct vc_section *s)
{
    struct vc_reader *r = &s->body;
    uint32_t n = vc_read_u32(r);
    const void *line = vc_read_span(r, n);
    unsigned long saved;

    if (s->tag != VC_SAVE_FOCUS || s->version != 1 || !vc_reader_done(r) || n >= VC_FOCUS_LINE_BYTES)
        return VC_EINVAL;
    saved = vc_lock_take(&f->env->lock, d->lock, VC_RANK_DOMAIN_CONSOLE, 0);
    memcpy(d->line, line, n);
    d->n = n;
    vc_lock_drop(&f->env->lock, d->lock, saved);
    return VC_OK;
}

void vc_focus_forget(struct vc_focus *f, struct vc_focus_domain *d)
{
    unsigned long saved = vc_lock_take(&f->env->lock, d->lock, VC_RANK_DOMAIN_CONSOLE, 0);

    d->n = 0;
    vc_lock_drop(&f->env->lock, d->lock, saved);
}
