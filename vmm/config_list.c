/* SPDX-License-Identifier: MIT */
/* A configuration as people see it: its domains, and what its file asks for and does not get. */
#include "config.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void config_note(struct vmm_config *config, const char *format, ...)
{
    va_list args;
    char *text;

    if (config->notes == NULL)
        config->notes = calloc(CONFIG_NOTES_MAX, sizeof *config->notes);
    if (config->n_notes++ >= CONFIG_NOTES_MAX || config->notes == NULL)
        return;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    config->notes[config->n_notes - 1] = text;
}

static void list_text(FILE *to, const char *key, const char *text)
{
    char clean[4200]; /* a command line and more */

    if (text == NULL || text[0] == '\0')
        return;
    snprintf(clean, sizeof clean, "%s", text);
    message_clean(clean, strlen(clean));
    fprintf(to, "    %-8s %s\n", key, clean);
}

static void list_consoles(FILE *to, const struct domain_config *d)
{
    for (uint32_t i = 0; i < d->n_consoles; i++) {
        const struct config_console *c = &d->consoles[i];

        fprintf(to, "    %-8s %s (%s", "console", c->name, config_door_word(c->door));
        if (door_is_virtio(c->door))
            fprintf(to, ", device %" PRIu32 ", port %" PRIu32, c->device, c->port);
        fprintf(to, ")\n");
    }
}

static void list_domain(FILE *to, const struct domain_config *d, size_t id)
{
    fprintf(to, "d%zu %s: ", id, d->name);
    if (d->command == NULL)
        fprintf(to, "%" PRIu64 " KiB, %" PRIu32 " vCPU%s, ", d->memory_bytes >> 10, d->vcpus, d->vcpus == 1 ? "" : "s");
    fprintf(to, "engine %s\n", d->engine);
    list_text(to, "kernel", d->kernel);
    list_text(to, "ramdisk", d->ramdisk);
    list_text(to, "cmdline", d->cmdline);
    list_consoles(to, d);
}

void config_list(const struct vmm_config *config, FILE *to)
{
    for (size_t i = 0; i < config->n_domains; i++)
        list_domain(to, &config->domains[i], i + 1);
}
