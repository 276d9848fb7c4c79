/* SPDX-License-Identifier: MIT */
/*
 * lines.h: a PC's four serial ports, and interrupt lines of devices through KVM's own I/O APIC and its pair of 8259s.
 *
 * Spec:  device-abi 1.9 for places, which firmware, boot loaders and kernels know by heart; Linux Documentation/virt/kvm/api.rst
 *        (KVM_CREATE_IRQCHIP, KVM_SET_IRQCHIP, KVM_IRQ_LINE). Two ports share a line, as on a PC; here it is a level
 *        (acpi.h says so), high while any of them wants it. So do virtio devices, but none a port's (wire/virtio_places.h).
 *        A line is driven by KVM_IRQ_LINE, in the thread in which it changed, and not by an irqfd: KVM injects at once only what
 *        is an MSI, and hands a pin to a worker of the kernel's; and a level's irqfd needs a second one, for which the loop
 *        would wake at each end of an interrupt. Measured on two processors with other work: 1.1 us for each change by
 *        KVM_IRQ_LINE, 0.7 us to write an irqfd but 380 us until the pin was high. The guest's look at the device, and its
 *        acknowledgement, which lowers the line, are exits to us either way.
 * Owner: struct kvm_lines is part of the engine.
 * Lock:  its own, taken inside, a leaf. Any thread.
 */
#ifndef VMM_KVM_X86_64_LINES_H
#define VMM_KVM_X86_64_LINES_H
#include "../machine.h"
#include <pthread.h>
#include <vcons/save.h>

#define LINES_UARTS_MAX  4u
#define LINES_UART_PORTS 8u
#define LINES_MAX        24u /* pins of an I/O APIC */
#define IO_APIC_ADDRESS  0xfec00000u

struct lines_uart {
    uint16_t port;
    uint8_t line;
};
extern const struct lines_uart lines_uarts[LINES_UARTS_MAX]; /* COM1 to COM4 */

struct kvm_lines {
    pthread_mutex_t lock;
    int vm;                    /* -1: there are no such controllers, and guests poll */
    uint8_t raised[LINES_MAX]; /* by so many devices */
};
void lines_init(struct kvm_lines *l);
void lines_finish(struct kvm_lines *l);
/* A new machine: all are low. */
void lines_reset(struct kvm_lines *l, int vm);
/* One device's wire to this line has changed. */
void lines_set(struct kvm_lines *l, uint32_t line, bool level);

/* Version 1: u32 1 if there are such controllers, else 0 and nothing more; then, in the kernel's own layout, kvm_pic_state of each of the
 * pair and kvm_ioapic_state. -1: KVM does not tell. */
#define LINES_SAVE_BYTES (4 + 2 * sizeof(struct kvm_pic_state) + sizeof(struct kvm_ioapic_state))
int lines_save(const struct kvm_lines *l, struct vc_writer *w);
/* No vCPU runs. -1: it is none, or KVM refuses it, or this machine has none where that one had, or the other way round. */
int lines_restore(struct kvm_lines *l, struct vc_reader *r);

/* Local APICs, an I/O APIC and a pair of 8259s, those masked. Before the first vCPU. False: KVM has none. */
bool lines_give_irqchip(struct kvm_machine *m);

#endif
