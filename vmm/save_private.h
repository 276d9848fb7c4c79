/* SPDX-License-Identifier: MIT */
/* save_private.h: what save.c and save_load.c share: the sections of STATE that are the VMM's own. */
#ifndef VCONS_VMM_SAVE_PRIVATE_H
#define VCONS_VMM_SAVE_PRIVATE_H
#include "domain_private.h"
#include "save.h"
#include <vcons/save.h>

/* DOMN: u32 boot, u32 consoles, u64 guest time in ns. DOOR: u32 number; of the console that what follows belongs to; of
 * one beyond the first of type xen, also console_backend.h's. GRNT: grant_pages.h. XENS: xenstore/store.h and ring.h.
 * VCPU: of each, u32 1 if it is initialised, u32 0, u64 when its timer is due, guest time.
 * Behind all doors: vcons/save.h's VIRC of each virtio-console, in the order of their numbers.
 * INPT: what was typed and not yet read, oldest first. */
#define SAVE_DOMAIN VC_SAVE_TAG('D', 'O', 'M', 'N')
#define SAVE_VCPUS  VC_SAVE_TAG('V', 'C', 'P', 'U')
#define SAVE_DOOR   VC_SAVE_TAG('D', 'O', 'O', 'R')
#define SAVE_INPUT  VC_SAVE_TAG('I', 'N', 'P', 'T')
#define SAVE_GRANTS VC_SAVE_TAG('G', 'R', 'N', 'T')
#define SAVE_STORE  VC_SAVE_TAG('X', 'E', 'N', 'S')

/* Doors by their numbers, for core. */
struct vc_save_doors save_doors(struct domain *d);

/* save_door.c. [locked, standing still] All input for the guest that is not in its ring yet, into the door's own buffer. -1: no
 * memory, and it stays where it is. */
int save_take_input(struct door *door);

#endif
