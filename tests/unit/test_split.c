/* SPDX-License-Identifier: MIT */
/* One line that carries many domains: what each of them said, wherever the chunks of the line end. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "client/split.h"

#define TO_1 "*** Serial input to DOM1 (type 'CTRL-a' three times to switch input)"

/* Each as it was said, one after the other: ID|text|, and !ID for a focus; h is the hypervisor. */
static const struct {
    const char *name;
    enum split_form form;
    const char *in, *out;
} rows[] = {
    {"before any focus", SPLIT_VCONS, "d1 = web\r\nd2 = db\r\n", "h|d1 = web\r\nd2 = db\r\n|"},
    {"marked lines", SPLIT_VCONS, "(d1) one\r\n(d2) two\n(d10) \r\n", "1|one\r\n|2|two\r\n|10|\r\n|"},
    {"the focus is raw", SPLIT_VCONS, TO_1 "\r\nweb. To quit: q\r\ntiny> \x1b[31mx\r\r\na\rb\n\n",
     "!1|h|" TO_1 "\r\nweb. To quit: q\r\n|1|tiny> \x1b[31mx\r\r\na\rb\n\n|"},
    {"between lines of the focus", SPLIT_VCONS, TO_1 "\nweb\nsay\r\n(d2) hear\r\nmore",
     "!1|h|" TO_1 "\r\nweb\n|1|say\r\n|2|hear\r\n|1|more|"},
    {"no mark in the middle of a line", SPLIT_VCONS, TO_1 "\nweb\nsay (d2) x *** Serial input to Xen\n",
     "!1|h|" TO_1 "\r\nweb\n|1|say (d2) x *** Serial input to Xen\n|"},
    {"what only looks like a mark", SPLIT_VCONS,
     TO_1 "\nweb\n(d2)x\n(d) y\n(d01) z\n(d4294967296) \n(dbg) \n*** Serial\n*** Serial input to DOM2x\n((d2) \n",
     "!1|h|" TO_1 "\r\nweb\n|1|(d2)x\n(d) y\n(d01) z\n(d4294967296) \n(dbg) \n*** Serial\n*** Serial input to "
     "DOM2x\n((d2) \n|"},
    {"the focus goes on", SPLIT_VCONS, TO_1 "\r\nweb\r\na\r\n*** Serial input to Xen\r\nh help\r\nmenu\r\n",
     "!1|h|" TO_1 "\r\nweb\r\n|1|a\r\n|!h|h|*** Serial input to Xen\r\nh help\r\nmenu\r\n|"},
    {"the name looks like a mark", SPLIT_VCONS, TO_1 "\n\nmine\n", "!1|h|" TO_1 "\r\n\n|1|mine\n|"},
    {"Xen, dom0 and others", SPLIT_XEN, "(XEN) Xen version 4.17\r\n[0.0] Linux\r\n(d5) pv\r\n",
     "h|(XEN) Xen version 4.17\r\n|0|[0.0] Linux\n|5|pv\r\n|"},
    {"as the oracle: into the middle", SPLIT_XEN,
     "(XEN) *** Serial input to DOM2 (t)\r\n(XEN) i=0; ](XEN) DOM1: busy1\r\r\n; do(XEN) DOM1: busy2\r\r\n)\r\r\n",
     "!2|h|(XEN) *** Serial input to DOM2 (t)\r\n|2|i=0; ]|1|busy1\r\n|2|; do|1|busy2\r\n|2|)\r\n|"},
    {"a notice does not begin a line", SPLIT_XEN, "(XEN) domu# \x1b[6n*** Serial input to DOM2 (type)\r\n(XEN) x\r\r\n",
     "h|(XEN) domu# \x1b[6n|!2|h|*** Serial input to DOM2 (type)\r\n|2|x\r\n|"},
    {"dom0 has the focus", SPLIT_XEN, "(XEN) *** Serial input to DOM0 (t)\r\n(XEN) own\r\nlogin: (XEN) in\r\nme\r\r\n",
     "!0|h|(XEN) *** Serial input to DOM0 (t)\r\n(XEN) own\r\n|0|login: |h|(XEN) in\r\n|0|me\r\n|"},
    {"the focus goes on from an open line", SPLIT_XEN,
     "(XEN) *** Serial input to DOM2 (t)\r\n(XEN) domu# *** Serial input to DOM0 (t)\r\nlogin: ",
     "!2|h|(XEN) *** Serial input to DOM2 (t)\r\n|2|domu# |!0|h|*** Serial input to DOM0 (t)\r\n|0|login: |"},
    {"as the lab: two processors, a line that stands open on one", SPLIT_XEN,
     "(XEN) *** Serial input to DOM2 (t)\r\n(XEN) domu# (XEN) *** Serial input to DOM1 (t)\r\n"
     "seq 1(XEN)  100\rDOM2: busy2\r\r\n\r\n(XEN) 1\r\r\n(XEN) 5(XEN) 3\r\r\n4\r\r\nlogin: ",
     "!2|h|(XEN) *** Serial input to DOM2 (t)\r\n|2|domu# |!1|h|(XEN) *** Serial input to DOM1 (t)\r\n|1|seq 1 "
     "100\r|2|busy2\r\n"
     "|1|\n1\r\n53\r\n4\r\n|0|login: |"},
    {"a message in a line that stands open", SPLIT_XEN,
     "(XEN) *** Serial input to DOM1 (t)\r\n(XEN) ech(XEN) o<G><0>d0v1: odd\r\n\r\r\nDOM0 <G\r\n",
     "!1|h|(XEN) *** Serial input to DOM1 (t)\r\n|1|echo|h|<G><0>d0v1: odd\r\n|1|\r\n|0|DOM0 <G\n|"},
    {"CR alone", SPLIT_XEN, "10 %\r20 %\r\r\r\r\r\r\rx\r\n", "0|10 %\r20 %\r\r\r\r\r\r\rx\n|"},
};

