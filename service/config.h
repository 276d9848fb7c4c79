/* SPDX-License-Identifier: MIT */
/*
 * config.h: vconsd.conf.
 *
 * Spec:  docs/vconsd.conf.5:
 *            segment_size = "16M"   console_size = "256M"   total_size = "4G"
 *            access "web/..." { read = {"adm", "user:eve"}  write = "ops"  deny = "user:bob"  break = false }
 *            audit = text
 *            metrics_port = 9464   metrics_group = "adm"
 *            xen { }
 *            console "vm/serial" { source = "unix:/run/vm.sock" }
 *            console "web/..." { pty = yes }
 *            include "more/...conf"
 *            text { directory = "/var/log/consoles"  of = all  times = all  replace_escape = no }
 * Owner: config_load fills the caller's struct; config_free ends it, also a zeroed one.
 * Lock:  host/config.h's: one thread parses at a time.
 * Files: the one named, those that it includes, each followed by its own, then FILE.d/...conf in the order of names. What may
 *        stand once may stand in one of them. config_files.c reads them.
 * Trust: the file may hold anything; the first thing wrong in it is told as FILE:LINE and what was expected.
 */
#ifndef VCONS_SERVICE_CONFIG_H
#define VCONS_SERVICE_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "audit.h"
#include "copy.h"
#include "host/config.h"
#include "host/message.h"
#include "host/name.h"
#include "log.h"
#include "settings.h"

#define CONFIG_PATTERN_BYTES sizeof((struct access_rule *)0)->pattern

struct config_console { /* a block: what holds for a console, or for those whose DOMAIN/CONSOLE fits */
    char pattern[CONFIG_PATTERN_BYTES];
    struct console_settings settings;
};

struct service_config {
    struct log_limits limits;
    struct access_rule *rules;
    struct config_console *exact;    /* blocks of one console each, sorted by pattern, which is its name */
    struct config_console *patterns; /* the others, in the order of the files */
    struct copy_rules text;
    uint32_t n_rules, n_exact, n_patterns;
    enum audit_wish audit;
    uint16_t metrics_port; /* on loopback; 0: none */
    gid_t metrics_group;   /* whose members may read metrics.sock; 0: none */
    bool xen;              /* this is the dom0 of a Xen, whose domains' consoles are wanted */
};

/* 0 or a negative errno with *p. */
int service_config_load(struct service_config *config, const char *path, struct problem *p);
/*
 * What holds for that console: for each key its own block counts first, then the first block with that key whose pattern fits,
 * then what holds without it. Texts are lent by config.
 */
struct console_settings config_for(const struct service_config *config, const char *domain, const char *console);
/* Parse the file and all that belong to it into cfg. */
int config_files_parse(cfg_t *cfg, const char *path, struct problem *p);
/* none, guest, hv or all. False: another word. */
bool service_config_of(const char *word, bool *guests, bool *hypervisor);
void service_config_free(struct service_config *config);

#endif
