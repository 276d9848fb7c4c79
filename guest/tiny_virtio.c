/* SPDX-License-Identifier: MIT */
#include "tiny.h"

#define GAP_NS         UINT64_C(700000000) /* long for a message; short beside VC_ANNOUNCE_LIMIT_NS */
#define GAP_LOOKS      20000u              /* where there is no clock */
#define AWAIT_NS       UINT64_C(5000000000)
#define AWAIT_LOOKS    200000u
#define AWAIT_LIMIT_NS UINT64_C(60000000000)
#define ROUNDS_MAX     64u /* in one look: a device that goes on and on is left for the next */
#define READ_BYTES     256u

/* ---- Terminals. ---- */

static bool begin_terminal(void *ctx, uint32_t number)
{
    struct tiny *t = ctx;
    struct hvc *hvc = vterm_find(&t->virtio.terms, number);

    return hvc != NULL && tiny_console_begin(t, hvc);
}

static void end_terminal(void *ctx, uint32_t number)
{
    struct tiny *t = ctx;
    struct hvc *hvc = vterm_find(&t->virtio.terms, number);

    if (hvc != NULL)
        tiny_console_end(t, hvc);
}

static bool work(struct tiny_virtio *v)
{
    bool any = false;

    for (uint32_t i = 0; i < v->n_devices; i++)
        any = virtio_console_work(&v->devices[i]) || any;
    return any;
}

/* The gap of the old counter: until another device's console has come into it, too. */
static void yield(void *ctx)
{
    struct tiny *t = ctx;
    struct tiny_virtio *v = &t->virtio;
    const struct platform *p = &t->cpus[0].platform;
    uint64_t began = hypercall_time(p);
    uint32_t n = ++v->n_gaps;

    for (uint32_t looks = 0; looks < GAP_LOOKS && v->n_gaps == n; looks++) {
        work(v);
        hypercall_yield(p);
        if (began != 0 && hypercall_time(p) - began > GAP_NS)
            break;
        looks -= began != 0;
    }
}

static const struct vterm_env terms_env = {.begin = begin_terminal, .end = end_terminal, .yield = yield};

void tiny_virtio_release(struct hvc *hvc) { virtio_port_release(virtio_port_of(hvc)); }

const struct virtio_port *tiny_virtio_of(const struct tiny *t, const struct hvc *hvc)
{
    for (uint32_t i = 0; i < TINY_VIRTIO_PORTS; i++)
        if (hvc == &t->virtio.ports[i].hvc)
            return &t->virtio.ports[i];
    return NULL;
}

/* ---- Devices. ---- */

static bool is_console(const struct tiny_machine *m, uint32_t place)
{
    return virtio_mmio_id(&m->virtio[place].io) == VIRTIO_ID_CONSOLE;
}

static uint32_t count_consoles(const struct tiny_machine *m)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->n_virtio && n < TINY_VIRTIO_DEVICES; i++)
        n += is_console(m, i);
    return n;
}

/* The device's events come by this port; 0: it has none. */
static uint32_t bind_events(struct tiny *t)
{
    struct events_cpu *cpu = &t->cpus[0].events;
    uint32_t port;

    if (!t->has_events || t->machine->virtio_virq == 0 || events_bind_virq(cpu, t->machine->virtio_virq, 0, &port) != 0)
        return 0;
    events_unmask(cpu, port);
    return port;
}

static void begin(struct tiny *t, uint32_t place, uint32_t share, uint32_t event_port)
{
    struct tiny_virtio *v = &t->virtio;
    const struct tiny_machine *m = t->machine;
    struct virtio_console *c = &v->devices[v->n_devices];
    const struct virtio_console_setup setup = {.platform = &t->cpus[0].platform,
                                               .terms = &v->terms,
                                               .number = v->n_devices,
                                               .ports = &v->ports[v->n_devices * share],
                                               .n_ports = share,
                                               .single = v->single};

    if (virtio_console_begin(c, &m->virtio[place].io, &setup) != VC_OK)
        return;
    v->n_devices++;
    c->event_port = event_port;
    if (event_port == 0 && !t->polled && m->virtio_interrupts != NULL)
        c->interrupts = m->virtio_interrupts(c, m->virtio[place].irq);
}

void tiny_virtio_begin(struct tiny *t)
{
    struct tiny_virtio *v = &t->virtio;
    uint32_t n = count_consoles(t->machine), event_port;

    if (n == 0 || vterms_init(&v->terms, &terms_env, t, TINY_VIRTIO_PORTS, v->terms_memory, v->old) != VC_OK)
        return;
    event_port = bind_events(t);
    for (uint32_t i = 0; i < t->machine->n_virtio && v->n_devices < n; i++)
        if (is_console(t->machine, i))
            begin(t, i, TINY_VIRTIO_PORTS / n, event_port);
    for (uint32_t i = 0; i < ROUNDS_MAX && tiny_virtio_look(t);)
        i++; /* what is told at once is there before the first word */
}

void tiny_virtio_await(struct tiny *t)
{
    const struct platform *p = &t->cpus[0].platform;
    uint64_t began = hypercall_time(p);

    for (uint32_t looks = 0; looks < AWAIT_LOOKS && t->virtio.n_devices > 0 && t->n_consoles == 0; looks++) {
        if (tiny_virtio_look(t))
            continue;
        hypercall_yield(p);
        if (began != 0 && hypercall_time(p) - began > AWAIT_NS)
            break;
        looks -= began != 0;
    }
}

