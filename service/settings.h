/* SPDX-License-Identifier: MIT */
/*
 * settings.h: what may be said about one console, by whatever says it: a block of vconsd.conf, `vcons source add`.
 *
 * Spec:  docs/vconsd.conf.5, block "console". One row of the table in settings.c a key: its name, its member here, how its
 *        text is read; so a new key is a member, a number in enum setting and a row.
 * Owner: texts in a struct that settings_set filled are its own until settings_free; settings_inherit lends them, and the
 *        borrower does not free.
 * Lock:  none.
 * Trust: key and value may be any text.
 */
#ifndef VCONS_SERVICE_SETTINGS_H
#define VCONS_SERVICE_SETTINGS_H
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#define SETTINGS_TEXT_BYTES 1024u /* of one value */

struct log_rules;

enum setting {
    SETTING_SOURCE,
    SETTING_PTY,
    SETTING_SPEED,
    SETTING_BITS,
    SETTING_PARITY,
    SETTING_STOP,
    SETTING_FLOW,
    SETTING_MODEM,
    SETTING_DELAY,
    SETTING_ECHO_CHECK,
    SETTING_CONNECT,
    SETTING_LINGER,
    SETTING_LIMIT,
    SETTING_OVER_LIMIT,
    SETTING_SEGMENT_SIZE,
    SETTING_SEGMENT_AGE,
    SETTING_KEEP_SIZE,
    SETTING_KEEP_AGE,
    SETTING_PIN_BOOT,
    SETTING_COMPRESS,
    SETTING_FSYNC,
    SETTINGS
};

enum settings_parity { SETTINGS_PARITY_NONE, SETTINGS_PARITY_ODD, SETTINGS_PARITY_EVEN };
enum settings_flow { SETTINGS_FLOW_NONE, SETTINGS_FLOW_XONXOFF, SETTINGS_FLOW_RTSCTS };

struct console_settings {
    uint64_t has; /* 1 << enum setting for each key that was given; the others are what they are without it */
    char *source; /* as written: KIND:WHERE (source_text.h); NULL: none */
    bool pty, modem, echo_check;
    bool on_demand; /* connected while somebody is attached, and so many seconds after: */
    uint32_t linger_s;
    uint8_t bits, parity, stop, flow; /* of a serial port: 5..8, enum settings_parity, 1..2, enum settings_flow */
    uint32_t speed;                   /* bits a second */
    uint32_t delay_us;                /* between two bytes of input */
    uint64_t limit;                   /* append_limit.h: bytes a second; 0: none */
    bool drop_over_limit;             /* else what is above waits */
    uint64_t segment_bytes, segment_age_ns, keep_bytes, keep_age_ns, pin_bytes, sync_ns; /* log.h, struct log_rules */
    bool compress;
};

/* Set one key from its text. NULL, or what was expected in its place: *s is then as before. */
const char *settings_set(struct console_settings *s, const char *key, const char *value);
/* The name of the n-th key; NULL: there are no more. */
const char *settings_key(uint32_t n);
/* What to has not, from has. */
void settings_inherit(struct console_settings *to, const struct console_settings *from);
/* What was not given gets what holds without it. */
void settings_complete(struct console_settings *s);
/* Whether that key is about how a source is connected to; and whether both say the same of all of that. */
bool settings_of_source(const char *key);
bool settings_same_source(const struct console_settings *a, const struct console_settings *b);
/* Texts of its own, in place of lent ones. False: no memory, *s has none. */
bool settings_own(struct console_settings *s);
/* settings_log.c: how sizes and ages are read, for the table; and what of *s concerns the log store. */
const char *settings_read_size(const char *text, void *to);
const char *settings_read_age(const char *text, void *to);
const char *settings_read_pin(const char *text, void *to);
const char *settings_read_fsync(const char *text, void *to);
void settings_log(const struct console_settings *s, struct log_rules *rules);
void settings_free(struct console_settings *s); /* accepts a zeroed one */
/* What termios(3) calls that speed. */
speed_t settings_termios_speed(uint32_t speed);

#endif
