/* SPDX-License-Identifier: MIT */
/*
 * log.h: the log store. A console's log is the buffer between its source and every reader, and after a crash its
 * length is the commit record: what is in the log was taken from the line, nothing else was.
 *
 * Spec:  design §1, §5; wire/index.h for the records; docs/vcons-log-format.5 for the files; rules R2, R5, R41, R44,
 *        R45, R49 of reliability. "Stored" means: in the kernel's page cache, safe from the death of this process,
 *        not from a loss of power.
 * Owner: the caller places struct log_store, struct log and struct log_cursor. A store outlives its logs, a log its
 *        cursors. No memory is allocated by log_attach, log_append, log_mark and log_settle, nor by rotation.
 * Lock:  one thread at a time for each log may call what is marked (append). Cursors and log_locate belong to any
 *        other thread, one at a time for each cursor, and need no lock against the append thread: they read files
 *        with pread, up to a length that is published only after the write. log_store_tidy: one call at a time.
 * Trust: bytes come from guests and are never looked at. Files may have been cut, scrambled or replaced by whoever
 *        writes to the directory: every record is checked before use, readers only ever go forward, damage becomes a
 *        counted gap. Names must be checked ids; they are checked again.
 *
 * A store is a directory with DOMAIN/CONSOLE/ below it and in each NNNNNNNNNNNNNNNNNNNN.log or .log.zst, .idx and current.log.
 *
 * Order for whoever carries a line: record (attach, event) before any later byte and before the event is marked done;
 * append before commit. A kill between any two steps then neither loses nor doubles a byte.
 *
 * System calls beyond read and write families, for the sandbox: openat, close, newfstatat, fstat, statfs, getdents64,
 * mkdirat, unlinkat, renameat, symlinkat, fallocate, ftruncate, lseek, fcntl.
 */
#ifndef VCONS_SERVICE_LOG_H
#define VCONS_SERVICE_LOG_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <vcons/ring.h>
#include <vcons/wire/index.h>

#define LOG_NAME_BYTES 33u /* a domain's or console's name with its NUL */

struct log_time {     /* read by the caller, once for each round */
    uint64_t real_ns; /* CLOCK_REALTIME: may jump */
    uint64_t mono_ns; /* CLOCK_MONOTONIC: all timing here goes by it */
};

struct log_limits {         /* 0: the default */
    uint64_t segment_bytes; /* a segment is rotated at this size: 16 MiB, less where many consoles share the
                               total */
    uint64_t console_bytes; /* 256 MiB: of segments and indices, for each console */
    uint64_t total_bytes;   /* for all: the smaller of a tenth of the file system and 4 GiB */
    uint64_t memory_bytes;  /* for what the disk refuses, of all: 64 MiB; below 16 KiB there is none */
};

struct log_rules {           /* of one console; of an open log each member is atomic */
    uint64_t segment_bytes;  /* 0: as log_limits */
    uint64_t segment_age_ns; /* a segment that is as old is rotated by the next byte; 0: a quarter of keep_age_ns */
    uint64_t keep_bytes;     /* 0: as log_limits */
    uint64_t keep_age_ns;    /* closed segments whose last byte is older go; 0: at any age */
    uint64_t pin_bytes;      /* the first bytes of each boot, which retention by size deletes last */
    uint64_t raw;            /* 1: closed segments are not compressed */
    uint64_t sync_ns; /* what is stored is flushed to the disk that late at most; 0: never by us; 1: without pause */
};
#define LOG_PIN_BYTES (UINT64_C(1) << 20) /* without a rule */

struct log_env {
    /* One line for the operator, without newline; from any thread, at most one each 10 s of each kind. */
    void (*message)(void *ctx, const char *text);
    /* A cap was passed: have log_store_tidy called soon, elsewhere. From an append thread; not again before
     * it ran. */
    void (*untidy)(void *ctx);
    /* A segment was closed: log_compress_next has something. From an append thread; NULL: nothing is compressed. */
    void (*closed)(void *ctx);
    /* Something of a log whose rules have a sync_ns is not on the disk: have log_store_sync called elsewhere. Any thread. */
    void (*dirty)(void *ctx);
    /* What holds for this console, over *rules, which holds without. Any thread; NULL: for none anything else. */
    void (*rules)(void *ctx, const char *domain, const char *console, struct log_rules *rules);
};

