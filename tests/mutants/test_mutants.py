#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks core, and drivers of guests, on purpose, one line at a time, and asks that a test notices (reliability T18, T28).

Each mutant is one exact replacement in one file; the seeded bugs of models/*.pml are among them. Races are looked for by
the stress tests, at full speed and again and again until one is killed or its time is over; what one thread can show, by
the ordinary unit tests. A mutant whose text is no longer there fails too: it must be moved along with the code.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import doors
import events
import guest
import uarts
import virtio

SOURCE = os.environ["VCONS_SOURCE"]
CORE = sorted(os.path.basename(f) for f in glob.glob(os.path.join(SOURCE, "core", "*.c")))
RACES = ("ring_stress", "line_stress", "line_litmus", "focus_stress", "events_stress", "events_storm", "vcpu_info_stress", "vcpu_areas",
         "guest_stress", "virtqueue_stress", "vterm_stress")
MORE = {**{name: ["guest/virtqueue.c"] for name in ("announce", "virtio_console", "virtio_mmio", "virtqueue_driver", "virtqueue_stress")},
        **{name: [f"guest/{f}.c" for f in ("hvc", "virtio_console", "virtio_messages", "virtio_mmio", "virtio_port", "virtqueue", "vterm")]
           for name in ("guest_virtio", "guest_virtio_hostile")},
        "vterm_stress": ["guest/vterm.c"],
        "guest_stress": ["tests/unit/guest_machine.c", "guest/console_io.c", "guest/hvc.c", "guest/xen_console.c"]}
LONG = os.environ.get("VCONS_LONG") is not None
RACE_S = 600 if LONG else 120  # for one race, in all: a second is plenty on a machine that does nothing else

PUBLISH = "    vc_store_seq(p->ring.prod, p->prod); /* pairs with the load in vc_consumer_peek: bytes before index */\n"
COPY_IN = ("    memcpy(p->ring.bytes + slot, bytes, first);\n"
           "    memcpy(p->ring.bytes, (const uint8_t *)bytes + first, n - first);\n")
COPY_OUT = ("    memcpy(bytes, spans[0].bytes, first);\n"
            "    memcpy((uint8_t *)bytes + first, spans[1].bytes, n - first);\n"
            "    vc_consumer_commit(c, n);\n")
SINK_IDLE = "vc_load_seq(s->out.ring.prod) == s->out.cons && vc_load_seq(s->out_events.prod) == s->out_events.own"
ARM = "void vc_{0}_arm_{1}(struct vc_{0} *s) {{ vc_store_{3}(&s->page->{2}_wait, 1); }}"

