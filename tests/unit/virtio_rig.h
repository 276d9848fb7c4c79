/* SPDX-License-Identifier: MIT */
/*
 * virtio_rig.h: a virtio-console device, and a driver of it made of guest/virtqueue.h and the registers: tables of what
 * guest, host and lines do, step by step, and what each of them must see.
 *
 * A row is a sentence and its steps. Every step checks; a failure names the row's sentence and the step's number.
 */
#ifndef VCONS_TESTS_VIRTIO_RIG_H
#define VCONS_TESTS_VIRTIO_RIG_H
#include <stdio.h>
#include <vcons/virtio_console.h>

#include "../../guest/virtqueue.h"
#include "virtio_memory.h"

enum {
    RIG_PORTS = 4,
    RIG_QUEUES = VIRTIO_CONSOLE_QUEUES(RIG_PORTS),
    RIG_SIZE = 16,         /* of each queue */
    RIG_BUFFERS = 0x10000, /* into RAM: queues before it */
    RIG_QUEUE_BYTES = 0x400,
};
#define RIG_F(bit) VIRTIO_FEATURE(bit)
#define RIG_ALL                                                                                                        \
    (RIG_F(VIRTIO_F_VERSION_1) | RIG_F(VIRTIO_CONSOLE_F_SIZE) | RIG_F(VIRTIO_CONSOLE_F_MULTIPORT) |                    \
     RIG_F(VIRTIO_CONSOLE_F_EMERG_WRITE) | RIG_F(VIRTIO_F_INDIRECT_DESC) | RIG_F(VIRTIO_F_EVENT_IDX))
#define RIG_PLAIN (RIG_F(VIRTIO_F_VERSION_1) | RIG_F(VIRTIO_CONSOLE_F_SIZE) | RIG_F(VIRTIO_CONSOLE_F_MULTIPORT))

struct rig_buffer {
    uint64_t gpa;
    uint32_t n;
};
struct virtio_rig {
    struct guest_ram ram;
    struct vc_virtio_console *c;
    void *memory;
    /* the line */
    uint32_t room;
    char out[RIG_PORTS][256];
    uint32_t n_out[RIG_PORTS];
    char events[512]; /* what env was told */
    bool irq;
    int wrong;
    /* the driver */
    uint64_t features;
    struct virtqueue queues[RIG_QUEUES];
    struct rig_buffer buffers[128];
    uint32_t n_buffers;
    uint64_t next;          /* free memory */
    uint32_t kicks, wanted; /* notifications made; chains shown */
};

/* ---- What the device asks of its hypervisor. ---- */

static inline void rig_note(struct virtio_rig *g, const char *what, uint32_t port, uint32_t value)
{
    size_t at = strlen(g->events);

    snprintf(g->events + at, sizeof g->events - at, "%s%s", at > 0 ? " " : "", what);
    at = strlen(g->events);
    if (port != UINT32_MAX)
        snprintf(g->events + at, sizeof g->events - at, "%u", port);
    at = strlen(g->events);
    if (value != UINT32_MAX)
        snprintf(g->events + at, sizeof g->events - at, ":%u", value);
}

