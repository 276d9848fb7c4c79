#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The map of rooms (design, section 2): which room includes what. An arrow that is not in the table below is an error; so is a
source file without its SPDX line."""
import glob
import os
import re
import sys

source = os.environ.get("VCONS_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

ANY = re.compile(r"")
GUEST = r"wire/.+|ring|ids|xencons|atomic|error"
# room: what of <vcons/…> it may include, which other rooms' headers, and whether libc and libraries
ROOMS = {
    "include/vcons/wire": (r"wire/.+", set(), False),
    "include/vcons": (r".+", set(), False),
    "core": (r".+", set(), False),
    "guest": (GUEST, set(), True),
    "vmm": (r".+", {"host"}, True),
    "service": (r"wire/.+|ring|line|atomic|error", {"host"}, True),
    "xen": (r"wire/.+|ring|xencons|atomic|error", {"service", "host"}, True),
    "client": (r"wire/(control|index)", {"host"}, True),
    "host": (r"(?!)", set(), True),
}
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h"}


def room_of(path):
    return max((r for r in ROOMS if path.startswith(r + "/")), key=len, default=None)


def files():
    for pattern in ("**/*.c", "**/*.h"):
        for path in glob.glob(os.path.join(source, pattern), recursive=True):
            name = os.path.relpath(path, source)
            if not name.startswith(("build", ".")):
                yield name


def quoted(name, target, room):
    """"x.h": beside the file, in the room, or in a room that it may use."""
    beside = os.path.normpath(os.path.join(os.path.dirname(name), target))
    for place in (beside, os.path.join(room, target)):
        if os.path.exists(os.path.join(source, place)):
            other = room_of(place)
            return other == room or other in ROOMS[room][1]
    return any(os.path.exists(os.path.join(source, other, target)) for other in ROOMS[room][1]) or \
        target in ("config.h", "paths.h", "version.h")  # made by Meson


def allowed(name, kind, target, room):
    vcons, others, libc = ROOMS[room]
    if kind == '"':
        if target.startswith(("host/", "service/")):
            return target.split("/")[0] in others and os.path.exists(os.path.join(source, target))
        return quoted(name, target, room)
    if target.startswith("vcons/"):
        return re.fullmatch(rf"vcons/({vcons})\.h", target) is not None
    if target.split("/")[0] in {r.split("/")[0] for r in ROOMS}:
        return target.split("/")[0] in others
    return libc or target in FREESTANDING


def main():
    wrong, n = [], 0
    for name in sorted(files()):
        text = open(os.path.join(source, name), encoding="utf-8").read()
        if "SPDX-License-Identifier: MIT" not in text.split("\n", 1)[0]:
            wrong.append(f"{name}:1: no SPDX line")
        room = room_of(name)
        if room is None:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if found:
                n += 1
                if not allowed(name, found[1], found[2], room):
                    wrong.append(f"{name}:{number}: {room} may not include {found[2]}")
    if wrong:
        sys.exit("\n".join(wrong))
    if n < 100:
        sys.exit(f"only {n} includes seen: is this the tree?")


main()
