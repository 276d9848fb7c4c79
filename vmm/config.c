/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "config_value.h"
#include "dom0less/dom0less.h"
#include "host/config.h"
#include "host/name.h"
#include "save.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * libconfuse knows a line number only while it parses, so each value is checked in a callback, and each domain when its
 * block closes. Callbacks get no context: this is the configuration under construction, one at a time.
 */
static struct building {
    struct vmm_config *config;
    const struct vmm_config_options *options;
} building;

#define KEY_SEEN (1 << 24) /* our own bit among libconfuse's flags of an option: it keeps the last of two silently */

static int once(cfg_t *cfg, cfg_opt_t *opt)
{
    if ((opt->flags & KEY_SEEN) != 0)
        return config_error(cfg, "%s is given twice in this block", opt->name);
    opt->flags |= KEY_SEEN;
    return 0;
}

/* Each takes a value apart into a scratch domain or hypervisor, to see whether it is one. */
static int check_domain_key(cfg_t *cfg, cfg_opt_t *opt)
{
    struct domain_config scratch = {0};
    struct problem problem;
    int result;

    if (once(cfg, opt) != 0)
        return -1;
    result = config_domain_value(&scratch, opt->name, config_string(opt), &problem);
    config_domain_finish(&scratch);
    return result == 0 ? 0 : config_error(cfg, "%s", problem.text);
}

static int check_hypervisor_key(cfg_t *cfg, cfg_opt_t *opt)
{
    struct vmm_config scratch = {0};
    struct problem problem;

    if (once(cfg, opt) != 0)
        return -1;
    if (config_hypervisor_value(&scratch, opt->name, config_string(opt), &problem) != 0)
        return config_error(cfg, "%s", problem.text);
    return 0;
}

static int console_value(struct config_console *c, const char *key, const char *value, struct problem *problem)
{
    return strcmp(key, "type") == 0 ? config_console_type(c, value, problem) : config_console_device(c, value, problem);
}

static int check_console_key(cfg_t *cfg, cfg_opt_t *opt)
{
    struct config_console scratch;
    struct problem problem;

    if (once(cfg, opt) != 0)
        return -1;
    if (console_value(&scratch, opt->name, config_string(opt), &problem) != 0)
        return config_error(cfg, "%s", problem.text);
    return 0;
}

/* Words of QEMU and of other tools that people try first. */
static int wrong_word(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *right = strcmp(opt->name, "append") == 0 || strcmp(opt->name, "extra") == 0 ? "cmdline" : "ramdisk";

    return config_error(cfg, "%s: no such option: the word is %s", opt->name, right);
}

static int take_command(cfg_t *domain, struct domain_config *d)
{
    unsigned n = cfg_size(domain, "command");

    if (n == 0)
        return 0;
    d->command = calloc(n + 3, sizeof *d->command);
    if (d->command == NULL)
        return -1;
    if (n == 1 && strpbrk(cfg_getnstr(domain, "command", 0), " \t|;&<>$*?\"'`\\") != NULL) {
        d->command[0] = strdup("/bin/sh"); /* one string that is more than a word is a shell's line */
        d->command[1] = strdup("-c");
        d->command[2] = strdup(cfg_getnstr(domain, "command", 0));
        return 0;
    }
    for (unsigned i = 0; i < n; i++)
        d->command[i] = strdup(cfg_getnstr(domain, "command", i));
    return 0;
}

static int take_console(cfg_t *cfg, cfg_t *console, struct config_console *c)
{
    struct problem problem;

    if (!name_ok(cfg_title(console)))
        return config_error(cfg, "console name \"%s\": expected 1 to 32 of A-Z a-z 0-9 . _ -, a letter or digit first",
                            cfg_title(console));
    snprintf(c->name, sizeof c->name, "%s", cfg_title(console));
    if (cfg_getstr(console, "type") != NULL)
        config_console_type(c, cfg_getstr(console, "type"), &problem);
    if (cfg_getstr(console, "device") == NULL)
        return 0;
    if (!door_is_virtio(c->door))
        return config_error(cfg, "console \"%s\": device is for type virtio or virtio-port, this is type %s", c->name,
                            config_door_word(c->door));
    return config_console_device(c, cfg_getstr(console, "device"), &problem);
}

static int take_consoles(cfg_t *cfg, cfg_t *domain, struct domain_config *d)
{
    unsigned n = cfg_size(domain, "console");

    d->consoles_named = n > 0;
    if (n > 0) /* else the default one */
        d->n_consoles = 0;
    for (unsigned i = 0; i < n; i++) {
        struct config_console *c = config_console_add(d);

        if (c == NULL)
            return config_error(cfg, "no memory");
        if (take_console(cfg, cfg_getnsec(domain, "console", i), c) != 0)
            return -1;
    }
    return 0;
}

