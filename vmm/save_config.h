/* SPDX-License-Identifier: MIT */
/*
 * save_config.h: a domain's configuration in the file that it is saved to: what CONFIG holds.
 *
 * Spec:  version 3, little-endian: u32 3; texts name, engine, kernel, ramdisk, cmdline (u32 bytes, then these; ramdisk may have
 *        0); u64 memory; u32 vcpus, xen_version, hold, connected, on_poweroff, on_reboot, on_crash, domid; 16 bytes uuid; u32 1 if
 *        virtio_announce is together + 2 if virtio_size is rows-first; u32 virtio devices, and of each u32 ports; u32 consoles,
 *        and of each text name, u32 type, u32 device, u32 port. Enums as in config.h. Version 2 knew no virtio, nor what is said
 *        of it.
 * Owner: strings are copied.
 * Lock:  none.
 * Trust: bytes may be anything. What they say passes the checks that a configuration file's words do; which kernel a domain
 *        boots after a reset is the file's word, as it is a configuration's.
 */
#ifndef VCONS_VMM_SAVE_CONFIG_H
#define VCONS_VMM_SAVE_CONFIG_H
#include "config.h"
#include "host/message.h"
#include <vcons/save.h>

void save_config_write(const struct domain_config *d, uint32_t domid, struct vc_writer *w);
/*
 * Adds the domain that bytes describe, under the name `as`, if that is not NULL; its uuid is the saved one's if it keeps the
 * name. Not yet completed (config_value.h). -1: *p says what is wrong, without the file's name.
 */
int save_config_read(struct vmm_config *config, const void *bytes, size_t n, const char *as, struct problem *p);

#endif
