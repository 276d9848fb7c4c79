/* SPDX-License-Identifier: MIT */
#include "coalesced.h"
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vcons/uart.h>

#define PAGE_BYTES 4096u
#define PART       64u /* writes that are handed over together */

_Static_assert(KVM_COALESCED_PLACES == ENGINE_RECORDED_MAX, "engine.h");
_Static_assert(sizeof(struct kvm_coalesced_mmio) == 24, "4.116");

void kvm_coalesced_init(struct kvm_coalesced *c)
{
    *c = (struct kvm_coalesced){.vm = -1};
    pthread_mutex_init(&c->lock, NULL);
}

void kvm_coalesced_finish(struct kvm_coalesced *c) { pthread_mutex_destroy(&c->lock); }

/* 4.116: the ring is one page of KVM's kernel, so many pages into the mapping of each vCPU. NULL: there is none. */
static struct kvm_coalesced_mmio_ring *find_ring(const struct kvm_machine *m, const struct kvm_cpu *cpu)
{
    int pages = ioctl(m->kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

    /* Larger pages make a ring that is larger than what we promise to hold at most. */
    if (pages <= 0 || sysconf(_SC_PAGESIZE) != PAGE_BYTES || ((size_t)pages + 1) * PAGE_BYTES > cpu->run_bytes)
        return NULL;
    return (struct kvm_coalesced_mmio_ring *)(void *)((uint8_t *)cpu->run + (size_t)pages * PAGE_BYTES);
}

void kvm_coalesced_attach(struct kvm_coalesced *c, const struct kvm_machine *m, const struct kvm_cpu *cpu)
{
    pthread_mutex_lock(&c->lock);
    c->vm = m->vm;
    c->ring = find_ring(m, cpu);
    c->ports = ioctl(m->kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_PIO) > 0;
    c->owner = NULL;
    c->on = false;
    pthread_mutex_unlock(&c->lock);
}

void kvm_coalesced_detach(struct kvm_coalesced *c)
{
    pthread_mutex_lock(&c->lock);
    c->vm = -1;
    c->ring = NULL;
    c->owner = NULL;
    c->on = false;
    pthread_mutex_unlock(&c->lock);
}

/* [locked] */
static bool begin(struct kvm_coalesced *c, const struct engine_device *place, uint32_t bytes)
{
    struct kvm_coalesced_mmio_zone zone = {.addr = place->address, .size = bytes, .pio = place->space == ENGINE_PORTS};

    if (c->ring == NULL || c->owner != NULL || (zone.pio != 0 && !c->ports) ||
        ioctl(c->vm, KVM_REGISTER_COALESCED_MMIO, &zone) != 0)
        return false;
    c->owner = place;
    c->zone = zone;
    c->on = true;
    return true;
}

bool kvm_coalesced_zone(struct kvm_coalesced *c, const struct engine_device *place, uint32_t bytes, bool on)
{
    bool done = true;

    pthread_mutex_lock(&c->lock);
    if (on)
        done = begin(c, place, bytes);
    else if (c->owner == place && c->on) {
        /* When this returns no vCPU is in the midst of a write that would still be recorded. */
        ioctl(c->vm, KVM_UNREGISTER_COALESCED_MMIO, &c->zone);
        c->on = false;
    }
    pthread_mutex_unlock(&c->lock);
    return done;
}

/* An entry as the device knows it. One that is outside the zone, which KVM does not make, is none that it takes. */
static struct vc_uart_write write_of(const struct kvm_coalesced *c, const struct kvm_coalesced_mmio *entry)
{
    struct vc_uart_write write = {.offset = entry->phys_addr - c->zone.addr, .width = entry->len};

    if (entry->pio != c->zone.pio || write.offset >= c->zone.size || write.width > c->zone.size - write.offset)
        return (struct vc_uart_write){.offset = UINT64_MAX};
    memcpy(&write.value, entry->data, write.width < sizeof write.value ? write.width : sizeof write.value);
    return write;
}

/* What lies in the ring by now, and no more: a guest that goes on writing does not keep us here. */
static bool hand_over(struct kvm_coalesced *c, engine_take *take, void *ctx)
{
    struct kvm_coalesced_mmio_ring *ring = c->ring;
    uint32_t first = ring->first, last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE); /* the entries are there */
    struct vc_uart_write writes[PART];

    if (first >= KVM_COALESCED_PLACES || last >= KVM_COALESCED_PLACES)
        return true;
    while (first != last) {
        uint32_t n = 0, taken;

        for (uint32_t at = first; at != last && n < PART; at = (at + 1) % KVM_COALESCED_PLACES)
            writes[n++] = write_of(c, &ring->coalesced_mmio[at]);
        taken = take(ctx, writes, n);
        first = (first + taken) % KVM_COALESCED_PLACES;
        __atomic_store_n(&ring->first, first, __ATOMIC_RELEASE); /* they have been read */
        if (taken < n)
            return false;
    }
    return true;
}

bool kvm_coalesced_take(struct kvm_coalesced *c, const struct engine_device *place, engine_take *take, void *ctx)
{
    bool all = true;

    pthread_mutex_lock(&c->lock);
    if (c->ring != NULL && c->owner == place) {
        all = hand_over(c, take, ctx);
        if (all && !c->on)
            c->owner = NULL; /* from now on another's may be recorded */
    }
    pthread_mutex_unlock(&c->lock);
    return all;
}
