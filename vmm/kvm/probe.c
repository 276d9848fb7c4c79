/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include "machine.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PROBE_BYTES   4096u
#define PROBE_LIMIT_S 10 /* it takes a millisecond; a KVM that is only slow must pass, on a busy host too */

/* Kicks this thread out of KVM_RUN when the time is over: a KVM that never comes back must not hang us. */
static int arm(timer_t *timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL};
    const struct itimerspec limit = {.it_value = {.tv_sec = PROBE_LIMIT_S}};

    event._sigev_un._tid = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, timer) < 0)
        return -errno;
    return timer_settime(*timer, 0, &limit, NULL) < 0 ? -errno : 0;
}

static int judge(int error, const struct kvm_run *run, struct problem *why)
{
    if (error == -EINTR)
        return problem_set(why, -1, "KVM does not come back from three instructions");
    if (error != 0)
        return problem_set(why, -1, "KVM runs nothing: %s", strerror(-error));
    if (run->exit_reason != probe_arch.exit_reason)
        return problem_set(why, -1, "KVM leaves three plain instructions with exit %u", run->exit_reason);
    if (!probe_arch.is_right(run))
        return problem_set(why, -1, "KVM runs three plain instructions wrongly");
    return 0;
}

static int run_program(struct kvm_cpu *cpu, struct problem *why)
{
    timer_t timer;
    int error = arm(&timer);

    if (error != 0)
        return problem_set(why, -1, "no timer for the probe: %s", strerror(-error));
    error = kvm_cpu_run(cpu);
    timer_delete(timer);
    return judge(error, cpu->run, why);
}

static int run_machine(int kvm, void *memory, struct problem *why)
{
    struct kvm_machine machine;
    struct kvm_cpu cpu = {.fd = -1};
    int result = kvm_machine_init(&machine, kvm, why);

    if (result != 0)
        return result;
    result = kvm_machine_map(&machine, probe_arch.gpa, memory, PROBE_BYTES, why);
    if (result == 0)
        result = probe_arch.make_cpu(&cpu, &machine, why);
    if (result == 0)
        result = run_program(&cpu, why);
    kvm_cpu_finish(&cpu);
    kvm_machine_finish(&machine);
    return result;
}

bool kvm_probe(struct problem *why)
{
    int kvm, result;
    void *memory;

    kvm_kick_prepare();
    kvm = kvm_open(why);
    if (kvm < 0)
        return false;
    memory = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        result = problem_set(why, -1, "out of memory");
        goto close_kvm;
    }
    memcpy(memory, probe_arch.program, probe_arch.program_bytes);
    result = run_machine(kvm, memory, why);
    munmap(memory, PROBE_BYTES);
close_kvm:
    close(kvm);
    return result == 0;
}
