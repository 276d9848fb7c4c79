/* SPDX-License-Identifier: MIT */
/*
 * verify.h: whether the files of a console's log are what was stored, read as their format says and not by the service.
 *
 * Spec:  docs/vcons-log-format.5; docs/vcons.1 (LOG, --verify); wire/index.h.
 * Owner: nothing is kept.
 * Lock:  none: one thread. The service may append, compress and delete meanwhile: what is there at the beginning is looked at.
 * Trust: files may hold anything.
 */
#ifndef CLIENT_VERIFY_H
#define CLIENT_VERIFY_H

/* A line for each segment and one for all. EXIT_DONE: nothing is wrong; EXIT_FAILED, EXIT_NO_CONSOLE, EXIT_NOT_ALLOWED. */
int verify_log(const char *name, const char *directory);

#endif
