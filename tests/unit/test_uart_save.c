/* SPDX-License-Identifier: MIT */
/* UARTs saved in the middle of anything and restored: a driver sees no difference, and a saved state is not believed. */
#include "unit.h"
#include <setjmp.h>

#include <stdlib.h>
#include <vcons/ns16550.h>
#include <vcons/pl011.h>
#include <vcons/save.h>

#include "uart_verbs.h"

enum { HEAD = VC_SAVE_HEAD_BYTES, BYTES_MAX = VC_SAVE_PL011_BYTES };
_Static_assert(VC_SAVE_PL011_BYTES >= VC_SAVE_16550_BYTES, "one buffer for both");

/* One UART of any kind, and what it is embedded in. */
struct any {
    struct uart_rig rig;
    const struct uart_verbs *verbs;
    union {
        struct vc_pl011 pl011;
        struct vc_16550 ns16550;
    } u;
};
enum kind { FULL = VC_PL011_FULL, SBSA = VC_PL011_SBSA, PC };

static void any_init(struct any *a, enum kind kind)
{
    memset(a, 0, sizeof *a);
    a->rig = (struct uart_rig){.uart = &a->u, .room = UINT32_MAX};
    a->verbs = kind == PC ? &ns16550_verbs : &pl011_verbs;
    if (kind == PC)
        vc_16550_init(&a->u.ns16550, &rig_env, &a->rig);
    else
        vc_pl011_init(&a->u.pl011, (enum vc_pl011_type)kind, &rig_env, &a->rig);
}

static size_t any_save(const struct any *a, uint8_t *bytes, size_t size)
{
    struct vc_writer w;

    vc_writer_init(&w, bytes, size);
    a->verbs->save(&a->u, &w);
    return vc_writer_ok(&w) ? w.n : 0;
}

/* The bytes are the heap's, and as many as there are: the sanitizer sees who reads on. */
static int any_restore(struct any *a, const uint8_t *from, size_t n)
{
    uint8_t *bytes = malloc(n);
    struct vc_reader r;
    struct vc_section s;
    bool there;
    int error;

    memcpy(bytes, from, n);
    vc_reader_init(&r, bytes, n);
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    error = a->verbs->restore(&a->u, &s);
    free(bytes);
    return error;
}

