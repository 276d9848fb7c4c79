# SPDX-License-Identifier: MIT
"""What a console on a socket costs the service, all its processes together: no page of its own for what nobody types."""
import os
import socket
import time

import vcons

CONSOLES = 300
MOST_KIB = 8  # of memory a console; 4 when this was written, and 15 while each had a buffer in the heap for what is typed


def processes(pid):
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                yield from processes(int(child))


def pss_kib(pid):
    total = 0
    for p in processes(pid):
        with open(f"/proc/{p}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:"))
    return total


def still(what):
    """The same value three times within a second; or None."""
    first = what()
    for _ in range(2):
        time.sleep(0.3)
        if what() != first:
            return None
    return first


def weight(n):
    """Of the service with so many consoles, all connected."""
    with vcons.Place() as place:
        listening = []
        for i in range(n):
            listening.append(socket.socket(socket.AF_UNIX))
            listening[i].bind(os.path.join(place.root, f"{i}"))
            listening[i].listen()
        config = os.path.join(place.root, "vconsd.conf")
        with open(config, "w") as f:
            f.writelines(f'console "c{i}/s" {{ source = "unix:{place.root}/{i}" }}\n' for i in range(n))
        daemon = place.daemon("--config", config)
        peers = [s.accept()[0] for s in listening]
        result = vcons.wait_for(lambda: still(lambda: pss_kib(daemon.pid)), "its memory to stay as it is")
        for s in listening + peers:
            s.close()
        return result


def main():
    if vcons.sanitized_build():
        vcons.skip("memory of a sanitized build is no measure")
    one, many = weight(1), weight(CONSOLES)
    each = (many - one) / (CONSOLES - 1)
    print(f"{each:.1f} KiB a console")
    assert each < MOST_KIB, f"{each:.1f} KiB a console"


main()
