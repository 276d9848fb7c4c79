# SPDX-License-Identifier: MIT
"""The mutants of the guest's virtio drivers, and of the numbers of their consoles. Format as in test_mutants.py."""

BEGIN = "    if (!v->shared && !t->env->begin(t->ctx, v->number)) {\n"

MUTANTS = [
    # Numbers: the order that Linux got wrong, and what else makes two of one.
    ("terminal_before_its_number", "guest/vterm.c", BEGIN,
     "    bool begun;\n    v->hvc = NULL;\n    begun = v->shared || t->env->begin(t->ctx, v->number);\n    v->hvc = hvc;\n"
     "    if (!begun) {\n", "guest_virtio"),
    ("counter_without_a_gap", "guest/vterm.c", "t->counter ? read_counter(t, hvc) : allocate(t, hvc)", "allocate(t, hvc)",
     "guest_virtio"),
    ("counter_for_all", "guest/vterm.c", "t->counter ? read_counter(t, hvc) : allocate(t, hvc)", "read_counter(t, hvc)",
     "guest_virtio"),
    ("number_zero", "guest/vterm.c", "vc_ids_init(&t->ids, 1, max, memory)", "vc_ids_init(&t->ids, 0, max, memory)",
     "guest_virtio"),
    ("failed_start_keeps_its_number", "guest/vterm.c", "        vterm_release(t, hvc);\n        return VC_ENOSPC;\n",
     "        v->hvc = NULL;\n        return VC_ENOSPC;\n", "guest_virtio"),
    ("number_free_while_in_use", "guest/vterm.c", "    v = entry_of(t, hvc);\n    tell =",
     "    v = entry_of(t, hvc);\n    if (v != NULL) vc_ids_free(&t->ids, v->number);\n    tell =", "guest_virtio"),
    ("numbers_without_the_lock", "guest/vterm.c", "    if (t->env->lock != NULL)\n", "    if (t == NULL)\n", "vterm_stress"),
    # Ports that go.
    ("made_while_somebody_has_the_one_before", "guest/virtio_messages.c", "if (p->held && !p->added && !p->again) {", "if (false) {",
     "guest_virtio"),
    ("gone_and_written_to", "guest/virtio_port.c", "if (!p->guest_open || p->out.broken)", "if (p->out.broken)", "guest_virtio"),
    ("one_answer_for_two", "guest/virtio_messages.c",
     "        answer(c, p->id, false); /* of that one there was none */\n", "", "guest_virtio"),
    # A device that lies.
    ("answers_without_room", "guest/virtio_messages.c", "if (!settle(c) || !has_room(c))", "if (!settle(c))",
     "guest_virtio_hostile"),
    ("written_beyond_the_buffer", "guest/virtqueue.c", " || e.len > q->lent[e.id].room", "", "guest_virtio_hostile"),
    ("used_twice", "guest/virtqueue.c", "q->lent[e.id].token == NULL || ", "", "virtqueue_driver"),
    ("any_descriptor", "guest/virtqueue.c", "e.id >= q->size || ", "", "guest_virtio_hostile"),
    ("any_port", "guest/virtio_messages.c", "    if (m->head.id >= c->setup.n_ports) {", "    if (m->head.id == UINT32_MAX) {",
     "guest_virtio_hostile"),
    ("short_message", "guest/virtio_messages.c", "*is_one = n >= sizeof m->head;", "*is_one = true;", "guest_virtio_hostile"),
    ("waits_for_ever", "guest/virtio_port.c", "return lost_patience(p) ? drop(p, n) : 0;", "return 0;", "guest_virtio_hostile"),
    ("reset_for_ever", "guest/virtio_mmio.c", "looks < RESET_LOOKS", "true", "guest_virtio_hostile"),
]
