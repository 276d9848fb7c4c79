/* SPDX-License-Identifier: MIT */
#include "connector.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "host/message.h"
#include "host/name.h"
#include "service.h"

#define BREAK_MS 300u /* termios(3): between 0.25 and 0.5 seconds */

static const struct connect_way *const ways[] = {
    [SOURCE_UNIX] = &connect_unix,       [SOURCE_UNIX_LISTEN] = &connect_unix_listen,
    [SOURCE_PTY] = &connect_pty,         [SOURCE_SERIAL] = &connect_serial,
    [SOURCE_TCP] = &connect_tcp,         [SOURCE_TELNET] = &connect_telnet,
    [SOURCE_RFC2217] = &connect_rfc2217, [SOURCE_COMMAND] = &connect_command,
    [SOURCE_LIBVIRT] = &connect_libvirt, [SOURCE_XL] = &connect_xl,
};
_Static_assert(sizeof ways / sizeof ways[0] == SOURCE_KINDS, "one each");

static void attempt(struct connector *k);

/* Attempts, and pauses between them. */

void connector_due(uv_timer_t *timer) { attempt(timer->data); }

static void later(struct connector *k)
{
    uint32_t most = k->way->remote ? CONNECT_REMOTE_MOST : k->way->early ? CONNECT_LISTEN_MOST : CONNECT_LOCAL_MOST;

    if (k->service->stopping || k->going)
        return;
    uv_update_time(&k->service->loop);
    uv_timer_start(&k->retry, connector_due, k->pause_ms, 0);
    k->pause_ms = k->pause_ms * 2 < most ? k->pause_ms * 2 : most;
}

static void release(struct connector *k)
{
    if (k->way->released != NULL)
        k->way->released(k);
}

static void free_when_done(struct connector *k)
{
    struct sources *all = &k->service->sources;
    struct connector **at = &all->first;

    if (!k->going || k->n_handles > 0 || k->source != NULL)
        return;
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    if (*at == NULL)
        all->last = at;
    all->n--;
    settings_free(&k->settings);
    settings_free(&k->next_settings);
    free(k);
}

static void fail(struct connector *k, const char *reason)
{
    k->trying = false;
    snprintf(k->reason, sizeof k->reason, "%.*s", (int)sizeof k->reason - 1, reason);
    if (!k->told)
        message("%s/%s: %s; it is tried again and again", k->console->log.domain, k->console->log.console, reason);
    k->told = true;
    release(k);
    later(k);
}

void connector_failed(struct connector *k, const struct problem *p) { fail(k, p->text); }

static void take_settings(struct connector *k, const struct console_settings *settings)
{
    settings_free(&k->settings);
    k->settings = *settings;
    (void)source_text_parse(k->settings.source, &k->place); /* it was checked as it was set */
    k->way = ways[k->place.kind];
}

/* By other settings: nothing is left of the old ones. */
static void begin_anew(struct connector *k)
{
    take_settings(k, &k->next_settings);
    k->next_settings = (struct console_settings){0};
    k->pause_ms = CONNECT_PAUSE_MS;
    k->told = false;
    k->farewell[0] = k->reason[0] = '\0';
    later(k);
}

/* The source was destroyed: the connection is over. */
static void ended(void *ctx, int error)
{
    struct connector *k = ctx;
    uint64_t lasted;

    uv_update_time(&k->service->loop);
    lasted = uv_now(&k->service->loop) - k->since_ms;
    k->source = NULL;
    uv_timer_stop(&k->retry);
    uv_timer_stop(&k->break_end);
    release(k);
    if (lasted >= CONNECT_LASTED_MS)
        k->pause_ms = CONNECT_PAUSE_MS;
    snprintf(k->reason, sizeof k->reason, "%s",
             k->farewell[0] != '\0' ? k->farewell
             : error != 0           ? strerror(error)
                                    : "the other side has closed it");
    if (k->going)
        free_when_done(k);
    else if (k->next_settings.source != NULL)
        begin_anew(k);
    else
        later(k);
}

static void stuck(void *ctx)
{
    struct connector *k = ctx;
    uint32_t room;

    if (!console_wait_room(k->console))
        (void)k->source->ops->room(k->source, &room); /* there is some already: it goes now */
}

