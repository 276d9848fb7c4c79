/* SPDX-License-Identifier: MIT */
/* Telnet's client side: bytes as RFC 854, 1073, 1143 and 2217 have them, whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "telnet.h"

struct sent {
    uint8_t bytes[512];
    size_t n;
    bool full;
};

static bool keep(void *ctx, const uint8_t *bytes, size_t n)
{
    struct sent *s = ctx;

    if (s->full || n > sizeof s->bytes - s->n)
        return false;
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
    return true;
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})
#define NONE       NULL, 0

static const struct {
    const char *name;
    const uint8_t *in;
    size_t in_n;
    const uint8_t *data;
    size_t data_n;
    const uint8_t *answer;
    size_t answer_n;
} rows[] = {
    {"plain text", BYTES('a', 0x80, 0, 'b'), BYTES('a', 0x80, 0, 'b'), NONE},
    {"a doubled IAC is one", BYTES('a', 255, 255, 'b'), BYTES('a', 255, 'b'), NONE},
    {"CR NUL is CR", BYTES('\r', 0, '\r', '\n', '\r', '\r', 0), BYTES('\r', '\r', '\n', '\r', '\r'), NONE},
    {"CR IAC IAC", BYTES('\r', 255, 255), BYTES('\r', 255), NONE},
    {"NOP, GA and BRK are nothing", BYTES(255, 241, 'x', 255, 249, 255, 243), BYTES('x'), NONE},
    {"an unknown option is refused both ways", BYTES(255, 251, 24, 255, 253, 24), NONE,
     BYTES(255, 254, 24, 255, 252, 24)},
    {"one that is off and unknown, told so, is not answered", BYTES(255, 252, 24, 255, 254, 24), NONE, NONE},
    {"the peer echoes: yes, once", BYTES(255, 251, 1, 255, 251, 1), NONE, BYTES(255, 253, 1)},
    {"we do not echo", BYTES(255, 253, 1), NONE, BYTES(255, 252, 1)},
    {"on and off and off again", BYTES(255, 251, 3, 255, 252, 3, 255, 252, 3), NONE, BYTES(255, 253, 3, 255, 254, 3)},
    {"COM-PORT is for those that want it", BYTES(255, 253, 44), NONE, BYTES(255, 252, 44)},
    {"a subnegotiation is skipped", BYTES('a', 255, 250, 44, 107, 255, 255, 1, 255, 240, 'b'), BYTES('a', 'b'), NONE},
    {"one that is cut short by a command", BYTES(255, 250, 44, 255, 251, 24, 'b'), BYTES('b'), BYTES(255, 254, 24)},
    {"a long one", BYTES(255, 250, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255, 240), NONE, NONE},
    {"SE out of place", BYTES(255, 240, 'x'), BYTES('x'), NONE},
};

static void decodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t cut = 0; cut <= rows[i].in_n; cut++) {
            struct sent sent = {.n = 0};
            struct telnet t = {.send = keep, .ctx = &sent};
            uint8_t bytes[64], rest[64];
            size_t n, m;

            memcpy(bytes, rows[i].in, cut);
            memcpy(rest, rows[i].in + cut, rows[i].in_n - cut);
            n = telnet_decode(&t, bytes, cut);
            m = telnet_decode(&t, rest, rows[i].in_n - cut);
            memcpy(bytes + n, rest, m);
            if (n + m != rows[i].data_n || (n + m > 0 && memcmp(bytes, rows[i].data, n + m) != 0))
                fail_msg("data: %s, cut at %zu", rows[i].name, cut);
            if (sent.n != rows[i].answer_n || (sent.n > 0 && memcmp(sent.bytes, rows[i].answer, sent.n) != 0))
                fail_msg("answer: %s, cut at %zu", rows[i].name, cut);
        }
}

static void encodes(void **state)
{
    struct sent sent = {.n = 0};
    struct telnet t = {.send = keep, .ctx = &sent};
    uint8_t out[64], agree[] = {255, 253, 0};

    (void)state;
    assert_int_equal(telnet_encode(&t, (const uint8_t *)"a\r\xff", 3, out), 5);
    assert_memory_equal(out, "a\r\0\xff\xff", 5);
    assert_int_equal(telnet_decode(&t, agree, sizeof agree), 0); /* BINARY: CR is a byte as any other */
    assert_int_equal(telnet_encode(&t, (const uint8_t *)"a\r\xff", 3, out), 4);
    assert_memory_equal(out, "a\r\xff\xff", 4);
}

