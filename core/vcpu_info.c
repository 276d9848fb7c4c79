/* SPDX-License-Identifier: MIT */
/* VCPUOP_register_vcpu_info: a vCPU's events go to another place, while they come. */
#include "memory.h"
#include "vcpu.h"

#define PAGE XEN_PAGE_BYTES

static const struct vcpu_layout *layout_of(const struct vc_shared_info *s) { return &vc_vcpu_layouts[s->abi]; }

static bool is_new(const struct vc_shared_info *s)
{
    return s->xen_version >= XEN_VERSION_OF(4, 19); /* 295514ff75, "use new registration for vcpu_info" */
}

static int64_t check_offset(const struct vc_shared_info *s, uint32_t offset)
{
    const struct vcpu_layout *l = layout_of(s);

    return offset > PAGE - l->info_bytes || offset % l->align != 0 ? -XEN_ENXIO : 0;
}

/* [events] Whether it may lie there at all. Xen looks at these things in another order since 4.19. */
static int64_t check(const struct vc_shared_info *s, uint32_t self, uint32_t vcpu, uint64_t gfn, uint32_t offset)
{
    bool registered = s->vcpus[vcpu].registered;

    if (is_new(s)) {
        if (gfn > UINT64_MAX / PAGE - 1 || offset >= PAGE)
            return -XEN_EINVAL; /* not a number of a frame that the address lies in */
        return registered ? -XEN_EBUSY : check_offset(s, offset);
    }
    if (check_offset(s, offset) != 0)
        return check_offset(s, offset);
    if (registered || gfn > UINT64_MAX / PAGE - 1)
        return -XEN_EINVAL;
    if (vcpu != self && s->env->offline != NULL && !s->env->offline(s->domain, vcpu))
        return -XEN_EINVAL;
    return 0;
}

static int64_t map_error(const struct vc_shared_info *s, int error)
{
    switch (error) {
    case VC_ENOSPC: return -XEN_ENOMEM;
    case VC_EPERM: return is_new(s) ? -XEN_EACCES : -XEN_EINVAL;
    default: return -XEN_EINVAL;
    }
}

/* [events; blocked] Everything that is in the old place, and from then on nothing in that. */
static void fill(const struct vc_shared_info *s, uint8_t *to, const uint8_t *from)
{
    const struct vcpu_layout *l = layout_of(s);

    if (from != NULL) {
        vc_vcpu_copy_words(to, from, l->info_bytes);
        return;
    }
    memset(to, 0, l->info_bytes);
    if (s->abi != VC_ABI_ARM64)
        to[offsetof(struct vcpu_info_x86_64, evtchn_upcall_mask)] = 1; /* a PV guest's; nobody else looks */
}

/* [events] To gpa; VC_NO_GPA: back to the default place. *upcall: one is due. */
static int64_t move(struct vc_shared_info *s, uint32_t vcpu, uint64_t gpa, bool *upcall)
{
    struct vc_vcpu *v = &s->vcpus[vcpu];
    uint8_t *shared, *from, *to;
    bool was = v->registered;
    uint64_t old_gpa = v->gpa;
    bool there = vc_shared_find(s, vcpu, &shared, &from);
    int error = gpa == VC_NO_GPA ? VC_OK : s->env->map(s->domain, gpa / PAGE, &to);

    if (error != VC_OK)
        return map_error(s, error);
    if (!there && !was)
        return -XEN_EINVAL; /* the page of shared_info has gone */
    vc_shared_block(s, v);
    v->registered = gpa != VC_NO_GPA;
    v->gpa = gpa;
    if (!vc_shared_find(s, vcpu, &shared, &to)) {
        v->registered = was;
        v->gpa = old_gpa;
        return -XEN_EINVAL;
    }
    if (to != NULL) {
        fill(s, to, there ? from : NULL);
        *upcall = vc_shared_mark(layout_of(s), to);
    }
    vc_shared_publish(s, v, shared, to);
    vc_shared_tell_moved(s, vcpu);
    return 0;
}

static int64_t delegate(struct vc_shared_info *s, uint32_t vcpu, uint64_t gpa)
{
    int64_t result = s->env->place_info(s->domain, vcpu, gpa);
    unsigned long saved = domain_lock(s);

    if (result != 0) {
        vc_shared_block(s, &s->vcpus[vcpu]);
        s->vcpus[vcpu].registered = false;
    }
    domain_unlock(s, saved);
    return result;
}

int64_t vc_shared_info_register(struct vc_shared_info *s, uint32_t self, uint32_t vcpu, uint64_t gfn, uint32_t offset)
{
    uint64_t gpa = gfn * PAGE + offset; /* meaningless until checked */
    bool upcall = false, delegated = s->env->place_info != NULL;
    unsigned long saved;
    int64_t result;

    if (vcpu >= s->n_vcpus)
        return -XEN_ENOENT;
    saved = domain_lock(s);
    result = check(s, self, vcpu, gfn, offset);
    if (result == 0 && delegated) { /* claimed here, so that of two who try one is refused */
        vc_shared_block(s, &s->vcpus[vcpu]);
        s->vcpus[vcpu].registered = true;
        s->vcpus[vcpu].gpa = gpa;
    } else if (result == 0) {
        result = move(s, vcpu, gpa, &upcall);
    }
    domain_unlock(s, saved);
    if (result == 0 && delegated)
        return delegate(s, vcpu, gpa);
    if (upcall)
        vc_vcpu_upcall(s, vcpu);
    if (result == 0)
        vc_vcpu_refresh_time(s, vcpu);
    return result;
}

bool vc_shared_info_unregister(struct vc_shared_info *s, uint32_t vcpu)
{
    bool upcall = false, done = false;
    unsigned long saved;

    if (vcpu >= s->n_vcpus)
        return false;
    saved = domain_lock(s);
    if (s->vcpus[vcpu].registered)
        done = move(s, vcpu, VC_NO_GPA, &upcall) == 0;
    domain_unlock(s, saved);
    if (upcall)
        vc_vcpu_upcall(s, vcpu);
    return done;
}
