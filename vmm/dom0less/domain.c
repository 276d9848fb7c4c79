/* SPDX-License-Identifier: MIT */
#include "domain.h"
#include "../config_value.h"
#include "../engine.h"
#include <inttypes.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#define XEN_UART                                                                                                       \
    "0x22000000" /* GUEST_PL011_BASE of Xen's arch-arm.h: where its vpl011 is, whose guests know it by heart */

struct domain_node {
    struct tree *t;
    int node;
    struct domain_config *d; /* until the next is added */
    uint64_t seen;           /* a bit for each row of properties[] */
    uint64_t vcpus_seen;     /* a bit for each xen,vcpu */
    bool vpl011, enhanced, has_kernel, has_ramdisk;
    struct module kernel, ramdisk;
};

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

static int take_properties(struct domain_node *n)
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

/* ---- Nodes in it. ---- */

static bool kind_of(const struct property *compatible, enum module_kind *kind)
{
    *kind = MODULE_OTHER;
    if (compatible_has(compatible, "multiboot,kernel") || compatible_has(compatible, "xen,linux-zimage"))
        *kind = MODULE_KERNEL;
    else if (compatible_has(compatible, "multiboot,ramdisk") || compatible_has(compatible, "xen,linux-initrd"))
        *kind = MODULE_RAMDISK;
    return *kind != MODULE_OTHER || compatible_has(compatible, "multiboot,module") ||
           compatible_has(compatible, "xen,multiboot-module");
}

static int check_module_properties(struct tree *t, const struct module *m)
{
    static const char known[] =
        "compatible\0reg\0bootargs\0xen,uefi-binary\0phandle\0linux,phandle\0name\0#address-cells\0#size-cells\0";
    int at;

    fdt_for_each_property_offset(at, t->fdt, m->node)
    {
        const char *name = NULL, *word = known;

        if (fdt_getprop_by_offset(t->fdt, at, &name, NULL) == NULL || name == NULL)
            continue;
        while (*word != '\0' && strcmp(word, name) != 0)
            word += strlen(word) + 1;
        if (*word == '\0')
            tree_note(t, m->node, name, "is not known: ignored");
    }
    return 0;
}

int dom0less_module(struct tree *t, int parent, int node, const struct property *compatible, bool *is_one,
                    struct module *m)
{
    struct property p;

    *m = (struct module){.node = node, .parent = parent};
    *is_one = kind_of(compatible, &m->kind);
    if (!*is_one)
        return 0;
    if (!compatible_has(compatible, "multiboot,module") && !compatible_has(compatible, "xen,multiboot-module"))
        return tree_error(t, node, "compatible", "expected \"multiboot,module\" too: Xen takes no module without");
    m->placed = tree_find(t, node, "reg", &p);
    if (m->placed && tree_reg(t, parent, node, &p, &m->address, &m->bytes) != 0)
        return -1;
    check_module_properties(t, m);
    return module_add(t, m);
}

static int take_bootargs(struct domain_node *n, const struct module *m)
{
    const char *text;
    struct property p;
    struct problem why;

    if (!tree_find(n->t, m->node, "bootargs", &p))
        return 0;
    if (tree_text(n->t, m->node, &p, &text) != 0)
        return -1;
    if (m->kind != MODULE_KERNEL) {
        tree_note(n->t, m->node, p.name, "is not honoured: a command line is the kernel's");
        return 0;
    }
    if (strstr(text, XEN_UART) != NULL)
        return tree_error(n->t, m->node, p.name,
                          XEN_UART " is where Xen has its vpl011, not we: expected earlycon without an address");
    if (config_domain_value(n->d, "cmdline", text, &why) != 0)
        return tree_error(n->t, m->node, p.name, "%s", why.text);
    return 0;
}

static int take_module(struct domain_node *n, const struct module *m)
{
    bool kernel = m->kind == MODULE_KERNEL, *has = kernel ? &n->has_kernel : &n->has_ramdisk;

    if (*has)
        return tree_error(n->t, m->node, "compatible", "a second %s of this domain", kernel ? "kernel" : "ramdisk");
    *has = true;
    *(kernel ? &n->kernel : &n->ramdisk) = *m;
    return take_bootargs(n, m);
}

static int take_vcpu(struct domain_node *n, int node)
{
    struct property p;
    const char *text;
    uint32_t id;

    if (!tree_find(n->t, node, "id", &p))
        return tree_error(n->t, node, "id", "is missing: expected the number of a vCPU");
    if (tree_u32(n->t, node, &p, &id) != 0)
        return -1;
    if (id >= n->d->vcpus || id >= 64)
        return tree_error(n->t, node, "id", "%" PRIu32 ": expected less than the domain's cpus, %" PRIu32, id,
                          n->d->vcpus);
    if ((n->vcpus_seen & UINT64_C(1) << id) != 0)
        return tree_error(n->t, node, "id", "%" PRIu32 " is there twice", id);
    n->vcpus_seen |= UINT64_C(1) << id;
    if (!tree_find(n->t, node, "hard-affinity", &p))
        return 0;
    if (tree_text(n->t, node, &p, &text) != 0)
        return -1;
    tree_note(n->t, node, p.name, "\"%.40s\" is not honoured: vCPUs run wherever the kernel lets them", text);
    return 0;
}

