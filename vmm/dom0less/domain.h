/* SPDX-License-Identifier: MIT */
/*
 * domain.h: one node compatible with xen,domain, as a domain of the configuration.
 *
 * Spec:  booting.txt, Creating Multiple Domains directly from Xen; each of its properties is in the table of domain.c.
 * Trust: the node may hold anything.
 */
#ifndef VMM_DOM0LESS_DOMAIN_H
#define VMM_DOM0LESS_DOMAIN_H
#include "tree.h"

/* Add the domain that the node, a child of /chosen, describes. 0, or -1 and an error. */
int dom0less_domain(struct tree *t, int node);
/*
 * A module of that parent, if the node is one: *is_one, and *m is it. Placed by its reg, or, with xen,uefi-binary, perhaps not.
 * 0, or -1 and an error.
 */
int dom0less_module(struct tree *t, int parent, int node, const struct property *compatible, bool *is_one,
                    struct module *m);

#endif
