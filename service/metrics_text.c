/* SPDX-License-Identifier: MIT */
/* The text itself: one family after the other, each with a sample for each console that has it. */
#include "metrics.h"

#include <stdio.h>

#include "console.h"
#include "service.h"

struct family {
    const char *name, *type, *help;
    uint64_t (*of_service)(const struct service *s);              /* one sample, or … */
    bool (*of_console)(const struct console *c, uint64_t *value); /* … one a console, where it has a value */
    bool time;                                                    /* nanoseconds here, seconds there */
};

static uint64_t start_ns(const struct service *s)
{
    struct log_time now;

    service_clocks(&now);
    return now.real_ns - (now.mono_ns - s->started_ns);
}

static uint64_t consoles(const struct service *s) { return s->registry.n; }
static uint64_t sources(const struct service *s) { return s->registry.n_sources; }
static uint64_t viewers(const struct service *s) { return s->n_viewers; }
static uint64_t links(const struct service *s) { return s->n_links; }
static uint64_t controls(const struct service *s) { return s->n_controls; }
static uint64_t log_bytes(const struct service *s) { return __atomic_load_n(&s->store.bytes, __ATOMIC_RELAXED); }
static uint64_t logs_failing(const struct service *s) { return __atomic_load_n(&s->store.n_failing, __ATOMIC_RELAXED); }

static uint64_t audit_failures(const struct service *s) { return s->audit.failures; }

/* Of a log that is not open nothing is known without reading the disk: it has no samples of these. */
static bool bytes(const struct console *c, uint64_t *value)
{
    struct log_status status;

    if (!c->log_open)
        return false;
    log_status_get(&c->log, &status);
    *value = status.length;
    return true;
}

static bool unsaved(const struct console *c, uint64_t *value)
{
    struct log_status status;

    if (!c->log_open)
        return false;
    log_status_get(&c->log, &status);
    *value = status.unsaved;
    return true;
}

static bool boots(const struct console *c, uint64_t *value)
{
    struct log_status status;

    if (!c->log_open)
        return false;
    log_status_get(&c->log, &status);
    *value = status.boot;
    return true;
}

static bool dropped(const struct console *c, uint64_t *value)
{
    *value = c->dropped;
    return true;
}

static bool discarded(const struct console *c, uint64_t *value)
{
    struct log_status status;

    if (!c->log_open)
        return false;
    log_status_get(&c->log, &status);
    *value = status.discarded;
    return true;
}

static bool refused(const struct console *c, uint64_t *value)
{
    *value = c->refused;
    return true;
}

static bool watched(const struct console *c, uint64_t *value)
{
    *value = c->n_viewers;
    return true;
}

static bool written_to(const struct console *c, uint64_t *value)
{
    *value = !token_free(c);
    return true;
}

static bool connected(const struct console *c, uint64_t *value)
{
    *value = c->source != NULL;
    return true;
}

static bool broken(const struct console *c, uint64_t *value)
{
    *value = __atomic_load_n(&c->append.broken, __ATOMIC_RELAXED);
    return true;
}

static bool last_output(const struct console *c, uint64_t *value)
{
    *value = __atomic_load_n(&c->append.written, __ATOMIC_RELAXED);
    return *value != 0;
}

