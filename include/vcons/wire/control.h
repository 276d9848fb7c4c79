/* SPDX-License-Identifier: MIT */
/*
 * wire/control.h: the service's control socket, control.sock.
 *
 * A UNIX stream socket. Requests and answers are JSON objects, one a line; requests are answered in order. A request is at
 * most VC_CONTROL_LINE_MAX bytes with the newline; an answer may be longer (ls of a thousand consoles). The first is hello:
 *
 *     {"id":1,"op":"hello","version":1}       {"id":1,"ok":{"version":1,"pid":…,"program":"vconsd 0.1.0"}}
 *     {"id":2,"op":"ls"}                      {"id":2,"ok":{"consoles":[CONSOLE…]}}
 *     {"id":3,"op":"status"}                  {"id":3,"ok":{"pid":…,"uptime_s":…,"consoles":…,"links":[…],"log_dir":…,…}}
 *     {"id":4,"op":"stop","domain":"web"}     {"id":4,"ok":{}}        also "reset"; "stop" with "all":true
 *     {"id":4,"op":"save","domain":"web"}     {"id":4,"ok":{}}        with the file's descriptor as SCM_RIGHTS; the answer comes
 *                                             when the domain is in the file and on the disk, or goes on
 *     {"id":5,"op":"console_add","domain":"web","name":"v1","device":0,"type":"virtio"|"virtio-port"}
 *                                             {"id":5,"ok":{"console":CONSOLE}}       device and type may be left out: these
 *     {"id":5,"op":"console_remove","domain":"web","name":"v1"}
 *                                             {"id":5,"ok":{"console":CONSOLE}}       its log stays
 *     {"id":5,"op":"resize","console":"web/v1","rows":25,"columns":80}
 *                                             {"id":5,"ok":{"console":"web/v1","rows":25,"columns":80}}  1 to 65535 each
 *     {"id":5,"op":"lease","console":"web/hvc0","for_s":3600,"note":"…"[,"steal":true]}
 *                                             {"id":5,"ok":{"console":"web/hvc0","until":…}}  note: up to 63 bytes;
 *                                             for_s 0 ends yours; with "steal" anybody's
 *     {"id":5,"op":"source_add","name":"vm/serial","source":"unix:/run/vm.sock","settings":{"delay":"500"},"keep":false}
 *                                             {"id":5,"ok":{}}                        as a block of vconsd.conf(5) that has these keys
 *     {"id":5,"op":"source_remove","name":"vm/serial"}
 *                                             {"id":5,"ok":{}}                        one that was added so; its log stays
 *     {"id":5,"op":"reload"}                  {"id":5,"ok":{"added":1,"changed":0,"removed":0,"same":7}}  consoles with a source
 *     {"id":5,"op":"xen","do":"console_add"|"console_remove"|"release"|"attach_ring","domain":"web","name":"pv1",
 *      "keep":true}                           {"id":5,"ok":{"text":"…"}}              of a service in a dom0; name is for consoles,
 *                                             keep, of one that is added, for the domain's next start
 *     {"id":5,"op":"attach","console":"web/hvc0","from":FROM,"follow":true,"write":"no"|"free"|"steal","marks":MARKS}
 *                                             {"id":5,"ok":{"console":"web/hvc0","state":…,"start":0,"offset":…,"end":…,
 *                                             "rows":…,"columns":…,"break":true|false,"on_demand":true|false}}, then frames; the size
 *                                             is 0 if nobody has set any; "break": whether you may send one; "on_demand":
 *                                             as in CONSOLE
 *     {"id":6,"op":"upgrade","version":1}     for a new service that takes this one's place: what follows the answer is between both
 *     anything refused                        {"id":N,"error":CODE,"message":"…"}
 *
 * CONSOLE: name domain console domid hypervisor engine door state(running off crashed paused away) bytes dropped boots viewers
 * synced(how many of bytes a loss of power would leave, or null: vconsd.conf(5), fsync)
 * unsaved(how many of bytes are in memory only, for the disk refuses them, or lost because there was no room)
 * writer(null or who) writer_since last_output(seconds since the epoch, or null) source log socket pty tty(the paths of its
 * slaves, behind the link and in a Xen's XenStore, or null) limit(null, or bytes_a_second over("hold" or "drop")
 * dropped held_s(seconds)) guest("open" or
 * "closed": what the guest last did to its end of a virtio port; else null); source is what was configured, as KIND:WHERE, or
 * the kind of what others brought, or null; reason(why it is not connected, or null) early_output(whether what the guest says
 * before the service is there is kept for it) on_demand(connected while somebody is attached: vconsd.conf(5), connect) turned_away(peers that came while there was one)
 * lease(null, or {who, uid, since, until, note}: until then only that user's viewers have the write token).
 * FROM: "start" | "now" | {"offset":N} | {"tail":BYTES} | {"lines":N} | {"time_ns":N (realtime)} | {"boot":N, -1 the newest}.
 * MARKS: false; true for records that have a place in the stream; "time" for time marks as well.
 * An offset that retention already took begins at the oldest byte kept; "start" in the answer is that byte,
 * "offset" where the stream begins, "end" the length of the log at that moment.
 * Without follow the stream ends at "end", with a frame of type end.
 *
 * After the answer to attach the connection carries frames both ways, and never JSON again: vc_control_frame, then
 * length bytes. Little-endian.
 */
