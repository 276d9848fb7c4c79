/* SPDX-License-Identifier: MIT */
/*
 * focus_read: what is typed at the terminal, read by the vCPUs of two domains while the focus moves (T14, T18 ii).
 *
 * Each key typed has a number of its own and remembers for whom and in which stretch of focus it was typed. Whatever is
 * copied to a guest was typed for it and was never copied before; in the end typed = read + discarded + overflow + waiting,
 * and what was read of each stretch is a prefix of what was typed in it.
 *
 * With V8 the reader follows the published series (v8): it looks at the ring under the lock, copies without it, looks at
 * the focus again and only then advances the index.
 */

/* run: ours : expect ok : */
/* run: ours_with_faults : expect ok : -DFAULTS */
/* run: v8 : expect assertion : -DV8 */
/* run: v8_one_vcpu_each : expect assertion : -DV8 -DONE_VCPU */
/* run: v8_without_any_switch : expect assertion : -DV8 -DNO_SWITCH */
/* run: input_kept_at_the_switch : expect assertion : -DNO_DISCARD */
/* run: read_out_of_focus : expect assertion : -DNO_CHECK */
/* run: focus_looked_at_before_the_lock : expect assertion : -DCHECK_EARLY */
/* run: taken_without_the_lock : expect assertion : -DNO_LOCK */
/* run: put_back_after_a_fault : expect assertion : -DFAULTS -DPUT_BACK */

#define SIZE 2  /* of the typed ring, and most that one read asks for */
#ifdef FAULTS
#define KEYS 3
#else
#define KEYS 4
#endif
#ifdef NO_SWITCH
#define MOVES 0
#else
#define MOVES 3 /* 1 -> 2 -> Xen -> 1 */
#endif
#define READS 2 /* by each vCPU */

byte focus = 1; /* 0: the hypervisor */
byte slot[SIZE]; /* number of the key + 1 */
byte prod, cons; /* free-running, modulo 256 */

byte owner[KEYS], typed_in[KEYS];
bit was_read[KEYS], overflowed[KEYS];
byte stretch, n_typed, n_read, n_discarded, n_overflow, n_finished;

/* What the console lock makes one step for everybody else. */
#ifdef NO_LOCK
#define UNDER_LOCK
#else
#define UNDER_LOCK atomic
#endif

/* append_typed() */
inline type_key()
{
    d_step {
        owner[n_typed] = focus;
        typed_in[n_typed] = stretch;
        waiting = prod - cons;
        assert(waiting <= SIZE);
        if
        :: waiting == SIZE -> overflowed[n_typed] = 1; n_overflow++
        :: else -> slot[prod % SIZE] = n_typed + 1; prod++
        fi;
        n_typed++;
        waiting = 0
    }
}

/* move(), with discard() */
inline move_focus()
{
    d_step {
        waiting = prod - cons;
#ifndef NO_DISCARD
        n_discarded = n_discarded + waiting;
        cons = prod;
#endif
        focus = (focus + 1) % 3;
        stretch++;
        waiting = 0
    }
}

active proctype terminal() /* vc_focus_type() */
{
    byte moves, waiting;

    do
    :: n_typed < KEYS && focus != 0 -> type_key()
    :: moves < MOVES -> move_focus(); moves++
    :: break
    od;
    n_finished++
}

/* The guest has this key now. */
inline deliver(key)
{
    d_step {
        assert(key != 0);
        assert(owner[key - 1] == domain); /* P4 */
        assert(!was_read[key - 1]);
        was_read[key - 1] = 1;
        n_read++
    }
}

#ifdef V8

proctype vcpu(byte domain)
{
    byte reads, n, i, at;

    do
    :: reads == READS -> break
    :: reads < READS ->
        reads++;
        UNDER_LOCK {
            n = 0;
            at = cons;
            if
            :: focus == domain -> n = prod - cons
            :: else
            fi;
            if
            :: n > SIZE -> n = SIZE
            :: else
            fi
        }
        i = 0;
        do
        :: i < n -> deliver(slot[(at + i) % SIZE]); i++ /* copy_to_guest, without the lock */
        :: else -> break
        od;
        UNDER_LOCK {
            if
            :: focus == domain -> cons = cons + n
            :: else
            fi
        }
    od;
    n_finished++
}

#else

proctype vcpu(byte domain) /* read_bytes() in core/console_io.c, one chunk a read */
{
    byte reads, n, i, taken[SIZE];
    bit mine;

    do
    :: reads == READS -> break
    :: reads < READS ->
        reads++;
#ifdef CHECK_EARLY
        mine = focus == domain;
#endif
        UNDER_LOCK { /* vc_focus_read() */
#ifdef NO_CHECK
            mine = 1;
#endif
#if !defined(NO_CHECK) && !defined(CHECK_EARLY)
            mine = focus == domain;
#endif
            do
            :: mine && n < SIZE && prod != cons ->
                taken[n] = slot[cons % SIZE];
                cons++;
                n++
            :: else -> break
            od
        }
#ifdef FAULTS
        if
        :: n > 0 -> /* copy_out() failed: the chunk is lost, and counted */
            d_step {
#ifdef PUT_BACK
                cons = cons - n;
#else
                do
                :: i < n -> was_read[taken[i] - 1] = 1; n_read++; i++
                :: else -> break
                od;
#endif
                n = 0;
                i = 0
            }
        :: true
        fi;
#endif
        do
        :: i < n -> deliver(taken[i]); taken[i] = 0; i++ /* copy_out(), without any lock */
        :: else -> n = 0; i = 0; mine = 0; break
        od
    od;
    n_finished++
}
#endif

#ifdef ONE_VCPU
#define VCPUS 2
#else
#define VCPUS 3
#endif

init
{
    byte i, k, waiting;

    atomic {
        run vcpu(1);
        run vcpu(2);
#ifndef ONE_VCPU
        run vcpu(1);
#endif
    }
    n_finished == VCPUS + 1;
    d_step {
        waiting = prod - cons;
        assert(waiting <= SIZE);
        assert(n_typed == n_read + n_discarded + n_overflow + waiting);
        i = 0;
        do
        :: i < n_typed ->
            k = 0;
            do
            :: k < i -> /* nothing before it in its stretch was left out */
                assert(!was_read[i] || typed_in[k] != typed_in[i] || was_read[k] || overflowed[k]);
                k++
            :: else -> break
            od;
            i++
        :: else -> break
        od
    }
}
