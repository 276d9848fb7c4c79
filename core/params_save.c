/* SPDX-License-Identifier: MIT */
#include <vcons/params.h>
#include <vcons/save.h>

_Static_assert(HVM_NR_PARAMS <= 64, "VC_SAVE_PARAMS_BYTES; a bit of hidden each");

void vc_params_save(const struct vc_params *p, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_PARAMS, 1);

    vc_write_u32(w, p->arch);
    vc_write_u32(w, HVM_NR_PARAMS);
    vc_write_u64(w, p->hidden);
    for (uint32_t i = 0; i < HVM_NR_PARAMS; i++)
        vc_write_u64(w, p->values[i]);
    vc_write_end(w, begun);
}

int vc_params_restore(struct vc_params *p, struct vc_section *s)
{
    struct vc_reader *r = &s->body;
    struct vc_params read = {.arch = p->arch};
    uint32_t arch = vc_read_u32(r), n = vc_read_u32(r);
    uint64_t ignored;

    read.hidden = vc_read_u64(r);
    if (s->tag != VC_SAVE_PARAMS || s->version != 1 || arch != (uint32_t)p->arch || n > HVM_NR_PARAMS ||
        read.hidden >> HVM_NR_PARAMS != 0)
        return VC_EINVAL;
    for (uint32_t i = 0; i < n; i++) {
        read.values[i] = vc_read_u64(r);
        if (read.values[i] != 0 && vc_params_get(p, VC_PARAM_TOOLSTACK, i, &ignored) != 0)
            return VC_EINVAL;
    }
    if (!vc_reader_done(r))
        return VC_EINVAL;
    *p = read;
    return VC_OK;
}
