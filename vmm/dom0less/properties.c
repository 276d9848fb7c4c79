/* SPDX-License-Identifier: MIT */
/* Each property that booting.txt has for a domain: honoured, told as not honoured, or refused. */
#include "../config_value.h"
#include "domain_node.h"
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>

/* ---- Properties that are honoured, or refused by their value. ---- */

typedef int take(struct domain_node *n, const struct property *p);

static int take_value(struct domain_node *n, const struct property *p, const char *key, const char *value)
{
    struct problem why;

    if (config_domain_value(n->d, key, value, &why) != 0)
        return tree_error(n->t, n->node, p->name, "%s", why.text);
    return 0;
}

static int take_memory(struct domain_node *n, const struct property *p)
{
    char text[32];
    uint64_t kib;

    if (tree_u64(n->t, n->node, p, &kib) != 0)
        return -1;
    snprintf(text, sizeof text, "%" PRIu64 "K", kib);
    return take_value(n, p, "memory", text);
}

static int take_cpus(struct domain_node *n, const struct property *p)
{
    char text[32];
    uint32_t cpus;

    if (tree_u32(n->t, n->node, p, &cpus) != 0)
        return -1;
    snprintf(text, sizeof text, "%" PRIu32, cpus);
    return take_value(n, p, "vcpus", text);
}

/* Whatever its value: Xen looks whether it is there, and ImageBuilder writes a 1. */
static int take_vpl011(struct domain_node *n, const struct property *p)
{
    (void)p;
    n->vpl011 = true;
    return 0;
}

/* One of some words, with a NUL between; which one, from 0, or -1 and an error. */
static int one_of(struct domain_node *n, const struct property *p, const char *words)
{
    const char *text;
    int which = 0;

    if (tree_text(n->t, n->node, p, &text) != 0)
        return -1;
    for (const char *word = words; *word != '\0'; word += strlen(word) + 1, which++)
        if (strcmp(word, text) == 0)
            return which;
    return tree_error(n->t, n->node, p->name, "\"%s\" is no value of it", text);
}

static int take_enhanced(struct domain_node *n, const struct property *p)
{
    int which = p->bytes == 0 ? 0 : one_of(n, p, "enabled\0legacy\0no-xenstore\0disabled\0");

    n->enhanced = which >= 0 && which < 3;
    return which < 0 ? -1 : 0;
}

static int take_capabilities(struct domain_node *n, const struct property *p)
{
    uint32_t value;

    if (tree_u32(n->t, n->node, p, &value) != 0)
        return -1;
    if (value != 0)
        return tree_error(n->t, n->node, p->name, "0x%" PRIx32 ": no domain here is in charge of others: expected 0",
                          value);
    return 0;
}

static int take_passthrough(struct domain_node *n, const struct property *p)
{
    int which = one_of(n, p, "disabled\0enabled\0");

    if (which == 1)
        return tree_error(n->t, n->node, p->name,
                          "\"enabled\": no device of this machine can be given to a domain here");
    return which < 0 ? -1 : 0;
}

static int take_sve(struct domain_node *n, const struct property *p)
{
    uint32_t bits = 1;

    if (p->bytes != 0 && tree_u32(n->t, n->node, p, &bits) != 0)
        return -1;
    if (bits != 0)
        return tree_error(n->t, n->node, p->name, "a guest has no SVE here: expected 0");
    return 0;
}

static int take_sci(struct domain_node *n, const struct property *p)
{
    int which = one_of(n, p, "none\0scmi_smc\0");

    if (which == 1)
        return tree_error(n->t, n->node, p->name, "\"scmi_smc\": no firmware answers a guest here: expected \"none\"");
    return which < 0 ? -1 : 0;
}

/* ---- Those that nothing here stands for, of which some would make another guest of it. ---- */

static int refuse(struct domain_node *n, const struct property *p, const char *why)
{
    return tree_error(n->t, n->node, p->name, "%s", why);
}

static int refuse_direct_map(struct domain_node *n, const struct property *p)
{
    return refuse(n, p, "a guest's memory has addresses of its own here, never those of this machine");
}

static int refuse_msa(struct domain_node *n, const struct property *p)
{
    return refuse(n, p, "is of Armv8-R, which no machine here is");
}

static int refuse_shared(struct domain_node *n, const struct property *p)
{
    return refuse(n, p, "domains share no memory here");
}

static int refuse_events(struct domain_node *n, const struct property *p)
{
    return refuse(n, p, "domains have no event channels between each other here");
}

static int note_u32(struct domain_node *n, const struct property *p, const char *why)
{
    uint32_t value;

    if (tree_u32(n->t, n->node, p, &value) != 0)
        return -1;
    tree_note(n->t, n->node, p->name, "%" PRIu32 " is not honoured: %s", value, why);
    return 0;
}

