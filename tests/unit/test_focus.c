/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "focus_rig.h"

#define TO_XEN  "*** Serial input to Xen (type 'CTRL-a' three times to switch input)\n"
#define TO_DOM1 "*** Serial input to DOM1 (type 'CTRL-a' three times to switch input)\n"
#define TO_DOM2 "*** Serial input to DOM2 (type 'CTRL-a' three times to switch input)\n"
#define TO_DOM3 "*** Serial input to DOM3 (type 'CTRL-a' three times to switch input)\n"

/* Xen ABI 2.4: next higher id, skipping those that are not there, then Xen; Xen's own messages. */
static void ctrl_a_three_times_goes_round(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 3);
    vc_focus_remove(&r.focus, &r.domains[1]);
    assert_string_equal(rig_screen(&r), "");
    rig_type(&r, AAA);
    assert_string_equal(rig_screen(&r), TO_DOM1);
    assert_ptr_equal(r.to, &r.domains[0]);
    rig_type(&r, AAA);
    assert_string_equal(rig_screen(&r), TO_DOM3);
    rig_type(&r, AAA);
    assert_string_equal(rig_screen(&r), TO_XEN);
    assert_null(r.to);
    assert_int_equal(vc_focus_id(&r.focus), 0);
    assert_int_equal(r.n_moved, 3);
}

static const struct {
    const char *name, *typed, *delivered;
    uint32_t focus; /* afterwards; it starts on domain 1 of 2 */
} switch_keys[] = {
    {"nothing special", "abc", "abc", 1},
    {"one, then another key", "\001x", "\001x", 1},
    {"two, then another key", "\001\001x", "\001\001x", 1},
    {"one is not yet delivered", "x\001", "x", 1},
    {"four: a switch and one that waits", AAA "\001", "", 2},
    {"nine: once round", AAA AAA AAA, "", 1},
    {"one, a key, two: no switch", "\001x\001\001", "\001x", 1},
    {"NUL and all the others", "\002\377\033", "\002\377\033", 1},
};

static void one_or_two_switch_characters_are_delivered(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(switch_keys); i++) {
        struct rig r;

        rig_init(&r, 2);
        vc_focus_start(&r.focus, 1);
        rig_type(&r, switch_keys[i].typed);
        if (strcmp(rig_read(&r, 1, 64), switch_keys[i].delivered) != 0)
            fail_msg("%s", switch_keys[i].name);
        assert_int_equal(vc_focus_id(&r.focus), switch_keys[i].focus);
    }
}

static void switch_characters_may_come_one_by_one(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 1);
    rig_type(&r, "\001");
    rig_type(&r, "\001");
    assert_int_equal(vc_focus_id(&r.focus), 0);
    rig_type(&r, "\001");
    assert_int_equal(vc_focus_id(&r.focus), 1);
}

static const struct {
    const char *word;
    int result;
    const char *keys, *message; /* typed in hypervisor focus, with one domain */
    uint32_t focus;
} conswitches[] = {
    {"a", VC_OK, AAA, TO_DOM1, 1},
    {"b", VC_OK, "\002\002\002", "*** Serial input to DOM1 (type 'CTRL-b' three times to switch input)\n", 1},
    {"b", VC_OK, AAA, "", 0},
    {"z", VC_OK, "\032\032\032", "*** Serial input to DOM1 (type 'CTRL-z' three times to switch input)\n", 1},
    {"", VC_OK, AAA, "", 0}, /* disabled: "Empty or conswitch[0] with code 0" */
    {"`", VC_EINVAL, AAA, TO_DOM1, 1},
    {"A", VC_EINVAL, AAA, TO_DOM1, 1},
    {"{", VC_EINVAL, AAA, TO_DOM1, 1},
};

static void conswitch_sets_the_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(conswitches); i++) {
        struct rig r;

        rig_init(&r, 1);
        assert_int_equal(vc_focus_conswitch(&r.focus, conswitches[i].word), conswitches[i].result);
        rig_type(&r, conswitches[i].keys);
        assert_string_equal(rig_screen(&r), conswitches[i].message);
        assert_int_equal(vc_focus_id(&r.focus), conswitches[i].focus);
    }
}

