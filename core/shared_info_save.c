/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include "vcpu.h"
#include <vcons/save.h>

#define PAGE 4096u

/* ---- Save. ---- */

static void write_area(struct vc_writer *w, const struct vc_vcpu_area *a)
{
    vc_write_u64(w, a->gpa[0]);
    vc_write_u64(w, a->gpa[1]);
    vc_write_u32(w, a->first);
    vc_write_u32(w, a->bytes);
}

static void write_vcpu(struct vc_writer *w, const struct vc_vcpu *v)
{
    vc_write_u32(w, v->registered);
    vc_write_u32(w, vc_load_seq(&v->dropped) != 0);
    vc_write_u64(w, v->gpa);
    vc_write_u32(w, v->time.version);
    vc_write_u32(w, v->runstate.state);
    vc_write_u64(w, v->runstate.state_entry_time);
    for (uint32_t i = 0; i < 4; i++)
        vc_write_u64(w, v->runstate.time[i]);
    write_area(w, &v->time_area);
    write_area(w, &v->runstate_area);
}

void vc_shared_info_save(struct vc_shared_info *s, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_SHARED_INFO, 1);
    unsigned long saved = domain_lock(s);

    vc_write_u32(w, s->abi);
    vc_write_u32(w, s->boot_abi);
    vc_write_u32(w, s->n_vcpus);
    vc_write_u32(w, s->placed);
    vc_write_u64(w, s->gfn);
    vc_write_u64(w, s->wc_seconds);
    vc_write_u32(w, s->wc_nanoseconds);
    vc_write_u32(w, s->wc_version);
    vc_write_u32(w, s->runstate_flag);
    vc_write_u32(w, 0);
    vc_write_bytes(w, s->home, s->placed != 0 ? 0 : PAGE);
    for (uint32_t i = 0; i < s->n_vcpus; i++)
        write_vcpu(w, &s->vcpus[i]);
    domain_unlock(s, saved);
    vc_write_end(w, begun);
}

/* ---- Restore: looked at whole, then taken. ---- */

struct saved_head {
    uint32_t abi, boot_abi, n_vcpus, placed, wc_nanoseconds, wc_version, runstate_flag;
    uint64_t gfn, wc_seconds;
    const uint8_t *home;
};

static bool frame_there(struct vc_shared_info *s, uint64_t gpa)
{
    uint8_t *page;

    return s->env->place_shared != NULL || s->env->map(s->domain, gpa / PAGE, &page) == VC_OK;
}

/* [events] */
static bool read_head(struct vc_shared_info *s, struct vc_reader *r, struct saved_head *h)
{
    h->abi = vc_read_u32(r);
    h->boot_abi = vc_read_u32(r);
    h->n_vcpus = vc_read_u32(r);
    h->placed = vc_read_u32(r);
    h->gfn = vc_read_u64(r);
    h->wc_seconds = vc_read_u64(r);
    h->wc_nanoseconds = vc_read_u32(r);
    h->wc_version = vc_read_u32(r);
    h->runstate_flag = vc_read_u32(r);
    if (vc_read_u32(r) != 0 || h->boot_abi != s->boot_abi || h->n_vcpus != s->n_vcpus || h->placed > 1 ||
        h->runstate_flag > 1 || h->wc_version % 2 != 0 || h->abi > VC_ABI_ARM64 ||
        (h->abi == VC_ABI_ARM64) != (s->boot_abi == VC_ABI_ARM64))
        return false;
    h->home = vc_read_span(r, h->placed != 0 ? 0 : PAGE);
    if (h->placed != 0 && (h->gfn > UINT64_MAX / PAGE - 1 || !frame_there(s, h->gfn * PAGE)))
        return false;
    return vc_reader_ok(r);
}

/* None; or on one page, or from within one page to the beginning of another. */
static bool read_area(struct vc_shared_info *s, struct vc_reader *r, uint32_t most, struct vc_vcpu_area *a)
{
    *a = (struct vc_vcpu_area){.gpa = {vc_read_u64(r), 0}};
    a->gpa[1] = vc_read_u64(r);
    a->first = vc_read_u32(r);
    a->bytes = vc_read_u32(r);
    if (a->bytes > most || a->first > a->bytes || (a->first == 0 && a->bytes != 0))
        return false;
    if (a->bytes == 0)
        return true;
    if (a->first > PAGE - a->gpa[0] % PAGE || !frame_there(s, a->gpa[0]))
        return false;
    return a->first == a->bytes || (a->gpa[1] % PAGE == 0 && frame_there(s, a->gpa[1]));
}

