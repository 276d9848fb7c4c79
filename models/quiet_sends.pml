/* SPDX-License-Identifier: MIT */
/*
 * quiet_sends: a guest that need not send while a bit is set, and a door that looks by itself meanwhile (vmm/door_quiet.h,
 * vmm/kvm/x86_64/quiet.h).
 *
 * The memory is that of x86: each thread's stores go into a buffer of its own and reach memory later, in order, while its
 * loads may be ahead of them. A locked instruction waits until its buffer is empty.
 *
 * The door looks when it is due at any time, but only once for each set bit, so that whatever the guest published under the bit
 * is seen by the look that follows its end, or never. Nothing unseen at rest is the claim; a ring that is full does not occur.
 */

/* run: nothing_is_lost : expect ok : */
/* run: guest_without_barrier : expect assertion : -DGUEST_RELAXED */
/* run: bit_cleared_relaxed : expect assertion : -DCLEAR_RELAXED */
/* run: looks_before_it_clears : expect assertion : -DLOOK_FIRST */
/* run: looks_at_bit_before_publishing : expect assertion : -DBIT_FIRST */
/* run: port_closed_meanwhile : expect ok : -DCLOSE */
/* run: port_not_looked_at_again : expect assertion : -DCLOSE -DNO_SECOND_LOOK */
/* run: made_loud_before_it_is_closed : expect assertion : -DCLOSE -DLOUD_FIRST */

#define N 3 /* bytes in all */

byte prod, bit_set; /* as memory has them */
byte seen;          /* what the door took: out_cons, which is its own */
bit mutex;          /* console.lock */
bit ours = 1;       /* the port is the door's, as the event channels have it */
chan guest_stores = [N] of {byte};
chan door_stores = [2] of {byte};

proctype drain_guest()
{
    byte value;
end:
    do
    :: atomic { guest_stores ? value; prod = value }
    od
}

proctype drain_door()
{
    byte value;
end:
    do
    :: atomic { door_stores ? value; bit_set = value }
    od
}

/* door_serve */
inline look()
{
    seen = prod
}

/* door_quiet_end */
inline end_quiet()
{
#ifdef LOOK_FIRST
    look();
#endif
#ifdef CLEAR_RELAXED
    door_stores ! 0;
#else
    atomic { empty(door_stores); bit_set = 0 }; /* quiet_set: a locked and */
#endif
#ifndef LOOK_FIRST
    look()
#else
    skip
#endif
}

/* make_quiet */
inline begin_quiet()
{
    atomic { empty(door_stores); bit_set = 1; on = 1 };
#ifndef NO_SECOND_LOOK
    if
    :: ours == 0 -> atomic { bit_set = 0; on = 0 }
    :: else
    fi
#else
    skip
#endif
}

bit on; /* door_quiet.on */

/* A vCPU: publishes, then the code of quiet_write; a send that comes is `kicked`. */
proctype guest()
{
    byte said;
    bit quiet;

    do
    :: said == N -> break
    :: said < N ->
#ifdef BIT_FIRST
        quiet = bit_set;
#endif
        said++;
        guest_stores ! said;
#ifndef GUEST_RELAXED
        empty(guest_stores); /* lock orl $0, (%rsp) */
#endif
#ifndef BIT_FIRST
        quiet = bit_set;
#endif
        if
        :: quiet == 1
        :: quiet == 0 ->
            empty(guest_stores); /* an exit */
            atomic { mutex == 0 -> mutex = 1 };
            look();
            if
            :: on == 0 -> begin_quiet()
            :: true /* it is no burst */
            fi;
            mutex = 0
        fi
    od
}

/* The loop, when a period is due. */
proctype loop()
{
end:
    do
    :: atomic { on == 1 && mutex == 0 -> mutex = 1 };
        if
        :: on == 1 -> on = 0; end_quiet()
        :: else
        fi;
        mutex = 0
    od
}

/*
 * Another vCPU closes the port: vc_port_change, then env->unbound. Whoever gets the number next has to be heard: there is no bit,
 * but while somebody is about to look at whose the port is.
 */
proctype closer()
{
#ifdef CLOSE
#ifdef LOUD_FIRST
    bit_set = 0;
    ours = 0;
#else
    ours = 0;
    atomic { empty(door_stores); bit_set = 0 };
#endif
    atomic { mutex == 0 -> assert(bit_set == 0) }
#else
    skip
#endif
}

/* At rest: nothing waits in a buffer, nobody can move. */
proctype observer()
{
    timeout ->
    assert(seen == N && bit_set == 0)
}

init
{
    atomic {
        run drain_guest();
        run drain_door();
        run guest();
        run loop();
        run closer();
        run observer();
    }
}
