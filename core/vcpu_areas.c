/* SPDX-License-Identifier: MIT */
/* What the hypervisor tells the guest in memory: clocks, wall time, run states; and the calls that say where. */
#include "memory.h"
#include "vcpu.h"

#define PAGE 4096u

/* ---- Areas: anywhere, across two pages. ---- */

static void map_area(struct vc_shared_info *s, struct vc_vcpu_area *a)
{
    for (uint32_t i = 0; i < 2; i++) {
        a->at[i] = NULL;
        if ((i == 0 ? a->first : a->bytes - a->first) == 0)
            continue;
        if (s->env->map(s->domain, a->gpa[i] / PAGE, &a->at[i]) == VC_OK)
            a->at[i] += a->gpa[i] % PAGE;
        else
            a->at[i] = NULL;
    }
}

void vc_vcpu_map_areas(struct vc_shared_info *s, struct vc_vcpu *v)
{
    map_area(s, &v->time_area);
    map_area(s, &v->runstate_area);
}

/* [vcpu, current] One byte at a time: the area may be unaligned, and lie across two pages. */
static void put(const struct vc_vcpu_area *a, uint32_t offset, const void *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, offset++) {
        uint32_t page = offset >= a->first;
        uint8_t *at = a->at[page];

        if (offset < a->bytes && at != NULL)
            vc_store8_seq(at + (page != 0 ? offset - a->first : offset), ((const uint8_t *)from)[i]);
    }
}

/* ---- Clocks. ---- */

/* version odd, the rest, version even: the guest reads again if it saw the first or a change. */
static void write_time_info(uint8_t *at, const struct vcpu_time_info *t)
{
    struct vcpu_time_info copy = *t;

    vc_store_seq((uint32_t *)(void *)at, t->version - 1);
    for (uint32_t i = 4; i < sizeof copy; i += 4) {
        uint32_t word;

        memcpy(&word, (const uint8_t *)&copy + i, sizeof word);
        vc_store_seq((uint32_t *)(void *)(at + i), word); /* not before the odd version, nor after the even one */
    }
    vc_store_seq((uint32_t *)(void *)at, t->version);
}

static void write_time_area(const struct vc_vcpu_area *a, const struct vcpu_time_info *t)
{
    uint32_t odd = t->version - 1;

    put(a, 0, &odd, sizeof odd);
    put(a, 4, (const uint8_t *)t + 4, sizeof *t - 4);
    put(a, 0, &t->version, sizeof t->version);
}

static void write_time(struct vc_shared_info *s, struct vc_vcpu *v)
{
    uint32_t at = vc_vcpu_layouts[shared_abi(s)].time; /* one for both modes of x86 */

    if (v->info != NULL)
        write_time_info(v->info + at, &v->time);
    write_time_area(&v->time_area, &v->time);
}

void vc_shared_info_time(struct vc_shared_info *s, uint32_t vcpu, const struct vcpu_time_info *time)
{
    struct vcpu_guard g;

    if (vcpu >= s->n_vcpus || !vcpu_enter(s, vcpu, &g))
        return;
    uint32_t version = g.vcpu->time.version;
    g.vcpu->time = *time;
    g.vcpu->time.version = version + 2;
    write_time(s, g.vcpu);
    vcpu_leave(s, &g);
}

void vc_vcpu_refresh_time(struct vc_shared_info *s, uint32_t vcpu)
{
    struct vcpu_guard g;

    if (!vcpu_enter(s, vcpu, &g))
        return;
    if (g.vcpu->time.version != 0) { /* else nobody told any: the guest's own bytes stay */
        g.vcpu->time.version += 2;
        write_time(s, g.vcpu);
    }
    vcpu_leave(s, &g);
}

static uint32_t *word_at(uint8_t *page, uint32_t offset) { return (uint32_t *)(void *)(page + offset); }

void vc_shared_write_wallclock(struct vc_shared_info *s, uint8_t *page)
{
    const struct vcpu_layout *l = &vc_vcpu_layouts[s->abi];

    if (s->wc_version == 0)
        return; /* nobody told any */
    vc_store_seq(word_at(page, l->wallclock), s->wc_version - 1);
    vc_store_seq(word_at(page, l->wallclock + 4), (uint32_t)s->wc_seconds);
    vc_store_seq(word_at(page, l->wallclock + 8), s->wc_nanoseconds);
    vc_store_seq(word_at(page, l->wallclock_high), (uint32_t)(s->wc_seconds >> 32));
    vc_store_seq(word_at(page, l->wallclock), s->wc_version);
}

void vc_shared_info_wallclock(struct vc_shared_info *s, uint64_t seconds, uint32_t nanoseconds)
{
    unsigned long saved = domain_lock(s);
    uint8_t *page = vc_shared_page(s);

    s->wc_seconds = seconds;
    s->wc_nanoseconds = nanoseconds;
    s->wc_version += 2;
    if (page != NULL)
        vc_shared_write_wallclock(s, page);
    domain_unlock(s, saved);
}

/* ---- Run states. ---- */

