/* SPDX-License-Identifier: MIT */
/*
 * --trace hypercalls: a line for each call, and at the end of a run how often each was made. Counting is always on: a
 * counter is its vCPU's own. A line is one write, so lines of several vCPUs do not mix; whoever reads too slowly slows
 * the guests down, which is why nobody gets it who did not ask.
 */
#include "calls.h"
#include "vmm.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

static const char *const names[XEN_N_HYPERCALLS] = {[XEN_platform_op] = "platform_op",
                                                    [XEN_memory_op] = "memory_op",
                                                    [XEN_multicall] = "multicall",
                                                    [XEN_set_timer_op] = "set_timer_op",
                                                    [XEN_xen_version] = "xen_version",
                                                    [XEN_console_io] = "console_io",
                                                    [XEN_grant_table_op] = "grant_table_op",
                                                    [XEN_vm_assist] = "vm_assist",
                                                    [XEN_vcpu_op] = "vcpu_op",
                                                    [XEN_sched_op] = "sched_op",
                                                    [XEN_event_channel_op] = "event_channel_op",
                                                    [XEN_physdev_op] = "physdev_op",
                                                    [XEN_hvm_op] = "hvm_op",
                                                    [XEN_xenpmu_op] = "xenpmu_op"};

/* The name of a call, or its number. */
static const char *name_of(uint64_t nr, char *text, size_t size)
{
    if (nr == VC_CALL_TIME)
        return "time";
    if (nr == VC_CALL_YIELD)
        return "yield";
    if (nr < XEN_N_HYPERCALLS && names[nr] != NULL)
        return names[nr];
    snprintf(text, size, "hypercall %" PRIu64, nr);
    return text;
}

static void trace(const struct domain_vcpu *v, uint64_t nr, const uint64_t args[6], int64_t result)
{
    char name[40], line[256];
    int n = snprintf(line, sizeof line,
                     "d%" PRIu32 "v%" PRIu32 " %s%s(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ") = %" PRId64 "\n",
                     v->domain->id, v->number, name_of(nr, name, sizeof name), v->compat ? "/32" : "", args[0], args[1],
                     args[2], result);

    (void)!write(v->domain->vmm->trace_fd, line, (size_t)n); /* whoever wanted to read it may have gone */
}

static void count(uint64_t *counter) { __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED); }

void calls_note(struct domain_vcpu *v, uint64_t nr, const uint64_t args[6], int64_t result)
{
    count(nr < XEN_N_HYPERCALLS ? &v->calls[nr] : &v->other_calls);
    if (result == -XEN_ENOSYS)
        count(nr < XEN_N_HYPERCALLS ? &v->refused[nr] : &v->other_refused);
    if (v->domain->vmm->trace_fd >= 0)
        trace(v, nr, args, result);
}

struct sums {
    uint64_t calls, refused;
};

static struct sums sum_of(const struct domain *d, uint32_t nr)
{
    struct sums sums = {0};

    for (uint32_t i = 0; i < d->config->vcpus; i++) {
        const struct domain_vcpu *v = &d->vcpus[i];

        sums.calls += nr < XEN_N_HYPERCALLS ? v->calls[nr] : v->other_calls;
        sums.refused += nr < XEN_N_HYPERCALLS ? v->refused[nr] : v->other_refused;
    }
    return sums;
}

static void write_sum(const struct domain *d, const char *name, struct sums sums)
{
    char line[160];
    int n = snprintf(line, sizeof line, "d%" PRIu32 " %s: %" PRIu64 " calls, %" PRIu64 " refused\n", d->id, name,
                     sums.calls, sums.refused);

    (void)!write(d->vmm->trace_fd, line, (size_t)n);
}

void calls_summary(struct domain *d)
{
    char name[40];

    for (uint32_t nr = 0; d->vmm->trace_fd >= 0 && nr <= XEN_N_HYPERCALLS; nr++) {
        struct sums sums = sum_of(d, nr);

        if (sums.calls > 0)
            write_sum(d, nr < XEN_N_HYPERCALLS ? name_of(nr, name, sizeof name) : "other calls", sums);
    }
    for (uint32_t i = 0; i < d->config->vcpus; i++) {
        struct domain_vcpu *v = &d->vcpus[i];

        memset(v->calls, 0, sizeof v->calls);
        memset(v->refused, 0, sizeof v->refused);
        v->other_calls = v->other_refused = 0;
    }
}
