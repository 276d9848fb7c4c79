/* SPDX-License-Identifier: MIT */
#include "engine.h"
#include <string.h>

const struct engine_ops *engine_find(const char *name)
{
    static const struct engine_ops *const engines[] = {&engine_kvm_xen, &engine_kvm, &engine_process, &engine_command};

    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}
