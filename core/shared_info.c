/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include "vcpu.h"

#define PAGE 4096u

#define X86_LAYOUT(bits, words)                                                                                        \
    {                                                                                                                  \
        .n_ports = (words) * (words), .word_shift = (words) == 64 ? 6 : 5,                                             \
        .pending = offsetof(struct shared_info_x86_##bits, evtchn_pending),                                            \
        .mask = offsetof(struct shared_info_x86_##bits, evtchn_mask),                                                  \
        .wallclock = offsetof(struct shared_info_x86_##bits, wc_version),                                              \
        .wallclock_high = offsetof(struct shared_info_x86_##bits, wc_sec_hi), .n_default = XEN_LEGACY_MAX_VCPUS,       \
        .info_bytes = sizeof(struct vcpu_info_x86_##bits),                                                             \
        .selector = offsetof(struct vcpu_info_x86_##bits, evtchn_pending_sel),                                         \
        .time = offsetof(struct vcpu_info_x86_##bits, time), .align = (words) / 8                                      \
    }
const struct vcpu_layout vc_vcpu_layouts[] = {
    [VC_ABI_X86_64] = X86_LAYOUT(64, 64),
    [VC_ABI_X86_32] = X86_LAYOUT(32, 32),
    [VC_ABI_ARM64] = {.n_ports = 4096,
                      .word_shift = 6,
                      .pending = offsetof(struct shared_info_arm64, evtchn_pending),
                      .mask = offsetof(struct shared_info_arm64, evtchn_mask),
                      .wallclock = offsetof(struct shared_info_arm64, wc_version),
                      .wallclock_high = offsetof(struct shared_info_arm64, wc_sec_hi),
                      .n_default = 1,
                      .info_bytes = sizeof(struct vcpu_info_arm64),
                      .selector = offsetof(struct vcpu_info_arm64, evtchn_pending_sel),
                      .time = offsetof(struct vcpu_info_arm64, time),
                      .align = 8},
};
/* A bit's byte must not depend on the word it is reached through: selector and pending bits are set 32 at a time. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Xen's guests are little-endian");
_Static_assert(offsetof(struct vc_vcpu, word) == 64, "what a delivery reads is one cache line");

static size_t vcpus_bytes(uint32_t n) { return (n * sizeof(struct vc_vcpu) + 63) & ~(size_t)63; }

size_t vc_shared_info_bytes(uint32_t n_vcpus)
{
    return n_vcpus < 1 || n_vcpus > VC_VCPUS_MAX ? 0 : PAGE + vcpus_bytes(n_vcpus);
}

/* As at boot, but for the locks. */
static void clear_vcpu(struct vc_vcpu *v)
{
    void *lock = v->lock;

    memset(v, 0, sizeof *v);
    v->lock = lock;
    v->gpa = VC_NO_GPA;
    v->runstate.state = RUNSTATE_offline;
}

int vc_shared_info_init(struct vc_shared_info *s, const struct vc_shared_info_env *env, void *domain,
                        const struct vc_shared_info_config *config, void *memory)
{
    if (vc_shared_info_bytes(config->n_vcpus) == 0)
        return VC_EINVAL;
    *s = (struct vc_shared_info){.env = env, .domain = domain, .lock = config->lock, .n_vcpus = config->n_vcpus};
    s->domid = config->domid;
    s->xen_version = config->xen_version;
    s->abi = s->boot_abi = config->abi;
    s->generation = 1;
    s->home = memory;
    s->vcpus = (struct vc_vcpu *)(void *)(s->home + PAGE);
    memset(s->home, 0, PAGE);
    for (uint32_t i = 0; i < s->n_vcpus; i++) {
        s->vcpus[i].lock = config->vcpu_locks[i];
        clear_vcpu(&s->vcpus[i]);
    }
    return VC_OK;
}

/* [events] Nobody delivers to the vCPU from now on by what it has; afterwards nobody is in the middle of it. */
void vc_shared_block(struct vc_shared_info *s, struct vc_vcpu *v)
{
    unsigned long saved = vcpu_lock(s, v);

    v->generation = 0;
    vcpu_unlock(s, v, saved);
}

static void block_all(struct vc_shared_info *s)
{
    for (uint32_t i = 0; i < s->n_vcpus; i++)
        vc_shared_block(s, &s->vcpus[i]);
}

void vc_shared_info_reset(struct vc_shared_info *s)
{
    unsigned long saved = domain_lock(s);

    block_all(s);
    vc_store_seq(&s->abi, s->boot_abi);
    vc_store_seq(&s->placed, 0);
    vc_store_seq(&s->runstate_flag, 0);
    s->gfn = 0;
    s->wc_seconds = s->wc_nanoseconds = s->wc_version = 0;
    memset(s->home, 0, PAGE);
    for (uint32_t i = 0; i < s->n_vcpus; i++) {
        unsigned long inner = vcpu_lock(s, &s->vcpus[i]);

        clear_vcpu(&s->vcpus[i]);
        vcpu_unlock(s, &s->vcpus[i], inner);
    }
    domain_unlock(s, saved);
}

/* ---- Where the pages are. ---- */

static const struct vcpu_layout *layout_of(const struct vc_shared_info *s) { return &vc_vcpu_layouts[s->abi]; }

static uint64_t gpa_of(const struct vc_shared_info *s, uint32_t vcpu)
{
    const struct vcpu_layout *l = layout_of(s);

    if (s->vcpus[vcpu].registered)
        return s->vcpus[vcpu].gpa;
    return s->placed && vcpu < l->n_default ? s->gfn * PAGE + vcpu * l->info_bytes : VC_NO_GPA;
}

uint8_t *vc_shared_page(struct vc_shared_info *s)
{
    uint8_t *page = s->home;

    return s->placed && s->env->map(s->domain, s->gfn, &page) != VC_OK ? NULL : page;
}

/* [events] shared_info, and the vCPU's vcpu_info (NULL: it has none), as they lie here. */
bool vc_shared_find(struct vc_shared_info *s, uint32_t vcpu, uint8_t **shared, uint8_t **info)
{
    const struct vcpu_layout *l = layout_of(s);
    const struct vc_vcpu *v = &s->vcpus[vcpu];

    *shared = vc_shared_page(s);
    if (*shared == NULL)
        return false;
    *info = vcpu < l->n_default ? *shared + vcpu * l->info_bytes : NULL;
    if (!v->registered)
        return true;
    if (s->env->map(s->domain, v->gpa / PAGE, info) != VC_OK)
        return false;
    *info += v->gpa % PAGE;
    return true;
}

/* [events] From now on deliveries go there. The event lock keeps the generation what it is. */
void vc_shared_publish(struct vc_shared_info *s, struct vc_vcpu *v, uint8_t *shared, uint8_t *info)
{
    const struct vcpu_layout *l = layout_of(s);
    unsigned long saved = vcpu_lock(s, v);

    v->pending = (uint32_t *)(void *)(shared + l->pending);
    v->mask = (uint32_t *)(void *)(shared + l->mask);
    v->info = info;
    v->selector = info == NULL ? NULL : (uint32_t *)(void *)(info + l->selector);
    v->n_ports = l->n_ports;
    v->word_shift = l->word_shift;
    vc_vcpu_map_areas(s, v);
    v->generation = s->generation;
    vcpu_unlock(s, v, saved);
}

static bool refresh(struct vc_shared_info *s, uint32_t vcpu)
{
    uint8_t *shared, *info;

    if (!vc_shared_find(s, vcpu, &shared, &info))
        return false;
    vc_shared_publish(s, &s->vcpus[vcpu], shared, info);
    return true;
}

bool vc_vcpu_enter_held(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_guard *g)
{
    g->vcpu = &s->vcpus[vcpu];
    g->slow = false;
    /* Its generation changes under both locks only, so that one is enough to look. */
    if (!vcpu_current(s, g->vcpu) && !refresh(s, vcpu))
        return false;
    g->vcpu_saved = vcpu_lock(s, g->vcpu);
    return true;
}

bool vc_vcpu_enter_slow(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_guard *g)
{
    unsigned long saved = domain_lock(s);

    if (!vc_vcpu_enter_held(s, vcpu, g)) {
        domain_unlock(s, saved);
        return false;
    }
    g->slow = true;
    g->domain_saved = saved;
    return true;
}

void vc_shared_info_remapped(struct vc_shared_info *s)
{
    unsigned long saved = domain_lock(s); /* ends a move that copies from or to an old page */

    __atomic_fetch_add(&s->generation, 1, __ATOMIC_SEQ_CST); /* pairs with vcpu_current */
    domain_unlock(s, saved);
    for (uint32_t i = 0; i < s->n_vcpus; i++) { /* and here a delivery that looked before that */
        saved = vcpu_lock(s, &s->vcpus[i]);
        vcpu_unlock(s, &s->vcpus[i], saved);
    }
}

void vc_vcpu_copy_words(uint8_t *to, const uint8_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 4)
        vc_store_relaxed((uint32_t *)(void *)(to + i), vc_load_relaxed((const uint32_t *)(const void *)(from + i)));
}

/* ---- Upcalls. ---- */

void vc_vcpu_upcall(struct vc_shared_info *s, uint32_t vcpu)
{
    struct vc_vcpu *v = &s->vcpus[vcpu];

    if (vc_load_seq(&v->sleeping) != 0) { /* pairs with sleep_begin of sched_op.c */
        __atomic_fetch_add(&v->upcalls, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&v->word, 1, __ATOMIC_SEQ_CST);
        s->env->wake(s->domain, &v->word);
    }
    if (s->env->upcall != NULL && !s->env->upcall(s->domain, vcpu))
        vc_store_seq(&v->dropped, 1);
}

bool vc_shared_info_upcall_pending(struct vc_shared_info *s, uint32_t vcpu)
{
    struct vcpu_guard g;
    bool pending;

    if (vcpu >= s->n_vcpus || !vcpu_enter(s, vcpu, &g))
        return false;
    pending = g.vcpu->info != NULL && vc_load8_seq(g.vcpu->info) != 0;
    vcpu_leave(s, &g);
    return pending;
}

bool vc_shared_info_retry_upcall(struct vc_shared_info *s, uint32_t vcpu)
{
    if (vcpu >= s->n_vcpus || vc_load_relaxed(&s->vcpus[vcpu].dropped) == 0) /* the usual answer, after every exit */
        return false;
    vc_store_seq(&s->vcpus[vcpu].dropped, 0); /* before the look: one dropped meanwhile sets it again */
    if (vc_shared_info_upcall_pending(s, vcpu))
        vc_vcpu_upcall(s, vcpu);
    return vc_load_seq(&s->vcpus[vcpu].dropped) != 0;
}

void vc_shared_info_renew_upcall(struct vc_shared_info *s, uint32_t vcpu)
{
    if (vc_shared_info_upcall_pending(s, vcpu))
        vc_vcpu_upcall(s, vcpu);
}

/* [events; blocked] Xen's last step of a registration. Whether upcall_pending went from 0 to 1. */
bool vc_shared_mark(const struct vcpu_layout *l, uint8_t *info)
{
    uint32_t *selector = (uint32_t *)(void *)(info + l->selector);

    vc_store_seq(selector, UINT32_MAX);
    if (l->word_shift == 6)
        vc_store_seq(selector + 1, UINT32_MAX);
    return __atomic_exchange_n(info, 1, __ATOMIC_SEQ_CST) == 0;
}

/* ---- Placing shared_info. ---- */

void vc_shared_tell_moved(struct vc_shared_info *s, uint32_t vcpu)
{
    if (s->env->moved != NULL)
        s->env->moved(s->domain, vcpu, gpa_of(s, vcpu));
}

/* [events; all blocked] The pages of all vCPUs again; of a move each looks at all ports. Upcalls due are flagged. */
static void settle(struct vc_shared_info *s, bool again, bool *upcalls)
{
    for (uint32_t i = 0; i < s->n_vcpus; i++) {
        uint8_t *shared, *info;

        upcalls[i] = false;
        if (!vc_shared_find(s, i, &shared, &info))
            continue; /* its registered page has gone: the next delivery looks again */
        if (again && info != NULL)
            upcalls[i] = vc_shared_mark(layout_of(s), info);
        vc_shared_publish(s, &s->vcpus[i], shared, info);
        if (!s->vcpus[i].registered)
            vc_shared_tell_moved(s, i);
    }
}

static int64_t place_here(struct vc_shared_info *s, uint64_t gfn, bool *upcalls)
{
    uint8_t *from = vc_shared_page(s), *to;
    bool again = s->placed;

    if (s->env->map(s->domain, gfn, &to) != VC_OK)
        return -XEN_EINVAL;
    block_all(s);
    if (from == NULL) /* the guest gave that page away with all that was in it */
        memset(to, 0, PAGE);
    else if (from != to)
        vc_vcpu_copy_words(to, from, PAGE);
    /*
     * On Xen the page itself moves. Here a vCPU that was handling events in the old copy may have cleared a selector
     * there after it was copied with its pending bit: all look at all ports once, and nothing is lost.
     */
    vc_store_seq(&s->placed, 1);
    s->gfn = gfn;
    settle(s, again, upcalls);
    return 0;
}

/* [events] The page that is left is nobody's from before it is copied: an unmask waits, and finds the new one. */
static int64_t place_there(struct vc_shared_info *s, uint64_t gfn)
{
    int64_t result;

    block_all(s);
    result = s->env->place_shared(s->domain, gfn, shared_abi(s));
    if (result != 0)
        return result;
    vc_store_seq(&s->placed, 1);
    s->gfn = gfn;
    return 0;
}

int64_t vc_shared_info_place(struct vc_shared_info *s, uint64_t gfn)
{
    bool upcalls[VC_VCPUS_MAX] = {false};
    unsigned long saved;
    int64_t result;

    if (gfn > UINT64_MAX / PAGE - 1)
        return -XEN_EINVAL;
    saved = domain_lock(s);
    result = s->env->place_shared != NULL ? place_there(s, gfn) : place_here(s, gfn, upcalls);
    domain_unlock(s, saved);
    for (uint32_t i = 0; i < s->n_vcpus; i++)
        if (upcalls[i])
            vc_vcpu_upcall(s, i);
    return result;
}

bool vc_shared_info_placed(struct vc_shared_info *s, uint64_t *gfn)
{
    unsigned long saved = domain_lock(s);
    bool placed = s->placed;

    *gfn = s->gfn;
    domain_unlock(s, saved);
    return placed;
}

uint64_t vc_shared_info_gpa(struct vc_shared_info *s, uint32_t vcpu)
{
    unsigned long saved = domain_lock(s);
    uint64_t gpa = vcpu < s->n_vcpus ? gpa_of(s, vcpu) : VC_NO_GPA;

    domain_unlock(s, saved);
    return gpa;
}

bool vc_shared_info_latch(struct vc_shared_info *s, enum vc_abi abi)
{
    bool upcalls[VC_VCPUS_MAX];
    unsigned long saved;

    if (abi > VC_ABI_ARM64 || (abi == VC_ABI_ARM64) != (s->boot_abi == VC_ABI_ARM64))
        return false;
    saved = domain_lock(s);
    if (abi != s->abi) {
        uint8_t *page = vc_shared_page(s);

        block_all(s);
        vc_store_seq(&s->abi, abi);
        if (page != NULL)
            vc_shared_write_wallclock(s, page);
        settle(s, false, upcalls);
    }
    domain_unlock(s, saved);
    return true;
}
