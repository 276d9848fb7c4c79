/* SPDX-License-Identifier: MIT */
/*
 * virtqueue: how driver and device of a split virtqueue put themselves to sleep and wake each other, with the event
 * index and without (core/virtqueue.c, guest/virtqueue.c; VIRTIO 1.2, 2.7.7 and 2.7.10).
 *
 * The memory is that of x86: each thread's stores go into a buffer of its own and reach memory later, in order,
 * while its loads may be ahead of them. A sequentially consistent store waits until its buffer is empty, and so does
 * what leaves the thread, a notification or an interrupt. No thread here loads a word that may still stand in its
 * own buffer, so that buffers need not be read.
 *
 * The driver has more chains to lend than the ring has places, lends one or two at a time, and sleeps when it can do
 * nothing until one comes back. Indices wrap at twice the ring's size, as those of the largest ring do. With FLAGS
 * the event index was not negotiated: the device is notified of every chain, and the driver says by flags whether it
 * wants interrupts. With LAZY the device looks by itself in a while, and is notified of two chains together; with KEEPS it gives back
 * what it used by and by, too.
 */

/* run: event_index : expect ok : */
/* run: event_index_progress : expect ok : progress fair */
/* run: flags : expect ok : -DFLAGS */
/* run: driver_shows_relaxed : expect deadlock : -DSHOW_RELAXED */
/* run: driver_listens_relaxed : expect deadlock : -DLISTEN_RELAXED */
/* run: device_publishes_relaxed : expect deadlock : -DPUBLISH_RELAXED */
/* run: device_arms_relaxed : expect deadlock : -DARM_RELAXED */
/* run: driver_listens_relaxed_to_flags : expect deadlock : -DFLAGS -DLISTEN_RELAXED */
/* run: device_publishes_relaxed_to_flags : expect deadlock : -DFLAGS -DPUBLISH_RELAXED */
/* run: avail_event_not_advanced : expect deadlock : -DNO_AVAIL_EVENT */
/* run: used_event_not_advanced : expect deadlock : -DNO_USED_EVENT */
/* run: driver_sleeps_without_second_look : expect deadlock : -DNO_SECOND_LISTEN */
/* run: device_sleeps_without_second_look : expect deadlock : -DNO_SECOND_ARM */
/* run: driver_asks_before_it_shows : expect deadlock : -DEVENT_BEFORE_SHOW */
/* run: device_asks_before_it_publishes : expect deadlock : -DEVENT_BEFORE_PUBLISH */
/* run: one_chain_of_a_batch_is_compared : expect deadlock : -DNO_BATCH */
/* run: device_arms_one_too_far : expect deadlock : -DARM_TOO_FAR */
/* run: device_looks_in_a_while : expect ok : -DLAZY */
/* run: device_looks_only_when_notified : expect deadlock : -DLAZY -DNO_TIMER */
/* run: device_keeps_what_is_used : expect ok : -DLAZY -DKEEPS */
/* run: device_keeps_and_looks_only_when_notified : expect deadlock : -DLAZY -DKEEPS -DNO_TIMER */
/* run: device_keeps_it_when_nothing_comes : expect deadlock : -DLAZY -DKEEPS -DKEEPS_FOR_GOOD */
/* run: device_keeps_and_compares_one_of_a_batch : expect deadlock : -DLAZY -DKEEPS -DNO_BATCH */
/* run: avail_index_before_entry : expect assertion : -DAVAIL_INDEX_FIRST */
/* run: used_index_before_element : expect assertion : -DUSED_INDEX_FIRST */

#define N 5    /* chains in all */
#define SIZE 2 /* of the queue */
#define WRAP 4 /* where its indices do */

#define AVAIL_IDX 0
#define AVAIL_FLAGS 1 /* NO_INTERRUPT, or 0 */
#define USED_EVENT 2
#define AVAIL_RING 3 /* SIZE of them: which chain it is, from 1 */
#define USED_IDX 5
#define AVAIL_EVENT 6
#define USED_RING 7