static const struct family families[] = {
    {"vcons_start_time_seconds", "gauge", "When the service started, since the epoch.", start_ns, NULL, true},
    {"vcons_consoles", "gauge", "Consoles known, with those of which only a log is left.", consoles, NULL, false},
    {"vcons_sources", "gauge", "Consoles that are connected.", sources, NULL, false},
    {"vcons_viewers", "gauge", "Viewers of all consoles.", viewers, NULL, false},
    {"vcons_hypervisors", "gauge", "Hypervisors that are linked.", links, NULL, false},
    {"vcons_control_connections", "gauge", "Connections to the control socket that are no viewers.", controls, NULL,
     false},
    {"vcons_log_bytes", "gauge", "Bytes of all logs on the disk.", log_bytes, NULL, false},
    {"vcons_logs_failing", "gauge", "Logs that cannot be written at the moment.", logs_failing, NULL, false},
    {"vcons_audit_failures_total", "counter", "Events that the audit log has not taken.", audit_failures, NULL, false},
    {"vcons_console_connected", "gauge", "Whether the console has its source.", NULL, connected, false},
    {"vcons_console_bytes_total", "counter", "Bytes of output stored, from the log's first on.", NULL, bytes, false},
    {"vcons_console_unsaved_bytes", "gauge", "Bytes of output that the disk refuses: in memory, or lost.", NULL,
     unsaved, false},
    {"vcons_console_boots_total", "counter", "Boots that the log has seen.", NULL, boots, false},
    {"vcons_console_dropped_bytes_total", "counter", "Bytes of output that the hypervisor dropped.", NULL, dropped,
     false},
    {"vcons_console_discarded_bytes_total", "counter", "Bytes of output that the service did not store.", NULL,
     discarded, false},
    {"vcons_console_refused_bytes_total", "counter", "Bytes typed without the write token.", NULL, refused, false},
    {"vcons_console_viewers", "gauge", "Viewers of the console.", NULL, watched, false},
    {"vcons_console_writers", "gauge", "Who has the write token: one, or none.", NULL, written_to, false},
    {"vcons_console_broken", "gauge", "Whether its guest breaks the protocol of its door.", NULL, broken, false},
    {"vcons_console_last_output_timestamp_seconds", "gauge", "When it last had output, since the epoch.", NULL,
     last_output, true},
};
#define FAMILIES (sizeof families / sizeof families[0])

void metrics_label(const char *value, char *out, uint32_t room)
{
    uint32_t n = 0;

    for (; *value != '\0'; value++) {
        bool escape = *value == '\\' || *value == '"' || *value == '\n';

        if (n + (escape ? 2u : 1u) >= room)
            break;
        if (escape)
            out[n++] = '\\';
        out[n++] = *value == '\n' ? 'n' : *value;
    }
    out[n] = '\0';
}

static uint32_t put_value(const struct family *f, uint64_t value, char *out, uint32_t room)
{
    int n = f->time ? snprintf(out, room, " %llu.%09llu\n", (unsigned long long)(value / 1000000000),
                               (unsigned long long)(value % 1000000000))
                    : snprintf(out, room, " %llu\n", (unsigned long long)value);

    return (uint32_t)n;
}

static uint32_t put_head(const struct family *f, char *out, uint32_t room)
{
    return (uint32_t)snprintf(out, room, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
}

static uint32_t put_console(const struct family *f, const struct console *c, char *out, uint32_t room)
{
    char domain[2 * LOG_NAME_BYTES], console[2 * LOG_NAME_BYTES];
    uint64_t value;
    uint32_t n;

    if (!f->of_console(c, &value))
        return 0;
    metrics_label(c->log.domain, domain, sizeof domain);
    metrics_label(c->log.console, console, sizeof console);
    n = (uint32_t)snprintf(out, room, "%s{domain=\"%s\",console=\"%s\"}", f->name, domain, console);
    return n + put_value(f, value, out + n, room - n);
}

/* A line or two of what comes next; 0 bytes may be no line, but a step. */
static uint32_t step(const struct service *s, struct metrics_text *t, char *out, uint32_t room)
{
    const struct family *f = &families[t->family];
    uint32_t n = 0;

    if (!t->named) {
        n = put_head(f, out, room);
        t->named = true;
        t->at = s->registry.first;
        return n;
    }
    if (f->of_service != NULL) {
        n = (uint32_t)snprintf(out, room, "%s", f->name);
        n += put_value(f, f->of_service(s), out + n, room - n);
    } else if (t->at != NULL) {
        n = put_console(f, t->at, out, room);
        t->at = t->at->next;
        return n;
    }
    t->family++;
    t->named = false;
    return n;
}

uint32_t metrics_text(const struct service *s, struct metrics_text *t, char *out, uint32_t room)
{
    uint32_t n = 0;

    while (t->family < FAMILIES && room - n >= METRICS_LINE)
        n += step(s, t, out + n, room - n);
    return n;
}
