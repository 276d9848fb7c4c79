# SPDX-License-Identifier: MIT
"""vcons log --verify: says of a whole history that it is good, of a damaged one where and how much, with and without a service."""
import os
import re
import shutil
import subprocess

import vcons

LINES = 10000
BYTES = LINES * 80


def verify(place, *argv):
    r = subprocess.run([vcons.program("vcons"), "log", "--verify", *argv], env=place.env, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=60)
    return r.returncode, r.stdout.splitlines(), r.stderr


def numbers(line):
    """good, damaged, without a checksum, not kept: of the last line."""
    return tuple(int(n) for n in re.search(r"(\d+) bytes good, (\d+) damaged, (\d+) without a checksum, (\d+) not kept", line).groups())


def is_good(place, *argv):
    status, lines, err = verify(place, *argv)
    assert status == 0 and not err, (status, lines, err)
    assert numbers(lines[-1]) == (BYTES, 0, 0, 0), lines
    return lines


def change(path, at, to=None):
    with open(path, "r+b") as f:
        f.seek(at)
        was = f.read(1)
        f.seek(at)
        f.write(to or bytes([was[0] ^ 1]))


def damages(place, files):
    """Each in a copy of the directory; what is said is exactly what was done."""
    raw = next(f for f in files if f.endswith(".log"))
    packed = next(f for f in files if f.endswith(".log.zst"))
    index = packed[:20] + ".idx"
    second = sorted(f for f in files if f.endswith(".log.zst"))[1]
    last_raw = int(raw[:20])

    def case(what, do, good, damaged, unvouched, said):
        saved = os.path.join(place.root, "saved")
        shutil.copytree(directory, saved, symlinks=True)
        do()
        status, lines, err = verify(place, "f0/hvc0")
        assert status == 1 and not err, (what, status, lines, err)
        assert numbers(lines[-1])[:3] == (good, damaged, unvouched), (what, lines)
        assert any(said in line for line in lines[:-1]), (what, lines)
        shutil.rmtree(directory)
        os.rename(saved, directory)

    directory = os.path.join(place.log, "f0/hvc0")
    path = {f: os.path.join(directory, f) for f in files}
    block = min(65536, BYTES - last_raw)
    case("a raw byte", lambda: change(path[raw], 100), BYTES - block, block, 0, f"{block} at offset {last_raw} damaged")
    first = int(second[:20])
    case("a compressed byte", lambda: change(path[packed], 3000), BYTES - first, first, 0, f"{first} at offset 0 damaged")
    case("a compressed file that is cut", lambda: os.truncate(path[packed], 50), BYTES - first, first, 0, "no seek table")
    case("a raw file that is cut", lambda: os.truncate(path[raw], 1000), last_raw, BYTES - last_raw, 0, "damaged")
    case("an index that is gone", lambda: os.unlink(path[index]), BYTES - first, 0, first, "no index")
    case("a damaged record", lambda: change(path[index], 64), BYTES, 0, 0, "1 index records damaged")

    def append():
        with open(path[packed][:-4], "wb") as f:
            f.write(vcons.pattern(0, 0, first // 80 + 2)[:first] + b"not stored")
    case("bytes behind a segment's end", append, BYTES, 0, 0, "10 behind the end that were not stored")


def main():
    with vcons.Place() as place:
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.write('segment_size = "256K"\n')
        daemon = place.daemon("--config", config)
        feeder = place.feeder("-n", "1")
        feeder.expect("served", 1)
        feeder.ask("lines", 0, LINES)
        directory = os.path.join(place.log, "f0/hvc0")

        def compressed():
            return sum(f.endswith(".log") and f[0].isdigit() for f in os.listdir(directory)) == 1
        vcons.wait_for(lambda: vcons.log_length(directory) == BYTES and compressed(), "the log")
        vcons.wait_for(lambda: verify(place, "f0")[0] == 0 and numbers(verify(place, "f0")[1][-1])[2] == 0,
                       "the last bytes' checksum")
        lines = is_good(place, "f0")  # by a service that knows which console is meant
        assert len(lines) > 3 and ".log.zst: " in lines[0] and ".log: " in lines[-2], lines
        status, lines, err = verify(place, "nobody/hvc0")
        assert status == 3 and not lines, (status, lines, err)
        assert verify(place, "--raw", "f0")[0] == 2
        feeder.sent("stop")
        assert vcons.stop(daemon) == 0
        is_good(place, "f0/hvc0")
        assert verify(place, "f0")[0] == 3
        damages(place, sorted(f for f in os.listdir(directory) if f[0].isdigit()))
        is_good(place, "f0/hvc0")


main()
