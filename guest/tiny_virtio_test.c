/* SPDX-License-Identifier: MIT */
/*
 * What `virtio-test` checks: registers, queues and ports of each device, as VIRTIO 1.2 has them and the driver relies on. The same
 * rows hold on devices that we did not write.
 */
#include "tiny_virtio_test.h"

#define SOON_NS     UINT64_C(60000000000) /* a hang guard: of a laboratory on a busy host, too */
#define SOON_LOOKS  2000000u
#define NAMES_BYTES VIRTIO_PORT_NAME_BYTES

uint32_t virtio_test_get(const struct virtio_test *test, enum virtio_mmio_register at)
{
    const struct virtio_io *io = &test->c->mmio.io;

    return io->read(io, at, 4);
}

void virtio_test_set(const struct virtio_test *test, enum virtio_mmio_register at, uint32_t value)
{
    const struct virtio_io *io = &test->c->mmio.io;

    io->write(io, at, 4, value);
}

bool virtio_test_soon(const struct virtio_test *test, bool (*holds)(const struct virtio_test *test))
{
    const struct platform *p = &test->t->cpus[0].platform;
    uint64_t began = hypercall_time(p);

    for (uint32_t looks = 0; looks < SOON_LOOKS; looks++) {
        if (holds(test))
            return true;
        if (!tiny_virtio_look(test->t))
            hypercall_yield(p);
        if (looks % 256 == 0 && began != 0 && hypercall_time(p) - began > SOON_NS)
            break;
    }
    return holds(test);
}

/* ---- Registers of a device that runs. ---- */

static bool is_a_console(const struct virtio_test *test)
{
    return virtio_test_get(test, VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC &&
           virtio_test_get(test, VIRTIO_MMIO_VERSION_VALUE) == VIRTIO_MMIO_VERSION &&
           virtio_test_get(test, VIRTIO_MMIO_DEVICE_ID) == VIRTIO_ID_CONSOLE;
}

static bool offers_version_1(const struct virtio_test *test)
{
    virtio_test_set(test, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    return (virtio_test_get(test, VIRTIO_MMIO_DEVICE_FEATURES) & 1u << (VIRTIO_F_VERSION_1 - 32)) != 0;
}

static bool runs(const struct virtio_test *test)
{
    return virtio_test_get(test, VIRTIO_MMIO_STATUS) ==
           (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

static uint32_t n_queues(const struct virtio_test *test)
{
    return test->c->multiport ? VIRTIO_CONSOLE_QUEUES(test->c->max_ports) : 2;
}

static bool ready_and_others_not(const struct virtio_test *test)
{
    bool all = true;

    for (uint32_t i = 0; i < n_queues(test); i++) {
        uint32_t port = i < 2 ? 0 : (i - 2) / 2;
        bool control = i == VIRTIO_CONSOLE_CONTROL_RX || i == VIRTIO_CONSOLE_CONTROL_TX;

        virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, i);
        all = all && virtio_test_get(test, VIRTIO_MMIO_QUEUE_READY) == (control || port < test->c->setup.n_ports);
    }
    return all;
}

static bool no_queue_past_the_last(const struct virtio_test *test)
{
    if (!test->c->multiport)
        return true; /* the spec says nothing of queues that only MULTIPORT would use */
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_CONSOLE_QUEUES(test->c->max_ports));
    return virtio_test_get(test, VIRTIO_MMIO_QUEUE_SIZE_MAX) == 0 &&
           virtio_test_get(test, VIRTIO_MMIO_QUEUE_READY) == 0;
}

static bool ports_by_any_width(const struct virtio_test *test)
{
    const struct virtio_mmio *m = &test->c->mmio;
    uint32_t at = offsetof(struct virtio_console_config, max_nr_ports), n = 0;

    for (uint32_t i = 0; i < 4; i++)
        n |= virtio_mmio_config(m, at + i, 1) << 8 * i;
    return !test->c->multiport || (n == test->c->max_ports && virtio_mmio_config(m, at, 4) == n &&
                                   virtio_mmio_config(m, at, 2) == (n & 0xffff));
}

static bool generation_stays(const struct virtio_test *test)
{
    return virtio_mmio_generation(&test->c->mmio) == virtio_mmio_generation(&test->c->mmio);
}

/* Notified of what is not there, and of nothing, it goes on. */
static bool idle_notifications_do_nothing(const struct virtio_test *test)
{
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_NOTIFY, n_queues(test) + 1);
    virtio_test_set(test, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_CONSOLE_TX0);
    return runs(test);
}

/* ---- Ports. ---- */

static bool all_came_back(const struct virtio_test *test)
{
    for (uint32_t i = 0; i < test->c->setup.n_ports; i++) {
        const struct virtio_port *p = &test->c->setup.ports[i];

        if (p->added && p->out.free_count < p->out.size)
            return false;
    }
    return true;
}

/* A line at each console of it, which its host sees. */
static bool what_was_sent_comes_back(const struct virtio_test *test)
{
    static const char line[] = "virtio-test: a line\r\n";

    for (uint32_t i = 0; i < test->c->setup.n_ports; i++) {
        struct hvc *hvc = &test->c->setup.ports[i].hvc;

        if (test->c->setup.ports[i].console)
            hvc_write(hvc, line, sizeof line - 1);
        hvc->driver->put(hvc, line, 0); /* takes back what the device is done with */
    }
    for (uint32_t looks = 0; looks < SOON_LOOKS && !all_came_back(test); looks++) {
        hypercall_yield(&test->t->cpus[0].platform);
        for (uint32_t i = 0; i < test->c->setup.n_ports; i++) {
            struct hvc *hvc = &test->c->setup.ports[i].hvc;

            if (test->c->setup.ports[i].added)
                hvc->driver->put(hvc, line, 0);
        }
    }
    return all_came_back(test);
}

static bool consoles_are_numbered(const struct virtio_test *test)
{
    for (uint32_t i = 0; i < test->c->setup.n_ports; i++) {
        const struct virtio_port *p = &test->c->setup.ports[i];

        if (p->console && (p->number == 0 || !p->guest_open || !p->added))
            return false;
    }
    return true;
}

static bool no_number_twice(const struct virtio_test *test)
{
    const struct virtio_port *ports = test->t->virtio.ports;

    for (uint32_t i = 0; i < TINY_VIRTIO_PORTS; i++)
        for (uint32_t j = i + 1; j < TINY_VIRTIO_PORTS; j++)
            if (ports[i].number != 0 && ports[i].number == ports[j].number)
                return false;
    return true;
}

static bool kept_to_the_spec(const struct virtio_test *test)
{
    return test->c->violations == 0 && !virtio_mmio_needs_reset(&test->c->mmio);
}

/* ---- Started anew. ---- */

static uint32_t count(const struct virtio_console *c, uint64_t *names)
{
    uint32_t n = 0;

    *names = 0;
    for (uint32_t i = 0; i < c->setup.n_ports; i++) {
        const struct virtio_port *p = &c->setup.ports[i];

        n += p->added && (!p->console || p->number != 0);
        if (p->added)
            *names += tiny_crc32(i, (const uint8_t *)p->name, NAMES_BYTES);
    }
    return n;
}

static struct {
    uint32_t n;
    uint64_t names;
} before; /* as they were */

static bool all_are_back(const struct virtio_test *test)
{
    uint64_t names;

    return count(test->c, &names) == before.n && names == before.names;
}

bool virtio_test_leave(const struct virtio_test *test)
{
    before.n = count(test->c, &before.names);
    if (!virtio_console_end(test->c) || virtio_test_get(test, VIRTIO_MMIO_STATUS) != 0 ||
        virtio_test_get(test, VIRTIO_MMIO_INTERRUPT_STATUS) != 0)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        virtio_test_set(test, VIRTIO_MMIO_QUEUE_SEL, i);
        if (virtio_test_get(test, VIRTIO_MMIO_QUEUE_READY) != 0)
            return false;
    }
    return true;
}

