/* SPDX-License-Identifier: MIT */
#include "gic.h"
#include "layout.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int set_attribute(int fd, uint32_t group, uint64_t which, const void *value)
{
    const struct kvm_device_attr attribute = {.group = group, .attr = which, .addr = (uintptr_t)value};

    return ioctl(fd, KVM_SET_DEVICE_ATTR, &attribute);
}

int gic_make(int *fd, const struct kvm_machine *m, struct problem *problem)
{
    struct kvm_create_device device = {.type = KVM_DEV_TYPE_ARM_VGIC_V3};
    const uint64_t distributor = ARM64_GICD_GPA, redistributors = ARM64_GICR_GPA;
    const uint32_t n_irqs = ARM64_N_IRQS;

    *fd = -1;
    if (ioctl(m->vm, KVM_CREATE_DEVICE, &device) < 0)
        return problem_set(problem, -1, "KVM makes no GICv3: %s", strerror(errno));
    *fd = (int)device.fd;
    if (set_attribute(*fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n_irqs) < 0 ||
        set_attribute(*fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &distributor) < 0 ||
        set_attribute(*fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redistributors) < 0 ||
        set_attribute(*fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL) < 0) {
        problem_set(problem, -1, "KVM does not set up its GICv3: %s", strerror(errno));
        gic_finish(fd);
        return -1;
    }
    return 0;
}

void gic_finish(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void gic_line(const struct kvm_machine *m, uint32_t spi, bool level)
{
    const struct kvm_irq_level line = {.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (32 + spi),
                                       .level = level};

    ioctl(m->vm, KVM_IRQ_LINE, &line);
}
