/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "host/name.h"
#include "service.h"

void registry_open(struct registry *r)
{
    *r = (struct registry){0};
    r->last = &r->first;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u; /* FNV-1a */
    return hash;
}

#define HASH_BEGIN 2166136261u

static struct console **bucket_of(struct registry *r, const char *domain, const char *console)
{
    uint32_t hash = hash_text(hash_text(HASH_BEGIN, domain), "/"); /* which no name has */

    return &r->buckets[hash_text(hash, console) % CONSOLE_BUCKETS];
}

static struct console **domain_bucket_of(struct registry *r, const char *domain)
{
    return &r->domains[hash_text(HASH_BEGIN, domain) % CONSOLE_BUCKETS];
}

void registry_enter_names(struct console *c)
{
    struct registry *r = &c->service->registry;
    struct console **name = bucket_of(r, c->log.domain, c->log.console);
    struct console **domain = domain_bucket_of(r, c->log.domain);

    c->next_name = *name;
    *name = c;
    c->next_domain = *domain;
    *domain = c;
}

void registry_leave_names(struct console *c)
{
    struct registry *r = &c->service->registry;
    struct console **at = bucket_of(r, c->log.domain, c->log.console);

    while (*at != c)
        at = &(*at)->next_name;
    *at = c->next_name;
    at = domain_bucket_of(r, c->log.domain);
    while (*at != c)
        at = &(*at)->next_domain;
    *at = c->next_domain;
}

struct console *console_of_domain(struct service *s, const char *domain, const struct console *before)
{
    struct console *c = before == NULL ? *domain_bucket_of(&s->registry, domain) : before->next_domain;

    while (c != NULL && strcmp(c->log.domain, domain) != 0)
        c = c->next_domain;
    return c;
}

struct console *console_find(struct service *s, const char *domain, const char *console)
{
    struct console *c = *bucket_of(&s->registry, domain, console);

    while (c != NULL && (strcmp(c->log.domain, domain) != 0 || strcmp(c->log.console, console) != 0))
        c = c->next_name;
    return c;
}

/* Of a domain's consoles: the one it called its first, else the oldest. Live ones before others. */
static struct console *best(struct console *a, struct console *b)
{
    if ((b->source != NULL) > (a->source != NULL))
        return b;
    return (b->source != NULL) == (a->source != NULL) && b->origin.first && !a->origin.first ? b : a;
}

static struct console *first_of(struct service *s, const char *domain)
{
    struct console *found = NULL;

    for (struct console *c = NULL; (c = console_of_domain(s, domain, c)) != NULL;)
        found = found == NULL ? c : best(c, found); /* the newest come first */
    return found;
}

static struct console *first_of_id(struct service *s, uint32_t domid)
{
    struct console *found = NULL;

    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->link != NULL && c->origin.domid == domid)
            found = found == NULL ? c : best(found, c);
    return found;
}

struct console *console_resolve(struct service *s, const char *text)
{
    struct name name;
    struct console *c;
    uint32_t domid;

    if (name_split(text, &name, NULL) != 0)
        return NULL;
    if (name.console[0] != '\0')
        return console_find(s, name.domain, name.console);
    c = first_of(s, name.domain);
    return c == NULL && name_domid(text, &domid) ? first_of_id(s, domid) : c;
}

struct console *console_get(struct service *s, const char *domain, const char *console)
{
    struct console *c = console_find(s, domain, console);

    if (c != NULL)
        return c;
    c = s->registry.n < CONSOLES_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL)
        return NULL;
    c->service = s;
    snprintf(c->log.domain, sizeof c->log.domain, "%s", domain);
    snprintf(c->log.console, sizeof c->log.console, "%s", console);
    c->gone = true; /* known by its log only, until a source comes */
    c->state = VC_DOMAIN_OFF;
    pthread_mutex_init(&c->live, NULL);
    registry_enter_names(c);
    *s->registry.last = c;
    s->registry.last = &c->next;
    s->registry.n++;
    return c;
}

/* By links. */

static struct console **cookie_bucket_of(struct registry *r, const struct link *l, uint32_t cookie)
{
    return &r->cookies[((uintptr_t)l / 64 * 31 + cookie) % CONSOLE_BUCKETS];
}

struct console *console_of_link(struct service *s, const struct link *l, uint32_t cookie)
{
    struct console *c = *cookie_bucket_of(&s->registry, l, cookie);

    while (c != NULL && (c->link != l || c->origin.cookie != cookie))
        c = c->next_cookie;
    return c;
}

void registry_set_link(struct console *c, struct link *l)
{
    struct registry *r = &c->service->registry;
    struct console **at;

    if (c->link != NULL) {
        at = cookie_bucket_of(r, c->link, c->origin.cookie);
        while (*at != c)
            at = &(*at)->next_cookie;
        *at = c->next_cookie;
    }
    c->link = l;
    if (l != NULL) {
        at = cookie_bucket_of(r, l, c->origin.cookie);
        c->next_cookie = *at;
        *at = c;
    }
}
