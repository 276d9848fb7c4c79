/* SPDX-License-Identifier: MIT */
/* Leaving: when no domain can run, what they said last still waits for the service, for at most hold. */
#include "domain_private.h"
#include "save.h"
#include "vmm.h"

#define QUIT_LOOK_MS 500 /* domains that still stop after so long may be held */
#define UNATTENDED_MS                                                                                                  \
    30000 /* hold = forever ends so long after we were told to end, if nobody is there to take it or to say so */

static bool all_delivered(struct vmm *vmm)
{
    bool all = true;

    for (size_t i = 0; all && i < vmm->n_domains; i++)
        all = domain_delivered(vmm->domains[i]);
    return all;
}

static uint64_t longest_hold(const struct vmm *vmm)
{
    uint64_t longest = 0;

    for (size_t i = 0; i < vmm->n_domains; i++) {
        int hold = domain_config(vmm->domains[i])->hold_ms;

        if (hold == CONFIG_HOLD_FOREVER)
            return UINT64_MAX;
        if ((uint64_t)hold > longest)
            longest = (uint64_t)hold;
    }
    return longest;
}

/* Not for the short wait that is usual; once. */
static void say_we_wait(struct vmm *vmm)
{
    if (vmm->said_we_wait || longest_hold(vmm) <= CONFIG_HOLD_DEFAULT_MS)
        return;
    vmm->said_we_wait = true;
    vmm_print(vmm, "waiting for the console service to take what is left; q or a second signal leaves without");
}

static bool any_held(struct vmm *vmm)
{
    bool any = false;

    for (size_t i = 0; !any && i < vmm->n_domains; i++)
        any = domain_held(vmm->domains[i]);
    return any;
}

/* Who asked for that waits for its answer. */
static bool any_saving(const struct vmm *vmm)
{
    for (size_t i = 0; i < vmm->n_domains; i++)
        if (vmm->domains[i]->save != NULL)
            return true;
    return false;
}

/* What the service has not taken stays behind. */
static void leave_without(struct vmm *vmm)
{
    vmm->leave_deadline_ms = 0;
    for (size_t i = 0; i < vmm->n_domains; i++)
        domain_give_up(vmm->domains[i]);
}

/* No service, and no terminal at which somebody could press q. */
static bool is_unattended(struct vmm *vmm)
{
    uint64_t now = vmm_now_ms();

    if (!vmm->quitting || vmm->terminal.has_keys || vmm->link.phase != LINK_DOWN) {
        vmm->unattended_since_ms = 0;
        return false;
    }
    if (vmm->unattended_since_ms == 0)
        vmm->unattended_since_ms = now;
    return now - vmm->unattended_since_ms >= UNATTENDED_MS;
}

/* While domains stop, with `leaving` false, and after that. */
static void leave_look(uv_timer_t *timer)
{
    struct vmm *vmm = timer->data;

    if (is_unattended(vmm) && vmm->leave_deadline_ms != 0) {
        vmm_print(vmm, "no console service came to take what is left, and nobody can be asked: leaving without");
        leave_without(vmm);
    }
    if (!vmm->leaving) {
        if (any_held(vmm))
            say_we_wait(vmm);
    } else if (!any_saving(vmm) && (all_delivered(vmm) || vmm_now_ms() >= vmm->leave_deadline_ms)) {
        uv_stop(&vmm->loop);
    }
}

void vmm_quit(struct vmm *vmm)
{
    if (vmm->said_we_wait) /* asked again by somebody who was told what we wait for */
        leave_without(vmm);
    vmm->quitting = true;
    if (!vmm->leaving)
        uv_timer_start(&vmm->leave, leave_look, QUIT_LOOK_MS, QUIT_LOOK_MS);
    for (size_t i = 0; i < vmm->n_domains; i++)
        domain_request(vmm->domains[i], REQUEST_STOP);
    vmm_domain_off(vmm);
}

void vmm_domain_off(struct vmm *vmm)
{
    uint64_t hold;

    if (vmm->leaving || !vmm->started)
        return;
    for (size_t i = 0; i < vmm->n_domains; i++) {
        enum domain_state state = domain_state(vmm->domains[i]);

        if (state != DOMAIN_OFF && state != DOMAIN_CRASHED)
            return;
    }
    vmm->leaving = true;
    hold = longest_hold(vmm);
    if (vmm->leave_deadline_ms != 0)
        vmm->leave_deadline_ms = hold == UINT64_MAX ? UINT64_MAX : vmm_now_ms() + hold;
    if (!all_delivered(vmm))
        say_we_wait(vmm);
    uv_timer_start(&vmm->leave, leave_look, 0, 5);
}