static int take_keys(cfg_t *cfg, cfg_t *domain, struct domain_config *d)
{
    struct problem problem;

    for (const cfg_opt_t *opt = domain->opts; opt->name != NULL; opt++) {
        const char *value = opt->type == CFGT_STR && (opt->flags & KEY_SEEN) ? cfg_getstr(domain, opt->name) : NULL;

        if (value != NULL && config_domain_value(d, opt->name, value, &problem) != 0)
            return config_error(cfg, "%s", problem.text);
    }
    return take_command(domain, d);
}

/* A domain's block has closed: all of it is there, and checked together. */
static int take_domain(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *domain = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    struct vmm_config *c = building.config;
    struct problem problem;
    struct domain_config *d = config_domain_add(c, cfg_title(domain), &problem);

    if (d == NULL)
        return config_error(cfg, "%s", problem.text);
    d->line = (unsigned)cfg->line;
    if (take_keys(cfg, domain, d) != 0 || take_consoles(cfg, domain, d) != 0)
        return -1;
    if (config_domain_complete(c, d, building.options, &problem) != 0)
        return config_error(cfg, "domain \"%s\": %s", d->name, problem.text);
    return 0;
}

static int take_hypervisor(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *hypervisor = cfg_opt_getnsec(opt, 0);
    struct problem problem;

    if (once(cfg, opt) != 0)
        return -1;
    for (const cfg_opt_t *key = hypervisor->opts; key->name != NULL; key++)
        if ((key->flags & KEY_SEEN) != 0 &&
            config_hypervisor_value(building.config, key->name, cfg_getstr(hypervisor, key->name), &problem) != 0)
            return config_error(cfg, "%s", problem.text);
    return 0;
}

static void set_callbacks(cfg_t *cfg, const cfg_opt_t *keys, const char *block, cfg_validate_callback_t callback)
{
    char path[64];

    for (; keys->name != NULL; keys++) {
        snprintf(path, sizeof path, "%s|%s", block, keys->name);
        if (keys->type == CFGT_STR && (keys->flags & CFGF_LIST) == 0)
            cfg_set_validate_func(cfg, path, callback);
    }
}

