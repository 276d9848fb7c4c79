/* SPDX-License-Identifier: MIT */
/*
 * save.h: what a part of core is saved as, and how it comes back: numbers and bytes in sections, written and read.
 *
 * A saved state is a row of sections. Each is little-endian:
 *
 *     u32 tag, u32 version, u32 bytes, u32 0       then so many bytes of the layout that tag and version name
 *
 * The layouts stand with the functions that write them, one pair below for each part. A reader knows all versions up to its
 * own; a section with a tag it does not know, or a newer version, is refused, never skipped: half a guest is none. Whether the
 * bytes are those that were written is the caller's to check (a checksum over all of it), where and how it is kept too.
 *
 * Owner: the caller's buffers; nothing here allocates. The largest state of a part is VC_SAVE_..._BYTES.
 * Lock:  a part is saved and restored under the lock that its own header names, with nobody else in it.
 * Trust: what is read may be anything at all. Readers never go past the end, every number is checked before it is used, and
 *        a part that is refused stays as its init left it. VC_EINVAL says so, always.
 */
#ifndef VCONS_SAVE_H
#define VCONS_SAVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>

struct vc_16550;
struct vc_events;
struct vc_focus;
struct vc_focus_domain;
struct vc_params;
struct vc_pl011;
struct vc_pvcons;
struct vc_shared_info;
struct vc_virtio_console;
struct xencons_interface;

/* Tags are for ever; a name in the file's order of bytes. */
#define VC_SAVE_TAG(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
enum vc_save_tag {
    VC_SAVE_PARAMS = VC_SAVE_TAG('P', 'A', 'R', 'M'),
    VC_SAVE_PVCONS = VC_SAVE_TAG('P', 'V', 'C', 'O'),
    VC_SAVE_FOCUS = VC_SAVE_TAG('F', 'O', 'C', 'U'),
    VC_SAVE_EVENTS = VC_SAVE_TAG('E', 'V', 'T', 'C'),
    VC_SAVE_SHARED_INFO = VC_SAVE_TAG('S', 'H', 'I', 'N'),
    VC_SAVE_PL011 = VC_SAVE_TAG('P', 'L', '1', '1'),
    VC_SAVE_16550 = VC_SAVE_TAG('1', '6', '5', '5'),
    VC_SAVE_VIRTIO_CONSOLE = VC_SAVE_TAG('V', 'I', 'R', 'C'),
};
#define VC_SAVE_HEAD_BYTES   16u
#define VC_SAVE_PARAMS_BYTES (VC_SAVE_HEAD_BYTES + 16u + 8u * 64)
#define VC_SAVE_PVCONS_BYTES (VC_SAVE_HEAD_BYTES + 16u)
#define VC_SAVE_FOCUS_BYTES  (VC_SAVE_HEAD_BYTES + 4u + 256u)
#define VC_SAVE_PL011_BYTES  (VC_SAVE_HEAD_BYTES + 16u * 4u + 32u * 4u + 32u)
#define VC_SAVE_16550_BYTES  (VC_SAVE_HEAD_BYTES + 12u * 4u + 16u * 4u + 16u)
/* At most, with so many ports. */
#define VC_SAVE_VIRTIO_CONSOLE_BYTES(ports)                                                                            \
    (VC_SAVE_HEAD_BYTES + 56u + ((size_t)(ports) + 1) * 2u * 36u + (size_t)(ports)*24u)
/* At most, for a domain with so many vCPUs, and ports. */
#define VC_SAVE_SHARED_INFO_BYTES(vcpus) (VC_SAVE_HEAD_BYTES + 48u + 4096u + (size_t)(vcpus)*112u)
#define VC_SAVE_EVENTS_BYTES(ports, vcpus)                                                                             \
    (VC_SAVE_HEAD_BYTES + 20u + (size_t)(ports)*36u + (size_t)(vcpus) * (((ports) + 31u) / 32u) * 4u)

/* ---- Writing. What does not fit is not written, nor is anything after it, and vc_writer_ok is false. ---- */

struct vc_writer { /* for the caller to place; n may be read */
    uint8_t *bytes;
    size_t size, n;
    bool full;
};
void vc_writer_init(struct vc_writer *w, void *bytes, size_t size);
void vc_write_u8(struct vc_writer *w, uint8_t value);
void vc_write_u32(struct vc_writer *w, uint32_t value);
void vc_write_u64(struct vc_writer *w, uint64_t value);
void vc_write_bytes(struct vc_writer *w, const void *bytes, size_t n);
/* Between these two, in pairs that do not nest, is one section. begin's result is for end. */
size_t vc_write_begin(struct vc_writer *w, uint32_t tag, uint32_t version);
void vc_write_end(struct vc_writer *w, size_t begun);
bool vc_writer_ok(const struct vc_writer *w);

