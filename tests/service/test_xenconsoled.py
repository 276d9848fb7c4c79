# SPDX-License-Identifier: MIT
"""vconsd --xenconsoled: its options, wrong ones, and its pid file, which keeps two services apart; the rest needs a Xen
(lab case xen_xenconsoled)."""
import fcntl
import os
import subprocess
import sys

import vcons

WRONG = [(["--log=some"], "none, guest, hv or all"), (["-t", "yes"], "none, guest, hv or all"), (["-o", "lose"], "discard or keep"),
         (["--log-dir=here"], "absolute"), (["--log-dir=/" + "x" * 300], "absolute"), (["--nothing"], "--xenconsoled ["),
         (["word"], "no argument is expected"), (["-t"], "--xenconsoled [")]
RIGHT = [[], ["-v", "-i"], ["-i", "--log="], ["--interactive", "--verbose", "-t", "guest", "-o", "keep", "--replace-escape"],
         ["-i", "--timestamp=hv", "--overflow-data=discard"], ["--replace"], ["-i", "--replace"]]


def run(place, *args):
    return subprocess.run([vcons.program("vconsd"), "--xenconsoled", *args], env=place.env, capture_output=True, text=True,
                          timeout=vcons.WAIT_S, stdin=subprocess.DEVNULL)


def by_name(place):
    """A link by that name is enough, also from elsewhere; it is a program of its own, for init scripts that tell it by that."""
    program = os.path.join(os.path.dirname(vcons.program("vconsd")), "xenconsoled")
    os.symlink(program, os.path.join(place.root, "xenconsoled"))
    r = subprocess.run([os.path.join(place.root, "xenconsoled"), "--log=some"], env=place.env, capture_output=True, text=True,
                       timeout=vcons.WAIT_S, stdin=subprocess.DEVNULL)
    assert r.returncode == 2 and "none, guest, hv or all" in r.stderr, r
    assert not os.path.samefile(program, vcons.program("vconsd"))


def main():
    with vcons.Place() as place:
        for option, word in (("-h", "--replace-escape"), ("--help", "--replace-escape"), ("-V", "vconsd "), ("--version", "vconsd ")):
            r = run(place, option)
            assert r.returncode == 0 and word in r.stdout, r
        for args, word in WRONG:
            r = run(place, *args)
            assert r.returncode == 2 and word in r.stderr, (args, r)
        by_name(place)
        pid_file = os.path.join(place.root, "pid")
        with open(pid_file, "w+") as f:
            f.write("4711\n")
            f.flush()
            fcntl.lockf(f, fcntl.LOCK_EX)
            r = run(place, "--pid-file=" + pid_file)
            assert r.returncode == 1 and "4711" in r.stderr and pid_file in r.stderr, r
        with open(pid_file) as f:
            assert f.read() == "4711\n"
        r = run(place, f"--pid-file={place.root}/none/pid")
        assert r.returncode == 1 and "none/pid" in r.stderr, r
        if os.path.exists("/proc/xen/capabilities"):
            return 0  # they would serve
        for args in RIGHT:  # taken: it goes on to look for a Xen
            r = run(place, "--pid-file=" + pid_file, *args)
            assert r.returncode == 1 and "en" in r.stderr and "expected" not in r.stderr, (args, r)
    return 0


sys.exit(main())
