/* SPDX-License-Identifier: MIT */
/*
 * log_private.h: what the files of the log store share. Nobody else includes it.
 *
 *     log_store.c      the directory of all logs, names, messages      log_open.c    open, close, what readers may see
 *     log_files.c      files of one console: names, segments, scan     log_recover.c repair at open
 *     log_index.c      records                                         log_rotate.c  new segments, vanished files
 *     log_append.c     bytes, marks, full disk                         log_tidy.c    retention
 *     log_cursor.c     readers                                         log_locate.c  where readers begin
 *     log_frames.c     compressed segments                             log_compress.c  made of closed ones
 *     log_pin.c        what is kept of deleted ones                    log_sync.c    what survives a loss of power
 *     log_rebuild.c    indices that are gone                           log_names.c    what a directory held a moment ago
 *     log_memory.c     what a full disk refuses                        log_save.c     and how it gets there in the end
 */
#ifndef VCONS_SERVICE_LOG_PRIVATE_H
#define VCONS_SERVICE_LOG_PRIVATE_H
#include "log.h"
#include "log_frames.h"

#define NS_PER_S          UINT64_C(1000000000)
#define LOG_RETRY_NS      NS_PER_S
#define LOG_MARK_NS       (NS_PER_S / 10)     /* of a console that never rests: log_settle marks those that do */
#define LOG_ROOM_BYTES    UINT64_C(4096)      /* preallocated in the index for what is said about a full disk */
#define LOG_SEGMENT_FLOOR UINT64_C(65536)     /* no sharing makes segments smaller */
#define LOG_CHUNK_BYTES   UINT64_C(262144)    /* written by one call, so that its records fit on the stack */
#define LOG_FILE_NAME     32u                 /* 20 digits, suffix, NUL */
#define LOG_OFFSET_MAX    (UINT64_C(1) << 62) /* of a segment: no sum of an offset and a file's length wraps */
#define LOG_SEGMENTS_MAX  65536u              /* of one console; more were not made by us */

/* 64-bit members that other threads read or add to. */
static inline uint64_t load64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void store64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void add64(uint64_t *p, uint64_t v) { (void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED); }

/* What each console does now and then is done less often the more there are: a thousand times a second by all of them. */
static inline uint64_t log_share_ns(const struct log *l)
{
    return NS_PER_S / 1000 * __atomic_load_n(&l->store->n_logs, __ATOMIC_RELAXED);
}

/* log_store.c */
enum log_tell_kind { LOG_TELL_FAIL, LOG_TELL_AGAIN, LOG_TELL_FILES, LOG_TELL_SYNC };
/* One line to the operator, unless one of its kind came in the last 10 s (R27). Allocation-free. */
__attribute__((format(printf, 4, 5))) void log_tell(const struct log *l, enum log_tell_kind kind,
                                                    const struct log_time *now, const char *format, ...);
const char *log_error_text(int error);                                      /* of a positive errno */
void log_store_account(struct log_store *s, struct log *l, uint64_t bytes); /* bytes more are on disk; l may be NULL */
void log_account(struct log *l, uint64_t bytes);                            /* the same; a cap that is passed is told */
void log_forget(struct log_store *s, struct log *l, uint64_t bytes);        /* fewer; l may be NULL */
void log_untidy(struct log_store *s);                                       /* have it tidied, once */

/* log_files.c */
/* DOMAIN/CONSOLE below the store, no link followed. A descriptor or a negative errno. */
int log_dir_open(const struct log_store *s, const char *domain, const char *console);
/* The same, made if it is not there, and then *empty. */
int log_dir_make(const struct log_store *s, const char *domain, const char *console, bool *empty);
void log_file_name(char name[LOG_FILE_NAME], uint64_t start, const char *suffix);
/* A regular file of that name in dir, no link followed. A descriptor or a negative errno. */
int log_file_open(int dir, uint64_t start, const char *suffix, int flags);
int64_t log_file_bytes(int fd); /* or a negative errno */
/* 0: there is no such regular file. modified_ns may be NULL. */
uint64_t log_file_size(int dir, uint64_t start, const char *suffix, uint64_t *modified_ns);

struct log_segment {
    uint64_t start;
    uint64_t bytes; /* of the history */
    uint64_t disk, idx_bytes;
    uint64_t modified_ns; /* CLOCK_REALTIME: when its last byte was stored, by the file */
    bool compressed;
};
struct log_segments { /* by start */
    struct log_segment *at;
    size_t n;
    uint64_t bytes; /* on disk, of all, with indices */
};
/* What a console's directory holds by its names alone: where each starts, and whether it is compressed. It costs no look at any
 * file, and moves the descriptor's place. 0 or a negative errno; finish in either case. Allocates. */
int log_segments_names(struct log_segments *list, int dir);
int log_segments_recall(struct log_segments *list, struct log_store *s,
                        int dir); /* the same, as it was if nothing changed */
/* The rest about one of them. A compressed one ends where the next begins: its own word counts only when it is read. */
void log_segment_measure(struct log_segments *list, size_t i, int dir);
/* Bytes, or marks more than its START: none was planted. Measures it. */
bool log_segment_has_content(struct log_segments *list, size_t i, int dir);
/* Both, of all. */
int log_segments_read(struct log_segments *list, int dir);
int log_segments_of(struct log_segments *list, const struct log_store *s, const char *domain, const char *console);
void log_segments_finish(struct log_segments *list);
/* Where the first segment behind that one starts, last at most. Allocates nothing. */
uint64_t log_segment_next(int dir, uint64_t after, uint64_t last);
/* The last segment that starts at or before offset, else the first; NULL: there is none. Names in the list do. */
const struct log_segment *log_segment_at(struct log_segments *list, int dir, uint64_t offset);

