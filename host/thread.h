/* SPDX-License-Identifier: MIT */
/*
 * thread.h: a thread with a name.
 *
 * Spec:  pthread_create(3), comm(5): a thread begins with its maker's name. So the maker has the new one's name for that moment: a thread
 *        that names itself may come to it when a sandbox keeps it from that already, and another's name is a file of /proc.
 * Owner: the caller joins the thread.
 * Lock:  before the sandbox.
 */
#ifndef HOST_THREAD_H
#define HOST_THREAD_H
#include <pthread.h>

/* name has at most 15 bytes. 0 or a negative errno. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument);

#endif
