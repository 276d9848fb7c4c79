/* SPDX-License-Identifier: MIT */
#include "lines.h"
#include <string.h>
#include <sys/ioctl.h>

const struct lines_uart lines_uarts[LINES_UARTS_MAX] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

void lines_init(struct kvm_lines *l)
{
    pthread_mutex_init(&l->lock, NULL);
    l->vm = -1;
}

void lines_finish(struct kvm_lines *l) { pthread_mutex_destroy(&l->lock); }

void lines_reset(struct kvm_lines *l, int vm)
{
    pthread_mutex_lock(&l->lock);
    l->vm = vm;
    memset(l->raised, 0, sizeof l->raised);
    pthread_mutex_unlock(&l->lock);
}

void lines_set(struct kvm_lines *l, uint32_t line, bool level)
{
    struct kvm_irq_level change = {.irq = line, .level = level};

    pthread_mutex_lock(&l->lock);
    l->raised[line] = (uint8_t)(l->raised[line] + (level ? 1 : -1));
    if (l->vm >= 0 && l->raised[line] == level) /* the first that wants it, or the last that did */
        ioctl(l->vm, KVM_IRQ_LINE, &change);
    pthread_mutex_unlock(&l->lock);
}

static const struct {
    uint32_t chip;
    size_t bytes;
} chips[] = {{KVM_IRQCHIP_PIC_MASTER, sizeof(struct kvm_pic_state)},
             {KVM_IRQCHIP_PIC_SLAVE, sizeof(struct kvm_pic_state)},
             {KVM_IRQCHIP_IOAPIC, sizeof(struct kvm_ioapic_state)}};
#define N_CHIPS (sizeof chips / sizeof chips[0])

int lines_save(const struct kvm_lines *l, struct vc_writer *w)
{
    vc_write_u32(w, l->vm >= 0);
    for (size_t i = 0; l->vm >= 0 && i < N_CHIPS; i++) {
        struct kvm_irqchip chip = {.chip_id = chips[i].chip};

        if (ioctl(l->vm, KVM_GET_IRQCHIP, &chip) != 0)
            return -1;
        vc_write_bytes(w, &chip.chip, chips[i].bytes);
    }
    return 0;
}

/* Which lines are high KVM takes from here too; who drives them has said so before, and will say when that changes. */
int lines_restore(struct kvm_lines *l, struct vc_reader *r)
{
    if (vc_read_u32(r) != (l->vm >= 0) || !vc_reader_ok(r))
        return -1;
    for (size_t i = 0; l->vm >= 0 && i < N_CHIPS; i++) {
        struct kvm_irqchip chip = {.chip_id = chips[i].chip};

        vc_read_bytes(r, &chip.chip, chips[i].bytes);
        if (chips[i].chip == KVM_IRQCHIP_IOAPIC)
            chip.chip.ioapic.base_address = IO_APIC_ADDRESS; /* guests do not move it */
        if (!vc_reader_ok(r) || ioctl(l->vm, KVM_SET_IRQCHIP, &chip) != 0)
            return -1;
    }
    return 0;
}

/*
 * KVM has each line go to both kinds. A PIC that nobody has set up is open, and takes a line for vector 4, which the first
 * processor, whose LINT0 is open to it at reset, would take for an overflow: a kernel that finds no PIC in its tables (acpi.h) leaves
 * it as it is. One that looks for it by itself sets it up, masks and all.
 */
bool lines_give_irqchip(struct kvm_machine *m)
{
    if (ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) != 0)
        return false;
    for (uint32_t i = KVM_IRQCHIP_PIC_MASTER; i <= KVM_IRQCHIP_PIC_SLAVE; i++) {
        struct kvm_irqchip chip = {.chip_id = i};

        if (ioctl(m->vm, KVM_GET_IRQCHIP, &chip) != 0)
            return false;
        chip.chip.pic.imr = 0xff;
        if (ioctl(m->vm, KVM_SET_IRQCHIP, &chip) != 0)
            return false;
    }
    return true;
}
