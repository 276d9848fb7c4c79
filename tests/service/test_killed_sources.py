# SPDX-License-Identifier: MIT
"""T3: kill -9 of the service at random instants while sockets, to which it connects and on which it listens, and a pseudo-terminal speak.
Each stretch of the log between two gaps is what one connection said, from its first byte on and without a hole; what is missing behind it
is what the kernel held for the dead process, and what that had in its hands. A byte too few or too many, or a gap in another place, shows."""
import os
import pty
import random
import socket
import sys
import threading
import time
import tty

import vcons
from sources import configure, is_there, log_has, marks

KILLS = 2000 if vcons.LONG else 50
IN_HAND = 64 * 1024  # read, and not yet in the log: source_fd.h
LINE = 20


def lines(connection, first, count):
    return b"".join(b"%06d %012d\n" % (connection, first + i) for i in range(count))


class Speaker(threading.Thread):
    """Numbered lines, some in a hurry; each connection's begin with 0."""

    def __init__(self, seed):
        super().__init__()
        self.chance, self.over, self.sent, self.failed = random.Random(seed), threading.Event(), [], None

    def run(self):
        try:
            while not self.over.is_set():
                peer = self.peer()
                if peer is not None:
                    with peer:
                        self.sent.append(0)
                        self.speak(peer)
        except Exception as e:  # pylint: disable=broad-except
            self.failed = e

    def speak(self, peer):
        peer.settimeout(0.1)
        block, number = b"", 0
        while not self.over.is_set():
            if not block:
                count = 6000 if self.chance.random() < 0.02 else 50
                block, number = lines(len(self.sent) - 1, number, count), number + count
            try:
                n = peer.send(block)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return
            self.sent[-1] += n
            block = block[n:]
            time.sleep(0.0005)

    def judge(self, log, gaps):
        """Each stretch is the beginning of another connection's."""
        most, last, begun = self.held + IN_HAND, -1, 0
        for end in [*gaps, len(log)]:
            part, begun = log[begun:end], end
            if not part:
                continue
            connection = int(part[:6])
            assert connection > last and part == lines(connection, 0, len(part) // LINE + 1)[:len(part)], (connection, last, end)
            assert self.sent[connection] - len(part) <= most, (connection, self.sent[connection], len(part))
            last = connection
        return last


class Listener(Speaker):
    """The service connects to it."""

    def __init__(self, seed, path):
        super().__init__(seed)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(0.1)
        self.socket.bind(path)
        self.socket.listen(10)
        self.held = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    def peer(self):
        try:
            return self.socket.accept()[0]
        except TimeoutError:
            return None


class Caller(Speaker):
    """It connects to the service."""

    def __init__(self, seed, path):
        super().__init__(seed)
        self.path = path

    def peer(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.held = s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        if s.connect_ex(self.path) == 0:
            return s
        s.close()
        time.sleep(0.005)
        return None


class Terminal(Speaker):
    """It has the master, and the slave stays open, so that what the kernel holds is there for the next: one connection all the time."""

    def __init__(self, seed, link):
        super().__init__(seed)
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.symlink(os.ttyname(self.slave), link)
        os.set_blocking(self.master, False)

    def run(self):
        self.sent, block, number = [0], b"", 0
        while not self.over.is_set():
            if not block:
                block, number = lines(0, number, 50), number + 50
            try:
                n = os.write(self.master, block)
            except BlockingIOError:
                n = 0
            self.sent[0] += n
            block = block[n:]
            time.sleep(0.0005)

    def judge(self, log, gaps):
        at = begun = 0
        for end in [*gaps, len(log)]:
            part, begun = log[begun:end], end
            if not part:
                continue
            expected = lines(0, at // LINE, (IN_HAND + len(part)) // LINE + 2)
            found = expected.find(part, at % LINE)
            assert found >= 0, (at, end, len(part))
            where = at - at % LINE + found
            assert where - at <= IN_HAND, (at, where, end)
            at = where + len(part)
        assert at <= self.sent[0]
        return len(gaps)


def main():
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    print("seed", seed, flush=True)
    with vcons.Place() as place:
        paths = [os.path.join(place.root, name) for name in ("guest", "ours", "tty")]
        config = configure(place, {"k/connects": f"unix:{paths[0]}", "k/listens": f"unix-listen:{paths[1]}", "k/pty": f"pty:{paths[2]}"})
        speakers = {"k/connects": Listener(seed, paths[0]), "k/listens": Caller(seed, paths[1]), "k/pty": Terminal(seed, paths[2])}
        for s in speakers.values():
            s.start()
        try:
            for kill in range(KILLS):
                daemon = place.daemon("--config", config, ready=False)
                if chance.random() < 0.8:  # the rest die in the midst of their start
                    vcons.wait_for(lambda: place.answers(daemon), "the service")
                    for name in speakers:
                        is_there(place, name)
                time.sleep(chance.random() * 0.03)
                assert daemon.poll() is None, f"kill {kill}: the service left by itself with {daemon.returncode}"
                daemon.kill()
                daemon.wait()
                assert not any(s.failed for s in speakers.values()), [s.failed for s in speakers.values()]
            daemon = place.daemon("--config", config)
            for name in speakers:
                is_there(place, name)
        finally:
            for s in speakers.values():
                s.over.set()
                s.join()
        assert vcons.stop(daemon) == 0
        for name, s in speakers.items():
            log = log_has(place, name, 1)
            gaps = [offset for kind, offset, _ in marks(place, name) if kind == "gap"]
            found = s.judge(log, gaps)
            print(f"{name}: {len(log) >> 10} of {sum(s.sent) >> 10} KiB, {len(gaps)} gaps, {len(s.sent)} connections")
            assert found >= KILLS // 3, (name, found)


if __name__ == "__main__":
    sys.exit(main())
