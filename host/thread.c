/* SPDX-License-Identifier: MIT */
#include "thread.h"

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument)
{
    char own[16] = "";
    int error;

    pthread_getname_np(pthread_self(), own, sizeof own);
    pthread_setname_np(pthread_self(), name);
    error = pthread_create(thread, NULL, run, argument);
    pthread_setname_np(pthread_self(), own);
    return -error;
}