struct log;
struct log_memory;
struct log_pool { /* log_memory.h */
    pthread_mutex_t lock;
    uint8_t *at;                       /* NULL: there is none */
    uint16_t *free;                    /* slots that were given back */
    uint32_t n_slots, n_free, n_fresh; /* n_fresh: so many were taken at least once */
};
struct log_names { /* of the directory that somebody sought in last: log_names.c */
    dev_t dev;
    ino_t ino;
    struct timespec changed;
    struct log_segment *at; /* NULL: none are kept */
    size_t n;
};
struct log_store { /* for the caller to place, not to read */
    const struct log_env *env;
    void *ctx;
    struct log_limits limits;
    uint64_t machine_boot; /* of this boot of the machine; page cache of another boot is not to be trusted */
    int dir;
    pthread_mutex_t lock; /* guards logs; never held together with another lock, nor in an append */
    struct log *logs;
    pthread_mutex_t
        frames_lock; /* log_frames.h: of the compressed segments that are open, and what of them is unpacked */
    struct log_frames *frames;     /* the first */
    struct log_unpacked *unpacked; /* NULL: nothing is open */
    pthread_mutex_t names_lock;
    struct log_names names;   /* under names_lock */
    struct log_pool pool;     /* of what the disk refuses */
    uint32_t n_logs;          /* that append; atomic, as all below */
    uint32_t untidy;          /* env->untidy was called */
    uint32_t n_failing;       /* logs that cannot store now */
    uint64_t bytes;           /* of all files */
    uint64_t tidy_above;      /* bytes: the cap of the whole, or what tidying could not get below */
    uint64_t next_message[4]; /* mono_ns; of each kind */
    uint32_t sync_round;      /* counts commits; under lock */
    uint32_t sync_closed;     /* atomic: a log was closed before the commit that it waited for */
    uint64_t clock_base;      /* CLOCK_REALTIME less CLOCK_MONOTONIC, when first tidied; 0: not yet */
};

/*
 * Open the store at path, which exists. Returns 0 or a negative errno. env and ctx outlive the store; both
 * functions may be NULL. Sums up what is there, so it costs one look at each file.
 */
int log_store_open(struct log_store *s, const char *path, const struct log_limits *limits, const struct log_env *env,
                   void *ctx);
void log_store_close(struct log_store *s); /* after all its logs; accepts a zeroed store */
/*
 * Delete segments that are older than they may get, and oldest ones until each console and the whole are below their caps: of
 * the console that has most first, so that a flood costs the flooder its history and nobody else's. Of a segment that goes by
 * size what is pinned stays, up to half of the cap. A wall clock that is set forward makes nothing old before the store is
 * opened anew. Returns after how many nanoseconds something will be too old; UINT64_MAX: never. Blocks on the disk; allocates.
 */
uint64_t log_store_tidy(struct log_store *s, const struct log_time *now);
/*
 * Flush what is due. Returns after how many ns to call again, 0: at once, UINT64_MAX: when env's dirty is called. One call at
 * a time; blocks on the disk.
 */
uint64_t log_store_sync(struct log_store *s, const struct log_time *now);
/* What log_env's rules says is another now: have the open logs know. */
void log_store_rules(struct log_store *s);
/* Every console that has a directory here, in no order. Returns 0 or a negative errno. */
int log_store_each(struct log_store *s, void (*each)(void *ctx, const char *domain, const char *console), void *ctx);

