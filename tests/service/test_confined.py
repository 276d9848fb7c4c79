# SPDX-License-Identifier: MIT
"""What the service has given up once it answers: another user, capabilities, the file system outside its directories; two of them."""
import ctypes
import os
import pwd
import socket
import subprocess
import sys

import vcons

DAEMON = pwd.getpwnam("daemon")
CAP_DAC_OVERRIDE = 1 << 1


def status(pid):
    """What /proc says of its threads: one line for each, which had better be the same."""
    have = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            fields = dict(line.split(":", 1) for line in f)
        have.add(tuple(" ".join(fields[k].split()) for k in ("Uid", "Gid", "CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp")))
    assert len(have) == 1, have
    return have.pop()


def capabilities(place):
    """Root's keeps one, another's none; every thread is filtered and gains nothing."""
    daemon = place.daemon()
    uid, gid, effective, permitted, inheritable, ambient, fixed, filtered = status(daemon.pid)
    assert int(effective, 16) | int(permitted, 16) | int(inheritable, 16) | int(ambient, 16) == CAP_DAC_OVERRIDE, effective
    assert (fixed, filtered) == ("1", "2")
    vcons.stop(daemon)


def other_user(place):
    """--run-as: the directories are his, so is all that he makes, and a hypervisor of his, or of root, may come."""
    os.chmod(place.root, 0o755)
    daemon = place.daemon("--run-as", "daemon")
    uid, gid, effective, permitted, inheritable, ambient, _, _ = status(daemon.pid)
    assert uid == " ".join([str(DAEMON.pw_uid)] * 4) and gid == " ".join([str(DAEMON.pw_gid)] * 4), (uid, gid)
    assert int(effective, 16) | int(permitted, 16) | int(inheritable, 16) | int(ambient, 16) == 0, permitted
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    feeder.ask("lines", 0, 10)
    sent = feeder.sent("stop")
    with vcons.Control(place.control) as c:
        c.attach("f0/hvc0")
        c.read(sent[0])
    for path in (place.run, place.state, place.log, place.control, os.path.join(place.log, "f0/hvc0/00000000000000000000.log")):
        assert os.stat(path).st_uid == DAEMON.pw_uid, path
    vcons.stop(daemon)
    for words, code, expected in ((["--run-as", "no-one-here"], 1, "no such user"),):
        done = subprocess.run([vcons.program("vconsd"), "--foreground", *words], env=place.env, stderr=subprocess.PIPE, text=True)
        assert done.returncode == code and expected in done.stderr, done

    def become():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)

    done = subprocess.run([vcons.program("vconsd"), "--foreground", "--run-as", "daemon"], stderr=subprocess.PIPE, text=True, preexec_fn=become,
                          env=dict(place.env, **{f"VCONS_{d}_DIR": f"{place.root}/x" for d in ("RUNTIME", "STATE", "LOG")}))
    assert done.returncode == 1, done


def landlock():
    """Which version of landlock this kernel has; below 1: none."""
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)


def files(place):
    """A way out of its directories, planted where it makes sockets, leads nowhere; text files go where they are wanted."""
    if landlock() < 2:
        print("not tried: files outside, for this kernel has no landlock")
        return
    outside, text = os.path.join(place.root, "outside"), os.path.join(place.root, "text")
    os.mkdir(outside)
    os.symlink(outside, os.path.join(place.run, "consoles"))
    config = os.path.join(place.root, "vconsd.conf")
    with open(config, "w") as f:
        f.write(f'text {{ directory = "{text}" }}\n')
    daemon = place.daemon("--config", config, stderr=subprocess.PIPE)
    feeder = place.feeder("-n", "1")
    feeder.expect("served")
    feeder.ask("lines", 0, 10)
    sent = feeder.sent("stop")
    path = os.path.join(text, "guest-f0-hvc0.log")
    vcons.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) >= sent[0], "the text file")
    vcons.stop(daemon)
    said = daemon.stderr.read().decode()
    assert "has no raw sockets: " in said and "Permission denied" in said, said
    assert os.listdir(outside) == []


def second(place):
    """A second one on the same directory refuses, names the first, and touches nothing of it."""
    daemon = place.daemon()
    inode = os.stat(place.control).st_ino
    for _ in range(3):
        done = subprocess.run([vcons.program("vconsd"), "--foreground"], env=place.env, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and f"a service runs here already, as pid {daemon.pid}" in done.stderr, done
    assert os.stat(place.control).st_ino == inode and place.answers(daemon)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(place.link)
    assert vcons.stop(daemon) == 0


def main():
    if os.geteuid() != 0:
        vcons.skip("only root has something to give up")
    for step in (capabilities, other_user, files, second):
        with vcons.Place() as place:
            step(place)


sys.exit(main())
