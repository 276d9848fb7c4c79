/* SPDX-License-Identifier: MIT */
/* What users ask about the configuration: read it anew, one source more, one less. */
#include <vcons/wire/control.h>

#include "control_requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "reload.h"
#include "service.h"

#define KEPT_BYTES (4u * SETTINGS_TEXT_BYTES)

static bool may(const struct control *k) { return k->peer.uid == 0 || k->peer.uid == k->service->own.uid; }

static json_t *not_allowed(const json_t *request)
{
    return control_error(json_object_get(request, "id"), VC_CONTROL_E_NOT_ALLOWED,
                         "only the service's own user and root change its sources");
}

json_t *control_reload(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    struct problem p = {.text = ""};
    struct reload_counts n;

    if (!may(k))
        return not_allowed(request);
    if (service_reload(k->service, &n, &p) != 0)
        return control_error(id, VC_CONTROL_E_FAILED, "%s; everything stays as it was", p.text);
    return control_ok(id, json_pack("{s:i, s:i, s:i, s:i}", "added", (int)n.added, "changed", (int)n.changed, "removed",
                                    (int)n.removed, "same", (int)n.same));
}

struct kept { /* the inside of a block */
    char text[KEPT_BYTES];
    size_t n;
    bool wanted, full;
};

static void put(struct kept *kept, char c)
{
    kept->full = kept->full || kept->n + 1 >= sizeof kept->text;
    if (!kept->full)
        kept->text[kept->n++] = c;
}

/* In quotes, so that it is read back as it is: host/config.h. */
static void write_key(struct kept *kept, const char *key, const char *value)
{
    for (const char *at = key; *at != '\0'; at++)
        put(kept, *at);
    for (const char *at = " = \""; *at != '\0'; at++)
        put(kept, *at);
    for (const char *at = value; *at != '\0'; at++) {
        if (strchr("\"\\$", *at) != NULL)
            put(kept, '\\');
        put(kept, *at);
    }
    put(kept, '"');
    put(kept, '\n');
}

static bool is_text(const char *value)
{
    for (const char *at = value; at != NULL && *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return value != NULL;
}

/* NULL, or the answer that says what is wrong with it. */
static json_t *set(const json_t *request, struct console_settings *settings, struct kept *kept, const char *key,
                   const json_t *json)
{
    const char *value = json_string_value(json), *expected = "text without control characters";

    if (!settings_of_source(key))
        return control_error(json_object_get(request, "id"), VC_CONTROL_E_BAD,
                             "%s: no key of a source; others are for the configuration", key);
    if (is_text(value))
        expected = settings_set(settings, key, value);
    if (expected != NULL)
        return control_error(json_object_get(request, "id"), VC_CONTROL_E_BAD, "%s = %s: expected %s", key,
                             value != NULL ? value : "?", expected);
    write_key(kept, key, value);
    return NULL;
}

static json_t *add(struct control *k, const json_t *request, const struct console_settings *settings,
                   const struct kept *kept)
{
    const json_t *id = json_object_get(request, "id");
    struct problem p = {.text = ""};

    if (kept->wanted && kept->full)
        return control_error(id, VC_CONTROL_E_BAD, "too much text to be kept");
    if (source_add(k->service, control_text(request, "name"), settings, kept->wanted ? kept->text : NULL, &p) != 0)
        return control_error(id, VC_CONTROL_E_FAILED, "%s", p.text);
    return control_ok(id, NULL);
}

json_t *control_source_add(struct control *k, const json_t *request)
{
    struct console_settings settings = {0};
    struct kept kept = {.wanted = json_is_true(json_object_get(request, "keep"))};
    json_t *more = json_object_get(request, "settings"), *value, *answer;
    const char *key;

    if (!may(k))
        return not_allowed(request);
    if (control_text(request, "name") == NULL)
        return control_bad(request, "which console? \"name\" is DOMAIN/CONSOLE");
    answer = set(request, &settings, &kept, "source", json_object_get(request, "source"));
    json_object_foreach(more, key, value)
    {
        if (answer == NULL)
            answer = set(request, &settings, &kept, key, value);
    }
    kept.text[kept.n] = '\0';
    if (answer == NULL)
        answer = add(k, request, &settings, &kept);
    settings_free(&settings);
    return answer;
}

json_t *control_source_remove(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    const char *name = control_text(request, "name");
    struct problem p = {.text = ""};

    if (!may(k))
        return not_allowed(request);
    if (name == NULL)
        return control_bad(request, "which console? \"name\" is DOMAIN/CONSOLE");
    switch (source_remove(k->service, name, &p)) {
    case 0: return control_ok(id, NULL);
    case -ENOENT: return control_error(id, VC_CONTROL_E_NO_CONSOLE, "%s", p.text);
    default: return control_error(id, VC_CONTROL_E_FAILED, "%s", p.text);
    }
}