static int parse(const char *file, struct problem *problem)
{
    cfg_opt_t console[] = {CFG_STR("type", NULL, CFGF_NODEFAULT), CFG_STR("device", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t hypervisor[] = {CFG_STR("name", NULL, CFGF_NODEFAULT), CFG_STR("console", NULL, CFGF_NODEFAULT),
                              CFG_STR("conswitch", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t domain[] = {CFG_STR("engine", NULL, CFGF_NODEFAULT),
                          CFG_STR("kernel", NULL, CFGF_NODEFAULT),
                          CFG_STR("ramdisk", NULL, CFGF_NODEFAULT),
                          CFG_STR("cmdline", NULL, CFGF_NODEFAULT),
                          CFG_STR("memory", NULL, CFGF_NODEFAULT),
                          CFG_STR("vcpus", NULL, CFGF_NODEFAULT),
                          CFG_STR("xen_version", NULL, CFGF_NODEFAULT),
                          CFG_STR("hold", NULL, CFGF_NODEFAULT),
                          CFG_STR("connected", NULL, CFGF_NODEFAULT),
                          CFG_STR("virtio_announce", NULL, CFGF_NODEFAULT),
                          CFG_STR("virtio_size", NULL, CFGF_NODEFAULT),
                          CFG_STR("on_poweroff", NULL, CFGF_NODEFAULT),
                          CFG_STR("on_reboot", NULL, CFGF_NODEFAULT),
                          CFG_STR("on_crash", NULL, CFGF_NODEFAULT),
                          CFG_STR("uuid", NULL, CFGF_NODEFAULT),
                          CFG_STR_LIST("command", NULL, CFGF_NODEFAULT),
                          CFG_SEC("console", console, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                          CFG_STR("append", NULL, CFGF_NODEFAULT | CONFIG_HIDDEN),
                          CFG_STR("extra", NULL, CFGF_NODEFAULT | CONFIG_HIDDEN),
                          CFG_STR("initrd", NULL, CFGF_NODEFAULT | CONFIG_HIDDEN),
                          CFG_END()};
    cfg_opt_t top[] = {CFG_SEC("hypervisor", hypervisor, CFGF_MULTI),
                       CFG_SEC("domain", domain, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END()};
    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    int result;

    if (cfg == NULL)
        return problem_set(problem, -ENOMEM, "%s: no memory", file);
    set_callbacks(cfg, domain, "domain", check_domain_key);
    set_callbacks(cfg, hypervisor, "hypervisor", check_hypervisor_key);
    set_callbacks(cfg, console, "domain|console", check_console_key);
    cfg_set_validate_func(cfg, "domain|append", wrong_word);
    cfg_set_validate_func(cfg, "domain|extra", wrong_word);
    cfg_set_validate_func(cfg, "domain|initrd", wrong_word);
    cfg_set_validate_func(cfg, "domain", take_domain);
    cfg_set_validate_func(cfg, "hypervisor", take_hypervisor);
    result = config_parse(cfg, file, problem);
    cfg_free(cfg);
    return result;
}

static int from_file(struct vmm_config *config, const struct vmm_config_options *options, struct problem *problem)
{
    int result;

    building = (struct building){config, options};
    result = parse(options->file, problem);
    building = (struct building){0};
    return result == 0 ? 0 : -1;
}

/* "hvc1" for the second of type xen. */
static void name_console(struct config_console *c, const struct config_console *before, uint32_t n_before)
{
    static const char *const names[] = {
        [DOOR_XEN] = "hvc",     [DOOR_CONSOLE_IO] = "io", [DOOR_COMMAND] = "",   [DOOR_PL011] = "ttyAMA",
        [DOOR_SBSA] = "ttyAMA", [DOOR_16550] = "ttyS",    [DOOR_VIRTIO] = "hvc", [DOOR_VIRTIO_PORT] = "port"};
    unsigned number = 0;

    for (uint32_t i = 0; i < n_before; i++)
        number += strcmp(names[before[i].door], names[c->door]) == 0;
    snprintf(c->name, sizeof c->name, "%s%u", names[c->door], number);
}

static int take_types(struct domain_config *d, const char *types, struct problem *problem)
{
    const char *end;

    for (d->n_consoles = 0;; types = end + 1) {
        struct config_console *c;
        char type[16];

        end = types + strcspn(types, ",");
        snprintf(type, sizeof type, "%.*s", (int)(end - types), types);
        c = config_console_add(d);
        if (c == NULL)
            return problem_set(problem, -1, "no memory");
        if (config_console_type(c, type, problem) != 0)
            return -1;
        name_console(c, d->consoles, d->n_consoles - 1);
        if (*end == '\0')
            break;
    }
    d->consoles_named = true;
    return 0;
}

/* `-k tiny -a help`: one domain, no file. */
static int from_options(struct vmm_config *config, const struct vmm_config_options *options, struct problem *problem)
{
    const struct {
        const char *key, *value;
    } given[] = {{"kernel", options->kernel},
                 {"ramdisk", options->ramdisk},
                 {"cmdline", options->cmdline},
                 {"memory", options->memory}};
    struct domain_config *d = config_domain_add(config, "guest", problem);

    if (d == NULL)
        return -1;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        if (given[i].value != NULL && config_domain_value(d, given[i].key, given[i].value, problem) != 0)
            return -1;
    if (options->consoles != NULL && take_types(d, options->consoles, problem) != 0)
        return -1;
    return config_domain_complete(config, d, options, problem);
}

/* What can only be checked with all blocks read has no line to name. */
static int complete(struct vmm_config *config, const struct vmm_config_options *options, struct problem *problem)
{
    struct problem what;

    if (options->name != NULL && config_hypervisor_value(config, "name", options->name, problem) != 0)
        return -1;
    if (config_complete(config, &what) == 0)
        return 0;
    if (config->file != NULL)
        return problem_set(problem, -1, "%s: %s", config->file, what.text);
    *problem = what;
    return -1;
}

int vmm_config_read(struct vmm_config *config, const struct vmm_config_options *options)
{
    struct problem problem;
    int result;

    config_defaults(config, options->device_tree != NULL    ? options->device_tree
                            : options->imagebuilder != NULL ? options->imagebuilder
                                                            : options->file);
    if (options->restore != NULL)
        result = save_config_open(config, options, &problem);
    else if (options->device_tree != NULL || options->imagebuilder != NULL)
        result = dom0less_read(config, options, &problem);
    else
        result = options->file != NULL ? from_file(config, options, &problem) : from_options(config, options, &problem);
    if (result == 0)
        result = complete(config, options, &problem);
    if (result != 0)
        message("%s", problem.text);
    return result;
}