static int note_spis(struct domain_node *n, const struct property *p)
{
    return note_u32(n, p, "a guest has the interrupts of the devices that it has");
}

static int note_unmapped(struct domain_node *n, const struct property *p)
{
    return note_u32(n, p, "where there is no device reads give 0 and writes are ignored");
}

static int note_p2m(struct domain_node *n, const struct property *p)
{
    return note_u32(n, p, "KVM takes what its tables need");
}

static int note_grants(struct domain_node *n, const struct property *p)
{
    return note_u32(n, p, "grant tables have limits of their own here");
}

static int note_colours(struct domain_node *n, const struct property *p)
{
    const char *text;

    if (tree_text(n->t, n->node, p, &text) != 0)
        return -1;
    tree_note(n->t, n->node, p->name, "is not honoured: the cache is shared by all");
    return 0;
}

static int note_static_memory(struct domain_node *n, const struct property *p)
{
    if (p->bytes == 0 || p->bytes % 4 != 0)
        return tree_error(n->t, n->node, p->name, "expected cells of addresses and sizes, there are %d bytes",
                          p->bytes);
    tree_note(n->t, n->node, p->name, "is not honoured: the guest's memory is where this machine has room");
    return 0;
}

/* A handle, one step of which is followed: it may lead anywhere, also back here. */
static int note_cpupool(struct domain_node *n, const struct property *p)
{
    struct property compatible;
    uint32_t handle;
    int pool;

    if (tree_u32(n->t, n->node, p, &handle) != 0)
        return -1;
    pool = fdt_node_offset_by_phandle(n->t->fdt, handle);
    if (pool < 0 || tree_compatible(n->t, pool, &compatible) != 0 || !compatible_has(&compatible, "xen,cpupool"))
        return tree_error(n->t, n->node, p->name,
                          "0x%" PRIx32 " is not the phandle of a node compatible with \"xen,cpupool\"", handle);
    tree_note(n->t, n->node, p->name, "is not honoured: vCPUs run wherever the kernel lets them");
    return 0;
}

/* Of every node, or looked at where they are needed. */
static int pass(struct domain_node *n, const struct property *p)
{
    (void)n, (void)p;
    return 0;
}

static const struct {
    const char *name;
    take *take;
} properties[] = {
    {"memory", take_memory},
    {"cpus", take_cpus},
    {"vpl011", take_vpl011},
    {"xen,enhanced", take_enhanced},
    {"capabilities", take_capabilities},
    {"passthrough", take_passthrough},
    {"sve", take_sve},
    {"xen,sci_type", take_sci},
    {"direct-map", refuse_direct_map},
    {"v8r_el1_msa", refuse_msa},
    {"xen,shared-mem", refuse_shared},
    {"xen,evtchn", refuse_events},
    {"nr_spis", note_spis},
    {"trap-unmapped-accesses", note_unmapped},
    {"xen,domain-p2m-mem-mb", note_p2m},
    {"max_grant_version", note_grants},
    {"max_grant_frames", note_grants},
    {"max_maptrack_frames", note_grants},
    {"llc-colors", note_colours},
    {"xen,static-mem", note_static_memory},
    {"domain-cpupool", note_cpupool},
    {"compatible", pass},
    {"#address-cells", pass},
    {"#size-cells", pass},
    {"phandle", pass},
    {"linux,phandle", pass},
    {"name", pass},
};
#define N_PROPERTIES (sizeof properties / sizeof properties[0])
_Static_assert(N_PROPERTIES <= 64, "a bit for each");

static int take_property(struct domain_node *n, const struct property *p)
{
    for (size_t i = 0; i < N_PROPERTIES; i++) {
        if (strcmp(properties[i].name, p->name) != 0)
            continue;
        if ((n->seen & UINT64_C(1) << i) != 0)
            return tree_error(n->t, n->node, p->name, "is there twice");
        n->seen |= UINT64_C(1) << i;
        return properties[i].take(n, p);
    }
    tree_note(n->t, n->node, p->name, "is not known: ignored");
    return 0;
}

int domain_take_properties(struct domain_node *n)
{
    struct property p;
    int at;

    fdt_for_each_property_offset(at, n->t->fdt, n->node)
    {
        p.value = fdt_getprop_by_offset(n->t->fdt, at, &p.name, &p.bytes);
        if (p.value != NULL && take_property(n, &p) != 0)
            return -1;
    }
    if (!tree_find(n->t, n->node, "memory", &p))
        return tree_error(n->t, n->node, "memory", "is missing: expected KiB of RAM, a number of two cells");
    if (!tree_find(n->t, n->node, "cpus", &p))
        return tree_error(n->t, n->node, "cpus", "is missing: expected the number of vCPUs");
    return 0;
}
