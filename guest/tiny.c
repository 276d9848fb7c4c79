/* SPDX-License-Identifier: MIT */
#include "tiny.h"
#include <string.h>

enum { CTRL_C = 'C' - 0x40, CTRL_U = 'U' - 0x40, DELETE = 0x7f };

/* NULL: it is none. */
static struct tiny_console *find_console(struct tiny *t, const struct hvc *hvc)
{
    for (uint32_t i = 0; i < t->n_consoles; i++)
        if (t->consoles[i].hvc == hvc)
            return &t->consoles[i];
    return NULL;
}

/* Of one that went, or a new one. NULL: there are too many. */
static struct tiny_console *place_for_console(struct tiny *t)
{
    struct tiny_console *c = find_console(t, NULL);

    if (c == NULL && t->n_consoles < TINY_CONSOLES)
        c = &t->consoles[t->n_consoles++];
    return c;
}

static struct tiny_console *add_console(struct tiny *t, struct hvc *hvc)
{
    struct tiny_console *c = find_console(t, hvc);

    if (c != NULL)
        return c;
    c = place_for_console(t);
    if (c == NULL)
        return NULL;
    c->hvc = hvc;
    c->tiny = t;
    c->prompted = c->hung = false;
    c->n_line = c->n_input = c->at_input = 0;
    print_init(&c->out, hvc);
    return c;
}

/* A name that is not there, or unknown, adds nothing. */
static void add_named(struct tiny *t, const char *name)
{
    struct uart *uart;

    if (tiny_equal(name, "hvc0") && t->has_xen)
        add_console(t, &t->xen.hvc);
    if (tiny_equal(name, "console_io") && t->has_console_io)
        add_console(t, &t->console_io.hvc);
    if (tiny_equal(name, "e9") && t->machine->debug != NULL)
        add_console(t, t->machine->debug);
    if (tiny_equal(name, "virtio"))
        t->wants_virtio = true;
    uart = tiny_uart_named(t, name);
    if (uart != NULL)
        add_console(t, &uart->hvc);
}

static void add_uart(struct tiny *t, uint32_t n)
{
    char name[] = "uart0";

    name[sizeof name - 2] = (char)('0' + n);
    if (n < t->machine->n_uarts)
        add_named(t, name);
}

/* One statement of the boot arguments; true: it was an option. */
static bool take_option(struct tiny *t, char *statement)
{
    static const char console[] = "console=";
    char *word = tiny_word(&statement);

    if (word == NULL)
        return true;
    if (tiny_equal(word, "quiet"))
        return t->quiet = true;
    if (tiny_equal(word, "events=off"))
        return t->no_events = true;
    if (tiny_equal(word, "uart=polled"))
        return t->polled = true;
    if (tiny_equal(word, "disconnected=drop"))
        return t->xen.drops = true;
    if (tiny_equal(word, "virtio-old"))
        return t->virtio.old = true;
    if (tiny_equal(word, "virtio-nomultiport"))
        return t->virtio.single = true;
    for (size_t i = 0; i < sizeof console - 1; i++)
        if (word[i] != console[i])
            return false;
    add_named(t, word + sizeof console - 1);
    return true;
}

/* The statement at *args, cut off at ';' into the buffer; *args goes on behind it. False: no more. */
static bool next_statement(const char **args, char statement[TINY_LINE_BYTES])
{
    size_t n = 0;

    if (**args == '\0')
        return false;
    for (; **args != '\0' && **args != ';'; ++*args)
        if (n < TINY_LINE_BYTES - 1)
            statement[n++] = **args;
    if (**args == ';')
        ++*args;
    statement[n] = '\0';
    return true;
}

