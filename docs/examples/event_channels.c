/* SPDX-License-Identifier: MIT */
/*
 * Xen's event channels in your own hypervisor: what vc_shared_info and vc_events need from you, and how an event gets to a
 * guest that maps shared_info, registers a vcpu_info of its own, and waits.
 *
 *     cc event_channels.c $(pkg-config --cflags --libs vcons) -o event_channels && ./event_channels
 *
 * Here the guest is the second half of main; guest virtual and physical addresses are offsets into ram. In a hypervisor
 * vc_events_channel_op and its like are called by the vCPU thread that made the hypercall.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/events.h>

#define FRAMES 4u
static _Alignas(4096) uint8_t ram[FRAMES * 4096];

/* One thread here, so locks have nothing to do. Yours are mutexes, or spinlocks that mask interrupts. */
static unsigned long lock(void *which) { return which == NULL; }
static void unlock(void *which, unsigned long saved) { (void)which, (void)saved; }

/* Where a guest's frame lies in our memory. When that changes: vc_shared_info_remapped. */
static int map(void *domain, uint64_t gfn, uint8_t **page)
{
    (void)domain;
    *page = gfn < FRAMES ? ram + gfn * 4096 : NULL;
    return *page != NULL ? VC_OK : VC_ENOENT;
}

static bool copy_in(void *vcpu, void *to, uint64_t from, uint32_t n)
{
    (void)vcpu;
    return from < sizeof ram && n <= sizeof ram - from && memcpy(to, ram + from, n);
}

static bool copy_out(void *vcpu, uint64_t to, const void *from, uint32_t n)
{
    (void)vcpu;
    return to < sizeof ram && n <= sizeof ram - to && memcpy(ram + to, from, n);
}

static bool upcall(void *domain, uint32_t vcpu) /* here you would inject the vCPU's interrupt */
{
    (void)domain;
    printf("upcall of vCPU %" PRIu32 "\n", vcpu);
    return true;
}

static void wake(void *domain, const uint32_t *word) { (void)domain, (void)word; } /* futex wake */
static enum vc_wait wait(void *vcpu, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    (void)vcpu, (void)deadline_ns; /* futex wait, while *word is value */
    return *word == value ? VC_WAIT_STOP : VC_WAIT_WOKEN;
}

static void sent(void *vcpu, void *door) { (void)vcpu, printf("the guest sent to the %s\n", (const char *)door); }
static void yield(void *vcpu) { (void)vcpu; }
static void end(void *vcpu, uint32_t reason) { (void)vcpu, exit((int)reason); }

static const struct vc_shared_info_env pages = {.lock = {.lock = lock, .unlock = unlock},
                                                .map = map,
                                                .copy_in = copy_in,
                                                .copy_out = copy_out,
                                                .upcall = upcall,
                                                .wake = wake};
static const struct vc_events_env channels = {
    .copy_in = copy_in, .copy_out = copy_out, .sent = sent, .wait = wait, .yield = yield, .shutdown = end};

int main(void)
{
    static char console[] = "console";
    struct vc_shared_info_config config = {
        .abi = VC_ABI_X86_64, .n_vcpus = 1, .domid = 1, .vcpu_locks = (void *[]){NULL}};
    struct vc_shared_info shared;
    struct vc_events events;
    void *memory[] = {aligned_alloc(VC_SHARED_INFO_ALIGN, vc_shared_info_bytes(1)),
                      aligned_alloc(VC_SHARED_INFO_ALIGN, vc_events_bytes(VC_EVENTS_PORTS_MAX, 1))};
    uint32_t port;

    if (memory[0] == NULL || memory[1] == NULL || vc_shared_info_init(&shared, &pages, NULL, &config, memory[0]) ||
        vc_events_init(&events, &channels, NULL, &shared, VC_EVENTS_PORTS_MAX, memory[1]))
        return 1;
    vc_events_open(&events, console, VC_DOOR_GUEST, &port); /* the end of a console; the guest gets the number */
    printf("port %" PRIu32 "\n", port);

    /* The guest: shared_info at frame 1, then a vcpu_info of its own on frame 2, as Linux does on each vCPU. */
    struct vcpu_info_x86_64 *info = (struct vcpu_info_x86_64 *)(void *)(ram + 2 * 4096 + 256);
    struct evtchn_send send = {port};

    if (vc_shared_info_place(&shared, 1) != 0 || vc_shared_info_register(&shared, 0, 0, 2, 256) != 0)
        return 1; /* "upcall of vCPU 0": Xen has each look at all ports after that */
    info->evtchn_upcall_pending = 0;
    info->evtchn_pending_sel = 0;
    memcpy(ram, &send, sizeof send);
    if (vc_events_channel_op(&events, NULL, EVTCHNOP_send, 0) != 0) /* the argument is at guest address 0 */
        return 1;

    vc_events_notify(&events, port, console); /* the console has input, say: "upcall of vCPU 0" */
    printf("pending %#" PRIx64 ", selector %#" PRIx64 "\n",
           ((struct shared_info_x86_64 *)(void *)(ram + 4096))->evtchn_pending[0], info->evtchn_pending_sel);
    free(memory[0]);
    free(memory[1]);
    return 0;
}