static void break_over(uv_timer_t *timer)
{
    struct connector *k = timer->data;

    if (k->source != NULL)
        source_fd_break_end(k->source);
}

static void break_begun(void *ctx)
{
    struct connector *k = ctx;

    uv_update_time(&k->service->loop);
    uv_timer_start(&k->break_end, break_over, BREAK_MS, 0);
}

static const struct source_fd_env env = {.ended = ended, .stuck = stuck, .break_begun = break_begun};

static struct telnet_port port_of(const struct console_settings *s)
{
    static const uint8_t parities[] = {
        [SETTINGS_PARITY_NONE] = 1, [SETTINGS_PARITY_ODD] = 2, [SETTINGS_PARITY_EVEN] = 3};
    static const uint8_t flows[] = {[SETTINGS_FLOW_NONE] = 1, [SETTINGS_FLOW_XONXOFF] = 2, [SETTINGS_FLOW_RTSCTS] = 3};

    return (struct telnet_port){
        .speed = s->speed, .bits = s->bits, .parity = parities[s->parity], .stop = s->stop, .flow = flows[s->flow]};
}

/* earlier: what a service before us had of it; NULL: it is new. */
static int attach(struct connector *k, int fd, const struct source_handover *earlier)
{
    struct origin origin = {.uid = getuid(), .pid = getpid()};
    struct source_fd_wish wish = {.type = k->way->type,
                                  .tty = k->way->tty,
                                  .telnet = k->way->telnet,
                                  .com_port = k->way->com_port,
                                  .port = port_of(&k->settings),
                                  .breaks = k->way->breaks,
                                  .sizes = k->way->sizes,
                                  .delay_us = k->settings.delay_us,
                                  .echo_check = k->settings.echo_check,
                                  .env = &env,
                                  .ctx = k};
    struct log_status status;
    int error = console_open(k->console);

    if (error)
        return error;
    log_status_get(&k->console->log, &status);
    wish.again = status.length > 0 && earlier == NULL;
    k->source = source_fd_create(fd, &wish);
    if (k->source == NULL)
        return -ENOMEM;
    if (earlier != NULL && !source_fd_continue(k->source, earlier))
        error = -EPROTO;
    else
        error = console_attach(k->console, k->source, &origin);
    if (error) {
        source_fd_abandon(k->source);
        k->source = NULL;
    }
    return error;
}

void connector_connected(struct connector *k, int fd)
{
    int error = attach(k, fd, NULL);

    if (error) {
        close(fd);
        fail(k, error == -EBUSY ? "another source has this console" : strerror(-error));
        return;
    }
    uv_timer_stop(&k->retry); /* who calls us may be back before its time */
    if (k->told)
        message("%s/%s: connected to %s", k->console->log.domain, k->console->log.console, k->settings.source);
    k->told = k->trying = false;
    k->reason[0] = '\0';
    k->since_ms = uv_now(&k->service->loop);
    connector_look(k);
}

/* What a service before us was connected to. */
static bool adopt(struct connector *k)
{
    struct source_handover earlier;
    int fd = upgrade_take(&k->service->upgrade, k->console->log.domain, k->console->log.console, k->settings.source,
                          &earlier, &k->asked);

    if (fd < 0)
        return false;
    if (k->way->adopted != NULL)
        k->way->adopted(k);
    k->since_ms = uv_now(&k->service->loop);
    if (attach(k, fd, &earlier) == 0) {
        stuck(k); /* what was typed before us, and not sent */
        connector_look(k);
        return true;
    }
    release(k);
    close(fd);
    return false;
}

bool connector_answered(struct service *s, const struct starter_answer *answer, int fd)
{
    struct connector *k = s->sources.first;

    while (k != NULL && (k->asked != answer->serial || k->way->answered == NULL))
        k = k->next;
    if (k == NULL || (!k->trying && k->source == NULL && answer->what != STARTER_EXITED))
        return false;
    k->way->answered(k, answer, fd);
    return true;
}

