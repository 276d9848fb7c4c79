# SPDX-License-Identifier: MIT
"""Viewers of two consoles, who begin in different places and read in turns, each get their own console's bytes from there on:
what the service read for one of them it sends to others."""
import vcons

LINES, WIDTH = 70000, 80  # more than the service keeps
BEGINS = (0, 1, 65535, 65536, 65537, 131072, 500000, 1048576, 2000000, 4194304 + 65536, LINES * WIDTH - 5)
STEP = 250000  # about what a socket holds: whoever waits is served while others are


def look(place, wholes):
    viewers = []
    for begin in BEGINS:
        for c in range(2):
            viewer = vcons.Control(place.control)
            answer = viewer.attach(f"f{c}/hvc0", start={"offset": begin}, follow=False)
            assert answer["offset"] == begin, answer
            viewers.append((viewer, memoryview(wholes[c]), begin))
    while viewers:
        rest = []
        for viewer, whole, at in viewers:
            n = min(STEP, len(whole) - at)
            data = viewer.read(n)
            assert data == whole[at:at + len(data)], f"what came from {at} on is not what stands there"
            if at + len(data) < len(whole):
                rest.append((viewer, whole, at + len(data)))
            else:
                assert viewer.frame()[0] == vcons.END
                viewer.close()
        viewers = rest


def main():
    with vcons.Place() as place:
        place.daemon()
        feeder = place.feeder("-n", "2", "--lines", str(LINES), "--width", str(WIDTH))
        feeder.expect("served", 2)
        feeder.say("go")
        feeder.expect("finished")
        wholes = [vcons.pattern(c, 0, LINES, WIDTH) for c in range(2)]
        vcons.wait_for(lambda: all(c["bytes"] == LINES * WIDTH for c in place_ls(place)), "the last byte")
        look(place, wholes)


def place_ls(place):
    with vcons.Control(place.control) as c:
        return c.ls().values()


main()
