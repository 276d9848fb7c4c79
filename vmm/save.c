/* SPDX-License-Identifier: MIT */
#include "save.h"
#include "save_config.h"
#include "save_memory.h"
#include "save_private.h"
#include "vmm.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_NUMBER    0xffffu /* XenStore's door, behind all consoles */
#define LOOK_MS         2u      /* between two looks while we wait for vCPUs, the disk or the service */
#define CONFIG_BYTES(n) (3 * PATH_MAX + 4096u + (n)*64u)

struct save {
    struct domain *domain;
    uint32_t epoch, serial; /* of the link, and on it */
    int fd;
    enum { SAVE_PAUSING, SAVE_WRITING, SAVE_LEAVING } phase;
    uint64_t deadline_ms;
    uv_timer_t timer;
    struct problem problem; /* empty: none yet */

    /* What the thread writes: of the moment at which the domain stood still. RAM it reads itself. */
    uint8_t *config, *state;
    size_t config_bytes, state_bytes;
    void *engine;
    size_t engine_bytes;
    pthread_t thread;
    atomic_bool written;
    int error;
};

/* ---- The thread: the file. ---- */

static void *write_file(void *save)
{
    struct save *s = save;
    uint8_t id[SAVE_ID_BYTES];
    struct save_out out;

    s->error = getrandom(id, sizeof id, 0) == sizeof id ? 0 : -EIO;
    save_out_begin(&out, s->fd, id);
    save_out_record(&out, SAVE_CONFIG, s->config, s->config_bytes, NULL, 0);
    save_out_record(&out, SAVE_STATE, s->state, s->state_bytes, NULL, 0);
    save_out_record(&out, SAVE_ENGINE, s->engine, s->engine_bytes, NULL, 0);
    save_memory(&out, &s->domain->memory);
    if (s->error == 0)
        s->error = save_out_end(&out);
    atomic_store(&s->written, true);
    vmm_notify(s->domain->vmm);
    return NULL;
}

/* Numbers in a file follow each other, and so do those of the domain that goes on from it. */
static bool save_has(const struct domain *d, uint32_t number)
{
    return !d->doors[number]->absent && !d->doors[number]->leaving;
}

/* ---- What is saved, at the moment at which all stands still. ---- */

static uint32_t door_number(void *ctx, const void *door)
{
    struct domain *d = ctx;
    uint32_t number = 0;

    for (uint32_t i = 0; i < d->n_doors; number += save_has(d, i++))
        if (door == &d->doors[i]->to)
            return number;
    return STORE_NUMBER;
}

static void *door_of_number(void *ctx, uint32_t number)
{
    struct domain *d = ctx;

    return number < d->n_doors ? &d->doors[number]->to : number == STORE_NUMBER ? &d->store.to : NULL;
}

struct vc_save_doors save_doors(struct domain *d)
{
    return (struct vc_save_doors){.ctx = d, .number = door_number, .door = door_of_number};
}

/* Which console it is, and how far the guest has opened it. Without its lock, for XenStore's is taken before that. */
static void write_door_head(struct door *door, uint32_t number, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, SAVE_DOOR, 1);

    vc_write_u32(w, number);
    if (door->config->door == DOOR_XEN && !door->is_primary)
        domain_store_save_backend(door, w);
    vc_write_end(w, begun);
}

/* [locked] */
static int write_door(struct door *door, struct vc_writer *w, struct problem *problem)
{
    size_t begun;

    if (door->config->door == DOOR_XEN)
        vc_pvcons_save(&door->pvcons, w);
    if (door_is_uart(door->config->door) && uart_save(door, w, problem) != 0)
        return -1;
    if ((door_is_virtio(door->config->door) && virtio_put_back(door) != 0) || save_take_input(door) != 0)
        return problem_set(problem, -1, "no memory");
    begun = vc_write_begin(w, SAVE_INPUT, 1);
    vc_write_bytes(w, door->kept != NULL ? door->kept + door->at_kept : NULL, door->n_kept - door->at_kept);
    vc_write_end(w, begun);
    return 0;
}

/* A timer that went off just before goes off once more, which a guest expects of any timer. */
static void write_vcpus(const struct domain *d, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, SAVE_VCPUS, 1);

    for (uint32_t i = 0; i < d->config->vcpus; i++) {
        vc_write_u32(w, d->vcpus[i].initialised);
        vc_write_u32(w, 0);
        vc_write_u64(w, d->vcpus[i].timer_ns);
    }
    vc_write_end(w, begun);
}