/* What is done before, and what must be seen after. */
static const struct {
    enum kind kind;
    struct uart_row before, after;
} rows[] = {
    {FULL,
     {"PL011: registers",
      {W(UARTCR, 0xff05), W(UARTIBRD, 0x1234), W(UARTFBRD, 0x2a), W(UARTLCR_H, 0x7e), W(UARTIFLS, 0x24),
       W(UARTIMSC, 0x5a5), W(UARTILPR, 0x77), W(UARTDMACR, 5)}},
     {"PL011: registers",
      {R(UARTCR, 0xff05), R(UARTIBRD, 0x1234), R(UARTFBRD, 0x2a), R(UARTLCR_H, 0x7e), R(UARTIFLS, 0x24),
       R(UARTIMSC, 0x5a5), R(UARTILPR, 0x77), R(UARTDMACR, 5), R(UARTRIS, 0), IRQ(0), TIMER(0)}}},
    {FULL,
     {"PL011: in mid transmission", {W(UARTLCR_H, 0x70), W(UARTIMSC, 0x20), LET(0), SEND(UARTDR, 20), W(UARTDR, 'z')}},
     {"PL011: in mid transmission",
      {R(UARTFR, 0x17), IRQ(0), OUT(""), ROOM(5), IRQ(1), OUT("xxxxx"), ROOM(99), OUT("xxxxxxxxxxxxxxxz"),
       R(UARTFR, 0x97)}}},
    {FULL,
     {"PL011: the interrupt line is high", {W(UARTIMSC, 0x20), W(UARTDR, 'a')}},
     {"PL011: the interrupt line is high", {IRQ(1), R(UARTMIS, 0x20), W(UARTICR, 0x20), IRQ(0)}}},
    {FULL,
     {"PL011: bytes received, errors, an overrun to tell, the timer",
      {W(UARTLCR_H, 0x70), W(UARTCR, 0x301), W(UARTIMSC, 0x40), IN("ab", 2), BRK(1), R(UARTDR, 'a'), LOSS()}},
     {"PL011: bytes received, errors, an overrun to tell, the timer",
      {TIMER(277777), IN("c", 1), R(UARTRIS, 0x600), R(UARTRSR, 8), R(UARTDR, 'b'), R(UARTDR, 0x400), R(UARTRSR, 0xc),
       R(UARTDR, 0x863), IRQ(0)}}},
    {FULL,
     {"PL011: shown full, and TX to come", {W(UARTLCR_H, 0x70), POLLED(32), W(UARTICR, 0x20), R(UARTFR, 0x37)}},
     {"PL011: shown full, and TX to come", {W(UARTICR, 0x20), R(UARTRIS, 0x20), W(UARTICR, 0x20), R(UARTRIS, 0)}}},
    {FULL,
     {"PL011: a time-out latched", {W(UARTLCR_H, 0x70), W(UARTCR, 0x301), W(UARTIMSC, 0x40), IN("a", 1), FIRE()}},
     {"PL011: a time-out latched", {IRQ(1), TIMER(0), R(UARTDR, 'a'), IRQ(0)}}},
    {FULL,
     {"PL011: the divisor in force is not that of the registers",
      {W(UARTIBRD, 13), W(UARTFBRD, 1), W(UARTLCR_H, 0x70), W(UARTIBRD, 99), W(UARTCR, 0x301), IN("a", 1)}},
     {"PL011: the divisor in force is not that of the registers", {TIMER(277666), R(UARTIBRD, 99)}}},
    {FULL,
     {"PL011: wires from outside, and loopback",
      {MODEM(0x102), W(UARTICR, 0x7ff), W(UARTCR, 0xc81), W(UARTICR, 0x7ff)}},
     {"PL011: wires from outside, and loopback",
      {R(UARTRIS, 0), R(UARTFR, 0x93), W(UARTCR, 1), R(UARTFR, 0x192), R(UARTRIS, 3)}}},
    {FULL,
     {"PL011: full both ways",
      {W(UARTLCR_H, 0x70), W(UARTCR, 0x301), LET(0), SEND(UARTDR, 32), IN("0123456789abcdef0123456789abcdef", 32)}},
     {"PL011: full both ways",
      {R(UARTFR, 0x67), TAKE(UARTDR, 31), R(UARTDR, 'f'), ROOM(99), OUT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")}}},
    {SBSA,
     {"SBSA", {W(UARTIMSC, 0x7f0), LET(0), SEND(UARTDR, 32), IN("ab", 2), BRK(1)}},
     {"SBSA",
      {IRQ(1), R(UARTIMSC, 0x7f0), R(UARTFR, 0x20), R(UARTDR, 'a'), R(UARTDR, 'b'), R(UARTDR, 0x400), ROOM(16), IRQ(1),
       W(UARTICR, 0x200), R(UARTMIS, 0x20)}}},
    {PC,
     {"16550: registers",
      {W(UART_LCR, 0x83), W(UART_DATA, 0x34), W(UART_IER, 0x12), W(UART_LCR, 0x1b), W(UART_IIR, 0x89),
       W(UART_IER, 0x0d), W(UART_MCR, 0x0b), W(UART_SCR, 0xa5)}},
     {"16550: registers",
      {R(UART_LCR, 0x1b), R(UART_IER, 0x0d), R(UART_MCR, 0x0b), R(UART_SCR, 0xa5), R(UART_IIR, 0xc1), R(UART_MSR, 0xb0),
       W(UART_LCR, 0x83), R(UART_DATA, 0x34), R(UART_IER, 0x12), IRQ(0), TIMER(0)}}},
    {PC,
     {"16550: FIFOs switched off", {W(UART_IIR, 0xc1), W(UART_IIR, 0xc6)}},
     {"16550: FIFOs switched off", {R(UART_IIR, 1), IN("ab", 1)}}},
    {PC,
     {"16550: in mid transmission", {W(UART_IIR, 1), W(UART_IER, 2), LET(0), SEND(UART_DATA, 15), W(UART_DATA, 'z')}},
     {"16550: in mid transmission",
      {R(UART_LSR, 0), IRQ(0), ROOM(99), IRQ(1), OUT("xxxxxxxxxxxxxxxz"), R(UART_IIR, 0xc2), R(UART_IIR, 0xc1)}}},
    {PC,
     {"16550: THR empty, told and not told", {W(UART_IER, 2)}},
     {"16550: THR empty, told and not told", {IRQ(1), R(UART_IIR, 2), IRQ(0)}}},
    {PC,
     {"16550: THR empty was told", {W(UART_IER, 2), R(UART_IIR, 2)}},
     {"16550: THR empty was told", {IRQ(0), R(UART_IIR, 1), W(UART_DATA, 'a'), IRQ(1)}}},
    {PC,
     {"16550: received, a break behind, the timer", {W(UART_IIR, 0xc1), W(UART_IER, 5), IN("ab", 2), BRK(1)}},
     {"16550: received, a break behind, the timer",
      {TIMER(2916666), IRQ(0), R(UART_LSR, 0xe1), FIRE(), IRQ(1), R(UART_DATA, 'a'), R(UART_DATA, 'b'),
       R(UART_LSR, 0xf1), R(UART_DATA, 0)}}},
    {PC,
     {"16550: a time-out, errors and deltas not read", {W(UART_IIR, 0xc1), IN("a", 1), FIRE(), LOSS(), MODEM(0x30)}},
     {"16550: a time-out, errors and deltas not read",
      {W(UART_IER, 0xf), R(UART_IIR, 0xc6), R(UART_LSR, 0x63), R(UART_IIR, 0xcc), R(UART_DATA, 'a'), R(UART_IIR, 0xc2),
       R(UART_IIR, 0xc0), R(UART_MSR, 0x38), R(UART_IIR, 0xc1)}}},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct any from, to;
        uint8_t bytes[BYTES_MAX], again[BYTES_MAX];
        size_t n;

        any_init(&from, rows[i].kind);
        any_init(&to, rows[i].kind);
        uart_run_row(&from.rig, from.verbs, &rows[i].before);
        n = any_save(&from, bytes, sizeof bytes);
        assert_true(n > 0);
        if (any_restore(&to, bytes, n) != VC_OK)
            fail_msg("%s: refused", rows[i].before.name);
        assert_int_equal(to.rig.n_out, 0);
        assert_int_equal(any_save(&to, again, sizeof again), n);
        assert_memory_equal(bytes, again, n);
        uart_run_row(&to.rig, to.verbs, &rows[i].after);
    }
}

/* The bytes as save.h has them. */
static void test_layout(void **state)
{
    static const struct uart_row full = {"layout",
                                         {W(UARTLCR_H, 0x70), W(UARTCR, 0x301), IN("a", 1), LET(0), W(UARTDR, 'z')}},
                                 pc = {"layout", {W(UART_IIR, 0x41), IN("a", 1), LET(0), W(UART_DATA, 'z')}};
    static const uint32_t full_wanted[] =
        {VC_SAVE_PL011, 1, 16 * 4 + 4 + 1, 0, 0, 0x301, 0x70, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 7, 0, 1, 1, 'a'},
                          pc_wanted[] = {
                              VC_SAVE_16550, 1, 12 * 4 + 4 + 1, 0, 0, 0x41, 0, 0, 0, 12, 0, 0, 0xb0, 0, 1, 1, 'a'};
    struct any a;
    uint8_t bytes[BYTES_MAX];

    (void)state;
    any_init(&a, FULL);
    uart_run_row(&a.rig, a.verbs, &full);
    assert_int_equal(any_save(&a, bytes, sizeof bytes), sizeof full_wanted + 1);
    assert_memory_equal(bytes, full_wanted, sizeof full_wanted); /* on a little-endian machine */
    assert_int_equal(bytes[sizeof full_wanted], 'z');
    any_init(&a, PC);
    uart_run_row(&a.rig, a.verbs, &pc);
    assert_int_equal(any_save(&a, bytes, sizeof bytes), sizeof pc_wanted + 1);
    assert_memory_equal(bytes, pc_wanted, sizeof pc_wanted);
    assert_int_equal(bytes[sizeof pc_wanted], 'z');
}

/* A state that no UART can be in. at: of u32 in the body. */
static const struct {
    const char *name;
    enum kind kind;
    uint32_t at, value;
} refused[] = {
    {"PL011: another type", FULL, 0, 1},
    {"PL011: no type", FULL, 0, 2},
    {"PL011: CR bit 3", FULL, 1, 0x308},
    {"PL011: CR bit 16", FULL, 1, 0x10000},
    {"PL011: LCR_H", FULL, 2, 0x170},
    {"PL011: character mode, and FIFOs that hold more", FULL, 2, 0x60},
    {"PL011: IBRD", FULL, 3, 0x10000},
    {"PL011: FBRD", FULL, 4, 0x40},
    {"PL011: IFLS", FULL, 5, 0x40},
    {"PL011: IMSC", FULL, 6, 0x800},
    {"PL011: ILPR", FULL, 7, 0x100},
    {"PL011: DMACR", FULL, 8, 8},
    {"PL011: RSR", FULL, 9, 0x10},
    {"PL011: divisor", FULL, 10, 0x400000},
    {"PL011: RX latched", FULL, 11, 0x10},
    {"PL011: TX latched above the trigger", FULL, 11, 0x20},
    {"PL011: RIS bit 11", FULL, 11, 0x800},
    {"PL011: wires", FULL, 12, 8},
    {"PL011: more than overrun and a TX owed", FULL, 13, 4},
    {"PL011: 33 received", FULL, 14, 33},
    {"PL011: 2^31 received", FULL, 14, 0x80000000},
    {"PL011: fewer than there are", FULL, 14, 1},
    {"PL011: more than there are", FULL, 14, 3},
    {"PL011: 33 unsent", FULL, 15, 33},
    {"PL011: 2^32 - 1 unsent", FULL, 15, 0xffffffff},
    {"PL011: an entry of 13 bits", FULL, 16, 0x1000},
    {"PL011: an entry of 32 bits", FULL, 17, 0x80000061},
    {"SBSA: as a PL011", SBSA, 0, 0},
    {"SBSA: switched off", SBSA, 1, 0x300},
    {"SBSA: loopback", SBSA, 1, 0x381},
    {"SBSA: character mode", SBSA, 2, 0x60},
    {"SBSA: a break", SBSA, 2, 0x71},
    {"SBSA: IBRD", SBSA, 3, 1},
    {"SBSA: FBRD", SBSA, 4, 1},
    {"SBSA: another trigger", SBSA, 5, 0},
    {"SBSA: modem interrupts", SBSA, 6, 1},
    {"SBSA: ILPR", SBSA, 7, 1},
    {"SBSA: DMACR", SBSA, 8, 1},
    {"SBSA: divisor", SBSA, 10, 1},
    {"SBSA: a wire's change", SBSA, 11, 1},
    {"SBSA: a wire", SBSA, 12, 1},
    {"16550: IER", PC, 0, 0x10},
    {"16550: FCR bit 1", PC, 1, 0x43},
    {"16550: FCR without bit 0", PC, 1, 0x40},
    {"16550: character mode, and FIFOs that hold more", PC, 1, 0},
    {"16550: LCR", PC, 2, 0x100},
    {"16550: MCR", PC, 3, 0x20},
    {"16550: SCR", PC, 4, 0x100},
    {"16550: divisor", PC, 5, 0x10000},
    {"16550: LSR bit 0", PC, 6, 1},
    {"16550: LSR bit 5", PC, 6, 0x20},
    {"16550: MSR", PC, 7, 0x10},
    {"16550: wires", PC, 8, 1},
    {"16550: flags", PC, 9, 4},
    {"16550: empty, with bytes unsent", PC, 9, 1},
    {"16550: 17 received", PC, 10, 17},
    {"16550: nothing received, yet too old", PC, 10, 0},
    {"16550: 17 unsent", PC, 11, 17},
    {"16550: OE in an entry", PC, 12, 0x161},
    {"16550: an entry of 13 bits", PC, 12, 0x1061},
};

/* Two bytes received, 17 or 2 unsent, of which each row spoils one number. */
static size_t busy(enum kind kind, uint8_t bytes[BYTES_MAX])
{
    static const struct uart_row arm = {"busy",
                                        {W(UARTLCR_H, 0x70), W(UARTCR, 0x301), LET(0), SEND(UARTDR, 17), IN("ab", 2)}},
                                 pc = {"busy", {W(UART_IIR, 0xc1), LET(0), SEND(UART_DATA, 2), IN("ab", 2), FIRE()}};
    struct any a;

    any_init(&a, kind);
    uart_run_row(&a.rig, a.verbs, kind == PC ? &pc : &arm);
    return any_save(&a, bytes, BYTES_MAX);
}

static void must_refuse(const char *name, enum kind kind, const uint8_t *bytes, size_t n)
{
    struct any a, before;

    any_init(&a, kind);
    before = a;
    if (any_restore(&a, bytes, n) != VC_EINVAL || memcmp(&a.u, &before.u, sizeof a.u) != 0 || a.rig.irq ||
        a.rig.timers != 0)
        fail_msg("taken: %s", name);
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(refused); i++) {
        uint8_t bytes[BYTES_MAX];
        size_t n = busy(refused[i].kind, bytes);

        memcpy(bytes + HEAD + 4 * refused[i].at, &refused[i].value, 4);
        must_refuse(refused[i].name, refused[i].kind, bytes, n);
    }
}

/* The same of UARTs that are not busy. */
static void test_refused_idle(void **state)
{
    static const struct {
        const char *name;
        enum kind kind;
        struct uart_row before;
        uint32_t at, value;
    } idle[] = {
        {"PL011: a time-out of nothing", FULL, {"", {LET(0)}}, 11, UARTINT_RT},
        {"16550: a time-out of nothing", PC, {"", {W(UART_IIR, 1)}}, 9, 3},
        {"16550: a time-out in character mode", PC, {"", {IN("a", 1)}}, 9, 2},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(idle); i++) {
        uint8_t bytes[BYTES_MAX];
        struct any a;
        size_t n;

        any_init(&a, idle[i].kind);
        uart_run_row(&a.rig, a.verbs, &idle[i].before);
        n = any_save(&a, bytes, sizeof bytes);
        memcpy(bytes + HEAD + 4 * idle[i].at, &idle[i].value, 4);
        must_refuse(idle[i].name, idle[i].kind, bytes, n);
    }
}

/* Another tag, another version, cut off anywhere, something left over: whatever the kind. */
static void test_refused_frames(void **state)
{
    (void)state;
    for (int kind = FULL; kind <= PC; kind++) {
        uint8_t whole[BYTES_MAX + 1] = {0}, bytes[BYTES_MAX + 1];
        size_t n = busy((enum kind)kind, whole);
        struct any a;

        any_init(&a, (enum kind)kind);
        assert_int_equal(any_restore(&a, whole, n), VC_OK); /* or the rest proves nothing */
        for (uint32_t body = 0; body <= n - HEAD + 1; body++) {
            memcpy(bytes, whole, sizeof bytes);
            memcpy(bytes + 8, &body, 4);
            if (body != n - HEAD)
                must_refuse("cut off, or longer", (enum kind)kind, bytes, HEAD + body);
        }
        for (uint32_t at = 0; at < 8; at += 4) {
            memcpy(bytes, whole, sizeof bytes);
            bytes[at] ^= 2;
            must_refuse(at == 0 ? "another tag" : "another version", (enum kind)kind, bytes, n);
        }
    }
}

static void test_no_room(void **state)
{
    struct any a;
    uint8_t bytes[BYTES_MAX];

    (void)state;
    any_init(&a, FULL);
    for (size_t size = 0; size < HEAD + 16 * 4; size++)
        assert_int_equal(any_save(&a, bytes, size), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_layout),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_frames), cmocka_unit_test(test_refused_idle), cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
