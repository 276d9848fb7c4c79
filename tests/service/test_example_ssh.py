# SPDX-License-Identifier: MIT
"""docs/examples/sources/ssh.conf as it is written, against a real sshd: host and user are such as it names, the command comes to the
other side, what is typed comes back, and it is started again when it was killed. In namespaces of its own, where that host is."""
import os
import signal
import subprocess

import alone
import vcons
from sources import is_there, log_has, marks, said, type_to

EXAMPLE = os.path.join(os.environ["VCONS_SOURCE"], "docs", "examples", "sources", "ssh.conf")
SSHD = "/usr/sbin/sshd"
EVERY = bytes(range(256)) * 5


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def make_host(place):
    """bmc.example.org: a known host, with a key of ours for admin there, who has one command."""
    keys = "/run/sshd"
    alone.empty("/etc/ssh", keys)
    alone.add_user(place, "admin", 64056, "/bin/sh")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{keys}/{key}"], check=True)
    with open(f"{keys}/host.pub", encoding="ascii") as f:
        write("/etc/ssh/ssh_known_hosts", "bmc.example.org " + f.read())
    write("/etc/ssh/sshd_config", f"HostKey {keys}/host\nAuthorizedKeysFile {keys}/user.pub\nStrictModes no\nUsePAM no\n"
          "PasswordAuthentication no\nForceCommand stty raw -echo; echo at $$ to \"$SSH_ORIGINAL_COMMAND\"; exec cat\n")
    write("/etc/ssh/ssh_config", f"Host bmc.example.org\n IdentityFile {keys}/user\n IdentitiesOnly yes\n"
          f" ProxyCommand {SSHD} -i -E {place.root}/sshd.log\n")


def main():
    with vcons.Place() as place:
        make_host(place)
        place.daemon("--config", EXAMPLE)
        greeted = b""
        for round in range(2):
            try:
                vcons.wait_for(lambda: said(place, "far/sol").count(b" to console\n") > round, "the other end", 60)
            except TimeoutError:
                with open(f"{place.root}/sshd.log", encoding="utf-8") as f:
                    print(f.read(), said(place, "far/sol"))
                raise
            is_there(place, "far/sol")
            before = len(said(place, "far/sol"))
            type_to(place, "far/sol", EVERY)
            assert log_has(place, "far/sol", before + len(EVERY))[before:before + len(EVERY)] == EVERY
            greeted = said(place, "far/sol").rsplit(b" to console\n", 1)[0]
            os.kill(int(greeted.rsplit(b"at ", 1)[1]), signal.SIGKILL)
        vcons.wait_for(lambda: len([m for m in marks(place, "far/sol") if m[0] == "gap"]) >= 2, "it to be started again")


alone.enter(__file__, [SSHD, "ssh", "ssh-keygen"])
main()
