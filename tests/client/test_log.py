# SPDX-License-Identifier: MIT
"""vcons log in all its modes, against the bytes that the feeder wrote and the times at which it did."""
import os
import signal
import subprocess
import time

from vcons import Place, pattern, program, wait_for

WIDTH = 40
VC_LINE_BOOT, VC_LINE_RESET, VC_LINE_GAP = 1, 2, 3


def run(place, *argv, **kw):
    return subprocess.run([program("vcons"), *argv], env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, **kw)


def log(place, *argv):
    r = run(place, "log", *argv)
    assert r.returncode == 0 and not r.stderr, (argv, r)
    return r.stdout


def lines_more(place, feeder, have, n):
    feeder.say("lines", 0, n)
    size = (have + n) * WIDTH
    wait_for(lambda: len(place.log_bytes("p0/hvc0")) == size, f"{size} bytes")


def whole_and_parts(place):
    whole = pattern(0, 0, 1000, WIDTH)
    assert log(place, "p0") == log(place, "p0/hvc0") == log(place, "--raw", "p0") == whole
    assert log(place, "-n", "3", "p0") == pattern(0, 997, 3, WIDTH)
    assert log(place, "-n", "0", "p0") == b""
    assert log(place, "-n", "100000", "p0") == whole
    assert log(place, "--boot", "1", "p0") == log(place, "--boot", "-1", "p0") == whole


def times(place, feeder, middle):
    """Two bursts with a moment between them."""
    early, late = pattern(0, 0, 1000, WIDTH), pattern(0, 1000, 10, WIDTH)
    at = f"@{middle:.6f}"
    assert log(place, "--until", at, "p0") == early
    assert log(place, "--since", at, "p0") == late
    assert log(place, "--since", "-1h", "--until", "+1h", "p0") == early + late
    assert log(place, "--since", "tomorrow", "p0") == b""
    assert log(place, "--until", "yesterday", "p0") == b""
    timed = log(place, "--time", "p0").splitlines(True)
    assert [t[27:] for t in timed] == (early + late).splitlines(True)
    stamps = [time.mktime(time.strptime(t[:19].decode(), "%Y-%m-%d %H:%M:%S")) + float(b"0" + t[19:26]) for t in timed]
    assert stamps == sorted(stamps) and stamps[999] <= middle <= stamps[1000], (stamps[999], middle, stamps[1000])


def follow(place, feeder, daemon):
    """-f goes on over a kill of the service, without a byte twice or missing, and ends with its reader."""
    f = place.start([program("vcons"), "log", "-f", "-n", "1", "p0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert f.stdout.readline() == pattern(0, 1009, 1, WIDTH)
    feeder.say("lines", 0, 10)
    assert f.stdout.read(10 * WIDTH) == pattern(0, 1010, 10, WIDTH)
    daemon.kill()
    daemon.wait()
    daemon = place.daemon()
    feeder.expect("served", 1)
    feeder.say("lines", 0, 10)
    assert f.stdout.read(10 * WIDTH) == pattern(0, 1020, 10, WIDTH)
    f.stdout.close()
    feeder.say("lines", 0, 1)
    assert wait_for(lambda: f.poll() is not None, "log -f to leave with its reader") and f.returncode == 0, f.returncode
    assert f.stderr.read() == b""
    f = place.start([program("vcons"), "log", "-f", "--time", "-n", "1", "p0"], stdout=subprocess.PIPE)
    assert f.stdout.readline()[27:] == pattern(0, 1030, 1, WIDTH)
    feeder.say("lines", 0, 1)
    assert f.stdout.readline()[27:] == pattern(0, 1031, 1, WIDTH)  # without a long wait for a mark
    f.send_signal(signal.SIGINT)
    assert f.wait() == -signal.SIGINT
    return daemon


def marks(place, feeder):
    """A gap shows in its place; --raw is the guest's bytes alone."""
    feeder.ask("event", 0, VC_LINE_GAP, 1234)
    lines_more(place, feeder, 1032, 1)
    shown = log(place, "-n", "2", "p0")
    assert shown == pattern(0, 1031, 1, WIDTH) + b"[vcons: 1234 bytes dropped]\n" + pattern(0, 1032, 1, WIDTH), shown
    assert log(place, "--raw", "-n", "2", "p0") == pattern(0, 1031, 2, WIDTH)


def boots(place, feeder):
    """A reset and the boot that follows it are one boot."""
    feeder.ask("event", 0, VC_LINE_RESET, 0)
    feeder.ask("event", 0, VC_LINE_BOOT, 2)
    lines_more(place, feeder, 1033, 2)
    first, second = pattern(0, 0, 1033, WIDTH), pattern(0, 1033, 2, WIDTH)
    for argv, part in ((["-1"], second), (["2"], second), (["-2"], first), (["1"], first)):
        assert log(place, "--raw", "--boot", *argv, "p0") == part, argv
    for number in ("3", "-3"):
        r = run(place, "log", "--boot", number, "p0")
        assert r.returncode != 0 and not r.stdout and b"boot is kept; there were 2" in r.stderr, r


def outputs(place):
    """A full disk is told; a reader that leaves is not."""
    with open("/dev/full", "wb") as full:
        r = subprocess.run([program("vcons"), "log", "p0"], env=place.env, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == 1 and b"No space left" in r.stderr, r
    for signals in ("", "trap '' PIPE; "):
        r = subprocess.run(["sh", "-c", f"{signals}{{ {program('vcons')} log p0; echo $? >&2; }} | head -1"], env=place.env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert r.stdout == pattern(0, 0, 1, WIDTH) and r.stderr == b"0\n", r


with Place() as place:
    daemon = place.daemon()
    feeder = place.feeder("-n", "1", "--prefix", "p", "--width", str(WIDTH))
    feeder.expect("served", 1)
    lines_more(place, feeder, 0, 1000)
    whole_and_parts(place)
    time.sleep(0.1)  # no synchronisation: the moment between the two bursts is what is tested
    middle = time.time()
    time.sleep(0.1)
    lines_more(place, feeder, 1000, 10)
    times(place, feeder, middle)
    daemon = follow(place, feeder, daemon)
    marks(place, feeder)
    boots(place, feeder)
    outputs(place)
