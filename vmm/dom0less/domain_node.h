/* SPDX-License-Identifier: MIT */
/*
 * domain_node.h: a domain of a tree while it is read. Private to domain.c and properties.c.
 *
 * Spec:  as domain.h.
 * Owner: dom0less_domain's.
 */
#ifndef VMM_DOM0LESS_DOMAIN_NODE_H
#define VMM_DOM0LESS_DOMAIN_NODE_H
#include "tree.h"

struct domain_node {
    struct tree *t;
    int node;
    struct domain_config *d; /* until the next is added */
    uint64_t seen;           /* a bit for each row of properties[] */
    uint64_t vcpus_seen;     /* a bit for each xen,vcpu */
    bool vpl011, enhanced, has_kernel, has_ramdisk;
    struct module kernel, ramdisk;
};

/* All properties of the node, by the table in properties.c. 0, or -1 and an error. */
int domain_take_properties(struct domain_node *n);

#endif