#ifndef VCONS_WIRE_CONTROL_H
#define VCONS_WIRE_CONTROL_H
#include <stddef.h>
#include <stdint.h>

#define VC_CONTROL_VERSION  1
#define VC_CONTROL_LINE_MAX (64u * 1024)
#define VC_CONTROL_IN_MAX   4096u         /* payload of a frame from the client, at most */
#define VC_CONTROL_OUT_MAX  (256u * 1024) /* payload of a frame from the service, at most */
#define VC_CONTROL_DEVICES  32u           /* virtio devices of a domain: as wire/virtio_places.h has places */

/* Codes in "error". */
#define VC_CONTROL_E_BAD         "bad-request"
#define VC_CONTROL_E_VERSION     "version"
#define VC_CONTROL_E_NO_CONSOLE  "no-such-console"
#define VC_CONTROL_E_NO_DOMAIN   "no-such-domain"
#define VC_CONTROL_E_NOT_ALLOWED "not-allowed"
#define VC_CONTROL_E_AWAY        "away" /* the source is not connected, so it cannot be asked */
#define VC_CONTROL_E_FAILED      "failed"

enum vc_control_frame_type {
    VC_CONTROL_OUT = 1,   /* service: u64 offset, then bytes of the log that begin there */
    VC_CONTROL_IN = 2,    /* client: bytes to type; refused with a token frame without the token */
    VC_CONTROL_MARK = 3,  /* service: a struct vc_index_record, in its place among the out frames */
    VC_CONTROL_TOKEN = 4, /* client: u8 enum vc_control_token_op. service: struct vc_control_token */
    VC_CONTROL_RESIZE =
        5, /* client: u16 rows, u16 columns, of its terminal; heard from who has the token, unless one is 0 */
    VC_CONTROL_BREAK = 6,  /* client: empty */
    VC_CONTROL_END = 7,    /* service: u8 enum vc_control_end, then text; the connection closes */
    VC_CONTROL_SYNC = 8,   /* client: any payload up to 16 bytes; the service returns it once all earlier in bytes are
                              in the line, or were refused */
    VC_CONTROL_LEASE = 9,  /* service: struct vc_control_lease; at attach if there is one, and whenever that changes */
    VC_CONTROL_ASKED = 10, /* service, to who has the token: NUL-terminated text of at most 64 bytes, who requests it */
};

struct vc_control_frame {
    uint32_t length; /* of what follows this header */
    uint8_t type;
    uint8_t zero[3];
};

enum vc_control_token_op {
    VC_CONTROL_RELEASE = 0,
    VC_CONTROL_REQUEST = 1,
    VC_CONTROL_STEAL = 2, /* from who has it; refused where another user has a lease */
    VC_CONTROL_FORCE = 3, /* that too, and the lease ends */
};
enum vc_control_token_state {
    VC_CONTROL_FREE = 0,
    VC_CONTROL_YOURS = 1,
    VC_CONTROL_OTHERS = 2,
    VC_CONTROL_REFUSED = 3
};

struct vc_control_token {
    uint8_t state; /* enum vc_control_token_state; REFUSED: others hold it and you just typed or asked */
    uint8_t zero[7];
    uint64_t since_ns; /* CLOCK_REALTIME of when the holder took it */
    char holder[64];   /* "user (pid 123)", "terminal of lab1"; NUL-terminated */
};

#define VC_CONTROL_NOTE_BYTES  64u
#define VC_CONTROL_LEASE_MAX_S (30u * 24 * 3600)

struct vc_control_lease {
    uint64_t since_ns, until_ns; /* CLOCK_REALTIME; until 0: it has ended */
    char who[64], note[VC_CONTROL_NOTE_BYTES];
};

enum vc_control_end {
    VC_CONTROL_END_DONE = 0,    /* the asked-for part has been sent */
    VC_CONTROL_END_CONSOLE = 1, /* the console is gone for good */
    VC_CONTROL_END_SERVICE = 2, /* the service stops */
    VC_CONTROL_END_BAD = 3,     /* a frame of yours breaks the protocol */
};

_Static_assert(sizeof(struct vc_control_frame) == 8, "wire layout");
_Static_assert(sizeof(struct vc_control_token) == 80, "wire layout");
_Static_assert(sizeof(struct vc_control_lease) == 144, "wire layout");

#endif