# name, file, text, what stands there instead, the test that must notice
MUTANTS = [
    # The model's seeded bugs.
    ("arm_bytes_relaxed", "line.c", ARM.format("sink", "bytes", "out_bytes", "seq"),
     ARM.format("sink", "bytes", "out_bytes", "relaxed"), "line_litmus 50000 bytes_out"),
    ("arm_room_relaxed", "line.c", ARM.format("source", "room", "out_room", "seq"),
     ARM.format("source", "room", "out_room", "relaxed"), "line_litmus 50000 room_out"),
    ("publish_relaxed", "ring.c", PUBLISH, PUBLISH.replace("_seq", "_relaxed"), "line_litmus 50000 bytes_out"),
    ("commit_relaxed", "ring.c", "    vc_store_seq(c->ring.cons, c->cons);", "    vc_store_relaxed(c->ring.cons, c->cons);",
     "line_litmus 50000 room_out"),
    ("sleeps_without_second_look", "line.c",
     SINK_IDLE, "s != NULL", "line_litmus 50000 bytes_out"),
    ("looks_at_word_before_publishing", "line.c",
     "    int error = put(&s->out, &s->out_events, bytes, n, done);\n\n    if (*done > 0)\n"
     "        wake(s->always, &s->page->out_bytes_wait, kick);\n",
     "    int error;\n\n    wake(s->always, &s->page->out_bytes_wait, kick);\n"
     "    error = put(&s->out, &s->out_events, bytes, n, done);\n", "line_litmus 50000 bytes_out"),
    ("index_before_bytes", "ring.c", COPY_IN + "    p->prod += n;\n" + PUBLISH, "    p->prod += n;\n" + PUBLISH + COPY_IN,
     "ring_stress"),
    ("slots_freed_before_copied", "ring.c", COPY_OUT,
     "    vc_consumer_commit(c, n);\n" + COPY_OUT.replace("    vc_consumer_commit(c, n);\n", ""), "ring_stress"),
    # Events and bytes as one picture.
    ("idle_blind_for_events", "line.c", SINK_IDLE, SINK_IDLE.split(" &&")[0], "line_litmus 50000 event_out"),
    ("event_looked_at_first", "line.c",
     "    int error = vc_consumer_peek(c, spans, &before);\n\n    *there = false;\n"
     "    if (error == VC_OK)\n        error = next_event(e, event, there);\n",
     "    int error = next_event(e, event, there), late = vc_consumer_peek(c, spans, &before);\n\n"
     "    error = error ? error : late;\n", "line_stress"),
    ("bytes_not_looked_at_again", "line.c", "if (*there) { error = vc_consumer_peek(c, spans, &before);", "if (*there) {",
     "line_stress"),
    ("event_index_before_slot", "line.c", "    e->slots[e->own & (e->size - 1)] =\n",
     "    vc_store_seq(e->prod, e->own + 1);\n    e->slots[e->own & (e->size - 1)] =\n", "line_stress"),
    # What one thread can show.
    ("one_byte_too_many", "ring.c", "*room = used > p->ring.size ? 0 : p->ring.size - used;",
     "*room = used > p->ring.size ? 0 : p->ring.size - used + 1;", "ring"),
    ("prod_not_checked", "ring.c", "int error = used > c->ring.size ? VC_EPEER : VC_OK;",
     "int error = used > 2 * c->ring.size ? VC_EPEER : VC_OK;", "ring"),
    ("cons_not_checked", "ring.c", "return used > p->ring.size ? VC_EPEER : VC_OK;", "return VC_OK;", "ring"),
    ("own_index_read_back", "ring.c", "    p->prod += n;\n", "    p->prod = vc_load_seq(p->ring.prod) + n;\n", "ring"),
    ("resume_before_freed", "ring.c", " || cons - freed > used", "", "ring"),
    ("magic_not_checked", "line.c", "h->magic == VC_LINE_MAGIC && ", "", "line"),
    ("memory_not_measured", "line.c", " || bytes < vc_line_bytes(h.out_size, h.in_size)", "", "line"),
    ("offset_believed", "line.c", " || h.out_offset != VC_LINE_HEADER_BYTES", "", "line"),
    ("event_number_not_checked", "line.c", "event->sequence != e->own", "e->size == 0", "line"),
    ("event_place_not_checked", "line.c", "*n > before", "*n > UINT32_MAX - 1", "line"),
    ("spans_left_after_an_error", "line.c", "        *n = 0;\n        *there = false;\n    }\n    cut(spans, *n);",
     "        *n = 0;\n        *there = false;\n    } else\n        cut(spans, *n);", "line"),
    ("full_events_ignored", "line.c", "error || posted == e->size", "error", "line"),
    ("wakes_nobody", "line.c", "vc_swap_seq(word, 0) != 0)\n        *kick = true;\n", "vc_swap_seq(word, 0) != 0)\n        (void)kick;\n", "line"),
    ("rings_wake_sleepers_alone", "line.c", "    if (always)\n", "    if (false)\n", "line"),
    ("wakes_always", "line.c", "vc_load_seq(word) != 0 && vc_swap_seq(word, 0) != 0", "vc_swap_seq(word, 0) < 2", "line"),
    ("tag_of_zero", "line.c", "return tag != 0 ? tag : 0x8000;", "return tag;", "line"),
    ("event_behind_us_comes_again", "line.c", " || (there && event.line_index - s->out.cons < passed)", "", "line"),
    ("recorded_event_comes_again", "line.c", "vc_line_event_tag(e.own) == tag || ", "", "line"),
    ("tail_left_open", "ids.c", "    if (bits % BITS != 0)\n", "    if (bits % BITS == 63)\n", "ids"),
    ("full_word_not_marked", "ids.c", "        if (~*word != 0)\n            return;\n",
     "        if (i == 1 || ~*word != 0)\n            return;\n", "ids"),
    ("level_above_not_told", "ids.c", "        if (~was != 0)\n", "        if (i == 1 || ~was != 0)\n", "ids"),
    ("highest_first", "ids.c", "(uint32_t)__builtin_ctzll(open)", "63 - (uint32_t)__builtin_clzll(open)", "ids"),
]