static void attempt(struct connector *k)
{
    struct problem p = {.text = ""};
    int fd;

    assert(k->source == NULL && !k->trying);
    k->trying = connector_wanted(k);
    fd = k->trying ? k->way->begin(k, &p) : -ENOTCONN;
    if (!k->trying)
        connector_idle(k);
    else if (fd >= 0)
        connector_connected(k, fd);
    else if (fd != -EINPROGRESS)
        fail(k, p.text);
}

bool connector_sizes(const struct console *c)
{
    const struct connector *k = c->connector;

    return k != NULL && k->source != NULL && k->source == c->source && source_fd_sizes(k->source);
}

/* The list. */

static void open_timer(struct connector *k, uv_timer_t *timer)
{
    uv_timer_init(&k->service->loop, timer);
    timer->data = k;
    k->n_handles++;
}

/* Takes the settings. */
static int add(struct service *s, struct console *c, const struct console_settings *settings, bool by_hand)
{
    struct connector *k = calloc(1, sizeof *k);

    if (k == NULL)
        return -ENOMEM;
    *k = (struct connector){.service = s, .console = c, .by_hand = by_hand, .pause_ms = CONNECT_PAUSE_MS};
    take_settings(k, settings);
    open_timer(k, &k->retry);
    open_timer(k, &k->break_end);
    *s->sources.last = k;
    s->sources.last = &k->next;
    s->sources.n++;
    c->connector = k;
    c->gone = false; /* it is away, and will be back */
    if (!adopt(k))
        attempt(k);
    return 0;
}

int sources_begin(struct service *s, const struct name *name, const struct console_settings *by_hand)
{
    struct console_settings settings = {0}, configured = config_for(&s->config, name->domain, name->console);
    struct console *c = console_get(s, name->domain, name->console);
    int error;

    if (by_hand != NULL)
        settings = *by_hand;
    settings_inherit(&settings, &configured);
    settings_complete(&settings);
    if (c == NULL || !settings_own(&settings))
        return -ENOMEM;
    error = add(s, c, &settings, by_hand != NULL);
    if (error)
        settings_free(&settings);
    return error;
}

void connector_cancel(struct connector *k)
{
    uv_timer_stop(&k->retry);
    if (k->way->cancel != NULL)
        k->way->cancel(k);
    k->trying = false;
    if (k->source == NULL)
        release(k);
}

bool connector_change(struct connector *k, const struct console_settings *settings)
{
    const struct console_settings *now = k->next_settings.source != NULL ? &k->next_settings : &k->settings;
    struct console_settings own = *settings;

    if (settings_same_source(now, settings) || !settings_own(&own))
        return false;
    settings_free(&k->next_settings);
    k->next_settings = own;
    connector_cancel(k);
    if (k->source == NULL)
        begin_anew(k);
    else
        console_detach(k->console, false);
    return true;
}

static void handle_closed(uv_handle_t *handle)
{
    struct connector *k = handle->data;

    k->n_handles--;
    free_when_done(k);
}

void connector_remove(struct connector *k)
{
    struct console *c = k->console;

    connector_cancel(k);
    k->going = true;
    c->connector = NULL;
    uv_close((uv_handle_t *)&k->retry, handle_closed);
    uv_close((uv_handle_t *)&k->break_end, handle_closed);
    if (k->source != NULL || c->source == NULL)
        console_detach(c, true); /* else the console is somebody else's */
}

int sources_start(struct service *s)
{
    struct name name;
    int error = 0;

    s->sources.last = &s->sources.first;
    for (uint32_t i = 0; error == 0 && i < s->config.n_exact; i++)
        if (s->config.exact[i].settings.source != NULL) {
            (void)name_split(s->config.exact[i].pattern, &name, NULL); /* config.c checked it */
            error = sources_begin(s, &name, NULL);
        }
    return error;
}

void sources_stop(struct service *s)
{
    for (struct connector *k = s->sources.first; k != NULL; k = k->next)
        connector_cancel(k);
}

void sources_free(struct service *s)
{
    struct connector *next;

    for (struct connector *k = s->sources.first; k != NULL; k = next) {
        next = k->next;
        settings_free(&k->settings);
        settings_free(&k->next_settings);
        free(k);
    }
    s->sources = (struct sources){0};
}
