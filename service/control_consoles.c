/* SPDX-License-Identifier: MIT */
/* What users ask about single consoles: one more of a domain, one less, another size. */
#include <vcons/wire/control.h>
#include <vcons/wire/virtio_places.h>

#include "console.h"
#include "control_requests.h"
#include "host/name.h"
#include "link.h"
#include "service.h"

#include <stdio.h>
#include <string.h>

/* Which of them a domain has its hypervisor knows. */
_Static_assert(VC_CONTROL_DEVICES == VC_VIRTIO_MAX, "as many as there are places");

static bool integer_of(const json_t *request, const char *key, json_int_t min, json_int_t max, json_int_t *value)
{
    const json_t *given = json_object_get(request, key);

    *value = json_integer_value(given);
    return json_is_integer(given) && *value >= min && *value <= max;
}

/* What "type" says; 0: nothing known. */
static uint32_t kind_of(const json_t *request)
{
    const json_t *type = json_object_get(request, "type");
    const char *word = json_string_value(type);

    if (type == NULL || (word != NULL && strcmp(word, "virtio") == 0))
        return VC_LINK_VIRTIO;
    return word != NULL && strcmp(word, "virtio-port") == 0 ? VC_LINK_VIRTIO_PORT : 0;
}

/* NULL, and *ask is what is to be added; else what is wrong with the request. */
static const char *what_to_add(const json_t *request, struct vc_link_console *ask)
{
    json_int_t device = 0;

    ask->kind = kind_of(request);
    if (ask->kind == 0)
        return "\"type\" is virtio or virtio-port";
    if (json_object_get(request, "device") != NULL &&
        !integer_of(request, "device", 0, VC_CONTROL_DEVICES - 1, &device))
        return "\"device\" is the number of a virtio device, from 0 to 31";
    ask->device = (uint32_t)device;
    return NULL;
}

static json_t *ask_hypervisor(struct control *k, const json_t *request, struct link *l, struct vc_link_console *ask)
{
    control_asking(k, "its hypervisor went away before it answered");
    if (link_ask_console(l, ask) != 0)
        return control_error(json_object_get(request, "id"), VC_CONTROL_E_FAILED, "%s does not answer now",
                             link_name(l));
    memcpy(k->asked_console.domain, ask->domain, sizeof k->asked_console.domain);
    memcpy(k->asked_console.console, ask->console, sizeof k->asked_console.console);
    control_asked(k, request, l, ask->serial);
    return NULL;
}

json_t *control_console(struct control *k, const json_t *request, enum vc_link_console_request what)
{
    const json_t *id = json_object_get(request, "id");
    const char *domain = control_text(request, "domain"), *name = control_text(request, "name"), *wrong;
    struct vc_link_console ask = {.request = what};
    const struct console *c, *target;

    if (k->peer.uid != 0 && k->peer.uid != k->service->own.uid)
        return control_error(id, VC_CONTROL_E_NOT_ALLOWED,
                             "only the service's own user and root add and remove consoles");
    if (domain == NULL)
        return control_bad(request, "which domain? \"domain\" is a name");
    if (name == NULL || !name_ok(name))
        return control_bad(request, "which console? \"name\" is [A-Za-z0-9][A-Za-z0-9._-]{0,31}");
    wrong = what == VC_LINK_CONSOLE_ADD ? what_to_add(request, &ask) : NULL;
    if (wrong != NULL)
        return control_bad(request, wrong);
    c = console_resolve(k->service, domain);
    if (c == NULL)
        return control_error(id, VC_CONTROL_E_NO_DOMAIN, "no domain %s", domain);
    if (c->link == NULL)
        return control_error(id, VC_CONTROL_E_AWAY, "the hypervisor of %s is not connected", c->log.domain);
    target = console_find(k->service, c->log.domain, name);
    if (what == VC_LINK_CONSOLE_REMOVE && (target == NULL || target->link != c->link))
        return control_error(id, VC_CONTROL_E_NO_CONSOLE, "%s has no console %s%s", c->log.domain, name,
                             target != NULL ? " now, only its log" : "");
    snprintf(ask.domain, sizeof ask.domain, "%s", c->log.domain);
    snprintf(ask.console, sizeof ask.console, "%s", name);
    return ask_hypervisor(k, request, c->link, &ask);
}

/* Whether anything behind that console could hear of a size. */
static bool has_size(const struct console *c)
{
    return connector_sizes(c) || c->origin.kind == VC_LINK_VIRTIO || c->origin.kind == VC_LINK_COMMAND ||
           c->origin.kind == VC_LINK_FEEDER;
}

json_t *control_resize(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    char name[NAME_FULL_BYTES];
    json_int_t rows, columns;
    struct console *c;
    json_t *refusal;

    if (!integer_of(request, "rows", 1, UINT16_MAX, &rows) || !integer_of(request, "columns", 1, UINT16_MAX, &columns))
        return control_bad(request, "a size has \"rows\" and \"columns\", from 1 to 65535 each");
    c = control_writable(k, request, "resize", name, &refusal);
    if (c == NULL)
        return refusal;
    if (c->source == NULL || c->removing)
        return control_error(id, VC_CONTROL_E_AWAY, "%s is not connected", name);
    if (!has_size(c))
        return control_error(id, VC_CONTROL_E_FAILED, "%s has no size: its door is %s, not virtio or command", name,
                             c->connector != NULL ? c->connector->way->type : control_door(c));
    console_resize(c, (uint32_t)rows << 16 | (uint32_t)columns);
    return control_ok(id, json_pack("{s:s, s:I, s:I}", "console", name, "rows", rows, "columns", columns));
}

json_t *control_xen(struct control *k, const json_t *request)
{
    static const char *const verbs[] = {[PLUGIN_CONSOLE_ADD] = "console_add",
                                        [PLUGIN_CONSOLE_REMOVE] = "console_remove",
                                        [PLUGIN_RELEASE] = "release",
                                        [PLUGIN_ATTACH_RING] = "attach_ring"};
    const json_t *id = json_object_get(request, "id");
    const char *verb = control_text(request, "do"), *name = control_text(request, "name");
    const json_t *keep = json_object_get(request, "keep");
    struct plugin_request ask = {
        .domain = control_text(request, "domain"), .name = name != NULL ? name : "", .keep = json_is_true(keep)};
    uint32_t serial, n = 0;

    if (k->peer.uid != 0 && k->peer.uid != k->service->own.uid)
        return control_error(id, VC_CONTROL_E_NOT_ALLOWED, "only the service's own user and root ask that of a Xen");
    while (n < sizeof verbs / sizeof verbs[0] && (verb == NULL || strcmp(verb, verbs[n]) != 0))
        n++;
    if (n == sizeof verbs / sizeof verbs[0])
        return control_bad(request, "\"do\" is console_add, console_remove, release or attach_ring");
    ask.verb = (enum plugin_verb)n;
    if (ask.domain == NULL || !name_ok(ask.domain))
        return control_bad(request, "which domain? \"domain\" is a name or an id");
    if (name != NULL && !name_ok(name))
        return control_bad(request, "\"name\" is [A-Za-z0-9][A-Za-z0-9._-]{0,31}");
    if (keep != NULL && (!json_is_boolean(keep) || (ask.keep && ask.verb != PLUGIN_CONSOLE_ADD)))
        return control_bad(request, "\"keep\" is true or false, of console_add");
    control_asking(k, NULL);
    if (plugged_request(k->service, &ask, &serial) != 0)
        return control_error(id, VC_CONTROL_E_FAILED, "this service serves no Xen: start vconsd with --xen");
    control_asked(k, request, NULL, serial);
    return NULL;
}
