/* SPDX-License-Identifier: MIT */
/*
 * config.h: reads a configuration file so that its errors say FILE:LINE and what was expected.
 *
 * Spec:  libconfuse 3.3 does the parsing. Before it sees a byte the file is read whole and checked: a regular file of
 *        at most CONFIG_BYTES, no control characters, every string, comment and brace closed. Left to itself
 *        libconfuse accepts a file that ends inside a block, exits on a directory, cuts strings at a NUL and fills
 *        ${…} from the environment. Comments are blanked (libconfuse miscounts lines behind them); line numbers stay.
 * Owner: what config_read returns is the caller's to free. cfg_t is made and freed by the caller.
 * Lock:  libconfuse's scanner is global: one thread parses at a time.
 * Trust: the file may hold anything at all. Its author may choose what the program does, never crash it.
 *
 * Check values in callbacks of libconfuse (cfg_set_validate_func) with config_error: only during the parse does it
 * know the line. The first error wins.
 */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H
#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>

#include "message.h"

#define CONFIG_BYTES  (1024u * 1024) /* a file may have, at most */
#define CONFIG_HIDDEN (1 << 25)      /* our own bit among an option's flags: left out of the list of those that exist */
#define CONFIG_SEEN   (1 << 26)      /* another: config_once saw it */
#define CONFIG_DEPTH  16u            /* blocks within blocks */

/* The checked text of the file, comments blanked, ended by NUL. -EINVAL: what it holds is wrong; else the
 * errno of reading it. *p is "FILE:LINE: …" or "FILE: …"; *text is then NULL. */
int config_read(const char *path, char **text, size_t *bytes, struct problem *p);
/* The same checks on text already in memory, blanking its comments in place; path is for messages. */
int config_check(const char *path, char *text, size_t bytes, struct problem *p);
/* Read, check and parse into cfg (cfg_init with CFGF_NONE). Unknown keys are answered with the list of those
 * that exist there. */
int config_parse(cfg_t *cfg, const char *path, struct problem *p);
/* The same of text that config_read returned, or what is left of it: its NUL is overwritten. May be called again on the same
 * cfg, with another file. */
int config_parse_text(cfg_t *cfg, const char *path, char *text, size_t bytes, struct problem *p);
/* From a validate callback: an error if that key was given before, in the same block. */
int config_once(cfg_t *cfg, cfg_opt_t *opt);
/* From a validate callback: note "FILE:LINE: text" and return -1, which the callback returns. */
__attribute__((format(printf, 2, 3))) int config_error(cfg_t *cfg, const char *format, ...);
/* The value that a validate callback is about: the newest of the option. */
const char *config_string(cfg_opt_t *opt);
long config_integer(cfg_opt_t *opt);
/* What a top-level word of the text is, one after the other: copies the word that opens a block or precedes
 * '=' to word and moves *at on. False: no more. For telling kinds of files apart; text from config_read. */
bool config_word(const char *text, size_t *at, char word[64]);

#endif
