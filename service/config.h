/* SPDX-License-Identifier: MIT */
/*
 * config.h: vconsd.conf.
 *
 * Spec:  docs/vconsd.conf.5:
 *            segment_size = "16M"   console_size = "256M"   total_size = "4G"
 *            access "web/..." { read = "adm"  write = "ops"  break = false }
 *            socket "vm/serial" { path = "/run/vm.sock" }
 *            xen { }
 *            console "web/..." { pty = yes }
 *            text { directory = "/var/log/consoles"  of = all  times = all  replace_escape = no }
 * Owner: config_load fills the caller's struct; config_free ends it, also a zeroed one.
 * Lock:  host/config.h's: one thread parses at a time.
 * Trust: the file may hold anything; the first thing wrong in it is told as FILE:LINE and what was expected.
 */
#ifndef VCONS_SERVICE_CONFIG_H
#define VCONS_SERVICE_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "copy.h"
#include "host/message.h"
#include "host/name.h"
#include "log.h"

struct config_socket { /* a console whose source is a UNIX socket that somebody else listens on */
    struct name name;
    char path[108];
};

#define CONFIG_PATTERN_BYTES sizeof((struct access_rule *)0)->pattern

struct config_console { /* what holds for consoles whose DOMAIN/CONSOLE fits the pattern */
    char pattern[CONFIG_PATTERN_BYTES];
    bool pty;
};

struct service_config {
    struct log_limits limits;
    struct access_rule *rules;
    struct config_socket *sockets;
    struct config_console *consoles;
    struct copy_rules text;
    uint32_t n_rules, n_sockets, n_consoles;
    bool xen; /* this is the dom0 of a Xen, whose domains' consoles are wanted */
};

/* 0 or a negative errno with *p. */
int service_config_load(struct service_config *config, const char *path, struct problem *p);
/* Whether that console is to have a pty: as the first block says that fits it. */
bool service_config_pty(const struct service_config *config, const char *domain, const char *console);
/* none, guest, hv or all. False: another word. */
bool service_config_of(const char *word, bool *guests, bool *hypervisor);
void service_config_free(struct service_config *config);

#endif
