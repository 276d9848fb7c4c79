/* SPDX-License-Identifier: MIT */
#include "host/sock.h"
#include "link_private.h"
#include "vmm.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct vc_link_head head_of(enum vc_link_type type, size_t bytes)
{
    return (struct vc_link_head){.type = type, .bytes = (uint32_t)bytes};
}

/* 0; -EAGAIN: the service does not read just now; else it is gone. */
static int send_packet(struct link *l, const void *packet, size_t n, const int *fds, unsigned n_fds)
{
    ssize_t sent = sock_send_fds(l->fd, packet, n, fds, n_fds);

    return sent == (ssize_t)n ? 0 : sent < 0 ? (int)sent : -EPROTO;
}

int link_send_hello(struct link *l)
{
    struct vc_link_hello hello = {.head = head_of(VC_LINK_HELLO, sizeof hello), .version = VC_LINK_VERSION};

    hello.pid = (uint32_t)getpid();
    snprintf(hello.name, sizeof hello.name, "%s", l->vmm->config.name);
    return send_packet(l, &hello, sizeof hello, NULL, 0);
}

static uint32_t kind_of(const struct config_console *console)
{
    static const uint32_t kinds[] = {[DOOR_XEN] = VC_LINK_XEN,         [DOOR_CONSOLE_IO] = VC_LINK_CONSOLE_IO,
                                     [DOOR_COMMAND] = VC_LINK_COMMAND, [DOOR_PL011] = VC_LINK_PL011,
                                     [DOOR_SBSA] = VC_LINK_SBSA,       [DOOR_16550] = VC_LINK_16550,
                                     [DOOR_VIRTIO] = VC_LINK_VIRTIO,   [DOOR_VIRTIO_PORT] = VC_LINK_VIRTIO_PORT};

    return kinds[console->door];
}

static void name_domain(struct vc_link_add *add, const struct domain *d, uint32_t number)
{
    const struct domain_config *config = domain_config(d);
    const struct config_console *console = domain_console_config(d, number);

    add->kind = kind_of(console);
    add->first = number == 0;
    add->domid = domain_id(d);
    add->boot = domain_boot(d) > 0 ? domain_boot(d) : 1;
    memcpy(add->uuid, config->uuid, sizeof add->uuid);
    snprintf(add->domain, sizeof add->domain, "%s", config->name);
    snprintf(add->console, sizeof add->console, "%s", console->name);
    snprintf(add->engine, sizeof add->engine, "%s", config->engine);
}

static void name_hypervisor(struct vc_link_add *add, const struct vmm *vmm)
{
    add->kind = VC_LINK_TERMINAL;
    add->boot = 1;
    memcpy(add->uuid, vmm->config.uuid, sizeof add->uuid);
    snprintf(add->domain, sizeof add->domain, "%s", vmm->config.name);
    strcpy(add->console, "console");
}

/* A line that the last service broke is offered anew, with a new id. */
static int fresh_line(struct link *l, uint32_t cookie)
{
    struct link_console *c = &l->consoles[cookie];
    struct console *console = link_console_of(l, cookie);
    struct pump *pump = c->domain == NULL ? &l->vmm->pump : domain_pump(c->domain, c->number);
    struct problem problem;
    int result = 0;

    console_lock(console);
    if (console->broken) {
        pump_stop(pump);
        result = console_renew(console, &problem);
        pump_start(pump);
    }
    console_unlock(console);
    return result;
}

static int send_add(struct link *l, uint32_t cookie)
{
    const struct link_console *c = &l->consoles[cookie];
    struct console *console = link_console_of(l, cookie);
    struct vc_link_add add = {
        .head = head_of(VC_LINK_ADD, sizeof add), .cookie = cookie, .geometry = console->memory.geometry, .first = 1};

    if (fresh_line(l, cookie) != 0)
        return 0; /* no memory for it now: the next link may find some */
    memcpy(add.line_id, console->memory.id, sizeof add.line_id);
    if (c->domain == NULL)
        name_hypervisor(&add, l->vmm);
    else
        name_domain(&add, c->domain, c->number);
    return send_packet(l, &add, sizeof add, console->memory.fds, VC_LINK_FDS);
}

static uint32_t state_of(const struct domain *d)
{
    switch (domain_state(d)) {
    case DOMAIN_OFF: return VC_DOMAIN_OFF;
    case DOMAIN_CRASHED: return VC_DOMAIN_CRASHED;
    case DOMAIN_PRESERVED: return VC_DOMAIN_PAUSED;
    default: return VC_DOMAIN_RUNNING;
    }
}

