/* SPDX-License-Identifier: MIT */
#include "host/message.h"
#include "host/sock.h"
#include "link_private.h"
#include "save.h"
#include "vmm.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool on_hello(struct link *l, const struct vc_link_hello *hello)
{
    if (l->phase != LINK_GREETED || hello->version != VC_LINK_VERSION)
        return false;
    l->phase = LINK_UP;
    l->owe_all = true;
    l->up_since_ms = vmm_now_ms();
    link_send_owed(l);
    return true;
}

/* Refused once is said once; the same words again and again are for nobody. */
static void note_refusal(struct link *l, const char *what, const char *why)
{
    char text[sizeof l->refusal];

    snprintf(text, sizeof text, "console service refuses %s: %s", what, why);
    if (strcmp(text, l->refusal) == 0)
        return;
    memcpy(l->refusal, text, sizeof text);
    if (l->vmm->started)
        message("%s", text);
}

static bool on_refused(struct link *l, const struct vc_link_answer *answer)
{
    char text[VC_LINK_TEXT_BYTES], what[2 * VC_LINK_NAME_BYTES];
    struct link_console *c;

    if (!link_text(answer->text, sizeof answer->text, text, sizeof text))
        return false;
    if (l->phase == LINK_GREETED) {
        note_refusal(l, "this hypervisor", text);
        link_down(l, 1000);
        return true;
    }
    if (answer->cookie >= l->n_consoles || l->consoles[answer->cookie].phase != LINK_OFFERED)
        return false;
    c = &l->consoles[answer->cookie];
    c->phase = LINK_REFUSED;
    if (c->ended || c->add_serial != 0) {
        link_console_answered(l, answer->cookie, text);
        return true;
    }
    snprintf(what, sizeof what, "%s", c->domain == NULL ? l->vmm->config.name : domain_name(c->domain));
    note_refusal(l, what, text);
    return true;
}

static bool on_ok(struct link *l, const struct vc_link_answer *answer)
{
    struct link_console *c;

    if (l->phase != LINK_UP || answer->cookie >= l->n_consoles)
        return false;
    c = &l->consoles[answer->cookie];
    if (c->phase != LINK_OFFERED)
        return false;
    c->phase = LINK_TAKEN;
    if (c->add_serial != 0)
        link_console_answered(l, answer->cookie, NULL);
    if (c->ended)
        return true;
    c->owe_state = true;
    c->owe_claim = c->claims;
    link_taken(l, answer->cookie, true);
    return true;
}

static bool on_token(struct link *l, const struct vc_link_claim *token)
{
    char holder[VC_LINK_TEXT_BYTES];
    struct link_console *c;

    if (token->cookie >= l->n_consoles || !link_text(token->holder, sizeof token->holder, holder, sizeof holder))
        return false;
    c = &l->consoles[token->cookie];
    if (!link_is_console(c))
        return true; /* it went meanwhile */
    snprintf(c->holder, sizeof c->holder, "%.63s", token->holds ? "" : holder);
    if (c->domain != NULL && c->number == 0)
        vc_focus_refuse(&l->vmm->focus, domain_focus(c->domain), c->holder[0] != '\0');
    if (c->domain != NULL && c->number == 0 && token->holds)
        terminal_resized(&l->vmm->terminal);
    return true;
}

/* A service that reads has none of so many answers waiting; one that does not will lose its link. */
void link_push_answer(struct link *l, uint32_t serial, uint32_t reason, const char *text)
{
    if (l->fd < 0 || l->n_answers == LINK_ANSWERS)
        return;
    l->answers[l->n_answers].serial = serial;
    l->answers[l->n_answers].reason = reason;
    snprintf(l->answers[l->n_answers++].text, sizeof l->answers[0].text, "%s", text);
}

static void queue_answer(struct link *l, uint32_t serial, uint32_t reason, const char *text)
{
    link_push_answer(l, serial, reason, text);
    link_send_owed(l);
}

void link_answer(struct link *l, uint32_t epoch, uint32_t serial, const char *why)
{
    if (l->fd >= 0 && epoch == l->epoch)
        queue_answer(l, serial, why == NULL ? 0 : VC_LINK_E_FAILED, why == NULL ? "" : why);
}

/* file: -1, or ours from now on. */
static void save(struct link *l, uint32_t serial, struct domain *d, int file)
{
    if (d == NULL) {
        close(file);
        queue_answer(l, serial, VC_LINK_E_UNKNOWN, "no such domain");
        return;
    }
    save_begin(d, file, serial);
}

/* A descriptor that came with it, or -1; stays the caller's unless it is taken. */
static bool on_request(struct link *l, const struct vc_link_ask *ask, int *file)
{
    struct domain *d = NULL;
    char name[VC_LINK_NAME_BYTES];
    bool all = ask->request == VC_LINK_STOP_ALL;

    if (l->n_answers == LINK_ANSWERS || !link_text(ask->domain, sizeof ask->domain, name, sizeof name))
        return false;
    if (ask->request < VC_LINK_STOP || ask->request > VC_LINK_SAVE || (ask->request == VC_LINK_SAVE) != (*file >= 0))
        return false;
    if (!all)
        d = vmm_domain(l->vmm, name);
    if (ask->request == VC_LINK_SAVE) {
        save(l, ask->serial, d, *file);
        *file = -1;
        return true;
    }
    queue_answer(l, ask->serial, all || d != NULL ? 0 : VC_LINK_E_UNKNOWN, all || d != NULL ? "" : "no such domain");
    if (all)
        vmm_quit(l->vmm);
    else if (d != NULL)
        domain_request(d, ask->request == VC_LINK_STOP ? REQUEST_STOP : REQUEST_RESET);
    return true;
}

/* packet is our copy; n what came. False: a violation. */
static bool dispatch(struct link *l, const void *packet, size_t n, int *file)
{
    struct vc_link_head head;

    if (n < sizeof head)
        return false;
    memcpy(&head, packet, sizeof head);
    if (head.bytes != n || (*file >= 0 && head.type != VC_LINK_REQUEST))
        return false;
    switch (head.type) {
    case VC_LINK_HELLO: return n == sizeof(struct vc_link_hello) && on_hello(l, packet);
    case VC_LINK_OK: return n == sizeof(struct vc_link_answer) && on_ok(l, packet);
    case VC_LINK_REFUSED: return n == sizeof(struct vc_link_answer) && on_refused(l, packet);
    case VC_LINK_TOKEN: return n == sizeof(struct vc_link_claim) && on_token(l, packet);
    case VC_LINK_REQUEST: return n == sizeof(struct vc_link_ask) && l->phase == LINK_UP && on_request(l, packet, file);
    case VC_LINK_CONSOLE:
        return n == sizeof(struct vc_link_console) && l->phase == LINK_UP && link_on_console(l, packet);
    default: return false;
    }
}

void link_receive(struct link *l)
{
    _Alignas(8) uint8_t packet[VC_LINK_PACKET_MAX];
    unsigned n_fds;
    int file;
    ssize_t n;

    while (l->fd >= 0) {
        file = -1;
        n = sock_recv_fds(l->fd, packet, sizeof packet, &file, 1, &n_fds);
        if (n == -EAGAIN || n == -EWOULDBLOCK) {
            link_send_owed(l); /* what the answers just taken made us owe */
            return;
        }
        if (n == 0 || n == -ECONNRESET || n == -EPIPE)
            link_down(l, 0);
        else if (n < 0 || !dispatch(l, packet, (size_t)n, &file))
            link_violated(l, "a message that breaks the protocol");
        if (file >= 0)
            close(file);
    }
}