/* log_locate.c */
typedef bool log_visit(void *ctx, const struct vc_index_record *r); /* false: enough */
/* Each good record of a segment, in order. 0 or a negative errno. Allocates. */
int log_index_visit(int dir, const struct log_segment *s, log_visit *each, void *ctx);
/* The START of a segment; kind 0 if it has none. */
struct vc_index_record log_index_start(int dir, const struct log_segment *s);

/* log_rebuild.c */
/* Make the index that a closed segment does not have; before: the newest record before it, or kind 0. Allocates. */
int log_index_rebuild(struct log_store *s, int dir, struct log_segment *segment, const struct vc_index_record *before);
/* Of all from the first on that have none. Returns how many bytes more are on the disk. */
uint64_t log_indices_rebuild(struct log_store *s, int dir, struct log_segments *list, size_t first);

/* log_pin.c */
struct log_pin {
    uint64_t begin, end;
};
struct log_pins { /* newest first, none overlap */
    struct log_pin *at;
    size_t n;
};
/*
 * The first pin_bytes of each boot, of the newest boots first, budget bytes in all. 0 or a negative errno; finish in either
 * case. Allocates.
 */
int log_pins_read(struct log_pins *p, int dir, const struct log_segments *list, uint64_t pin_bytes, uint64_t budget);
void log_pins_finish(struct log_pins *p);
/* The first of [from, to) that is pinned, with what is pinned right behind it. False: nothing is. */
bool log_pins_next(const struct log_pins *p, uint64_t from, uint64_t to, struct log_pin *pin);
/* Write the part of a segment as files that nobody reads yet. 0 or a negative errno. */
int log_pin_write(struct log_store *s, int dir, const struct log_segment *segment, const struct log_pin *pin);
/* Give them their names if take and all goes well, else delete them. */
int log_pin_place(int dir, const struct log_pin *pin, bool take);

/* log_index.c */
/* True: its checksum fits, and its offset lies in [low, high]. */
bool log_record_ok(const struct vc_index_record *r, uint64_t low, uint64_t high);
void log_record_seal(struct vc_index_record *r);
/* A record of what the log knows now, sealed with its checksum. */
struct vc_index_record log_record(const struct log *l, enum vc_index_kind kind, uint64_t value,
                                  const struct log_time *now);
/* Write n records behind the newest, or negative errno and none of them counts. Nothing is published. */
int log_records_write(struct log *l, const struct vc_index_record *r, unsigned n);
int log_record_write_at(struct log *l, const struct vc_index_record *r, uint64_t at); /* neither counted nor kept */
int log_records_read(int fd, uint64_t at, struct vc_index_record *r, unsigned n);     /* how many, or negative errno */
void log_index_reserve(struct log *l); /* keep LOG_ROOM_BYTES allocated ahead, if the file system does */
/* The time mark that vouches for all bytes up to the end. */
int log_time_mark(struct log *l, const struct log_time *now);

/* log_open.c */
void log_publish(struct log *l); /* let readers see what is stored */

/* log_recover.c */
/* Find the newest segment and repair it. 0: all about the log's end is known; the files are open if appending goes on in
 * them. *lost: bytes that were stored once and had to be cut. */
int log_recover(struct log *l, int dir, uint64_t *lost);
int log_recover_view(struct log *l, int dir); /* the same for a reader: nothing is changed */

/* log_store.c: what holds for a console, each member as it is said there or without it. */
void log_rules_find(const struct log_store *s, const char *domain, const char *console, struct log_rules *rules);
void log_rules_take(struct log *l); /* into an open log */

/* log_sync.c */
void log_dirty(struct log *l); /* behind each log_publish of something new */

/* log_rotate.c */
uint64_t log_segment_limit(const struct log *l);
uint64_t log_index_limit(uint64_t segment_limit);
int log_rotate(struct log *l, const struct log_time *now); /* go on in a new segment that starts at the end */
int log_rotate_in(struct log *l, int dir, bool empty, const struct log_time *now); /* the same, of log_dir_make */
void log_point_current(int dir, uint64_t start);                 /* current.log is the segment that starts there */
int log_check_linked(struct log *l, const struct log_time *now); /* files deleted under us? then anew; each second */
void log_files_close(struct log *l);

/* log_append.c */
int log_ensure_files(struct log *l,
                     const struct log_time *now);           /* ours, linked and known to the end; or a negative errno */
int log_prepare(struct log *l, const struct log_time *now); /* the same, with room for more, and no gap that grows */
/* At most one chunk of the spans, from byte *done on, which it moves on by what is stored. */
int log_store_chunk(struct log *l, const struct vc_span spans[2], uint64_t *done, const struct log_time *now);
int log_gap_close(struct log *l, const struct log_time *now);
/* Count n bytes as not stored, in the gap that stands at the end. */
void log_discard(struct log *l, uint64_t n, const struct log_time *now);
void log_fail(struct log *l, int error, const struct log_time *now);

/* log_save.c */
/* Store what is in memory, as far as the disk takes it. 0: all, and there is no memory any more; or a negative errno. */
int log_save(struct log *l, const struct log_time *now);

/* log_cursor.c */
void log_cursor_show_lost(struct log_cursor *c, struct log_item *item);
void log_cursor_pass(struct log_cursor *c); /* it is beyond the files: marks before its offset were shown */

/* log_tidy.c */
/* Delete this log's own oldest segment without a pin, or else its oldest, never the newest: where tidying does not keep up. */
void log_shed(struct log *l);
/* Its raw file and its index are others already: delete the compressed one. Returns the bytes that went of all three. */
uint64_t log_segment_thin(int dir, const struct log_segment *segment);
/* Delete one segment's files. Returns the bytes that went. */
uint64_t log_segment_delete(int dir, const struct log_segment *segment);

#endif
