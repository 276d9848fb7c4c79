/* SPDX-License-Identifier: MIT */
/*
 * engine.h: what runs a domain's code: kvm and kvm-xen (virtual CPUs), process (a sandboxed program) or command (a program
 * on a pty).
 *
 * An engine knows vCPUs, memory and exits. It knows no console, line, link or terminal: whatever the guest wants
 * from its hypervisor it hands to the domain through the functions at the end, and answers what they return.
 *
 *     create ──► start ──► (runs) ──► domain_ended ──► stop ──► destroy
 *                  ▲                                     │
 *                  └──────────────── reset ◄─────────────┘
 *
 * Threads: the loop is the VMM's one libuv thread. It calls create, start, stop, reset and destroy, never two at
 *          a time for one VMM. vCPU threads are the engine's: it makes them in start and joins them in stop.
 *          kick and wake come from any thread, also with the domain's console lock held: they only set a flag
 *          and write an eventfd, signal or futex; they take no lock that is held while calling into the domain,
 *          and never wait.
 * Ending:  a run ends because the guest shut down (domain_hypercall saw it), because the loop wants it (kick
 *          after domain_stopping became true), or because the guest broke (domain_crashed). Whatever the cause,
 *          every vCPU thread leaves when it sees domain_stopping(), and the last one calls domain_ended() once
 *          for each start, as its last call into the domain. The loop then calls stop, which joins, so it never
 *          waits long.
 * Trust:   the guest is hostile; an engine reads what the guest can write once, checks the copy, uses the copy.
 *          One domain's failure is reported by domain_crashed and touches no other domain.
 */
#ifndef VCONS_VMM_ENGINE_H
#define VCONS_VMM_ENGINE_H
#include "host/message.h"
#include "launcher.h"
#include "memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;           /* domain.h */
struct domain_config;    /* config.h */
struct vcpu_hvm_context; /* wire/xen.h */
struct vc_event_binding; /* vcons/events.h */
struct vc_uart_write;    /* vcons/uart.h */

#define ENGINE_ALL_VCPUS UINT32_MAX
#define ENGINE_NOWHERE   UINT64_MAX /* as a guest physical address */

/* What of a guest's memory an engine may keep up to date by itself, or must know of. */
enum engine_area {
    ENGINE_SHARED_INFO, /* the page; of no vCPU */
    ENGINE_VCPU_INFO,   /* in its place within shared_info, or registered */
    ENGINE_TIME,        /* VCPUOP_register_vcpu_time_memory_area, a struct vcpu_time_info */
    ENGINE_RUNSTATE,    /* VCPUOP_register_runstate_memory_area */
};

/*
 * For an engine below which the kernel delivers events (way kvm-xen): it stands in place of core's writes to shared_info
 * and vcpu_info. The port table, its errnos and its status stay core's. None of these calls into the domain.
 */
struct engine_events {
    /* Raise port at vcpu. It goes to the kernel's own lists: pending, mask, selector, upcall, vCPUs in poll. Any thread. */
    void (*deliver)(void *engine, uint32_t vcpu, uint32_t port);
    /* The guest has this port now, or it notifies another vCPU now; and no longer. Any thread, under the event lock. */
    void (*bound)(void *engine, uint32_t port, const struct vc_event_binding *binding);
    void (*unbound)(void *engine, uint32_t port);
    /* VCPUOP_set_singleshot_timer and _stop of a vCPU that has bound VIRQ_TIMER; UINT64_MAX stops. 0, or -XEN_E. */
    int (*timer)(void *engine, uint32_t vcpu, uint64_t deadline_ns);
};

/* Where a guest finds a device: in memory that is none, or among x86's I/O ports. */
enum engine_space { ENGINE_MEMORY, ENGINE_PORTS };

struct engine_device {
    enum engine_space space;
    uint64_t address;
    uint32_t bytes; /* from address on; 0: no device */
    uint32_t line;  /* its interrupt, for irq_line; others may have the same */
};

/* So many of a guest's writes an engine records at most, and hands over: n in order, of which taken are done with. */
#define ENGINE_RECORDED_MAX 170u
typedef uint32_t engine_take(void *ctx, const struct vc_uart_write *writes, uint32_t n);

struct engine_ops {
    const char *name; /* the word of the configuration, and of ADD on the link */
    bool stream;      /* its guest has one byte stream and makes no hypercalls: the stream functions below */
    bool arm;         /* layouts and parameters of Xen's ABI are those of arm64; else x86's */

