/* SPDX-License-Identifier: MIT */
#include "config_value.h"
#include "engine.h"
#include "host/name.h"
#include "save.h"
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without a name of its own a hypervisor is called as its file is, up to the first dot. */
static void name_from_file(char name[CONFIG_NAME_BYTES], const char *file)
{
    const char *base = strrchr(file, '/');
    size_t n;

    base = base != NULL ? base + 1 : file;
    n = strcspn(base, ".");
    snprintf(name, CONFIG_NAME_BYTES, "%.*s", (int)(n < CONFIG_NAME_BYTES ? n : CONFIG_NAME_BYTES - 1), base);
    if (!name_ok(name))
        snprintf(name, CONFIG_NAME_BYTES, "vcons");
}

void config_defaults(struct vmm_config *config, const char *file)
{
    *config = (struct vmm_config){.name = "vcons", .on_terminal = true, .conswitch = "a"};
    if (file != NULL) {
        config->file = strdup(file);
        name_from_file(config->name, file);
    }
}

struct domain_config *config_domain_add(struct vmm_config *config, const char *name, struct problem *problem)
{
    struct domain_config *grown, *d;

    if (!name_ok(name)) {
        problem_set(problem, -1, "domain name \"%s\": expected 1 to 32 of A-Z a-z 0-9 . _ -, a letter or digit first",
                    name);
        return NULL;
    }
    if (config->n_domains == CONFIG_DOMAINS_MAX) {
        problem_set(problem, -1, "domain \"%s\": expected at most %u domains", name, CONFIG_DOMAINS_MAX);
        return NULL;
    }
    grown = realloc(config->domains, (config->n_domains + 1) * sizeof *grown);
    if (grown == NULL) {
        problem_set(problem, -1, "no memory");
        return NULL;
    }
    config->domains = grown;
    d = &grown[config->n_domains++];
    *d = (struct domain_config){.engine = "auto",
                                .memory_bytes = CONFIG_MEMORY_DEFAULT,
                                .vcpus = 1,
                                .xen_version = CONFIG_XEN_VERSION,
                                .hold_ms = CONFIG_HOLD_DEFAULT_MS,
                                .on_reboot = ACTION_RESTART};
    snprintf(d->name, sizeof d->name, "%s", name);
    if (config_console_add(d) == NULL) {
        problem_set(problem, -1, "no memory");
        return NULL;
    }
    snprintf(d->consoles[0].name, sizeof d->consoles[0].name, "hvc0");
    return d;
}

/* A path is relative to the file that names it; a bare word stays one. */
static int absolute(char **path, const char *directory)
{
    char *joined;

    if (*path == NULL || (*path)[0] == '/' || strchr(*path, '/') == NULL)
        return 0;
    if (asprintf(&joined, "%s/%s", directory, *path) < 0)
        return -1;
    free(*path);
    *path = joined;
    return 0;
}

static int directory_of(const char *file, char **directory)
{
    char copy[PATH_MAX], whole[PATH_MAX];

    snprintf(copy, sizeof copy, "%s", file != NULL ? file : "./.");
    *directory = strdup(realpath(dirname(copy), whole) != NULL ? whole : ".");
    return *directory != NULL ? 0 : -1;
}

/* kvm-xen or kvm where they can be used and can run this domain, else process; why not kvm is what people want to know. */
static void choose_auto(struct vmm_config *config, struct domain_config *d)
{
    static const char *const names[] = {"kvm-xen", "kvm"};
    struct problem why = {"not built in"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct engine_ops *kvm = engine_find(names[i]);

        if (kvm != NULL && kvm->usable(&why) && kvm->check(d, &why) == 0) {
            strcpy(d->engine, names[i]);
            return;
        }
    }
    strcpy(d->engine, "process");
    config->no_kvm = why;
}

static int choose_engine(struct vmm_config *config, struct domain_config *d, const char *wanted,
                         struct problem *problem)
{
    const struct engine_ops *engine;
    struct problem why;

