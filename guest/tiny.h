/* SPDX-License-Identifier: MIT */
/*
 * tiny.h: a kernel that does nothing but drive its consoles, each with a command line.
 *
 * Boot arguments are options and words, separated by ';', run on the first console before its prompt:
 *
 *     console=hvc0; quiet; spew 1000000; poweroff
 *
 *     console=NAME   hvc0 (the PV ring, by hypercall while disconnected), console_io, e9 (the debug port; pvh only).
 *                    uart, uart0..3 (a UART as the machine counts them), ttyS0.., ttyAMA0.. (as Linux does), 16550,
 *                    pl011, sbsa (the first of its kind). May be given several times; what is not there adds nothing.
 *                    Without it: hvc0 if the domain has it, else console_io; where there is no hypervisor to call e9, or
 *                    the machine's own choice of a UART.
 *     uart=polled    UARTs and virtio devices do not interrupt for input
 *     console=virtio the first console of a virtio device; without any console= it comes after hvc0. Consoles of virtio devices
 *                    have a prompt each as long as they are there, whatever this says
 *     virtio-old     they are numbered as Linux did before 6.2: by a counter, with a yield between read and increment
 *     virtio-nomultiport
 *                    the driver does not know MULTIPORT: a device has one console
 *     quiet          no line at boot; prompt and words are as ever
 *     disconnected=drop
 *                    hvc0 throws output away while its flag says DISCONNECTED, as Linux does since 7.1
 *     events=off     shared_info is not asked for: no upcalls, waits are SCHEDOP_poll, one vCPU
 *
 * Words, in arguments and at the prompt: `help` lists them. What they print, exactly (each line ends in CR LF):
 *
 *     echo TEXT      TEXT
 *     spew N [WIDTH] N lines as spew.h says, and nothing else
 *     sum N          "sum N 0xHHHHHHHH": zlib's CRC-32 of the next N bytes, taken as they come, without echo
 *     slow N [MS]    N lines "slow I", I from 0, one each MS milliseconds (100)
 *     time           "time S.NNNNNNNNN", system time in seconds; "time unknown" if the hypervisor does not tell
 *     consoles       one line a console: name, way, port, bytes dropped, violations of the ring; then one a UART in use: name,
 *                    kind, "by interrupt" or "polled", depth, interrupts, breaks, overruns, errors, dropped. Then one a virtio
 *                    device: "virtioN WAY, ports P of M, refused R, interrupts I, violations V", WAY: by interrupt, by event,
 *                    polled; and one a port of it: "vportNpM: name NAME, guest_connected G, host_connected H, bytes_sent S,
 *                    bytes_received R, bytes_discarded D, is_console yes|no, console_vtermno V[, hvcI], size CxR, dropped N"
 *     port NAME WHAT a virtio port that is no console, by its name or as vportNpM: `open`, `close`, `send TEXT`, `read` what came
 *     await N        "await C" once C, N or more, consoles of virtio devices are there; with fewer after a minute, or Ctrl-C
 *     virtio-test    "ok WHAT" or "FAILED WHAT" a line, then "virtio-test: N ok, M failed": what the driver relies on, of each
 *                    device; one that has not the console of this word is started anew meanwhile
 *     virtio-pry     the same, "virtio-pry: " in its last line, of what no driver may do, to each device that has not the
 *                    console of this word: nothing comes of it, and its driver begins anew. Whole lines "virtio-pry" are sent
 *                    to its first port
 *     selftest       "ok WHAT" or "FAILED WHAT" a line, then "selftest: N ok, M failed"
 *     uart-test [UART] [EMULATOR]
 *                    "ok WHAT", "known WHAT" or "FAILED WHAT" a line, then "uart-test: N ok, K known, M failed": what drivers
 *                    rely on, of this console's own UART, the named one, or the first. known: this emulator, such as
 *                    qemu, is known to deviate there. What is typed meanwhile may be lost
 *     storm N        "storm N" after N events without work (rule R8)
 *     scribble N     "scribble N" after N impossible indices and flags in its own ring page, each with an event; what
 *                    the log has before it is anything (rule R4)
 *     pry            "pry: O ports of others, R parameters to read, S to set, P places for its grants, N reached" after trying
 *                    every port and parameter, and 64 frames behind its special pages, which are not its own, in every way it
 *                    knows (promise P4); before it, "reached WHAT N by HOW" a line
 *     vcpus [N]      "vcpus: R of T run, upcalls by WAY" after starting vCPUs until N run; WAY: interrupt, block, poll
 *     bind KIND …    "port P", or "refused: -E", Xen's errno. KIND: `unbound [DOMID]`, `inter DOMID PORT`, `virq N
 *                    [VCPU]`, `ipi [VCPU]`, `loop` (a pair within this domain: "port P peer Q"). A new port is masked
 *     mask P, unmask P, send P, close P, move P VCPU
 *                    "ok", or "refused: -E"; move is bind_vcpu
 *     status P       "port P KIND vcpu V[ masked][ pending], N events": KIND as the hypervisor says: closed, unbound D,
 *                    inter D Q, pirq N, virq N, ipi. N: upcalls for it so far
 *     vcpu_info [V]  "ok" after vCPU V (0) registered a vcpu_info of its own, or "refused: -E"
 *     shared_info    "ok" after shared_info moved to the other of two pages, or "refused: -E"
 *     events [S [P [N [M]]]]
 *                    S senders (vCPUs 1..S; 0: vCPU 0 itself), P ports, N rounds (1, 64, 1000): in each round a
 *                    sender bumps a counter of each of its ports and then sends. Meanwhile vCPU 0, which takes all
 *                    events, moves shared_info M (0) times, and half way registers its vcpu_info; there are more rounds
 *                    if that takes longer. At rest the value that each handler saw last is the counter's: "events: S
 *                    senders, P ports, N rounds, M moves, E events, none lost", fewer ports if the hypervisor has no
 *                    more; else "events: L ports lost events, the first P: saw X of Y"
 *     crash [HOW]    ends as a crash; HOW: `trap` by an undefined instruction, `touch` by a wild access
 *     reboot, poweroff
 *
 * At the prompt "tiny> " CR and LF each end a line; what is typed is echoed. Backspace, Ctrl-U and Ctrl-C edit; a
 * line holds TINY_LINE_BYTES - 1 bytes, further ones are refused with BEL. Ctrl-C also ends `spew` and `slow`, after a
 * whole line, with "^C"; for `sum` it is a byte like any other.
 *
 * Lock:  none: vCPU 0 does it all, others only what tiny_cpus.h says. A word keeps all consoles until it is done.
 * Trust: input and arguments may be anything.
 */
