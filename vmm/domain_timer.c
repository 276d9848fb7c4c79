/* SPDX-License-Identifier: MIT */
/*
 * Time of a guest: its clock, and VIRQ_TIMER. A timer is a descriptor that its vCPU's own thread sets and the loop waits
 * for: nothing polls, and setting one wakes nobody.
 */
#include "calls.h"
#include "host/clock.h"
#include "vmm.h"
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_A_SECOND 1000000000u
#define FOR_EVER_NS (UINT64_C(1000000000) * NS_A_SECOND) /* 31 years */

uint64_t domain_time_ns(void) { return clock_ns(); }

uint64_t domain_guest_time(const struct domain *d)
{
    return d->ops->time_ns != NULL && d->engine != NULL ? d->ops->time_ns(d->engine) : clock_ns();
}

static void fired(uv_poll_t *poll, int status, int events)
{
    struct domain_vcpu *v = poll->data;
    uint64_t times;

    (void)status, (void)events;
    if (read(v->timer_fd, &times, sizeof times) == sizeof times) /* else it was set anew just now */
        vc_events_virq(&v->domain->events, v->number, VIRQ_TIMER);
}

int domain_timer_init(struct domain_vcpu *v, struct problem *problem)
{
    v->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (v->timer_fd < 0 || uv_poll_init(&v->domain->vmm->loop, &v->timer, v->timer_fd) != 0)
        return problem_set(problem, -1, "no timer for a vCPU: %s", strerror(errno));
    v->timer.data = v;
    v->has_timer = true;
    return uv_poll_start(&v->timer, UV_READABLE, fired) == 0 ? 0 : problem_set(problem, -1, "no timer for a vCPU");
}

void domain_timer_finish(struct domain_vcpu *v)
{
    if (v->has_timer)
        uv_close((uv_handle_t *)&v->timer, NULL);
    v->has_timer = false;
}

void domain_timer_free(struct domain_vcpu *v)
{
    if (v->timer_fd >= 0)
        close(v->timer_fd);
    v->timer_fd = -1;
}

/* One that has passed fires at once: a timerfd takes no 0 for that, but any time that is over. */
void domain_timer_set(struct domain_vcpu *v, uint64_t deadline_ns)
{
    uint64_t now = domain_guest_time(v->domain), wake_ns = 1;
    struct itimerspec t = {0};

    v->timer_ns = deadline_ns;
    if (deadline_ns != DOMAIN_TIMER_NONE) {
        if (deadline_ns > now && deadline_ns - now < FOR_EVER_NS)
            wake_ns = clock_ns() + (deadline_ns - now);
        else if (deadline_ns > now)
            wake_ns = clock_ns() + FOR_EVER_NS;
        t.it_value.tv_sec = (time_t)(wake_ns / NS_A_SECOND);
        t.it_value.tv_nsec = (long)(wake_ns % NS_A_SECOND);
    }
    timerfd_settime(v->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* An engine with a clock of its own has told the guest where it placed vcpu_info. */
static void tell_clock(struct domain *d)
{
    struct vcpu_time_info time;

    if (d->ops->placed != NULL)
        return;
    time = guest_clock_now(&d->vmm->clock, domain_guest_time(d) - clock_ns());
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        vc_shared_info_time(&d->shared, i, &time);
}

/* Wall time at system time 0; the guest reads it once, so that steps of this machine's clock later on are not its. */
void domain_tell_time(struct domain *d)
{
    struct timespec real;
    uint64_t at_zero;

    clock_gettime(CLOCK_REALTIME, &real);
    at_zero = (uint64_t)real.tv_sec * NS_A_SECOND + (uint64_t)real.tv_nsec - domain_guest_time(d);
    vc_shared_info_wallclock(&d->shared, at_zero / NS_A_SECOND, (uint32_t)(at_zero % NS_A_SECOND));
    tell_clock(d);
}
