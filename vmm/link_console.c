/* SPDX-License-Identifier: MIT */
/* Consoles that come and go while the link is up, and the service's requests for them. */
#include "host/message.h"
#include "link_private.h"
#include "vmm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool link_text(const char *field, size_t size, char *to, size_t to_size)
{
    if (memchr(field, '\0', size) == NULL)
        return false;
    snprintf(to, to_size, "%s", field);
    message_clean(to, strlen(to));
    return true;
}

/* ---- What the domain says. ---- */

static struct link_console *cookie_of(struct link *l, const struct domain *d, uint32_t number)
{
    for (uint32_t i = 1; i < l->n_consoles; i++)
        if (link_is_console(&l->consoles[i]) && l->consoles[i].domain == d && l->consoles[i].number == number)
            return &l->consoles[i];
    return NULL;
}

/* NULL: no memory. */
static struct link_console *free_cookie(struct link *l)
{
    struct link_console *more;

    for (uint32_t i = 1; i < l->n_consoles; i++)
        if (l->consoles[i].phase == LINK_FREE)
            return &l->consoles[i];
    more = realloc(l->consoles, (l->n_consoles + 1) * sizeof *more);
    if (more == NULL)
        return NULL;
    l->consoles = more;
    return &l->consoles[l->n_consoles++];
}

void link_console_added(struct link *l, struct domain *d, uint32_t number)
{
    struct link_console *c = l->consoles != NULL ? free_cookie(l) : NULL;

    if (c == NULL)
        return; /* link_on_console sees it */
    *c = (struct link_console){.domain = d, .number = number, .phase = LINK_NEW};
    if (l->fd >= 0)
        link_send_owed(l);
}

void link_console_over(struct link *l, uint32_t cookie)
{
    struct link_console *c = &l->consoles[cookie];

    if (c->remove_serial != 0)
        link_push_answer(l, c->remove_serial, 0, "");
    *c = (struct link_console){.phase = LINK_FREE};
}

void link_console_removed(struct link *l, struct domain *d, uint32_t number)
{
    struct link_console *c = cookie_of(l, d, number);

    if (c == NULL)
        return;
    c->ended = true;
    c->owe_state = c->owe_claim = false;
    c->owe_gone = true;
    if (c->phase != LINK_TAKEN && c->phase != LINK_OFFERED) /* the service knows nothing of it */
        link_console_over(l, (uint32_t)(c - l->consoles));
    if (l->fd >= 0)
        link_send_owed(l);
}

/* ---- What the service says. ---- */

void link_console_answered(struct link *l, uint32_t cookie, const char *refusal)
{
    struct link_console *c = &l->consoles[cookie];
    char text[VC_LINK_TEXT_BYTES];
    struct problem ignored;

    if (c->add_serial != 0) {
        snprintf(text, sizeof text, "%s%.100s", refusal != NULL ? "the service refuses it: " : "",
                 refusal != NULL ? refusal : "");
        link_push_answer(l, c->add_serial, refusal != NULL ? VC_LINK_E_FAILED : 0, text);
        c->add_serial = 0;
    }
    if (refusal != NULL && c->ended)
        link_console_over(l, cookie);
    else if (refusal != NULL) /* who wanted it hears that it is not there: so it is */
        domain_console_remove(c->domain, domain_console_config(c->domain, c->number)->name, &ignored);
}

static struct link_console *cookie_named(struct link *l, const struct domain *d, const char *name)
{
    for (uint32_t i = 0; i < domain_n_consoles(d); i++)
        if (domain_has_console(d, i) && strcmp(domain_console_config(d, i)->name, name) == 0)
            return cookie_of(l, d, i);
    return NULL;
}

/* Answered once the service has it, which is offered right away. */
static int add(struct link *l, const struct vc_link_console *ask, struct domain *d, const char *name, struct problem *p)
{
    struct config_console c = {.door = ask->kind == VC_LINK_VIRTIO ? DOOR_VIRTIO : DOOR_VIRTIO_PORT,
                               .device = ask->device};
    struct link_console *cookie;

    _Static_assert(sizeof c.name <= sizeof ask->console, "it was checked to end there");
    if (strlen(name) >= sizeof c.name)
        return problem_set(p, -1, "expected a name of at most %zu characters", sizeof c.name - 1);
    memcpy(c.name, name, strlen(name));
    if (domain_console_add(d, &c, p) != 0)
        return -1;
    cookie = cookie_named(l, d, name);
    if (cookie != NULL) {
        if (l->phase == LINK_UP) /* else nobody waits any more, and the next service has serials of its own */
            cookie->add_serial = ask->serial;
        return 0;
    }
    if (domain_console_remove(d, name, p) == 0)
        problem_set(p, -1, "no memory");
    return -1;
}

/* Answered once the service was told that it is gone. */
static int remove_it(struct link *l, const struct vc_link_console *ask, struct domain *d, const char *name,
                     struct problem *p)
{
    struct link_console *cookie = cookie_named(l, d, name);

    if (cookie != NULL && cookie->remove_serial == 0)
        cookie->remove_serial = ask->serial;
    if (domain_console_remove(d, name, p) == 0)
        return 0;
    if (cookie != NULL && cookie->remove_serial == ask->serial)
        cookie->remove_serial = 0;
    return -1;
}

bool link_on_console(struct link *l, const struct vc_link_console *ask)
{
    bool adds = ask->request == VC_LINK_CONSOLE_ADD;
    char domain[VC_LINK_NAME_BYTES], name[VC_LINK_NAME_BYTES];
    struct problem p;
    struct domain *d;

    if (l->n_answers == LINK_ANSWERS || !link_text(ask->domain, sizeof ask->domain, domain, sizeof domain) ||
        !link_text(ask->console, sizeof ask->console, name, sizeof name))
        return false;
    if (adds ? ask->kind != VC_LINK_VIRTIO && ask->kind != VC_LINK_VIRTIO_PORT : ask->request != VC_LINK_CONSOLE_REMOVE)
        return false;
    d = vmm_domain(l->vmm, domain);
    if (d == NULL)
        link_push_answer(l, ask->serial, VC_LINK_E_UNKNOWN, "no such domain");
    else if ((adds ? add(l, ask, d, name, &p) : remove_it(l, ask, d, name, &p)) != 0)
        link_push_answer(l, ask->serial, VC_LINK_E_FAILED, p.text);
    link_send_owed(l);
    return true;
}