    /* Whether it can run here at all; false: why it cannot, one clause. Called once, before any create. */
    bool (*usable)(struct problem *why);
    /* Whether it can run this very domain: vcpus, kernel, command, memory. problem says what was expected,
     * without file and line, which the caller knows. Looks at files, opens nothing for good. */
    int (*check)(const struct domain_config *config, struct problem *problem);

    /*
     * Everything that can fail for want of resources: memory, vCPUs, kernel in place. Nothing of the guest
     * runs. Sets *memory (by memory_create; unless stream), which the domain uses until destroy. Returns the
     * engine's state, NULL on failure.
     */
    void *(*create)(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem);
    /* Run. After -1 nothing runs and domain_ended was not and will not be called. */
    int (*start)(void *engine, struct problem *problem);
    /* Make every vCPU leave the guest soon and look at domain_stopping(). */
    void (*kick)(void *engine);
    /* stream only: domain_stream_put has room again, or domain_stream_get has input. Else NULL. */
    void (*wake)(void *engine);
    /* stream only, may be NULL: the size of the one viewer's screen. Loop thread. */
    void (*resize)(void *engine, unsigned rows, unsigned columns);
    /* After domain_ended: join threads, reap processes. From here on nothing touches the guest's memory. */
    void (*stop)(void *engine);
    /* After stop: as after create. RAM cleared, kernel and boot area in place. */
    int (*reset)(void *engine, struct problem *problem);
    /* After create, stop or a failed reset, never while running. Destroys memory too. */
    void (*destroy)(void *engine);
    /*
     * Engines whose guest is a process, else NULL: become it. Runs in a process of its own (launcher.h) that has one thread, an
     * empty signal mask, PR_SET_NO_NEW_PRIVS and PR_SET_PDEATHSIG, the VMM's environment and descriptors (close-on-exec), and
     * the fds that domain_launch was given. Returns only on failure, with errno.
     */
    void (*exec)(const struct domain_config *config, const int *fds, unsigned n_fds);

    /* ---- A guest that makes hypercalls. NULL stands for what each says. vCPUs are numbered as in Xen, from 0. ---- */

    /*
     * Where gva is for vcpu now, and for its whole page. In that vCPU's own thread, inside domain_hypercall. False: not
     * mapped, or not so that the guest itself might write there. NULL: gva is gpa + memory->gva_base.
     */
    bool (*translate)(void *engine, uint32_t vcpu, uint64_t gva, bool write, uint64_t *gpa);
    /*
     * Put a page of the VMM's, 4096 bytes, aligned, into the guest's physical memory, outside its RAM, where nothing is
     * yet; or with NULL take it away. It stays until reset. In a vCPU's thread. 0, or -XEN_E. NULL: -XEN_EINVAL.
     */
    int (*map_page)(void *engine, uint64_t gpa, void *page);
    /* The guest's system time: what vcpu_time_info gives it, and what timers and SCHEDOP_poll count in. Any thread.
     * NULL: CLOCK_MONOTONIC. */
    uint64_t (*time_ns)(void *engine);

    /*
     * vCPUs above 0 are offline after start. initialise takes the checked copy of VCPUOP_initialise's context, which
     * vcpu_up then starts from; -XEN_EINVAL: not a state that it can start from. One thread at a time for each vCPU;
     * neither is called while it is up. vcpu_down: by the vCPU itself, or of one that is up; it leaves the guest soon,
     * and is_up says so then. A vCPU may also come up by the guest's own means (INIT, SIPI). 0, or -XEN_E.
     * NULL: -XEN_ENOSYS, and vCPU 0 alone is up.
     */
    int (*vcpu_initialise)(void *engine, uint32_t vcpu, const struct vcpu_hvm_context *context);
    int (*vcpu_up)(void *engine, uint32_t vcpu);
    int (*vcpu_down)(void *engine, uint32_t vcpu);
    bool (*vcpu_is_up)(void *engine, uint32_t vcpu);

