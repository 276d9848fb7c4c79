/* SPDX-License-Identifier: MIT */
/*
 * Domains that write to the terminal of core's focus, which moves, and the splitter behind it: each gets what it said, but for what
 * the terminal does not show of it (focus.h), and the LF where another's line came into its own.
 */
#include "locks.h"
#include <vcons/focus.h>

#include "split_model.h"

/* The terminal of core's focus. */

static uint8_t typed[64], output[65536];
static uint64_t now_ms(void *ctx)
{
    static uint64_t now;

    (void)ctx;
    return now += 10000;
}
static void nothing(void *ctx) { (void)ctx; }
static void no_domain(void *ctx, struct vc_focus_domain *d) { (void)ctx, (void)d; }
static void no_key(void *ctx, uint8_t key) { (void)ctx, (void)key; }
static const struct vc_focus_env focus_env = {
    {.lock = lock, .unlock = unlock}, now_ms, nothing, no_domain, no_key, no_domain, no_domain};

/* As it is shown to who has the focus. */
static void shown(size_t who, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (m.cooked && bytes[i] == '\n' && m.last != '\r')
            wants(who, "\r", 1);
        wants(who, bytes + i, 1);
        m.last = bytes[i];
        m.open = bytes[i] != '\n';
    }
}

/* Something else comes: the open line, of whoever has the focus, is ended. */
static void close_line(void)
{
    if (m.open)
        shown(m.focus, (const uint8_t *)"\n", 1);
}

static void line_of(size_t who)
{
    close_line();
    for (size_t i = 0; i < m.n_waiting[who]; i++) {
        uint8_t byte = m.waiting[who][i];

        if ((byte >= 0x20 && byte < 0x7f) || byte == '\t')
            wants(who, &byte, 1);
    }
    wants(who, "\r\n", 2);
    m.n_waiting[who] = 0;
    m.last = '\n';
}

static void writes(size_t who, const uint8_t *bytes, size_t n)
{
    if (m.focus == who) {
        shown(who, bytes, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (m.n_waiting[who] == VC_FOCUS_LINE_BYTES - 1 && bytes[i] != '\n')
            line_of(who);
        if (bytes[i] == '\n')
            line_of(who);
        else
            m.waiting[who][m.n_waiting[who]++] = bytes[i];
    }
}

static void focus_moves(size_t to)
{
    char notice[NOTICE];

    close_line();
    wants(HYPERVISOR, notice, notice_of(to, notice));
    wants(HYPERVISOR, m.cooked ? "name\r\n" : "name\n", m.cooked ? 6 : 5);
    m.focus = to;
    m.last = '\n';
    m.open = false;
    if (to == HYPERVISOR)
        return;
    shown(to, m.waiting[to], m.n_waiting[to]);
    m.n_waiting[to] = 0;
}

/* What is no mark in the middle of a line, but would be at the start of one, which a line of 255 bytes makes. */
static void marks_inside(size_t who, uint8_t *bytes, size_t n)
{
    for (size_t i = 1; i + 5 <= n && m.n_waiting[who] + i < 200; i++)
        if (bytes[i] >= 0xf0 && bytes[i - 1] != '\n')
            memcpy(bytes + i, "(d1) ", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vc_focus f;
    struct vc_focus_domain domains[WHO];
    struct vc_focus_config c = {.env = &focus_env, .typed = typed, .output = output, .notice = "name\n"};
    uint8_t bytes[CHUNK];

    memset(&m, 0, sizeof m);
    m.in = (struct input){data, size};
    m.cooked = take(&m.in, 1) % 2 != 0;
    c.cooked = m.cooked;
    c.typed_bytes = sizeof typed;
    c.output_bytes = sizeof output;
    require(vc_focus_init(&f, &c) == VC_OK);
    for (uint32_t id = 1; id <= DOMAINS; id++)
        require(vc_focus_add(&f, &domains[id], id, NULL, "name\n", NULL) == VC_OK);
    while (m.in.left > 2 && m.n < MOST - 8 * CHUNK) {
        uint8_t op = (uint8_t)take(&m.in, 1);
        size_t who = 1 + op % DOMAINS, n;

        if (op >= 208) {
            who = op % (DOMAINS + 1);
            require(vc_focus_start(&f, (uint32_t)who) == VC_OK);
            focus_moves(who);
        } else {
            n = text(bytes);
            marks_inside(who, bytes, n);
            vc_focus_write(&f, &domains[who], bytes, n);
            writes(who, bytes, n);
        }
        m.n += vc_focus_take(&f, m.line + m.n, (uint32_t)(MOST - m.n));
    }
    compare(SPLIT_VCONS);
    return 0;
}