static void without_a_switch_key_the_message_names_none(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 1);
    vc_focus_conswitch(&r.focus, "");
    vc_focus_start(&r.focus, 1);
    vc_focus_start(&r.focus, 0);
    assert_string_equal(rig_screen(&r), "*** Serial input to DOM1\n*** Serial input to Xen\n");
}

static void start_gives_the_focus_to_whom_it_names(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    assert_int_equal(vc_focus_start(&r.focus, 3), VC_ENOENT);
    assert_int_equal(vc_focus_start(&r.focus, 2), VC_OK);
    assert_string_equal(rig_screen(&r), TO_DOM2);
}

static void notices_follow_the_message(void **state)
{
    struct rig r;
    struct vc_focus_domain web;
    struct door_lock lock = DOOR_LOCK(LOCK_DOMAIN);

    (void)state;
    rig_init(&r, 0);
    r.focus.notice = "h for help, q to quit";
    assert_int_equal(vc_focus_add(&r.focus, &web, 1, &lock, "d1 = web", &r), VC_OK);
    assert_ptr_equal(web.ctx, &r);
    vc_focus_start(&r.focus, 1);
    vc_focus_start(&r.focus, 0);
    assert_string_equal(rig_screen(&r), TO_DOM1 "d1 = web\n" TO_XEN "h for help, q to quit\n");
}

static void adding(void **state)
{
    struct rig r;
    struct vc_focus_domain d;
    struct vc_focus_config c = {.env = &rig_env, .typed = r.typed, .output = r.output};
    static const uint32_t bad[][2] = {{0, 4096}, {3, 4096}, {64, 0}, {64, 2048}, {64, 5000}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        c.typed_bytes = bad[i][0];
        c.output_bytes = bad[i][1];
        assert_int_equal(vc_focus_init(&r.focus, &c), VC_EINVAL);
    }
    rig_init(&r, 2);
    assert_int_equal(vc_focus_add(&r.focus, &d, 0, NULL, NULL, NULL), VC_EINVAL);
    assert_int_equal(vc_focus_add(&r.focus, &d, 2, NULL, NULL, NULL), VC_EBUSY);
}

static void hypervisor_keys(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    r.start_on_key = 2;
    rig_type(&r, "h\001d");
    assert_string_equal(r.keys, "h\001d");
    rig_type(&r, "xsyz"); /* s gives the focus away: what follows is the domain's */
    assert_string_equal(r.keys, "h\001dxs");
    assert_string_equal(rig_read(&r, 2, 64), "yz");
}

static void only_the_domain_in_focus_reads(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "hello");
    assert_string_equal(r.inputs, "1"); /* its own notification, nobody else's */
    assert_string_equal(rig_read(&r, 2, 64), "");
    assert_string_equal(rig_read(&r, 1, 2), "he");
    assert_string_equal(rig_read(&r, 1, 64), "llo");
    assert_string_equal(rig_read(&r, 1, 64), "");
    rig_balance(&r, 1, 0);
}

static void unread_input_is_discarded_at_the_switch(void **state)
{
    struct rig r;
    struct vc_focus_counts c;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "secret" AAA);
    assert_string_equal(rig_read(&r, 2, 64), "");
    rig_type(&r, "two" AAA AAA); /* by Xen back to 1 */
    assert_string_equal(rig_read(&r, 1, 64), "");
    c = vc_focus_count(&r.focus, &r.domains[0]);
    assert_int_equal(c.discarded, 6);
    assert_int_equal(vc_focus_count(&r.focus, &r.domains[1]).discarded, 3);
    rig_balance(&r, 1, 0);
    rig_balance(&r, 2, 0);
}

