# SPDX-License-Identifier: MIT
"""The mutants of virtio: queue, transport, console, announcement. Format as in test_mutants.py."""

MUTANTS = [
    # Who asks to be told, and does not look again: both sleep.
    ("arms_without_second_look", "virtqueue.c", "    return (uint16_t)(vc_load16_seq(q->avail + VIRTQ_AVAIL_IDX) - q->last_avail) >= n;",
     "    return false;", "virtqueue_stress 100000 10"),
    # Hostile rings.
    ("next_anywhere", "virtqueue.c", "w.at >= w.entries || w.left-- == 0", "w.left-- == 0", "virtqueue"),
    ("not_negotiated", "virtqueue.c", "!q->indirect || w->inside ||", "w->inside ||", "virtqueue"),
    ("wraps_around", "virtqueue.c", "return gpa > UINT64_MAX - n;", "return gpa == 0 && n == 0;", "virtqueue"),
    ("jumps", "virtqueue.c", "(uint16_t)(q->seen - q->last_avail) > q->size", "q->seen == q->last_avail && q->size == 0",
     "virtqueue"),
    # R30.
    ("queue_changed_after_driver_ok", "virtio_mmio.c", "    if (q == NULL || vc_virtio_running(m))\n", "    if (q == NULL)\n",
     "virtio_mmio"),
    ("ring_changed_while_ready", "virtio_mmio.c", "    if (q->ready)\n        return;\n", "", "virtio_mmio"),
    ("features_after_features_ok", "virtio_mmio.c",
     "    if ((m->status & VIRTIO_STATUS_FEATURES_OK) != 0)\n        return;\n    if (m->driver_sel == 0)",
     "    if (m->driver_sel == 0)", "virtio_mmio"),
    # Messages and ports.
    ("message_does_not_fit", "virtio_control.c", "c->chain.writable - sizeof m.head >= m.n", "true", "virtio_console"),
    ("input_before_open", "virtio_console.c", "while (c->ports[port].open && taken < n", "while (taken < n", "virtio_console"),
    ("unplugged_port_keeps_its_driver", "virtio_ports.c",
     "    vc_virtio_console_output_room(c, port); /* what waits there is used */\n", "", "virtio_console"),
    ("answer_of_the_port_before", "virtio_control.c", "    if (p->answers > 0 || ", "    if (", "virtio_console"),
    ("never_lazy", "virtio_console.c", "return taken >= VC_VIRTIO_MUCH_BYTES && ", "return false && ", "virtio_console"),
    ("consoles_are_lazy", "virtio_console.c", "p->plugged && !p->console && c->env", "p->plugged && c->env", "virtio_console"),
    ("lazy_till_the_next_notification", "virtio_console.c", "now[i] = c->later[i] | c->lazy[i];", "now[i] = c->later[i];",
     "virtio_console"),
    ("held_output_again", "virtio_console.c", "        p->at += taken;\n", "", "virtio_console"),
    # Two at once.
    ("next_before_open", "announce.c", "    if (find(a, a->first, VC_ANNOUNCED_TURN) < a->n) {",
     "    if (find(a, a->first, VC_ANNOUNCED_TURN) > a->n) {", "announce"),
]