/* Where no handler does it. Each is asked until it has nothing: its event comes for a rise alone (wire/callpage.h). */
static bool ask(struct virtio_console *c)
{
    bool any = false;

    for (uint32_t i = 0; i < ROUNDS_MAX && !c->interrupts && virtio_console_interrupt(c); i++)
        any = true;
    return any;
}

bool tiny_virtio_look(struct tiny *t)
{
    struct tiny_virtio *v = &t->virtio;
    bool any = false;

    for (uint32_t i = 0; i < v->n_devices; i++)
        any = ask(&v->devices[i]) || any;
    for (uint32_t i = 0; i < ROUNDS_MAX && work(v); i++)
        any = true;
    return any;
}

size_t tiny_virtio_waiters(struct tiny *t, struct hvc **hvcs)
{
    for (uint32_t i = 0; i < t->virtio.n_devices; i++)
        hvcs[i] = &t->virtio.devices[i].control;
    return t->virtio.n_devices;
}

/* ---- Words. ---- */

static void print_count(struct print *p, const char *what, uint64_t n)
{
    print_text(p, what);
    print_number(p, n);
}

/* As Linux has it in /sys/kernel/debug/virtio-ports, on one line. */
static void print_port(struct tiny_console *c, const struct virtio_port *port)
{
    struct print *p = &c->out;

    print_text(p, port->hvc.name);
    print_text(p, ": name ");
    print_text(p, port->name[0] != '\0' ? port->name : "-");
    print_count(p, ", guest_connected ", port->guest_open);
    print_count(p, ", host_connected ", port->host_open);
    print_count(p, ", bytes_sent ", port->sent);
    print_count(p, ", bytes_received ", port->received);
    print_count(p, ", bytes_discarded ", port->discarded);
    print_text(p, port->console ? ", is_console yes" : ", is_console no");
    print_count(p, ", console_vtermno ", port->number);
    if (port->number != 0)
        print_count(p, ", hvc", vterm_index(&c->tiny->virtio.terms, port->number));
    print_count(p, ", size ", port->cols);
    print_count(p, "x", port->rows);
    print_count(p, ", dropped ", port->hvc.dropped);
    print_line(p, "");
}

static void print_device(struct tiny_console *c, const struct virtio_console *d)
{
    struct print *p = &c->out;
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->setup.n_ports; i++)
        n += d->setup.ports[i].added;
    print_count(p, "virtio", d->setup.number);
    print_text(p, d->event_port != 0 ? " by event" : d->interrupts ? " by interrupt" : " polled");
    print_count(p, d->multiport ? ", ports " : ", the only port ", n);
    print_count(p, " of ", d->max_ports);
    print_count(p, ", refused ", d->refused);
    print_count(p, ", interrupts ", d->n_interrupts);
    print_count(p, ", violations ", d->violations);
    print_line(p, "");
    for (uint32_t i = 0; i < d->setup.n_ports; i++)
        if (d->setup.ports[i].added)
            print_port(c, &d->setup.ports[i]);
}

void tiny_virtio_print(struct tiny_console *c)
{
    for (uint32_t i = 0; i < c->tiny->virtio.n_devices; i++)
        print_device(c, &c->tiny->virtio.devices[i]);
}

static uint32_t count_numbers(const struct tiny_virtio *v)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < TINY_VIRTIO_PORTS; i++)
        n += v->ports[i].number != 0;
    return n;
}

bool tiny_run_await(struct tiny_console *c, char *rest)
{
    const struct platform *p = &c->tiny->cpus[0].platform;
    uint64_t began = hypercall_time(p), n;

    if (!tiny_number(&rest, TINY_MISSING, TINY_VIRTIO_PORTS, &n))
        return false;
    while (count_numbers(&c->tiny->virtio) < n && !tiny_interrupted(c)) {
        hypercall_yield(p);
        if (began != 0 && hypercall_time(p) - began > AWAIT_LIMIT_NS)
            break;
    }
    print_count(&c->out, "await ", count_numbers(&c->tiny->virtio));
    print_line(&c->out, "");
    return true;
}

static struct virtio_port *find(struct tiny_virtio *v, const char *name)
{
    for (uint32_t i = 0; i < TINY_VIRTIO_PORTS; i++) {
        struct virtio_port *p = &v->ports[i];

        if (p->added && !p->console && (tiny_equal(name, p->name) || tiny_equal(name, p->hvc.name)))
            return p;
    }
    return NULL;
}

static void print_input(struct tiny_console *c, struct virtio_port *p)
{
    uint8_t bytes[READ_BYTES];
    size_t n;

    while ((n = hvc_read(&p->hvc, bytes, sizeof bytes)) > 0 && !tiny_interrupted(c))
        print_bytes(&c->out, bytes, n);
    print_line(&c->out, "");
}

static size_t length(const char *text)
{
    size_t n = 0;

    while (text[n] != '\0')
        n++;
    return n;
}

bool tiny_run_port(struct tiny_console *c, char *rest)
{
    const char *name = tiny_word(&rest), *what = tiny_word(&rest);
    struct virtio_port *p = name != NULL ? find(&c->tiny->virtio, name) : NULL;

    if (what == NULL)
        return false;
    if (p == NULL) {
        print_line(&c->out, "no such port");
        return true;
    }
    if (tiny_equal(what, "open") || tiny_equal(what, "close"))
        virtio_port_open(p, tiny_equal(what, "open"));
    else if (tiny_equal(what, "send"))
        hvc_write(&p->hvc, rest, length(rest));
    else if (tiny_equal(what, "read"))
        print_input(c, p);
    else
        return false;
    return true;
}
