/* SPDX-License-Identifier: MIT */
#include "quiet.h"
#include "cpu.h"
#include <elf.h>
#include <string.h>
#include <vcons/wire/callpage.h>

#define PAGE      UINT64_C(4096)
#define LINE      UINT64_C(64) /* of a cache */
#define FUNCTION  16u          /* kernels align them to this, at least */
#define PADDING   8u           /* where in those 16 bytes, behind call and return, the longer jump goes */
#define PAGE_CODE 0x700u       /* behind stub 55, Xen's last */
#define PAGE_BITS 0xf80u       /* where no stub is called, and 2 KiB away from all code but ours of stub 127 */

/* ---- The code. ---- */

struct writer {
    uint8_t *bytes;
    size_t n;
};

static void emit(struct writer *w, const uint8_t *bytes, size_t n)
{
    memcpy(w->bytes + w->n, bytes, n);
    w->n += n;
}
#define EMIT(w, ...) emit(w, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* What is so far from the end of these 4 bytes. */
static void emit_distance(struct writer *w, uint64_t at, uint64_t to)
{
    uint32_t distance = (uint32_t)(to - (at + w->n + 4));

    emit(w, (const uint8_t *)&distance, 4);
}

static void emit_back(struct writer *w, const struct quiet_code *c)
{
    if (c->back == 0) {
        EMIT(w, 0xc3); /* ret */
        return;
    }
    EMIT(w, 0xe9); /* jmp back */
    emit_distance(w, c->at, c->back);
}

/* Short jumps forward, whose end is not known yet. */
struct jumps {
    size_t at[4], n;
};

static void jump(struct writer *w, struct jumps *jumps, uint8_t opcode)
{
    EMIT(w, opcode, 0);
    jumps->at[jumps->n++] = w->n;
}

static void here(struct writer *w, const struct jumps *jumps)
{
    for (size_t i = 0; i < jumps->n; i++)
        w->bytes[jumps->at[i] - 1] = (uint8_t)(w->n - jumps->at[i]);
}

enum { JAE = 0x73, JE = 0x74, JNE = 0x75, JMP = 0xeb };

/* eax is the call's number, rdi and rsi its arguments. rax is all that may change. */
size_t quiet_write(uint8_t code[QUIET_CODE_MAX], const struct quiet_code *c, size_t *call)
{
    struct writer w = {.bytes = code};
    struct jumps other = {.n = 0}, plain = {.n = 0}, changed = {.n = 0};

    EMIT(&w, 0x83, 0xf8, XEN_event_channel_op); /* cmp $32, %eax */
    jump(&w, &other, JNE);
    EMIT(&w, 0x83, 0xff, EVTCHNOP_send); /* cmp $4, %edi */
    jump(&w, &plain, JNE);
    EMIT(&w, 0x48, 0x89, 0xf0);                                       /* mov %rsi, %rax */
    EMIT(&w, 0x48, 0x29, 0xe0);                                       /* sub %rsp, %rax */
    EMIT(&w, 0x48, 0x3d, QUIET_STACK & 0xff, QUIET_STACK >> 8, 0, 0); /* cmp $512, %rax */
    jump(&w, &changed, JAE);
    EMIT(&w, 0x8b, 0x06);                                       /* mov (%rsi), %eax: the port */
    EMIT(&w, 0x3d, QUIET_PORTS & 0xff, QUIET_PORTS >> 8, 0, 0); /* cmp $512, %eax */
    jump(&w, &changed, JAE);
    EMIT(&w, 0xf0, 0x83, 0x0c, 0x24, 0x00); /* lock orl $0, (%rsp): what the guest has published, before the look */
    EMIT(&w, 0x0f, 0xa3, 0x05);             /* bt %eax, bits(%rip) */
    emit_distance(&w, c->at, c->bits);
    jump(&w, &changed, JAE); /* jnc, which is the same */
    EMIT(&w, 0x31, 0xc0);    /* xor %eax, %eax */
    emit_back(&w, c);
    if (c->takes_yield) {
        here(&w, &other);
        other.n = 0;
        EMIT(&w, 0x83, 0xf8, XEN_sched_op); /* cmp $29, %eax */
        jump(&w, &plain, JNE);
        EMIT(&w, 0x85, 0xff); /* test %edi, %edi: SCHEDOP_yield is 0 */
        jump(&w, &plain, JNE);
        EMIT(&w, 0xb8, VC_CALL_YIELD & 0xff, VC_CALL_YIELD >> 8 & 0xff, VC_CALL_YIELD >> 16, 0); /* mov …, %eax */
        jump(&w, &plain, JMP);
    }
    here(&w, &changed);
    EMIT(&w, 0xb8, XEN_event_channel_op, 0, 0, 0); /* mov $32, %eax */
    here(&w, &other);
    here(&w, &plain);
    *call = w.n;
    emit(&w, c->call, QUIET_CALL_BYTES);
    emit_back(&w, c);
    return w.n;
}

