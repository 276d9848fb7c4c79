/* SPDX-License-Identifier: MIT */
/*
 * A virtio-console with ports plugged, under any stream of register accesses, rings, messages, and doings of its host, with
 * lines that take what they like. The input's own operations come first, then 200 drawn from a generator that the input seeds.
 * Well-formed drivers are among the operations: set-up, chains of a few buffers, messages; so that what lies behind them is
 * reached, and then spoiled. What must hold after each: the interrupt line equal to InterruptStatus, one call takes no more than
 * its budget, nothing is told twice, no port's input or output where there is none, a queue that is broken stays so, and a
 * saved state goes on where it was, while one that is spoiled is refused or leads to a device of which the same holds.
 */
#include "../tests/unit/random.h"
#include "../tests/unit/virtio_memory.h"
#include "fuzz.h"
#include <vcons/save.h>
#include <vcons/virtio_console.h>

enum {
    DRAWN = 200,
    PORTS = 5,
    QUEUES = VIRTIO_CONSOLE_QUEUES(PORTS),
    SIZE = 8,
    QUEUE_BYTES = 0x400, /* descriptors, at 0x100 the available ring, at 0x200 the used one */
    DATA = RAM + 0x10000,
    SAVED_MAX = VC_SAVE_VIRTIO_CONSOLE_BYTES(PORTS),
};

struct world {
    struct input in;
    uint64_t random;
    struct guest_ram ram;
    struct vc_virtio_console *c; /* on the heap, each alone: the sanitizer guards its ends */
    void *memory;
    struct vc_announce announce;
    struct vc_announce_place places[PORTS];
    bool irq, timer, open[PORTS];
    uint32_t cost; /* of output, in this call */
};

/* n bytes of the input, or drawn once that has ended. */
static uint64_t next(struct world *w, size_t n)
{
    if (w->in.left > 0)
        return take(&w->in, n);
    return random_next(&w->random) >> (64 - 8 * n);
}

/* ---- What the device asks for. ---- */

static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    struct world *w = ctx;

    require(n > 0 && gpa + n > gpa);
    return ram_at(&w->ram, gpa, n, write);
}
static void irq(void *ctx, bool level)
{
    struct world *w = ctx;

    require(w->irq != level);
    w->irq = level;
}
static uint32_t out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;
    volatile uint8_t seen = bytes[0];
    uint32_t taken;

    seen = bytes[n - 1]; /* the sanitizer looks */
    (void)seen;
    require(n > 0 && port < PORTS && w->c->ports[port].plugged);
    taken = (next(w, 1) & 3) != 0 ? n : (uint32_t)next(w, 2) % (n + 1);
    w->cost += taken;
    return taken;
}
static void emergency(void *ctx, uint32_t port, uint8_t byte)
{
    (void)byte;
    require(((struct world *)ctx)->c->ports[port].console);
}
static void input_room(void *ctx, uint32_t port) { require(((struct world *)ctx)->open[port]); }
static void guest_open(void *ctx, uint32_t port, bool open)
{
    struct world *w = ctx;

    require(port < PORTS && w->open[port] != open && (!open || w->c->ports[port].plugged));
    w->open[port] = open;
}
static void broken(void *ctx, uint32_t port, enum vc_virtio_reason reason)
{
    struct world *w = ctx;

    require(reason == VC_VIRTIO_BROKEN_CONTROL ? port == VC_VIRTIO_NO_PORT : w->c->ports[port].plugged);
    require((w->c->mmio.status & VIRTIO_STATUS_NEEDS_RESET) != 0);
}
static void later(void *ctx) { (void)ctx; }
static const struct vc_virtio_console_env env = {{at, irq},  out,    emergency, input_room,
                                                 guest_open, broken, later,     later};

static unsigned long lock(void *l)
{
    (void)l;
    return 0;
}
static void unlock(void *l, unsigned long saved)
{
    (void)l;
    (void)saved;
}
static void turn(void *ctx, void *owner) { require(((struct world *)ctx)->c == owner); }
static void timer(void *ctx, uint64_t ns) { ((struct world *)ctx)->timer = ns != 0; }
static const struct vc_announce_env announce_env = {
    .lock = {.lock = lock, .unlock = unlock}, .turn = turn, .timer = timer};

