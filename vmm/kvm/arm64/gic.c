/* SPDX-License-Identifier: MIT */
#include "gic.h"
#include "gic_state.h"
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

int gic_make(int *fd, const struct kvm_machine *m, uint32_t n_irqs, struct problem *problem)
{
    struct kvm_create_device device = {.type = KVM_DEV_TYPE_ARM_VGIC_V3};
    const uint64_t distributor = ARM64_GICD_GPA, redistributors = ARM64_GICR_GPA;

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

/* ---- Its state: arm-vgic-v3.rst. ---- */

/* A vCPU's affinity is its number: there are no more than one level of it holds (layout.h). */
static struct kvm_device_attr attribute_of(enum gic_part part, uint32_t vcpu, uint32_t at)
{
    static const uint32_t groups[] = {[GIC_DISTRIBUTOR] = KVM_DEV_ARM_VGIC_GRP_DIST_REGS,
                                      [GIC_REDISTRIBUTOR] = KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
                                      [GIC_INTERFACE] = KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
                                      [GIC_LEVELS] = KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO};
    struct kvm_device_attr attribute = {.group = groups[part],
                                        .attr = (uint64_t)vcpu << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT | at};

    if (part == GIC_LEVELS)
        attribute.attr |= VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;
    return attribute;
}

static bool get(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t *value)
{
    struct kvm_device_attr attribute = attribute_of(part, vcpu, at);

    *value = 0; /* most are of 32 bits, and arm64 is little-endian */
    attribute.addr = (uintptr_t)value;
    return ioctl(*(const int *)ctx, KVM_GET_DEVICE_ATTR, &attribute) == 0;
}

static bool set(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t value)
{
    struct kvm_device_attr attribute = attribute_of(part, vcpu, at);

    attribute.addr = (uintptr_t)&value;
    return ioctl(*(const int *)ctx, KVM_SET_DEVICE_ATTR, &attribute) == 0;
}

static struct gic_state state_of(const int *fd, uint32_t n_vcpus, uint32_t n_irqs)
{
    return (struct gic_state){.n_vcpus = n_vcpus, .n_irqs = n_irqs, .ctx = (void *)fd, .get = get, .set = set};
}

int gic_save(int fd, uint32_t n_vcpus, uint32_t n_irqs, struct vc_writer *w, struct problem *problem)
{
    const struct gic_state state = state_of(&fd, n_vcpus, n_irqs);

    return gic_state_write(&state, w, problem);
}

int gic_restore(int fd, uint32_t n_vcpus, uint32_t n_irqs, uint64_t spis, struct vc_reader *r, struct problem *problem)
{
    const struct gic_state state = state_of(&fd, n_vcpus, n_irqs);

    if (gic_state_read(&state, r, problem) != 0)
        return -1;
    /* When they were told, a line's kind was not known yet. */
    for (uint32_t first = 32; first < n_irqs; first += 32)
        if (!set(&fd, GIC_LEVELS, 0, first, (uint32_t)(spis >> (first - 32))))
            return problem_set(problem, -1, "KVM does not take its SPIs' levels");
    return 0;
}