/* What of a domain is a node, and cannot be left out. */
static const struct {
    const char *compatible, *why;
} refused[] = {
    {"multiboot,device-tree", "no device of this machine can be given to a domain here"},
    {"xen,domain-shared-memory-v1", "domains share no memory here"},
    {"xen,evtchn-v1", "domains have no event channels between each other here"},
    {"xen,evtchn", "domains have no event channels between each other here"},
};

static int take_child(struct domain_node *n, int node)
{
    struct property compatible;
    struct module m;
    bool is_module;

    if (tree_compatible(n->t, node, &compatible) != 0)
        return -1;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (compatible_has(&compatible, refused[i].compatible))
            return tree_error(n->t, node, "compatible", "\"%s\": %s", refused[i].compatible, refused[i].why);
    if (compatible_has(&compatible, "xen,vcpu"))
        return take_vcpu(n, node);
    if (dom0less_module(n->t, n->node, node, &compatible, &is_module, &m) != 0)
        return -1;
    if (is_module && m.kind == MODULE_OTHER)
        return tree_error(n->t, node, "compatible", "expected \"multiboot,kernel\" or \"multiboot,ramdisk\" too");
    if (is_module)
        return take_module(n, &m);
    tree_note(n->t, node, "compatible", "%s: ignored", compatible.value != NULL ? "is not known" : "is missing");
    return 0;
}

/* ---- All of it. ---- */

/* Xen's guests find SBSA's UART; where there is none, on a PC, the port that its kernels know. */
static enum config_door uart_here(void)
{
    const struct engine_ops *kvm = engine_find("kvm");
    struct engine_uart place;

    return kvm != NULL && kvm->uart != NULL && kvm->uart(DOOR_16550, 0, &place) ? DOOR_16550 : DOOR_SBSA;
}

static void add_console(struct domain_config *d, const char *name, enum config_door door)
{
    struct config_console *c = &d->consoles[d->n_consoles++];

    *c = (struct config_console){.door = door};
    snprintf(c->name, sizeof c->name, "%s", name);
}

static void take_consoles(struct domain_node *n)
{
    enum config_door uart = uart_here();
    bool arm = uart == DOOR_SBSA;

    n->d->n_consoles = 0;
    n->d->consoles_named = true;
    if (n->vpl011)
        add_console(n->d, "vuart0", uart);
    if (n->vpl011 && !arm)
        tree_note(n->t, n->node, "vpl011", "is a 16550 here, ttyS0: this machine has no guests for a PL011");
    if (n->enhanced && !arm)
        add_console(n->d, "hvc0", DOOR_XEN);
    if (n->enhanced && arm)
        tree_note(n->t, n->node, "xen,enhanced", "is not honoured: guests find none of Xen's interfaces here");
    if (n->d->n_consoles == 0) /* every domain that Xen makes so may use it, and these have nothing else */
        add_console(n->d, "io", DOOR_CONSOLE_IO);
}

static int take_files(struct domain_node *n, const char *name, bool *whole)
{
    if (!n->has_kernel)
        return tree_error(n->t, n->node, NULL,
                          "no kernel: expected a node compatible with \"multiboot,kernel\", \"multiboot,module\"");
    if (module_find(n->t, &n->kernel, name, &n->d->kernel) != 0)
        return -1;
    if (n->has_ramdisk && module_find(n->t, &n->ramdisk, name, &n->d->ramdisk) != 0)
        return -1;
    *whole = n->d->kernel != NULL && (!n->has_ramdisk || n->d->ramdisk != NULL);
    return 0;
}

/* A name of ours has no room for what stands in nodes' names before a unit address. */
static struct domain_config *add(struct tree *t, int node, const char *node_name)
{
    struct domain_config *d;
    struct problem why;
    char name[128];

    snprintf(name, sizeof name, "%s", node_name);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '@' || *at == ',' || *at == '+')
            *at = '-';
    for (size_t i = 0; i < t->config->n_domains; i++)
        if (strcmp(t->config->domains[i].name, name) == 0) {
            tree_error(t, node, NULL, "domain \"%s\" is there twice", name);
            return NULL;
        }
    d = config_domain_add(t->config, name, &why);
    if (d == NULL)
        tree_error(t, node, NULL, "%s", why.text);
    return d;
}

int dom0less_domain(struct tree *t, int node)
{
    const char *name = fdt_get_name(t->fdt, node, NULL);
    struct domain_node n = {.t = t, .node = node, .d = add(t, node, name != NULL ? name : "")};
    struct problem why;
    bool whole = false;
    int child;

    if (n.d == NULL || take_properties(&n) != 0)
        return -1;
    fdt_for_each_subnode(child, t->fdt, node)
    {
        if (take_child(&n, child) != 0)
            return -1;
    }
    take_consoles(&n);
    if (take_files(&n, name, &whole) != 0)
        return -1;
    if (whole && config_domain_complete(t->config, n.d, t->options, &why) != 0)
        return tree_error(t, node, NULL, "%s", why.text);
    return 0;
}
