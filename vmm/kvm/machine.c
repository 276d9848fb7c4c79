/* SPDX-License-Identifier: MIT */
#include "machine.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    int capability;
    const char *name;
} needed[] = {{KVM_CAP_USER_MEMORY, "memory of user space"}, {KVM_CAP_IMMEDIATE_EXIT, "immediate exits"}};

static void on_kick(int signal) { (void)signal; } /* its arrival is all: KVM_RUN returns EINTR */

void kvm_kick_prepare(void)
{
    struct sigaction action = {.sa_handler = on_kick}; /* no SA_RESTART */

    sigaction(KVM_KICK_SIGNAL, &action, NULL);
}

static int open_device(struct problem *problem)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        return problem_set(problem, -1, "/dev/kvm is not there");
    if (errno == EACCES || errno == EPERM)
        return problem_set(problem, -1, "user %u may not open /dev/kvm (its group, often kvm, may)",
                           (unsigned)getuid());
    return problem_set(problem, -1, "/dev/kvm cannot be opened: %s", strerror(errno));
}

int kvm_open(struct problem *problem)
{
    int kvm = open_device(problem), version;

    if (kvm < 0)
        return -1;
    version = ioctl(kvm, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) { /* 4.1: nothing else may be assumed then */
        close(kvm);
        return problem_set(problem, -1, "KVM speaks version %d of its interface, not 12", version);
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].capability) <= 0) {
            close(kvm);
            return problem_set(problem, -1, "KVM lacks %s", needed[i].name);
        }
    return kvm;
}

int kvm_machine_init(struct kvm_machine *m, int kvm, struct problem *problem)
{
    *m = (struct kvm_machine){.kvm = kvm, .vm = -1};
    m->vm = ioctl(kvm, KVM_CREATE_VM, 0);
    return m->vm >= 0 ? 0 : problem_set(problem, -1, "KVM makes no virtual machine: %s", strerror(errno));
}

int kvm_machine_slot(struct kvm_machine *m, uint32_t slot, uint64_t gpa, void *memory, uint64_t bytes)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot, .guest_phys_addr = gpa, .memory_size = bytes, .userspace_addr = (uintptr_t)memory};

    return ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

int kvm_machine_map(struct kvm_machine *m, uint64_t gpa, void *memory, uint64_t bytes, struct problem *problem)
{
    int error = kvm_machine_slot(m, m->n_slots, gpa, memory, bytes);

    if (error != 0)
        return problem_set(problem, -1, "KVM takes no memory of %llu bytes at 0x%llx: %s", (unsigned long long)bytes,
                           (unsigned long long)gpa, strerror(-error));
    m->n_slots++;
    return 0;
}

bool kvm_can_have_lapics(int kvm)
{
    return ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SPLIT_IRQCHIP) > 0 &&
           ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SIGNAL_MSI) > 0;
}

bool kvm_machine_give_lapics(struct kvm_machine *m)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP}; /* args[0]: an I/O APIC of no pins in user space */

    return kvm_can_have_lapics(m->kvm) && ioctl(m->vm, KVM_ENABLE_CAP, &cap) == 0;
}

void kvm_machine_finish(struct kvm_machine *m)
{
    if (m->vm >= 0)
        close(m->vm);
    m->vm = -1;
}

int kvm_cpu_init(struct kvm_cpu *c, const struct kvm_machine *m, uint32_t id, struct problem *problem)
{
    int run_bytes = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

    *c = (struct kvm_cpu){.fd = -1, .id = id};
    c->fd = ioctl(m->vm, KVM_CREATE_VCPU, (unsigned long)id);
    if (c->fd < 0)
        return problem_set(problem, -1, "KVM makes no vCPU %u: %s", (unsigned)id, strerror(errno));
    if (run_bytes < (int)sizeof *c->run) {
        kvm_cpu_finish(c);
        return problem_set(problem, -1, "KVM's run area is too small");
    }
    c->run_bytes = (size_t)run_bytes;
    c->run = mmap(NULL, c->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
    if (c->run == MAP_FAILED) {
        problem_set(problem, -1, "KVM's run area cannot be mapped: %s", strerror(errno));
        c->run = NULL;
        kvm_cpu_finish(c);
        return -1;
    }
    return 0;
}

void kvm_cpu_finish(struct kvm_cpu *c)
{
    if (c->run != NULL)
        munmap(c->run, c->run_bytes);
    if (c->fd >= 0)
        close(c->fd);
    *c = (struct kvm_cpu){.fd = -1};
}

void kvm_cpu_own(struct kvm_cpu *c, bool own) { atomic_store(&c->tid, own ? (pid_t)syscall(SYS_gettid) : 0); }

int kvm_cpu_run(struct kvm_cpu *c)
{
    int error;

    if (ioctl(c->fd, KVM_RUN, 0) == 0)
        return 0;
    error = errno;
    /* Cleared before the caller looks at what the kick was for: a kick that comes now is seen by the next run. */
    if (error == EINTR)
        __atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    return -error;
}

int kvm_cpu_complete(struct kvm_cpu *c)
{
    __atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    return kvm_cpu_run(c);
}

void kvm_cpu_kick(struct kvm_cpu *c)
{
    pid_t tid;

    /* 5 (kvm_run): sampled at entry. Set first, so that a signal that comes before the entry is not lost. */
    __atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    tid = atomic_load(&c->tid);
    if (tid != 0)
        syscall(SYS_tgkill, getpid(), tid, KVM_KICK_SIGNAL);
}
