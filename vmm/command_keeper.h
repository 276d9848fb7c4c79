/* SPDX-License-Identifier: MIT */
/*
 * command_keeper.h: the process between vcons-vmm and a program on a pty: it starts the program, is the parent of all
 * that the program leaves behind, and sees to it that nothing stays.
 *
 *     vcons-vmm ──► launcher ──► keeper (one for each domain) ──► program ──► its children, orphans too
 *
 * The launcher is forked before vcons-vmm has threads or a sandbox, so a program gets neither. A keeper is child
 * subreaper (prctl(2)): user-mode Linux leaves orphans, and they come to it. It talks over a seqpacket socket; when
 * that closes, whatever the cause, it kills everything below it and ends.
 *
 * Owner: the caller closes a keeper's socket.
 * Lock:  none; the launcher is made once, by the first call.
 * Trust: the program is hostile. It runs as nobody when vcons-vmm was started as root, with no way to new privileges;
 *        it has no descriptor but its terminal, and cannot reach its keeper.
 */
#ifndef VMM_COMMAND_KEEPER_H
#define VMM_COMMAND_KEEPER_H
#include "host/message.h"
#include <stddef.h>
#include <stdint.h>

#define KEEPER_MAX_BYTES 0x10000u /* arguments and names of one command, all together */

enum keeper_kind {
    /* To the keeper. */
    KEEPER_START, /* rows, columns; then struct keeper_command as strings */
    KEEPER_STOP,  /* SIGTERM, and SIGKILL to what is left after KEEPER_GRACE_MS */
    /* From it. */
    KEEPER_STARTED, /* with the terminal's master */
    KEEPER_FAILED,  /* value: errno of what could not be done; nothing runs */
    KEEPER_EXITED,  /* value: exit status, or 128 + signal; the rest is being killed */
    KEEPER_GONE     /* nothing is left, and nobody has the terminal open */
};
enum { KEEPER_GRACE_MS = 500 };

struct keeper_message {
    uint32_t kind;
    int32_t value;
    uint16_t rows, columns;
};

struct keeper_command {
    const char *domain, *directory; /* environment: VCONS_DOMAIN, VCONS_DOMAIN_DIR; directory may be NULL */
    const char *working_directory;
    char *const *argv;
};

/* Before threads and sandbox; later calls do nothing. -1: error. */
int keeper_prepare(struct problem *problem);
/* A keeper without a program; its socket, or -1. */
int keeper_create(struct problem *problem);
/* Bytes that the command takes; more than KEEPER_MAX_BYTES cannot be started. */
size_t keeper_command_bytes(const struct keeper_command *c);
/* Start the program. Its terminal's master, non-blocking; -1: error. */
int keeper_start(int keeper, const struct keeper_command *c, uint16_t rows, uint16_t columns, struct problem *problem);
/* One message, never waiting. 1: *m is one; 0: none now; -1: the keeper is gone. */
int keeper_hear(int keeper, struct keeper_message *m);
void keeper_stop(int keeper);

/* The other side: what the launcher forks. Never returns. */
_Noreturn void keeper_main(int socket);

#endif
