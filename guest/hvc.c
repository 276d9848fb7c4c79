/* SPDX-License-Identifier: MIT */
#include "hvc.h"

/* Full, and somebody serves it: wait for the event that tells of room, with a limit in case it never comes.
 */
static void wait_for_room(const struct hvc *hvc)
{
    uint64_t now = hvc->port != 0 ? hypercall_time(hvc->platform) : 0;

    /* Without a clock there is no limit to give, and a change of the flag may come without an event: yield.
     */
    if (now == 0 || platform_wait(hvc->platform, &hvc->port, 1, now + HVC_FULL_WAIT_NS) < 0)
        hypercall_yield(hvc->platform);
}

void hvc_write(struct hvc *hvc, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    while (n > 0) {
        size_t put = hvc->driver->put(hvc, at, n);

        at += put;
        n -= put;
        if (put == 0)
            wait_for_room(hvc);
    }
}

size_t hvc_read(struct hvc *hvc, void *bytes, size_t n) { return hvc->driver->get(hvc, bytes, n); }

void hvc_idle(struct hvc *const *hvcs, size_t n)
{
    const struct platform *platform = hvcs[0]->platform;
    uint32_t ports[2 * HVC_CONSOLES], n_ports = 0;
    bool all_tell = true;
    uint64_t now, idle_ns = HVC_IDLE_WAIT_NS;

    for (size_t i = 0; i < n && i < HVC_CONSOLES; i++) {
        uint32_t more = hvcs[i]->driver->input_ports(hvcs[i], ports + n_ports);

        n_ports += more == HVC_BY_INTERRUPT ? 0 : more;
        all_tell = all_tell && more > 0;
        if (more == 0 && hvcs[i]->idle_ns != 0 && hvcs[i]->idle_ns < idle_ns)
            idle_ns = hvcs[i]->idle_ns;
    }
    if (all_tell && platform_wait(platform, ports, n_ports, 0) >= 0)
        return;
    now = hypercall_time(platform);
    if (now == 0 || platform_wait(platform, ports, n_ports, now + idle_ns) < 0)
        hypercall_yield(platform);
}

bool hvc_sleep(const struct platform *platform, uint64_t ns)
{
    uint64_t now = hypercall_time(platform), until = now + ns;

    if (now == 0)
        return false;
    for (; now != 0 && now < until; now = hypercall_time(platform))
        if (hypercall_poll(platform, NULL, 0, until) < 0)
            hypercall_yield(platform);
    return now != 0;
}