#ifndef GUEST_TINY_H
#define GUEST_TINY_H
#include "console_io.h"
#include "print.h"
#include "spew.h"
#include "tiny_cpus.h"
#include "tiny_virtio.h"
#include "uart.h"
#include "xen_console.h"

#define TINY_LINE_BYTES  256u
#define TINY_INPUT_BYTES 512u
#define TINY_CONSOLES    (4u + 28u) /* of virtio, which come and go, the most */
#define TINY_UARTS       4u

struct tiny_uart_place { /* where a UART may be */
    const struct uart_chip *chip;
    struct uart_io io;
    uint32_t irq; /* as the machine numbers them */
};

struct tiny_check;
struct tiny_machine { /* what the platform's entry found out; all of it stays for good */
    const struct platform *platform;
    const char *name;    /* "pvh", "process" */
    const char *cmdline; /* boot arguments */
    uint64_t ram_bytes;
    struct hvc *debug; /* a console that needs no hypercall, or NULL */
    bool hypervisor;   /* there is one to call */
    const struct tiny_cpu_ops *cpu_ops;
    const struct tiny_uart_place *uarts; /* n_uarts of them; each is looked at only when something names it */
    uint32_t n_uarts, first_uart;        /* at most TINY_UARTS; the console where there is no other, or n_uarts */
    bool (*uart_interrupts)(struct uart *u, uint32_t irq); /* call uart_interrupt from now on; false: it cannot */
    const struct tiny_virtio_place *virtio;                /* n_virtio of them */
    uint32_t n_virtio;
    /* As uart_interrupts, virtio_console_interrupt. NULL: it cannot. */
    bool (*virtio_interrupts)(struct virtio_console *c, uint32_t irq);
    uint32_t virtio_virq; /* or this virq is raised, for all devices (wire/callpage.h); 0: none */
    /* As platform.wait of vCPU 0, where only UARTs are waited for: until any interrupt, also one before. May be NULL. */
    void (*wait)(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns);
    const struct tiny_check *checks; /* for the self-test, up to one without a name; or NULL */
    void (*halt)(uint32_t reason);   /* end the machine where SCHEDOP_shutdown did not; does not return */
};

struct tiny;
struct tiny_console {
    struct hvc *hvc; /* NULL: no console, for the next one that comes */
    struct tiny *tiny;
    bool prompted;
    bool hung; /* its port has gone: what is running on it ends soon */
    struct print out;
    uint32_t n_line, n_input, at_input; /* input[at_input..n_input) is not looked at yet */
    char line[TINY_LINE_BYTES];
    uint8_t input[TINY_INPUT_BYTES];
};
struct tiny { /* for the platform's entry to place: it is large */
    const struct tiny_machine *machine;
    struct xen_console xen;
    struct console_io console_io;
    bool has_xen, has_console_io, quiet;
    bool no_events, has_events; /* asked for, there */
    bool polled;                /* no interrupts of UARTs and virtio devices: asked for */
    bool wants_virtio;          /* as the first console */
    bool serving;               /* boot arguments are done: who comes now has a prompt at once */
    struct tiny_console *busy;  /* its input is being looked at, or a word runs on it */
    bool has_uart[TINY_UARTS];
    uint32_t n_consoles;
    uint32_t n_cpus; /* that run */
    uint32_t n_parked, let_go;
    uint32_t page; /* of shared_pages, where shared_info is */
    struct events events;
    struct tiny_cpu cpus[TINY_CPUS];
    struct tiny_console consoles[TINY_CONSOLES]; /* n_consoles of them, maybe with holes */
    struct spew spew;
    struct uart uarts[TINY_UARTS];
    struct tiny_virtio virtio;
};

