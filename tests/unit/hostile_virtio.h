/* SPDX-License-Identifier: MIT */
/*
 * hostile_virtio.h: a virtio-console device that does what it likes, and a kernel's driver that has to live with it. For a test and
 * for a fuzz target, which give the bytes by which everything is decided.
 *
 * The device lies in registers, in used rings and in messages; it touches no memory that it was not lent, for nobody can do anything
 * about that. What must hold: each call of the driver ends within so many accesses, memory around it stays what it was (sanitizers),
 * numbers of consoles are unique, and their terminals begin and end in turn.
 */
#ifndef VCONS_TESTS_HOSTILE_VIRTIO_H
#define VCONS_TESTS_HOSTILE_VIRTIO_H
#include "../../guest/virtio_console.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/atomic.h>

enum {
    HOSTILE_PORTS = 6,
    HOSTILE_QUEUES = 64,   /* it says that it has */
    HOSTILE_CALLS = 20000, /* accesses and hypercalls that one call of the driver may make */
    HOSTILE_NUMBERS = 64,
};

struct hostile {
    const uint8_t *bytes; /* decisions; 0 once they have run out */
    size_t n, at;
    uint32_t calls, limit;
    struct {
        uint64_t desc, driver, device;
        uint32_t size, ready;
        uint16_t seen, used;
    } queues[HOSTILE_QUEUES];
    uint32_t selected, status, features_sel;
    bool deaf;   /* does nothing when it is notified */
    bool polite; /* answers of registers are those of a device, so that the driver starts */
    struct virtio_console driver;
    struct virtio_port ports[HOSTILE_PORTS];
    struct platform platform;
    struct vterms terms;
    uint64_t terms_memory[256];
    bool live[HOSTILE_NUMBERS], holds;
    struct virtio_port *ended[HOSTILE_PORTS];
    uint32_t n_ended;
};

#define HOSTILE_REQUIRE(condition)                                                                                     \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static inline uint32_t hostile_byte(struct hostile *h) { return h->at < h->n ? h->bytes[h->at++] : 0; }
static inline uint32_t hostile_below(struct hostile *h, uint32_t n) { return hostile_byte(h) % n; }
static inline uint32_t hostile_word(struct hostile *h)
{
    uint32_t word = hostile_byte(h);

    for (int i = 0; i < 3; i++)
        word = word << 8 | hostile_byte(h);
    return word;
}

static inline void hostile_count(struct hostile *h) { HOSTILE_REQUIRE(++h->calls < h->limit); }

/* ---- What it does to a queue. ---- */

static inline uint16_t *hostile_words(uint64_t gpa) { return (uint16_t *)(uintptr_t)gpa; }

/* A message, or something like one. */
static inline uint32_t hostile_message(struct hostile *h, uint8_t *to, uint32_t room)
{
    struct virtio_console_control m = {hostile_below(h, HOSTILE_PORTS + 2), (uint16_t)hostile_below(h, 10),
                                       (uint16_t)hostile_below(h, 3)};
    uint8_t bytes[sizeof m + 64];
    uint32_t n = sizeof m + hostile_below(h, 65);

    if (hostile_below(h, 16) == 0)
        m.id = hostile_word(h);
    memcpy(bytes, &m, sizeof m);
    for (uint32_t i = sizeof m; i < n; i++)
        bytes[i] = (uint8_t)hostile_byte(h);
    n = n < room ? n : room;
    memcpy(to, bytes, n);
    return hostile_below(h, 8) == 0 ? hostile_below(h, 256) : n; /* written, it says */
}

/* The next buffer that the driver shows there, used. */
static inline void hostile_use(struct hostile *h, uint32_t i)
{
    uint16_t *avail = hostile_words(h->queues[i].driver), *used = hostile_words(h->queues[i].device);
    uint32_t size = h->queues[i].size, len = 0;
    struct virtq_used_elem e;
    struct virtq_desc d;

    if (h->queues[i].seen == vc_load16_acquire(&avail[VIRTQ_AVAIL_IDX]) || h->queues[i].ready != 1)
        return;
    e.id = avail[VIRTQ_AVAIL_RING + h->queues[i].seen++ % size];
    HOSTILE_REQUIRE(e.id < size);
    memcpy(&d, (const uint8_t *)(uintptr_t)h->queues[i].desc + sizeof d * e.id, sizeof d);
    if ((d.flags & VIRTQ_DESC_F_WRITE) != 0 && i == VIRTIO_CONSOLE_CONTROL_RX)
        len = hostile_message(h, (uint8_t *)(uintptr_t)d.addr, d.len);
    else if ((d.flags & VIRTQ_DESC_F_WRITE) != 0)
        len = hostile_below(h, d.len + 2 > 255 ? 255 : d.len + 2);
    if (hostile_below(h, 64) == 0)
        e.id = hostile_word(h) >> hostile_below(h, 32);
    e.len = hostile_below(h, 64) == 0 ? hostile_word(h) : len;
    memcpy((uint8_t *)used + VIRTQ_USED_RING + sizeof e * (h->queues[i].used % size), &e, sizeof e);
    h->queues[i].used++;
    if (hostile_below(h, 128) == 0)
        h->queues[i].used = (uint16_t)hostile_word(h);
    vc_store16_seq(&used[VIRTQ_USED_IDX], h->queues[i].used);
    if (hostile_below(h, 32) == 0)
        used[2 + 4 * size] = (uint16_t)hostile_word(h); /* avail_event */
}

