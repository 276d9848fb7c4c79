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

    if (c->add_serial != 0) {
        snprintf(text, sizeof text, "%s%.100s", refusal != NULL ? "the service refuses it: " : "",
                 refusal != NULL ? refusal : "");
        link_push_answer(l, c->add_serial, refusal != NULL ? VC_LINK_E_FAILED : 0, text);
        c->add_serial = 0;
    }
    if (refusal != NULL && c->ended)
        link_console_over(l, cookie);
}

bool link_on_console(struct link *l, const struct vc_link_console *ask)
{
    bool adds = ask->request == VC_LINK_CONSOLE_ADD;
    char domain[VC_LINK_NAME_BYTES], name[VC_LINK_NAME_BYTES];
    char why[VC_LINK_TEXT_BYTES] = "no such domain";
    struct domain *d;

    if (l->n_answers == LINK_ANSWERS || !link_text(ask->domain, sizeof ask->domain, domain, sizeof domain) ||
        !link_text(ask->console, sizeof ask->console, name, sizeof name))
        return false;
    if (adds ? ask->kind != VC_LINK_VIRTIO && ask->kind != VC_LINK_VIRTIO_PORT : ask->request != VC_LINK_CONSOLE_REMOVE)
        return false;
    d = vmm_domain(l->vmm, domain);
    if (d != NULL)
        snprintf(why, sizeof why, "it has no virtio device %u", ask->device);
    link_push_answer(l, ask->serial, d == NULL ? VC_LINK_E_UNKNOWN : VC_LINK_E_FAILED, why);
    link_send_owed(l);
    return true;
}
