/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/focus.h>
#include <vcons/save.h>

void vc_focus_save(struct vc_focus *f, struct vc_focus_domain *d, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_FOCUS, 1);
    unsigned long saved = f->env->lock.lock(d->lock);

    vc_write_u32(w, d->n);
    vc_write_bytes(w, d->line, d->n);
    f->env->lock.unlock(d->lock, saved);
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
    saved = f->env->lock.lock(d->lock);
    memcpy(d->line, line, n);
    d->n = n;
    f->env->lock.unlock(d->lock, saved);
    return VC_OK;
}

void vc_focus_forget(struct vc_focus *f, struct vc_focus_domain *d)
{
    unsigned long saved = f->env->lock.lock(d->lock);

    d->n = 0;
    f->env->lock.unlock(d->lock, saved);
}