byte memory[9]; /* USED_RING + SIZE */
chan driver_stores = [4] of {byte, byte};
chan device_stores = [4] of {byte, byte};
bit kicked, interrupt; /* the doorbell's eventfd, and the device's line */

proctype drain(chan stores)
{
    byte at, value;
end:
    do
    :: atomic { stores ? at, value; memory[at] = value }
    od
}

/* 2.7.7.2: the other side's event lies among those from old on, up to before now. */
#ifdef NO_BATCH
#define WANTED(event, old, now) (event == (now + WRAP - 1) % WRAP)
#else
#define WANTED(event, old, now) ((now + WRAP - event + WRAP - 1) % WRAP < (now + WRAP - old) % WRAP)
#endif

/* virtqueue_lend, n times, and virtqueue_show */
inline lend_and_show(n)
{
    old = lent % WRAP;
#ifdef EVENT_BEFORE_SHOW
    event = memory[AVAIL_EVENT];
#endif
#ifdef AVAIL_INDEX_FIRST
    driver_stores ! AVAIL_IDX, (lent + n) % WRAP;
#endif
    i = 0;
    do
    :: i == n -> break
    :: i < n -> lent++; i++; driver_stores ! AVAIL_RING + (lent - 1) % SIZE, lent
    od;
#ifndef AVAIL_INDEX_FIRST
    driver_stores ! AVAIL_IDX, lent % WRAP;
#endif
#ifndef SHOW_RELAXED
    empty(driver_stores);
#endif
#ifndef FLAGS
#ifndef EVENT_BEFORE_SHOW
    event = memory[AVAIL_EVENT];
#endif
    if
    :: WANTED(event, old, (lent % WRAP)) -> atomic { empty(driver_stores); kicked = 1 }
    :: else
    fi
#else
    atomic { empty(driver_stores); kicked = 1 }
#endif
}

/* virtqueue_listen, and the sleep; then virtqueue_quiet */
inline sleep_till_back()
{
#ifdef FLAGS
    driver_stores ! AVAIL_FLAGS, 0;
#else
#ifndef NO_USED_EVENT
    driver_stores ! USED_EVENT, back % WRAP;
#endif
#endif
#ifndef LISTEN_RELAXED
    empty(driver_stores);
#endif
    if
#ifndef NO_SECOND_LISTEN
    :: memory[USED_IDX] != back % WRAP
    :: memory[USED_IDX] == back % WRAP -> atomic { interrupt == 1 -> interrupt = 0 }
#else
    :: true -> atomic { interrupt == 1 -> interrupt = 0 }
#endif
    fi;
#ifdef FLAGS
    driver_stores ! AVAIL_FLAGS, 1
#else
#ifndef NO_USED_EVENT
    driver_stores ! USED_EVENT, (back + WRAP - 1) % WRAP
#else
    skip
#endif
#endif
}

proctype driver()
{
    byte lent, back, used, old, event, i;

    do
    :: back == N -> break
    :: lent < N && lent - back < SIZE -> lend_and_show(1)
    :: lent + 1 < N && lent == back -> lend_and_show(2)
    :: back < lent ->
        /* virtqueue_get, until none is back */
        used = memory[USED_IDX];
        if
        :: used == back % WRAP -> /* not back: it sleeps when it has nothing to lend either */
            if
            :: lent == N || lent - back == SIZE -> sleep_till_back()
            :: else
            fi
        :: else ->
            do
            :: used == back % WRAP -> break
            :: else -> atomic { assert(back < lent && memory[USED_RING + back % SIZE] == back + 1); back++ }
            od;
progress:
            skip
        fi
    od
}

