/* SPDX-License-Identifier: MIT */
/*
 * append_kill: the service appends to the log, then advances the line; kill -9 comes between any two steps (reliability T1,
 * T18 v). The guest's stream, bytes with events among them, must stand in the log whole, once and in order.
 *
 * What a kill leaves: the line's memory as it was (page_cons, page_event_cons, what the guest wrote), and the files as they
 * were: the length of the log, also in the midst of a write (append_piece writes byte by byte), and the newest whole record
 * of the index. Everything else, the service's own copies, is gone.
 *
 * Indices run modulo M, smaller than the stream, so that they wrap. Byte i of the stream has the value i.
 */

/* run: log_then_advance : expect ok : */
/* run: advance_then_log : expect assertion : -DADVANCE_FIRST */
/* run: starts_from_the_page : expect assertion : -DNO_RECOVERY */
/* run: event_done_before_record : expect assertion : -DDONE_FIRST */
/* run: record_has_no_tag : expect assertion : -DNO_TAG */
/* run: event_after_later_bytes : expect assertion : -DBYTES_FIRST */
/* run: attach_record_after_bytes : expect assertion : -DATTACH_LATE */
/* run: resume_without_own_index : expect assertion : -DRESUME_FORGETS */
/* run: two_services : expect assertion : -DNO_LOCK */

#define N 6     /* bytes in the stream */
#define SIZE 2  /* of the ring */
#define M 4     /* indices run modulo this */
#define EVENTS 3
#define KILLS 2

#define USED(prod, cons) ((prod + M - cons) % M)

byte ring[SIZE];
byte prod, page_cons;                  /* out_prod and out_cons of wire/line.h */
byte event_prod, page_event_cons;      /* free-running: few enough not to wrap here */
byte event_at[EVENTS];                 /* line_index of each */

byte length;                           /* of the log */
bit attached;                          /* a record with this line's id is in the index; the newest of them: */
byte record_offset, record_index;      /* wire/index.h: offset, line_index */
byte record_event;                     /* the newest event's tag; 0: none */
byte events_logged;
byte kills;
bit locked;                            /* main.c, lock_state: goes with the process */

/* Where events stand in the stream: two at one place, one at the very end. */
inline stream_event(i, is)
{
    is = (event_prod < EVENTS) &&
         ((event_prod == 0 && i == 2) || (event_prod == 1 && i == 2) || (event_prod == 2 && i == N))
}

/* The hypervisor: vc_source_post, vc_source_put. */
active proctype guest()
{
    byte i = 0;
    bool is;

    do
    :: stream_event(i, is);
       if
       :: is -> atomic { event_at[event_prod] = prod; event_prod++ }
       :: else ->
          if
          :: i == N -> break
          :: i < N ->
             USED(prod, page_cons) < SIZE;
             ring[prod % SIZE] = i;
             prod = (prod + 1) % M;
             i++
          fi
       fi
    od
}

#define MAY_DIE if :: kills < KILLS -> kills++; goto killed :: skip fi

/* log_append: a write that may be cut short by the kill, at any byte. */
inline append_piece()
{
    k = 0;
    do
    :: k < n ->
       atomic {
           assert(ring[((cons + k) % M) % SIZE] == length); /* neither lost nor doubled */
           length++;
           k++
       };
       MAY_DIE
    :: else -> break
    od
}

/* vc_sink_commit */
inline advance()
{
    cons = (cons + n) % M;
    page_cons = cons;
    MAY_DIE
}

/* log_mark of an event: one write of one record; a torn one is cut when the log is opened. */
inline record()
{
    atomic {
        assert(event_cons == events_logged); /* each once, in order */
        assert((events_logged < 2 && length == 2) || (events_logged == 2 && length == N)); /* in its place */
        events_logged++;
        record_offset = length;
        record_index = cons;
#ifndef NO_TAG
        record_event = event_cons + 1
#endif
    };
    MAY_DIE
}

/* vc_sink_event_done */
inline done()
{
    event_cons++;
    page_event_cons = event_cons;
    MAY_DIE
}

/* join() of service/console.c: log_resume, vc_sink_resume, log_attach. */
inline join()
{
    cons = page_cons;
    event_cons = page_event_cons;
    if
    :: attached ->
#ifndef NO_RECOVERY
       n = (record_index + length - record_offset) % M;
       assert(USED(n, page_cons) <= USED(prod, page_cons)); /* else a gap would be marked, and nothing is missing */
#ifndef RESUME_FORGETS /* the page is told, but not the own copy that all later steps go by */
       cons = n;
#endif
       page_cons = n;
       if
       :: record_event > event_cons -> event_cons = record_event; page_event_cons = event_cons
       :: else
       fi
#endif
    :: else
    fi;
    MAY_DIE;
#ifndef ATTACH_LATE
    atomic { attached = 1; record_offset = length; record_index = cons };
    MAY_DIE
#endif
}

#ifdef NO_LOCK
active [2] proctype service()
#else
active proctype service()
#endif
{
    byte cons, event_cons, n, k, seen;

start:
#ifndef NO_LOCK
    atomic { !locked -> locked = 1 };
#endif
    join();
    do
    :: /* vc_sink_peek: up to the next event only */
       atomic {
           n = USED(prod, cons);
           seen = event_prod;
           if
           :: seen > event_cons && USED(event_at[event_cons], cons) < n -> n = USED(event_at[event_cons], cons)
           :: else
           fi
       };
       if
       :: n > 0 ->
#ifdef ADVANCE_FIRST
          k = cons;
          page_cons = (cons + n) % M;
          MAY_DIE;
          append_piece();
          cons = (cons + n) % M
#else
          append_piece();
          advance()
#endif
#ifdef ATTACH_LATE
          ;
          atomic { attached = 1; record_offset = length; record_index = cons }
#endif
       :: n == 0 && seen > event_cons ->
#ifdef BYTES_FIRST /* what came behind the event is taken before it is recorded */
          if
          :: prod != cons -> n = 1; append_piece(); advance()
          :: else
          fi;
          record();
          done()
#else
#ifdef DONE_FIRST
          page_event_cons = event_cons + 1;
          MAY_DIE;
          record();
          event_cons++
#else
          record();
          done()
#endif
#endif
       :: n == 0 && seen == event_cons ->
          if
          :: length == N && event_cons == EVENTS -> break
          :: (prod != cons || event_prod != seen) -> skip /* sleep, models/line_wait.pml */
          fi
       fi
    od;
    assert(length == N && events_logged == EVENTS);
    goto over;

killed:
    atomic { locked = 0; cons = 0; event_cons = 0; n = 0; k = 0; seen = 0 };
    goto start;
over:
    skip
}
