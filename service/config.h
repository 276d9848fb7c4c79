/* SPDX-License-Identifier: MIT */
/*
 * config.h: vconsd.conf.
 *
 * Spec:  docs/vconsd.conf.5:
 *            segment_size = "16M"   console_size = "256M"   total_size = "4G"
 *            access "web/..." { read = "adm"  write = "ops"  break = false }
 *            socket "vm/serial" { path = "/run/vm.sock" }
 *            xen { }
 * Owner: config_load fills the caller's struct; config_free ends it, also a zeroed one.
 * Lock:  host/config.h's: one thread parses at a time.
 * Trust: the file may hold anything; the first thing wrong in it is told as FILE:LINE and what was expected.
 */
#ifndef VCONS_SERVICE_CONFIG_H
#define VCONS_SERVICE_CONFIG_H
#include <stdint.h>

#include "access.h"
#include "host/message.h"
#include "host/name.h"
#include "log.h"

struct config_socket { /* a console whose source is a UNIX socket that somebody else listens on */
    struct name name;
    char path[108];
};

struct service_config {
    struct log_limits limits;
    struct access_rule *rules;
    struct config_socket *sockets;
    uint32_t n_rules, n_sockets;
    bool xen; /* this is the dom0 of a Xen, whose domains' consoles are wanted */
};

/* 0 or a negative errno with *p. */
int service_config_load(struct service_config *config, const char *path, struct problem *p);
void service_config_free(struct service_config *config);

#endif
