/* SPDX-License-Identifier: MIT */
#include "error.h"
#include <stdio.h>

int vmm_fail(struct vmm_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -1;
}