struct log_view {       /* what readers see, all of one moment */
    uint64_t length;    /* bytes in the console's history; the next byte's offset */
    uint64_t saved;     /* those before it are in files; the others are in memory, or are lost */
    uint64_t segment;   /* first offset of the newest segment */
    uint64_t idx_bytes; /* valid records of its index */
    uint32_t files;     /* changes whenever the files of the newest segment are others */
    uint32_t boot;      /* newest boot, counted in this log from 1; 0: none */
};

struct log { /* for the caller to place and zero, not to read; well below 1 KiB */
    struct log_store *store;
    struct log *next; /* in store->logs */
    struct log_rules rules;
    char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
    bool open, writes;                   /* writes: for appending */
    int log_fd, idx_fd;                  /* -1 while the disk refuses them */
    uint64_t segment, length;            /* of what is in files; length is the view's saved */
    struct log_memory *memory;           /* what is not; NULL: all is. Readers: under the pool's lock */
    uint64_t idx_bytes, idx_room;        /* idx_room: preallocated up to here */
    uint64_t marked_offset, marked_mono; /* newest time mark */
    uint64_t segment_mono, segment_real; /* when the segment was begun; 0: real is not known, or not needed */
    uint64_t checked_mono;               /* when the files were last seen to be linked */
    uint64_t retry_mono;                 /* while error: not before */
    uint64_t patient_mono;               /* no new segment could be opened: the next try */
    uint64_t gap;                        /* bytes of the gap that still grows */
    uint64_t discarded, marks_lost;      /* bytes, records */
    int error;                           /* errno while nothing can be stored, else 0 */
    uint32_t crc;                        /* of the last, incomplete block */
    uint32_t line_index, boot, files;
    uint32_t n_marks; /* that were kept in memory: their numbers */
    uint32_t closed;  /* atomic: 1 when it has a closed segment that nobody looked at */
    uint16_t event;
    bool gap_open;   /* gap > 0: it grows */
    bool gap_stored; /* its record stands at idx_bytes, where it can be overwritten, and is not in the view */
    bool recovered;  /* what the directory held is known */
    bool rotate;     /* the index misses a record: go on in a new segment */
    uint8_t line_id[16];
    uint64_t stored_ns; /* by the newest segment's file, at open */
    uint64_t sync_length,
        sync_mono; /* log_sync.c, under the store's lock: of the commit under way; when the last began */
    uint32_t sync_round;
    uint32_t dirty;  /* atomic: 1: it has what no commit took yet */
    uint64_t synced; /* atomic: all before this offset is on the disk */
    uint64_t oldest; /* atomic: first offset that is kept */
    uint64_t bytes;  /* atomic: of all files of this console */
    _Alignas(
        64) uint32_t view_seq; /* atomic: how often a view was published; its lowest bit says which of the two it is */
    struct log_view view[2];   /* each member atomic */
};

enum log_open_flags {
    LOG_READ = 1, /* only to be read: nothing is created, repaired or written; -ENOENT if there is none */
};

/*
 * Open, repair and if need be create a console's log. (append) Returns 0, or a negative errno and then
 * nothing is held: -EINVAL a name that is no id, -ELOOP or -ENOTDIR something planted in the way, -EMFILE. A
 * disk that is full or read-only is no failure: the log opens, discards and retries as in log_append.
 *
 * Repair: tails that are no whole record, or fail their CRC, are cut. If the machine was restarted since, the
 * newest segment is read in full; what does not match its CRCs, and what is behind the newest, is cut and
 * marked as a gap.
 */
int log_open(struct log *l, struct log_store *s, const char *domain, const char *console, unsigned flags,
             const struct log_time *now);
void log_close(struct log *l, const struct log_time *now); /* (append) accepts a zeroed log, and a closed one */

struct log_point {
    uint32_t cons;  /* the line's out index of the first byte that is not in the log */
    uint32_t boot;  /* boots counted in this log */
    uint16_t event; /* as vc_sink_resume wants it */
};
/* Where this line stood when its last byte was stored. False: the newest line of this log is another, attach anew. */
bool log_resume(const struct log *l, const uint8_t line_id[16], struct log_point *point);