/* ---- Reading. What is not there is 0, and from then on vc_reader_ok is false: look once, at the end. ---- */

struct vc_reader { /* for the caller to place; at may be read */
    const uint8_t *bytes;
    size_t size, at;
    bool bad;
};
void vc_reader_init(struct vc_reader *r, const void *bytes, size_t size);
uint8_t vc_read_u8(struct vc_reader *r);
uint32_t vc_read_u32(struct vc_reader *r);
uint64_t vc_read_u64(struct vc_reader *r);
/* n bytes to `to`, which is zeroed where they are not there. */
void vc_read_bytes(struct vc_reader *r, void *to, size_t n);
/* n bytes as they lie in the reader's own, NULL: they are not there. */
const void *vc_read_span(struct vc_reader *r, size_t n);
/* Nothing was missing so far. */
bool vc_reader_ok(const struct vc_reader *r);
/* … and nothing is left over. */
bool vc_reader_done(const struct vc_reader *r);

struct vc_section {
    uint32_t tag, version;
    struct vc_reader body;
};
/* The next section. *there: there is one, and r stands behind it; false at the end. VC_EINVAL: it is cut off, or its head is
 * none. */
int vc_read_section(struct vc_reader *r, struct vc_section *s, bool *there);

/* ---- The parts. Each save writes one section; each restore reads the body of one, of that tag. ---- */

/*
 * Version 1: u32 arch, u32 n, u64 hidden, n values u64 in the order of their indices; n <= HVM_NR_PARAMS.
 * Into a table that vc_params_init made; VC_EINVAL too: another architecture, or a value where there is no parameter.
 */
void vc_params_save(const struct vc_params *p, struct vc_writer *w);
int vc_params_restore(struct vc_params *p, struct vc_section *s);

/*
 * Version 1: u32 state (enum vc_pvcons_state), u32 1 if it is to connect once it heals, u32 out_cons, u32 in_prod, of which
 * the page may tell otherwise, for there they are the guest's to scribble on. The rings' bytes are in the page.
 * Into a door that is detached, with the page as it was saved. As vc_pvcons_attach, but from these indices and without draining:
 * the flag is DISCONNECTED and the state SERVED, or BROKEN if that is what it was, or what the page's indices make it; the
 * guest is notified at the next vc_pvcons_connect. A door that was saved detached stays so. VC_EBUSY: it is attached;
 * VC_EINVAL, or what bind said: it stays detached, and the page untouched.
 */
void vc_pvcons_save(const struct vc_pvcons *c, struct vc_writer *w);
int vc_pvcons_restore(struct vc_pvcons *c, struct vc_section *s, struct xencons_interface *page);

/*
 * Version 1: u32 type (enum vc_pl011_type), then u32 each UARTCR, UARTLCR_H, UARTIBRD, UARTFBRD, UARTIFLS, UARTIMSC,
 * UARTILPR, UARTDMACR, UARTRSR, the divisor in force, UARTRIS without RX, the wires from outside, 1 if the next byte
 * carries OE, n received, m unsent; then n entries u32 as UARTDR reads them, m bytes.
 * Coalesced writes are drained before. Into a UART of that type that was just initialised; env->irq and env->timer hear
 * of what differs from reset. Call vc_pl011_output_room when its line is there: unsent bytes wait for it; and offer input
 * anew: that it was refused before is not saved.
 * VC_EINVAL too: another type, a bit that cannot be, more bytes than the FIFOs hold.
 */
void vc_pl011_save(const struct vc_pl011 *u, struct vc_writer *w);
int vc_pl011_restore(struct vc_pl011 *u, struct vc_section *s);

/*
 * Version 1: u32 each IER, FCR (bits 0, 3, 6 and 7), LCR, MCR, SCR, the divisor latch, LSR bits 1 to 4 that were not
 * read yet, MSR bits 0 to 3, the wires from outside as in MSR, 1 if THR empty is to be told + 2 if received bytes waited
 * too long, n received, m unsent; then n entries u32, bits 7 to 0 the byte, 11 to 8 its LSR bits 4 to 1; m bytes.
 * Otherwise as the PL011.
 */
void vc_16550_save(const struct vc_16550 *u, struct vc_writer *w);
int vc_16550_restore(struct vc_16550 *u, struct vc_section *s);