    if (strcmp(d->engine, "auto") == 0 && wanted != NULL && d->command == NULL &&
        config_domain_value(d, "engine", wanted, problem) != 0)
        return -1;
    if (strcmp(d->engine, "auto") == 0 && d->command != NULL)
        strcpy(d->engine, "command");
    if (strcmp(d->engine, "auto") == 0)
        choose_auto(config, d);
    engine = engine_find(d->engine);
    if (engine == NULL)
        return problem_set(problem, -1, "engine \"%s\" is not built in", d->engine);
    if (!engine->usable(&why)) {
        config->unusable = true;
        return problem_set(problem, -1, "engine \"%s\" cannot be used here: %s", d->engine, why.text);
    }
    return engine->check(d, problem);
}

static unsigned n_consoles_of(const struct domain_config *d, enum config_door door)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < d->n_consoles; i++)
        n += d->consoles[i].door == door;
    return n;
}

static int fits_consoles(struct domain_config *d, struct problem *problem)
{
    unsigned n_console_io = n_consoles_of(d, DOOR_CONSOLE_IO), n_xen = n_consoles_of(d, DOOR_XEN);
    unsigned n_others = d->n_consoles - n_consoles_of(d, DOOR_VIRTIO) - n_consoles_of(d, DOOR_VIRTIO_PORT);

    if (d->command != NULL && n_others < d->n_consoles)
        return problem_set(problem, -1, "a command has no virtio device: expected a console without type");
    if (d->command != NULL && n_console_io + n_xen < d->n_consoles)
        return problem_set(problem, -1, "a command has no UART: expected a console without type");
    if (n_others > CONFIG_CONSOLES_MAX)
        return problem_set(problem, -1, "%u consoles that are no ports of virtio: expected at most %u", n_others,
                           CONFIG_CONSOLES_MAX);
    if (d->command != NULL && n_console_io > 0)
        return problem_set(problem, -1, "a command makes no hypercalls: expected a console without type");
    if (d->command != NULL && d->n_consoles > 1)
        return problem_set(problem, -1, "a command has one terminal: expected one console, there are %u",
                           d->n_consoles);
    if (n_console_io > 1)
        return problem_set(
            problem, -1,
            "%u consoles of type console_io: expected at most one, a domain writes one stream by hypercalls",
            n_console_io);
    if (n_xen > CONFIG_XEN_MAX)
        return problem_set(problem, -1, "%u consoles of type xen: expected at most %u", n_xen, CONFIG_XEN_MAX);
    return 0;
}

static int fits_engine(struct domain_config *d, struct problem *problem)
{
    bool is_command = strcmp(d->engine, "command") == 0;

    if (is_command && d->command == NULL)
        return problem_set(problem, -1, "engine = command: expected command = {\"program\", \"argument\", …}");
    if (!is_command && d->command != NULL && strcmp(d->engine, "auto") != 0)
        return problem_set(problem, -1, "command is for engine = command, this is engine = %s", d->engine);
    if (d->command != NULL && (d->kernel != NULL || d->ramdisk != NULL || d->cmdline != NULL))
        return problem_set(problem, -1,
                           "a command has no kernel, ramdisk or cmdline: expected its arguments in command");
    if (d->command != NULL && (d->memory_bytes != CONFIG_MEMORY_DEFAULT || d->vcpus != 1))
        return problem_set(problem, -1, "a command has no memory or vcpus: expected neither");
    if (d->connected == CONNECTED_SERVICE && (d->command != NULL || n_consoles_of(d, DOOR_XEN) == 0))
        return problem_set(problem, -1,
                           "connected = service: expected a console of type xen, others have no connection");
    if (d->command == NULL && d->kernel == NULL)
        return problem_set(problem, -1, "expected kernel = \"tiny\" or a path, or command = …");
    return fits_consoles(d, problem);
}

/* FNV-1a: the same names give the same identity in every run, which is all that is asked of it. */
static void derive_uuid(uint8_t uuid[16], const char *hypervisor, const char *domain)
{
    uint64_t hash[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9e3779b97f4a7c15)};
    char both[2 * CONFIG_NAME_BYTES];
    int n = snprintf(both, sizeof both, "%s/%s", hypervisor, domain);

    for (unsigned half = 0; half < 2; half++)
        for (int i = 0; i < n; i++)
            hash[half] = (hash[half] ^ (uint8_t)both[i]) * UINT64_C(0x100000001b3);
    memcpy(uuid, hash, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80); /* RFC 9562 §5.8: version 8, made our own way */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