static const uint8_t by_port_call[QUIET_CALL_BYTES] = {0xe6, CPU_HYPERCALL_PORT, 0x90}; /* out %al, $port; nop */

/*
 * Stub nr goes there with eax set. Code of 32 bits, in which a 64-bit kernel may call before it has page tables, has its arguments
 * elsewhere and calls at once: to it 0x40 is inc %eax, to others a prefix that says nothing.
 */
static void lead_to(uint8_t page[PAGE], uint8_t nr, const uint8_t call[QUIET_CALL_BYTES])
{
    struct writer w = {.bytes = page + nr * 32 + 5}; /* behind mov $nr, %eax */
    struct jumps narrow = {.n = 0};

    EMIT(&w, 0x40, 0x3d, (uint8_t)(nr + 1), 0, 0, 0); /* cmp $nr + 1, %eax */
    jump(&w, &narrow, JE);
    EMIT(&w, 0xe9);
    emit_distance(&w, nr * 32 + 5, PAGE_CODE);
    here(&w, &narrow);
    EMIT(&w, 0x83, 0xe8, 1); /* sub $1, %eax */
    emit(&w, call, QUIET_CALL_BYTES);
    EMIT(&w, 0xc3); /* ret */
}

void quiet_fill_page(uint8_t page[PAGE], bool by_port)
{
    uint8_t call[QUIET_CALL_BYTES];
    size_t at;

    memcpy(call, page + XEN_event_channel_op * 32 + 5, sizeof call); /* as everywhere else in it */
    memset(page + PAGE_BITS, 0, QUIET_BYTES);
    quiet_write(page + PAGE_CODE,
                &(struct quiet_code){.at = PAGE_CODE, .bits = PAGE_BITS, .call = call, .takes_yield = !by_port}, &at);
    lead_to(page, XEN_event_channel_op, call);
    if (!by_port)
        lead_to(page, XEN_sched_op, call);
}

/* ---- A kernel's own pages. ---- */

/* The end of the section of code that this address lies in; 0: the file does not tell. */
static uint64_t end_of_text(const struct elf *elf, uint64_t vaddr)
{
    Elf64_Ehdr h;
    uint64_t end = 0;

    memcpy(&h, elf->bytes, sizeof h);
    if (h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shoff > elf->n_bytes ||
        (uint64_t)h.e_shnum * sizeof(Elf64_Shdr) > elf->n_bytes - h.e_shoff)
        return 0;
    for (unsigned i = 0; i < h.e_shnum; i++) {
        Elf64_Shdr s;

        memcpy(&s, elf->bytes + h.e_shoff + i * sizeof s, sizeof s);
        if ((s.sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR) && vaddr >= s.sh_addr &&
            vaddr - s.sh_addr < s.sh_size)
            end = s.sh_addr + s.sh_size;
    }
    return end;
}

/* The linker's filling. */
static bool is_filling(const uint8_t *at, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++)
        if (at[i] != at[0])
            return false;
    return n > 0 && (at[0] == 0 || at[0] == 0xcc || at[0] == 0x90);
}

static bool is_padding(const uint8_t *at)
{
    static const uint8_t nop[PADDING] = {0x0f, 0x1f, 0x84}; /* nopl 0(%rax,%rax) of 8 bytes */

    return memcmp(at, nop, PADDING) == 0 || (is_filling(at, PADDING) && at[0] != 0);
}

static uint64_t up_to(uint64_t n, uint64_t to) { return (n + to - 1) & ~(to - 1); }