static inline void *rig_at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    struct virtio_rig *g = ctx;

    g->wrong += n == 0 || gpa + n < gpa;
    return ram_at(&g->ram, gpa, n, write);
}
static inline void rig_irq(void *ctx, bool level)
{
    struct virtio_rig *g = ctx;

    g->wrong += level == g->irq;
    g->irq = level;
}
static inline uint32_t rig_out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    struct virtio_rig *g = ctx;
    uint32_t taken = n < g->room ? n : g->room;

    g->wrong += n == 0 || n > VC_VIRTIO_BATCH_BYTES;
    for (uint32_t i = 0; i < taken; i++)
        if (g->n_out[port] < sizeof g->out[port])
            g->out[port][g->n_out[port]++] = (char)bytes[i];
    g->room -= taken;
    return taken;
}
static inline void rig_emergency(void *ctx, uint32_t port, uint8_t byte) { rig_note(ctx, "emergency", port, byte); }
static inline void rig_input_room(void *ctx, uint32_t port) { rig_note(ctx, "room", port, UINT32_MAX); }
static inline void rig_guest_open(void *ctx, uint32_t port, bool open)
{
    rig_note(ctx, open ? "open" : "close", port, UINT32_MAX);
}
static inline void rig_broken(void *ctx, uint32_t port, enum vc_virtio_reason reason)
{
    rig_note(ctx, "broken", port, reason);
}
static inline void rig_later(void *ctx) { rig_note(ctx, "later", UINT32_MAX, UINT32_MAX); }
static inline void rig_in_a_while(void *ctx) { rig_note(ctx, "while", UINT32_MAX, UINT32_MAX); }
static const struct vc_virtio_console_env rig_env = {{rig_at, rig_irq}, rig_out,    rig_emergency, rig_input_room,
                                                     rig_guest_open,    rig_broken, rig_later,     rig_in_a_while};

static inline void rig_begin(struct virtio_rig *g, const struct vc_virtio_console_config *config)
{
    memset(g, 0, sizeof *g);
    ram_init(&g->ram);
    g->c = malloc(sizeof *g->c);
    g->memory = malloc(vc_virtio_console_bytes(config->ports));
    g->room = UINT32_MAX;
    g->next = RAM + RIG_BUFFERS;
    assert_int_equal(vc_virtio_console_init(g->c, config, &rig_env, g, g->memory), VC_OK);
}

static inline void rig_finish(struct virtio_rig *g)
{
    ram_finish(&g->ram);
    free(g->c);
    free(g->memory);
}

/* ---- The driver. ---- */

static inline uint32_t rig_read(struct virtio_rig *g, uint32_t offset)
{
    uint32_t value;

    assert_true(vc_virtio_mmio_read(&g->c->mmio, offset, 4, &value));
    return value;
}
static inline void rig_write(struct virtio_rig *g, uint32_t offset, uint32_t value)
{
    assert_true(vc_virtio_mmio_write(&g->c->mmio, offset, 4, value));
}

static inline void *rig_memory(struct virtio_rig *g, uint64_t gpa, uint32_t n)
{
    void *at = ram_at(&g->ram, gpa, n, true);

    assert_non_null(at);
    return at;
}

static inline void rig_set_queue(struct virtio_rig *g, uint32_t i)
{
    uint64_t gpa = RAM + RIG_QUEUE_BYTES * i;
    struct virtqueue *q = &g->queues[i];

    assert_true(virtqueue_bytes(RIG_SIZE) <= RIG_QUEUE_BYTES);
    assert_int_equal(virtqueue_init(q, RIG_SIZE, (g->features & RIG_F(VIRTIO_F_EVENT_IDX)) != 0,
                                    rig_memory(g, gpa, RIG_QUEUE_BYTES), gpa),
                     VC_OK);
    rig_write(g, VIRTIO_MMIO_QUEUE_SEL, i);
    if (rig_read(g, VIRTIO_MMIO_QUEUE_SIZE_MAX) == 0)
        return;
    rig_write(g, VIRTIO_MMIO_QUEUE_SIZE, RIG_SIZE);
    rig_write(g, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)q->desc);
    rig_write(g, VIRTIO_MMIO_QUEUE_DESC_HIGH, 0);
    rig_write(g, VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint32_t)q->driver);
    rig_write(g, VIRTIO_MMIO_QUEUE_DRIVER_HIGH, 0);
    rig_write(g, VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint32_t)q->device);
    rig_write(g, VIRTIO_MMIO_QUEUE_DEVICE_HIGH, 0);
    rig_write(g, VIRTIO_MMIO_QUEUE_READY, 1);
    assert_int_equal(rig_read(g, VIRTIO_MMIO_QUEUE_READY), 1);
}

