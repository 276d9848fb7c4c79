# SPDX-License-Identifier: MIT
"""The mutants of event channels and shared pages. Format as in test_mutants.py."""

# The last steps of a move. The mark at the end heals what a wrong order loses (models/vcpu_info.pml), so that a mutant of the
# order does without.
MOVE = ("    vc_shared_block(s, v);\n"
        "    v->registered = gpa != VC_NO_GPA;\n"
        "    v->gpa = gpa;\n"
        "    if (!vc_shared_find(s, vcpu, &shared, &to)) {\n"
        "        v->registered = was;\n"
        "        v->gpa = old_gpa;\n"
        "        return -XEN_EINVAL;\n"
        "    }\n"
        "    if (to != NULL) {\n"
        "        fill(s, to, there ? from : NULL);\n"
        "        *upcall = vc_shared_mark(layout_of(s), to);\n"
        "    }\n"
        "    vc_shared_publish(s, v, shared, to);\n")
MARK, NO_MARK = "*upcall = vc_shared_mark(layout_of(s), to);", "*upcall = false;"

MUTANTS = [
    # The seeded bugs of models/vcpu_info.pml.
    ("published_before_copied", "vcpu_info.c", MOVE,
     MOVE.replace("    if (to != NULL) {\n", "    vc_shared_publish(s, v, shared, to);\n    if (to != NULL) {\n").replace(MARK, NO_MARK),
     "vcpu_info_stress still"),
    ("not_blocked_while_copied", "vcpu_info.c", MOVE,
     MOVE.replace("    vc_shared_block(s, v);\n", "").replace(MARK, NO_MARK), "vcpu_info_stress still"),
    ("not_marked_after_the_copy", "vcpu_info.c", "        *upcall = vc_shared_mark(layout_of(s), to);\n", "        *upcall = false;\n",
     "shared_info"),
    ("moved_without_a_look", "shared_info.c", "        if (again && info != NULL)\n", "        if (false)\n", "shared_info"),
    ("generation_not_looked_at", "vcpu.h", "return v->generation == __atomic_load_n(&s->generation, __ATOMIC_SEQ_CST);",
     "return v->generation != 0 && s != NULL;", "event_delivery"),
    # Delivery.
    ("rebound_while_sent", "events.c", "    while (is_door(e, port, door)) /*", "    if (is_door(e, port, door)) /*",
     "vcpu_info_stress still"),
    ("sent_without_a_second_look", "events.c", "    if (port_load(e, port) != is || (door", "    if ((door", "event_delivery"),
    ("masked_raises", "vcpu.h", "return test_bit(v->mask, port) ? VCPU_PENDING : vcpu_select(v, port);",
     "return vcpu_select(v, port);", "event_delivery"),
    ("coalesced_raises", "vcpu.h", "port >= v->n_ports || !set_bit(v->pending, port)",
     "port >= v->n_ports || (set_bit(v->pending, port), false)", "event_delivery"),
    ("beyond_the_mode", "vcpu.h", "port >= v->n_ports || !set_bit", "!set_bit", "event_delivery"),
    ("unmask_of_the_unmasked", "events.c", "clear_bit(g.vcpu->mask, port) &&", "(clear_bit(g.vcpu->mask, port), true) &&",
     "event_delivery"),
    ("one_vcpu_takes_it_from_all", "events.c", "    for (uint32_t v = 0; v < e->shared->n_vcpus; v++)\n",
     "    for (uint32_t v = 0; v < 1; v++)\n", "event_delivery"),
    ("sleeps_on_a_late_word", "sched_op.c", "how = e->env->wait(ctx, &v->word, word, deadline_ns);",
     "how = e->env->wait(ctx, &v->word, *(volatile uint32_t *)&v->word, deadline_ns);", "event_delivery"),
    ("blocks_on_a_late_word", "sched_op.c", "how = e->env->wait(ctx, &v->word, word, 0);",
     "how = e->env->wait(ctx, &v->word, *(volatile uint32_t *)&v->word, 0);", "event_delivery"),
    ("poller_not_counted", "sched_op.c", "        __atomic_fetch_add(&e->n_pollers, 1, __ATOMIC_SEQ_CST);\n", "        ;\n",
     "event_delivery"),
    ("upcall_wakes_nobody", "shared_info.c", "    if (vc_load_seq(&v->sleeping) != 0) {", "    if (false) {",
     "event_delivery"),
    ("dropped_is_forgotten", "shared_info.c", "        vc_store_seq(&v->dropped, 1);\n", "        ;\n", "event_delivery"),
    ("upcall_each_time", "shared_info.c", "    return __atomic_exchange_n(info, 1, __ATOMIC_SEQ_CST) == 0;",
     "    return __atomic_exchange_n(info, 1, __ATOMIC_SEQ_CST) <= 1;", "shared_info"),
    # Ports.
    ("virq_sent_by_the_guest", "event_ops.c", "        default: return -XEN_EINVAL; /* a virq too */",
     "        default: return 0;", "events"),
    ("port_of_another", "events.c", "    bool there = is_door(e, port, door);\n    uint64_t is",
     "    bool there = is_door(e, port, e->ports[port].door) && door != NULL;\n    uint64_t is", "events"),
    ("pending_after_close", "events.c", "word_kind(is) == VC_EVENT_FREE; /* only", "word_kind(is) == VC_EVENT_IPI; /* only",
     "events"),
    ("reserved_for_anybody", "event_ops.c", " || word_dom(other) != here", "", "events"),
    ("peer_left_connected", "events.c", "    if (peer_port != port || peer != e)\n", "    if (peer_port == port && peer == e)\n",
     "events"),
    ("private_is_closed", "events.c", "(word_rights(is) & VC_DOOR_CLOSE) == 0", "word_rights(is) > 99", "events"),
    ("private_is_sent_on", "event_ops.c", "if ((word_rights(is) & VC_DOOR_SEND) == 0)", "if (word_rights(is) > 99)", "events"),
    ("limit_of_the_other_mode", "events.h", "return n < e->n_ports ? n : e->n_ports;", "return n > 0 ? e->n_ports : 0;",
     "events"),
    ("undone_what_another_did", "events.c", "        if (only != 0 && is != only)\n            return -XEN_EINVAL;\n", "",
     "events"),
    ("poll_of_129", "sched_op.c", "p->nr_ports > VC_EVENTS_POLL_MAX)", "p->nr_ports > VC_EVENTS_POLL_MAX + 1)",
     "event_delivery"),
    ("poll_of_any_port", "sched_op.c", "        if (ports[i] >= port_limit(e))\n",
     "        if (ports[i] > port_limit(e))\n", "event_delivery"),
    # Registration.
    ("version_not_asked", "vcpu_info.c", "s->xen_version >= XEN_VERSION_OF(4, 19);", "s->xen_version > 0;", "shared_info"),
    ("not_aligned", "vcpu_info.c", " || offset % l->align != 0 ?", " ?", "shared_info"),
    ("crosses_the_page", "vcpu_info.c", "offset > PAGE - l->info_bytes ||", "offset > PAGE ||", "shared_info"),
    ("twice", "vcpu_info.c", "    if (registered || gfn", "    if (gfn", "shared_info"),
    ("of_a_running_vcpu", "vcpu_info.c", "&& !s->env->offline(s->domain, vcpu))", "&& false)", "shared_info"),
    ("areas_in_one_page", "vcpu_areas.c", "uint32_t page = offset >= a->first;", "uint32_t page = 0;", "vcpu_areas"),
    ("runstate_flag_last", "vcpu_areas.c", "        put(a, entry + 7, &busy, 1);\n", "", "vcpu_areas"),
    # The order of locks.
    ("rank_not_looked_at", "lock.c", "rank < last ||", "false ||", "lock"),
    ("order_not_looked_at", "lock.c", "(order <= last_order || rank == VC_RANK_VCPU)", "rank == VC_RANK_VCPU", "lock"),
]