#define RUNSTATE_WORDS (sizeof(struct vcpu_runstate_info) / sizeof(uint64_t))

/* One writer, readers without a lock: the fields are stored releasing and loaded acquiring, between two looks at the
 * sequence (no fences). */
static void runstate_store(struct vc_vcpu *v, const struct vcpu_runstate_info *from)
{
    uint64_t *to = (uint64_t *)(void *)&v->runstate, words[RUNSTATE_WORDS];
    uint32_t sequence = vc_load_relaxed(&v->runstate_sequence);

    memcpy(words, from, sizeof words);
    vc_store_relaxed(&v->runstate_sequence, sequence + 1);
    for (size_t i = 0; i < RUNSTATE_WORDS; i++)
        __atomic_store_n(to + i, words[i], __ATOMIC_RELEASE);
    vc_store_seq(&v->runstate_sequence,
                 sequence + 2); /* pairs with the registration of an area: it sees this, or this it */
}

void vc_shared_info_runstate_get(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_runstate_info *info)
{
    const struct vc_vcpu *v = &s->vcpus[vcpu];
    const uint64_t *from = (const uint64_t *)(const void *)&v->runstate;
    uint64_t words[RUNSTATE_WORDS];
    uint32_t before, after;

    do {
        before = vc_load_seq(&v->runstate_sequence);
        for (size_t i = 0; i < RUNSTATE_WORDS; i++)
            words[i] = __atomic_load_n(from + i, __ATOMIC_ACQUIRE);
        after = vc_load_relaxed(&v->runstate_sequence);
    } while (before != after || before % 2 != 0);
    memcpy(info, words, sizeof words);
}

static uint32_t runstate_bytes(enum vc_abi abi)
{
    return abi == VC_ABI_X86_32 ? sizeof(struct compat_vcpu_runstate_info) : sizeof(struct vcpu_runstate_info);
}

/* As the guest wants it; in compat form without the padding. Returns the offset of state_entry_time. */
static uint32_t runstate_layout(const struct vcpu_runstate_info *r, uint32_t bytes, uint8_t *to)
{
    uint32_t at = bytes == sizeof *r ? offsetof(struct vcpu_runstate_info, state_entry_time)
                                     : offsetof(struct compat_vcpu_runstate_info, state_entry_time);

    memset(to, 0, at);
    memcpy(to, &r->state, sizeof r->state);
    memcpy(to + at, &r->state_entry_time, bytes - at);
    return at;
}

static void write_runstate(struct vc_shared_info *s, struct vc_vcpu *v, const struct vcpu_runstate_info *r)
{
    const struct vc_vcpu_area *a = &v->runstate_area;
    uint8_t bytes[sizeof *r];
    uint32_t entry;

    if (a->bytes == 0)
        return;
    entry = runstate_layout(r, a->bytes, bytes);
    if (vc_load_seq(&s->runstate_flag) != 0) {
        uint8_t busy = bytes[entry + 7] | 0x80; /* XEN_RUNSTATE_UPDATE; one byte is always in one page */

        put(a, entry + 7, &busy, 1);
        put(a, 0, bytes, entry + 7);
        put(a, entry + 8, bytes + entry + 8, a->bytes - entry - 8);
        put(a, entry + 7, bytes + entry + 7, 1);
    } else {
        put(a, 0, bytes, a->bytes);
    }
}

static void show_runstate(struct vc_shared_info *s, uint32_t vcpu)
{
    struct vcpu_runstate_info r;
    struct vcpu_guard g;

    if (!vcpu_enter(s, vcpu, &g))
        return;
    vc_shared_info_runstate_get(s, vcpu, &r);
    write_runstate(s, g.vcpu, &r);
    vcpu_leave(s, &g);
}

void vc_shared_info_runstate(struct vc_shared_info *s, uint32_t vcpu, uint32_t state, uint64_t now_ns)
{
    struct vc_vcpu *v;
    struct vcpu_runstate_info r;

    if (vcpu >= s->n_vcpus || state > RUNSTATE_offline)
        return;
    v = &s->vcpus[vcpu];
    vc_shared_info_runstate_get(s, vcpu, &r);
    if (now_ns < r.state_entry_time)
        now_ns = r.state_entry_time;
    r.time[r.state] += now_ns - r.state_entry_time;
    r.state_entry_time = now_ns;
    r.state = state;
    runstate_store(v, &r);
    if (vc_load_seq(&v->runstate_area.bytes) != 0) /* a registration meanwhile shows what is stored by then */
        show_runstate(s, vcpu);
}

int64_t vc_shared_info_vm_assist(struct vc_shared_info *s, uint64_t cmd, uint64_t type)
{
    if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
        return -XEN_ENOSYS;
    if (type != VMASST_TYPE_runstate_update_flag)
        return -XEN_EINVAL;
    vc_store_seq(&s->runstate_flag, cmd == VMASST_CMD_enable);
    return 0;
}

/* ---- vcpu_op. ---- */