    /*
     * upcall_pending of vcpu went from 0 to 1: interrupt it. Any thread, also with the event lock held; never waits.
     * False: dropped, its interrupt controller is off; domain_vcpu_exit has it tried again. NULL: nothing to do, for
     * the guest looks at upcall_pending by itself.
     */
    bool (*upcall)(void *engine, uint32_t vcpu);
    /*
     * How to interrupt: HVMOP_set_evtchn_upcall_vector of vcpu, vector 0x10 and more; or HVM_PARAM_CALLBACK_IRQ, with
     * vcpu ENGINE_ALL_VCPUS and value as the guest gave it. 0, or -XEN_E. NULL: 0.
     */
    int (*set_vector)(void *engine, uint32_t vcpu, uint64_t value);
    /*
     * Area of vcpu lies at gpa from now on; ENGINE_NOWHERE: it is gone. In a vCPU's thread, maybe under the event lock:
     * must not call into the domain. Whoever gives time (kvmclock, KVM_XEN) gives it there. Without engine_events core has
     * already copied vcpu_info, and the result is not looked at. With them the engine does as Xen: it leaves the old place,
     * copies, marks (xen-abi 5.4); shared_info comes with the default places of all vcpu_info inside it; and -XEN_E is
     * what the guest gets. NULL: the domain itself keeps what is in it up to date.
     */
    int (*placed)(void *engine, enum engine_area area, uint32_t vcpu, uint64_t gpa);
    /* The guest's mode, which decides the layout of shared_info, was latched. As `placed`. NULL: core has it. */
    void (*latched)(void *engine, bool long_mode);

    /*
     * ---- Devices of the domain's: UARTs, virtio. Accesses of the guest's come to domain_access. NULL: none. ----
     *
     * Where number n, from 0, of a domain's UARTs of all types is, this one being of that type (enum config_door). False: it
     * has no such type, or not so many. Any thread, also before create.
     */
    bool (*uart)(int type, uint32_t n, struct engine_device *place);
    const char *uarts; /* which those are, for people: "type 16550, at most 4" */
    /*
     * Where number n, from 0, of a domain's virtio-mmio devices is: registers of `bytes`, always in ENGINE_MEMORY. False: there are
     * not so many. Those that the configuration has, by their numbers, the guest is told of as its machine does that.
     */
    bool (*virtio)(uint32_t n, struct engine_device *place);
    /*
     * The interrupt of a device at this line has changed to level: the line is high while that of any of them is. Any thread,
     * under the device's lock; never waits. After a reset all are low, and after create until restore they may be told.
     */
    void (*irq_line)(void *engine, uint32_t line, bool level);
    /*
     * The guest's writes of this value, 4 bytes wide, to this address add 1 to the eventfd fd from now on, and its vCPU goes on at
     * once, instead of coming to domain_access; with fd -1 they come there again, and fd has all that it will get. That takes
     * a while, up to milliseconds: where devices are set up, not where they run. fd stays the caller's, and open until then,
     * or until reset or destroy, which take all of them back. False: nothing has changed, they come to domain_access. It
     * may be told again, with another fd too. Any thread, under the device's lock. NULL: never.
     */
    bool (*doorbell)(void *engine, uint64_t address, uint32_t value, int fd);
    /*
     * zone: the guest's writes to the first so many bytes of that UART are recorded, instead of coming to domain_access each;
     * or they no longer are, and none is by the time it returns. One UART at a time, until all of its are taken. False: not
     * here, or not now. recorded: hand over what was recorded for that UART, in order, to take; what that does not take
     * comes again next time. False: there is such. Any thread, under the device's lock. NULL, both: nothing is recorded.
     */
    bool (*zone)(void *engine, const struct engine_device *uart, uint32_t bytes, bool on);
    bool (*recorded)(void *engine, const struct engine_device *uart, engine_take *take, void *ctx);
    /*
     * EVTCHNOP_send of this port: on: it need not come to us until further notice, though it may; the guest gets 0. Only in the
     * thread of a vCPU that just made such a call. Not on: from here on each comes, and what the guest had published
     * before one that did not is seen by whoever looks now. False: there is no such thing here, for this port or call. Any
     * thread, any lock held; never waits. NULL: they always come.
     */
    bool (*quiet)(void *engine, uint32_t port, bool on);
    bool uart_by_default; /* a domain that names no console has one of type pl011: its guests know no other */

    /*
     * ---- Save and restore (save.h): all three, or NULL: its domains cannot be saved. Loop thread. ----
     *
     * pause: have every vCPU's thread, config->vcpus of them, come to domain_park soon; the guest may go on afterwards, and
     * what it was doing is not lost. save: they have; *bytes (the caller frees them) is all that is not in memory. restore:
     * after create, with memory as it was saved, instead of the state before the first instruction; the guest's clock goes
     * on from time_ns now. bytes may be anything; -1: they are no state of this engine, or of so many vCPUs.
     */
    void (*pause)(void *engine);
    int (*save)(void *engine, void **bytes, size_t *n, struct problem *problem);
    int (*restore)(void *engine, const void *bytes, size_t n, uint64_t time_ns, struct problem *problem);

    /* NULL, or an answer of NULL: core delivers. Constant from create on. */
    const struct engine_events *(*events)(void *engine);
};