/* ---- Its life. ---- */

static void new_device(struct world *w)
{
    struct vc_virtio_console_config config = {.ports = PORTS, .announce = &w->announce};

    w->c = realloc(w->c, sizeof *w->c);
    w->memory = realloc(w->memory, vc_virtio_console_bytes(PORTS));
    require(w->c != NULL && w->memory != NULL);
    require(vc_virtio_console_init(w->c, &config, &env, w, w->memory) == VC_OK);
    vc_announce_init(&w->announce, &announce_env, w, NULL, w->places, PORTS, 1000);
    w->irq = w->timer = false;
    memset(w->open, 0, sizeof w->open);
}

static void plug(struct world *w, uint32_t port, uint32_t how)
{
    struct vc_virtio_port_config config = {.name = (how & 1) != 0 ? "name" : NULL,
                                           .console = (how & 6) != 0,
                                           .host_open = (how & 8) != 0,
                                           .cols = (uint16_t)(how & 16),
                                           .rows = (uint16_t)(how & 32),
                                           .place = port};

    if (vc_virtio_console_add(w->c, port, &config) == VC_OK)
        require(port < PORTS);
}

static void unplug(struct world *w, uint32_t port)
{
    if (vc_virtio_console_remove(w->c, port) == VC_OK)
        w->open[port] = false; /* env is not told of what the host does itself */
}

static size_t save(const struct world *w, uint8_t *bytes)
{
    struct vc_writer writer;

    vc_writer_init(&writer, bytes, SAVED_MAX);
    vc_virtio_console_save(w->c, &writer);
    require(vc_writer_ok(&writer) && writer.n == SAVED_MAX);
    return writer.n;
}

static int restore(struct world *w, const uint8_t *bytes, size_t n)
{
    struct vc_virtio_port plugged[PORTS];
    struct vc_reader r;
    struct vc_section s;
    bool there;

    memcpy(plugged, w->c->ports, sizeof plugged);
    new_device(w);
    for (uint32_t i = 0; i < PORTS; i++)
        if (plugged[i].plugged)
            plug(w, i,
                 (plugged[i].n_name > 0 ? 1u : 0) | (plugged[i].console ? 2u : 0) | (plugged[i].host_open ? 8u : 0) |
                     (plugged[i].cols & 16u) | (plugged[i].rows & 32u));
    for (uint32_t i = 0; i < PORTS; i++)
        vc_virtio_console_resize(w->c, i, plugged[i].cols, plugged[i].rows);
    vc_reader_init(&r, bytes, n);
    require(vc_read_section(&r, &s, &there) == VC_OK && there);
    return vc_virtio_console_restore(w->c, &s);
}

static void go_on_from_saved(struct world *w)
{
    uint8_t bytes[SAVED_MAX], again[SAVED_MAX], spoiled[SAVED_MAX];
    size_t n = save(w, bytes);

    require(restore(w, bytes, n) == VC_OK);
    require(save(w, again) == n && memcmp(bytes, again, n) == 0);
    if (next(w, 1) % 2 == 0)
        return;
    memcpy(spoiled, bytes, n);
    spoiled[VC_SAVE_HEAD_BYTES + next(w, 2) % (n - VC_SAVE_HEAD_BYTES)] ^= (uint8_t)next(w, 1);
    if (restore(w, spoiled, n) == VC_OK)
        save(w, again);
    else
        require(restore(w, bytes, n) == VC_OK);
}

/* ---- The guest. ---- */

static void write_register(struct world *w, uint64_t offset, uint32_t value)
{
    require(vc_virtio_mmio_write(&w->c->mmio, offset, 4, value));
}

static uint64_t queue_at(uint32_t queue) { return RAM + (uint64_t)queue * QUEUE_BYTES; }

