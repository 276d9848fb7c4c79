/* SPDX-License-Identifier: MIT */
/* A whole tree: libfdt's checks, then /chosen, whose nodes are domains, modules of a dom0, and what is Xen's own. */
#include "../config_value.h"
#include "dom0less.h"
#include "domain.h"
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

/* The last node that can be reached: what is damaged stands there or behind. */
static int damaged(const struct tree *t, size_t bytes, int error)
{
    const char *name = NULL;
    int depth = 0;

    if (bytes >= sizeof(struct fdt_header) && fdt_check_header(t->fdt) == 0 && fdt_totalsize(t->fdt) <= bytes)
        for (int node = fdt_next_node(t->fdt, -1, &depth); node >= 0; node = fdt_next_node(t->fdt, node, &depth)) {
            const char *found = fdt_get_name(t->fdt, node, NULL);

            name = found != NULL ? found : name;
        }
    return problem_set(t->problem, -1, "%s: not a whole device tree: %s%s%s%s", t->file, fdt_strerror(error),
                       name != NULL ? ", in node \"" : "", name != NULL ? name : "",
                       name != NULL ? "\" or behind" : "");
}

/* ---- What is not a domain. ---- */

static int take_conswitch(struct tree *t, int chosen, const char *text)
{
    const char *word = strstr(text, "conswitch=");
    struct problem why;
    char value[8];

    if (word == NULL || (word != text && word[-1] != ' '))
        return 0;
    word += strlen("conswitch=");
    snprintf(value, sizeof value, "%.*s", (int)strcspn(word, " "), word);
    if (config_hypervisor_value(t->config, "conswitch", value, &why) != 0)
        return tree_error(t, chosen, "xen,xen-bootargs", "%s", why.text);
    return 0;
}

static int take_property(struct tree *t, int chosen, const struct property *p)
{
    const char *text;

    if (strcmp(p->name, "xen,xen-bootargs") == 0) {
        if (tree_text(t, chosen, p, &text) != 0)
            return -1;
        tree_note(t, chosen, p->name, "of it conswitch alone is honoured: Xen is not started");
        return take_conswitch(t, chosen, text);
    }
    if (strcmp(p->name, "xen,dom0-bootargs") == 0)
        tree_note(t, chosen, p->name, "is not honoured: there is no dom0");
    else if (strncmp(p->name, "xen,", 4) == 0)
        tree_note(t, chosen, p->name, "is not honoured: it is for Xen itself");
    return 0;
}

/* A module of /chosen's own is dom0's, or Xen's: there is neither, but it must not lie in another's way. */
static int take_other(struct tree *t, int chosen, int node, const struct property *compatible)
{
    struct module m;
    bool is_module;

    if (compatible_has(compatible, "hypervisor,xen"))
        return tree_error(t, node, "compatible", "\"hypervisor,xen\": a tree of hyperlaunch, which is not read");
    if (compatible_has(compatible, "xen,domain-shared-memory-v1") || compatible_has(compatible, "xen,evtchn-v1"))
        tree_note(t, node, "compatible", "is not honoured: there is no dom0");
    if (dom0less_module(t, chosen, node, compatible, &is_module, &m) != 0)
        return -1;
    if (is_module)
        tree_note(t, node, "compatible", "is not started: there is no dom0, and no Xen");
    return 0;
}

static int take_node(struct tree *t, int chosen, int node)
{
    struct property compatible;

    if (tree_compatible(t, node, &compatible) != 0)
        return -1;
    if (compatible_has(&compatible, "xen,domain"))
        return dom0less_domain(t, node);
    return take_other(t, chosen, node, &compatible);
}

static int take_chosen(struct tree *t, int chosen)
{
    struct property p;
    int at;

    fdt_for_each_property_offset(at, t->fdt, chosen)
    {
        p.value = fdt_getprop_by_offset(t->fdt, at, &p.name, &p.bytes);
        if (p.value != NULL && take_property(t, chosen, &p) != 0)
            return -1;
    }
    fdt_for_each_subnode(at, t->fdt, chosen)
    {
        if (take_node(t, chosen, at) != 0)
            return -1;
    }
    if (t->config->n_domains == 0)
        return tree_error(t, chosen, NULL, "no domain: expected a node compatible with \"xen,domain\"");
    return modules_all_used(t);
}

static int take_tree(struct tree *t, size_t bytes)
{
    int error, chosen;

    if (bytes > DOM0LESS_TREE_BYTES)
        return problem_set(t->problem, -1, "%s: expected at most %u MiB, as Xen takes", t->file,
                           DOM0LESS_TREE_BYTES >> 20);
    error = fdt_check_full(t->fdt, bytes);
    if (error != 0)
        return damaged(t, bytes, error);
    chosen = fdt_path_offset(t->fdt, "/chosen");
    if (chosen < 0)
        return problem_set(t->problem, -1, "%s: no node /chosen: expected one, with domains", t->file);
    return take_chosen(t, chosen);
}

int dom0less_take(struct vmm_config *config, const struct vmm_config_options *options, const char *file,
                  const void *fdt, size_t bytes, struct problem *problem)
{
    struct tree t = {.fdt = fdt, .file = file, .config = config, .options = options, .problem = problem};
    struct imagebuilder builder;
    int result;

    if (options->imagebuilder != NULL) {
        if (imagebuilder_read(&builder, options->imagebuilder, problem) != 0)
            return -1;
        t.builder = &builder;
    }
    result = module_table_init(&t.modules, options->modules, options->n_modules, problem);
    if (result == 0)
        result = take_tree(&t, bytes);
    module_table_finish(&t.modules);
    if (t.builder != NULL)
        imagebuilder_finish(&builder);
    return result;
}
