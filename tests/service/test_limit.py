# SPDX-License-Identifier: MIT
"""A limit of vconsd.conf: what a console prints above it waits, each byte, or is dropped, each counted and its place marked; a console
beside them that has none is neither slower nor poorer for their floods."""
import os
import random
import socket
import subprocess
import sys
import threading

import vcons

LIMITS = {"held/tty": "limit = 1M", "lossy/tty": "limit = 64K over_limit = drop", "free/tty": ""}
SENT = {"held/tty": 1_600_000, "lossy/tty": 8_000_000, "free/tty": 8_000_000}


def configure(place):
    path = os.path.join(place.root, "vconsd.conf")
    with open(path, "w") as f:
        for name, what in LIMITS.items():
            f.write(f'console "{name}" {{ source = "unix:{place.root}/{name.split("/")[0]}" }}\n')
            if what:
                f.write(f'console "{name.split("/")[0]}/*" {{ {what} }}\n')
    return path


def listen(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(vcons.WAIT_S)
    s.bind(path)
    s.listen(1)
    return s


def feed(server, data):
    guest, _ = server.accept()
    guest.settimeout(10 * vcons.WAIT_S)  # who is held takes its time
    guest.sendall(data)
    return guest


def stream_matches(place, name, sent):
    """Each stored byte stands where it was sent: as many behind its place in the log as were dropped before it."""
    log, gone, at = place.log_bytes(name), 0, 0
    gaps = [(r[0], r[6]) for r in place.index(name) if r[3] == vcons.GAP] + [(len(log), 0)]
    for offset, dropped in gaps:
        if log[at:offset] != sent[at + gone:offset + gone]:
            return None
        at, gone = offset, gone + dropped
    return gone


def wrong(place):
    path = os.path.join(place.root, "wrong.conf")
    for line, word in (("limit = 1", "1K to 4G"), ("limit = 64X", "1K to 4G"), ("limit = 64KK", "1K to 4G"), ("limit = -1", "1K to 4G"),
                       ("limit = 99999999999999999999", "1K to 4G"), ("limit = 5G", "1K to 4G"), ('limit = ""', "1K to 4G"),
                       ("over_limit = lose", "hold or drop")):
        with open(path, "w") as f:
            f.write('console "a/*" { %s }\n' % line)
        r = subprocess.run([vcons.program("vconsd"), "--check", "--config", path], env=place.env, capture_output=True, text=True,
                           timeout=vcons.WAIT_S)
        assert r.returncode == 2 and word in r.stderr and ":1:" in r.stderr, (line, r)


def main():
    with vcons.Place() as place:
        wrong(place)
        chance = random.Random(7)
        data = {name: chance.randbytes(n) for name, n in SENT.items()}
        servers = {name: listen(os.path.join(place.root, name.split("/")[0])) for name in SENT}
        guests = []
        place.daemon("--config", configure(place))
        threads = [threading.Thread(target=lambda name=name: guests.append(feed(servers[name], data[name]))) for name in SENT]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

        def all_seen():
            with vcons.Control(place.control) as c:
                have = c.ls()
            limit = have["lossy/tty"]["limit"]
            done = [have["held/tty"]["bytes"] == SENT["held/tty"], have["free/tty"]["bytes"] == SENT["free/tty"],
                    have["lossy/tty"]["bytes"] + limit["dropped"] == SENT["lossy/tty"]]
            return have if all(done) else None

        have = vcons.wait_for(all_seen, "all that was sent", 10 * vcons.WAIT_S)
        assert have["free/tty"]["limit"] is None, have["free/tty"]
        held, lossy = have["held/tty"]["limit"], have["lossy/tty"]["limit"]
        assert (held["bytes_a_second"], held["over"], held["dropped"]) == (1 << 20, "hold", 0) and held["held_s"] > 0, held
        assert (lossy["bytes_a_second"], lossy["over"]) == (65536, "drop") and lossy["dropped"] > 0, lossy
        assert place.log_bytes("held/tty") == data["held/tty"]
        assert place.log_bytes("free/tty") == data["free/tty"]
        vcons.wait_for(lambda: stream_matches(place, "lossy/tty", data["lossy/tty"]) == lossy["dropped"], "the marks of what was dropped")
        for g in guests:
            g.close()
    return 0


sys.exit(main())
