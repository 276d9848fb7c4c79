/* SPDX-License-Identifier: MIT */
#include "domain.h"
#include "../config_value.h"
#include "../engine.h"
#include "domain_node.h"
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>

/* GUEST_PL011_BASE of Xen's arch-arm.h: where its vpl011 is, which its guests know by heart. */
#define XEN_UART "0x22000000"

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

static void note_module_properties(struct tree *t, const struct module *m)
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
    note_module_properties(t, m);
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
    struct engine_device place;

    return kvm != NULL && kvm->uart != NULL && kvm->uart(DOOR_16550, 0, &place) ? DOOR_16550 : DOOR_SBSA;
}

static void add_console(struct domain_config *d, const char *name, enum config_door door)
{
    struct config_console *c = config_console_add(d);

    if (c == NULL)
        return; /* config_domain_complete finds too few */
    c->door = door;
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

    if (n.d == NULL || domain_take_properties(&n) != 0)
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
