/* SPDX-License-Identifier: MIT */
/*
 * wire/xen.h: numbers and layouts of Xen's hypercalls that the console side needs.
 *
 * Source: Xen public/xen.h, public/sched.h, public/event_channel.h, public/hvm/{hvm_op,params}.h, public/errno.h.
 * Results are 0 or positive, or the negative of an XEN_E number. Layouts are the same on x86_64 and arm64.
 */
#ifndef VCONS_WIRE_XEN_H
#define VCONS_WIRE_XEN_H
#include <stddef.h>
#include <stdint.h>

enum { /* hypercall numbers */
       XEN_memory_op = 12,
       XEN_xen_version = 17,
       XEN_console_io = 18,
       XEN_vcpu_op = 24,
       XEN_sched_op = 29,
       XEN_event_channel_op = 32,
       XEN_hvm_op = 34,
};

enum { /* public/errno.h */
       XEN_EPERM = 1,
       XEN_ENOENT = 2,
       XEN_ESRCH = 3,
       XEN_EIO = 5,
       XEN_ENXIO = 6,
       XEN_E2BIG = 7,
       XEN_EAGAIN = 11,
       XEN_ENOMEM = 12,
       XEN_EACCES = 13,
       XEN_EFAULT = 14,
       XEN_EBUSY = 16,
       XEN_EEXIST = 17,
       XEN_EINVAL = 22,
       XEN_ENOSPC = 28,
       XEN_ENOSYS = 38,
       XEN_EOPNOTSUPP = 95,
};

#define XEN_DOMID_SELF 0x7ff0u

enum { CONSOLEIO_write = 0, CONSOLEIO_read = 1 };

enum { SCHEDOP_yield = 0, SCHEDOP_block = 1, SCHEDOP_shutdown = 2, SCHEDOP_poll = 3 };
enum { SHUTDOWN_poweroff = 0, SHUTDOWN_reboot = 1, SHUTDOWN_suspend = 2, SHUTDOWN_crash = 3 };
struct sched_shutdown {
    uint32_t reason;
};
struct sched_poll {
    uint64_t ports;    /* guest address of nr_ports u32 */
    uint32_t nr_ports; /* at most 128 */
    uint32_t reserved;
    uint64_t timeout; /* absolute nanoseconds of system time; 0: none */
};

enum {
    EVTCHNOP_bind_virq = 1,
    EVTCHNOP_close = 3,
    EVTCHNOP_send = 4,
    EVTCHNOP_status = 5,
    EVTCHNOP_unmask = 9,
    EVTCHNOP_init_control = 11,
};
enum { VIRQ_CONSOLE = 2, NR_VIRQS = 24 };
enum { EVTCHNSTAT_closed = 0, EVTCHNSTAT_unbound = 1, EVTCHNSTAT_interdomain = 2, EVTCHNSTAT_virq = 4 };
struct evtchn_send { /* also close and unmask */
    uint32_t port;
};
struct evtchn_bind_virq {
    uint32_t virq;
    uint32_t vcpu;
    uint32_t port; /* out */
};
struct evtchn_status {
    uint16_t dom;
    uint32_t port;
    uint32_t status; /* out, EVTCHNSTAT_*; so are the rest */
    uint32_t vcpu;
    union {
        uint32_t virq;
        struct {
            uint16_t dom;
            uint32_t port;
        } interdomain;
    } u;
};

enum { HVMOP_set_param = 0, HVMOP_get_param = 1 };
enum { HVM_PARAM_CONSOLE_PFN = 17, HVM_PARAM_CONSOLE_EVTCHN = 18, HVM_NR_PARAMS = 39 };
struct xen_hvm_param {
    uint16_t domid;
    uint16_t reserved;
    uint32_t index;
    uint64_t value;
};

#define XEN_DEBUG_PORT 0xe9u /* I/O port: a byte written goes where CONSOLEIO_write goes; reads give 0xe9 */

_Static_assert(sizeof(struct sched_poll) == 24, "xen/public/sched.h");
_Static_assert(sizeof(struct evtchn_bind_virq) == 12, "xen/public/event_channel.h");
_Static_assert(sizeof(struct evtchn_status) == 24, "xen/public/event_channel.h");
_Static_assert(offsetof(struct evtchn_status, u) == 16, "xen/public/event_channel.h");
_Static_assert(sizeof(struct xen_hvm_param) == 16, "xen/public/hvm/hvm_op.h");
_Static_assert(offsetof(struct xen_hvm_param, value) == 8, "xen/public/hvm/hvm_op.h");

#endif
