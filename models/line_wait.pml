/* SPDX-License-Identifier: MIT */
/*
 * line_wait: how the two ends of a line put each other to sleep and wake each other (reliability T18 iv).
 *
 * The memory is that of x86: each thread's stores go into a buffer of its own and reach memory later, in order, while its
 * loads may be ahead of them. A sequentially consistent store waits until its buffer is empty; a locked exchange does
 * so too. No thread here loads a word that may still stand in its own buffer, so that buffers need not be read.
 *
 * One direction is modelled, out, with both sleeps: the sink's for bytes and the source's for room. In is the same code.
 * With KILL the service is killed once at any step and comes again: what it appended stands in the log, and vc_sink_resume
 * goes on there.
 */

/* run: both_sides_wake : expect ok : */
/* run: service_killed : expect ok : -DKILL */
/* run: arm_bytes_relaxed : expect deadlock : -DARM_BYTES_RELAXED */
/* run: arm_room_relaxed : expect deadlock : -DARM_ROOM_RELAXED */
/* run: publish_relaxed : expect deadlock : -DPUBLISH_RELAXED */
/* run: commit_relaxed : expect deadlock : -DCOMMIT_RELAXED */
/* run: sleeps_without_second_look : expect deadlock : -DNO_SECOND_LOOK */
/* run: looks_at_word_before_publishing : expect deadlock : -DWAKE_FIRST */
/* run: word_not_cleared_by_exchange : expect ok : -DPLAIN_CLEAR */
/* run: index_before_bytes : expect assertion : -DINDEX_FIRST */
/* run: slots_freed_before_copied : expect assertion : -DFREE_FIRST */
/* run: attach_without_kick : expect deadlock : -DKILL -DNO_ATTACH_KICK */
/* run: attach_sleeps_first : expect deadlock : -DKILL -DATTACH_SLEEPS */

#define N 4    /* bytes in all */
#define SIZE 2 /* of the ring */

#define PROD 0
#define CONS 1
#define BYTES_WAIT 2
#define ROOM_WAIT 3
#define SLOTS 4

byte memory[6]; /* SLOTS + SIZE */
chan source_stores = [3] of {byte, byte};
chan sink_stores = [3] of {byte, byte};
bit out_bytes, out_room; /* eventfds: 1 means that a read returns at once, and makes it 0 */
byte logged;             /* length of the log: it outlives the service */
bit kill;

proctype drain(chan stores)
{
    byte at, value;
end:
    do
    :: atomic { stores ? at, value; memory[at] = value }
    od
}

/* wake() of core/line.c, and the write to the eventfd by its caller. */
#ifdef PLAIN_CLEAR /* a load and a store where the exchange stands: costs a kick at most, for only one end clears */
#define WAKE(stores, word, eventfd)                                                                                  \
    if                                                                                                                \
    :: memory[word] != 0 -> stores ! word, 0; empty(stores); eventfd = 1                                              \
    :: else                                                                                                           \
    fi
#else
#define WAKE(stores, word, eventfd)                                                                                  \
    if                                                                                                                \
    :: memory[word] != 0 ->                                                                                           \
        atomic { empty(stores); old = memory[word]; memory[word] = 0 };                                               \
        if                                                                                                            \
        :: old != 0 -> eventfd = 1                                                                                    \
        :: else                                                                                                       \
        fi                                                                                                            \
    :: else                                                                                                           \
    fi
#endif

/* vc_source_put of one byte, value sent + 1, by vc_producer_put; then vc_source_arm_room, vc_source_room and the sleep. */
proctype source()
{
    byte sent, old;

    do
    :: sent == N -> break
    :: sent < N && sent - memory[CONS] < SIZE -> /* vc_producer_room */
#ifdef WAKE_FIRST
        WAKE(source_stores, BYTES_WAIT, out_bytes);
#endif
#ifdef INDEX_FIRST
        source_stores ! PROD, sent + 1;
        source_stores ! SLOTS + sent % SIZE, sent + 1;
#else
        source_stores ! SLOTS + sent % SIZE, sent + 1;
        source_stores ! PROD, sent + 1;
#endif
        sent++;
#ifndef PUBLISH_RELAXED
        empty(source_stores);
#endif
#ifndef WAKE_FIRST
        WAKE(source_stores, BYTES_WAIT, out_bytes)
#endif
    :: sent < N && sent - memory[CONS] == SIZE ->
        source_stores ! ROOM_WAIT, 1; /* vc_source_arm_room */
#ifndef ARM_ROOM_RELAXED
        empty(source_stores);
#endif
        if
        :: sent - memory[CONS] == SIZE -> atomic { out_room == 1 -> out_room = 0 }
        :: else
        fi
    od
}

/* vc_sink_peek, the append, vc_sink_commit; then vc_sink_arm_bytes, vc_sink_idle and the sleep. */
proctype sink()
{
    byte own, prod, old;

attach:
    own = logged; /* vc_sink_resume */
#ifdef ATTACH_SLEEPS
    if
    :: kill == 1 -> atomic { out_bytes == 1 -> out_bytes = 0 }
    :: else
    fi;
#endif
    {
#ifndef NO_ATTACH_KICK
        out_room = 1;
#endif
        do
        :: own == N -> break
        :: own < N ->
            prod = memory[PROD];
#ifdef FREE_FIRST
            sink_stores ! CONS, prod;
            empty(sink_stores);
#endif
            do
            :: own < prod -> atomic { assert(memory[SLOTS + own % SIZE] == own + 1); own++; logged = own }
            :: else -> break
            od;
#ifndef FREE_FIRST
            sink_stores ! CONS, own; /* vc_consumer_commit */
#ifndef COMMIT_RELAXED
            empty(sink_stores);
#endif
#endif
            WAKE(sink_stores, ROOM_WAIT, out_room);
            if
            :: own < N ->
                sink_stores ! BYTES_WAIT, 1; /* vc_sink_arm_bytes */
#ifndef ARM_BYTES_RELAXED
                empty(sink_stores);
#endif
#ifdef NO_SECOND_LOOK
                atomic { out_bytes == 1 -> out_bytes = 0 }
#else
                if
                :: memory[PROD] == own -> atomic { out_bytes == 1 -> out_bytes = 0 } /* vc_sink_idle */
                :: else
                fi
#endif
            :: else
            fi
        od
    } unless {
        atomic { kill == 1 -> kill = 0; empty(sink_stores) } /* a killed thread's stores still reach memory */
        goto attach
    }
}

proctype killer()
{
#ifdef KILL
    if
    :: kill = 1
    :: skip
    fi
#else
    skip
#endif
}

init
{
    atomic {
        run drain(source_stores);
        run drain(sink_stores);
        run source();
        run sink();
        run killer();
    }
}