/*
 * A source comes; its next byte has this out index (sources without a line: a zeroed id and 0). (append)
 * log_resume to the same line needs no new attach, but may have one.
 */
int log_attach(struct log *l, const uint8_t line_id[16], uint32_t line_index, const struct log_time *now);
/*
 * A record at the end of the log. (append) event: what came as a line event, its sequence + 1 in 16 bits;
 * else 0. A BOOT is counted: its record, and each after it, carries the number within this log in boot.
 * Returns 0, or a negative errno when there is no room even for a record: the mark is lost and counted.
 */
int log_mark(struct log *l, enum vc_index_kind kind, uint64_t value, uint16_t event, const struct log_time *now);
/*
 * Store the bytes of two spans. (append) What the disk refuses is kept in memory, where readers find it, as long as there is
 * room, and is stored by log_retry or by what comes next, tried once a second. Returns how many were stored or kept; the
 * rest were discarded, counted, and marked as one gap that grows, so the caller may commit all of them either way.
 */
uint32_t log_append(struct log *l, const struct vc_span spans[2], const struct log_time *now);
/* So many bytes of the source are thrown away: counted, and marked as one gap that grows until the next is stored. (append) */
void log_skip(struct log *l, uint32_t n, const struct log_time *now);
/*
 * Write the time mark that is due for the last bytes, if any. (append) For a thread about to sleep, when a console has no
 * more for now: the mark dates its last words, and makes them verifiable after a loss of power. While it goes on without a
 * rest log_append marks by itself, each 64 KiB or 100 ms, or a second where a thousand consoles print. False: nothing was due.
 */
bool log_settle(struct log *l, const struct log_time *now);

/* Whether something is in memory only: then log_retry is to be called once a second, also when nothing comes. (append) */
static inline bool log_unsaved(const struct log *l) { return l->memory != NULL; }
void log_retry(struct log *l, const struct log_time *now); /* (append) */
uint64_t log_end(const struct log *l);                     /* (append) the next byte's offset */

/*
 * The domain's name is another from now on, and with it the log's directory. Nothing is appended meanwhile; cursors go on. 0, or a
 * negative errno and all is as it was: -EEXIST: there is a log of that name.
 */
int log_rename(struct log *l, const char *domain);

/* Any thread. */
struct log_status {
    uint64_t length, oldest; /* the history kept is [oldest, length) */
    uint64_t bytes;          /* on disk, with indices */
    uint32_t boot;
    bool syncs;         /* it is flushed to the disk, and */
    uint64_t synced;    /* this far: what a loss of power leaves */
    uint64_t discarded; /* bytes that were not stored, since it was opened: for want of room, or over a limit */
    uint64_t unsaved; /* of length, the last so many are not in files: in memory, or lost where memory was too small */
    uint64_t opened_ns; /* CLOCK_REALTIME of the last byte stored before the log was opened, by its file; 0: none */
};
void log_view_get(const struct log *l, struct log_view *view);
void log_status_get(const struct log *l, struct log_status *status);

struct log_glance { /* zero it first: nothing is known */
    struct log_status status;
    uint64_t segment, bytes, modified_ns; /* of the newest segment's file */
    bool known;
};
/*
 * The status of a log that is not open. It is opened only if this was not done before, or its newest segment's file is
 * not what it was then. Any thread. 0 or what log_open answered, and then a zeroed status.
 */
int log_glance(struct log_glance *g, struct log_store *s, const char *domain, const char *console,
               const struct log_time *now);