bool virtio_test_return(const struct virtio_test *test)
{
    struct virtio_console_setup setup = test->c->setup;
    struct virtio_io io = test->c->mmio.io;
    bool interrupts = test->c->interrupts, wakes = test->c->wakes;
    uint32_t event_port = test->c->event_port;

    if (virtio_console_begin(test->c, &io, &setup) != VC_OK)
        return false;
    test->c->interrupts = interrupts;
    test->c->wakes = wakes;
    test->c->event_port = event_port;
    return virtio_test_soon(test, all_are_back);
}

static const struct virtio_check checks[] = {
    {"magic, version and kind are those of a console", is_a_console, false},
    {"VERSION_1 is offered", offers_version_1, false},
    {"status is what was written", runs, false},
    {"queues are ready that were made so", ready_and_others_not, false},
    {"there is no queue past the last", no_queue_past_the_last, false},
    {"the configuration is read by any width", ports_by_any_width, false},
    {"the generation stays when nothing changes", generation_stays, false},
    {"a notification for nothing does nothing", idle_notifications_do_nothing, false},
    {"what was sent comes back", what_was_sent_comes_back, false},
    {"a console is open and has a number", consoles_are_numbered, false},
    {"a reset clears it", virtio_test_leave, true},
    {"its ports come again, with their names", virtio_test_return, true},
    {"no two consoles have one number", no_number_twice, false},
    {"it has kept to the spec", kept_to_the_spec, false},
};

static void run(struct tiny_console *c, const struct virtio_check *check, const struct virtio_test *test, uint32_t n[2])
{
    bool holds;

    if (check->anew && test->own)
        return;
    print_flush(&c->out);
    holds = check->holds(test);
    n[holds]++;
    print_text(&c->out, holds ? "ok virtio" : "FAILED virtio");
    print_number(&c->out, test->c->setup.number);
    print_text(&c->out, ": ");
    print_line(&c->out, check->what);
}

void virtio_run_checks(struct tiny_console *c, const char *name, const struct virtio_check *rows, size_t n_rows)
{
    const struct virtio_port *own = tiny_virtio_of(c->tiny, c->hvc);
    uint32_t n[2] = {0, 0}; /* failed, ok */

    for (uint32_t i = 0; i < c->tiny->virtio.n_devices; i++) {
        struct virtio_console *device = &c->tiny->virtio.devices[i];
        const struct virtio_test test = {c->tiny, device, own != NULL && own->device == device};

        for (size_t j = 0; j < n_rows; j++)
            run(c, &rows[j], &test, n);
    }
    print_text(&c->out, name);
    print_text(&c->out, ": ");
    print_number(&c->out, n[1]);
    print_text(&c->out, " ok, ");
    print_number(&c->out, n[0]);
    print_line(&c->out, " failed");
}

bool tiny_run_virtio_test(struct tiny_console *c, char *rest)
{
    (void)rest;
    virtio_run_checks(c, "virtio-test", checks, sizeof checks / sizeof checks[0]);
    return true;
}