static void a_full_typed_ring_drops_the_newest_and_counts(void **state)
{
    struct rig r;
    char much[101];
    struct vc_focus_counts c;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        much[i] = (char)(' ' + i % 90);
    much[100] = '\0';
    rig_init(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, much);
    c = vc_focus_count(&r.focus, &r.domains[0]);
    assert_int_equal(c.typed, 100);
    assert_int_equal(c.overflow, 36); /* the ring of this test has 64 */
    rig_balance(&r, 1, 64);
    assert_memory_equal(rig_read(&r, 1, 100), much, 64);
    rig_balance(&r, 1, 0);
}

static void refused_keys(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    vc_focus_refuse(&r.focus, &r.domains[0], true);
    rig_type(&r, "abc");
    assert_string_equal(r.refusals, "1");
    assert_string_equal(r.inputs, "");
    assert_string_equal(rig_read(&r, 1, 64), "");
    assert_int_equal(vc_focus_count(&r.focus, &r.domains[0]).refused, 3);
    assert_int_equal(vc_focus_count(&r.focus, &r.domains[0]).typed, 0);
    rig_type(&r, AAA); /* the focus still moves */
    assert_int_equal(vc_focus_id(&r.focus), 2);
    vc_focus_start(&r.focus, 1);
    vc_focus_refuse(&r.focus, &r.domains[0], false);
    rig_type(&r, "d");
    assert_string_equal(rig_read(&r, 1, 64), "d");
}

/* "A domain that dies loses the focus." */
static void a_domain_that_dies_loses_the_focus(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_type(&r, "unread");
    rig_screen(&r);
    rig_write(&r, 1, "panic");
    vc_focus_remove(&r.focus, &r.domains[0]);
    assert_string_equal(rig_screen(&r), "panic\n" TO_XEN);
    assert_int_equal(r.domains[0].counts.discarded, 6);
    rig_type(&r, "h");
    assert_string_equal(r.keys, "h");
    /* A new domain of the same id does not inherit anything. */
    assert_int_equal(vc_focus_add(&r.focus, &r.domains[0], 1, &r.domain_locks[0], NULL, NULL), VC_OK);
    assert_int_equal(vc_focus_id(&r.focus), 0);
}

static void a_domain_that_dies_out_of_focus_ends_its_line(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    rig_write(&r, 2, "last wor");
    vc_focus_remove(&r.focus, &r.domains[1]);
    assert_string_equal(rig_screen(&r), "(d2) last wor\n");
    assert_int_equal(vc_focus_id(&r.focus), 1);
}

static const struct {
    const char *name, *written, *shown;
} disciplines[] = {
    {"a line", "hello\n", "(d2) hello\n"},
    {"two lines at once", "a\nb\n", "(d2) a\n(d2) b\n"},
    {"half a line waits", "hel", ""},
    {"an empty line", "\n", "(d2) \n"},
    {"tab stays", "a\tb\n", "(d2) a\tb\n"},
    {"CR and ESC do not", "\033[31mred\r\n", "(d2) [31mred\n"},
    {"nor anything above 7e", "a\177b\200c\377d\n", "(d2) abcd\n"},
    {"nor a bell, nor 8-bit CSI", "\a\233x\n", "(d2) x\n"},
};

/* Xen ABI 2.2: kept are printable ASCII, LF and TAB. */
static void out_of_focus_lines_are_stripped_and_prefixed(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(disciplines); i++) {
        struct rig r;

        rig_init(&r, 2);
        rig_write(&r, 2, disciplines[i].written);
        if (strcmp(rig_screen(&r), disciplines[i].shown) != 0)
            fail_msg("%s: %s", disciplines[i].name, r.screen);
    }
}

static void lines_stay_whole_however_they_are_written(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 3);
    for (const char *p = "one\ntwo\n", *q = "1st\n2nd\n"; *p != '\0'; p++, q++) {
        vc_focus_write(&r.focus, &r.domains[1], p, 1);
        vc_focus_write(&r.focus, &r.domains[2], q, 1);
    }
    assert_string_equal(rig_screen(&r), "(d2) one\n(d3) 1st\n(d2) two\n(d3) 2nd\n");
}

