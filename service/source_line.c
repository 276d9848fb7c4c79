/* SPDX-License-Identifier: MIT */
#include "source_line.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vcons/atomic.h>
#include <vcons/line.h>
#include <vcons/wire/xencons.h>

struct line {
    struct source source;
    struct vc_sink out, in; /* the append thread's; the control thread's */
    uint32_t geometry;
    void *memory;
    size_t bytes;
    struct kicker *append, *control;
    int memory_fd, out_bytes, out_room, in_bytes, in_room; /* memory_fd: until it is attached */
};

static struct line *line_of(const struct source *s) { return (struct line *)(uintptr_t)s; }

static int open_end(const struct line *l, struct vc_sink *end)
{
    return l->geometry == VC_LINK_GEOMETRY_XEN ? vc_sink_open_ring(end, l->memory, l->bytes)
                                               : vc_sink_open(end, l->memory, l->bytes);
}

static int line_peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    return vc_sink_peek(&line_of(s)->out, spans, n);
}

static void line_commit(struct source *s, uint32_t n)
{
    struct line *l = line_of(s);

    if (vc_sink_commit(&l->out, n))
        kick(l->append, l->out_room);
}

/* What each kind of event is in the index; 0: none of a guest's. */
static uint16_t index_kind(uint32_t kind)
{
    static const uint16_t kinds[] = {
        [VC_LINE_BOOT] = VC_INDEX_BOOT,     [VC_LINE_RESET] = VC_INDEX_RESET,   [VC_LINE_GAP] = VC_INDEX_GAP,
        [VC_LINE_RESIZE] = VC_INDEX_RESIZE, [VC_LINE_BREAK] = VC_INDEX_BREAK,   [VC_LINE_OPEN] = VC_INDEX_OPEN,
        [VC_LINE_CLOSE] = VC_INDEX_CLOSE,   [VC_LINE_BROKEN] = VC_INDEX_BROKEN, [VC_LINE_RESTORE] = VC_INDEX_RESTORE};

    return kind < sizeof kinds / sizeof kinds[0] ? kinds[kind] : 0;
}

static int line_event(struct source *s, struct source_event *event, bool *due)
{
    struct vc_line_event e;
    int error = vc_sink_event(&line_of(s)->out, &e, due);

    if (error || !*due)
        return error;
    *event = (struct source_event){index_kind(e.kind), vc_line_event_tag(e.sequence), e.value};
    return event->kind != 0 ? VC_OK : VC_EPEER;
}

static void line_event_done(struct source *s)
{
    struct line *l = line_of(s);

    if (vc_sink_event_done(&l->out))
        kick(l->append, l->out_room);
}

static bool line_rest(struct source *s)
{
    struct line *l = line_of(s);

    vc_sink_arm_bytes(&l->out);
    return vc_sink_idle(&l->out);
}

static uint32_t line_index(const struct source *s) { return line_of(s)->out.out.cons; }

static int line_revive(struct source *s)
{
    struct line *l = line_of(s);
    struct vc_sink again;
    int error = open_end(l, &again);

    if (error == VC_OK)
        l->out = again;
    return error;
}

/* The way in, broken by its peer, is opened anew when somebody types: nothing else depends on it. */
static int in_checked(struct line *l, int error)
{
    struct vc_sink again;

    if (error == VC_EPEER && open_end(l, &again) == VC_OK)
        l->in = again;
    return error;
}

static int line_room(struct source *s, uint32_t *room)
{
    struct line *l = line_of(s);

    return in_checked(l, vc_sink_room(&l->in, room));
}

static int line_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    struct line *l = line_of(s);
    bool wake = false;
    int error = in_checked(l, vc_sink_put(&l->in, bytes, n, put, &wake));

    if (wake)
        kick(l->control, l->in_bytes);
    return error;
}

static int line_post(struct source *s, enum vc_index_kind kind, uint64_t value)
{
    struct line *l = line_of(s);
    bool wake = false;
    int error = vc_sink_post(&l->in, kind == VC_INDEX_RESIZE ? VC_LINE_RESIZE : VC_LINE_BREAK, value, &wake);

    if (wake)
        kick(l->control, l->in_bytes);
    return in_checked(l, error);
}

static bool line_room_rest(struct source *s)
{
    struct line *l = line_of(s);
    uint32_t room;

    vc_sink_arm_room(&l->in);
    return vc_sink_room(&l->in, &room) != VC_OK || room == 0;
}

