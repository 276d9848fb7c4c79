/* SPDX-License-Identifier: MIT */
#include "calls.h"
#include "save.h"
#include "vmm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void restart_due(uv_timer_t *timer)
{
    struct domain *d = timer->data;
    struct problem problem;

    if (domain_start(d, &problem) != 0)
        vmm_print(d->vmm, "d%u (%s) does not start again: %s", d->id, d->config->name, problem.text);
}

struct domain *domain_create(struct vmm *vmm, const struct domain_config *config, uint32_t domid,
                             struct problem *problem)
{
    struct domain *d = calloc(1, sizeof *d);

    if (d == NULL) {
        problem_set(problem, -1, "no memory");
        return NULL;
    }
    d->vmm = vmm;
    d->config = config;
    d->id = domid;
    d->ops = engine_find(config->engine);
    d->memory.fd = -1;
    pthread_mutex_init(&d->why_lock, NULL);
    pthread_mutex_init(&d->focus_lock, NULL);
    pause_init(d);
    uv_timer_init(&vmm->loop, &d->restart);
    d->restart.data = d;
    if (guest_init(d, problem) != 0 || doors_init(d, problem) != 0)
        goto destroy;
    d->engine = d->ops->create(d, config, &d->memory, problem);
    if (d->engine != NULL) {
        domain_envs(d);
        return d;
    }
destroy:
    domain_destroy(d);
    return NULL;
}

/* libuv looks at closed handles once more: the caller runs the loop before it calls domain_free. */
void domain_destroy(struct domain *d)
{
    save_abandon(d);
    if (d->loaded) /* restored, and never started */
        domain_store_close(d);
    if (d->engine != NULL)
        d->ops->destroy(d->engine);
    d->engine = NULL;
    doors_finish(d);
    guest_finish(d);
    uv_close((uv_handle_t *)&d->restart, NULL);
}

void domain_free(struct domain *d)
{
    doors_free(d);
    pause_finish(d);
    guest_free(d);
    pthread_mutex_destroy(&d->focus_lock);
    pthread_mutex_destroy(&d->why_lock);
    free(d);
}

static void tell_state(struct domain *d) { link_domain_state(&d->vmm->link, d); }

static int start_loaded(struct domain *d, struct problem *problem)
{
    save_resume(d);
    if (d->ops->start(d->engine, problem) == 0)
        return 0;
    domain_store_close(d);
    doors_close(d, true);
    return -1;
}

static int start_engine(struct domain *d, struct problem *problem)
{
    if (d->loaded)
        return start_loaded(d, problem);
    if (d->engine == NULL) {
        d->engine = d->ops->create(d, d->config, &d->memory, problem);
        if (d->engine == NULL)
            return -1;
        domain_envs(d);
    } else if (d->boot > 0 && d->ops->reset(d->engine, problem) != 0) {
        return -1;
    }
    d->boot++;
    if (guest_open(d, problem) != 0 || doors_open(d, problem) != 0 ||
        (!d->ops->stream && domain_store_open(d, problem) != 0))
        return -1;
    if (d->ops->start(d->engine, problem) == 0)
        return 0;
    domain_store_close(d);
    doors_close(d, true);
    return -1;
}

void domain_join(struct domain *d)
{
    if (d->in_focus_ring)
        return;
    snprintf(d->notice, sizeof d->notice, "%s. To quit: the same keys until Xen has the input, then q",
             d->config->name);
    d->in_focus_ring = vc_focus_add(&d->vmm->focus, &d->focus, d->id, &d->focus_lock, d->notice, d) == VC_OK;
}

int domain_start(struct domain *d, struct problem *problem)
{
    d->crashed = false;
    atomic_store(&d->request, REQUEST_NONE);
    atomic_store(&d->ended, false);
    atomic_store(&d->stopping, false);
    d->why[0] = '\0';
    d->started_ms = vmm_now_ms();
    domain_join(d);
    link_domain_back(&d->vmm->link, d);
    d->state = DOMAIN_RUNNING;
    if (start_engine(d, problem) != 0) {
        d->crashed = true;
        domain_set_off(d, DOMAIN_CRASHED);
        return -1;
    }
    tell_state(d);
    return 0;
}

/* It stays as it is until somebody resets it; a domain that is gone has no focus. */
void domain_set_off(struct domain *d, enum domain_state state)
{
    d->state = state;
    if (d->in_focus_ring)
        vc_focus_remove(&d->vmm->focus, &d->focus);
    d->in_focus_ring = false;
    doors_post(d, VC_LINE_CLOSE, state == DOMAIN_CRASHED ? VC_DOMAIN_CRASHED : VC_DOMAIN_OFF);
    tell_state(d);
    vmm_domain_off(d->vmm);
}

/* ---- The end of a run. ---- */

/* A person's word stands above the guest's, and STOP over all. */
static void note_request(struct domain *d, enum domain_request request)
{
    int was = REQUEST_NONE;

    while (!atomic_compare_exchange_strong(&d->request, &was, (int)request))
        if (request < REQUEST_RESET || was == REQUEST_STOP)
            return;
}

void domain_end(struct domain *d, enum domain_request request)
{
    note_request(d, request);
    atomic_store(&d->stopping, true);
    domain_wake_all(d);
    doors_wake(d);
    pause_wake(d);
    d->ops->kick(d->engine);
}

