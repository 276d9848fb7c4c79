# SPDX-License-Identifier: MIT
"""The mutants of the doors: PV ring, console_io, focus, events, parameters. Format as in test_mutants.py."""

TAKE = ("    if (f->focus == d)\n        while (got < n && got < waiting)\n"
        "            to[got++] = f->typed[f->typed_cons++ & (f->typed_size - 1)];\n")
LOCKED_READ = "    unsigned long saved = lock(f, f->lock);\n    uint32_t waiting = f->typed_prod - f->typed_cons, got = 0;\n"
DISCONNECT = "    left = vc_pvcons_serve(c);\n    tell(c, false);\n"

MUTANTS = [
    # The seeded bugs of models/focus_read.pml.
    ("input_kept_at_the_switch", "focus.c", "    discard(f);\n    f->focus = to;\n", "    f->focus = to;\n", "focus_stress"),
    ("read_out_of_focus", "focus.c", TAKE, TAKE.replace("f->focus == d", "d != NULL"), "focus_stress"),
    ("focus_looked_at_before_the_lock", "focus.c", LOCKED_READ + "    uint8_t *to = bytes;\n\n" + TAKE,
     "    bool mine = *(struct vc_focus_domain *volatile *)&f->focus == d;\n" + LOCKED_READ + "    uint8_t *to = bytes;\n\n" +
     TAKE.replace("f->focus == d", "mine"), "focus_stress"),
    ("taken_without_the_lock", "focus.c", TAKE,
     "    unlock(f, f->lock, saved);\n" + TAKE + "    saved = lock(f, f->lock);\n", "focus_stress"),
    # The seeded bugs of models/flag.pml.
    ("no_event_for_room", "pvcons.c", "    if (moved)\n        c->env->notify(c->ctx); /* there is no event index",
     "    if (false)\n        c->env->notify(c->ctx); /* there is no event index", "pvcons"),
    ("no_event_after_the_flag", "pvcons.c", "    c->env->notify(c->ctx); /* a guest that waits for room looks",
     "    (void)c; /* a guest that waits for room looks", "connection_flag"),
    ("flag_before_the_last_drain", "pvcons.c", DISCONNECT, "    tell(c, false);\n    left = vc_pvcons_serve(c);\n",
     "connection_flag"),
    ("detach_without_draining", "pvcons.c", DISCONNECT, "    left = VC_PVCONS_DONE;\n    tell(c, false);\n", "connection_flag"),
    ("attach_from_zero", "xencons.c", "vc_consumer_attach(&b->out, &out)", "vc_consumer_attach_at(&b->out, &out, 0)",
     "connection_flag"),
    ("input_overtakes_the_ring", "pvcons.c", "room < XENCONS_IN_SIZE", "room > XENCONS_IN_SIZE", "guest_stress"),
    ("two_in_the_ring", "pvcons.c", "        vc_consumer_commit(&c->back.out, taken);\n",
     "        vc_consumer_commit(&c->back.out, taken - taken / 200);\n", "guest_stress"),
    # The order of attach and detach, and what is believed.
    ("flag_read_back", "pvcons.c", "    if (!error && c->state == VC_PVCONS_CONNECTED) {",
     "    if (!error && c->back.page->connection == XENCONSOLE_CONNECTED) {", "connection_flag"),
    ("connected_before_bound", "pvcons.c", "    error = c->env->bind(c->ctx);\n",
     "    vc_xencons_back_connect(&c->back, true);\n    error = c->env->bind(c->ctx);\n", "connection_flag"),
    ("attach_without_a_look", "pvcons.c", "    error = vc_xencons_back_attach(&c->back, page);\n    if (error)\n        return error;\n",
     "    (void)vc_xencons_back_attach(&c->back, page);\n", "pvcons"),
    ("bound_after_a_failure", "pvcons.c", "        c->env->unbind(c->ctx);\n        return error;\n", "        return error;\n", "pvcons"),
    ("exit_for_a_restart_disconnects", "pvcons.c", "    if (for_good)\n", "    if (for_good || c->connect)\n", "connection_flag"),
    ("input_after_stop", "pvcons.c", "        c->state = VC_PVCONS_SERVED; /* no more input */\n", "        ;\n", "pvcons"),
    ("held_is_taken", "pvcons.c", "        vc_consumer_commit(&c->back.out, taken);\n",
     "        vc_consumer_commit(&c->back.out, n);\n", "pvcons"),
    ("reported_at_every_kick", "pvcons.c", "    if (now < c->retry_ms)\n        return false;\n", "", "pvcons"),
    ("other_values_are_disconnected", "xencons.c", "!= XENCONSOLE_DISCONNECTED;", "== XENCONSOLE_CONNECTED;", "connection_flag"),
    # console_io.
    ("write_counts", "console_io.c", "    call->result = 0; /* not a count */\n", "    call->result = (int64_t)call->count;\n",
     "console_io"),
    ("wraps", "console_io.c", "return n == 0 || address + (n - 1) >= address;", "return n > 0 || address > 0;", "console_io"),
    ("int_max", "console_io.c", "call->count > INT_MAX_BYTES", "call->count > UINT32_MAX", "console_io"),
    ("long_counts", "console_io.c", "    call->count = (uint32_t)call->count;", "    call->count = call->count + 0;", "console_io"),
    ("fault_not_counted", "console_io.c", "            vc_add_relaxed(&io->fault_bytes, n);\n", "", "console_io"),
    ("stopped_write_starts_anew", "console_io.c", "        call->buffer += done;\n", "        call->buffer += n;\n", "console_io"),
    ("chunks_too_long", "console_io.c", "return n < VC_CONSOLE_IO_CHUNK ? (uint32_t)n : VC_CONSOLE_IO_CHUNK;",
     "return n < VC_CONSOLE_IO_CHUNK / 2 ? (uint32_t)n : VC_CONSOLE_IO_CHUNK / 2;", "console_io"),
    # The terminal.
    ("message_changed", "focus_show.c", '"*** Serial input to "', '"*** serial input to "', "focus"),
    ("two_are_enough", "focus.c", "if (++f->n_pending < 3)", "if (++f->n_pending < 2)", "focus"),
    ("switch_characters_swallowed", "focus.c", "            batch[held++] = (uint8_t)(f->letter - 'a' + 1);\n", "            ;\n", "focus"),
    ("partial_line_filtered", "focus_show.c", "    show_raw(f, d, d->line, d->n); /* its mark", "    show_line(f, d); /* its mark", "focus_weak_points"),
    ("line_left_open", "focus_show.c", "    if (f->last != '\\n')\n        show(f,", "    if (f->last == 'q')\n        show(f,", "focus_weak_points"),
    ("escape_passes", "focus_show.c", "(byte >= 0x20 && byte < 0x7f)", "(byte >= 0x1b && byte < 0x7f)", "focus"),
    ("high_half_passes", "focus_show.c", "(byte >= 0x20 && byte < 0x7f)", "(byte >= 0x20 && byte != 0x7f)", "focus"),
    ("no_prefix", "focus_show.c", "    add_prefix(&t, d);\n    for", "    for", "focus"),
    ("dead_keeps_the_focus", "focus.c", "    if (f->focus == d)\n        move(f, NULL);\n", "", "focus"),
    ("overflow_overwrites", "focus.c", "put = n < room ? n : room;", "put = room < 1 ? n : n;", "focus"),
    ("refused_is_typed", "focus.c", "    if (refused) {\n", "    if (refused && n > 60) {\n", "focus"),
    ("flood_unbounded", "focus_show.c", "    d->budget -= t.n;\n", "", "focus"),
    ("no_room_for_the_hypervisor", "focus_show.c", "kept = f->output_size / 4;", "kept = 0;", "focus"),
    ("skipped_without_a_mark", "focus_show.c", "    add_mark(&t, d->skipped);\n", "", "focus"),
    ("irqs_switched_on", "focus.c", "    if (to != NULL)\n        unlock(f, to->lock, saved_domain);\n",
     "    if (to != NULL)\n        unlock(f, to->lock, saved);\n", "focus_weak_points"),
    ("locks_in_the_wrong_order", "focus.c",
     "        unsigned long saved_domain = lock(f, d->lock), saved = lock(f, f->lock);\n\n        vc_focus_show",
     "        unsigned long saved = lock(f, f->lock), saved_domain = lock(f, d->lock);\n\n        vc_focus_show", "focus"),
    # Events and parameters.
    ("one_vcpu_takes_it_from_all", "events.c", "    for (uint32_t v = 0; v < e->n_vcpus; v++)\n        e->pending[v * e->n_words + port / 64] |=",
     "    for (uint32_t v = 0; v < 1; v++)\n        e->pending[v * e->n_words + port / 64] |=", "events"),
    ("sleeps_on_a_late_sequence", "events.c", "env->wait(ctx, &e->sequence, sequence, deadline_ns)",
     "env->wait(ctx, &e->sequence, *(volatile uint32_t *)&e->sequence, deadline_ns)", "events"),
    ("sequence_stands_still", "events.c", "vc_store_seq(&e->sequence, e->sequence + 1);", "vc_store_seq(&e->sequence, 0);", "events"),
    ("virq_sent_by_the_guest", "events.c", "if (p.kind != DOOR)", "if (p.kind == CLOSED)", "events"),
    ("port_of_another", "events.c", " && e->ports[port].door == door;", ";", "events"),
    ("pending_after_close", "events.c", "&= ~(UINT64_C(1) << port % 64);\n    e->ports", "|= 0;\n    e->ports", "events"),
    ("poll_of_129", "events.c", "p.nr_ports > VC_EVENTS_POLL_MAX", "p.nr_ports > VC_EVENTS_POLL_MAX + 1", "events"),
    ("poll_of_any_port", "events.c", "        if (ports[i] >= e->n_ports)\n", "        if (ports[i] > e->n_ports)\n", "events"),
    ("guest_sets_the_page", "params.c", "[HVM_PARAM_CONSOLE_PFN] = TOOLS | GET | ARM", "[HVM_PARAM_CONSOLE_PFN] = TOOLS | GET | SET | ARM", "params"),
    ("hidden_for_nobody", "params.c", "(p->hidden >> index & 1) != 0 || ", "", "params"),
    ("another_domains_parameters", "params.c", "arg->domid != XEN_DOMID_SELF && arg->domid != domid", "arg->domid == 1000", "params"),
]