static void find_consoles(struct tiny *t)
{
    const char *args = t->machine->cmdline;
    const struct platform *platform = &t->cpus[0].platform;
    char statement[TINY_LINE_BYTES];

    if (t->machine->hypervisor) {
        t->has_xen = xen_console_discover(&t->xen, platform) == VC_OK;
        console_io_init(&t->console_io, platform);
        t->has_console_io = true;
    }
    while (next_statement(&args, statement))
        take_option(t, statement);
    if (t->n_consoles == 0 && !t->wants_virtio && t->has_xen)
        add_named(t, "hvc0");
    t->wants_virtio = t->wants_virtio || t->machine->hypervisor || t->machine->first_uart >= t->machine->n_uarts;
}

/* Where none was named, or none of those is there. */
static void find_any_console(struct tiny *t)
{
    if (t->n_consoles == 0 && t->wants_virtio)
        tiny_virtio_await(t);
    if (t->n_consoles == 0)
        add_named(t, t->has_xen ? "hvc0" : t->has_console_io ? "console_io" : "e9");
    if (t->n_consoles == 0)
        add_uart(t, t->machine->first_uart);
}

static void print_banner(struct tiny *t)
{
    struct print *p = &t->consoles[0].out;

    print_text(p, "tiny: the vcons test kernel, ");
    print_text(p, t->machine->name);
    print_text(p, ", ");
    print_number(p, t->machine->ram_bytes >> 20);
    print_text(p, " MiB, console ");
    print_line(p, t->consoles[0].hvc->name);
}

static void run_arguments(struct tiny *t)
{
    const char *args = t->machine->cmdline;
    char statement[TINY_LINE_BYTES], copy[TINY_LINE_BYTES];

    while (next_statement(&args, statement)) {
        memcpy(copy, statement, sizeof copy);
        if (!take_option(t, copy))
            tiny_run(&t->consoles[0], statement);
    }
}

static void prompt(struct tiny_console *c)
{
    c->n_line = 0;
    c->prompted = true;
    print_text(&c->out, "tiny> ");
}

static void rub_out(struct tiny_console *c, uint32_t n)
{
    for (; n > 0 && c->n_line > 0; n--, c->n_line--)
        print_text(&c->out, "\b \b");
}

static void end_line(struct tiny_console *c)
{
    print_text(&c->out, "\r\n");
    print_flush(&c->out);
    c->line[c->n_line] = '\0';
    tiny_run(c, c->line);
    prompt(c);
}

static void type(struct tiny_console *c, uint8_t byte)
{
    switch (byte) {
    case '\r':
    case '\n': end_line(c); break;
    case '\b':
    case DELETE: rub_out(c, 1); break;
    case CTRL_U: rub_out(c, TINY_LINE_BYTES); break;
    case CTRL_C:
        print_text(&c->out, "^C\r\n");
        prompt(c);
        break;
    default:
        if (byte < ' ' && byte != '\t')
            break; /* half of an escape sequence must not move a cursor by its echo */
        if (c->n_line == TINY_LINE_BYTES - 1) {
            print_text(&c->out, "\a");
            break;
        }
        c->line[c->n_line++] = (char)byte;
        print_bytes(&c->out, &byte, 1);
    }
}

static bool fill(struct tiny_console *c)
{
    if (c->at_input == c->n_input) {
        c->at_input = 0;
        c->n_input = (uint32_t)hvc_read(c->hvc, c->input, sizeof c->input);
    }
    return c->at_input < c->n_input;
}

size_t tiny_input(struct tiny_console *c, void *bytes, size_t n)
{
    while (!fill(c)) {
        if (c->hung)
            return 0;
        if (!tiny_virtio_look(c->tiny))
            hvc_idle(&c->hvc, 1);
    }
    n = n < c->n_input - c->at_input ? n : c->n_input - c->at_input;
    memcpy(bytes, c->input + c->at_input, n);
    c->at_input += (uint32_t)n;
    return n;
}

