/* SPDX-License-Identifier: MIT */
/* Event channel and scheduler hypercalls with any number, at any address, with any bytes behind it; parameters too. */
#include "locks.h"
#include <vcons/events.h>
#include <vcons/params.h>

enum { RAM = 1024, PORTS = 70, VCPUS = 2 };

static struct world {
    struct input in;
    struct vc_shared_info shared;
    struct vc_events events;
    uint8_t ram[RAM];
    int doors[4];
} w;

static bool inside(uint64_t at, uint32_t n) { return at < RAM && n <= RAM - at; }
static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    (void)ctx;
    require(locks_held == 0 && n > 0 && n <= 512);
    return inside(from, n) && memcpy(to, w.ram + from, n);
}
static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    (void)ctx;
    require(locks_held == 0);
    return inside(to, n) && memcpy(w.ram + to, from, n);
}
static void sent(void *ctx, void *door)
{
    (void)ctx;
    require(locks_held == 0 && (int *)door >= w.doors && (int *)door < w.doors + 4);
}
static enum vc_wait wait(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    (void)ctx;
    (void)deadline_ns;
    require(locks_held == 0 && *word == value);
    if (take(&w.in, 1) % 2 != 0)
        vc_events_virq(&w.events, 0, VIRQ_CONSOLE);
    return w.in.left > 0 ? (enum vc_wait)(take(&w.in, 1) % 3) : VC_WAIT_STOP;
}
static void wake(void *domain, const uint32_t *word)
{
    (void)domain;
    require(locks_held == 0 && word != NULL);
}
static void yield(void *ctx)
{
    (void)ctx;
    require(locks_held == 0);
}
static void shut(void *ctx, uint32_t reason)
{
    (void)ctx;
    require(reason == SHUTDOWN_poweroff || reason == SHUTDOWN_reboot || reason == SHUTDOWN_crash);
}
static int map(void *domain, uint64_t gfn, uint8_t **page)
{
    (void)domain;
    (void)gfn;
    (void)page;
    return VC_ENOENT;
}
static const struct vc_shared_info_env shared_env = {
    .lock = {.lock = lock, .unlock = unlock}, .map = map, .copy_in = copy_in, .copy_out = copy_out, .wake = wake};
static const struct vc_events_env env = {
    .copy_in = copy_in, .copy_out = copy_out, .sent = sent, .wait = wait, .yield = yield, .shutdown = shut};

static void params_call(struct vc_params *p)
{
    struct xen_hvm_param arg = {.domid = (uint16_t)take(&w.in, 2), .index = (uint32_t)take(&w.in, 1)};
    uint64_t op = take(&w.in, 1) % 3;
    int64_t result;

    arg.index |= take(&w.in, 1) % 8 == 0 ? 0x80000000u : 0;
    arg.value = take(&w.in, 8);
    result = vc_params_hvm_op(p, 3, op, &arg);
    require(result <= 0);
    require(op != HVMOP_set_param || result != 0 || arg.index != HVM_PARAM_CONSOLE_PFN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t memory[16384], shared_memory[8192];
    struct vc_params params;
    uint32_t port;

    memset(&w, 0, sizeof w);
    w.in = (struct input){data, size};
    require(vc_events_bytes(PORTS, VCPUS) <= sizeof memory);
    struct vc_shared_info_config c = {.n_vcpus = VCPUS, .domid = 3, .vcpu_locks = (void *const[VCPUS]){NULL, NULL}};
    require(vc_shared_info_bytes(VCPUS) <= sizeof shared_memory);
    require(vc_shared_info_init(&w.shared, &shared_env, NULL, &c, shared_memory) == VC_OK);
    require(vc_events_init(&w.events, &env, NULL, &w.shared, PORTS, memory) == VC_OK);
    vc_params_init(&params, VC_PARAM_X86);
    for (uint32_t i = 0; i < 4; i++)
        require(vc_events_open(&w.events, &w.doors[i], VC_DOOR_GUEST, &port) == VC_OK);
    while (w.in.left > 0) {
        uint8_t op = (uint8_t)take(&w.in, 1);
        uint64_t at = take(&w.in, 2), cmd = take(&w.in, 1) % 16;

        at = op % 32 == 0 ? UINT64_MAX - at : at % (RAM + 16);
        for (uint32_t i = 0; i < 24 && op % 2 != 0; i++)
            w.ram[(at + i) % RAM] = (uint8_t)take(&w.in, 1);
        switch (op / 2 % 8) {
        case 0: require(vc_events_sched_op(&w.events, NULL, op / 128, cmd, at) <= 0); break;
        case 1: params_call(&params); break;
        case 2: (void)vc_events_notify(&w.events, (uint32_t)at % PORTS, &w.doors[op % 4]); break;
        case 3: (void)vc_events_open(&w.events, &w.doors[op % 4], VC_DOOR_GUEST, &port); break;
        default: require(vc_events_channel_op(&w.events, NULL, cmd, at) <= 0); break;
        }
    }
    return 0;
}