/* The engine is known now: what it has to have, and what a domain has that names no console. */
static int fits_devices(struct domain_config *d, struct problem *problem)
{
    const struct engine_ops *engine = engine_find(d->engine);
    struct engine_device place;
    uint32_t n = 0;

    if (!d->consoles_named && engine->uart_by_default)
        d->consoles[0] = (struct config_console){.name = "uart", .door = DOOR_PL011};
    for (uint32_t i = 0; i < d->n_consoles; i++) {
        enum config_door door = d->consoles[i].door;

        if (door_is_uart(door) && (engine->uart == NULL || !engine->uart((int)door, n++, &place)))
            return problem_set(problem, -1, "console \"%s\": of UARTs engine %s has %s here", d->consoles[i].name,
                               d->engine, engine->uart == NULL ? "none" : engine->uarts);
    }
    return config_virtio_complete(d, engine, problem);
}

int config_domain_complete(struct vmm_config *config, struct domain_config *d, const struct vmm_config_options *options,
                           struct problem *problem)
{
    if (d->n_consoles == 0)
        return problem_set(problem, -1, "no memory");
    if (fits_engine(d, problem) != 0)
        return -1;
    if (d->cmdline == NULL)
        d->cmdline = strdup("");
    if (d->cmdline == NULL || directory_of(config->file, &d->directory) != 0 ||
        absolute(&d->kernel, d->directory) != 0 || absolute(&d->ramdisk, d->directory) != 0)
        return problem_set(problem, -1, "no memory");
    if (d->ramdisk != NULL && strchr(d->ramdisk, '/') == NULL)
        return problem_set(problem, -1, "ramdisk \"%s\": expected a path, which has a '/'", d->ramdisk);
    if (choose_engine(config, d, options->engine, problem) != 0 || fits_devices(d, problem) != 0)
        return -1;
    if (strcmp(d->engine, "command") == 0)
        d->consoles[0].door = DOOR_COMMAND;
    return 0;
}

int config_complete(struct vmm_config *config, struct problem *problem)
{
    static const uint8_t none[16];

    if (config->n_domains == 0)
        return problem_set(problem, -1, "expected at least one block domain \"NAME\" { kernel = … }");
    for (size_t i = 0; i < config->n_domains; i++) {
        struct domain_config *d = &config->domains[i];

        if (strcmp(d->name, config->name) == 0)
            return problem_set(
                problem, -1,
                "domain \"%s\" has the name of the hypervisor: expected another, or hypervisor { name = … }", d->name);
        for (size_t j = 0; j < i; j++)
            if (memcmp(d->uuid, none, 16) != 0 && memcmp(d->uuid, config->domains[j].uuid, 16) == 0)
                return problem_set(problem, -1, "domains \"%s\" and \"%s\" have the same uuid", config->domains[j].name,
                                   d->name);
    }
    derive_uuid(config->uuid, config->name, "");
    for (size_t i = 0; i < config->n_domains; i++)
        if (memcmp(config->domains[i].uuid, none, 16) == 0)
            derive_uuid(config->domains[i].uuid, config->name, config->domains[i].name);
    return 0;
}

void config_domain_finish(struct domain_config *d)
{
    for (char **arg = d->command; arg != NULL && *arg != NULL; arg++)
        free(*arg);
    free(d->command);
    free(d->kernel);
    free(d->ramdisk);
    free(d->cmdline);
    free(d->directory);
    free(d->consoles);
}

void vmm_config_finish(struct vmm_config *config)
{
    save_config_close(config);
    for (size_t i = 0; i < config->n_domains; i++)
        config_domain_finish(&config->domains[i]);
    for (size_t i = 0; i < config->n_notes && i < CONFIG_NOTES_MAX && config->notes != NULL; i++)
        free(config->notes[i]);
    free(config->notes);
    free(config->domains);
    free(config->file);
    *config = (struct vmm_config){0};
}
