/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "gap.h"
#include "when.h"
#include <vcons/wire/index.h>

/* Through the filter to the screen; to the kept one alone while that is on its way to the present. */
static bool show_part(struct attach *a, const uint8_t *bytes, size_t n)
{
    uint8_t *room = sink_room(&a->sink, SAFE_OUT_BYTES(n));
    size_t got;

    if (room == NULL)
        return false;
    got = safe_filter(&a->safe, bytes, n, room);
    screen_feed(&a->cells, room, got, a->safe.text_last);
    sink_took(&a->sink, a->restoring ? 0 : got);
    return true;
}

/* Bytes that lie before the end of the log as it was at the start are old: no question in them is asked again. */
static void show_bytes(struct attach *a, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        bool old = a->offset < a->place.end;
        uint64_t left = a->place.end - a->offset;
        size_t part = old && left < n ? (size_t)left : n;

        safe_queries(&a->safe, !old && a->token == TOKEN_MINE);
        if (!show_part(a, bytes, part))
            return;
        a->offset += part;
        bytes += part;
        n -= part;
        if (a->restoring && a->offset >= a->place.end)
            attach_restored(a);
    }
}

static bool show_out(struct attach *a, const struct frame *f)
{
    uint64_t offset;

    if (f->n < sizeof offset)
        return false;
    memcpy(&offset, f->bytes, sizeof offset);
    offset = le64toh(offset);
    if (a->restoring && offset >= a->place.end)
        attach_restored(a);
    if (offset > a->offset && a->offset != 0 && !a->restoring)
        attach_notice(a, "%" PRIu64 " bytes are no longer kept", offset - a->offset);
    a->offset = offset;
    attach_uncover(a);
    show_bytes(a, f->bytes + sizeof offset, f->n - sizeof offset);
    return true;
}

static const char *state_text(uint64_t state)
{
    switch (state) {
    case VC_DOMAIN_OFF: return "the domain is off";
    case VC_DOMAIN_CRASHED: return "the domain has crashed";
    case VC_DOMAIN_PAUSED: return "the domain is paused";
    default: return "the console is closed: what is typed waits until the guest opens it";
    }
}

static bool show_mark(struct attach *a, const struct frame *f)
{
    char gap[GAP_TEXT_BYTES];
    struct vc_index_record r;
    uint64_t value;

    if (f->n != sizeof r)
        return false;
    memcpy(&r, f->bytes, sizeof r);
    value = le64toh(r.value);
    if (le16toh(r.kind) == VC_INDEX_BOOT)
        attach_calm(a);
    if (le16toh(r.kind) == VC_INDEX_GAP && !a->restoring)
        attach_notice(a, "%s", gap_text(gap, value));
    if (le64toh(r.realtime_ns) < a->opened_ns)
        return true; /* of the rest only what happens now */
    switch (le16toh(r.kind)) {
    case VC_INDEX_BOOT: attach_notice(a, "boot %" PRIu64, value); break;
    case VC_INDEX_CLOSE: attach_notice(a, "%s", state_text(value)); break;
    case VC_INDEX_OPEN: attach_notice(a, "the guest opened the console"); break;
    case VC_INDEX_BROKEN:
        attach_notice(a, "the guest broke the console's rules (%" PRIu64 "); %s", value,
                      value < VC_INDEX_BROKEN_VIRTIO ? "it is taken up anew"
                                                     : "what broke waits for its driver to reset it");
        break;
    case VC_INDEX_DETACH: attach_notice(a, "the source is away"); break;
    case VC_INDEX_ATTACH: attach_notice(a, "the source is here"); break;
    default: break;
    }
    return true;
}

void attach_resize(struct attach *a)
{
    uint16_t size[2];

    if (!a->screen || a->away || a->token != TOKEN_MINE || !tty_size(STDOUT_FILENO, &size[0], &size[1]))
        return;
    size[0] = htole16(size[0]);
    size[1] = htole16(size[1]);
    conn_send(&a->conn, VC_CONTROL_RESIZE, size, sizeof size);
}