/* At most; write_door's input apart, which is there when this is asked. */
static size_t state_bytes(struct domain *d)
{
    size_t bytes = 4096 + GRANT_PAGES_SAVE_BYTES + domain_store_save_bytes(d) + 16 * (size_t)d->config->vcpus +
                   VC_SAVE_PARAMS_BYTES + VC_SAVE_FOCUS_BYTES + VC_SAVE_SHARED_INFO_BYTES(d->config->vcpus) +
                   VC_SAVE_EVENTS_BYTES(VC_EVENTS_PORTS_MAX, d->config->vcpus) + virtio_save_bytes(d);

    for (uint32_t i = 0; i < d->n_doors; i++)
        bytes += 256 + VC_SAVE_PL011_BYTES + d->doors[i]->n_kept + VC_LINE_IN_DEFAULT + VC_FOCUS_TYPED_BYTES + 4096;
    return bytes;
}

/* From here on nothing moves between guest and line: what the line takes it has taken. */
static void freeze(struct domain *d, bool frozen)
{
    domain_store_freeze(d, frozen);
    for (uint32_t i = 0; i < d->n_doors; i++) {
        if (!save_has(d, i))
            continue;
        console_lock(&d->doors[i]->console);
        door_quiet_end(d->doors[i]); /* no bit is in what is saved */
        if (frozen)
            door_serve(d->doors[i]);
        d->doors[i]->frozen = frozen;
        console_unlock(&d->doors[i]->console);
    }
    virtio_freeze(d, frozen);
}

static int write_doors(struct save *s, struct vc_writer *w)
{
    struct domain *d = s->domain;
    uint32_t number = 0;
    int error = 0;

    for (uint32_t i = 0; error == 0 && i < d->n_doors; i++) {
        if (!save_has(d, i))
            continue;
        write_door_head(d->doors[i], number++, w);
        console_lock(&d->doors[i]->console);
        error = write_door(d->doors[i], w, &s->problem);
        console_unlock(&d->doors[i]->console);
    }
    return error;
}

static int write_state(struct save *s)
{
    struct domain *d = s->domain;
    struct vc_save_doors doors = save_doors(d);
    struct vc_writer w;
    size_t begun;
    int error;

    s->state_bytes = state_bytes(d);
    s->state = malloc(s->state_bytes);
    if (s->state == NULL)
        return problem_set(&s->problem, -1, "no memory");
    vc_writer_init(&w, s->state, s->state_bytes);
    begun = vc_write_begin(&w, SAVE_DOMAIN, 1);
    vc_write_u32(&w, d->boot);
    vc_write_u32(&w, doors_in_use(d));
    vc_write_u64(&w, domain_guest_time(d));
    vc_write_end(&w, begun);
    write_vcpus(d, &w);
    vc_params_save(&d->params, &w);
    grant_pages_save(&d->grants, SAVE_GRANTS, &w);
    vc_focus_save(&d->vmm->focus, &d->focus, &w);
    vc_shared_info_save(&d->shared, &w);
    vc_events_save(&d->events, &doors, &w);
    domain_store_save(d, SAVE_STORE, &w);
    error = write_doors(s, &w);
    virtio_save(d, &w);
    s->state_bytes = w.n;
    if (error == 0 && !vc_writer_ok(&w))
        error = problem_set(&s->problem, -1, "its state is larger than was reckoned");
    return error;
}

static int write_config(struct save *s)
{
    struct domain *d = s->domain;
    struct domain_config now = *d->config; /* with the consoles that it has by now */
    size_t bytes = CONFIG_BYTES((size_t)d->n_doors);
    struct vc_writer w;

    now.consoles = calloc(d->n_doors, sizeof *now.consoles);
    now.n_consoles = 0;
    s->config = malloc(bytes);
    if (s->config == NULL || now.consoles == NULL) {
        free(now.consoles);
        return problem_set(&s->problem, -1, "no memory");
    }
    for (uint32_t i = 0; i < d->n_doors; i++)
        if (save_has(d, i))
            now.consoles[now.n_consoles++] = *d->doors[i]->config;
    vc_writer_init(&w, s->config, bytes);
    save_config_write(&now, d->id, &w);
    free(now.consoles);
    s->config_bytes = w.n;
    return vc_writer_ok(&w) ? 0 : problem_set(&s->problem, -1, "its configuration is larger than a file takes");
}

/* ---- The loop's side. ---- */

static void closed(uv_handle_t *timer)
{
    struct save *s = timer->data;

    free(s->config);
    free(s->state);
    free(s->engine);
    free(s);
}

