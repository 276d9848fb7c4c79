/* SPDX-License-Identifier: MIT */
/*
 * split_model.h: a line that carries many domains, with what each of them said, and what the splitter makes of it: the same
 * wherever the line is cut, in its order, and to each what it said.
 */
#ifndef VCONS_FUZZ_SPLIT_MODEL_H
#define VCONS_FUZZ_SPLIT_MODEL_H
#include "fuzz.h"

#include "client/split.h"

enum { MOST = 8192, CHUNK = 300, NOTICE = 100 };
enum { HYPERVISOR, DOMAINS = 3, DOM0, WHO }; /* who speaks: 1 to DOMAINS are domains */

/* What went out, in its order, in runs of one owner's; or of a focus. */
struct said {
    size_t n, n_runs;
    uint64_t last;
    bool any;
    uint8_t bytes[3 * MOST];
    struct run {
        uint64_t id;
        size_t from; /* of bytes; SIZE_MAX: a focus */
    } runs[3 * MOST];
};

static void run(struct said *to, uint64_t id, size_t from)
{
    require(to->n_runs < sizeof to->runs / sizeof to->runs[0]);
    to->runs[to->n_runs++] = (struct run){id, from};
}

static void out(void *ctx, uint64_t id, const uint8_t *bytes, size_t n)
{
    struct said *to = ctx;

    require(n > 0 && to->n + n <= sizeof to->bytes);
    if (!to->any || id != to->last)
        run(to, id, to->n);
    to->any = true;
    to->last = id;
    memcpy(to->bytes + to->n, bytes, n);
    to->n += n;
}

static void focus(void *ctx, uint64_t id)
{
    struct said *to = ctx;

    run(to, id, SIZE_MAX);
    to->any = false;
}

static void split(struct said *to, enum split_form form, const uint8_t *bytes, size_t n, size_t cut)
{
    static const struct split_to split_to = {.out = out, .focus = focus};
    struct split s;

    to->n = to->n_runs = 0;
    to->any = false;
    split_init(&s, form, &split_to, to);
    for (size_t at = 0; at < n; at += cut) {
        split_put(&s, bytes + at, n - at < cut ? n - at : cut);
        require(s.n_held < SPLIT_HELD);
    }
    split_end(&s);
}

static struct said whole, pieces;

static void split_both(enum split_form form, const uint8_t *bytes, size_t n, size_t cut)
{
    split(&whole, form, bytes, n, MOST);
    split(&pieces, form, bytes, n, cut);
    require(whole.n == pieces.n && memcmp(whole.bytes, pieces.bytes, whole.n) == 0);
    require(whole.n_runs == pieces.n_runs);
    for (size_t i = 0; i < whole.n_runs; i++)
        require(whole.runs[i].id == pieces.runs[i].id && whole.runs[i].from == pieces.runs[i].from);
}

/* What each should have said, and the line with all of it. */

static struct model {
    struct input in;
    size_t n, n_want[WHO];
    uint8_t line[MOST], want[WHO][2 * MOST];
    uint8_t waiting[WHO][256]; /* a line of a domain without the focus */
    size_t n_waiting[WHO];
    size_t focus, owner; /* owner: of the open line */
    bool open, cooked;   /* of the terminal: in mid-line; a CR before each LF */
    uint8_t last;
} m;

static size_t index_of(uint64_t id)
{
    if (id == SPLIT_HYPERVISOR)
        return HYPERVISOR;
    require(id <= DOMAINS);
    return id == 0 ? DOM0 : (size_t)id;
}

static void wants(size_t who, const void *bytes, size_t n)
{
    require(m.n_want[who] + n <= sizeof m.want[who]);
    memcpy(m.want[who] + m.n_want[who], bytes, n);
    m.n_want[who] += n;
}

static void compare(enum split_form form)
{
    static uint8_t got[WHO][3 * MOST];
    size_t n_got[WHO] = {0}, cut = 1 + take(&m.in, 1) % 40;

    split_both(form, m.line, m.n, cut);
    for (size_t i = 0; i < whole.n_runs; i++) {
        struct run *r = &whole.runs[i];
        size_t end = whole.n, who = index_of(r->id);

        if (r->from == SIZE_MAX)
            continue;
        for (size_t j = i + 1; j < whole.n_runs && end == whole.n; j++)
            if (whole.runs[j].from != SIZE_MAX)
                end = whole.runs[j].from;
        memcpy(got[who] + n_got[who], whole.bytes + r->from, end - r->from);
        n_got[who] += end - r->from;
    }
    for (size_t who = 0; who < WHO; who++)
        require(n_got[who] == m.n_want[who] && memcmp(got[who], m.want[who], n_got[who]) == 0);
}

/* A domain's own text, mostly short: nothing that could be taken for a mark, which is in band. Two bytes of the input for all of it. */
static size_t text(uint8_t bytes[CHUNK])
{
    size_t n = (size_t)take(&m.in, 1);
    uint32_t seed = (uint32_t)take(&m.in, 1);

    n = n < 240 ? n % 12 : n;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);

        bytes[i] = byte == '(' || byte == '*' || byte == '<' ? '.'
                   : byte % 16 == 6                          ? '\n'
                   : byte % 16 == 7                          ? '\r'
                                                             : byte;
    }
    return n;
}

static size_t notice_of(size_t to, char notice[NOTICE])
{
    int n = to == HYPERVISOR ? snprintf(notice, NOTICE, "*** Serial input to Xen")
                             : snprintf(notice, NOTICE, "*** Serial input to DOM%zu", to == DOM0 ? 0 : to);

    return (size_t)(n + snprintf(notice + n, NOTICE - (size_t)n, " (type 'CTRL-a' three times to switch input)\r\n"));
}

#endif
