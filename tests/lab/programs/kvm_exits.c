/* SPDX-License-Identifier: MIT */
/* kvm_exits: a real-mode guest writes to a port again and again. KVM works here. */
#include "kvm.h"

#define PORT 0x10

int main(void)
{
    static const uint8_t code[] = {0xe6, PORT, 0xeb, 0xfc}; /* 1: out %al, $PORT; jmp 1b */
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
    struct kvm_run *run;
    uint8_t *ram;

    if (kvm < 0)
        err(1, "/dev/kvm");
    vm = machine_create(kvm, &ram);
    memcpy(ram + CODE_GPA, code, sizeof code);
    vcpu = vcpu_create(kvm, vm, &run);
    exits(vcpu, run, KVM_EXIT_IO);
    if (run->io.port != PORT || run->io.direction != KVM_EXIT_IO_OUT)
        errx(1, "not the guest's port");
    return 0;
}
