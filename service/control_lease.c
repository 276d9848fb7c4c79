/* SPDX-License-Identifier: MIT */
/* What users ask about the write token of a console without looking at it: a lease. */
#include <vcons/wire/control.h>

#include "console.h"
#include "control_requests.h"
#include "host/message.h"
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_A_SECOND UINT64_C(1000000000)

json_t *control_lease_of(const struct console *c)
{
    const struct lease *l = token_leased(c);

    if (l == NULL)
        return json_null();
    return json_pack("{s:s, s:I, s:f, s:f, s:s}", "who", l->who, "uid", (json_int_t)l->uid, "since",
                     (double)l->since_ns / 1e9, "until", (double)l->until_ns / 1e9, "note", l->note);
}

/* NULL, and *lease is what is wanted; else what is wrong with the request. */
static const char *lease_wanted(const json_t *request, struct lease *lease)
{
    const json_t *for_s = json_object_get(request, "for_s"), *note = json_object_get(request, "note");
    json_int_t seconds = json_integer_value(for_s);
    struct log_time now;

    if (!json_is_integer(for_s) || seconds < 0 || seconds > VC_CONTROL_LEASE_MAX_S)
        return "\"for_s\" is how many seconds it lasts, 0 to 2592000 (30 days)";
    if (note != NULL && (!json_is_string(note) || json_string_length(note) >= sizeof lease->note))
        return "\"note\" is a text of at most 63 bytes";
    service_clocks(&now);
    *lease = (struct lease){.since_ns = now.real_ns};
    lease->until_ns = seconds > 0 ? now.real_ns + (uint64_t)seconds * NS_A_SECOND : 0;
    if (note != NULL)
        snprintf(lease->note, sizeof lease->note, "%s", json_string_value(note));
    message_clean(lease->note, strlen(lease->note));
    return NULL;
}

/* The user alone: which of the user's processes asked is over soon. */
static void lease_who(const struct control *k, struct lease *lease)
{
    char *pid;

    access_who(k->service, &k->peer, lease->who, sizeof lease->who);
    pid = strstr(lease->who, " (pid ");
    if (pid != NULL)
        *pid = '\0';
    lease->uid = k->peer.uid;
}

static json_t *in_the_way(const json_t *id, const struct console *c, const char *name)
{
    const struct lease *other = token_leased(c);
    char who[TOKEN_WHO_BYTES];

    token_who(c, who);
    if (other != NULL)
        return control_error(id, VC_CONTROL_E_NOT_ALLOWED, "%s has a lease of %s: %s", other->who, name, other->note);
    return control_error(id, VC_CONTROL_E_NOT_ALLOWED, "%s writes to %s now", who, name);
}

json_t *control_lease(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    const char *wrong;
    char name[NAME_FULL_BYTES];
    struct lease lease;
    struct console *c;
    json_t *refusal;
    int error;

    wrong = lease_wanted(request, &lease);
    if (wrong != NULL)
        return control_bad(request, wrong);
    c = control_writable(k, request, "write", name, &refusal);
    if (c == NULL)
        return refusal;
    lease_who(k, &lease);
    error = token_lease(c, &lease, json_is_true(json_object_get(request, "steal")));
    if (error == -EBUSY)
        return in_the_way(id, c, name);
    if (error != 0)
        return control_error(id, VC_CONTROL_E_FAILED, "%s: %s", name, strerror(-error));
    return control_ok(id, json_pack("{s:s, s:o}", "console", name, "until",
                                    lease.until_ns != 0 ? json_real((double)lease.until_ns / 1e9) : json_null()));
}