static void end(struct save *s)
{
    struct link *link = &s->domain->vmm->link;

    link_answer(link, s->epoch, s->serial, s->problem.text[0] == '\0' ? NULL : s->problem.text);
    if (s->domain->save == s)
        s->domain->save = NULL;
    close(s->fd);
    uv_close((uv_handle_t *)&s->timer, closed);
}

/* It goes on as if nothing had been. */
static void fail(struct save *s)
{
    struct domain *d = s->domain;

    freeze(d, false);
    vmm_print(d->vmm, "d%u (%s) is not saved: %s", d->id, d->config->name, s->problem.text);
    domain_unpause(d);
    end(s);
    doors_again(d);
    domain_look(d); /* it may have ended meanwhile */
}

static void stood_still(struct save *s)
{
    struct domain *d = s->domain;

    freeze(d, true);
    if (write_config(s) == 0 && write_state(s) == 0 &&
        d->ops->save(d->engine, &s->engine, &s->engine_bytes, &s->problem) == 0 &&
        pthread_create(&s->thread, NULL, write_file, s) != 0)
        problem_set(&s->problem, -1, "no thread to write the file");
    if (s->problem.text[0] != '\0')
        fail(s);
    else
        s->phase = SAVE_WRITING;
}

static void written(struct save *s)
{
    struct domain *d = s->domain;

    pthread_join(s->thread, NULL);
    s->phase = SAVE_LEAVING;
    if (s->error != 0) {
        problem_set(&s->problem, -1, "writing the file: %s", strerror(-s->error));
        fail(s);
        return;
    }
    s->deadline_ms = vmm_now_ms() + (uint64_t)(d->config->hold_ms > 0 ? d->config->hold_ms : 0) + SAVE_PAUSE_MS;
    vc_focus_forget(&d->vmm->focus, &d->focus); /* who goes on shows it */
    domain_end(d, REQUEST_SAVE);
}

/* When the service has all that it said, its name is free for who goes on. */
static void left(struct save *s)
{
    link_domain_gone(&s->domain->vmm->link, s->domain);
    end(s);
}

static void look(uv_timer_t *timer)
{
    struct save *s = timer->data;
    struct domain *d = s->domain;

    if (s->phase == SAVE_WRITING) {
        if (atomic_load(&s->written))
            written(s);
    } else if (s->phase == SAVE_LEAVING) {
        if (d->state == DOMAIN_OFF && (domain_delivered(d) || vmm_now_ms() >= s->deadline_ms))
            left(s);
    } else if (d->state != DOMAIN_RUNNING || domain_stopping(d)) {
        problem_set(&s->problem, -1, "it ended before it stood still");
        fail(s);
    } else if (domain_is_paused(d)) {
        stood_still(s);
    } else if (vmm_now_ms() >= s->deadline_ms) {
        problem_set(&s->problem, -1, "a vCPU of it did not come to a call or an exit within %u ms", SAVE_PAUSE_MS);
        fail(s);
    }
}

static int may_save(struct domain *d, int fd, struct problem *p)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return problem_set(p, -1, "expected a regular file to write to");
    if (d->save != NULL)
        return problem_set(p, -1, "it is being saved already");
    if (d->state != DOMAIN_RUNNING || domain_stopping(d))
        return problem_set(p, -1, "it does not run");
    if (d->ops->save == NULL)
        return problem_set(p, -1, "engine %s cannot save a domain", d->config->engine);
    return 0;
}

void save_begin(struct domain *d, int fd, uint32_t serial)
{
    struct link *link = &d->vmm->link;
    struct save *s;
    struct problem p;

    if (may_save(d, fd, &p) != 0) {
        link_answer(link, link->epoch, serial, p.text);
        close(fd);
        return;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        link_answer(link, link->epoch, serial, "no memory");
        close(fd);
        return;
    }
    *s = (struct save){
        .domain = d, .epoch = link->epoch, .serial = serial, .fd = fd, .deadline_ms = vmm_now_ms() + SAVE_PAUSE_MS};
    d->save = s;
    uv_timer_init(&d->vmm->loop, &s->timer);
    s->timer.data = s;
    domain_pause(d);
    uv_timer_start(&s->timer, look, 0, LOOK_MS);
}

bool save_holds(const struct domain *d) { return d->save != NULL && d->save->phase == SAVE_WRITING; }

void save_abandon(struct domain *d)
{
    struct save *s = d->save;

    if (s == NULL)
        return;
    if (s->phase == SAVE_WRITING)
        pthread_join(s->thread, NULL);
    d->save = NULL;
    close(s->fd);
    uv_close((uv_handle_t *)&s->timer, closed);
}