/* As a driver does it, with some of the features, and all queues empty. */
static void boot(struct world *w)
{
    uint32_t low = (uint32_t)next(w, 1);

    memset(w->ram.slots[0].at, 0, QUEUES * QUEUE_BYTES);
    write_register(w, VIRTIO_MMIO_STATUS, 0);
    write_register(w, VIRTIO_MMIO_STATUS, 3);
    write_register(w, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    write_register(w, VIRTIO_MMIO_DRIVER_FEATURES,
                   (low & 5) | ((low & 0x70) != 0 ? 2u : 0) | (low & 8 ? 0x30000000u : 0));
    write_register(w, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    write_register(w, VIRTIO_MMIO_DRIVER_FEATURES, 1);
    write_register(w, VIRTIO_MMIO_STATUS, 0xb);
    for (uint32_t i = 0; i < QUEUES; i++) {
        write_register(w, VIRTIO_MMIO_QUEUE_SEL, i);
        write_register(w, VIRTIO_MMIO_QUEUE_SIZE, SIZE);
        write_register(w, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)queue_at(i));
        write_register(w, VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint32_t)queue_at(i) + 0x100);
        write_register(w, VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint32_t)queue_at(i) + 0x200);
        write_register(w, VIRTIO_MMIO_QUEUE_READY, 1);
    }
    write_register(w, VIRTIO_MMIO_STATUS, 0xf);
}

