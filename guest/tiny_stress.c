/* SPDX-License-Identifier: MIT */
/* The word `events`: senders on vCPUs of their own, one that takes all events, and the places of both pages moving; Ctrl-C ends it. */
#include "tiny.h"

#define MOST_ROUNDS   UINT32_MAX
#define MOVES_AT_ONCE 8u
#define MOVES_BEFORE  64u      /* with vCPU 0's vcpu_info in the page, at most */
#define GIVE_UP       2000000u /* yields: at least seconds */

struct stress {
    struct tiny_console *console; /* that it was typed at */
    struct tiny *tiny;
    uint32_t n_senders, n_ports, n_rounds, n_moves;
    bool own; /* the one sender is vCPU 0 itself */
    uint32_t moved, n_events;
    uint32_t n_complete; /* ports whose handler has seen the last value */
    uint32_t n_ready;    /* senders that do not look at shared_info any more */
    uint32_t moved_all;  /* senders need not go on for the sake of moves */
    uint32_t stop;       /* nor for the sake of rounds */
    uint32_t done;       /* nothing moves any more: senders may use shared_info again */
    uint32_t gave_up;
    uint32_t final[TINY_CPUS];      /* each sender's last round, before it begins that; 0: not known yet */
    uint32_t port[EVENTS_PORTS];    /* [0, n_ports); the sender of place i is i % n_senders */
    uint32_t place[EVENTS_PORTS];   /* of a port in port[] */
    uint32_t counter[EVENTS_PORTS]; /* by place; one sender bumps it, before it sends */
    uint32_t last[EVENTS_PORTS];    /* what the handler found there */
};

static void take(void *ctx, struct events_cpu *cpu, uint32_t port)
{
    struct stress *s = ctx;
    uint32_t i = s->place[port], value = vc_load_seq(&s->counter[i]);

    (void)cpu;
    vc_store_seq(&s->n_events, s->n_events + 1);
    if (s->last[i] != value && value == vc_load_seq(&s->final[i % s->n_senders]))
        vc_store_seq(&s->n_complete, vc_load_seq(&s->n_complete) + 1);
    s->last[i] = value;
}

static void send_rounds(struct stress *s, struct tiny_cpu *cpu, uint32_t sender)
{
    for (uint32_t round = 1; vc_load_seq(&s->final[sender]) == 0; round++) {
        if (vc_load_seq(&s->stop) != 0 || (round >= s->n_rounds && vc_load_seq(&s->moved_all) != 0))
            vc_store_seq(&s->final[sender], round);
        for (uint32_t i = sender; i < s->n_ports; i += s->n_senders) {
            vc_store_seq(&s->counter[i], round);
            events_send(&cpu->events, s->port[i]);
        }
    }
}

/*
 * It stays until nothing moves, and asks nothing of the page that does, not even the time. Who waits too long for that lost
 * something: then, and only then, vCPU 0 is woken.
 */
static void wait_for_end(struct stress *s, struct tiny_cpu *cpu)
{
    uint32_t seen = 0;

    for (uint32_t yields = 0; vc_load_seq(&s->done) == 0; yields++) {
        hypercall_yield(&cpu->platform);
        if (seen != vc_load_seq(&s->n_events)) { /* it is slow, not asleep: a busy machine */
            seen = vc_load_seq(&s->n_events);
            yields = 0;
        }
        if (yields == GIVE_UP) {
            vc_store_seq(&s->gave_up, 1);
            events_send(&cpu->events, s->port[0]);
            yields = 0;
        }
    }
}

static void send_job(struct tiny_cpu *cpu, void *arg)
{
    struct stress *s = arg;
    bool on = cpu->events.way->off(cpu->events.way_ctx); /* its own vcpu_info may lie in the page that moves */

    __atomic_fetch_add(&s->n_ready, 1, __ATOMIC_SEQ_CST);
    send_rounds(s, cpu, cpu->id - 1);
    wait_for_end(s, cpu);
    if (on)
        cpu->events.way->on(cpu->events.way_ctx);
}

static bool is_complete(struct stress *s) { return vc_load_seq(&s->n_complete) == s->n_ports; }

/* Sleep until something comes, as a kernel that has nothing to do: with no limit, for a lost wake-up must show. */
static void idle(struct stress *s, struct events_cpu *cpu)
{
    bool on = cpu->way->off(cpu->way_ctx);

    if (!is_complete(s) && vc_load_seq(&s->gave_up) == 0 && !events_due(cpu)) {
        if (cpu->way == &events_by_poll) /* which sleeps for 128 ports at most */
            hypercall_yield(cpu->platform);
        else
            cpu->way->sleep(cpu->way_ctx, NULL, 0);
    }
    if (events_due(cpu))
        events_upcall(cpu);
    if (on)
        cpu->way->on(cpu->way_ctx);
}

/* Some moves at a time, with upcalls off: else senders that are faster than their receiver would let it make none. */
static void move_some(struct stress *s, struct events_cpu *cpu)
{
    bool on = cpu->way->off(cpu->way_ctx);

    for (uint32_t i = 0; i < MOVES_AT_ONCE && s->moved < s->n_moves && tiny_events_move(s->tiny) == 0; i++)
        s->moved++;
    if (on)
        cpu->way->on(cpu->way_ctx);
}