/* *tiny is all zero. Runs until the machine ends: returns only when machine->halt does. */
void tiny_main(struct tiny *tiny, const struct tiny_machine *machine);

/* tiny_words.c: run one line on this console. line is writable and ends in 0. */
void tiny_run(struct tiny_console *c, char *line);
/* A console more, with a command line. False: there are TINY_CONSOLES. */
bool tiny_console_begin(struct tiny *t, struct hvc *hvc);
/* Its port has gone; tiny_virtio_release once nothing runs on it, now or later. */
void tiny_console_end(struct tiny *t, struct hvc *hvc);
/* Input of this console, raw, at most n bytes; waits until there is some. 0: it is hung up. */
size_t tiny_input(struct tiny_console *c, void *bytes, size_t n);
/* Ctrl-C was typed, or the console hung up: it is gone, and what was typed before it. Type-ahead of more than TINY_INPUT_BYTES hides it. */
bool tiny_interrupted(struct tiny_console *c);
/* The next word of *line, ended by 0 in place; NULL: no more. *line goes on behind it. */
char *tiny_word(char **line);
bool tiny_equal(const char *a, const char *b);
/* A decimal number as the next word, or fallback if there is none; false: something else, or more than max. */
bool tiny_number(char **line, uint64_t fallback, uint64_t max, uint64_t *number);
#define TINY_MISSING UINT64_MAX /* a fallback that tiny_number refuses */
/* CRC-32 as zlib's: start with 0, go on with the last result. */
uint32_t tiny_crc32(uint32_t crc, const uint8_t *bytes, size_t n);
/* tiny_hostile.c */
void tiny_storm(struct tiny_console *c, uint64_t n);
void tiny_scribble(struct tiny_console *c, uint64_t n); /* has_xen */
/* tiny_pry.c */
void tiny_pry(struct tiny_console *c);
/* tiny_fault.c: an undefined instruction, a store to where nothing is. */
void tiny_fault_trap(void);
void tiny_fault_touch(void);
/* tiny_selftest.c, tiny_selftest_events.c */
struct tiny_check {
    const char *what;
    bool (*holds)(struct tiny_console *c);
};
void tiny_selftest(struct tiny_console *c);
extern const struct tiny_check tiny_event_checks[]; /* up to one without a name; need t->has_events */

/* tiny_events.c: take over shared_info, upcalls to vCPU 0, and wait by them; t->has_events: it went well. */
void tiny_events_begin(struct tiny *t);
/* shared_info to the other page. 0 or -XEN_E. The other vCPUs are parked (tiny_cpus.h), or at the like. */
int64_t tiny_events_move(struct tiny *t);
/* As words[] of tiny_words.c; false: print the usage. */
bool tiny_run_bind(struct tiny_console *c, char *rest);
bool tiny_run_mask(struct tiny_console *c, char *rest);
bool tiny_run_unmask(struct tiny_console *c, char *rest);
bool tiny_run_send(struct tiny_console *c, char *rest);
bool tiny_run_close(struct tiny_console *c, char *rest);
bool tiny_run_move(struct tiny_console *c, char *rest);
bool tiny_run_status(struct tiny_console *c, char *rest);
bool tiny_run_vcpu_info(struct tiny_console *c, char *rest);
bool tiny_run_shared_info(struct tiny_console *c, char *rest);
bool tiny_run_vcpus(struct tiny_console *c, char *rest);
/*
 * tiny_uart.c: the UART of that name, set up if it is not yet; NULL: there is none. uartN is the machine's N-th, uart its
 * first; ttySN and ttyAMAN as Linux has them; a chip's name is the first of its kind.
 */
struct uart *tiny_uart_named(struct tiny *t, const char *name);
/* The UART that this console is, or NULL. */
struct uart *tiny_uart_of(const struct tiny *t, const struct hvc *hvc);
/* Interrupts for those that are set up; once vCPU 0 waits as it ever will. */
void tiny_uarts_listen(struct tiny *t);
void tiny_print_uart(struct print *p, const struct uart *u);
/* tiny_uart_test.c */
bool tiny_run_uart_test(struct tiny_console *c, char *rest);
/* tiny_stress.c */
bool tiny_run_events(struct tiny_console *c, char *rest);

#endif