extern const struct engine_ops engine_kvm;     /* vmm/kvm/, on any KVM */
extern const struct engine_ops engine_kvm_xen; /* the same, where KVM knows Xen's ABI */
extern const struct engine_ops engine_process; /* vmm/process/ */
extern const struct engine_ops engine_command; /* vmm/command.c */

/* By name; NULL: no such engine. */
const struct engine_ops *engine_find(const char *name);

/* ---- What an engine calls. From its own threads, with no lock held.
 * ------------------------------------------- */

/*
 * A hypercall, Xen's numbers and results (wire/xen.h). args were copied once by the engine; pointers among
 * them are guest virtual; the domain has them translated, and checks them against its memory. May sleep: in SCHEDOP_poll and
 * SCHEDOP_block until an event, and in console_io while the console is held; it comes back soon after
 * domain_stopping() became true. vcpu is the engine's number of the calling vCPU, below config->vcpus.
 */
int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6]);
/* The same from 32-bit code: args are zero-extended, and structures have their 32-bit layouts. */
int64_t domain_hypercall_compat(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6]);
/* After each exit of a vCPU, before it goes on: an upcall that was dropped is tried again. Cheap: one load. */
void domain_vcpu_exit(struct domain *d, uint32_t vcpu);
/* The guest wrote the hypercall page's MSR, in this mode: Xen latches the layout of shared_info by it. */
void domain_mode(struct domain *d, bool long_mode);
/* One byte out to I/O port 0xE9, which goes where CONSOLEIO_write goes. Reads of the port give 0xE9: the
 * engine does. */
void domain_debug_port(struct domain *d, uint8_t byte);

/*
 * The guest accesses address, width bytes of 1, 2, 4 or 8: *value is what it writes, or becomes what it reads, zero-extended.
 * False: there is no device, and *value is as it was. A full line is a full UART; a guest that writes to one all the same waits
 * for `hold` at most.
 */
bool domain_access(struct domain *d, enum engine_space space, uint64_t address, uint32_t width, uint64_t *value,
                   bool write);
/* Raise a virq of the domain's own. Any thread, maybe under a device's lock; never waits. */
void domain_virq(struct domain *d, uint32_t virq);

/*
 * Where all that a vCPU is can be read: between two exits, or with a call that is not yet served. Sleeps there while the domain
 * has to stand still. False: it stops. Cheap: two atomic loads.
 */
bool domain_park(struct domain *d);
/* Whether it has to: looked at in every wait, and where something must be done first. */
bool domain_interrupted(const struct domain *d);
/* After each domain_hypercall: true: it was cut short, that the domain can stand still, its result means nothing, and it is to
 * be made again, with these arguments, after domain_park. */
bool domain_call_again(struct domain *d, uint32_t vcpu, uint64_t args[6]);
/* Whether vCPUs are to leave. Cheap: one atomic load; look after every exit and every call above. */
bool domain_stopping(const struct domain *d);
/*
 * The guest did what no guest may, or its process died: why is shown to people, one clause ("triple fault",
 * "signal 11"). The first call of a run counts. Afterwards domain_stopping() is true and kick has been called.
 */
__attribute__((format(printf, 2, 3))) void domain_crashed(struct domain *d, const char *why, ...);
/* The guest asked for a reboot by means of its machine. */
void domain_rebooted(struct domain *d);
/* stream engines: the program ended by itself. status 0: as a poweroff; else as a crash with that exit status
 * or 128 + signal. */
void domain_exited(struct domain *d, int status);
/* The last vCPU thread of this run is about to end. */
void domain_ended(struct domain *d);

/*
 * Streams. Output: takes what it can of n bytes and returns how many, 0..n, without waiting. Less than n
 * means held: stop reading the program until wake, which comes when the hold is over or there is room. Input:
 * up to n bytes that people typed; 0: none now, wake comes with the next. Both from any thread of the engine,
 * one thread at a time.
 */
size_t domain_stream_put(struct domain *d, const void *bytes, size_t n);
size_t domain_stream_get(struct domain *d, void *bytes, size_t n);

/* For messages and thread names. Constant for the domain's life. */
const char *domain_name(const struct domain *d);
uint32_t domain_id(const struct domain *d);
/* Loop thread, in start: have this domain's program started by exec above, with these descriptors. */
int domain_launch(struct domain *d, const int *fds, unsigned n_fds, struct launched *launched, struct problem *problem);
/* A directory of this VMM's own for sockets and such (uml_dir), removed at exit. NULL: none. Loop thread. */
const char *domain_directory(const struct domain *d);
/* Between fork and exec of a guest's program: when the VMM was started as root it is nobody's. 0, or -errno. */
int domain_drop_privileges(void);

#endif