/* Nothing else of the kernel's lies in the rest of that page. */
static bool is_free(const struct elf *elf, uint64_t paddr, uint64_t n)
{
    for (unsigned i = 0; i < elf->n_segments; i++)
        if (elf->segments[i].paddr < paddr + n && paddr < elf->segments[i].paddr + elf->segments[i].memory_bytes)
            return false;
    return true;
}

struct room { /* offsets from the segment's beginning */
    uint64_t code, code_end, bits;
};

/* Behind the text in its last page, and behind the whole segment in its. */
static bool find_room(struct room *room, const struct elf *elf, const struct elf_segment *s, uint64_t site_vaddr)
{
    uint64_t text = end_of_text(elf, site_vaddr) - s->vaddr;

    if (text > s->file_bytes || s->vaddr % PAGE != 0 || s->paddr % PAGE != 0)
        return false;
    room->code = up_to(text, LINE);
    room->code_end = up_to(text, PAGE);
    room->bits = up_to(s->memory_bytes, LINE);
    return room->code_end <= s->file_bytes && room->code < room->code_end &&
           is_filling(elf->bytes + s->offset + text, room->code_end - text) && room->bits % PAGE != 0 &&
           room->bits + QUIET_BYTES <= up_to(s->memory_bytes, PAGE) && is_free(elf, s->paddr + room->bits, QUIET_BYTES);
}

static void plan_jump(struct quiet_site *site, const uint8_t *function)
{
    struct writer near = {.bytes = site->jump}, far = {.bytes = site->jump + PADDING};

    memcpy(site->jump, function, sizeof site->jump);
    EMIT(&near, 0xeb, PADDING - 2, 0x90);
    EMIT(&far, 0xe9);
    emit_distance(&far, site->site + PADDING, site->code);
}

static bool plan_site(struct quiet_site *site, const struct elf *elf, const struct elf_segment *s, uint64_t paddr,
                      struct room *room, bool by_port)
{
    const uint8_t *function = elf->bytes + s->offset + (paddr - s->paddr);
    size_t call;

    if (paddr % FUNCTION != 0 || paddr - s->paddr + FUNCTION > s->file_bytes || !is_padding(function + PADDING))
        return false;
    site->site = paddr;
    site->code = s->paddr + room->code;
    site->n = quiet_write(site->bytes,
                          &(struct quiet_code){.at = site->code,
                                               .bits = s->paddr + room->bits,
                                               .back = paddr + QUIET_CALL_BYTES,
                                               .call = by_port ? by_port_call : function,
                                               .takes_yield = !by_port},
                          &call);
    site->call_vaddr = s->vaddr + room->code + call;
    plan_jump(site, function);
    room->code += up_to(site->n, FUNCTION);
    return room->code <= room->code_end;
}

void quiet_plan(struct quiet_plan *plan, const struct elf *elf, const struct call_sites *sites, bool by_port)
{
    const struct elf_segment *s = NULL;
    struct room room;

    *plan = (struct quiet_plan){.n = 0};
    if (sites->n != 2 || elf->machine != EM_X86_64)
        return;
    for (unsigned i = 0; i < elf->n_segments; i++)
        if (sites->at[0].paddr >= elf->segments[i].paddr &&
            sites->at[0].paddr - elf->segments[i].paddr < elf->segments[i].file_bytes)
            s = &elf->segments[i];
    if (s == NULL || !find_room(&room, elf, s, sites->at[0].vaddr))
        return;
    for (unsigned i = 0; i < 2; i++)
        if (!plan_site(&plan->at[i], elf, s, sites->at[i].paddr, &room, by_port))
            return;
    plan->bits = s->paddr + room.bits;
    plan->n = 2;
}

bool quiet_plan_place(const struct quiet_plan *plan, const struct guest_memory *memory)
{
    if (plan->n == 0 || memory_at(memory, plan->bits, QUIET_BYTES) == NULL)
        return false;
    for (unsigned i = 0; i < plan->n; i++)
        if (!memory_write(memory, plan->at[i].code, plan->at[i].bytes, plan->at[i].n) ||
            !memory_write(memory, plan->at[i].site, plan->at[i].jump, sizeof plan->at[i].jump))
            return false; /* of one segment that is loaded: it is there, or nothing of it */
    return true;
}

