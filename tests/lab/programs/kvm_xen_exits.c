/* SPDX-License-Identifier: MIT */
/* kvm_xen_exits: the guest asks for the hypercall page, then makes hypercalls again and again. KVM_XEN works here, all of it. */
#include "kvm.h"

#define HYPERCALL_MSR 0x40000000u
#define PAGE_GPA      0x2000u
#define CONSOLE_IO    18
#define ALL_PARTS     0x3f /* MSR, intercept, shared info, runstate, 2-level events, sending them: all that Linux 6.1 has */

static const uint8_t code[] = {
    0x66, 0xb9, 0x00,       0x00, 0x00, 0x40, /* mov $HYPERCALL_MSR, %ecx */
    0x66, 0xb8, 0x00,       0x20, 0x00, 0x00, /* mov $PAGE_GPA, %eax */
    0x66, 0x31, 0xd2,                         /* xor %edx, %edx */
    0x0f, 0x30,                               /* wrmsr */
    0x66, 0xb8, CONSOLE_IO, 0,    0,    0,    /* 1: mov $CONSOLE_IO, %eax */
    0x0f, 0x01, 0xd9,                         /* vmmcall */
    0xeb, 0xf5,                               /* jmp 1b */
};

int main(void)
{
    struct kvm_xen_hvm_config config = {.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL, .msr = HYPERCALL_MSR};
    struct kvm_xen_hvm_attr shared_info = {.type = KVM_XEN_ATTR_TYPE_SHARED_INFO, .u.shared_info.gfn = 3};
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu, parts;
    struct kvm_run *run;
    uint8_t *ram;

    if (kvm < 0)
        err(1, "/dev/kvm");
    vm = machine_create(kvm, &ram);
    parts = KVM(vm, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
    printf("KVM_CAP_XEN_HVM = %#x\n", parts);
    if ((parts & ALL_PARTS) != ALL_PARTS)
        errx(1, "KVM_XEN is missing or incomplete");
    KVM(vm, KVM_XEN_HVM_CONFIG, &config);
    KVM(vm, KVM_XEN_HVM_SET_ATTR, &shared_info);
    memcpy(ram + CODE_GPA, code, sizeof code);
    vcpu = vcpu_create(kvm, vm, &run);
    exits(vcpu, run, KVM_EXIT_XEN);
    if (run->xen.type != KVM_EXIT_XEN_HCALL || run->xen.u.hcall.input != CONSOLE_IO)
        errx(1, "not the guest's hypercall");
    if (ram[PAGE_GPA + 32 * CONSOLE_IO] != 0xb8 || ram[PAGE_GPA + 32 * CONSOLE_IO + 1] != CONSOLE_IO)
        errx(1, "KVM did not fill the hypercall page");
    return 0;
}