static void line_destroy(struct source *s)
{
    struct line *l = line_of(s);

    munmap(l->memory, l->bytes);
    if (l->memory_fd >= 0)
        close(l->memory_fd);
    close(l->out_bytes);
    close(l->out_room);
    close(l->in_bytes);
    close(l->in_room);
    free(l);
}

static int line_resume(struct source *s, uint32_t cons, uint16_t event)
{
    return vc_sink_resume(&line_of(s)->out, cons, event);
}

static void line_greet(struct source *s)
{
    struct line *l = line_of(s);

    close(l->memory_fd); /* it is ours now, and the mapping is enough */
    l->memory_fd = -1;

    if (l->geometry == VC_LINK_GEOMETRY_XEN) /* as any backend of such a page */
        vc_store8_seq(&((struct xencons_interface *)l->memory)->connection, XENCONSOLE_CONNECTED);
    kick_all(l->control, (const int[]){l->out_room, l->in_bytes}, 2);
}

static bool line_used(const struct source *s)
{
    const struct line *l = line_of(s);

    return l->out.out.cons != 0 || l->out.out_events.own != 0;
}

static const struct source_ops line_ops = {
    .type = "line",
    .resume = line_resume,
    .used = line_used,
    .greet = line_greet,
    .peek = line_peek,
    .commit = line_commit,
    .event = line_event,
    .event_done = line_event_done,
    .rest = line_rest,
    .index = line_index,
    .revive = line_revive,
    .room = line_room,
    .put = line_put,
    .post = line_post,
    .room_rest = line_room_rest,
    .destroy = line_destroy,
};

/* A memfd that nobody can cut while we read it: else a peer's ftruncate kills us by SIGBUS. */
static bool map_memory(struct line *l, int fd)
{
    const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs fs;
    struct stat st;

    if (fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC)
        return false; /* huge pages that are not there would be a SIGBUS as well */
    if (seals < 0 || (seals & needed) != needed || fstat(fd, &st) != 0 || st.st_size < (off_t)VC_LINE_HEADER_BYTES ||
        st.st_size > (off_t)vc_line_bytes(VC_LINE_SIZE_MAX, VC_LINE_SIZE_MAX))
        return false;
    l->bytes = (size_t)st.st_size;
    l->memory = mmap(NULL, l->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return l->memory != MAP_FAILED;
}

/* A kick of each, also of those that the peer writes: what is no eventfd shows, and a kick without work is harmless. */
static bool are_events(struct kicker *k, const int fds[VC_LINK_FDS])
{
    return kick_all(k, fds + VC_LINK_FD_OUT_BYTES, VC_LINK_FDS - VC_LINK_FD_OUT_BYTES) == 0;
}

struct source *line_create(uint32_t geometry, const int fds[VC_LINK_FDS], struct kicker *append, struct kicker *control,
                           uint32_t *reason)
{
    struct line *l = calloc(1, sizeof *l);

    *reason = VC_LINK_E_LIMIT;
    if (l == NULL)
        return NULL;
    *reason = VC_LINK_E_FDS;
    if (!are_events(control, fds))
        goto free_line;
    *reason = VC_LINK_E_MEMORY;
    if (!map_memory(l, fds[VC_LINK_FD_MEMORY]))
        goto free_line;
    l->geometry = geometry;
    if (open_end(l, &l->out) || open_end(l, &l->in))
        goto unmap;
    l->source = (struct source){.ops = &line_ops,
                                .bytes_fd = fds[VC_LINK_FD_OUT_BYTES],
                                .room_fd = fds[VC_LINK_FD_IN_ROOM],
                                .bytes_events = EPOLLIN,
                                .room_events = EPOLLIN,
                                .holds = l->out.out.ring.size};
    memcpy(l->source.line_id, l->out.id, sizeof l->source.line_id);
    l->append = append;
    l->control = control;
    l->out_bytes = fds[VC_LINK_FD_OUT_BYTES];
    l->out_room = fds[VC_LINK_FD_OUT_ROOM];
    l->in_bytes = fds[VC_LINK_FD_IN_BYTES];
    l->in_room = fds[VC_LINK_FD_IN_ROOM];
    l->memory_fd = fds[VC_LINK_FD_MEMORY];
    *reason = 0;
    return &l->source;

unmap:
    munmap(l->memory, l->bytes);
free_line:
    free(l);
    return NULL;
}

void line_abandon(struct source *s)
{
    struct line *l = line_of(s);

    munmap(l->memory, l->bytes);
    free(l);
}
