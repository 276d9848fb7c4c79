/* SPDX-License-Identifier: MIT */
#include "config_value.h"
#include "boot.h"
#include "host/name.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_EXPECTED "expected 1 to 32 of A-Z a-z 0-9 . _ -, a letter or digit first"

struct word {
    const char *text;
    int value;
};

/* One of some words; n is their number. */
static int one_of(const char *key, const char *value, const struct word *words, size_t n, int *to,
                  struct problem *problem)
{
    char list[128] = "";
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(value, words[i].text) == 0) {
            *to = words[i].value;
            return 0;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i == 0      ? ""
                                 : i + 1 < n ? ", "
                                             : " or ",
                                 words[i].text);
    }
    return problem_set(problem, -1, "%s = \"%s\": expected %s", key, value, list);
}

static int take_name(const char *what, char to[CONFIG_NAME_BYTES], const char *value, struct problem *problem)
{
    if (!name_ok(value))
        return problem_set(problem, -1, "%s \"%s\": " NAME_EXPECTED, what, value);
    snprintf(to, CONFIG_NAME_BYTES, "%s", value);
    return 0;
}

static int take_text(char **to, const char *value, struct problem *problem)
{
    free(*to);
    *to = strdup(value);
    return *to != NULL ? 0 : problem_set(problem, -1, "no memory");
}

/* 64M, 1G, 65536K; a bare number is MiB. */
static int take_memory(uint64_t *to, const char *value, struct problem *problem)
{
    static const char units[] = "KMG";
    unsigned long long number;
    unsigned shift = 20;
    char *end;

    errno = 0;
    number = strtoull(value, &end, 10);
    if (end != value && *end != '\0' && strchr(units, toupper((unsigned char)*end)) != NULL && end[1] == '\0')
        shift = 10 + 10 * (unsigned)(strchr(units, toupper((unsigned char)*end++)) - units);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 || number > CONFIG_MEMORY_MAX >> shift ||
        number << shift < CONFIG_MEMORY_MIN)
        return problem_set(problem, -1, "memory = \"%s\": expected %llu to %llu MiB, as 64 (MiB), 64M or 1G", value,
                           (unsigned long long)(CONFIG_MEMORY_MIN >> 20),
                           (unsigned long long)(CONFIG_MEMORY_MAX >> 20));
    *to = (number << shift) & ~UINT64_C(4095);
    return 0;
}

static int take_vcpus(uint32_t *to, const char *value, struct problem *problem)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (!isdigit((unsigned char)value[0]) || *end != '\0' || number < 1 || number > CONFIG_VCPUS_MAX)
        return problem_set(problem, -1, "vcpus = \"%s\": expected a number from 1 to %u", value, CONFIG_VCPUS_MAX);
    *to = (uint32_t)number;
    return 0;
}

/* 4.17: what the guest is shown; the versions are those whose answers we know to give. */
static int take_xen_version(uint32_t *to, const char *value, struct problem *problem)
{
    unsigned major, minor;
    char more;

    if (!isdigit((unsigned char)value[0]) || sscanf(value, "%u.%2u%c", &major, &minor, &more) != 2 || major != 4 ||
        minor < 4 || minor > 99)
        return problem_set(problem, -1, "xen_version = \"%s\": expected 4.4 or later, as 4.17", value);
    *to = major << 16 | minor;
    return 0;
}

/* Seconds, also 0.5; 500ms; forever. */
static int take_hold(int *to, const char *value, struct problem *problem)
{
    double number, factor = 1000;
    char *end;

    if (strcmp(value, "forever") == 0) {
        *to = CONFIG_HOLD_FOREVER;
        return 0;
    }
    number = strtod(value, &end);
    if (strcmp(end, "ms") == 0)
        factor = 1;
    if (!isdigit((unsigned char)value[0]) || (*end != '\0' && strcmp(end, "s") != 0 && strcmp(end, "ms") != 0) ||
        !(number * factor <= 3600 * 1000))
        return problem_set(problem, -1, "hold = \"%s\": expected forever, or 0 to 3600 seconds, as 1, 0.5, 1s or 500ms",
                           value);
    *to = (int)(number * factor);
    return 0;
}

static int take_uuid(uint8_t uuid[16], const char *value, struct problem *problem)
{
    const char *p = value;

    for (unsigned i = 0; i < 16; i++, p += 2) {
        if (*p == '-' && (i == 4 || i == 6 || i == 8 || i == 10))
            p++;
        if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) || sscanf(p, "%2hhx", &uuid[i]) != 1)
            return problem_set(problem, -1,
                               "uuid = \"%s\": expected 32 hexadecimal digits, as 01234567-89ab-cdef-0123-456789abcdef",
                               value);
    }
    return *p == '\0' ? 0 : problem_set(problem, -1, "uuid = \"%s\": expected 32 hexadecimal digits, no more", value);
}

static int take_action(const char *key, enum config_action *to, const char *value, struct problem *problem)
{
    static const struct word words[] = {
        {"destroy", ACTION_DESTROY}, {"restart", ACTION_RESTART}, {"preserve", ACTION_PRESERVE}};
    int action = ACTION_DESTROY;

    if (one_of(key, value, words, 3, &action, problem) != 0)
        return -1;
    *to = (enum config_action)action;
    return 0;
}