struct heard {
    uint64_t last; /* who spoke; anything else than a domain or the hypervisor: nobody */
    size_t n;
    char text[1024];
};

static void id_to(struct heard *h, uint64_t id)
{
    if (id == SPLIT_HYPERVISOR)
        h->n += (size_t)sprintf(h->text + h->n, "h|");
    else
        h->n += (size_t)sprintf(h->text + h->n, "%u|", (unsigned)id);
}

static void end(struct heard *h)
{
    if (h->last != SPLIT_HYPERVISOR - 1)
        h->text[h->n++] = '|';
    h->last = SPLIT_HYPERVISOR - 1;
    h->text[h->n] = '\0';
}

static void out(void *ctx, uint64_t id, const uint8_t *bytes, size_t n)
{
    struct heard *h = ctx;

    if (id != h->last) {
        end(h);
        id_to(h, id);
    }
    h->last = id;
    memcpy(h->text + h->n, bytes, n);
    h->n += n;
    h->text[h->n] = '\0';
}

static void focus(void *ctx, uint64_t id)
{
    struct heard *h = ctx;

    end(h);
    h->text[h->n++] = '!';
    id_to(h, id);
}

static const struct split_to to = {.out = out, .focus = focus};

static void put(struct split *s, const char *bytes, size_t n)
{
    uint8_t copy[512]; /* at its end: a read beyond it is seen */

    memcpy(copy + sizeof copy - n, bytes, n);
    split_put(s, copy + sizeof copy - n, n);
}

static void check(size_t i, size_t first, size_t second)
{
    struct heard h = {.last = SPLIT_HYPERVISOR - 1};
    size_t n = strlen(rows[i].in);
    struct split s;

    split_init(&s, rows[i].form, &to, &h);
    put(&s, rows[i].in, first);
    put(&s, rows[i].in + first, second - first);
    put(&s, rows[i].in + second, n - second);
    end(&h);
    if (strcmp(h.text, rows[i].out) != 0)
        fail_msg("%s, cut at %zu and %zu:\n%s\nnot\n%s", rows[i].name, first, second, h.text, rows[i].out);
}

static void at_every_two_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (size_t first = 0; first <= strlen(rows[i].in); first++)
            for (size_t second = first; second <= strlen(rows[i].in); second++)
                check(i, first, second);
}

static void by_single_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct heard h = {.last = SPLIT_HYPERVISOR - 1};
        struct split s;

        split_init(&s, rows[i].form, &to, &h);
        for (const char *c = rows[i].in; *c != '\0'; c++)
            put(&s, c, 1);
        end(&h);
        assert_string_equal(h.text, rows[i].out);
    }
}

/* Another hypervisor behind it: what was kept back is not lost, and whose it was does not hold on. */
static void ends(void **state)
{
    struct heard h = {.last = SPLIT_HYPERVISOR - 1};
    struct split s;

    (void)state;
    split_init(&s, SPLIT_VCONS, &to, &h);
    put(&s, TO_1 "\nweb\n*** Ser", strlen(TO_1 "\nweb\n*** Ser"));
    split_end(&s);
    put(&s, "d1 = web\n", 9);
    end(&h);
    assert_string_equal(h.text, "!1|h|" TO_1 "\r\nweb\n|1|*** Ser|h|d1 = web\n|");
}

static void count(void *ctx, uint64_t id, const uint8_t *bytes, size_t n)
{
    (void)id, (void)bytes;
    *(size_t *)ctx += n;
}
static void no_focus(void *ctx, uint64_t id) { (void)ctx, (void)id; }

/* Marks without end, in every order: nothing is kept back for long, and nothing is made up but a CR before a LF. */
static void whatever_comes(void **state)
{
    static const struct split_to counts = {.out = count, .focus = no_focus};
    static const char letters[] = "(d1) XEN*** Serial input to DOM2:\r\n";
    uint32_t seed = 1;

    (void)state;
    for (int form = SPLIT_VCONS; form <= SPLIT_XEN; form++) {
        size_t said = 0, lines = 0, n = 200000;
        struct split s;

        split_init(&s, (enum split_form)form, &counts, &said);
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = (uint8_t)letters[((seed = seed * 1103515245u + 12345u) >> 16) % (sizeof letters - 1)];

            lines += byte == '\n';
            split_put(&s, &byte, 1);
            assert_true(s.n_held < SPLIT_HELD);
        }
        assert_true(said <= n + lines);
        assert_true(said >= n / 2);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_two_cuts),
        cmocka_unit_test(by_single_bytes),
        cmocka_unit_test(ends),
        cmocka_unit_test(whatever_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