/* [events] Into v, a copy without pointers. */
static bool read_vcpu(struct vc_shared_info *s, struct vc_reader *r, const struct vcpu_layout *l, struct vc_vcpu *v)
{
    uint32_t registered = vc_read_u32(r), dropped = vc_read_u32(r);

    *v = (struct vc_vcpu){.registered = registered != 0, .dropped = dropped, .gpa = vc_read_u64(r)};
    v->time.version = vc_read_u32(r);
    v->runstate.state = vc_read_u32(r);
    v->runstate.state_entry_time = vc_read_u64(r);
    for (uint32_t i = 0; i < 4; i++)
        v->runstate.time[i] = vc_read_u64(r);
    if (!read_area(s, r, sizeof(struct vcpu_time_info), &v->time_area) ||
        !read_area(s, r, sizeof(struct vcpu_runstate_info), &v->runstate_area) || !vc_reader_ok(r))
        return false;
    if (registered > 1 || dropped > 1 || v->time.version % 2 != 0 || v->runstate.state > RUNSTATE_offline)
        return false;
    if (!v->registered)
        return v->gpa == VC_NO_GPA;
    return v->gpa % l->align == 0 && v->gpa % PAGE <= PAGE - l->info_bytes && v->gpa / PAGE < UINT64_MAX / PAGE &&
           frame_there(s, v->gpa);
}

static bool all_right(struct vc_shared_info *s, struct vc_reader r)
{
    struct saved_head h;
    struct vc_vcpu v;

    if (!read_head(s, &r, &h))
        return false;
    for (uint32_t i = 0; i < s->n_vcpus; i++)
        if (!read_vcpu(s, &r, &vc_vcpu_layouts[h.abi], &v))
            return false;
    return vc_reader_done(&r);
}

/* [events] Its pages are looked up by the first delivery. */
static void take_vcpu(struct vc_shared_info *s, struct vc_vcpu *v, const struct vc_vcpu *from)
{
    unsigned long saved = vcpu_lock(s, v);

    v->generation = 0;
    v->registered = from->registered;
    v->gpa = from->gpa;
    v->dropped = from->dropped;
    v->time.version = from->time.version;
    v->runstate = from->runstate;
    v->time_area = from->time_area;
    v->runstate_area = from->runstate_area;
    vcpu_unlock(s, v, saved);
}

static void take_all(struct vc_shared_info *s, struct vc_reader r)
{
    struct saved_head h;
    struct vc_vcpu v;

    (void)read_head(s, &r, &h);
    vc_store_seq(&s->abi, h.abi);
    vc_store_seq(&s->placed, h.placed);
    vc_store_seq(&s->runstate_flag, h.runstate_flag);
    s->gfn = h.gfn;
    s->wc_seconds = h.wc_seconds;
    s->wc_nanoseconds = h.wc_nanoseconds;
    s->wc_version = h.wc_version;
    if (h.placed == 0)
        memcpy(s->home, h.home, PAGE);
    for (uint32_t i = 0; i < s->n_vcpus; i++) {
        (void)read_vcpu(s, &r, &vc_vcpu_layouts[h.abi], &v);
        take_vcpu(s, &s->vcpus[i], &v);
    }
}

static bool tell_page(struct vc_shared_info *s)
{
    unsigned long saved = domain_lock(s);
    bool taken =
        s->env->place_shared == NULL || s->placed == 0 || s->env->place_shared(s->domain, s->gfn, shared_abi(s)) == 0;

    domain_unlock(s, saved);
    return taken;
}

/* Who else keeps places. False: it refuses. No lock. */
static bool tell(struct vc_shared_info *s)
{
    if (!tell_page(s))
        return false;
    for (uint32_t i = 0; i < s->n_vcpus; i++) {
        if (s->env->place_info != NULL && s->vcpus[i].registered &&
            s->env->place_info(s->domain, i, s->vcpus[i].gpa) != 0)
            return false;
        if (s->env->moved != NULL && (s->placed != 0 || s->vcpus[i].registered)) {
            uint64_t gpa = vc_shared_info_gpa(s, i);
            unsigned long saved = domain_lock(s);

            s->env->moved(s->domain, i, gpa);
            domain_unlock(s, saved);
        }
    }
    return true;
}

int vc_shared_info_restore(struct vc_shared_info *s, struct vc_section *section)
{
    unsigned long saved = domain_lock(s);
    bool right = section->tag == VC_SAVE_SHARED_INFO && section->version == 1 && all_right(s, section->body);

    if (right)
        take_all(s, section->body);
    domain_unlock(s, saved);
    if (right && tell(s))
        return VC_OK;
    if (right)
        vc_shared_info_reset(s);
    return VC_EINVAL;
}
