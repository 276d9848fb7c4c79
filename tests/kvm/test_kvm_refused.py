# SPDX-License-Identifier: MIT
"""Who may not use KVM is told why, with exit status 7; who left the choice to vcons gets a process, and is told as well."""
import os
import stat
import subprocess
import sys

from vcons import Place, program, skip

NOBODY = 65534


def check(place, engine):
    """vcons-vmm --check as nobody: exit status and what it said."""
    path = os.path.join(place.root, "test.conf")
    with open(path, "w") as f:
        f.write(f'domain "d" {{ kernel = "tiny" engine = {engine} }}\n')
    done = subprocess.run([program("vcons-vmm"), "--check", path], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          user=NOBODY, group=NOBODY, extra_groups=[], timeout=60, cwd="/")
    return done.returncode, done.stdout + done.stderr


def main():
    if os.geteuid() != 0:
        skip("only root can become somebody who may not open /dev/kvm")
    with Place() as place:
        os.chmod(place.root, 0o755)
        try:
            status, said = check(place, "process")
        except PermissionError:
            skip("the build directory is not for others to read")
        assert status == 0, (status, said)
        if not os.path.exists("/dev/kvm"):
            want = "/dev/kvm is not there"
        elif os.stat("/dev/kvm").st_mode & (stat.S_IROTH | stat.S_IWOTH) == 0:
            want = f"user {NOBODY} may not open /dev/kvm"
        else:
            skip("everybody may open /dev/kvm here")
        status, said = check(place, "kvm")
        assert status == 7 and want in said and "test.conf:1" in said, (status, said)
        status, said = check(place, "auto")
        assert status == 0, (status, said)


sys.exit(main())
