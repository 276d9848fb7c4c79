/* SPDX-License-Identifier: MIT */
#include "tiny.h"

#define START_YIELDS 100000000u /* a started vCPU that is not there by then never comes */

static int64_t vcpu_op(const struct platform *p, uint32_t op, uint32_t vcpu)
{
    return p->hypercall(p->ctx, XEN_vcpu_op, op, vcpu, 0);
}

uint32_t tiny_cpus_count(struct tiny *t)
{
    uint32_t n = 1;

    while (n < TINY_CPUS && vcpu_op(&t->cpus[0].platform, VCPUOP_is_up, n) >= 0)
        n++;
    return n;
}

/* Its platform, its vcpu_info if there is one for it in shared_info, and the port by which it is told of jobs. */
static bool prepare(struct tiny *t, struct tiny_cpu *cpu)
{
    cpu->tiny = t;
    t->machine->cpu_ops->prepare(cpu);
    events_cpu_init(&cpu->events, &t->events, &cpu->platform, cpu->id);
    if (cpu->registered)
        events_cpu_registered(&cpu->events, cpu->info);
    return events_bind_ipi(&t->cpus[0].events, cpu->id, &cpu->wake) == 0;
}

static bool start(struct tiny *t, struct tiny_cpu *cpu)
{
    if (!prepare(t, cpu))
        return false;
    if (t->machine->cpu_ops->start(cpu) != 0) {
        events_close(&t->cpus[0].events, cpu->wake);
        return false;
    }
    for (uint32_t i = 0; i < START_YIELDS; i++) {
        if (tiny_cpu_is_done(cpu))
            return true;
        hypercall_yield(&t->cpus[0].platform);
    }
    return false;
}

uint32_t tiny_cpus_start(struct tiny *t, uint32_t n)
{
    if (!t->has_events)
        return t->n_cpus;
    while (t->n_cpus < n && t->n_cpus < TINY_CPUS) {
        t->cpus[t->n_cpus].id = t->n_cpus;
        if (!start(t, &t->cpus[t->n_cpus]))
            break;
        t->n_cpus++;
    }
    return t->n_cpus;
}

void tiny_cpu_run(struct tiny_cpu *cpu, tiny_job *job, void *arg)
{
    cpu->job = job;
    cpu->arg = arg;
    vc_store_release(&cpu->state, TINY_CPU_BUSY); /* pairs with its acquire in tiny_cpu_main: job and arg are there */
    events_send(&cpu->tiny->cpus[0].events, cpu->wake);
}

bool tiny_cpu_is_done(const struct tiny_cpu *cpu) { return vc_load_acquire(&cpu->state) == TINY_CPU_IDLE; }

void tiny_cpu_do(struct tiny_cpu *cpu, tiny_job *job, void *arg)
{
    tiny_cpu_run(cpu, job, arg);
    while (!tiny_cpu_is_done(cpu))
        hypercall_yield(&cpu->tiny->cpus[0].platform);
}

static void stay(struct tiny_cpu *cpu, void *arg)
{
    struct tiny *t = arg;
    bool on = cpu->events.way->off(cpu->events.way_ctx);

    __atomic_fetch_add(&t->n_parked, 1, __ATOMIC_SEQ_CST);
    while (vc_load_seq(&t->let_go) == 0) /* pairs with tiny_cpus_let_go: its vcpu_info is known by then */
        hypercall_yield(&cpu->platform);
    if (on)
        cpu->events.way->on(cpu->events.way_ctx);
}

void tiny_cpus_park(struct tiny *t, uint32_t first)
{
    vc_store_seq(&t->let_go, 0);
    vc_store_seq(&t->n_parked, 0);
    for (uint32_t i = first; i < t->n_cpus; i++)
        tiny_cpu_run(&t->cpus[i], stay, t);
    while (first < t->n_cpus && vc_load_seq(&t->n_parked) < t->n_cpus - first)
        hypercall_yield(&t->cpus[0].platform);
}

void tiny_cpus_let_go(struct tiny *t, uint32_t first)
{
    vc_store_seq(&t->let_go, 1);
    for (uint32_t i = first; i < t->n_cpus; i++)
        while (!tiny_cpu_is_done(&t->cpus[i]))
            hypercall_yield(&t->cpus[0].platform);
}

_Noreturn void tiny_cpu_main(struct tiny_cpu *cpu)
{
    struct events_cpu *e = &cpu->events;

    cpu->tiny->machine->cpu_ops->interrupts(cpu);
    if (e->info == NULL)
        events_register(e, cpu->info);
    events_unmask(e, cpu->wake);
    e->way->on(e->way_ctx);
    for (;;) {
        vc_store_release(&cpu->state, TINY_CPU_IDLE); /* pairs with tiny_cpu_is_done: what the job did is seen */
        while (vc_load_acquire(&cpu->state) != TINY_CPU_BUSY)
            events_wait(e, &cpu->wake, 1, 0);
        cpu->job(cpu, cpu->arg);
    }
}