/* "A line is emitted at LF, or when … reaches 255." */
static void a_long_line_is_cut_at_255(void **state)
{
    char text[600], expected[700];
    struct rig r;

    (void)state;
    memset(text, 'x', sizeof text);
    rig_init(&r, 2);
    vc_focus_write(&r.focus, &r.domains[1], text, 255);
    vc_focus_write(&r.focus, &r.domains[1], "\n", 1); /* just fits: one line and no empty one */
    snprintf(expected, sizeof expected, "(d2) %.255s\n", text);
    assert_string_equal(rig_screen(&r), expected);
    vc_focus_write(&r.focus, &r.domains[1], text, 520);
    vc_focus_write(&r.focus, &r.domains[1], "\n", 1);
    snprintf(expected, sizeof expected, "(d2) %.255s\n(d2) %.255s\n(d2) xxxxxxxxxx\n", text, text);
    assert_string_equal(rig_screen(&r), expected);
}

static void the_domain_in_focus_writes_as_it_is(void **state)
{
    static const char all[] = "\033[2J\a\r\200\n# ";
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    rig_write(&r, 1, all);
    assert_string_equal(rig_screen(&r), all);
}

static void a_partial_line_comes_first_when_the_focus_arrives(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    rig_write(&r, 2, "login: ");
    assert_string_equal(rig_screen(&r), "");
    vc_focus_start(&r.focus, 2);
    assert_string_equal(rig_screen(&r), TO_DOM2 "login: ");
    rig_write(&r, 2, "root\n");
    assert_string_equal(rig_screen(&r), "root\n");
}

static void an_open_line_is_closed_before_a_message_or_prefix(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    rig_write(&r, 1, "# ");
    rig_write(&r, 2, "news\n");
    rig_write(&r, 1, "ls");
    vc_focus_print(&r.focus, "(XEN) quit? ");
    rig_type(&r, AAA);
    assert_string_equal(rig_screen(&r), "# \n(d2) news\nls\n(XEN) quit? \n" TO_DOM2);
}

static void cooked_output_has_a_cr_before_each_lf(void **state)
{
    struct rig r;

    (void)state;
    rig_init_cooked(&r, 2, true);
    vc_focus_conswitch(&r.focus, "");
    vc_focus_start(&r.focus, 1);
    rig_write(&r, 1, "a\nb\r\nc\r");
    rig_write(&r, 1, "\n\n");
    rig_write(&r, 2, "x\n");
    assert_string_equal(rig_screen(&r), "*** Serial input to DOM1\r\na\r\nb\r\nc\r\n\r\n(d2) x\r\n");
}

/* Two LFs at all places of texts of all lengths, some in the middle of what is looked at together, beside bytes that differ by a bit. */
static void cooked_wherever_the_lf_is(void **state)
{
    static const char others[] = "\x0b\x8a\x0e\x01\xff\x00z";
    struct rig r;

    (void)state;
    rig_init_cooked(&r, 1, true);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    for (uint32_t n = 1; n <= 20; n++)
        for (uint32_t a = 0; a < n; a++)
            for (uint32_t b = a; b < n; b++) {
                uint8_t said[20], wanted[64], got[64];
                uint32_t w = 0;

                for (uint32_t i = 0; i < n; i++) {
                    said[i] = i == a || i == b ? '\n' : (uint8_t)others[i % (sizeof others - 1)];
                    if (said[i] == '\n')
                        wanted[w++] = '\r';
                    wanted[w++] = said[i];
                }
                vc_focus_write(&r.focus, &r.domains[0], said, n);
                assert_int_equal(vc_focus_take(&r.focus, got, sizeof got), w);
                assert_memory_equal(got, wanted, w);
            }
}