static void sizes(void **state)
{
    static const uint8_t naws[] = {255, 250, 31, 0, 255, 255, 1, 2, 255, 240};
    struct sent sent = {.n = 0};
    struct telnet t = {.send = keep, .ctx = &sent};
    uint8_t agree[] = {255, 253, 31};

    (void)state;
    assert_false(telnet_size(&t, 258, 255)); /* nobody has asked for it yet */
    assert_int_equal(sent.n, 0);
    telnet_decode(&t, agree, sizeof agree);
    assert_int_equal(sent.n, 3 + sizeof naws);
    assert_memory_equal(sent.bytes + 3, naws, sizeof naws);
    assert_true(telnet_size(&t, 258, 255));
    assert_int_equal(sent.n, 3 + 2 * sizeof naws);
}

static void ports(void **state)
{
    static const uint8_t set[] = {255, 250, 44, 1, 0, 0,   150, 0, 255, 240, /* 38400 bits a second */
                                  255, 250, 44, 2, 7, 255, 240,              /* 7 bits */
                                  255, 250, 44, 3, 3, 255, 240,              /* even */
                                  255, 250, 44, 4, 2, 255, 240,              /* 2 stop bits */
                                  255, 250, 44, 5, 3, 255, 240};             /* RTS/CTS */
    static const uint8_t broken[] = {255, 250, 44, 5, 5, 255, 240, 255, 250, 44, 5, 6, 255, 240};
    struct sent sent = {.n = 0};
    struct telnet t = {.send = keep, .ctx = &sent};
    const struct telnet_port port = {.speed = 38400, .bits = 7, .parity = 3, .stop = 2, .flow = 3};
    uint8_t agree[] = {255, 253, 44};

    (void)state;
    telnet_begin(&t, &port);
    sent.n = 0;
    telnet_decode(&t, agree, sizeof agree);
    assert_int_equal(sent.n, sizeof set);
    assert_memory_equal(sent.bytes, set, sizeof set);
    sent.n = 0;
    assert_true(telnet_break(&t, true) && telnet_break(&t, false));
    assert_int_equal(sent.n, sizeof broken);
    assert_memory_equal(sent.bytes, broken, sizeof broken);
}

static void plain_break(void **state)
{
    struct sent sent = {.n = 0};
    struct telnet t = {.send = keep, .ctx = &sent};

    (void)state;
    assert_true(telnet_break(&t, true) && telnet_break(&t, false));
    assert_int_equal(sent.n, 2);
    assert_memory_equal(sent.bytes, "\xff\xf3", 2);
    sent.full = true;
    assert_false(telnet_break(&t, true));
}

/* Two that want the same of each other come to an end, and so do one that was answered when there was no room, and its peer. */
static void peers_agree(void **state)
{
    struct sent to[2] = {{.n = 0}, {.n = 0}};
    struct telnet t[2] = {{.send = keep, .ctx = &to[1]}, {.send = keep, .ctx = &to[0]}};
    unsigned rounds = 0;

    (void)state;
    telnet_begin(&t[0], NULL);
    telnet_begin(&t[1], NULL);
    while (to[0].n + to[1].n > 0) {
        assert_true(rounds++ < 10);
        for (int i = 0; i < 2; i++) {
            uint8_t bytes[sizeof to[0].bytes];
            size_t n = to[i].n;

            memcpy(bytes, to[i].bytes, n);
            to[i].n = 0;
            assert_int_equal(telnet_decode(&t[i], bytes, n), 0);
        }
    }
}

