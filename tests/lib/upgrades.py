# SPDX-License-Identifier: MIT
"""What tests of upgrades share: a service that takes another's place, by itself or by a service manager that keeps what it has."""
import os
import socket
import threading

import vcons


def size(place, name):
    """The length of a log: where its newest segment begins, and how long that is."""
    path = os.path.realpath(os.path.join(place.log, name, "current.log"))
    return int(os.path.basename(path)[:20]) + os.path.getsize(path) if os.path.exists(path) else 0


def upgrade(place, old, *args):
    """The new one answers before the command's end is waited for; the old one ends by itself."""
    new = place.start([vcons.program("vconsd"), "--foreground", "--upgrade", *args])
    assert old.wait(vcons.WAIT_S) == 0
    vcons.wait_for(lambda: place.answers(new), "the new service")
    return new


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    vcons.wait_for(lambda: s.connect_ex(path) == 0, path)
    return s


class Manager(threading.Thread):
    """What systemd does with FDSTORE, FDSTOREREMOVE and BARRIER."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.path = os.path.join(place.root, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.stored, self.barriers = {}, 0

    def run(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            told = dict(line.split("=", 1) for line in data.decode().splitlines())
            for fd in fds:
                os.set_inheritable(fd, False)
            if "FDSTORE" in told:
                self.stored[told["FDNAME"]] = fds[0]
            elif "FDSTOREREMOVE" in told:
                os.close(self.stored.pop(told["FDNAME"]))
            elif "BARRIER" in told:
                self.barriers += 1
                os.close(fds[0])

    def restart(self, place, args):
        names, fds = list(self.stored), list(self.stored.values())

        def arrange():
            vcons.die_with_parent()
            for i, fd in enumerate([os.dup2(fd, 200 + i, inheritable=False) for i, fd in enumerate(fds)]):
                os.dup2(fd, 3 + i, inheritable=True)

        command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", vcons.program("vconsd"), "--foreground", *args]
        env = {"NOTIFY_SOCKET": self.path, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)}
        daemon = place.start(command, extra_env=env, preexec_fn=arrange, close_fds=False)
        vcons.wait_for(lambda: place.answers(daemon), "vconsd")
        return daemon