/*
 * Version 1: u32 ports, u64 features offered, u64 features as the driver wrote them, u32 each Status, DeviceFeaturesSel,
 * DriverFeaturesSel, QueueSel, InterruptStatus, ConfigGeneration, 1 if features beyond 64 were asked for, 1 after
 * DEVICE_READY, the port whose messages are next; of each queue u64 each its three rings, u32 its size, 1 if it is ready + 2
 * if it is broken, chains used; of each port u32 what it is (1 plugged, 2 a console, 4 host open, 8 the guest was told, 16 ready,
 * 32 open), messages owed, answers to come, bytes taken of the chain that is next, columns, rows.
 * Saving shows the driver first what it has not been shown yet, with an interrupt if it wants one: its memory is saved after that.
 * What lies in guest memory is there before a restore. Into a device that was just initialised with that many ports and
 * features, with the same ports plugged; a size, or a host that is there, that differs from what the guest was told is told.
 * env hears of what differs from reset: the interrupt line, ports that are open. Call vc_virtio_console_serve when the lines
 * are there, and offer input anew: that it was refused before is not saved.
 * VC_EINVAL too: another set of ports, a state that cannot be, a ready queue whose rings do not lie in this memory.
 */
void vc_virtio_console_save(struct vc_virtio_console *c, struct vc_writer *w);
int vc_virtio_console_restore(struct vc_virtio_console *c, struct vc_section *s);

/*
 * Version 1: u32 n, below VC_FOCUS_LINE_BYTES, then n bytes of the line that the domain has not ended. Takes the domain's lock. restore: into a domain
 * that was just added and has not written. The focus itself is not saved, nor what was typed and not read: vc_focus_read
 * may take that, before the focus moves.
 */
void vc_focus_save(struct vc_focus *f, struct vc_focus_domain *d, struct vc_writer *w);
int vc_focus_restore(struct vc_focus *f, struct vc_focus_domain *d, struct vc_section *s);
/* The line that the domain has not ended is dropped unseen: the restored domain shows it. Takes the domain's lock. */
void vc_focus_forget(struct vc_focus *f, struct vc_focus_domain *d);

/*
 * Version 1: u32 abi, u32 the one at boot, u32 vCPUs, u32 1 if the guest placed shared_info, u64 its frame, u64 seconds, u32
 * nanoseconds, u32 version of the wall clock, u32 1 if runstates flag their update, u32 0; then, if it was not placed, the page's
 * 4096 bytes; then of each vCPU u32 1 if its vcpu_info is registered, u32 1 if an upcall was dropped, u64 where it is registered,
 * u32 version of its time, u32 runstate, u64 since when, 4 u64 times; and of its time and its runstate area each 2 u64 where
 * its two parts are, u32 bytes of the first, u32 bytes.
 * What lies in guest memory is saved with that, and is there before a restore. The domain stands still for both. Into one that
 * was just initialised or reset; a place that this memory has not is refused. A hypervisor that has places of its own is told of
 * all, as the guest's calls would have.
 */
void vc_shared_info_save(struct vc_shared_info *s, struct vc_writer *w);
int vc_shared_info_restore(struct vc_shared_info *s, struct vc_section *section);

/* Doors are pointers of this process; in a saved state they are numbers of the caller's, from 0. */
struct vc_save_doors {
    void *ctx;
    uint32_t (*number)(void *ctx, const void *door);
    void *(*door)(void *ctx, uint32_t number); /* NULL: there is none of that number */
};
/*
 * Version 1: u32 the domain's own id, u32 vCPUs, u32 words of a row, u32 ports that are not free, u32 0; of each such port, in
 * their order, u32 port, kind (enum vc_event_kind), rights, 1 if a door's port was made by the guest, vCPU, virq, remote domid,
 * remote port, door; then of each vCPU a row of u32 words: what is pending while there is no shared_info, else none.
 * After vc_shared_info_restore, into a table with all ports free. Ports keep their numbers. A channel to itself stays one,
 * whatever id the domain has now; a channel to another domain comes back unbound, as if that had closed it. VC_EINVAL too: a
 * door that is not there.
 */
void vc_events_save(struct vc_events *e, const struct vc_save_doors *doors, struct vc_writer *w);
int vc_events_restore(struct vc_events *e, const struct vc_save_doors *doors, struct vc_section *s);
/*
 * Before a restored domain runs, and when it can be interrupted: whoever has an event that is pending and not masked, or an upcall
 * pending, gets an upcall once more. Pages are saved one after another: one may show an event that came meanwhile, and
 * another, or the interrupt controller's state, not yet its upcall, which nobody would make then. Where the hypervisor delivers (deliver of vcons/events.h) that is its own to do.
 */
void vc_events_tell_again(struct vc_events *e);

#endif
