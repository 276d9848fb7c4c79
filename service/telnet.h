/* SPDX-License-Identifier: MIT */
/*
 * telnet.h: telnet's client side, and RFC 2217's: what is data in a stream of bytes, and what is to be answered.
 *
 * Spec:  RFC 854 (commands), 855 and 1143 (options: one state each way, so that no two peers answer each other for ever), 856
 *        (BINARY), 857 (ECHO), 858 (SGA), 1073 (NAWS), 2217 (COM-PORT). Everything else is refused.
 * Owner: the caller's struct; what is to be sent goes to the caller's buffer through send.
 * Lock:  the caller's.
 * Trust: the peer sends anything. Nothing of a subnegotiation is kept: what a peer says of its port it did, or would not. Each request costs
 *        three bytes of answer at most, and none when it asks for what is so already.
 */
#ifndef VCONS_SERVICE_TELNET_H
#define VCONS_SERVICE_TELNET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TELNET_GROW 2u /* bytes that one byte of data is at most, encoded */

enum telnet_option { TELNET_BINARY = 0, TELNET_ECHO = 1, TELNET_SGA = 3, TELNET_NAWS = 31, TELNET_COM_PORT = 44 };
enum telnet_phase { TELNET_DATA, TELNET_CR, TELNET_IAC, TELNET_VERB, TELNET_IN_SUB, TELNET_SUB_IAC };
enum { TELNET_KNOWN = 5 }; /* options, as in enum telnet_option */

struct telnet_port { /* RFC 2217: what the serial port is to be set to */
    uint32_t speed;
    uint8_t bits;   /* 5..8 */
    uint8_t parity; /* 1 none, 2 odd, 3 even */
    uint8_t stop;   /* 1 or 2 */
    uint8_t flow;   /* 1 none, 2 XON/XOFF, 3 RTS/CTS */
};

struct telnet {
    /* Queue n bytes for the peer, all or none. False: no room, it is not said. */
    bool (*send)(void *ctx, const uint8_t *bytes, size_t n);
    void *ctx;
    enum telnet_phase phase;
    uint8_t verb;              /* of the command that is not whole yet */
    uint8_t us[TELNET_KNOWN];  /* enum telnet_state of each option: ours, ... */
    uint8_t him[TELNET_KNOWN]; /* ... and the peer's */
    bool com_port;             /* RFC 2217 is wanted */
    struct telnet_port port;
    uint32_t size;    /* rows << 16 | columns; 0: not known */
    uint64_t refused; /* options asked for that we do not have */
    uint64_t skipped; /* bytes of subnegotiations */
};

struct telnet_kept { /* where both sides stand, for another process that goes on with the connection */
    uint32_t phase, com_port, size;
    struct telnet_port port;
    uint8_t verb, us[TELNET_KNOWN], him[TELNET_KNOWN];
};

/* Ask for what a console wants. port: RFC 2217, set to that; NULL: plain telnet. */
void telnet_begin(struct telnet *t, const struct telnet_port *port);
void telnet_keep(const struct telnet *t, struct telnet_kept *to);
/*
 * Instead of telnet_begin: go on from there, without a word but the settings of a port that is to be set to others. False: it is no such
 * place, or not of what is wanted; t is as it was.
 */
bool telnet_continue(struct telnet *t, const struct telnet_kept *from, const struct telnet_port *port);
/* The data among n received bytes, written over them. Returns how much. */
size_t telnet_decode(struct telnet *t, uint8_t *bytes, size_t n);
/* n bytes of data as they are sent; out has room for TELNET_GROW times as much. Returns how much. */
size_t telnet_encode(const struct telnet *t, const uint8_t *bytes, size_t n, uint8_t *out);
bool telnet_size(struct telnet *t, uint32_t rows, uint32_t columns); /* false: said later, or never */
/* RFC 2217: on, later off. Plain telnet: one command, when on. False: no room. */
bool telnet_break(struct telnet *t, bool on);

#endif
