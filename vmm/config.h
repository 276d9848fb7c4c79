/* SPDX-License-Identifier: MIT */
/*
 * config.h: the configuration of a hypervisor and its domains, read whole and checked whole before anything
 * starts: from our own file, from options, or from a device tree (dom0less/dom0less.h).
 *
 * Spec:  docs/vcons-domains.5; design §4; words of xl.cfg(5) where xl has one.
 * Owner: vmm_config_read fills the caller's struct; vmm_config_finish frees what it holds.
 * Lock:  none; read-only after vmm_config_read.
 * Trust: the file is its user's: wrong in any way, but not an enemy's. An error names file, line and what was
 *        expected, and with any error there is no configuration.
 */
#ifndef VCONS_VMM_CONFIG_H
#define VCONS_VMM_CONFIG_H
#include "host/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <vcons/wire/virtio_places.h>

#define CONFIG_NAME_BYTES   33u /* 32 characters and the NUL */
#define CONFIG_DOMAINS_MAX  1024u
#define CONFIG_VCPUS_MAX    64u
#define CONFIG_XEN_MAX      10u           /* Linux finds nine consoles behind its first PV one (xen-abi 1.6) */
#define CONFIG_CONSOLES_MAX 15u           /* that are no ports of virtio: and one of hypercalls, and four UARTs */
#define CONFIG_VIRTIO_MAX   VC_VIRTIO_MAX /* virtio-console devices */
#define CONFIG_VIRTIO_PORTS 511u          /* of each: VC_VIRTIO_PORTS_MAX */
#define CONFIG_VIRTIO_SPARE                                                                                            \
    32u /* ports of each device for consoles that come while it runs: a guest pays for them too */
#define CONFIG_HOLD_DEFAULT_MS 1000
#define CONFIG_HOLD_FOREVER    (-1)
#define CONFIG_MEMORY_DEFAULT  (UINT64_C(64) << 20)
#define CONFIG_MEMORY_MIN      (UINT64_C(8) << 20)
#define CONFIG_MEMORY_MAX                                                                                              \
    (UINT64_C(64) << 30) /* kvm puts what is above 3 GiB behind 4 GiB; process has 3 GiB at most */

#define CONFIG_NOTES_MAX 100u /* what a file asks for and does not get: so many are told apart */

#define CONFIG_XEN_VERSION ((4u << 16) | 17u) /* the one most guests have met */

enum config_action { ACTION_DESTROY, ACTION_RESTART, ACTION_PRESERVE };
enum config_door {
    DOOR_XEN,
    DOOR_CONSOLE_IO,
    DOOR_COMMAND,
    DOOR_PL011,
    DOOR_SBSA,
    DOOR_16550,
    DOOR_VIRTIO,      /* a port of a virtio-console that is a terminal of the guest's */
    DOOR_VIRTIO_PORT, /* one that is none: /dev/virtio-ports/NAME */
};
static inline bool door_is_uart(enum config_door door)
{
    return door == DOOR_PL011 || door == DOOR_SBSA || door == DOOR_16550;
}
static inline bool door_is_virtio(enum config_door door) { return door == DOOR_VIRTIO || door == DOOR_VIRTIO_PORT; }
enum config_connected { CONNECTED_ALWAYS, CONNECTED_SERVICE }; /* design §3.1 */

struct config_console {
    char name[CONFIG_NAME_BYTES];
    enum config_door door;
    uint32_t device; /* of a port of virtio: below CONFIG_VIRTIO_MAX */
    uint32_t port;   /* among its device's, below virtio_ports of that */
};

struct save_in;