static void no_room_no_state(void **state)
{
    struct sent sent = {.full = true};
    struct telnet t = {.send = keep, .ctx = &sent};
    uint8_t asked[] = {255, 253, 3}, again[] = {255, 253, 3};

    (void)state;
    telnet_decode(&t, asked, sizeof asked);
    sent.full = false;
    telnet_decode(&t, again, sizeof again);
    assert_int_equal(sent.n, 3);
    assert_memory_equal(sent.bytes, "\xff\xfb\x03", 3);
}

/* Another process goes on where the first one stopped, at any byte: as if it had been one. */
static void continues(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t cut = 0; cut <= rows[i].in_n; cut++) {
            struct sent sent = {.n = 0};
            struct telnet t = {.send = keep, .ctx = &sent}, next = t;
            struct telnet_kept kept;
            uint8_t bytes[64], rest[64];
            size_t n, m;

            memcpy(bytes, rows[i].in, cut);
            memcpy(rest, rows[i].in + cut, rows[i].in_n - cut);
            n = telnet_decode(&t, bytes, cut);
            telnet_keep(&t, &kept);
            assert_true(telnet_continue(&next, &kept, NULL));
            m = telnet_decode(&next, rest, rows[i].in_n - cut);
            memcpy(bytes + n, rest, m);
            if (n + m != rows[i].data_n || (n + m > 0 && memcmp(bytes, rows[i].data, n + m) != 0))
                fail_msg("data: %s, cut at %zu", rows[i].name, cut);
            if (sent.n != rows[i].answer_n || (sent.n > 0 && memcmp(sent.bytes, rows[i].answer, sent.n) != 0))
                fail_msg("answer: %s, cut at %zu", rows[i].name, cut);
        }
}

static void continues_a_port(void **state)
{
    struct sent sent = {.n = 0};
    struct telnet t = {.send = keep, .ctx = &sent}, next = t;
    struct telnet_port port = {.speed = 38400, .bits = 7, .parity = 3, .stop = 2, .flow = 3};
    uint8_t agree[] = {255, 253, 44, 255, 253, 31};
    struct telnet_kept kept;

    (void)state;
    telnet_begin(&t, &port);
    telnet_decode(&t, agree, sizeof agree);
    telnet_keep(&t, &kept);
    sent.n = 0;
    assert_true(telnet_continue(&next, &kept, &port));
    assert_int_equal(sent.n, 0); /* it is set so already */
    assert_true(telnet_size(&next, 24, 80));
    assert_true(telnet_break(&next, false));
    assert_int_equal(sent.n, 9 + 7);
    sent.n = 0;
    port.speed = 9600;
    assert_true(telnet_continue(&next, &kept, &port));
    assert_int_equal(sent.n, 10 + 4 * 7);
    assert_memory_equal(sent.bytes, "\xff\xfa\x2c\x01\0\0\x25\x80\xff\xf0", 10);
}

static void continues_nothing_else(void **state)
{
    struct telnet t = {.send = keep}, was = t;
    const struct telnet_port port = {.speed = 9600};
    struct telnet_kept good, bad;

    (void)state;
    telnet_keep(&t, &good);
    bad = good;
    bad.phase = TELNET_SUB_IAC + 1;
    assert_false(telnet_continue(&t, &bad, NULL));
    bad = good;
    bad.us[TELNET_KNOWN - 1] = 3;
    assert_false(telnet_continue(&t, &bad, NULL));
    bad = good;
    bad.him[0] = 255;
    assert_false(telnet_continue(&t, &bad, NULL));
    assert_false(telnet_continue(&t, &good, &port)); /* that was plain telnet */
    bad = good;
    bad.com_port = 1;
    assert_false(telnet_continue(&t, &bad, NULL));
    assert_memory_equal(&t, &was, sizeof t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(encodes),
        cmocka_unit_test(sizes),
        cmocka_unit_test(ports),
        cmocka_unit_test(plain_break),
        cmocka_unit_test(peers_agree),
        cmocka_unit_test(no_room_no_state),
        cmocka_unit_test(continues),
        cmocka_unit_test(continues_a_port),
        cmocka_unit_test(continues_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
