/* SPDX-License-Identifier: MIT */
/*
 * config_value.h: what the values of a configuration mean, wherever they come from: file or command line.
 *
 * Spec:  docs/vcons-domains.5.
 * Owner: strings are copied into the structs, which vmm_config_finish frees.
 * Lock:  none.
 * Trust: any text may be offered for any key. Each refusal says what was expected.
 */
#ifndef VCONS_VMM_CONFIG_VALUE_H
#define VCONS_VMM_CONFIG_VALUE_H
#include "config.h"
#include "host/message.h"

struct engine_ops;

void config_defaults(struct vmm_config *config, const char *file);
/* One key of a block. config_domain_value takes only what is one string; command and console are apart. */
int config_hypervisor_value(struct vmm_config *config, const char *key, const char *value, struct problem *problem);
int config_domain_value(struct domain_config *d, const char *key, const char *value, struct problem *problem);
int config_console_type(struct config_console *console, const char *value, struct problem *problem);
int config_console_device(struct config_console *console, const char *value, struct problem *problem);
/* Its consoles are all there: those of virtio get their ports, in order, and each device room for more. -1: too many, or the engine has no such
 * device. */
int config_virtio_complete(struct domain_config *d, const struct engine_ops *engine, struct problem *problem);
/* A new domain with defaults. NULL: the name is none, or there are too many. Valid until the next is added. */
struct domain_config *config_domain_add(struct vmm_config *config, const char *name, struct problem *problem);
/* One more console behind those that it has, zeroed; NULL: no memory. Moves the others. */
struct config_console *config_console_add(struct domain_config *d);
void config_domain_finish(struct domain_config *d);
/* Its keys are all there: choose the engine, make paths absolute to the file, ask the engine. */
int config_domain_complete(struct vmm_config *config, struct domain_config *d, const struct vmm_config_options *options,
                           struct problem *problem);
/* All domains are there. */
int config_complete(struct vmm_config *config, struct problem *problem);

#endif