static bool show_token(struct attach *a, const struct frame *f)
{
    struct vc_control_token t;
    enum attach_token before = a->token;

    if (!conn_token(f, &t))
        return false;
    a->token = t.state == VC_CONTROL_REFUSED ? TOKEN_OTHERS : (enum attach_token)t.state;
    if (a->token != before || strcmp(a->holder, t.holder) != 0)
        a->refusal_told = false;
    memcpy(a->holder, t.holder, sizeof a->holder);
    a->since_ns = le64toh(t.since_ns);
    if (a->read_only)
        return true;
    if (a->token == TOKEN_OTHERS && !a->refusal_told && (before != TOKEN_OTHERS || t.state == VC_CONTROL_REFUSED)) {
        attach_notice_holder(a);
        a->refusal_told = before != TOKEN_UNKNOWN && t.state == VC_CONTROL_REFUSED;
    }
    if (a->token == TOKEN_MINE && before != TOKEN_MINE) {
        if (a->asked || before == TOKEN_OTHERS)
            attach_notice(a, "you write now");
        attach_resize(a);
    }
    if (a->token == TOKEN_FREE && before == TOKEN_OTHERS)
        attach_notice(a, "nobody writes now: whoever types does");
    a->asked = false;
    return true;
}

static bool show_lease(struct attach *a, const struct frame *f)
{
    bool was = attach_leased(a);

    if (f->n != sizeof a->lease)
        return false;
    memcpy(&a->lease, f->bytes, sizeof a->lease);
    a->lease.since_ns = le64toh(a->lease.since_ns);
    a->lease.until_ns = le64toh(a->lease.until_ns);
    a->lease.who[sizeof a->lease.who - 1] = a->lease.note[sizeof a->lease.note - 1] = '\0';
    message_clean(a->lease.who, strlen(a->lease.who));
    message_clean(a->lease.note, strlen(a->lease.note));
    if (attach_leased(a))
        attach_notice_lease(a);
    else if (was)
        attach_notice(a, "the lease has ended");
    if (a->token == TOKEN_OTHERS && a->holder[0] == '\0')
        a->token = TOKEN_FREE; /* as far as we know: the next key asks */
    a->refusal_told = false;
    return true;
}

static bool show_asked(struct attach *a, const struct frame *f)
{
    char who[64], name[8], how[32] = "";

    if (f->n == 0 || f->n > sizeof who || f->bytes[f->n - 1] != '\0')
        return false;
    memcpy(who, f->bytes, f->n);
    message_clean(who, strlen(who));
    if (a->interactive && a->escape != ATTACH_NO_ESCAPE)
        snprintf(how, sizeof how, "; %s r releases", attach_escape(a, name));
    attach_notice(a, "%s would like to write%s", who, how);
    return true;
}

static void show_end(struct attach *a, const struct frame *f)
{
    char text[200];
    size_t n = f->n > 1 ? f->n - 1 : 0;

    if (f->n == 0 || f->bytes[0] == VC_CONTROL_END_SERVICE)
        return; /* the connection closes: it is tried again */
    if (f->bytes[0] == VC_CONTROL_END_CONSOLE && when_now() - a->back_ns < CONN_RETURN_NS)
        return; /* the hypervisor has not found the new service yet: so here */
    n = n < sizeof text - 1 ? n : sizeof text - 1;
    memcpy(text, f->bytes + 1, n);
    text[n] = '\0';
    if (f->bytes[0] == VC_CONTROL_END_CONSOLE) {
        attach_notice(a, "%s has ended%s%s", a->place.console, text[0] != '\0' ? ": " : "", text);
        attach_leave(a, EXIT_ENDED);
    } else {
        attach_notice(a, "the service ended this view%s%s", text[0] != '\0' ? ": " : "", text);
        attach_leave(a, EXIT_FAILED);
    }
}

bool attach_show(struct attach *a)
{
    struct frame f;
    int result = 0;

    while (!a->in_menu && !a->left && (result = conn_frame(&a->conn, &f)) == 1) {
        bool fine = true;

        if (f.type == VC_CONTROL_OUT)
            fine = show_out(a, &f);
        else if (f.type == VC_CONTROL_MARK)
            fine = show_mark(a, &f);
        else if (f.type == VC_CONTROL_TOKEN)
            fine = show_token(a, &f);
        else if (f.type == VC_CONTROL_LEASE)
            fine = show_lease(a, &f);
        else if (f.type == VC_CONTROL_ASKED)
            fine = show_asked(a, &f);
        else if (f.type == VC_CONTROL_END)
            show_end(a, &f);
        if (!fine)
            return false;
    }
    attach_cover(a);
    return result >= 0;
}
