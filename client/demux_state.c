/* SPDX-License-Identifier: MIT */
/*
 * A place in the source's log from which on taking it apart may begin, so that its beginning need not be kept for ever: how the
 * splitter stood there, and how much each console had been given. It is written only once the consoles' logs have all of that.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demux.h"
#include "host/clock.h"

static void key_of(uint64_t id, char key[24])
{
    snprintf(key, 24, id == SPLIT_HYPERVISOR ? "hypervisor" : "d%" PRIu64, id);
}

/* In the service's own state directory: what it tells of is that one's. */
static bool path_of(struct demux *d, char path[PATH_MAX])
{
    json_t *ok = NULL;
    const char *directory;
    bool fits = false;
    char *slash, source[NAME_FULL_BYTES];

    snprintf(source, sizeof source, "%s", d->source);
    slash = strchr(source, '/');
    if (slash != NULL)
        *slash = '.';
    if (conn_try_ask(&d->control, json_pack("{s:s}", "op", "status"), &ok, &d->problem) != EXIT_DONE)
        demux_again(d, EXIT_NO_SERVICE, NULL);
    directory = json_string_value(json_object_get(ok, "state_dir"));
    if (directory != NULL)
        fits = paths_format(path, "%s/demux.%s.json", directory, source) == 0;
    json_decref(ok);
    return fits;
}

json_t *demux_state_load(struct demux *d)
{
    char path[PATH_MAX];
    json_t *state;
    int form = -1;

    if (d->from_start || !path_of(d, path))
        return NULL;
    state = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (state != NULL && json_unpack(state, "{s:i}", "form", &form) == 0 && form == (int)d->form)
        return state;
    json_decref(state);
    return NULL;
}

static uint64_t number(const json_t *state, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(state, key)); /* -1 is SPLIT_HYPERVISOR */
}

uint64_t demux_state_offset(const json_t *state) { return number(state, "offset"); }

void demux_state_take(struct demux *d, json_t *state)
{
    d->kept = state;
    if (state == NULL)
        return;
    d->split.focus = number(state, "focus");
    d->split.owner = number(state, "owner");
    d->split.in_line = json_is_true(json_object_get(state, "in_line"));
    d->split.marked = json_is_true(json_object_get(state, "marked"));
    d->split.printed = json_is_true(json_object_get(state, "printed"));
    d->split.n_open = (unsigned)number(state, "open");
    d->split.n_own = (unsigned)number(state, "own") & 3;
}

uint64_t demux_state_given(const struct demux *d, uint64_t id)
{
    char key[24];

    key_of(id, key);
    return number(json_object_get(d->kept, "given"), key);
}

/* As it is now, if nothing is kept back; NULL: not so. */
static json_t *picture(const struct demux *d)
{
    const struct split *s = &d->split;
    json_t *given;

    if (s->n_held > 0 || s->n_cr > 0)
        return NULL;
    given = json_object();
    (void)json_object_update(given, json_object_get(d->kept, "given")); /* who has said nothing since, too */
    for (const struct target *t = d->targets; t != NULL; t = t->next) {
        char key[24];

        key_of(t->id, key);
        (void)json_object_set_new(given, key, json_integer((json_int_t)t->given));
    }
    return json_pack("{s:i,s:I,s:I,s:I,s:b,s:b,s:b,s:i,s:i,s:o}", "form", (int)s->form, "offset", (json_int_t)d->offset,
                     "focus", (json_int_t)s->focus, "owner", (json_int_t)s->owner, "in_line", (int)s->in_line, "marked",
                     (int)s->marked, "printed", (int)s->printed, "open", (int)s->n_open, "own", (int)s->n_own, "given",
                     given);
}

/* Whether the logs have what the picture says. */
static bool stored(struct demux *d)
{
    const json_t *given = json_object_get(d->picture, "given");
    json_t *answer = NULL;
    bool all = true;

    for (const struct target *t = d->targets; t != NULL && all; t = t->next) {
        char key[24];

        key_of(t->id, key);
        all = t->fd >= 0 && demux_target_length(d, t, &answer) >= number(given, key);
    }
    json_decref(answer);
    return all && !d->again;
}

static void save(struct demux *d)
{
    char path[PATH_MAX], fresh[PATH_MAX];

    if (!path_of(d, path) || paths_format(fresh, "%s.new", path) != 0)
        return;
    if (json_dump_file(d->picture, fresh, JSON_COMPACT) != 0 || rename(fresh, path) != 0) {
        if (!d->save_told)
            message("%s: %s; the whole log of %s has to be kept", path, strerror(errno), d->source);
        d->save_told = true;
        (void)unlink(fresh);
    }
}

void demux_state_step(struct demux *d)
{
    if (clock_ms() < d->save_ms)
        return;
    if (d->picture != NULL && stored(d)) {
        save(d);
        d->from_start = false;
        d->saved = demux_state_offset(d->picture);
        json_decref(d->picture);
        d->picture = NULL;
    }
    if (d->picture == NULL && d->offset > d->saved && !d->again)
        d->picture = picture(d);
    d->save_ms = clock_ms() + DEMUX_SAVE_MS;
}

/* How long until a step has something to do; -1: nothing. */
int demux_state_wait_ms(const struct demux *d)
{
    return d->picture != NULL || d->offset > d->saved ? (int)DEMUX_SAVE_MS : -1;
}

void demux_state_close(struct demux *d)
{
    json_decref(d->picture);
    json_decref(d->kept);
    d->picture = d->kept = NULL;
    d->saved = 0;
}
