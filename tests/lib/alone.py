# SPDX-License-Identifier: MIT
"""A test in namespaces of its own: mounts, processes and networks, of which this machine sees nothing and which end with the test."""
import os
import shutil
import subprocess
import sys

import vcons

NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
REAPER = ["sh", "-c", '"$@"; exit $?', "sh"]  # the first process there: who is nobody's child is its, and is waited for by some


def enter(file, programs):
    """Go on as `file alone`; where that or one of the programs cannot be had, the test is skipped."""
    if sys.argv[1:] == ["alone"]:
        return
    if os.geteuid() != 0:
        vcons.skip("only root has namespaces of its own")
    missing = [p for p in programs if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing:
        vcons.skip(f"{', '.join(missing)}: not here")
    if subprocess.run([*NAMESPACES, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        vcons.skip("namespaces are refused here")
    os.execvp(NAMESPACES[0], [*NAMESPACES, *REAPER, sys.executable, file, "alone"])


def need(done):
    """What others have to do here; if they cannot, there is nothing to be tested."""
    if done.returncode != 0:
        vcons.skip(f"{' '.join(map(str, done.args))}: {done.stderr.strip()}")


def mount(*args):
    need(subprocess.run(["mount", *args], capture_output=True, text=True, check=False))


def empty(*paths):
    """Empty directories in their places."""
    for path in paths:
        os.makedirs(path, exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", path)


def terminals():
    """Pseudo-terminals whose numbers nobody else takes."""
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620", "devpts", "/dev/pts")
    if not os.path.islink("/dev/ptmx"):
        mount("--bind", "/dev/pts/ptmx", "/dev/ptmx")


def add_user(place, name, number, shell="/usr/sbin/nologin"):
    """One whom this machine may not have."""
    for path, line in (("/etc/passwd", f"{name}:x:{number}:{number}::/:{shell}\n"), ("/etc/group", f"{name}:x:{number}:\n")):
        with open(path, encoding="utf-8") as f:
            text = "".join(line for line in f if not line.startswith(name + ":"))
        ours = os.path.join(place.root, os.path.basename(path))
        with open(ours, "w", encoding="utf-8") as f:
            f.write(text + line)
        os.chmod(ours, 0o644)
        mount("--bind", ours, path)
