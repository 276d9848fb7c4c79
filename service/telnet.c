/* SPDX-License-Identifier: MIT */
#include "telnet.h"

#include <string.h>

enum { SE = 240, BRK = 243, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255 };
/* RFC 1143 without its queue: we never change our mind while a request of ours is under way. */
enum telnet_state { NO, WANT_YES, YES };
enum { SET_BAUDRATE = 1, SET_DATASIZE, SET_PARITY, SET_STOPSIZE, SET_CONTROL }; /* RFC 2217 */
enum { BREAK_ON = 5, BREAK_OFF = 6 };                                           /* of SET_CONTROL */

static const struct {
    uint8_t option;
    bool us, him; /* on which side we want it */
} known[TELNET_KNOWN] = {
    {TELNET_BINARY, true, true}, {TELNET_ECHO, false, true},     {TELNET_SGA, true, true},
    {TELNET_NAWS, true, false},  {TELNET_COM_PORT, true, false},
};

static unsigned index_of(uint8_t option)
{
    unsigned i = 0;

    while (i < TELNET_KNOWN && known[i].option != option)
        i++;
    return i;
}

static bool is_on(const uint8_t *side, uint8_t option) { return side[index_of(option)] == YES; }

static bool say(struct telnet *t, uint8_t verb, uint8_t option)
{
    const uint8_t command[] = {IAC, verb, option};

    return t->send(t->ctx, command, sizeof command);
}

/* IAC SB option bytes IAC SE, with IAC doubled. n is at most 5. */
static bool send_sub(struct telnet *t, uint8_t option, const uint8_t *bytes, size_t n)
{
    uint8_t out[3 + 2 * 5 + 2] = {IAC, SB, option};
    size_t at = 3;

    for (size_t i = 0; i < n; i++) {
        out[at++] = bytes[i];
        if (bytes[i] == IAC)
            out[at++] = IAC;
    }
    out[at++] = IAC;
    out[at++] = SE;
    return t->send(t->ctx, out, at);
}

static bool send_size(struct telnet *t)
{
    const uint8_t size[] = {(uint8_t)(t->size >> 8), (uint8_t)t->size, (uint8_t)(t->size >> 24),
                            (uint8_t)(t->size >> 16)};

    return send_sub(t, TELNET_NAWS, size, sizeof size);
}

static void send_port(struct telnet *t)
{
    const struct telnet_port *p = &t->port;
    const uint8_t speed[] = {SET_BAUDRATE, (uint8_t)(p->speed >> 24), (uint8_t)(p->speed >> 16),
                             (uint8_t)(p->speed >> 8), (uint8_t)p->speed};
    const uint8_t others[][2] = {
        {SET_DATASIZE, p->bits}, {SET_PARITY, p->parity}, {SET_STOPSIZE, p->stop}, {SET_CONTROL, p->flow}};

    (void)send_sub(t, TELNET_COM_PORT, speed, sizeof speed);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        (void)send_sub(t, TELNET_COM_PORT, others[i], 2);
}

/* An option of ours is agreed upon. */
static void ours_began(struct telnet *t, uint8_t option)
{
    if (option == TELNET_NAWS && t->size != 0)
        (void)send_size(t);
    if (option == TELNET_COM_PORT)
        send_port(t);
}

static bool wanted(const struct telnet *t, unsigned i, bool us)
{
    return (us ? known[i].us : known[i].him) && (known[i].option != TELNET_COM_PORT || t->com_port);
}

/* The peer asks that a side have the option, or says that its own has. An answer goes out only where the state changes, and not
 * where it was our request that is being answered: so the peers come to an end (RFC 1143). */
static void agree(struct telnet *t, bool us, uint8_t option, uint8_t yes, uint8_t no)
{
    uint8_t *side = us ? t->us : t->him;
    unsigned i = index_of(option);

    if (i == TELNET_KNOWN || !wanted(t, i, us)) {
        t->refused++;
        (void)say(t, no, option);
        return;
    }
    if (side[i] == YES)
        return;
    if (side[i] == NO && !say(t, yes, option))
        return; /* not said, so not so: the peer may ask again */
    side[i] = YES;
    if (us)
        ours_began(t, option);
}

static void disagree(struct telnet *t, bool us, uint8_t option, uint8_t no)
{
    uint8_t *side = us ? t->us : t->him;
    unsigned i = index_of(option);

    if (i == TELNET_KNOWN)
        return; /* it is off, and was: an answer would be the first step of a loop */
    if (side[i] == YES)
        (void)say(t, no, option);
    side[i] = NO;
}

static void command(struct telnet *t, uint8_t option)
{
    switch (t->verb) {
    case WILL: agree(t, false, option, DO, DONT); break;
    case WONT: disagree(t, false, option, DONT); break;
    case DO: agree(t, true, option, WILL, WONT); break;
    case DONT: disagree(t, true, option, WONT); break;
    default: break;
    }
}

static size_t take_data(struct telnet *t, uint8_t byte, uint8_t *out)
{
    if (byte == IAC) {
        t->phase = TELNET_IAC;
        return 0;
    }
    if (byte == '\r' && !is_on(t->him, TELNET_BINARY))
        t->phase = TELNET_CR;
    *out = byte;
    return 1;
}