struct domain_config {
    char name[CONFIG_NAME_BYTES];
    unsigned line;   /* of its block in the file; 0: from the command line */
    char engine[16]; /* "auto", or an engine's name. After reading never "auto" */
    char *kernel;    /* a path, or a bare word for a bundled kernel; NULL for command */
    char *ramdisk;   /* a path, or NULL */
    char *cmdline;   /* never NULL */
    char **command;  /* argv, NULL at its end; NULL: not the command engine */
    char *directory; /* of the file: what relative paths are relative to; the command's working directory */
    uint64_t memory_bytes;
    uint32_t vcpus;
    uint32_t xen_version; /* shown to the guest: major << 16 | minor */
    int hold_ms;          /* CONFIG_HOLD_FOREVER, or 0 and more */
    enum config_connected connected;
    enum config_action on_poweroff, on_reboot, on_crash;
    struct config_console *consoles;          /* in the file's order: the first is the domain's first */
    uint32_t n_consoles;                      /* at least 1; at most one of them has DOOR_CONSOLE_IO */
    bool consoles_named;                      /* false: it is the default one */
    bool virtio_together;                     /* consoles on virtio are not announced one after another */
    bool virtio_rows_first;                   /* what its guest takes a size for */
    uint16_t virtio_ports[CONFIG_VIRTIO_MAX]; /* that each device can have; 0: there is no such device */
    uint8_t uuid[16];                         /* given, or made from hypervisor and domain name: stable over runs */
    uint32_t domid; /* of one that was saved, which its guest knows; 0: its place in the file, from 1 */
};

struct vmm_config {
    char name[CONFIG_NAME_BYTES]; /* of the hypervisor */
    uint8_t uuid[16];
    bool on_terminal;      /* console = stdio; false: none */
    char conswitch[2];     /* Xen's word without its x: a letter; empty: switched off */
    bool conswitch_to_xen; /* the x: focus starts with the hypervisor */
    struct domain_config *domains;
    size_t n_domains;
    struct problem no_kvm;    /* why `auto` did not choose it, for people; empty: it did, or nobody asked */
    bool unusable;            /* what was wrong is that an engine somebody named cannot be used here: exit 7 */
    char *file;               /* NULL: none */
    struct save_in *restored; /* the file that its one domain goes on from (save.h); NULL: none */
    char **notes;             /* what a device tree asks for and does not get, a line each, for people */
    size_t n_notes;           /* of them all; the first CONFIG_NOTES_MAX are kept */
};

/* What the command line says instead of a file, or over it. */
struct vmm_config_options {
    const char *file;   /* NULL: one domain from the rest */
    const char *name;   /* NULL: the file's */
    const char *engine; /* for domains that say auto; NULL: auto */
    const char *kernel, *ramdisk, *cmdline, *memory;
    const char *consoles; /* types with a comma between, named as Linux calls its terminals; NULL: the default one */
    const char *restore, *restore_as; /* a file of `vcons save`; the domain's new name, or NULL */
    const char *device_tree;          /* domains as Xen finds them there, instead of a file; NULL: not so */
    const char *imagebuilder;         /* ImageBuilder's configuration: files of the tree, or in its place; NULL: none */
    const char *const *modules;       /* ADDR=FILE each: what lies where the tree says that a module does */
    size_t n_modules;
    bool list; /* the domains are only to be listed: of a tree, also without files for its modules */
};

/* 0; or -1 after one line on standard error, `FILE:LINE: …`, that says what was expected. */
int vmm_config_read(struct vmm_config *config, const struct vmm_config_options *options);
/* Note what the file asks for and does not get. */
__attribute__((format(printf, 2, 3))) void config_note(struct vmm_config *config, const char *format, ...);
/* A few lines for each domain, for people: what it is made of. */
void config_list(const struct vmm_config *config, FILE *to);
/* How many virtio-console devices the domain has: one more than the highest `device`; of numbers between there are some without
 * a port. */
uint32_t config_virtio_devices(const struct domain_config *d);
/* Bit n: it has device n. */
static inline uint32_t config_virtio_set(const struct domain_config *d)
{
    uint32_t set = 0;

    _Static_assert(CONFIG_VIRTIO_MAX <= 32, "a bit for each");
    for (uint32_t n = 0; n < CONFIG_VIRTIO_MAX; n++)
        set |= (uint32_t)(d->virtio_ports[n] > 0) << n;
    return set;
}
/* The word of the configuration for a type. */
const char *config_door_word(enum config_door door);
/* Also after a failure of vmm_config_read, which leaves only config->unusable to be looked at. */
void vmm_config_finish(struct vmm_config *config);

#endif
