#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks core, drivers of guests and doors of the VMM on purpose, one line at a time, and asks that a test notices (reliability T18, T28).

Each mutant is one exact replacement in one file; the seeded bugs of models/*.pml are among them. Races are looked for by
the stress tests, at full speed and again and again until one is killed or its time is over; what one thread can show, by
the ordinary unit tests, on all processors at once. A mutant whose text is no longer there fails too: it must be moved along with
the code.
"""
import collections
import concurrent.futures
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
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
MORE = {**{name: ["guest/virtqueue.c"] for name in ("announce", "virtio_console", "virtio_mmio", "virtio_save", "virtqueue_driver", "virtqueue_stress")},
        **{name: [f"guest/{f}.c" for f in ("hvc", "virtio_console", "virtio_messages", "virtio_mmio", "virtio_port", "virtqueue", "vterm")]
           for name in ("guest_virtio", "guest_virtio_hostile")},
        "vterm_stress": ["guest/vterm.c"],
        "guest_stress": ["tests/unit/guest_machine.c", "guest/console_io.c", "guest/hvc.c", "guest/xen_console.c"]}
OF_VMM = ("door_virtio", "door_virtio_ports", "virtio_bell")  # whose mutants are linked as the build does
LONG = os.environ.get("VCONS_LONG") is not None
RACE_S = 600 if LONG else 120  # for one race, in all: a second is plenty on a machine that does nothing else
STILL_S = 3  # a test that stands still takes longer than that, and ten times as long as without the mutant
ONCE = collections.defaultdict(threading.Lock)  # by object: no two threads compile it

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
    with ONCE[target]:
        if not ours or not os.path.exists(target):
            compile_one(test, path, target)
    return target


def compile_one(test, path, target):
    command = ["cc", "-O2" if test in RACES else "-O1", "-g0", "-w", "-D_GNU_SOURCE", "-pthread",
               *([] if test in RACES else ["-fsanitize=address"]), "-I" + os.path.join(SOURCE, "include"),
               "-I" + os.path.join(SOURCE, "core"), "-I" + os.path.join(SOURCE, "tests/unit"),
               "-I" + os.path.join(SOURCE, "guest"), "-c", path, "-o", target]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0:
        raise ValueError("does not compile: " + built.stderr)


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


def link_with_build(directory, test, mutated):
    """A test of the VMM, as the build links it, but that the changed file comes before the library that has it too."""
    build_directory = os.environ["VCONS_BUILD"]
    target = f"tests/unit/test_{test}"
    compiled = os.path.join(directory, "changed.o")
    room = os.path.join(SOURCE, os.path.dirname(mutated))
    subprocess.run(["cc", "-O1", "-g0", "-w", "-D_GNU_SOURCE", "-pthread", *(f"-I{d}" for d in (SOURCE, f"{SOURCE}/include", room)),
                    "-c", os.path.join(directory, os.path.basename(mutated)), "-o", compiled], check=True)
    commands = subprocess.run(["ninja", "-C", build_directory, "-t", "commands", target], capture_output=True, text=True, check=True)
    words = shlex.split(commands.stdout.splitlines()[-1])
    at = words.index("-o") + 1
    assert words[at] == target, words
    words[at:at + 1] = [os.path.join(directory, "test"), compiled]
    subprocess.run(words, cwd=build_directory, check=True)


def build(work, directory, test, mutated):
    """The test in directory, where the changed file is; None: nothing is changed."""
    test = test.split()[0]
    if mutated is not None and mutated.startswith("vmm/"):
        link_with_build(directory, test, mutated)
        return
    if mutated is None:
        changed, core = set(), []
    elif mutated.startswith("guest/"):
        changed, core = {mutated}, []
    else:
        changed = {os.path.join("core", f) for f in users_of(mutated)}
        core = glob.glob(os.path.join(SOURCE, "core", "*.[ch]"))
    for path in core:  # headers too: a file finds them beside itself
        name = os.path.basename(path)
        if name != mutated and (name.endswith(".h") or os.path.join("core", name) in changed):
            shutil.copy(path, directory)
    sources = [*(os.path.join("core", f) for f in CORE), f"tests/unit/test_{test}.c", *MORE.get(test, [])]
    objects = [compile_to(work, test, os.path.join(directory, os.path.basename(f)) if f in changed else os.path.join(SOURCE, f))
               for f in sources]
    subprocess.run(["cc", "-pthread", *([] if test in RACES else ["-fsanitize=address"]), *objects, "-lcmocka", "-o",
                    os.path.join(directory, "test")], check=True)


def unchanged_s(work, test):
    """How long the test takes if nothing is changed; it passes then."""
    with tempfile.TemporaryDirectory(prefix="unchanged-", dir=work) as directory:
        if test in OF_VMM:
            shutil.copy(os.path.join(os.environ["VCONS_BUILD"], "tests", "unit", f"test_{test}"), os.path.join(directory, "test"))
        else:
            build(work, directory, test, None)
        began = time.monotonic()
        subprocess.run([os.path.join(directory, "test"), *test.split()[1:]], capture_output=True, check=True)
        return time.monotonic() - began


def noticed(work, directory, test):
    """Whether one run of the test fails, or stands still."""
    with subprocess.Popen([os.path.join(directory, "test"), *test.split()[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            return process.wait(STILL_S) != 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGSTOP)  # it may spin on the processors that the other one needs
        try:
            seconds = unchanged_s(work, test)
            process.send_signal(signal.SIGCONT)
            return process.wait(max(0.1, 10 * seconds - STILL_S)) != 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            process.kill()


class Mutant:
    """One of the lists; why says why it lives, and is empty if it was killed."""

    def __init__(self, work, name, file, old, new, test):
        self.work, self.name, self.file, self.old, self.new, self.test = work, name, file, old, new, test
        self.race = test.split()[0] in RACES
        self.directory, self.why, self.seconds = tempfile.mkdtemp(prefix="mutant-", dir=work), "", 0

    def make(self):
        with open(os.path.join(SOURCE, self.file if "/" in self.file else f"core/{self.file}")) as f:
            text = f.read()
        places = re.findall(r"\s+".join(map(re.escape, self.old.split())), text)  # however the lines are broken
        if len(places) != 1:
            raise ValueError(f"its text stands {len(places)} times in {self.file}")
        with open(os.path.join(self.directory, os.path.basename(self.file)), "w") as f:
            f.write(text.replace(places[0], self.new))
        build(self.work, self.directory, self.test, self.file)

    def kill(self):
        until = time.monotonic() + (RACE_S if self.race else 0)
        rounds = 1
        while not noticed(self.work, self.directory, self.test):
            if time.monotonic() >= until:
                raise ValueError(f"test_{self.test} did not notice in {rounds} runs")
            rounds += 1

    def does(self, *steps):
        began = time.monotonic()
        try:
            for step in steps:
                if not self.why:
                    step()
        except (ValueError, subprocess.CalledProcessError) as error:
            self.why = str(error)
        self.seconds += time.monotonic() - began

    def tell(self):
        print(f"{'LIVES' if self.why else 'killed'} {self.name} ({self.seconds:.1f} s){': ' if self.why else ''}{self.why}", flush=True)
        shutil.rmtree(self.directory)


def main(words):
    with tempfile.TemporaryDirectory(prefix="vcons-mutants-") as work:
        mutants = [Mutant(work, *m) for m in MUTANTS + doors.MUTANTS + events.MUTANTS + uarts.MUTANTS + virtio.MUTANTS + guest.MUTANTS
                   if not words or any(w in m[0] for w in words)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = [pool.submit(m.does, m.make, *([] if m.race else [m.kill])) for m in mutants]
        for mutant in done:
            mutant.result()  # or the exception that nobody thought of
        for mutant in mutants:  # races want the processors for themselves
            if mutant.race:
                mutant.does(mutant.kill)
            mutant.tell()
    return 1 if any(m.why for m in mutants) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