/* Where a reader begins. */
enum log_from_kind {
    LOG_FROM_START,  /* the oldest byte kept */
    LOG_FROM_NOW,    /* behind the newest */
    LOG_FROM_OFFSET, /* value, moved into [oldest, length] */
    LOG_FROM_TAIL,   /* value bytes before the end */
    LOG_FROM_LINES,  /* value lines before the end, as tail -n; looks back 16 MiB at most */
    LOG_FROM_TIME,   /* the first byte that was stored at or after value, CLOCK_REALTIME nanoseconds */
    LOG_FROM_BOOT,   /* boot value, counted in this log from 1; -1 the newest, -2 the one before */
};
struct log_from {
    enum log_from_kind kind;
    int64_t value;
};
/*
 * Any thread. 0 and *offset; -ENOENT: no such boot is kept; else a negative errno. Names, a few first records and one index are
 * read, whatever the log's length. Where the clock was set back, a time may have been passed more than once: one of these.
 */
int log_locate(const struct log *l, const struct log_from *from, uint64_t *offset);

#define LOG_KIND(kind)   (UINT32_C(1) << (kind)) /* for the set of kinds a cursor shows */
#define LOG_KINDS_STREAM                         /* all that a viewer shows */                                         \
    (~(LOG_KIND(VC_INDEX_TIME) | LOG_KIND(VC_INDEX_CRC) | LOG_KIND(VC_INDEX_START) | LOG_KIND(VC_INDEX_UNSAVED)))

enum log_item_kind { LOG_NOTHING, LOG_BYTES, LOG_MARK };
struct log_item {
    enum log_item_kind kind;
    uint64_t offset;               /* of the first byte, or where the mark is shown */
    struct vc_index_record record; /* MARK: a checked copy. Lost history shows as a GAP without a line */
    uint64_t n;                    /* BYTES: how many stand here in a row, at least 1, up to the next mark shown */
    uint64_t position;             /* BYTES: where in the segment they begin */
    int fd; /* BYTES: the segment's file, the cursor's, good until its next call; -1: only log_cursor_read reads it */
};

#define LOG_CURSOR_RECORDS 16u
struct log_cursor { /* for the caller to place, not to read */
    const struct log *log;
    uint64_t offset, from;    /* of the next byte; and where it was opened: marks before are not shown */
    uint64_t segment, end;    /* the open one, and where its bytes end for now */
    uint64_t idx_at, idx_end; /* bytes of its index that were read, and that are valid for now */
    uint64_t lost;            /* bytes skipped and not yet shown as a gap */
    uint64_t shown_at;        /* beyond the files marks were shown up to there, ... */
    uint32_t kinds, files;
    uint32_t n_shown, next_mark;     /* ... and so many that stand there; the number of the next */
    uint32_t n_records, next_record; /* of records: read ahead */
    int log_fd, idx_fd;              /* -1: none */
    struct log_frames *frames;       /* instead of log_fd: it is compressed */
    bool open, closed;               /* closed: the segment has its final length */
    bool beyond;                     /* it was in memory once: what it showed there is in files later */
    struct vc_index_record taken;    /* the last of a segment that is opened anew; kind 0: none */
    struct vc_index_record records[LOG_CURSOR_RECORDS];
};

/* Open at an offset, moved into [oldest, length]; marks that stand at it come first. Two descriptors. 0 or
 * negative errno. */
int log_cursor_open(struct log_cursor *c, const struct log *l, uint64_t offset, uint32_t kinds);
void log_cursor_close(struct log_cursor *c); /* accepts a zeroed one */
/*
 * What stands next: bytes and marks in their order, over all segments. A MARK is taken by this call, BYTES by
 * log_cursor_take. NOTHING: the end of the log for now; look again after the next append. 0 or a negative errno.
 */
int log_cursor_next(struct log_cursor *c, struct log_item *item);
/*
 * Read from the BYTES just shown, which are not taken by it. Returns how many, 1..size, or a negative errno. 0: the file is
 * shorter than it was, or a compressed part of it is damaged: these bytes became a gap that is shown next.
 */
ptrdiff_t log_cursor_read(struct log_cursor *c, const struct log_item *item, void *bytes, size_t size);
/* Take n of the bytes just shown. Also n bytes that the caller knows from elsewhere, up to the log's length.
 */
void log_cursor_take(struct log_cursor *c, uint64_t n);

#endif
