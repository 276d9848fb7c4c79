/* SPDX-License-Identifier: MIT */
/* kvm.h: what the lab's own checks of KVM share: ioctls that must succeed, a machine of one page frame after another, exits. */
#ifndef LAB_KVM_H
#define LAB_KVM_H
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define CODE_GPA  0x1000u
#define RAM_BYTES (1u << 20)
#define EXITS     5000

static inline int checked_ioctl(int fd, unsigned long request, unsigned long argument, const char *name)
{
    int result = ioctl(fd, request, argument);

    if (result < 0)
        err(1, "%s", name);
    return result;
}
#define KVM(fd, request, argument) checked_ioctl(fd, request, (unsigned long)(argument), #request)

/* A machine with an interrupt controller and 1 MiB of memory at 0, which *ram gets. */
static inline int machine_create(int kvm, uint8_t **ram)
{
    struct kvm_userspace_memory_region slot = {.memory_size = RAM_BYTES};
    int vm;

    if (KVM(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        errx(1, "unknown version of the KVM interface");
    vm = KVM(kvm, KVM_CREATE_VM, 0);
    *ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (*ram == MAP_FAILED)
        err(1, "mmap");
    slot.userspace_addr = (uintptr_t)*ram;
    KVM(vm, KVM_SET_USER_MEMORY_REGION, &slot);
    KVM(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
    KVM(vm, KVM_CREATE_IRQCHIP, 0);
    return vm;
}

/* A vCPU in real mode at CODE_GPA; *run gets its shared page. */
static inline int vcpu_create(int kvm, int vm, struct kvm_run **run)
{
    struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2};
    struct kvm_sregs sregs;
    int vcpu = KVM(vm, KVM_CREATE_VCPU, 0);
    size_t bytes = (size_t)KVM(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

    *run = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (*run == MAP_FAILED)
        err(1, "mmap of the vCPU");
    KVM(vcpu, KVM_GET_SREGS, &sregs);
    sregs.cs.base = sregs.cs.selector = 0;
    KVM(vcpu, KVM_SET_SREGS, &sregs);
    KVM(vcpu, KVM_SET_REGS, &regs);
    return vcpu;
}

/* Run the vCPU EXITS times; each exit must have this reason. */
static inline void exits(int vcpu, struct kvm_run *run, uint32_t reason)
{
    for (int i = 0; i < EXITS; i++) {
        KVM(vcpu, KVM_RUN, 0);
        if (run->exit_reason != reason)
            errx(1, "exit %d has reason %u, not %u", i, run->exit_reason, reason);
    }
}
#endif