static void ready_is_told_once_until_all_is_taken(void **state)
{
    struct rig r;
    char two[2];

    (void)state;
    rig_init(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    r.n_ready = 0;
    rig_write(&r, 1, "abc");
    rig_write(&r, 1, "def");
    assert_int_equal(r.n_ready, 1);
    assert_int_equal(vc_focus_take(&r.focus, two, 2), 2);
    assert_memory_equal(two, "ab", 2);
    rig_write(&r, 1, "g");
    assert_int_equal(r.n_ready, 1);
    assert_string_equal(rig_screen(&r), "cdefg");
    rig_write(&r, 1, "h");
    assert_int_equal(r.n_ready, 2);
}

static void write_lines(struct rig *r, uint32_t id, unsigned n)
{
    char line[40];

    for (unsigned i = 0; i < n; i++) {
        snprintf(line, sizeof line, "line %u\n", i);
        rig_write(r, id, line);
    }
}

/* Nobody waits for a terminal that does not move; what is skipped is marked, and the marks add up. */
static void a_stuck_terminal_skips_and_marks(void **state)
{
    struct rig r;
    const char *screen, *at;
    uint64_t not_shown;

    (void)state;
    rig_init(&r, 2);
    write_lines(&r, 2, 1000);
    not_shown = vc_focus_count(&r.focus, &r.domains[1]).not_shown;
    assert_true(not_shown > 0);
    screen = rig_screen(&r);
    assert_memory_equal(screen, "(d2) line 0\n(d2) line 1\n", 24);
    at = strstr(screen, "not shown from here on");
    assert_non_null(at);
    assert_null(strstr(at + 1, "not shown")); /* said once */
    rig_write(&r, 2, "after\n");
    screen = rig_screen(&r);
    assert_int_equal(strtoull(strstr(screen, "(d2) [vcons: ") + 13, NULL, 10), not_shown);
    assert_non_null(strstr(screen, " bytes not shown]\n(d2) after\n"));
    assert_int_equal(vc_focus_count(&r.focus, &r.domains[1]).not_shown, not_shown);
}

/* One that floods neither keeps another from being shown nor the hypervisor, and costs little to skip. */
static void a_budget_for_those_out_of_focus(void **state)
{
    struct rig r;
    uint32_t shown = 0;
    unsigned calls;

    (void)state;
    rig_init(&r, 3);
    vc_focus_start(&r.focus, 1);
    for (unsigned i = 0; i < 20000; i++) {
        rig_write(&r, 2, "flood flood flood\n");
        rig_screen(&r);
        shown += r.n_screen;
    }
    assert_true(shown > VC_FOCUS_LINES_BYTES && shown < 3 * VC_FOCUS_LINES_BYTES);
    rig_write(&r, 3, "quiet\n");
    assert_string_equal(rig_screen(&r), "(d3) quiet\n");
    calls = r.n_now;
    rig_write(&r, 2, "still\n");
    assert_int_equal(r.n_now - calls, 1);
    assert_string_equal(rig_screen(&r), "");
    r.now_ms += VC_FOCUS_BUDGET_MS;
    rig_write(&r, 2, "a second later\n");
    assert_non_null(strstr(rig_screen(&r), "bytes not shown]\n(d2) a second later\n"));
}

/* In focus the limit is more than anybody can see; it keeps a flood from filling the log of the terminal itself. */
static void a_budget_for_the_domain_in_focus(void **state)
{
    static char much[4000];
    struct rig r;
    uint64_t shown = 0, not_shown;
    unsigned writes = 0;

    (void)state;
    memset(much, 'y', sizeof much - 1);
    rig_init(&r, 1);
    r.domains[0].raw.since_ms = r.now_ms;
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    for (; writes < 4000; writes++) {
        vc_focus_write(&r.focus, &r.domains[0], much, 2500);
        rig_screen(&r);
        shown += strspn(r.screen, "y");
        if (r.n_screen > 0 && r.screen[r.n_screen - 1] == '\n')
            assert_string_equal(strchr(r.screen, '\n') + 1, "[vcons: too much at once; not shown from here on]\n");
    }
    assert_int_equal(shown, VC_FOCUS_RAW_BYTES);
    not_shown = vc_focus_count(&r.focus, &r.domains[0]).not_shown;
    assert_int_equal(shown + not_shown, 4000 * 2500);
    r.now_ms += VC_FOCUS_BUDGET_MS;
    rig_write(&r, 1, "# ");
    rig_screen(&r);
    assert_memory_equal(r.screen, "[vcons: ", 8);
    assert_int_equal(strtoull(r.screen + 8, NULL, 10), not_shown);
    assert_string_equal(strchr(r.screen, ']'), "]\n# ");
}

/* A flood without LF, and one whose last line is cut: the beginning of that line is not lost. */
static void what_follows_a_skipped_flood_starts_at_a_line(void **state)
{
    char flood[6000];
    struct rig r;
    const char *screen;

    (void)state;
    memset(flood, 'x', sizeof flood);
    for (unsigned i = 99; i < sizeof flood; i += 100)
        flood[i] = '\n';
    rig_init(&r, 2);
    r.domains[1].lines.left = 0;
    r.domains[1].lines.since_ms = r.now_ms;
    vc_focus_write(&r.focus, &r.domains[1], flood, sizeof flood);
    rig_write(&r, 2, "head of ");
    r.now_ms += VC_FOCUS_BUDGET_MS;
    rig_write(&r, 2, "a line\n");
    screen = rig_screen(&r);
    assert_string_equal(screen, "(d2) [vcons: too much at once; not shown from here on]\n"
                                "(d2) [vcons: 6000 bytes not shown]\n(d2) head of a line\n");
    r.domains[1].lines.left = 0;
    memset(flood, 'x', sizeof flood);
    vc_focus_write(&r.focus, &r.domains[1], flood, sizeof flood);
    r.now_ms += VC_FOCUS_BUDGET_MS;
    rig_write(&r, 2, "\n");
    screen = strstr(rig_screen(&r), "[vcons: 5"); /* but for the rest of under 256 bytes, which is shown */
    assert_non_null(screen);
}

static void a_stuck_terminal_in_focus(void **state)
{
    static char much[10000];
    struct rig r;
    const char *screen;
    uint64_t not_shown;

    (void)state;
    memset(much, 'y', sizeof much - 1);
    rig_init(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_write(&r, 1, much);
    not_shown = vc_focus_count(&r.focus, &r.domains[0]).not_shown;
    assert_true(not_shown >= 9999 - 4096);
    rig_write(&r, 1, "z"); /* still full */
    assert_int_equal(vc_focus_count(&r.focus, &r.domains[0]).not_shown, not_shown + 1);
    screen = rig_screen(&r);
    assert_int_equal(strspn(strchr(screen, '\n') + 1, "y"), 9999 - not_shown);
    /* When the terminal has caught up it is told, even if the domain never says another word. */
    screen = strstr(screen, "\n[vcons: ");
    assert_non_null(screen);
    assert_int_equal(strtoull(screen + 9, NULL, 10), not_shown + 1);
    assert_string_equal(strchr(screen, ']'), "]\n");
    rig_write(&r, 1, "# ");
    assert_string_equal(rig_screen(&r), "# ");
}

/* Cooked, each LF may take two places: what fits is still counted to the byte. */
static void a_stuck_terminal_cooked(void **state)
{
    static char lines[10000];
    struct rig r;
    uint64_t not_shown;
    uint32_t shown = 0;

    (void)state;
    memset(lines, '\n', sizeof lines - 1);
    rig_init_cooked(&r, 1, true);
    vc_focus_start(&r.focus, 1);
    rig_screen(&r);
    rig_write(&r, 1, lines);
    not_shown = vc_focus_count(&r.focus, &r.domains[0]).not_shown;
    for (const char *p = rig_screen(&r); *p != '['; p++) /* up to the mark */
        shown += *p == '\n';
    assert_int_equal(shown + not_shown, 9999);
    assert_int_equal(shown, 4096 * 3 / 4 / 2);
}

/* A domain that goes says what it could not show, if there is room to say it; there never is more than the buffer holds. */
static void gone_with_a_full_buffer(void **state)
{
    static char much[10000];
    struct rig r;

    (void)state;
    memset(much, 'y', sizeof much - 1);
    rig_init(&r, 2);
    vc_focus_start(&r.focus, 1);
    rig_write(&r, 1, much);
    for (unsigned n = 0; n < 100; n++)
        vc_focus_print(&r.focus, "(XEN) 0123456789 0123456789 0123456789 0123456789\n");
    for (unsigned n = 0; n < 100; n++) {
        rig_write(&r, 2, "a\nb\n");
        vc_focus_remove(&r.focus, &r.domains[1]);
        assert_true(r.focus.output_prod - r.focus.output_cons <= sizeof r.output);
        assert_int_equal(vc_focus_add(&r.focus, &r.domains[1], 2, &r.domain_locks[1], NULL, NULL), VC_OK);
    }
    rig_screen(&r);
    assert_memory_equal(strchr(r.screen, '\n') + 1, much, 1500);
}

/* A quarter of the buffer is the hypervisor's; beyond, its text too is skipped and counted. */
static void the_hypervisor_speaks_over_a_flood(void **state)
{
    static char much[10000];
    struct rig r;
    unsigned n = 0;

    (void)state;
    memset(much, 'y', sizeof much - 1);
    rig_init(&r, 1);
    vc_focus_start(&r.focus, 1);
    rig_write(&r, 1, much);
    vc_focus_print(&r.focus, "(XEN) still here\n");
    assert_non_null(strstr(rig_screen(&r), "\n(XEN) still here\n"));
    for (; n < 1000; n++)
        vc_focus_print(&r.focus, "(XEN) 0123456789\n");
    rig_screen(&r);
    assert_true(r.n_screen % 17 == 0 && r.n_screen < sizeof r.output);
    vc_focus_print(&r.focus, "(XEN) well\n");
    rig_screen(&r);
    assert_memory_equal(r.screen, "[vcons: ", 8);
    assert_string_equal(strchr(r.screen, ']'), "]\n(XEN) well\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ctrl_a_three_times_goes_round),
        cmocka_unit_test(one_or_two_switch_characters_are_delivered),
        cmocka_unit_test(switch_characters_may_come_one_by_one),
        cmocka_unit_test(conswitch_sets_the_key),
        cmocka_unit_test(without_a_switch_key_the_message_names_none),
        cmocka_unit_test(start_gives_the_focus_to_whom_it_names),
        cmocka_unit_test(notices_follow_the_message),
        cmocka_unit_test(adding),
        cmocka_unit_test(hypervisor_keys),
        cmocka_unit_test(only_the_domain_in_focus_reads),
        cmocka_unit_test(unread_input_is_discarded_at_the_switch),
        cmocka_unit_test(a_full_typed_ring_drops_the_newest_and_counts),
        cmocka_unit_test(refused_keys),
        cmocka_unit_test(a_domain_that_dies_loses_the_focus),
        cmocka_unit_test(a_domain_that_dies_out_of_focus_ends_its_line),
        cmocka_unit_test(out_of_focus_lines_are_stripped_and_prefixed),
        cmocka_unit_test(lines_stay_whole_however_they_are_written),
        cmocka_unit_test(a_long_line_is_cut_at_255),
        cmocka_unit_test(the_domain_in_focus_writes_as_it_is),
        cmocka_unit_test(a_partial_line_comes_first_when_the_focus_arrives),
        cmocka_unit_test(an_open_line_is_closed_before_a_message_or_prefix),
        cmocka_unit_test(cooked_output_has_a_cr_before_each_lf),
        cmocka_unit_test(cooked_wherever_the_lf_is),
        cmocka_unit_test(ready_is_told_once_until_all_is_taken),
        cmocka_unit_test(a_stuck_terminal_skips_and_marks),
        cmocka_unit_test(a_budget_for_those_out_of_focus),
        cmocka_unit_test(a_budget_for_the_domain_in_focus),
        cmocka_unit_test(what_follows_a_skipped_flood_starts_at_a_line),
        cmocka_unit_test(a_stuck_terminal_in_focus),
        cmocka_unit_test(a_stuck_terminal_cooked),
        cmocka_unit_test(gone_with_a_full_buffer),
        cmocka_unit_test(the_hypervisor_speaks_over_a_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