static int send_state(struct link *l, uint32_t cookie)
{
    struct console *console = link_console_of(l, cookie);
    struct vc_link_status status = {.head = head_of(VC_LINK_STATE, sizeof status), .cookie = cookie};

    status.state = cookie == 0 ? VC_DOMAIN_RUNNING : state_of(l->consoles[cookie].domain);
    console_lock(console);
    status.dropped = console->dropped;
    status.guest =
        cookie == 0 ? VC_GUEST_UNKNOWN : domain_guest_end(l->consoles[cookie].domain, l->consoles[cookie].number);
    console_unlock(console);
    return send_packet(l, &status, sizeof status, NULL, 0);
}

static int send_claim(struct link *l, uint32_t cookie)
{
    struct vc_link_claim claim = {
        .head = head_of(VC_LINK_CLAIM, sizeof claim), .cookie = cookie, .holds = l->consoles[cookie].claims};

    return send_packet(l, &claim, sizeof claim, NULL, 0);
}

static int send_answer(struct link *l, enum vc_link_type type, uint32_t number, uint32_t reason, const char *text)
{
    struct vc_link_answer answer = {.head = head_of(type, sizeof answer), .cookie = number, .reason = reason};

    snprintf(answer.text, sizeof answer.text, "%s", text);
    return send_packet(l, &answer, sizeof answer, NULL, 0);
}

/* A console of a domain that goes may have the name of one that comes: first the one, then the other. */
static bool waits(const struct link *l, const struct link_console *c)
{
    for (uint32_t i = 1; i < l->n_consoles; i++)
        if (l->consoles[i].ended && l->consoles[i].domain == c->domain)
            return true;
    return false;
}

/* One packet that this console owes; *sent: there was one. */
static int send_for_console(struct link *l, uint32_t cookie, bool *sent)
{
    struct link_console *c = &l->consoles[cookie];
    bool *owed = c->owe_claim ? &c->owe_claim : c->owe_state ? &c->owe_state : &c->owe_gone;
    int error;

    *sent = false;
    if (c->phase == LINK_NEW && !waits(l, c)) {
        error = send_add(l, cookie);
        if (error == 0)
            c->phase = LINK_OFFERED;
        *sent = error == 0;
        return error;
    }
    if (c->phase != LINK_TAKEN || !*owed)
        return 0;
    error = owed == &c->owe_claim   ? send_claim(l, cookie)
            : owed == &c->owe_state ? send_state(l, cookie)
                                    : send_answer(l, VC_LINK_GONE, cookie, 0, "");
    if (error == 0)
        *owed = false;
    if (error == 0 && owed == &c->owe_gone && c->ended) {
        link_console_over(l, cookie);
    } else if (error == 0 && owed == &c->owe_gone) {
        c->phase = LINK_AWAY;
        link_taken(l, cookie, false);
    }
    *sent = error == 0;
    return error;
}

static int send_answers(struct link *l)
{
    while (l->n_answers > 0) {
        uint32_t reason = l->answers[0].reason;
        int error = send_answer(l, reason == 0 ? VC_LINK_OK : VC_LINK_REFUSED, l->answers[0].serial, reason,
                                l->answers[0].text);

        if (error != 0)
            return error;
        l->n_answers--;
        memmove(l->answers, l->answers + 1, l->n_answers * sizeof l->answers[0]);
    }
    return 0;
}

static int send_for_consoles(struct link *l, bool ended)
{
    int error = 0;

    for (uint32_t i = 0; error == 0 && i < l->n_consoles; i++) {
        bool sent = l->consoles[i].ended == ended;

        while (error == 0 && sent)
            error = send_for_console(l, i, &sent);
    }
    return error;
}

/* Once all that there are were offered. */
static int send_all(struct link *l)
{
    const struct vc_link_head all = head_of(VC_LINK_ALL, sizeof all);
    int error;

    for (uint32_t i = 0; i < l->n_consoles; i++)
        if (l->consoles[i].phase == LINK_NEW && !l->consoles[i].ended)
            return 0;
    error = l->owe_all ? send_packet(l, &all, sizeof all, NULL, 0) : 0;
    l->owe_all = l->owe_all && error != 0;
    return error;
}

void link_send_owed(struct link *l)
{
    int error;

    if (l->phase != LINK_UP)
        return;
    error = send_for_consoles(l, true);
    if (error == 0)
        error = send_for_consoles(l, false);
    if (error == 0)
        error = send_all(l);
    /* Answers last: who hears that a domain is saved finds its name free. */
    if (error == 0)
        error = send_answers(l);
    if (error != 0 && error != -EAGAIN && error != -EWOULDBLOCK)
        link_down(l, 0);
    else
        link_want_write(l, error != 0);
}