/* Behind IAC. */
static size_t take_command(struct telnet *t, uint8_t byte, uint8_t *out)
{
    t->phase = TELNET_DATA;
    if (byte == IAC) {
        *out = IAC;
        return 1;
    }
    t->verb = byte;
    if (byte >= WILL)
        t->phase = TELNET_VERB;
    else if (byte == SB)
        t->phase = TELNET_IN_SUB;
    return 0; /* NOP, GA, BRK and the like: nothing that a console's reader does */
}

static size_t take(struct telnet *t, uint8_t byte, uint8_t *out)
{
    switch (t->phase) {
    case TELNET_CR: t->phase = TELNET_DATA; return byte == 0 ? 0 : take_data(t, byte, out); /* CR NUL is CR, RFC 854 */
    case TELNET_IAC: return take_command(t, byte, out);
    case TELNET_VERB:
        t->phase = TELNET_DATA;
        command(t, byte);
        return 0;
    case TELNET_IN_SUB:
        t->skipped++;
        if (byte == IAC)
            t->phase = TELNET_SUB_IAC;
        return 0;
    case TELNET_SUB_IAC:
        t->phase = byte == IAC ? TELNET_IN_SUB : TELNET_DATA;
        if (byte != IAC && byte != SE)
            return take_command(t, byte, out); /* it was cut short */
        return 0;
    case TELNET_DATA: break;
    }
    return take_data(t, byte, out);
}

size_t telnet_decode(struct telnet *t, uint8_t *bytes, size_t n)
{
    size_t kept = 0, plain;

    for (size_t i = 0; i < n;) {
        const uint8_t *special = NULL;

        if (t->phase == TELNET_DATA && is_on(t->him, TELNET_BINARY)) {
            special = memchr(bytes + i, IAC, n - i); /* a stream has few of them */
            plain = special != NULL ? (size_t)(special - bytes) - i : n - i;
            memmove(bytes + kept, bytes + i, plain);
            kept += plain;
            i += plain;
            if (i == n)
                break;
        }
        kept += take(t, bytes[i++], bytes + kept);
    }
    return kept;
}

size_t telnet_encode(const struct telnet *t, const uint8_t *bytes, size_t n, uint8_t *out)
{
    bool binary = is_on(t->us, TELNET_BINARY);
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        out[at++] = bytes[i];
        if (bytes[i] == IAC)
            out[at++] = IAC;
        else if (bytes[i] == '\r' && !binary)
            out[at++] = 0;
    }
    return at;
}

void telnet_begin(struct telnet *t, const struct telnet_port *port)
{
    t->com_port = port != NULL;
    if (port != NULL)
        t->port = *port;
    for (unsigned i = 0; i < TELNET_KNOWN; i++) {
        if (wanted(t, i, true) && say(t, WILL, known[i].option))
            t->us[i] = WANT_YES;
        if (wanted(t, i, false) && say(t, DO, known[i].option))
            t->him[i] = WANT_YES;
    }
}

void telnet_keep(const struct telnet *t, struct telnet_kept *to)
{
    *to = (struct telnet_kept){
        .phase = t->phase, .com_port = t->com_port, .size = t->size, .port = t->port, .verb = t->verb};
    memcpy(to->us, t->us, sizeof to->us);
    memcpy(to->him, t->him, sizeof to->him);
}

static bool same_port(const struct telnet_port *a, const struct telnet_port *b)
{
    return a->speed == b->speed && a->bits == b->bits && a->parity == b->parity && a->stop == b->stop &&
           a->flow == b->flow;
}

static bool are_states(const uint8_t sides[TELNET_KNOWN])
{
    for (unsigned i = 0; i < TELNET_KNOWN; i++)
        if (sides[i] > YES)
            return false;
    return true;
}

bool telnet_continue(struct telnet *t, const struct telnet_kept *from, const struct telnet_port *port)
{
    if (from->phase > TELNET_SUB_IAC || from->com_port != (port != NULL) || !are_states(from->us) ||
        !are_states(from->him))
        return false;
    t->phase = (enum telnet_phase)from->phase;
    t->verb = from->verb;
    t->size = from->size;
    t->com_port = port != NULL;
    memcpy(t->us, from->us, sizeof t->us);
    memcpy(t->him, from->him, sizeof t->him);
    if (port != NULL)
        t->port = *port;
    if (port != NULL && is_on(t->us, TELNET_COM_PORT) && !same_port(port, &from->port))
        send_port(t);
    return true;
}

bool telnet_size(struct telnet *t, uint32_t rows, uint32_t columns)
{
    t->size = rows << 16 | columns;
    return is_on(t->us, TELNET_NAWS) && send_size(t);
}

bool telnet_break(struct telnet *t, bool on)
{
    const uint8_t control[] = {SET_CONTROL, on ? BREAK_ON : BREAK_OFF}, plain[] = {IAC, BRK};

    if (is_on(t->us, TELNET_COM_PORT))
        return send_sub(t, TELNET_COM_PORT, control, sizeof control);
    return !on || t->send(t->ctx, plain, sizeof plain);
}
