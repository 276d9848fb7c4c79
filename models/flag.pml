/* SPDX-License-Identifier: MIT */
/*
 * flag: the connection flag of a PV console goes to and fro while the guest writes or reads (T15, T18 i).
 *
 * The guest is xen_put() and xen_get() of guest/xen_console.c under hvc_write(): ring while CONNECTED, hypercall while
 * DISCONNECTED, the flag looked at in every round of a wait. The backend is core/pvcons.c under the door's lock, with a
 * log that does not always take what it is offered. Shared words are sequentially consistent, as they are in core.
 *
 * One log (vcons-vmm: kicks are served and the ring is drained before each hypercall also while DISCONNECTED): the log has
 * the guest's bytes in their order, each once. With AWAY the backend unmaps the page while it is gone, as a daemon on a
 * real Xen: the two ways have a log each, order holds within each, and the last detach may be for good.
 */

/* run: output : expect ok : */
/* run: output_backend_goes_away : expect ok : -DAWAY */
/* run: input : expect ok : -DINPUT */
/* run: hypercall_without_draining : expect assertion : -DNO_DRAIN */
/* run: hypercall_while_the_ring_is_held : expect assertion : -DCALL_WHILE_HELD */
/* run: two_in_the_door : expect assertion : -DNO_LOCK */
/* run: no_event_for_room : expect deadlock : -DNO_NOTIFY_ROOM */
/* run: no_event_after_the_flag : expect deadlock : -DAWAY -DNO_NOTIFY_FLAG */
/* run: flag_not_looked_at_in_the_wait : expect deadlock : -DAWAY -DNO_RETEST */
/* run: attach_from_zero : expect assertion : -DAWAY -DFROM_ZERO */
/* run: input_by_hypercall_overtakes_the_ring : expect assertion : -DINPUT -DNO_UNREAD */

#define N 4       /* bytes */
#define SIZE 2    /* of the ring, either way */
#define TOGGLES 4
#define CONNECTED 0
#define DISCONNECTED 1

byte connection = DISCONNECTED; /* the builder */
byte ring[SIZE], prod, cons;
bit pending; /* the guest's event channel */
bit door;    /* the lock */

/* The backend's own */
bit mapped = 1, feeding;
byte own_cons; /* out_cons, or in_prod for INPUT */
byte refusals = 3; /* how often the log takes nothing */

byte log_ring, log_call; /* the last byte in each; one log: log_ring for both */
byte n_logged;
bit guest_done, backend_done;

#ifdef NO_LOCK
#define LOCK skip
#define UNLOCK skip
#else
#define LOCK atomic { !door -> door = 1 }
#define UNLOCK door = 0
#endif

inline to_log(log, byte_)
{
    d_step {
#ifdef AWAY
        assert(byte_ > log);
#else
        assert(byte_ == log + 1);
#endif
        log = byte_;
        n_logged++
    }
}

/* vc_pvcons_serve(): drain() of one ring's worth, one event if it moved. held: the log refused. */
inline serve()
{
    held = 0;
    moved = 0;
    do
    :: mapped && own_cons != prod ->
        if
        :: refusals > 0 -> refusals--; held = 1; break
        :: true ->
            b = ring[own_cons % SIZE]; /* copied, offered, then committed */
            to_log(log_ring, b);
            own_cons++;
            cons = own_cons;
            moved = 1
        fi
    :: else -> break
    od;
#ifndef NO_NOTIFY_ROOM
    if
    :: moved -> pending = 1
    :: else
    fi
#endif
}

inline set_flag(value)
{
    connection = value;
#ifndef NO_NOTIFY_FLAG
    pending = 1
#endif
}

#ifndef INPUT

/* EVTCHNOP_send of the guest: its vCPU serves the door. */
inline kick()
{
    LOCK;
    serve();
    UNLOCK
}

/* CONSOLEIO_write: env->out of vcons-vmm. taken: the byte is in the log. */
inline hypercall(byte_)
{
    taken = 0;
    LOCK;
#ifdef AWAY
    to_log(log_call, byte_);
    taken = 1;
#else
#ifdef NO_DRAIN
    to_log(log_ring, byte_);
    taken = 1;
#else
    serve();
#ifdef CALL_WHILE_HELD
    held = 0;
#endif
    if
    :: !held -> to_log(log_ring, byte_); taken = 1
    :: else
    fi;
#endif
#endif
    UNLOCK
}