static inline void hostile_act(struct hostile *h)
{
    uint32_t i = hostile_below(h, 4) > 0 ? VIRTIO_CONSOLE_CONTROL_RX + hostile_below(h, 2)
                                         : hostile_below(h, VIRTIO_CONSOLE_QUEUES(HOSTILE_PORTS));

    for (uint32_t n = hostile_below(h, 4); n > 0; n--)
        if (h->queues[i].driver != 0 && h->queues[i].size > 0)
            hostile_use(h, i);
}

/* ---- Its registers. ---- */

static inline uint32_t hostile_polite(struct hostile *h, uint32_t offset)
{
    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE: return VIRTIO_MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION_VALUE: return VIRTIO_MMIO_VERSION;
    case VIRTIO_MMIO_DEVICE_ID: return VIRTIO_ID_CONSOLE;
    case VIRTIO_MMIO_STATUS: return h->status;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return h->features_sel == 1 ? 1u << (VIRTIO_F_VERSION_1 - 32)
                                    : 1u << VIRTIO_F_EVENT_IDX | 1u << VIRTIO_CONSOLE_F_SIZE |
                                          (hostile_below(h, 8) > 0 ? 1u << VIRTIO_CONSOLE_F_MULTIPORT : 0);
    case VIRTIO_MMIO_QUEUE_SIZE_MAX: return 1u << hostile_below(h, 12);
    case VIRTIO_MMIO_QUEUE_READY: return h->selected < HOSTILE_QUEUES ? h->queues[h->selected].ready : 0;
    case VIRTIO_MMIO_CONFIG + offsetof(struct virtio_console_config, max_nr_ports): return HOSTILE_PORTS + 1;
    default: return hostile_word(h);
    }
}

static inline uint32_t hostile_read(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    struct hostile *h = (struct hostile *)(uintptr_t)io->base;

    (void)width;
    hostile_count(h);
    return h->polite && hostile_below(h, 64) < 63 ? hostile_polite(h, offset) : hostile_word(h);
}

static inline void hostile_write(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    struct hostile *h = (struct hostile *)(uintptr_t)io->base;
    uint32_t i = h->selected < HOSTILE_QUEUES ? h->selected : 0;

    (void)width;
    hostile_count(h);
    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL: h->features_sel = value; break;
    case VIRTIO_MMIO_STATUS:
        h->status = value;
        if (value == 0)
            memset(h->queues, 0, sizeof h->queues);
        break;
    case VIRTIO_MMIO_QUEUE_SEL: h->selected = value; break;
    case VIRTIO_MMIO_QUEUE_SIZE: h->queues[i].size = value; break;
    case VIRTIO_MMIO_QUEUE_READY: h->queues[i].ready = value; break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW: h->queues[i].desc = value; break;
    case VIRTIO_MMIO_QUEUE_DESC_HIGH: h->queues[i].desc |= (uint64_t)value << 32; break;
    case VIRTIO_MMIO_QUEUE_DRIVER_LOW: h->queues[i].driver = value; break;
    case VIRTIO_MMIO_QUEUE_DRIVER_HIGH: h->queues[i].driver |= (uint64_t)value << 32; break;
    case VIRTIO_MMIO_QUEUE_DEVICE_LOW: h->queues[i].device = value; break;
    case VIRTIO_MMIO_QUEUE_DEVICE_HIGH: h->queues[i].device |= (uint64_t)value << 32; break;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        if (!h->deaf)
            hostile_act(h);
        break;
    default: break;
    }
}

/* ---- The kernel. ---- */

static inline int64_t hostile_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    (void)nr, (void)a0, (void)a1, (void)a2;
    hostile_count(ctx);
    return -XEN_ENOSYS;
}

static inline uint64_t hostile_gpa(void *ctx, const void *at)
{
    (void)ctx;
    return (uintptr_t)at;
}

