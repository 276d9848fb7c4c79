/* SPDX-License-Identifier: MIT */
/*
 * vcpu_info: a vCPU moves its vcpu_info while events are delivered to it (T16, R23).
 *
 * Two senders raise a port each, by Xen's steps: pending, selector, upcall_pending, interrupt. The vCPU handles what comes
 * and registers another place for its vcpu_info once, at any moment of its own. At rest, with no kick after the last send,
 * what it took of each port must be what was sent.
 *
 * With our order (stale, copy, mark, publish; the slow path waits at the event lock) nothing is lost, whether the new place is
 * marked (selector all ones, upcall) or not: the mark is what Xen's guests expect, the order is what keeps the events. NAIVE
 * is what was first proposed for KVM: the new place becomes the target, then the content is copied, so that an event
 * delivered in between is overwritten. LATE copies first, but delivers to the old place meanwhile. Xen's mark heals both.
 *
 * With LAPIC the vCPU's local APIC is off at first and drops interrupts (facts §12.5); it is tried again after an exit.
 * With REMAP the page under the vCPU's vcpu_info moves to other memory of the host, and the old memory goes away.
 */

/* run: ours : expect ok : */
/* run: ours_without_the_mark : expect ok : -DNO_MARK */
/* run: naive : expect assertion : -DNAIVE -DNO_MARK */
/* run: naive_but_marked : expect ok : -DNAIVE */
/* run: old_place_until_copied : expect assertion : -DLATE -DNO_MARK */
/* run: old_place_but_marked : expect ok : -DLATE */
/* run: slow_path_does_not_wait : expect assertion : -DNO_WAIT -DNO_MARK */
/* run: upcall_dropped : expect ok : -DLAPIC */
/* run: dropped_and_not_tried_again : expect assertion : -DLAPIC -DNO_RETRY */
/* run: flag_cleared_after_the_look : expect assertion : -DLAPIC -DCLEAR_LATE */
/* run: remapped : expect ok : -DREMAP */
/* run: generation_not_looked_at : expect assertion : -DREMAP -DNO_GENERATION */
/* run: remapped_without_waiting : expect assertion : -DREMAP -DNO_DRAIN */

#ifdef REMAP
#define SENDS 1 /* by each of the two */
#else
#define SENDS 2
#endif
#define OLD 0
#define NEW 1

byte sent[2], taken[2];
bit pending[2];              /* shared_info's; both ports lie in one word of it */
bit selector[2], upcall[2];  /* of the two places */
byte registered = OLD;       /* under the event lock */

bit vcpu_lock, event_lock;
byte generation = 1;    /* of the memory map */
byte at_generation = 1; /* of what delivery uses: 0 is stale */
byte at = OLD;          /* and that */
byte at_memory = 1, memory = 1, gone; /* host memory under it: used, current, and what was given back */

bit interrupt, dropped;
byte senders = 2;
#ifdef LAPIC
bit lapic;
#else
bit lapic = 1;
#endif

#define LOCK(l) atomic { l == 0 -> l = 1 }
#define UNLOCK(l) l = 0

/* vc_vcpu_upcall */
#define INJECT                                                                                                         \
    if                                                                                                                 \
    :: atomic { lapic == 1 -> interrupt = 1 }                                                                          \
    :: atomic { lapic == 0 -> skip }; dropped = 1 /* the answer comes back, and only then is it noted */               \
    fi

/* refresh of core/shared_info.c. Under the event lock. */
inline refresh()
{
    LOCK(vcpu_lock);
    at = registered;
    at_memory = memory;
    at_generation = generation;
    UNLOCK(vcpu_lock)
}

/* vcpu_deliver. Under the vCPU's lock. */
inline deliver(port)
{
    edge = 0;
    assert(at_memory != gone);
    if
    :: pending[port] == 1
    :: else ->
        pending[port] = 1;
        atomic { had = selector[at]; selector[at] = 1 };
        if
        :: had == 1
        :: else -> atomic { edge = 1 - upcall[at]; upcall[at] = 1 }
        fi
    fi
}

