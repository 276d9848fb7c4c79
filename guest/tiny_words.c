/* SPDX-License-Identifier: MIT */
#include "tiny.h"
#include <string.h>

#define NS_IN_MS UINT64_C(1000000)
#define NS_IN_S  UINT64_C(1000000000)

bool tiny_equal(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++)
        b++;
    return *a == *b;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

char *tiny_word(char **line)
{
    char *at = *line, *word;

    while (is_blank(*at))
        at++;
    word = at;
    while (*at != '\0' && !is_blank(*at))
        at++;
    if (*at != '\0')
        *at++ = '\0';
    *line = at;
    return *word != '\0' ? word : NULL;
}

bool tiny_number(char **line, uint64_t fallback, uint64_t max, uint64_t *number)
{
    const char *word = tiny_word(line);

    *number = fallback;
    if (word == NULL)
        return fallback <= max;
    for (*number = 0; *word >= '0' && *word <= '9'; word++) {
        if (*number > (max - (uint64_t)(*word - '0')) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(*word - '0');
    }
    return *word == '\0';
}

static bool run_echo(struct tiny_console *c, char *rest)
{
    while (is_blank(*rest))
        rest++;
    print_line(&c->out, rest);
    return true;
}

static bool run_spew(struct tiny_console *c, char *rest)
{
    struct spew *spew = &c->tiny->spew;
    uint64_t n, width;

    if (!tiny_number(&rest, TINY_MISSING, UINT64_MAX - 1, &n) ||
        !tiny_number(&rest, SPEW_WIDTH_DEFAULT, SPEW_WIDTH_MAX, &width) || width == 0)
        return false;
    spew_init(spew, (uint32_t)width);
    while (n > 0) {
        char *room = print_room(&c->out, PRINT_BYTES), *at = room;

        for (; n > 0 && at <= room + PRINT_BYTES - SPEW_LINE_MAX; n--)
            at += spew_line(spew, at);
        print_taken(&c->out, (size_t)(at - room));
        if (tiny_interrupted(c))
            return true;
    }
    print_flush(&c->out);
    return true;
}

uint32_t tiny_crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    /* Four bits at a time: a table that costs nothing to set up. Polynomial 0xedb88320, ISO 3309. */
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static bool run_sum(struct tiny_console *c, char *rest)
{
    uint8_t bytes[TINY_INPUT_BYTES];
    uint64_t n, left;
    uint32_t crc = 0;

    if (!tiny_number(&rest, TINY_MISSING, UINT64_MAX - 1, &n))
        return false;
    for (left = n; left > 0;) {
        size_t got = tiny_input(c, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes);

        if (got == 0)
            return true; /* hung up */
        crc = tiny_crc32(crc, bytes, got);
        left -= got;
    }
    print_text(&c->out, "sum ");
    print_number(&c->out, n);
    print_text(&c->out, " ");
    print_hex(&c->out, crc);
    print_line(&c->out, "");
    return true;
}

static bool run_slow(struct tiny_console *c, char *rest)
{
    uint64_t n, ms;

    if (!tiny_number(&rest, TINY_MISSING, UINT64_MAX - 1, &n) || !tiny_number(&rest, 100, UINT32_MAX, &ms))
        return false;
    for (uint64_t i = 0; i < n && !tiny_interrupted(c); i++) {
        hvc_sleep(c->hvc->platform, ms * NS_IN_MS); /* no clock: as fast as it goes */
        print_text(&c->out, "slow ");
        print_number(&c->out, i);
        print_line(&c->out, "");
    }
    return true;
}

static bool run_time(struct tiny_console *c, char *rest)
{
    uint64_t now = hypercall_time(c->hvc->platform);

    (void)rest;
    if (now == 0) {
        print_line(&c->out, "time unknown");
        return true;
    }
    print_text(&c->out, "time ");
    print_number(&c->out, now / NS_IN_S);
    print_text(&c->out, ".");
    for (uint64_t unit = NS_IN_S / 10; unit > 0; unit /= 10)
        print_number(&c->out, now / unit % 10);
    print_line(&c->out, "");
    return true;
}

static void print_console(struct print *p, const struct tiny *t, const struct hvc *hvc)
{
    bool xen = hvc == &t->xen.hvc;

    if (hvc == NULL || tiny_uart_of(t, hvc) != NULL || tiny_virtio_of(t, hvc) != NULL)
        return; /* with the others */
    print_text(p, hvc->name);
    print_text(p, xen ? xen_console_connected(&t->xen) ? " ring connected" : " ring disconnected" : " direct");
    print_text(p, ", port ");
    print_number(p, hvc->port);
    print_text(p, ", dropped ");
    print_number(p, hvc->dropped);
    print_text(p, ", violations ");
    print_number(p, xen ? t->xen.violations : 0);
    print_line(p, "");
}

static bool run_consoles(struct tiny_console *c, char *rest)
{
    (void)rest;
    for (uint32_t i = 0; i < c->tiny->n_consoles; i++)
        print_console(&c->out, c->tiny, c->tiny->consoles[i].hvc);
    for (uint32_t i = 0; i < TINY_UARTS; i++)
        if (c->tiny->has_uart[i])
            tiny_print_uart(&c->out, &c->tiny->uarts[i]);
    tiny_virtio_print(c);
    return true;
}

static bool run_selftest(struct tiny_console *c, char *rest)
{
    (void)rest;
    tiny_selftest(c);
    return true;
}

static bool run_storm(struct tiny_console *c, char *rest)
{
    uint64_t n;

    if (!tiny_number(&rest, TINY_MISSING, UINT64_MAX - 1, &n))
        return false;
    tiny_storm(c, n);
    print_text(&c->out, "storm ");
    print_number(&c->out, n);
    print_line(&c->out, "");
    return true;
}

static bool run_scribble(struct tiny_console *c, char *rest)
{
    uint64_t n;

    if (!c->tiny->has_xen || !tiny_number(&rest, TINY_MISSING, UINT64_MAX - 1, &n))
        return false;
    tiny_scribble(c, n);
    print_text(&c->out, "scribble ");
    print_number(&c->out, n);
    print_line(&c->out, "");
    return true;
}

static bool run_pry(struct tiny_console *c, char *rest)
{
    (void)rest;
    tiny_pry(c);
    return true;
}

static void end(struct tiny_console *c, uint32_t reason)
{
    print_flush(&c->out);
    hypercall_shutdown(c->hvc->platform, reason);
    c->tiny->machine->halt(reason);
}

static bool run_crash(struct tiny_console *c, char *rest)
{
    const char *how = tiny_word(&rest);

    if (how != NULL && !tiny_equal(how, "trap") && !tiny_equal(how, "touch"))
        return false;
    if (how != NULL && tiny_equal(how, "trap"))
        tiny_fault_trap();
    else if (how != NULL)
        tiny_fault_touch();
    end(c, SHUTDOWN_crash);
    return true;
}

static bool run_reboot(struct tiny_console *c, char *rest)
{
    (void)rest;
    end(c, SHUTDOWN_reboot);
    return true;
}

static bool run_poweroff(struct tiny_console *c, char *rest)
{
    (void)rest;
    end(c, SHUTDOWN_poweroff);
    return true;
}

static bool run_help(struct tiny_console *c, char *rest);

static const struct {
    const char *name;
    bool (*run)(struct tiny_console *c, char *rest); /* false: print the usage */
    const char *usage, *what;
} words[] = {
    {"help", run_help, "", "this list"},
    {"echo", run_echo, " TEXT", "print TEXT"},
    {"spew", run_spew, " N [WIDTH]", "print N numbered lines of WIDTH bytes"},
    {"sum", run_sum, " N", "CRC-32 of the next N bytes typed"},
    {"slow", run_slow, " N [MS]", "print N lines, one each MS milliseconds"},
    {"time", run_time, "", "system time"},
    {"consoles", run_consoles, "", "the consoles of this kernel"},
    {"selftest", run_selftest, "", "check drivers and hypervisor"},
    {"uart-test", tiny_run_uart_test, " [UART] [EMULATOR]", "check a UART for what drivers rely on"},
    {"port", tiny_run_port, " NAME open|close|send TEXT|read", "use a virtio port that is no console"},
    {"await", tiny_run_await, " N", "wait until N consoles of virtio devices are there"},
    {"virtio-test", tiny_run_virtio_test, "", "check virtio-console devices for what drivers rely on"},
    {"virtio-pry", tiny_run_virtio_pry, "", "do to virtio-console devices what no driver may"},
    {"vcpus", tiny_run_vcpus, " [N]", "start vCPUs until N run"},
    {"bind", tiny_run_bind, " unbound [DOMID]|inter DOMID PORT|virq N [VCPU]|ipi [VCPU]|loop", "a port, masked"},
    {"mask", tiny_run_mask, " PORT", "mask a port"},
    {"unmask", tiny_run_unmask, " PORT", "unmask a port"},
    {"send", tiny_run_send, " PORT", "send on a port"},
    {"close", tiny_run_close, " PORT", "close a port"},
    {"move", tiny_run_move, " PORT VCPU", "have a port notify another vCPU"},
    {"status", tiny_run_status, " PORT", "what a port is"},
    {"vcpu_info", tiny_run_vcpu_info, " [VCPU]", "register a vcpu_info"},
    {"shared_info", tiny_run_shared_info, "", "move shared_info to another page"},
    {"events", tiny_run_events, " [SENDERS [PORTS [ROUNDS [MOVES]]]]", "send events and see that none is lost"},
    {"storm", run_storm, " N", "send N events for nothing"},
    {"scribble", run_scribble, " N", "put N impossible numbers into its ring page"},
    {"pry", run_pry, "", "try to reach what the hypervisor keeps from it"},
    {"crash", run_crash, " [trap|touch]", "end in a crash"},
    {"reboot", run_reboot, "", "start anew"},
    {"poweroff", run_poweroff, "", "end"},
};
enum { N_WORDS = sizeof words / sizeof words[0] };

static bool run_help(struct tiny_console *c, char *rest)
{
    (void)rest;
    for (size_t i = 0; i < N_WORDS; i++) {
        print_text(&c->out, words[i].name);
        print_text(&c->out, words[i].usage);
        print_text(&c->out, ": ");
        print_line(&c->out, words[i].what);
    }
    return true;
}

void tiny_run(struct tiny_console *c, char *line)
{
    const char *name = tiny_word(&line);
    size_t i = 0;

    if (name == NULL)
        return;
    while (i < N_WORDS && !tiny_equal(name, words[i].name))
        i++;
    if (i == N_WORDS) {
        print_text(&c->out, name);
        print_line(&c->out, ": no such word, try help");
    } else if (!words[i].run(c, line)) {
        print_text(&c->out, "usage: ");
        print_text(&c->out, words[i].name);
        print_line(&c->out, words[i].usage);
    }
}
