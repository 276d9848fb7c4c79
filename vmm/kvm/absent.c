/* SPDX-License-Identifier: MIT */
/* The engine `kvm` where it has not been written yet: it exists, and says why it cannot be used. */
#include "../engine.h"

static bool usable(struct problem *why)
{
    problem_set(why, -1, "the engine kvm is there for x86_64 only");
    return false;
}

static int check(const struct domain_config *config, struct problem *problem)
{
    (void)config;
    return usable(problem) ? 0 : -1;
}

static void *create(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem)
{
    (void)d;
    (void)memory;
    check(config, problem);
    return NULL;
}

const struct engine_ops engine_kvm = {.name = "kvm", .usable = usable, .check = check, .create = create};
const struct engine_ops engine_kvm_xen = {.name = "kvm-xen", .usable = usable, .check = check, .create = create};