active proctype guest() /* hvc_write() */
{
    byte k = 1, b;
    bit taken, held, moved, connected;

    do
    :: k > N -> break
    :: else ->
        connected = connection == CONNECTED; /* vc_xencons_front_connected() */
again:
        if
        :: connected ->
            if
            :: prod - cons < SIZE -> /* vc_producer_put(), then the event */
                ring[prod % SIZE] = k;
                prod++;
                k++;
                kick()
            :: else ->
                pending; /* SCHEDOP_poll: no time limit is needed */
                pending = 0;
#ifdef NO_RETEST
                goto again
#endif
            fi
        :: else ->
            hypercall(k);
            if
            :: taken -> k++
            :: else
            fi
        fi
    od;
    guest_done = 1
}

active proctype backend()
{
    byte i, b;
    bit held, moved;

    do
    :: i < TOGGLES ->
        i++;
        LOCK;
        if
        :: connection == CONNECTED ->
            serve(); /* vc_pvcons_disconnect(): stop input, drain, DISCONNECTED, event */
            set_flag(DISCONNECTED);
#ifdef AWAY
            mapped = 0 /* vc_pvcons_detach() */
#endif
        :: else ->
#ifdef AWAY
            if
            :: !mapped ->
                mapped = 1; /* vc_pvcons_attach(): from the indices in the page, and drain once */
#ifdef FROM_ZERO
                own_cons = 0;
#else
                own_cons = cons;
#endif
                serve()
            :: else
            fi;
#endif
            set_flag(CONNECTED) /* vc_pvcons_connect() */
        fi;
        UNLOCK
    :: i < TOGGLES -> i = TOGGLES /* no more of that */
    :: held || (mapped && !backend_done && own_cons != prod) -> /* the I/O thread: room again */
        LOCK;
        serve();
        UNLOCK
    :: i == TOGGLES && guest_done && (!mapped || own_cons == prod) -> break
    od;
    backend_done = 1
}

init
{
    guest_done && backend_done;
#ifdef AWAY
    assert(n_logged + (prod - cons) == N); /* in one of the logs, or in the page for the next backend */
#else
    assert(n_logged == N && log_ring == N);
#endif
}

#else /* INPUT */

byte next_key = 1; /* the next byte of the line; all that comes before is in the ring, or read */
byte last_read;

inline was_read(byte_)
{
    d_step {
        assert(byte_ == last_read + 1);
        last_read = byte_
    }
}

active proctype guest_reader() /* xen_get() */
{
    bit connected;
    byte b;

    do
    :: last_read == N -> break
    :: else ->
        if
        :: prod != cons -> /* vc_consumer_get() */
            b = ring[cons % SIZE];
            cons++;
            was_read(b)
        :: else ->
            connected = connection == CONNECTED;
            if
            :: connected -> pending; pending = 0
            :: else -> /* CONSOLEIO_read: env->in of vcons-vmm */
                LOCK;
#ifdef NO_UNREAD
                if
                :: next_key <= N -> was_read(next_key); next_key++
                :: else
                fi;
#else
                if
                :: own_cons == cons && next_key <= N -> was_read(next_key); next_key++ /* !vc_pvcons_unread() */
                :: else
                fi;
#endif
                UNLOCK
            fi
        fi
    od;
    guest_done = 1
}

active proctype feeder()
{
    byte i;

    do
    :: i < TOGGLES ->
        i++;
        LOCK;
        if
        :: connection == CONNECTED -> set_flag(DISCONNECTED)
        :: else -> set_flag(CONNECTED)
        fi;
        UNLOCK
    :: i < TOGGLES -> i = TOGGLES
    :: connection == CONNECTED && next_key <= N && own_cons - cons < SIZE -> /* feed() */
        LOCK;
        if
        :: connection == CONNECTED && next_key <= N && own_cons - cons < SIZE ->
            ring[own_cons % SIZE] = next_key;
            next_key++;
            own_cons++;
            prod = own_cons;
            pending = 1
        :: else
        fi;
        UNLOCK
    :: guest_done -> break
    od
}

init { guest_done; assert(last_read == N) }
#endif