/* vc_virtqueue_publish */
inline give_back()
{
    if
    :: published == taken
    :: else ->
#ifdef EVENT_BEFORE_PUBLISH
        event = memory[USED_EVENT];
#endif
#ifdef USED_INDEX_FIRST
        device_stores ! USED_IDX, taken % WRAP;
        device_stores ! USED_RING + (taken - 1) % SIZE, taken;
#else
        device_stores ! USED_IDX, taken % WRAP;
#endif
#ifndef PUBLISH_RELAXED
        empty(device_stores);
#endif
#ifdef FLAGS
        event = memory[AVAIL_FLAGS];
#else
#ifndef EVENT_BEFORE_PUBLISH
        event = memory[USED_EVENT];
#endif
#endif
        if
#ifdef FLAGS
        :: event == 0 ->
#else
        :: WANTED(event, (published % WRAP), (taken % WRAP)) ->
#endif
            atomic { empty(device_stores); interrupt = 1 }
        :: else
        fi;
        published = taken
    fi
}

/*
 * KEEPS: what is used is shown when there is as much of it as the queue has, which is later than half of it as core has it, and when
 * a look finds nothing.
 */
#ifdef KEEPS
#define KEPT (taken - published < SIZE)
#ifdef KEEPS_FOR_GOOD
#define GIVES_BY_AND_BY true
#else
#define GIVES_BY_AND_BY (lazy == 1)
#endif
#else
#define KEPT true
#define GIVES_BY_AND_BY false
#endif

/* send_output of core/virtio_console.c: it is served when it was kicked, and by nobody else */
proctype device()
{
    byte seen, taken, published, event; /* seen: avail.idx */
    byte looked;                        /* LAZY: what it had taken when it asked for a look in a while */
    bit lazy;

    do
    :: taken == N && published == N -> break
    :: else ->
        if
        :: seen == taken % WRAP -> seen = memory[AVAIL_IDX]
        :: else
        fi;
        if
        :: seen != taken % WRAP -> /* vc_virtqueue_peek, vc_virtqueue_take */
            assert(memory[AVAIL_RING + taken % SIZE] == taken + 1);
            taken++;
#ifndef USED_INDEX_FIRST
            device_stores ! USED_RING + (taken - 1) % SIZE, taken;
#endif
            if
            :: give_back() /* the end of what one call may do */
            :: KEPT -> skip
            fi
        :: else ->
#ifndef FLAGS
#ifndef NO_AVAIL_EVENT
#ifdef ARM_TOO_FAR
            device_stores ! AVAIL_EVENT, (taken + 1) % WRAP; /* vc_virtqueue_arm */
#else
#ifdef LAZY
            if
            :: taken > looked -> /* vc_virtqueue_arm_ahead, and a look in a while */
                looked = taken;
                lazy = 1;
                device_stores ! AVAIL_EVENT, (taken + 1) % WRAP
#ifdef KEEPS
            :: lazy == 1 -> device_stores ! AVAIL_EVENT, (taken + 1) % WRAP /* that look is on its way */
#endif
            :: lazy = 0; device_stores ! AVAIL_EVENT, taken % WRAP
            fi;
#else
            device_stores ! AVAIL_EVENT, taken % WRAP; /* vc_virtqueue_arm */
#endif
#endif
#endif
#ifndef ARM_RELAXED
            empty(device_stores);
#endif
#ifndef NO_SECOND_ARM
            seen = memory[AVAIL_IDX];
#endif
#endif
            if
            :: seen != taken % WRAP && (lazy == 0 || (seen + WRAP - taken % WRAP) % WRAP >= 2)
            :: else ->
                if
                :: KEPT && GIVES_BY_AND_BY
                :: !(KEPT && GIVES_BY_AND_BY) -> give_back()
                fi;
                if
                :: published == N
                :: else ->
                    if
                    :: atomic { kicked == 1 -> kicked = 0 }
#ifndef NO_TIMER
                    :: lazy == 1 -> lazy = 0 /* the while is over */
#endif
                    fi
                fi
            fi
        fi
    od
}

init
{
    atomic {
        run drain(driver_stores);
        run drain(device_stores);
        run driver();
        run device();
    }
}
