/* SPDX-License-Identifier: MIT */
/* UARTs for tiny: finding them by name, and what `consoles` says of them. */
#include "tiny.h"

/* The decimal number that is all of text; false: it is none. */
static bool parse(const char *text, uint32_t *number)
{
    *number = (uint32_t)(*text - '0');
    return *text >= '0' && *text <= '9' && text[1] == '\0';
}

/* name without its beginning, or NULL. */
static const char *behind(const char *name, const char *beginning)
{
    for (; *beginning != '\0'; beginning++)
        if (*name++ != *beginning)
            return NULL;
    return name;
}

static bool is_ttys(const struct uart_chip *chip) { return chip == &uart_16550; }

/* The n-th of those that Linux calls ttyS, or of the others. */
static uint32_t nth(const struct tiny_machine *m, bool ttys, uint32_t n)
{
    for (uint32_t i = 0; i < m->n_uarts; i++)
        if (is_ttys(m->uarts[i].chip) == ttys && n-- == 0)
            return i;
    return m->n_uarts;
}

/* Which one a name is; n_uarts: none. */
static uint32_t find(const struct tiny_machine *m, const char *name)
{
    const char *rest;
    uint32_t n;

    if (tiny_equal(name, "uart"))
        return 0;
    if ((rest = behind(name, "uart")) != NULL && parse(rest, &n))
        return n;
    if ((rest = behind(name, "ttyS")) != NULL && parse(rest, &n))
        return nth(m, true, n);
    if ((rest = behind(name, "ttyAMA")) != NULL && parse(rest, &n))
        return nth(m, false, n);
    for (n = 0; n < m->n_uarts && !tiny_equal(name, m->uarts[n].chip->name);)
        n++;
    return n;
}

struct uart *tiny_uart_named(struct tiny *t, const char *name)
{
    const struct tiny_machine *m = t->machine;
    char own[] = "uart0";
    uint32_t n = find(m, name);

    if (n >= m->n_uarts || n >= TINY_UARTS)
        return NULL;
    own[sizeof own - 2] = (char)('0' + n);
    if (!t->has_uart[n])
        t->has_uart[n] = uart_begin(&t->uarts[n], m->uarts[n].chip, &m->uarts[n].io, &t->cpus[0].platform, own);
    return t->has_uart[n] ? &t->uarts[n] : NULL;
}

struct uart *tiny_uart_of(const struct tiny *t, const struct hvc *hvc)
{
    for (uint32_t i = 0; i < TINY_UARTS; i++)
        if (t->has_uart[i] && hvc == &t->uarts[i].hvc)
            return (struct uart *)&t->uarts[i];
    return NULL;
}

/* Each console is one that interrupts. */
static bool all_interrupt(const struct tiny *t)
{
    for (uint32_t i = 0; i < t->n_consoles; i++) {
        const struct hvc *hvc = t->consoles[i].hvc;
        const struct uart *u = tiny_uart_of(t, hvc);
        const struct virtio_port *v = tiny_virtio_of(t, hvc);

        if (hvc != NULL && (u == NULL || !u->interrupts) && (v == NULL || !v->device->interrupts))
            return false;
    }
    return true;
}

void tiny_uarts_listen(struct tiny *t)
{
    const struct tiny_machine *m = t->machine;
    bool any = t->has_events ? t->cpus[0].events.way->by_any : !m->hypervisor;

    for (uint32_t i = 0; i < TINY_UARTS && !t->polled; i++)
        if (t->has_uart[i] && m->uart_interrupts(&t->uarts[i], m->uarts[i].irq))
            uart_use_interrupts(&t->uarts[i]);
    if (!any && m->wait != NULL && all_interrupt(t)) {
        t->cpus[0].platform.wait = m->wait; /* no event to wait for: sleep until the UART has something */
        any = true;
    }
    for (uint32_t i = 0; i < TINY_UARTS; i++)
        t->uarts[i].wakes = any;
    for (uint32_t i = 0; i < t->virtio.n_devices; i++)
        t->virtio.devices[i].wakes = any && t->virtio.devices[i].interrupts;
}

static void print_count(struct print *p, const char *what, uint64_t n)
{
    print_text(p, what);
    print_number(p, n);
}

void tiny_print_uart(struct print *p, const struct uart *u)
{
    print_text(p, u->hvc.name);
    print_text(p, " ");
    print_text(p, u->chip->name);
    print_text(p, u->interrupts ? " by interrupt" : " polled");
    print_count(p, ", depth ", u->depth);
    print_count(p, ", interrupts ", u->n_interrupts);
    print_count(p, ", breaks ", u->n_breaks);
    print_count(p, ", overruns ", u->n_overruns);
    print_count(p, ", errors ", u->n_errors);
    print_count(p, ", dropped ", u->hvc.dropped);
    print_line(p, "");
}