/* Where bytes at a guest virtual address lie. */
static bool locate(struct vc_shared_info *s, void *ctx, uint64_t address, struct vc_vcpu_area *a)
{
    uint64_t room = PAGE - address % PAGE;

    a->first = a->bytes < room ? a->bytes : (uint32_t)room;
    for (uint32_t i = 0; i < 2 && (i == 0 || a->first < a->bytes); i++) {
        uint64_t at = i == 0 ? address : address + a->first;

        if (at < address)
            return false; /* past the end of the address space */
        a->gpa[i] = at;
        if (s->env->translate != NULL && !s->env->translate(ctx, at, &a->gpa[i]))
            return false;
    }
    return true;
}

/* False: the page must be there, and is not. */
static bool set_area(struct vc_shared_info *s, struct vc_vcpu *v, struct vc_vcpu_area *which, struct vc_vcpu_area *a,
                     bool must)
{
    unsigned long saved = domain_lock(s), inner;
    bool good;

    map_area(s, a);
    good = !must || a->at[0] != NULL;
    if (good) {
        inner = vcpu_lock(s, v);
        memcpy(which->gpa, a->gpa, sizeof a->gpa);
        memcpy(which->at, a->at, sizeof a->at);
        which->first = a->first;
        vc_store_seq(&which->bytes, a->bytes); /* pairs with the look in vc_shared_info_runstate */
        vcpu_unlock(s, v, inner);
    }
    domain_unlock(s, saved);
    return good;
}

static int64_t register_area(struct vc_shared_info *s, void *ctx, uint32_t vcpu, bool runstate, bool physical,
                             uint64_t address)
{
    struct vc_vcpu *v = &s->vcpus[vcpu];
    struct vc_vcpu_area a = {.bytes = runstate ? runstate_bytes(shared_abi(s)) : sizeof(struct vcpu_time_info)};

    if (physical ? address == UINT64_MAX : address == 0) {
        a.bytes = 0; /* the guest takes it back */
    } else if (physical) {
        if (address % PAGE + a.bytes > PAGE || address % 8 != 0)
            return -XEN_ENXIO;
        a.gpa[0] = address;
        a.first = a.bytes;
    } else if (!locate(s, ctx, address, &a)) {
        return -XEN_EFAULT;
    }
    if (!set_area(s, v, runstate ? &v->runstate_area : &v->time_area, &a, physical && a.bytes != 0))
        return -XEN_EINVAL;
    if (runstate)
        show_runstate(s, vcpu);
    else
        vc_vcpu_refresh_time(s, vcpu);
    return 0;
}

static int64_t op_area(struct vc_shared_info *s, void *ctx, uint32_t vcpu, uint64_t cmd, uint64_t arg)
{
    bool physical = cmd == VCPUOP_register_runstate_phys_area || cmd == VCPUOP_register_vcpu_time_phys_area;
    bool runstate = cmd == VCPUOP_register_runstate_phys_area || cmd == VCPUOP_register_runstate_memory_area;
    uint64_t address = 0;

    if (physical && s->xen_version < XEN_VERSION_OF(4, 19))
        return -XEN_ENOSYS;
    /* A union with a 64-bit number in it, but a 32-bit guest's handle is 4 bytes of it. */
    if (!s->env->copy_in(ctx, &address, arg, shared_abi(s) == VC_ABI_X86_32 && !physical ? 4 : 8))
        return -XEN_EFAULT;
    return register_area(s, ctx, vcpu, runstate, physical, address);
}

static int64_t op_register(struct vc_shared_info *s, void *ctx, uint32_t self, uint32_t vcpu, uint64_t arg)
{
    struct vcpu_register_vcpu_info info;

    if (!s->env->copy_in(ctx, &info, arg, sizeof info))
        return -XEN_EFAULT;
    return vc_shared_info_register(s, self, vcpu, info.mfn, info.offset);
}

static int64_t op_get_runstate(struct vc_shared_info *s, void *ctx, uint32_t vcpu, uint64_t arg)
{
    struct vcpu_runstate_info r;
    uint8_t bytes[sizeof r];
    uint32_t n = runstate_bytes(shared_abi(s));

    vc_shared_info_runstate_get(s, vcpu, &r);
    runstate_layout(&r, n, bytes);
    return s->env->copy_out(ctx, arg, bytes, n) ? 0 : -XEN_EFAULT;
}

int64_t vc_shared_info_vcpu_op(struct vc_shared_info *s, void *ctx, uint32_t self, uint64_t cmd, uint64_t vcpu,
                               uint64_t arg)
{
    if (vcpu >= s->n_vcpus)
        return -XEN_ENOENT; /* before anything else, as Xen: whatever the cmd */
    switch (cmd) {
    case VCPUOP_register_vcpu_info: return op_register(s, ctx, self, (uint32_t)vcpu, arg);
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_runstate_phys_area:
    case VCPUOP_register_vcpu_time_memory_area:
    case VCPUOP_register_vcpu_time_phys_area: return op_area(s, ctx, (uint32_t)vcpu, cmd, arg);
    case VCPUOP_get_runstate_info: return op_get_runstate(s, ctx, (uint32_t)vcpu, arg);
    default: return -XEN_ENOSYS;
    }
}