/* One more chain in a queue: a descriptor or three, to buffers in memory, of the direction that is right or not. */
static void lend(struct world *w, uint32_t queue, uint32_t n, bool fair)
{
    uint32_t shape = fair ? 0 : (uint32_t)next(w, 1), buffers = 1 + shape % 3;
    uint64_t gpa = queue_at(queue);
    uint16_t idx = ram_get16(&w->ram, gpa + 0x102);
    uint16_t head = (uint16_t)(idx % SIZE);

    for (uint32_t i = 0; i < buffers; i++) {
        uint16_t flags = queue % 2 == 0 ? VIRTQ_DESC_F_WRITE : 0, slot = (uint16_t)((head + i) % SIZE);
        struct virtq_desc d = {DATA + 0x100 * (shape & 15), n, flags, (uint16_t)((slot + 1) % SIZE)};

        if (i + 1 < buffers)
            d.flags |= VIRTQ_DESC_F_NEXT;
        if (shape >= 240)
            d.flags = (uint16_t)next(w, 1);
        if (shape >= 248)
            d.addr = NEXT_SLOT - 8 * next(w, 1);
        ram_put(&w->ram, gpa + 16 * slot, &d, sizeof d);
    }
    ram_put16(&w->ram, gpa + 0x104 + 2 * head, shape == 255 ? (uint16_t)next(w, 2) : head);
    ram_put16(&w->ram, gpa + 0x102, (uint16_t)(idx + (shape == 254 ? next(w, 2) : 1)));
    write_register(w, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static void say(struct world *w)
{
    static const uint16_t events[4] = {VIRTIO_CONSOLE_DEVICE_READY, VIRTIO_CONSOLE_PORT_READY, VIRTIO_CONSOLE_PORT_OPEN,
                                       VIRTIO_CONSOLE_PORT_OPEN};
    uint32_t what = (uint32_t)next(w, 1);
    struct virtio_console_control m = {what / 8 % (PORTS + 1), events[what % 4], (what & 0xc0) != 0};

    if (what == 255)
        m = (struct virtio_console_control){(uint32_t)next(w, 4), (uint16_t)next(w, 1), (uint16_t)next(w, 1)};
    ram_put(&w->ram, DATA, &m, sizeof m);
    lend(w, VIRTIO_CONSOLE_CONTROL_TX, 8 - (what == 254), true);
}

static void any_access(struct world *w)
{
    uint32_t shape = (uint32_t)next(w, 1), width = shape < 230 ? 4 : shape % 9, value;
    uint64_t offset = shape < 200 ? next(w, 1) & 0xfc : next(w, 2) & 0x3ff;

    if (shape < 100) {
        bool taken = vc_virtio_mmio_read(&w->c->mmio, offset, width, &value);

        require(taken || value == 0);
        require(width >= 4 || value >> (8 * width) == 0);
    } else {
        value = (uint32_t)next(w, 1);
        vc_virtio_mmio_write(&w->c->mmio, offset, width, value == 200 ? (uint32_t)next(w, 4) : value);
    }
}

static void scribble(struct world *w)
{
    uint64_t gpa = RAM + next(w, 2) % (QUEUES * QUEUE_BYTES - 2);

    ram_put16(&w->ram, gpa & ~UINT64_C(1), (uint16_t)next(w, 2));
}

/* ---- The host. ---- */

static void host(struct world *w)
{
    static const uint8_t typed[64] = "what somebody types, and more of it than a buffer of a few bytes";
    uint32_t what = (uint32_t)next(w, 1), port = what / 16 % (PORTS + 1);

    switch (what % 16) {
    case 0: plug(w, port, (uint32_t)next(w, 1)); break;
    case 1: unplug(w, port); break;
    case 2: vc_virtio_console_resize(w->c, port, (uint16_t)next(w, 1), 25); break;
    case 3: vc_virtio_console_host(w->c, port, (next(w, 1) & 1) != 0); break;
    case 4: go_on_from_saved(w); break;
    case 5: vc_virtio_mmio_remapped(&w->c->mmio); break;
    case 6:
        if (w->timer)
            vc_announce_timer(&w->announce);
        break;
    case 7:
    case 8: vc_virtio_console_output_room(w->c, port); break;
    case 9:
    case 10: vc_virtio_console_serve(w->c); break;
    default: require(vc_virtio_console_input(w->c, port, typed, (uint32_t)next(w, 1) % 65) <= 64); break;
    }
}

/* Used, and not shown to the driver yet: only of one that sends on, less than half a queue, and somebody will come back for it. */
static void look_at_kept(const struct world *w, uint32_t queue)
{
    const struct vc_virtqueue *q = &w->c->mmio.queues[queue];
    uint32_t port = queue < 2 ? 0 : (queue - 2) / 2, kept = (uint16_t)(q->used - q->published);
    const struct vc_virtio_port *p = &w->c->ports[port];

    if (kept == 0)
        return;
    require(queue == VIRTIO_CONSOLE_TX(port) && p->plugged && !p->console && p->streams);
    require(q->event_idx && !q->broken && kept < (q->size + 1) / 2);
    require((w->c->lazy[port / 64] >> port % 64 & 1) != 0 || q->seen != q->last_avail);
}

static void look(struct world *w)
{
    const struct vc_virtio_mmio *m = &w->c->mmio;
    uint32_t status;

    require(vc_virtio_mmio_read(&w->c->mmio, VIRTIO_MMIO_INTERRUPT_STATUS, 4, &status));
    require(w->irq == (status != 0) && (status == 0 || vc_virtio_running(m)));
    require(w->cost <= VC_VIRTIO_BATCH_BYTES);
    for (uint32_t i = 0; i < QUEUES; i++) {
        const struct vc_virtqueue *q = &m->queues[i];

        require(q->used == q->last_avail);
        look_at_kept(w, i);
        require(!q->broken || (m->status & VIRTIO_STATUS_NEEDS_RESET) != 0);
        require((uint16_t)(q->seen - q->last_avail) <= q->size || q->broken);
    }
    for (uint32_t i = 0; i < PORTS; i++) {
        require(w->open[i] == (w->c->ports[i].open != 0));
        require(!w->c->ports[i].open || w->c->ports[i].plugged);
    }
}

static void operation(struct world *w)
{
    uint32_t what = (uint32_t)next(w, 1);

    w->cost = 0;
    if (what < 60)
        lend(w, (uint32_t)next(w, 1) % QUEUES, (uint32_t)next(w, 1), false);
    else if (what < 120)
        say(w);
    else if (what < 160)
        lend(w, VIRTIO_CONSOLE_CONTROL_RX, 72, true);
    else if (what < 220)
        host(w);
    else if (what < 240)
        any_access(w);
    else if (what < 246)
        scribble(w);
    else if (what < 254)
        boot(w);
    else
        write_register(w, VIRTIO_MMIO_STATUS, 0);
    look(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.in = {data, size}};

    w.random = 88172645463325252u ^ size << 32;
    for (size_t i = 0; i < size; i++)
        w.random = (w.random ^ data[i]) * 0x100000001b3u | 1;
    ram_init(&w.ram);
    new_device(&w);
    plug(&w, 0, 2 + 8);
    plug(&w, 2, 1 + 8 + 16);
    boot(&w);
    while (w.in.left > 0)
        operation(&w);
    for (uint32_t i = 0; i < DRAWN; i++)
        operation(&w);
    ram_finish(&w.ram);
    free(w.c);
    free(w.memory);
    return 0;
}