static inline bool hostile_begin_term(void *ctx, uint32_t number)
{
    struct hostile *h = ctx;

    HOSTILE_REQUIRE(number > 0 && number < HOSTILE_NUMBERS && !h->live[number]);
    HOSTILE_REQUIRE(vterm_find(&h->terms, number) != NULL);
    if (hostile_below(h, 8) == 0)
        return false;
    h->live[number] = true;
    hvc_write(vterm_find(&h->terms, number), "hello", 5);
    return true;
}

static inline void hostile_let_go(struct hostile *h)
{
    while (h->n_ended > 0) {
        struct virtio_port *p = h->ended[--h->n_ended];

        h->live[p->number] = false;
        virtio_port_release(p);
    }
}

static inline void hostile_end_term(void *ctx, uint32_t number)
{
    struct hostile *h = ctx;

    HOSTILE_REQUIRE(number < HOSTILE_NUMBERS && h->live[number] && h->n_ended < HOSTILE_PORTS);
    h->ended[h->n_ended++] = virtio_port_of(vterm_find(&h->terms, number));
    if (hostile_below(h, 2) == 0)
        hostile_let_go(h);
}

static const struct vterm_env hostile_terms = {.begin = hostile_begin_term, .end = hostile_end_term};

static inline void hostile_boot(struct hostile *h)
{
    const struct virtio_io io = {(uintptr_t)h, hostile_read, hostile_write};
    const struct virtio_console_setup setup = {.platform = &h->platform,
                                               .terms = &h->terms,
                                               .ports = h->ports,
                                               .n_ports = HOSTILE_PORTS,
                                               .single = hostile_below(h, 16) == 0};

    h->calls = 0;
    h->polite = hostile_below(h, 16) > 0;
    if (virtio_console_begin(&h->driver, &io, &setup) == VC_OK)
        h->driver.patience_looks = 16;
}

static inline void hostile_check(const struct hostile *h)
{
    for (uint32_t i = 0; i < h->driver.setup.n_ports && h->driver.running; i++)
        for (uint32_t j = 0; j < i; j++)
            HOSTILE_REQUIRE(h->ports[i].number == 0 || h->ports[i].number != h->ports[j].number);
}

/* One thing that a kernel does. */
static inline void hostile_step(struct hostile *h)
{
    struct virtio_port *p = virtio_console_port(&h->driver, hostile_below(h, HOSTILE_PORTS));
    static const char text[3000];
    char got[300];

    h->calls = 0;
    switch (hostile_below(h, 8)) {
    case 0:
        if (p != NULL)
            hvc_write(&p->hvc, text, hostile_byte(h) * 8u);
        break;
    case 1:
        if (p != NULL)
            hvc_read(&p->hvc, got, hostile_byte(h));
        break;
    case 2:
        if (p != NULL)
            virtio_port_open(p, hostile_below(h, 2) == 0);
        break;
    case 3: hostile_let_go(h); break;
    case 4: virtio_console_interrupt(&h->driver); break;
    case 5:
        if (hostile_below(h, 32) > 0)
            break;
        if (virtio_console_end(&h->driver))
            hostile_boot(h);
        break;
    default: hostile_act(h); break;
    }
    virtio_console_work(&h->driver);
    hostile_check(h);
}

static inline void hostile_init(struct hostile *h, const uint8_t *bytes, size_t n)
{
    h->bytes = bytes;
    h->n = n;
    h->limit = HOSTILE_CALLS;
    h->platform = (struct platform){.ctx = h, .hypercall = hostile_hypercall, .gpa = hostile_gpa};
    HOSTILE_REQUIRE(vterms_bytes(HOSTILE_PORTS) <= sizeof h->terms_memory);
    HOSTILE_REQUIRE(vterms_init(&h->terms, &hostile_terms, h, HOSTILE_PORTS, h->terms_memory, false) == VC_OK);
}

static inline void hostile_run(const uint8_t *bytes, size_t n)
{
    struct hostile *h = calloc(1, sizeof *h);

    HOSTILE_REQUIRE(h != NULL);
    hostile_init(h, bytes, n);
    hostile_boot(h);
    while (h->at < h->n)
        hostile_step(h);
    h->calls = 0;
    h->limit = UINT32_MAX; /* a reset that never ends is waited for once */
    if (!virtio_console_end(&h->driver))
        hostile_let_go(h);
    HOSTILE_REQUIRE(virtio_console_end(&h->driver));
    for (uint32_t i = 1; i < HOSTILE_NUMBERS; i++)
        HOSTILE_REQUIRE(!h->live[i] && vterm_find(&h->terms, i) == NULL);
    free(h);
}

#endif