/* vc_port_raise, vcpu_enter. */
proctype sender(byte port)
{
    byte n;
    bit had, edge;

    do
    :: n == SENDS -> break
    :: else ->
        n++;
        sent[port]++;
        LOCK(vcpu_lock);
        if
#ifdef NO_GENERATION
        :: at_generation != 0 ->
#else
        :: at_generation == generation ->
#endif
            deliver(port);
            UNLOCK(vcpu_lock)
        :: else -> /* would block */
            UNLOCK(vcpu_lock);
#ifndef NO_WAIT
            LOCK(event_lock);
#endif
            if
            :: at_generation == generation
            :: else -> refresh()
            fi;
            LOCK(vcpu_lock);
            deliver(port);
            UNLOCK(vcpu_lock);
#ifndef NO_WAIT
            UNLOCK(event_lock)
#endif
        fi;
        if
        :: edge == 1 -> INJECT
        :: else
        fi
    od;
    senders--
}

/* The guest's upcall handler, at the place that it believes in. */
inline handle()
{
    do
    :: upcall[mine] == 0 -> break
    :: else ->
        upcall[mine] = 0;
        atomic { found = selector[mine]; selector[mine] = 0 };
        if
        :: found == 0
        :: else ->
            port_seen = 0;
            do
            :: port_seen == 2 -> break
            :: else ->
                if
                :: pending[port_seen] == 1 -> pending[port_seen] = 0; taken[port_seen] = sent[port_seen]
                :: else
                fi;
                port_seen++
            od
        fi
    od
}

/* vc_shared_info_retry_upcall, at each exit. */
inline retry()
{
#ifndef NO_RETRY
    if
    :: dropped == 0
    :: else ->
#ifndef CLEAR_LATE
        dropped = 0;
#endif
        if
        :: upcall[mine] == 1 -> INJECT
        :: else
        fi
#ifdef CLEAR_LATE
        ; dropped = 0
#endif
    fi
#else
    skip
#endif
}

/* move of core/vcpu_info.c, by the vCPU itself. */
inline register_place()
{
    LOCK(event_lock);
#ifdef NAIVE
    LOCK(vcpu_lock); registered = NEW; at = NEW; at_memory = memory; at_generation = generation; UNLOCK(vcpu_lock);
#endif
#if !defined(NAIVE) && !defined(LATE)
    LOCK(vcpu_lock); at_generation = 0; UNLOCK(vcpu_lock); /* block */
#endif
#ifndef NO_WAIT
    registered = NEW;
#endif
    copied = upcall[OLD];
    upcall[NEW] = copied;
    copied = selector[OLD];
    selector[NEW] = copied;
    edge = 0;
#ifndef NO_MARK
    selector[NEW] = 1;
    atomic { edge = 1 - upcall[NEW]; upcall[NEW] = 1 };
#endif
    registered = NEW;
#ifndef NAIVE
    refresh(); /* publish */
#endif
    UNLOCK(event_lock);
    mine = NEW;
    if
    :: edge == 1 -> INJECT
    :: else
    fi;
    handle() /* as every guest does that looks at its new place */
}

proctype vcpu()
{
    byte mine = OLD, port_seen;
    bit found, moved, edge, copied;

    do
    :: atomic { interrupt == 1 -> interrupt = 0 }; handle()
    :: moved == 0 -> moved = 1; register_place(); retry()
    :: lapic == 0 && moved == 1 -> lapic = 1; retry() /* whatever it does then is an exit */
    :: dropped == 1 && lapic == 1 -> retry()
#ifdef NO_RETRY
    :: dropped == 1 && lapic == 1 -> dropped = 0
#endif
    :: atomic { senders == 0 && interrupt == 0 && dropped == 0 && moved == 1 && lapic == 1 -> break }
    od;
    assert(taken[0] == sent[0] && taken[1] == sent[1])
}

/* vc_shared_info_remapped, by whoever changes the domain's memory. The old memory's bits were copied to the new: one variable. */
proctype remapper()
{
#ifdef REMAP
    memory = 2; /* env->map finds it now */
    LOCK(event_lock);
    generation = 2;
    UNLOCK(event_lock);
#ifndef NO_DRAIN
    LOCK(vcpu_lock);
    UNLOCK(vcpu_lock);
#endif
    gone = 1
#else
    skip
#endif
}

init
{
    atomic {
        run sender(0);
        run sender(1);
        run vcpu();
        run remapper();
    }
}