static void receive(struct stress *s)
{
    struct tiny_cpu *cpu = &s->tiny->cpus[0];

    while (!is_complete(s) && vc_load_seq(&s->gave_up) == 0) {
        if (s->stop == 0 && tiny_interrupted(s->console))
            vc_store_seq(&s->stop, 1);
        vc_store_seq(&s->moved_all, s->moved >= s->n_moves);
        if (!cpu->events.registered && (s->moved >= s->n_moves / 2 || s->moved >= MOVES_BEFORE))
            events_register(&cpu->events, cpu->info);
        if (s->moved < s->n_moves && s->stop == 0)
            move_some(s, &cpu->events);
        else
            idle(s, &cpu->events);
    }
    vc_store_seq(&s->done, 1);
}

static bool make_ports(struct stress *s)
{
    struct events_cpu *cpu = &s->tiny->cpus[0].events;
    uint32_t wanted = s->n_ports, port;

    for (s->n_ports = 0; s->n_ports < wanted && events_bind_ipi(cpu, 0, &port) == 0; s->n_ports++) {
        s->port[s->n_ports] = port;
        s->place[port] = s->n_ports;
        s->counter[s->n_ports] = s->last[s->n_ports] = 0;
        events_handle(&s->tiny->events, port, take, s);
    }
    for (uint32_t i = 0; i < s->n_ports; i++)
        events_unmask(cpu, s->port[i]);
    return s->n_ports > 0;
}

static void run(struct stress *s)
{
    struct tiny *t = s->tiny;

    if (s->own) {
        vc_store_seq(&s->moved_all, 1);
        send_rounds(s, &t->cpus[0], 0);
        events_wait(&t->cpus[0].events, NULL, 0, 1); /* a time that has passed: it looks and does not sleep */
        return;
    }
    tiny_cpus_park(t, s->n_senders + 1);
    for (uint32_t i = 1; i <= s->n_senders; i++)
        tiny_cpu_run(&t->cpus[i], send_job, s);
    while (vc_load_seq(&s->n_ready) < s->n_senders)
        hypercall_yield(&t->cpus[0].platform);
    receive(s);
    tiny_cpus_let_go(t, s->n_senders + 1);
    for (uint32_t i = 1; i <= s->n_senders; i++)
        while (!tiny_cpu_is_done(&t->cpus[i]))
            hypercall_yield(&t->cpus[0].platform);
}

static void print_also(struct print *p, uint64_t number, const char *text)
{
    print_number(p, number);
    print_text(p, text);
}

static void report(struct tiny_console *c, const struct stress *s)
{
    struct print *p = &c->out;
    uint32_t lost = 0, first = 0, rounds = 0;

    for (uint32_t i = 0; i < s->n_senders; i++)
        rounds = s->final[i] > rounds ? s->final[i] : rounds;
    for (uint32_t i = s->n_ports; i > 0; i--)
        if (s->last[i - 1] != s->counter[i - 1]) {
            lost++;
            first = i - 1;
        }
    print_text(p, "events: ");
    if (lost > 0) {
        print_also(p, lost, " ports lost events, the first ");
        print_also(p, s->port[first], ": saw ");
        print_also(p, s->last[first], " of ");
        print_also(p, s->counter[first], "");
        print_line(p, "");
        return;
    }
    print_also(p, s->own ? 0 : s->n_senders, " senders, ");
    print_also(p, s->n_ports, " ports, ");
    print_also(p, rounds, " rounds, ");
    print_also(p, s->moved, " moves, ");
    print_also(p, s->n_events, " events, none lost");
    print_line(p, vc_load_seq(&s->gave_up) != 0 ? ", but a wake-up" : "");
}

bool tiny_run_events(struct tiny_console *c, char *rest)
{
    static struct stress stress;
    struct stress *s = &stress;
    uint64_t n_senders, n_ports, n_rounds, n_moves;

    if (!tiny_number(&rest, 1, TINY_CPUS - 1, &n_senders) || !tiny_number(&rest, 64, EVENTS_PORTS, &n_ports) ||
        !tiny_number(&rest, 1000, MOST_ROUNDS, &n_rounds) || !tiny_number(&rest, 0, UINT32_MAX, &n_moves) ||
        n_ports == 0 || n_rounds == 0)
        return false;
    if (!c->tiny->has_events || tiny_cpus_start(c->tiny, (uint32_t)n_senders + 1) <= n_senders) {
        print_line(&c->out, "events: no vCPU for a sender");
        return true;
    }
    s->console = c;
    s->tiny = c->tiny;
    s->own = n_senders == 0;
    s->n_senders = s->own ? 1 : (uint32_t)n_senders;
    s->n_ports = (uint32_t)n_ports;
    s->n_rounds = (uint32_t)n_rounds;
    s->n_moves = (uint32_t)n_moves;
    s->moved = s->n_events = s->n_complete = s->n_ready = s->moved_all = s->stop = s->done = s->gave_up = 0;
    for (uint32_t i = 0; i < s->n_senders; i++)
        s->final[i] = 0;
    if (make_ports(s))
        run(s);
    report(c, s);
    for (uint32_t i = 0; i < s->n_ports; i++)
        events_close(&c->tiny->cpus[0].events, s->port[i]);
    return true;
}
