/* SPDX-License-Identifier: MIT */
/*
 * upgrade_wire.h: what an old vconsd says to the new one that takes over, after the answer to "upgrade".
 *
 * Spec:  upgrade.h. Records of a head, at most one descriptor with it, and a payload; structs of this machine, since both run on it.
 *        UPGRADE_VERSION counts changes. After the record END the new one says UPGRADE_TAKEN, then the old one UPGRADE_YOURS, and
 *        from then on nothing but the end of file.
 * Owner: the caller's buffers; a descriptor that was received is the caller's.
 * Lock:  none.
 * Trust: the other is the service's own user or root, and may be of another build: sizes and numbers are checked.
 *
 * Sending and receiving wait, UPGRADE_WAIT_S at most for each piece that makes headway.
 */
#ifndef VCONS_SERVICE_UPGRADE_WIRE_H
#define VCONS_SERVICE_UPGRADE_WIRE_H
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "log.h"

#define UPGRADE_MAGIC   0x32677576u /* "vug2": with UPGRADE_VERSION, for records that a service manager has kept */
#define UPGRADE_PAYLOAD 65536u

enum upgrade_type {
    UPGRADE_LOCK = 1,
    UPGRADE_LISTENING,
    UPGRADE_MANAGER,
    UPGRADE_SOURCE,
    UPGRADE_END,
    UPGRADE_STARTER
};
enum upgrade_word { UPGRADE_TAKEN = 'T', UPGRADE_YOURS = 'Y' };

struct upgrade_head {
    uint32_t magic, type, has_fd, bytes;
};
struct upgrade_listening {
    char name[32];
    uint32_t ours; /* not the service manager's: its name goes with the service */
};
struct upgrade_manager {
    uint64_t watchdog_us;
    struct sockaddr_un at;
    uint32_t bytes; /* of at */
};
struct upgrade_starter { /* its process lives on, and so do its commands */
    uint32_t next;
};
struct upgrade_source_head { /* then where its protocol stands, its text, what goes to it */
    char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
    uint32_t n_kept, n_text, n_out;
    uint32_t asked; /* serial of what the starter runs for it; 0: nothing */
};

/* 0 or a negative errno. fd -1: none. */
int upgrade_send_bytes(int to, const void *bytes, size_t n, int fd);
int upgrade_send(int to, uint32_t type, int fd, const void *payload, uint32_t n);
int upgrade_receive_byte(int from, char *byte); /* -EPIPE: it has ended */
/* One record; payload has UPGRADE_PAYLOAD bytes. *fd -1: it had none. */
int upgrade_receive(int from, struct upgrade_head *head, int *fd, void *payload);

#endif