/* The return that follows the call is its kernel's to change. */
bool quiet_plan_stands(const struct quiet_plan *plan, const struct guest_memory *memory)
{
    bool stands = plan->n > 0 && memory_at(memory, plan->bits, QUIET_BYTES) != NULL;

    for (unsigned i = 0; stands && i < plan->n; i++) {
        const struct quiet_site *site = &plan->at[i];
        const uint8_t *code = memory_at(memory, site->code, site->n);
        const uint8_t *jump = memory_at(memory, site->site, sizeof site->jump);

        stands = code != NULL && jump != NULL && memcmp(code, site->bytes, site->n) == 0 &&
                 memcmp(jump, site->jump, QUIET_CALL_BYTES) == 0 &&
                 memcmp(jump + PADDING, site->jump + PADDING, 5) == 0;
    }
    return stands;
}

/* ---- Which ports. ---- */

void quiet_init(struct quiet *q)
{
    *q = (struct quiet){.bits = NULL};
    pthread_mutex_init(&q->lock, NULL);
}

void quiet_finish(struct quiet *q) { pthread_mutex_destroy(&q->lock); }

/* [lock] Those of this byte of the map. With a full barrier. */
static void clear(struct quiet *q, size_t byte, uint8_t bits)
{
    /* Pairs with the guest's locked instruction: it sees the bit cleared, or we see what it had published before. */
    if ((q->set[byte] & bits) != 0)
        __atomic_fetch_and(&q->bits[byte], (uint8_t) ~(q->set[byte] & bits), __ATOMIC_SEQ_CST);
    q->set[byte] &= (uint8_t)~bits;
}

/* [lock] */
static void leave(struct quiet *q)
{
    for (size_t i = 0; q->bits != NULL && i < QUIET_BYTES; i++)
        clear(q, i, 0xff);
    q->bits = NULL;
    atomic_store(&q->mask, 0);
}

void quiet_forget(struct quiet *q)
{
    pthread_mutex_lock(&q->lock);
    q->bits = NULL;
    memset(q->set, 0, sizeof q->set);
    atomic_store(&q->mask, 0);
    pthread_mutex_unlock(&q->lock);
}

void quiet_nowhere(struct quiet *q)
{
    pthread_mutex_lock(&q->lock);
    leave(q);
    pthread_mutex_unlock(&q->lock);
}

void quiet_by_plan(struct quiet *q, const struct quiet_plan *plan, const struct guest_memory *memory)
{
    pthread_mutex_lock(&q->lock);
    leave(q);
    if (plan->n > 0) {
        q->bits = memory_at(memory, plan->bits, QUIET_BYTES);
        for (unsigned i = 0; i < plan->n; i++)
            atomic_store(&q->calls[i], plan->at[i].call_vaddr);
        atomic_store(&q->mask, UINT64_MAX);
    }
    pthread_mutex_unlock(&q->lock);
}

void quiet_in_page(struct quiet *q, const struct guest_memory *memory, uint64_t gpa, bool by_port)
{
    uint8_t unused[QUIET_CODE_MAX];
    size_t call;

    quiet_write(unused, &(struct quiet_code){.call = by_port_call, .takes_yield = !by_port}, &call);
    pthread_mutex_lock(&q->lock);
    leave(q);
    q->bits = memory_at(memory, gpa + PAGE_BITS, QUIET_BYTES);
    for (unsigned i = 0; i < 2; i++)
        atomic_store(&q->calls[i], PAGE_CODE + call);
    atomic_store(&q->mask, PAGE - 1); /* where the guest has it mapped it alone knows */
    pthread_mutex_unlock(&q->lock);
}

bool quiet_is_call(struct quiet *q, uint64_t rip)
{
    uint64_t mask = atomic_load(&q->mask);

    for (unsigned i = 0; i < 2 && mask != 0; i++)
        if (((rip - atomic_load(&q->calls[i])) & mask) <= QUIET_CALL_BYTES)
            return true;
    return false;
}

bool quiet_set(struct quiet *q, uint32_t port, bool on)
{
    uint8_t bit = (uint8_t)(1u << port % 8);
    bool there;

    pthread_mutex_lock(&q->lock);
    there = q->bits != NULL && port < QUIET_PORTS;
    if (there && on) {
        __atomic_fetch_or(&q->bits[port / 8], bit, __ATOMIC_SEQ_CST);
        q->set[port / 8] |= bit;
    } else if (there) {
        clear(q, port / 8, bit);
    }
    pthread_mutex_unlock(&q->lock);
    return there;
}