static inline void rig_accept(struct virtio_rig *g, uint64_t features)
{
    g->features = features;
    rig_write(g, VIRTIO_MMIO_STATUS, 0);
    rig_write(g, VIRTIO_MMIO_STATUS, 1);
    rig_write(g, VIRTIO_MMIO_STATUS, 3);
    rig_write(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    rig_write(g, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
    rig_write(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    rig_write(g, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
    rig_write(g, VIRTIO_MMIO_STATUS, 0xb);
    assert_int_equal(rig_read(g, VIRTIO_MMIO_STATUS), 0xb);
}

/* As Linux does it: 3.1.1. */
static inline void rig_boot(struct virtio_rig *g, uint64_t features)
{
    rig_accept(g, features);
    g->next = RAM + RIG_BUFFERS;
    g->n_buffers = 0;
    for (uint32_t i = 0; i < RIG_QUEUES; i++)
        rig_set_queue(g, i);
    rig_write(g, VIRTIO_MMIO_STATUS, 0xf);
}

static inline void rig_show(struct virtio_rig *g, uint32_t queue)
{
    if (!virtqueue_show(&g->queues[queue]))
        return;
    g->kicks++;
    rig_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static inline struct rig_buffer *rig_buffer(struct virtio_rig *g, uint32_t n)
{
    struct rig_buffer *b = &g->buffers[g->n_buffers++ % (sizeof g->buffers / sizeof g->buffers[0])];

    if (g->next + n > RAM + RAM_BYTES)
        g->next = RAM + RIG_BUFFERS;
    *b = (struct rig_buffer){g->next, n};
    g->next += n;
    return b;
}

/* Lend a buffer of n bytes to be written, or with these bytes to be read; the device hears of it. */
static inline void rig_lend(struct virtio_rig *g, uint32_t queue, const void *bytes, uint32_t n)
{
    struct rig_buffer *b = rig_buffer(g, n);
    struct virtqueue_buffer v = {b->gpa, n};

    if (bytes != NULL)
        ram_put(&g->ram, b->gpa, bytes, n);
    assert_int_equal(virtqueue_lend(&g->queues[queue], &v, bytes != NULL, bytes == NULL, b), VC_OK);
    rig_show(g, queue);
}

/* What came back on a receive queue, into text of size bytes; a buffer that came back is not lent again. */
static inline uint32_t rig_get(struct virtio_rig *g, uint32_t queue, char *text, uint32_t size)
{
    uint32_t written, n = 0;
    void *token;

    while (virtqueue_get(&g->queues[queue], &token, &written) == VC_OK && token != NULL) {
        const struct rig_buffer *b = token;

        assert_true(n + written <= size);
        memcpy(text + n, rig_memory(g, b->gpa, b->n), written);
        n += written;
        virtqueue_listen(&g->queues[queue]);
    }
    return n;
}

/* One message as text, and its length. */
static inline uint32_t rig_tell(const char *bytes, uint32_t n, char *text, uint32_t size)
{
    static const char *const names[] = {"device-ready", "add",  "remove", "port-ready",
                                        "console",      "size", "open",   "name"};
    struct virtio_console_control m;
    struct virtio_console_resize s;
    int used = 0;

    assert_true(n >= sizeof m);
    memcpy(&m, bytes, sizeof m);
    assert_true(m.event < 8);
    if (m.event == VIRTIO_CONSOLE_RESIZE) {
        memcpy(&s, bytes + sizeof m, sizeof s);
        used = snprintf(text, size, "size%u:%ux%u ", m.id, s.cols, s.rows);
    } else if (m.event == VIRTIO_CONSOLE_PORT_NAME) {
        used = snprintf(text, size, "name%u:%.*s ", m.id, (int)(n - sizeof m), bytes + sizeof m);
    } else if (m.event == VIRTIO_CONSOLE_PORT_OPEN) {
        used = snprintf(text, size, "open%u:%u ", m.id, m.value);
    } else {
        used = snprintf(text, size, "%s%u ", names[m.event], m.id);
        assert_int_equal(m.value, 1); /* Linux takes a console only so */
    }
    return (uint32_t)used;
}

/* The messages that came, as words. */
static inline void rig_heard(struct virtio_rig *g, char *text, uint32_t size)
{
    uint32_t written, n = 0;
    void *token;

    text[0] = '\0';
    while (virtqueue_get(&g->queues[VIRTIO_CONSOLE_CONTROL_RX], &token, &written) == VC_OK && token != NULL) {
        const struct rig_buffer *b = token;

        if (written > 0)
            n += rig_tell(rig_memory(g, b->gpa, b->n), written, text + n, size - n);
        else
            n += (uint32_t)snprintf(text + n, size - n, "- ");
    }
    if (n > 0)
        text[n - 1] = '\0';
}

/* ---- Steps. ---- */

enum rig_op {
    END,
    PLUG_IN,
    PLUG_OUT,
    SIZED,
    HOSTED,
    BOOTED,
    RESETTED,
    SAYS,
    HEARS,
    GIVES,
    SENDS,
    TAKES,
    ROOMY,
    SEES,
    OFFERED,
    READS,
    TOLD,
    SERVED,
    LINE,
    EMERGENCY,
    SIZE_READ,
    STATUS_READ,
    ACKED,
    SPLIT,
    LENT,
};
struct rig_step {
    enum rig_op op;
    uint32_t a, b, c;
    const char *text;
};
/* clang-format off */
#define CONSOLE(p, name)  {PLUG_IN, p, 1, 0, name}        /* the host plugs a console; its place is its id */
#define PORT(p, name)     {PLUG_IN, p, 0, 0, name}        /* … another port */
#define UNPLUG(p)         {PLUG_OUT, p, 0, 0, NULL}
#define RESIZE(p, c, r)   {SIZED, p, c, r, NULL}
#define HOST(p, open)     {HOSTED, p, open, 0, NULL}
#define BOOT()            {BOOTED, 0, 0, 0, NULL}         /* the driver takes all that is offered, up to DRIVER_OK */
#define BOOT_PLAIN()      {BOOTED, 1, 0, 0, NULL}         /* … neither indirect descriptors nor the event index */
#define BOOT_SINGLE()     {BOOTED, 2, 0, 0, NULL}         /* … nor MULTIPORT */
#define RESET()           {RESETTED, 0, 0, 0, NULL}
#define BUFFERS(n, bytes) {GIVES, VIRTIO_CONSOLE_CONTROL_RX, n, bytes, NULL} /* for messages */
#define READY(v)          {SAYS, VIRTIO_CONSOLE_DEVICE_READY, 0xffffffff, v, NULL}
#define PORT_READY(p, v)  {SAYS, VIRTIO_CONSOLE_PORT_READY, p, v, NULL}
#define OPEN(p, v)        {SAYS, VIRTIO_CONSOLE_PORT_OPEN, p, v, NULL}
#define SAY(e, p, v)      {SAYS, e, p, v, NULL}
#define CUT(n)            {SENDS, VIRTIO_CONSOLE_CONTROL_TX, n, 0, NULL}     /* a message of n zero bytes */
#define HEARD(words)      {HEARS, 0, 0, 0, words}         /* messages that came since */
#define RX(p, n, bytes)   {GIVES, VIRTIO_CONSOLE_RX(p), n, bytes, NULL}      /* n buffers for input */
#define TX(p, text)       {SENDS, VIRTIO_CONSOLE_TX(p), 0, 0, text}          /* output */
#define SPLIT_TX(p, text) {SPLIT, VIRTIO_CONSOLE_TX(p), 0, 0, text}          /* … of a buffer for each byte */
#define LET(n)            {TAKES, n, 0, 0, NULL}          /* the lines take n bytes from now on; nobody is told */
#define ROOM(p, n)        {ROOMY, p, n, 0, NULL}          /* … and the device is told, of port p */
#define OUT(p, text)      {SEES, p, 0, 0, text}           /* what its line took since */
#define INPUT(p, text, n) {OFFERED, p, n, 0, text}        /* n of it are taken */
#define GOT(p, text)      {READS, p, 0, 0, text}          /* what the guest received since */
#define EVENTS(words)     {TOLD, 0, 0, 0, words}          /* what env was told since; not of later */
#define SERVE()           {SERVED, 0, 0, 0, NULL}
#define IRQ(v)            {LINE, v, 0, 0, NULL}
#define ACK()             {ACKED, 0, 0, 0, NULL}
#define EMERG(byte)       {EMERGENCY, byte, 0, 0, NULL}
#define CONFIG(c, r)      {SIZE_READ, c, r, 0, NULL}      /* the size that the configuration shows */
#define STATUS(v)         {STATUS_READ, v, 0, 0, NULL}
#define HELD(p, n)        {LENT, VIRTIO_CONSOLE_TX(p), n, 0, NULL} /* chains that the device has */
#define DO(...)           {__VA_ARGS__}
/* clang-format on */

#define RIG_STEPS 40
struct rig_row {
    const char *name;
    struct rig_step steps[RIG_STEPS];
};

/* Without the word "later", which says nothing of what happens. */
static inline void rig_events(struct virtio_rig *g, char *text, size_t size)
{
    char *save = NULL;

    text[0] = '\0';
    for (char *w = strtok_r(g->events, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        if (strcmp(w, "later") != 0)
            snprintf(text + strlen(text), size - strlen(text), "%s%s", text[0] != '\0' ? " " : "", w);
    g->events[0] = '\0';
}

static inline void rig_split(struct virtio_rig *g, uint32_t queue, const char *text)
{
    struct virtqueue_buffer v[RIG_SIZE];
    struct rig_buffer *b = rig_buffer(g, (uint32_t)strlen(text));

    ram_put(&g->ram, b->gpa, text, b->n);
    for (uint32_t i = 0; i < b->n; i++)
        v[i] = (struct virtqueue_buffer){b->gpa + i, 1};
    assert_int_equal(virtqueue_lend(&g->queues[queue], v, b->n, 0, b), VC_OK);
    rig_show(g, queue);
}

/* What the driver sent comes back; all of it does but what is held. */
static inline void rig_collect(struct virtio_rig *g)
{
    char nothing;

    for (uint32_t i = 1; i < RIG_QUEUES; i += 2)
        if (g->queues[i].size > 0)
            rig_get(g, i, &nothing, 0);
}

/* NULL, or what was seen instead. */
static inline const char *rig_step(struct virtio_rig *g, const struct rig_step *s, char *saw, uint32_t size)
{
    struct vc_virtio_port_config port = {.name = s->text, .console = s->b != 0, .host_open = true, .place = s->a};
    struct virtio_console_control m = {s->b, (uint16_t)s->a, (uint16_t)s->c};
    uint32_t n, length = s->text != NULL ? (uint32_t)strlen(s->text) : 0;
    static const uint64_t boots[] = {RIG_ALL, RIG_PLAIN, RIG_F(VIRTIO_F_VERSION_1) | RIG_F(VIRTIO_CONSOLE_F_SIZE)};

    saw[0] = '\0';
    switch (s->op) {
    case PLUG_IN: return vc_virtio_console_add(g->c, s->a, &port) == VC_OK ? NULL : "an error";
    case PLUG_OUT:
        if (vc_virtio_console_remove(g->c, s->a) != VC_OK)
            return "an error";
        break;
    case SIZED:
        return vc_virtio_console_resize(g->c, s->a, (uint16_t)s->b, (uint16_t)s->c) == VC_OK ? NULL : "an error";
    case HOSTED: return vc_virtio_console_host(g->c, s->a, s->b != 0) == VC_OK ? NULL : "an error";
    case BOOTED: rig_boot(g, boots[s->a]); return NULL;
    case RESETTED: rig_write(g, VIRTIO_MMIO_STATUS, 0); return rig_read(g, VIRTIO_MMIO_STATUS) == 0 ? NULL : "a status";
    case SAYS: rig_lend(g, VIRTIO_CONSOLE_CONTROL_TX, &m, sizeof m); break;
    case HEARS: rig_heard(g, saw, size); return strcmp(saw, s->text) == 0 ? NULL : saw;
    case GIVES:
        for (n = 0; n < s->b; n++)
            rig_lend(g, s->a, NULL, s->c);
        return NULL;
    case SENDS: rig_lend(g, s->a, s->text != NULL ? s->text : "\0\0\0\0\0\0\0", s->text != NULL ? length : s->b); break;
    case SPLIT: rig_split(g, s->a, s->text); break;
    case TAKES: g->room = s->a; return NULL;
    case ROOMY:
        g->room = s->b;
        vc_virtio_console_output_room(g->c, s->a);
        break;
    case SEES:
        snprintf(saw, size, "%.*s", (int)g->n_out[s->a], g->out[s->a]);
        g->n_out[s->a] = 0;
        return strcmp(saw, s->text) == 0 ? NULL : saw;
    case OFFERED:
        n = vc_virtio_console_input(g->c, s->a, (const uint8_t *)s->text, length);
        snprintf(saw, size, "%u", n);
        return n == s->b ? NULL : saw;
    case READS:
        n = rig_get(g, VIRTIO_CONSOLE_RX(s->a), saw, size - 1);
        saw[n] = '\0';
        return strcmp(saw, s->text) == 0 ? NULL : saw;
    case TOLD: rig_events(g, saw, size); return strcmp(saw, s->text) == 0 ? NULL : saw;
    case SERVED: vc_virtio_console_serve(g->c); return NULL;
    case LINE: return g->irq == (s->a != 0) ? NULL : "the other level";
    case ACKED: rig_write(g, VIRTIO_MMIO_INTERRUPT_ACK, rig_read(g, VIRTIO_MMIO_INTERRUPT_STATUS)); return NULL;
    case EMERGENCY: rig_write(g, VIRTIO_MMIO_CONFIG + 8, s->a); return NULL;
    case SIZE_READ:
        n = rig_read(g, VIRTIO_MMIO_CONFIG);
        snprintf(saw, size, "%ux%u", n & 0xffff, n >> 16);
        return n == (s->a | s->b << 16) ? NULL : saw;
    case STATUS_READ:
        snprintf(saw, size, "%x", rig_read(g, VIRTIO_MMIO_STATUS));
        return rig_read(g, VIRTIO_MMIO_STATUS) == s->a ? NULL : saw;
    case LENT:
        n = g->queues[s->a].size - g->queues[s->a].free_count;
        snprintf(saw, size, "%u", n);
        return n == s->b ? NULL : saw;
    default: return "no such step";
    }
    rig_collect(g);
    return NULL;
}

/* between: NULL, or what is done between two steps. */
static inline void rig_run(const struct rig_row *row, const struct vc_virtio_console_config *config,
                           void (*between)(struct virtio_rig *g))
{
    static struct virtio_rig g;
    char saw[512];

    rig_begin(&g, config);
    for (int i = 0; i < RIG_STEPS && row->steps[i].op != END; i++) {
        const char *instead = rig_step(&g, &row->steps[i], saw, sizeof saw);

        if (between != NULL)
            between(&g);
        if (instead != NULL)
            fail_msg("%s: step %d saw \"%s\"", row->name, i, instead);
        if (g.wrong != 0)
            fail_msg("%s: step %d: env was asked what it may not be, or told what it knew", row->name, i);
        for (uint32_t q = 0; q < RIG_QUEUES; q++)
            if (g.queues[q].broken)
                fail_msg("%s: step %d: the driver finds queue %u broken", row->name, i, q);
    }
    rig_finish(&g);
}

#endif