def compile_to(work, test, path):
    """The object of one source file, as this test wants it. Sources of the tree are compiled once for all mutants."""
    flavour = "fast" if test in RACES else "asan"
    ours = path.startswith(SOURCE)
    name = os.path.relpath(path, SOURCE).replace("/", "-") if ours else os.path.basename(path)
    target = os.path.join(work if ours else os.path.dirname(path), f"{flavour}-{name}.o")
    if ours and os.path.exists(target):
        return target
    command = ["cc", "-O2" if test in RACES else "-O1", "-g0", "-w", "-D_GNU_SOURCE", "-pthread",
               *([] if test in RACES else ["-fsanitize=address"]), "-I" + os.path.join(SOURCE, "include"),
               "-I" + os.path.join(SOURCE, "core"), "-I" + os.path.join(SOURCE, "tests/unit"),
               "-I" + os.path.join(SOURCE, "guest"), "-c", path, "-o", target]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0:
        raise ValueError("does not compile: " + built.stderr)
    return target


def users_of(name):
    """The sources of core that change with this file: itself, or all that include it, by whatever way. One of guest/: itself."""
    if name.endswith(".c"):
        return {os.path.basename(name)}
    found = set()
    for path in glob.glob(os.path.join(SOURCE, "core", "*.[ch]")):
        with open(path) as f:
            if f'#include "{name}"' in f.read():
                found |= users_of(os.path.basename(path))
    return found


def build(work, directory, test, mutated):
    test = test.split()[0]
    changed = users_of(mutated)
    for path in glob.glob(os.path.join(SOURCE, "core", "*.[ch]")):  # headers too: a file finds them beside itself
        if mutated.startswith("guest/"):
            break
        if os.path.basename(path) != mutated and (path.endswith(".h") or os.path.basename(path) in changed):
            shutil.copy(path, directory)
    mutant = os.path.join(directory, os.path.basename(mutated)) if mutated.startswith("guest/") else None
    sources = [os.path.join(directory if f in changed and mutant is None else os.path.join(SOURCE, "core"), f) for f in CORE]
    sources += [mutant if f == mutated else os.path.join(SOURCE, f) for f in [f"tests/unit/test_{test}.c", *MORE.get(test, [])]]
    objects = [compile_to(work, test, path) for path in sources]
    subprocess.run(["cc", "-pthread", *([] if test in RACES else ["-fsanitize=address"]), *objects, "-lcmocka", "-o",
                    os.path.join(directory, "test")], check=True)


def noticed(directory, test):
    """Whether one run of the test fails, or stands still."""
    try:
        return subprocess.run([os.path.join(directory, "test"), *test.split()[1:]], capture_output=True, timeout=60).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def killed(work, name, file, old, new, test):
    directory = tempfile.mkdtemp(prefix="mutant-", dir=work)
    try:
        path = os.path.join(directory, os.path.basename(file))
        with open(os.path.join(SOURCE, file if "/" in file else f"core/{file}")) as f:
            text = f.read()
        places = re.findall(r"\s+".join(map(re.escape, old.split())), text)  # however the lines are broken
        if len(places) != 1:
            return f"its text stands {len(places)} times in {file}"
        with open(path, "w") as f:
            f.write(text.replace(places[0], new))
        build(work, directory, test, file)
        until = time.monotonic() + (RACE_S if test.split()[0] in RACES else 0)
        rounds = 1
        while not noticed(directory, test):
            if time.monotonic() >= until:
                return f"test_{test} did not notice in {rounds} runs"
            rounds += 1
        return ""
    except ValueError as error:
        return str(error)
    finally:
        shutil.rmtree(directory)


def main(words):
    failures = 0
    work = tempfile.mkdtemp(prefix="vcons-mutants-")
    try:
        for mutant in MUTANTS + doors.MUTANTS + events.MUTANTS + uarts.MUTANTS + virtio.MUTANTS + guest.MUTANTS:
            if words and not any(w in mutant[0] for w in words):
                continue
            began = time.monotonic()
            why = killed(work, *mutant)
            failures += why != ""
            print(f"{'LIVES' if why else 'killed'} {mutant[0]} ({time.monotonic() - began:.1f} s){': ' if why else ''}{why}",
                  flush=True)
    finally:
        shutil.rmtree(work)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