bool tiny_interrupted(struct tiny_console *c)
{
    tiny_virtio_look(c->tiny); /* a word that takes long keeps no port from coming or going */
    if (c->hung)
        return true;
    if (!fill(c))
        return false;
    for (uint32_t i = c->at_input; i < c->n_input; i++) {
        if (c->input[i] == CTRL_C) {
            c->at_input = i + 1;
            print_line(&c->out, "^C");
            return true;
        }
    }
    return false;
}

/* Nothing runs on it any more. */
static void let_go(struct tiny_console *c)
{
    struct hvc *hvc = c->hvc;

    c->hvc = NULL;
    c->hung = false;
    tiny_virtio_release(hvc);
}

bool tiny_console_begin(struct tiny *t, struct hvc *hvc)
{
    struct tiny_console *c = add_console(t, hvc);

    if (c == NULL)
        return false;
    if (t->serving) {
        prompt(c);
        print_flush(&c->out);
    }
    return true;
}

void tiny_console_end(struct tiny *t, struct hvc *hvc)
{
    struct tiny_console *c = find_console(t, hvc);

    if (c == NULL)
        return;
    c->hung = true;
    if (t->busy != c)
        let_go(c);
}

/* All input that is there now on one console, echoed in one piece; false: there was none. */
static bool serve(struct tiny_console *c)
{
    bool any;

    if (c->hvc == NULL)
        return false;
    c->tiny->busy = c;
    any = fill(c);
    while (any && c->at_input < c->n_input)
        type(c, c->input[c->at_input++]); /* a word may take from the same input */
    print_flush(&c->out);
    c->tiny->busy = NULL;
    if (c->hung)
        let_go(c);
    return any;
}

static void idle(struct tiny *t)
{
    struct hvc *hvcs[TINY_CONSOLES + TINY_VIRTIO_DEVICES];
    size_t n = tiny_virtio_waiters(t, hvcs);

    for (uint32_t i = 0; i < t->n_consoles; i++)
        if (t->consoles[i].hvc != NULL)
            hvcs[n++] = t->consoles[i].hvc;
    hvc_idle(hvcs, n);
}
_Static_assert(TINY_CONSOLES + TINY_VIRTIO_DEVICES <= HVC_CONSOLES, "one hvc_idle waits for all");

static void serve_all(struct tiny *t)
{
    for (;;) {
        bool any = false;

        for (uint32_t i = 0; i < t->n_consoles; i++)
            any = serve(&t->consoles[i]) || any;
        any = tiny_virtio_look(t) || any;
        if (!any)
            idle(t);
    }
}

static bool can_be_typed_at(const struct tiny *t)
{
    for (uint32_t i = 0; i < t->n_consoles; i++)
        if (t->consoles[i].hvc != NULL && t->consoles[i].hvc != t->machine->debug)
            return true;
    return t->virtio.n_devices > 0; /* they come yet */
}

void tiny_main(struct tiny *t, const struct tiny_machine *machine)
{
    t->machine = machine;
    t->n_cpus = 1;
    t->cpus[0].tiny = t;
    t->cpus[0].platform = *machine->platform;
    find_consoles(t);
    if (machine->hypervisor && !t->no_events)
        tiny_events_begin(t);
    tiny_virtio_begin(t);
    find_any_console(t);
    tiny_uarts_listen(t);
    if (t->n_consoles == 0)
        machine->halt(SHUTDOWN_crash);
    if (!t->quiet)
        print_banner(t);
    t->busy = &t->consoles[0];
    run_arguments(t);
    t->busy = NULL;
    if (t->consoles[0].hung)
        let_go(&t->consoles[0]);
    if (!can_be_typed_at(t))
        machine->halt(SHUTDOWN_poweroff);
    t->serving = true;
    for (uint32_t i = 0; i < t->n_consoles; i++) {
        if (t->consoles[i].hvc == NULL || t->consoles[i].prompted)
            continue;
        prompt(&t->consoles[i]);
        print_flush(&t->consoles[i].out);
    }
    serve_all(t);
}
