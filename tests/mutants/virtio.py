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
    # The VMM's doors.
    ("door_held_as_long_as_others", "vmm/door_virtio.c",
     "hold_ms == CONFIG_HOLD_FOREVER || hold_ms > DOOR_VIRTIO_HOLD_MS ? DOOR_VIRTIO_HOLD_MS : hold_ms;", "hold_ms;", "door_virtio"),
    ("door_ports_held_for_a_second", "vmm/door_virtio.c", "    if (door == DOOR_VIRTIO_PORT)\n", "    if (door == DOOR_XEN)\n", "door_virtio"),
    ("door_emergency_is_held", "vmm/door_virtio.c", "if (console_put_now(&door->console, &byte, 1))",
     "if (console_put(&door->console, &byte, 1) == 0)", "door_virtio"),
    ("door_rows_first_for_others", "vmm/virtio_device.c", ".rows_first = d->config->virtio_rows_first",
     ".rows_first = !d->config->virtio_rows_first", "door_virtio"),
    ("door_announces_all_together", "vmm/virtio_device.c", ".announce = d->config->virtio_together ? NULL : &d->virtio.announce",
     ".announce = NULL", "door_virtio"),
    ("door_announces_in_another_order", "vmm/door_virtio.c", ".place = door->number", ".place = door->number ^ 1", "door_virtio"),
    ("door_waits_for_ever", "vmm/domain_virtio.c", "        vc_announce_timer(&d->virtio.announce);\n", "        ;\n", "door_virtio"),
    ("door_input_not_offered_when_opened", "vmm/virtio_device.c", "    if (open)\n        input_room(v, port);\n", "", "door_virtio"),
    ("door_input_before_it_is_opened", "vmm/door_virtio.c",
     "while (p->plugged && vc_virtio_console_guest_open(device_of(door), door->config->port)) {", "while (p->plugged) {", "door_virtio"),
    ("door_open_not_told", "vmm/virtio_device.c",
     "console_post(&door->console, open ? VC_LINE_OPEN : VC_LINE_CLOSE, open ? 0 : VC_DOMAIN_RUNNING);", ";", "door_virtio"),
    ("door_broken_not_told", "vmm/virtio_device.c", "console_post(&v->doors[port]->console, VC_LINE_BROKEN, reason);", ";", "door_virtio"),
    ("door_number_stays_taken", "vmm/door_virtio.c", "    p->device->doors[door->config->port] = NULL;\n", "", "door_virtio_ports"),
    ("door_size_not_told", "vmm/door_virtio.c",
     "    vc_virtio_console_resize(device_of(door), door->config->port, p->columns, p->rows);\n", "", "door_virtio_ports"),
    ("door_copied_twice", "vmm/door_virtio.c", "        done += taken;\n", "        done += part;\n", "door_virtio"),
]
