# SPDX-License-Identifier: MIT
"""The engine `command`: a program on a terminal. What it prints, what it is told, how it ends, and that nothing of it stays."""
import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
import uuid

from hypervisor import Hypervisor, log_of, run
from vcons import RESIZE, Control, Place, program, wait_for

PRINT = "import sys; [sys.stdout.write('%07d\\n' % i) for i in range(300000)]"


def look(h):
    """Take what the terminal shows, so that nobody waits for us; whether there was something is no matter."""
    h.read(0.01)
    return True


def command(name, *argv, **keys):
    words = ", ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in argv)
    return f'domain "{name}" {{ command = {{{words}}}' + "".join(f" {k} = {v}" for k, v in keys.items()) + " }\n"


def shell(name, script, **keys):
    return command(name, "sh", "-c", script, **keys)


def marked(mark):
    """Processes that have this word in their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if mark.encode() in f.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            continue
    return found


def prints_exactly(place):
    place.daemon("--private", "--linger", "1000")
    status, shown = run(place, shell("p", f'stty -opost; exec python3 -c "{PRINT}"', hold="forever"))
    assert status == 0, (status, shown[-500:])
    want = b"".join(b"%07d\n" % i for i in range(300000))
    assert place.log_bytes("p/hvc0") == want, f"{len(place.log_bytes('p/hvc0'))} bytes of {len(want)}"


ENDS = [
    ("exit 0", 0, b"powered off"),
    ("exit 3", 1, b"crashed: exit status 3"),
    ("kill -9 $$", 1, b"crashed: signal 9"),
    ("exec 0<&- 1<&- 2<&-; exit 4", 1, b"crashed: exit status 4"),
]


def ends_are_told(place):
    for script, want, words in ENDS:
        status, shown = run(place, shell("e", script))
        assert status == want and words in shown, (script, status, shown[-500:])
    status, shown = run(place, command("n", "/nowhere/program"))
    assert status == 1 and b"/nowhere/program: No such file" in shown, (status, shown[-500:])


def orphans_go(place):
    mark = "sleep-" + uuid.uuid4().hex
    script = f"(setsid sh -c 'exec python3 -c \"import time; time.sleep(600)\" {mark} & ') ; (setsid setsid sh -c 'sleep 600; : {mark}' &); sleep 0.3"
    status, shown = run(place, shell("o", script + f"; exit 0; : {mark}"))
    assert status == 0, (status, shown[-500:])
    wait_for(lambda: not marked(mark), f"the end of orphans {marked(mark)}")


def held_output_outlives_a_stop(place):
    """hold = forever: what was read from the terminal before the line was full is still there when the service is."""
    daemon = place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, shell("p", f'stty -opost -echo; echo ready; read x; python3 -c "{PRINT}"', hold="forever"))
    wait_for(lambda: log_of(place, "p/hvc0") == b"ready\n", "the service to have the line")
    daemon.kill()
    daemon.wait()
    h.type("\r")
    h.expect("0000100")  # it was read, so a switch of the focus does not discard it
    h.type(b"\x01\x01\x01")

    def is_held():
        h.type("c")
        h.expect("p/hvc0 (command): ")
        return h.expect(" bytes dropped").startswith(b"held")
    wait_for(is_held, "the program to be held")
    h.process.send_signal(signal.SIGTERM)
    try:
        h.wait(3.5)  # longer than programs have for their end
        raise AssertionError("hold = forever did not wait")
    except TimeoutError:
        pass
    place.daemon("--private", "--linger", "1000")
    assert h.wait() == 0
    log, want = place.log_bytes("p/hvc0"), b"ready\n" + b"".join(b"%07d\n" % i for i in range(300000))
    assert want.startswith(log) and len(log) > len("ready\n") + (256 << 10), len(log)
    h.close()


def stop_is_bounded(place, how, is_gone):
    """TERM to the VMM, or its death: a program that refuses to end, and its family, end all the same."""
    mark = "stays-" + uuid.uuid4().hex
    script = f"trap '' TERM HUP INT; (setsid sh -c \"trap '' TERM HUP; while :; do sleep 1; done; : {mark}\" &); echo ready; while :; do sleep 1; done; : {mark}"
    h = Hypervisor(place, shell("s", script))
    h.expect("ready")
    wait_for(lambda: len(marked(mark)) >= 2, "both to run")
    began = time.monotonic()
    h.process.send_signal(how)
    is_gone(h)
    wait_for(lambda: not marked(mark), "the end of all processes")
    assert time.monotonic() - began < 10
    h.close()


def typed_text_arrives(place):
    """More than a terminal holds, for a program that is late: in order, all of it."""
    data = b"".join(b"%06d|" % i for i in range(20000))
    reader = f"import sys, time, hashlib; print('ready', flush=True); time.sleep(0.5); d = b''\nwhile len(d) < {len(data)}: d += sys.stdin.buffer.raw.read(4096)\nprint(hashlib.sha256(d).hexdigest(), flush=True)"
    place.daemon("--private", "--linger", "1000")
    path = os.path.join(place.root, "reader.py")
    with open(path, "w") as f:
        f.write(reader)
    os.chmod(path, 0o644)
    os.chmod(place.root, 0o755)
    h = Hypervisor(place, shell("t", f"stty raw -echo; exec python3 {path}"))
    wait_for(lambda: look(h) and b"ready" in log_of(place, "t/hvc0"), "the reader")
    send = place.start([program("vcons"), "send", "--steal", "t"],
                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    send.stdin.write(data)
    send.stdin.close()
    digest = hashlib.sha256(data).hexdigest().encode()
    wait_for(lambda: look(h) and digest in log_of(place, "t/hvc0"), "the checksum")
    wait_for(lambda: digest in log_of(place, "t/hvc0"), "the checksum in the log")
    h.close()


def environment(place):
    place.daemon("--private", "--linger", "1000")
    status, shown = run(place, shell("v", "env; id -u; stty size; ls -l /proc/$$/fd"), extra_env={"VCONS_SECRET": "s3cret", "KEPT": "yes"})
    log = place.log_bytes("v/hvc0")
    assert status == 0 and b"s3cret" not in log and b"VCONS_RUNTIME_DIR" not in log, log
    assert b"KEPT=yes\r\n" in log and b"VCONS_DOMAIN=v\r\n" in log and b"\r\n24 80\r\n" in log, log
    assert os.geteuid() != 0 or b"\r\n65534\r\n" in log, log
    descriptors = [line.split(b" -> ")[1] for line in log.splitlines() if b" -> " in line]
    assert all(target.startswith(b"/dev/pts/") for target in descriptors), descriptors


def one_viewers_size(place):
    place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, shell("w", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"))
    wait_for(lambda: b"ready" in log_of(place, "w/hvc0"), "the program")
    with Control(place.control) as c:
        c.attach("w", write="steal")
        c.send(RESIZE, struct.pack("<HH", 33, 101))
        wait_for(lambda: b"33 101" in log_of(place, "w/hvc0"), "the new size")
    h.process.send_signal(signal.SIGTERM)
    h.wait()
    h.close()


def starts_again(place):
    """After a crash, and by reset after its end: with the sandbox on since the first start."""
    place.daemon("--private", "--linger", "1000")
    h = Hypervisor(place, shell("again", "echo run; exit 7", on_crash="restart") + shell("once", "echo once") + shell("cat", "cat"))
    wait_for(lambda: look(h) and log_of(place, "again/hvc0").count(b"run\r\n") >= 4, "four runs")
    wait_for(lambda: look(h) and b"(once) powered off" in h.shown, "the end of once")
    subprocess.run([program("vcons"), "reset", "once"], env=place.env, check=True, timeout=20)
    wait_for(lambda: look(h) and log_of(place, "once/hvc0").count(b"once\r\n") == 2, "its second run")
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() in (0, 1)
    h.close()


def starts_again_without_its_keeper(place):
    """Somebody (the kernel, out of memory) kills the process between us and the program: a restart has a new one."""
    place.daemon("--private", "--linger", "1000")
    mark = "kept-" + uuid.uuid4().hex
    h = Hypervisor(place, shell("k", f"echo run; read x; : {mark}", on_crash="restart"))
    for n in (1, 2):
        wait_for(lambda: look(h) and log_of(place, "k/hvc0").count(b"run\r\n") == n, f"run {n}")
        if n == 1:
            with open(f"/proc/{marked(mark)[0]}/stat") as f:
                os.kill(int(f.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
    h.process.send_signal(signal.SIGTERM)
    assert h.wait() == 0
    assert not marked(mark), marked(mark)
    h.close()


def a_killed_hypervisors_directory_goes(place):
    """It cannot remove it itself; the next of its name does."""
    base = os.path.join(place.root, "programs")
    os.mkdir(base, 0o777)
    os.chmod(base, 0o777)
    os.chmod(place.root, 0o711)
    left = []
    for _ in range(2):
        h = Hypervisor(place, shell("dir", "echo \"in $VCONS_DOMAIN_DIR.\"; exec cat"), extra_env={"TMPDIR": base})
        h.expect(f"in {base}/vcons-")
        before, left = left, os.listdir(base)
        assert len(left) == 1 and left != before, (before, left)
        h.process.kill()
        h.process.wait()
        h.close()
    status, _ = run(place, shell("dir", "true"), extra_env={"TMPDIR": base})
    assert status == 0 and os.listdir(base) == [], (status, os.listdir(base))


for test in (prints_exactly, ends_are_told, orphans_go, typed_text_arrives, environment, one_viewers_size, starts_again,
             held_output_outlives_a_stop, starts_again_without_its_keeper, a_killed_hypervisors_directory_goes):
    with Place() as fresh:
        test(fresh)
        print("ok", test.__name__, flush=True)
for signal_name, gone in (("SIGTERM", lambda h: h.wait()), ("SIGKILL", lambda h: h.process.wait())):
    with Place() as fresh:
        stop_is_bounded(fresh, getattr(signal, signal_name), gone)
        print("ok stop_is_bounded", signal_name, flush=True)
sys.exit(0)