static int take_engine(char to[16], const char *value, struct problem *problem)
{
    static const struct word words[] = {{"auto", 0}, {"kvm-xen", 0}, {"kvm", 0}, {"process", 0}, {"command", 0}};
    int ignored;

    if (one_of("engine", value, words, 5, &ignored, problem) != 0)
        return -1;
    snprintf(to, 16, "%s", value);
    return 0;
}

static int take_connected(enum config_connected *to, const char *value, struct problem *problem)
{
    static const struct word words[] = {{"always", CONNECTED_ALWAYS}, {"service", CONNECTED_SERVICE}};
    int connected = CONNECTED_ALWAYS;

    if (one_of("connected", value, words, 2, &connected, problem) != 0)
        return -1;
    *to = (enum config_connected)connected;
    return 0;
}

static int take_announce(bool *together, const char *value, struct problem *problem)
{
    static const struct word words[] = {{"ordered", 0}, {"together", 1}};
    int is = 0;

    if (one_of("virtio_announce", value, words, 2, &is, problem) != 0)
        return -1;
    *together = is == 1;
    return 0;
}

static int take_size(bool *rows_first, const char *value, struct problem *problem)
{
    static const struct word words[] = {{"columns-first", 0}, {"rows-first", 1}};
    int is = 0;

    if (one_of("virtio_size", value, words, 2, &is, problem) != 0)
        return -1;
    *rows_first = is == 1;
    return 0;
}

int config_domain_value(struct domain_config *d, const char *key, const char *value, struct problem *problem)
{
    if (strcmp(key, "kernel") == 0)
        return take_text(&d->kernel, value, problem);
    if (strcmp(key, "ramdisk") == 0)
        return take_text(&d->ramdisk, value, problem);
    if (strcmp(key, "cmdline") == 0)
        return strlen(value) <= BOOT_CMDLINE_MAX
                   ? take_text(&d->cmdline, value, problem)
                   : problem_set(problem, -1, "cmdline: expected at most %u bytes", BOOT_CMDLINE_MAX);
    if (strcmp(key, "memory") == 0)
        return take_memory(&d->memory_bytes, value, problem);
    if (strcmp(key, "vcpus") == 0)
        return take_vcpus(&d->vcpus, value, problem);
    if (strcmp(key, "xen_version") == 0)
        return take_xen_version(&d->xen_version, value, problem);
    if (strcmp(key, "hold") == 0)
        return take_hold(&d->hold_ms, value, problem);
    if (strcmp(key, "uuid") == 0)
        return take_uuid(d->uuid, value, problem);
    if (strcmp(key, "engine") == 0)
        return take_engine(d->engine, value, problem);
    if (strcmp(key, "connected") == 0)
        return take_connected(&d->connected, value, problem);
    if (strcmp(key, "virtio_announce") == 0)
        return take_announce(&d->virtio_together, value, problem);
    if (strcmp(key, "virtio_size") == 0)
        return take_size(&d->virtio_rows_first, value, problem);
    if (strcmp(key, "on_poweroff") == 0)
        return take_action(key, &d->on_poweroff, value, problem);
    if (strcmp(key, "on_reboot") == 0)
        return take_action(key, &d->on_reboot, value, problem);
    if (strcmp(key, "on_crash") == 0)
        return take_action(key, &d->on_crash, value, problem);
    return problem_set(problem, -1, "no such option '%s'", key);
}

int config_console_type(struct config_console *console, const char *value, struct problem *problem)
{
    static const struct word words[] = {{"xen", DOOR_XEN},
                                        {"console_io", DOOR_CONSOLE_IO},
                                        {"pl011", DOOR_PL011},
                                        {"sbsa", DOOR_SBSA},
                                        {"16550", DOOR_16550},
                                        {"virtio", DOOR_VIRTIO},
                                        {"virtio-port", DOOR_VIRTIO_PORT}};
    int door = DOOR_XEN;

    if (one_of("type", value, words, 7, &door, problem) != 0)
        return -1;
    console->door = (enum config_door)door;
    return 0;
}

int config_console_device(struct config_console *console, const char *value, struct problem *problem)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (!isdigit((unsigned char)value[0]) || *end != '\0' || number >= CONFIG_VIRTIO_MAX)
        return problem_set(problem, -1, "device = \"%s\": expected a number from 0 to %u", value,
                           CONFIG_VIRTIO_MAX - 1);
    console->device = (uint32_t)number;
    return 0;
}

static int take_conswitch(struct vmm_config *config, const char *value, struct problem *problem)
{
    size_t n = strlen(value);

    if (n > 2 || (n > 0 && !(value[0] >= 'a' && value[0] <= 'z')) || (n == 2 && value[1] != 'x'))
        return problem_set(
            problem, -1,
            "conswitch = \"%s\": expected a letter from a to z, then x for a start in the hypervisor, or nothing",
            value);
    snprintf(config->conswitch, sizeof config->conswitch, "%.1s", value);
    config->conswitch_to_xen = n == 2;
    return 0;
}

int config_hypervisor_value(struct vmm_config *config, const char *key, const char *value, struct problem *problem)
{
    static const struct word words[] = {{"stdio", 1}, {"none", 0}};
    int on_terminal = 1;

    if (strcmp(key, "name") == 0)
        return take_name("hypervisor name", config->name, value, problem);
    if (strcmp(key, "conswitch") == 0)
        return take_conswitch(config, value, problem);
    if (one_of(key, value, words, 2, &on_terminal, problem) != 0)
        return -1;
    config->on_terminal = on_terminal != 0;
    return 0;
}
