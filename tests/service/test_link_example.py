# SPDX-License-Identifier: MIT
"""docs/examples/link.c, a hypervisor of a hundred lines, as it stands: its output in the log, typed input at its guest, more than its
line holds, a service that goes."""
import subprocess

from vcons import Place, program, stop, wait_for

MUCH = b"".join(b"%d\n" % i for i in range(200000))


def vcons(place, *argv):
    done = subprocess.run([program("vcons"), *argv], env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, text=True)
    assert done.returncode == 0, (argv, done)
    return done.stdout


def example(place, domain):
    return place.start([program("link_example"), place.link, domain], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def state(place, name):
    return next((line.split()[1] for line in vcons(place, "ls").splitlines() if line.startswith(name + " ")), None)


def plays(place):
    mine = example(place, "mine")
    mine.stdin.write(b"hello\n")
    mine.stdin.flush()
    wait_for(lambda: state(place, "mine/hvc0") == "running" and place.log_bytes("mine/hvc0") == b"hello\n", "its output")
    vcons(place, "send", "mine", "typed")
    assert mine.stdout.read(6) == b"typed\r"
    mine.stdin.write(MUCH)
    mine.stdin.close()
    assert mine.wait() == 0, mine.stderr.read()
    wait_for(lambda: state(place, "mine/hvc0") == "off", "its end")
    assert place.log_bytes("mine/hvc0") == b"hello\n" + MUCH


def mishaps(place, daemon):
    first = example(place, "twice")
    wait_for(lambda: state(place, "twice/hvc0") == "running", "the first of that name")
    second = example(place, "twice")
    assert second.wait() == 1 and b"refused: " in second.stderr.read()
    bad = example(place, "no name")
    assert bad.wait() == 1 and b"refused: " in bad.stderr.read()
    assert stop(daemon) == 0
    assert first.wait() == 1 and b"the service has gone" in first.stderr.read()
    nobody = example(place, "alone")
    assert nobody.wait() == 1 and b"link.sock" in nobody.stderr.read()


def main():
    with Place() as place:
        daemon = place.daemon()
        plays(place)
        mishaps(place, daemon)


main()