bool domain_stopping(const struct domain *d) { return atomic_load(&d->stopping); }

void domain_crashed(struct domain *d, const char *why, ...)
{
    va_list args;

    pthread_mutex_lock(&d->why_lock);
    if (d->why[0] == '\0') {
        va_start(args, why);
        vsnprintf(d->why, sizeof d->why, why, args);
        va_end(args);
    }
    pthread_mutex_unlock(&d->why_lock);
    domain_end(d, REQUEST_CRASH);
}

void domain_rebooted(struct domain *d) { domain_end(d, REQUEST_REBOOT); }

void domain_exited(struct domain *d, int status)
{
    if (status == 0)
        domain_end(d, REQUEST_POWEROFF);
    else if (status > 128)
        domain_crashed(d, "signal %d", status - 128);
    else
        domain_crashed(d, "exit status %d", status);
}

void domain_ended(struct domain *d)
{
    struct vmm *vmm = d->vmm;

    atomic_store(&d->ended, true);
    vmm_notify(vmm);
}

void domain_request(struct domain *d, enum domain_request request)
{
    struct problem problem;

    if (request == REQUEST_RESET && (d->vmm->quitting || d->vmm->leaving)) {
        vmm_print(d->vmm, "d%u (%s) is not reset: the hypervisor is about to end", d->id, d->config->name);
    } else if (d->state == DOMAIN_RUNNING) {
        domain_end(d, request);
    } else if (d->state == DOMAIN_ENDING) {
        note_request(d, request);
    } else if (d->state == DOMAIN_NEW) {
        if (request == REQUEST_STOP)
            domain_set_off(d, DOMAIN_OFF); /* asked for while the service was still taking our lines */
    } else if (request == REQUEST_RESET) {
        uv_timer_stop(&d->restart);
        if (domain_start(d, &problem) != 0)
            vmm_print(d->vmm, "d%u (%s) does not start: %s", d->id, d->config->name, problem.text);
    } else if (d->state == DOMAIN_WAITING || d->state == DOMAIN_PRESERVED) {
        uv_timer_stop(&d->restart);
        domain_set_off(d, DOMAIN_OFF);
    }
}

static enum config_action action_for(const struct domain *d, enum domain_request request)
{
    if (d->vmm->quitting)
        return ACTION_DESTROY;
    switch (request) {
    case REQUEST_POWEROFF: return d->config->on_poweroff;
    case REQUEST_REBOOT: return d->config->on_reboot;
    case REQUEST_CRASH: return d->config->on_crash;
    case REQUEST_RESET: return ACTION_RESTART;
    default: return ACTION_DESTROY;
    }
}

static void say_how(struct domain *d, enum domain_request request, enum config_action action)
{
    static const char *const did[] = {
        [REQUEST_POWEROFF] = "powered off", [REQUEST_REBOOT] = "reboots", [REQUEST_CRASH] = "crashed",
        [REQUEST_RESET] = "is reset",       [REQUEST_SAVE] = "is saved",  [REQUEST_STOP] = "is stopped"};
    const char *next = request == REQUEST_REBOOT || request == REQUEST_RESET ? ""
                       : action == ACTION_RESTART                            ? "; starts again"
                       : action == ACTION_PRESERVE                           ? "; kept as it is"
                                                                             : "";

    vmm_print(d->vmm, "d%u (%s) %s%s%s%s", d->id, d->config->name, did[request], d->why[0] != '\0' ? ": " : "", d->why,
              next);
}

static void restart(struct domain *d, enum domain_request request)
{
    uint64_t due = d->started_ms + DOMAIN_RESTART_MS, now = vmm_now_ms();

    if (request == REQUEST_RESET)
        doors_post(d, VC_LINE_RESET, 0);
    d->state = DOMAIN_WAITING;
    uv_timer_start(&d->restart, restart_due, due > now ? due - now : 0, 0);
}

static void finish_run(struct domain *d)
{
    enum domain_request request = (enum domain_request)atomic_load(&d->request);
    enum config_action action = action_for(d, request);

    d->crashed = request == REQUEST_CRASH;
    domain_store_close(d);
    doors_close(d, action != ACTION_RESTART);
    guest_reset(d);
    calls_summary(d);
    say_how(d, request, action);
    if (action == ACTION_RESTART)
        restart(d, request);
    else if (action == ACTION_PRESERVE)
        domain_set_off(d, DOMAIN_PRESERVED);
    else {
        d->ops->destroy(d->engine);
        d->engine = NULL;
        domain_set_off(d, request == REQUEST_CRASH ? DOMAIN_CRASHED : DOMAIN_OFF);
    }
}

void domain_reap(struct domain *d)
{
    if (save_holds(d))
        return; /* its memory is being written; who does that has us look again */
    if (d->state == DOMAIN_RUNNING) {
        d->ops->stop(d->engine);
        d->state = DOMAIN_ENDING;
    }
    if (doors_drained(d)) /* else the line's room, or the end of hold, brings us back */
        finish_run(d);
}

void domain_look(struct domain *d)
{
    doors_look(d);
    domain_store_look(d);
    if (d->state == DOMAIN_RUNNING && atomic_load(&d->ended))
        domain_reap(d);
}
