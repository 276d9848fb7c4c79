# SPDX-License-Identifier: MIT
"""A disk that is full, read-only, or loses its directories under the service (T9): guests go on, what is missing is marked
with its length, logging resumes by itself."""
import os
import shutil
import subprocess
import sys

import vcons

UNKNOWN = (1 << 64) - 1


def mount(place, size):
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "vcons-test", place.log],
                       capture_output=True, text=True)
    if r.returncode != 0:
        vcons.skip("cannot mount a small tmpfs: " + r.stderr.strip())


class SmallDisk(vcons.Place):
    """A place whose logs lie on a small disk of their own."""

    def __init__(self, size):
        super().__init__()
        try:
            mount(self, size)
        except BaseException:
            super().close()
            raise

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
        subprocess.run(["umount", "-l", self.log], check=False)
        super().close()


def holes(place, name):
    """All bytes of the files at their offsets, and where there are none, as what memory did not hold: (first offset, bytes)."""
    directory, log, found = os.path.join(place.log, name), bytearray(), []
    for start in sorted({int(f[:20]) for f in os.listdir(directory) if f[0].isdigit() and ".log" in f}):
        data = vcons.segment_bytes(directory, start)
        if data and start > len(log):
            found.append((len(log), start - len(log)))
            log += bytes(start - len(log))
        log += data
    return bytes(log), found


def account(place, name, number, sent):
    """The log is the stream but for what is missing, and together they are all that was sent. Returns that: (offset, bytes)."""
    log, missing = holes(place, name)
    marked = [(r[0], r[6]) for r in place.index(name) if r[3] == vcons.GAP]
    assert all(n != UNKNOWN for _, n in marked), marked
    at = position = 0
    for offset, n in sorted(missing + marked) + [(len(log), 0)]:
        first = position // 80
        want = vcons.pattern(number, first, (offset - at) // 80 + 2)[position - first * 80:][:offset - at]
        assert log[at:offset] == want, f"{name}: differs between {at} and {offset}"
        position += offset - at + n
        at = offset + n if (offset, n) in missing else offset
    assert position == sent, f"{name}: {position} accounted for, {sent} sent, missing {missing}, marked {marked}"
    return missing + marked


def some_lines(feeder, i, n):
    feeder.say("lines", i, n)
    feeder.expect("finished")


def failing(c):
    return c.ask("status")["logs_failing"]


def interrupted(place, break_it, mend_it):
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write('total_size = "64M"\n')  # retention takes nothing
    daemon = place.daemon("--config", config)
    feeder = place.feeder("-n", "2")
    feeder.expect("served")
    some_lines(feeder, 0, 1000)
    with vcons.Control(place.control) as c:
        vcons.wait_for(lambda: c.ls()["f0/hvc0"]["bytes"] == 80000, "the first bytes")
        break_it()
        some_lines(feeder, 0, 100000)  # 8 MB: finished, so the guest is not held up by the disk
        some_lines(feeder, 1, 10)
        vcons.wait_for(lambda: failing(c) > 0, "the failure to be noticed")
        assert c.ls()["f0/hvc0"]["state"] == "running"
        mend_it()

        def resumed():
            some_lines(feeder, 0, 10)
            some_lines(feeder, 1, 10)
            return failing(c) == 0
        vcons.wait_for(resumed, "logging to resume")
        some_lines(feeder, 0, 1000)
        told = c.ls()["f0/hvc0"]["dropped"]
    sent = feeder.sent("stop")
    assert vcons.stop(daemon) == 0
    gaps = account(place, "f0/hvc0", 0, sent[0])
    account(place, "f1/hvc0", 1, sent[1])
    assert gaps, "nothing was lost?"
    assert told == sum(n for _, n in gaps), (told, gaps)
    print(gaps)


def full():
    with SmallDisk("6m") as place:
        filler = os.path.join(place.log, "filler")

        def fill():
            with open(filler, "wb", buffering=0) as f:
                try:
                    while f.write(b"x" * 65536):
                        pass
                except OSError:
                    pass

        interrupted(place, fill, lambda: os.unlink(filler))


def shrunken():
    """As full() with nothing to delete. A real remount to read-only is refused while files are open for writing."""
    with SmallDisk("32m") as place:
        def remount(size):
            subprocess.run(["mount", "-o", f"remount,size={size}", place.log], check=True)

        interrupted(place, lambda: remount("192k"), lambda: remount("32m"))


def read_only():
    """A directory that takes no files when a console comes: the console is served, its output kept until there is one."""
    with SmallDisk("4m") as place:
        subprocess.run(["mount", "-o", "remount,ro", place.log], check=True)
        daemon = place.daemon()
        feeder = place.feeder("-n", "1")
        feeder.expect("served")
        some_lines(feeder, 0, 3000)
        subprocess.run(["mount", "-o", "remount,rw", place.log], check=True)

        def resumed():
            some_lines(feeder, 0, 10)
            with vcons.Control(place.control) as c:
                return failing(c) == 0
        vcons.wait_for(resumed, "logging to begin")
        sent = feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        assert account(place, "f0/hvc0", 0, sent[0]) == []  # memory held them


def deleted():
    """Directories deleted under the service: the honest console's log is whole, the other's begins anew and goes on."""
    with vcons.Place() as place:
        daemon = place.daemon()
        feeder = place.feeder("-n", "2")
        feeder.expect("served")
        some_lines(feeder, 0, 1000)
        some_lines(feeder, 1, 1000)
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()["f0/hvc0"]["bytes"] == 80000, "the first bytes")
        shutil.rmtree(os.path.join(place.log, "f0"))

        def again():
            some_lines(feeder, 0, 100)
            some_lines(feeder, 1, 100)
            d = os.path.join(place.log, "f0/hvc0")
            return os.path.isdir(d) and any(os.path.getsize(os.path.join(d, f)) for f in os.listdir(d)
                                            if f.endswith(".log"))
        vcons.wait_for(again, "its log to come again")
        with vcons.Control(place.control) as c:
            c.attach("f0", "now")
            some_lines(feeder, 0, 1)
            assert c.out()[1].startswith(b"0000 ")
        sent = feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        assert place.log_bytes("f1/hvc0") == vcons.pattern(1, 0, sent[1] // 80)


def unwritable_from_start():
    with SmallDisk("4m") as place:
        os.mkdir(os.path.join(place.log, "f0"))
        with open(os.path.join(place.log, "f0", "hvc0"), "w") as f:  # a file where a directory should be
            f.write("not a directory\n")
        daemon = place.daemon()
        feeder = place.feeder("-n", "2")
        line = feeder.expect("refused", 0)
        assert "disk" in " ".join(line), line
        with vcons.Control(place.control) as c:
            vcons.wait_for(lambda: c.ls()["f1/hvc0"]["state"] == "running", "the other console")
        assert vcons.stop(daemon) == 0


def main():
    deleted()
    if os.geteuid() != 0:
        vcons.skip("only root can mount a small disk")
    full()
    shrunken()
    read_only()
    unwritable_from_start()
    return 0


sys.exit(main())
