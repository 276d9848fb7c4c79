/* SPDX-License-Identifier: MIT */
/*
 * error.h: one sentence for people, made where the facts are and printed once, by main.
 *
 * Owner: the caller places it. A function that takes one sets it exactly when it fails.
 */
#ifndef VCONS_VMM_ERROR_H
#define VCONS_VMM_ERROR_H
#include <stdarg.h>

struct vmm_error {
    char text[512];
};

/* Always returns -1, so that a failing function can end with it. Long text is cut. */
__attribute__((format(printf, 2, 3))) int vmm_fail(struct vmm_error *error, const char *format, ...);

#endif
