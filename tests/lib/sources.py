# SPDX-License-Identifier: MIT
"""What tests of sources share: a configuration, and looking at a console of it."""
import os

import vcons


def configure(place, sources, more=False, **keys):
    """Blocks for these sources with these keys; more: behind those that are there."""
    path = os.path.join(place.root, "vconsd.conf")
    fresh = path if more else path + ".new"
    with open(fresh, "a" if more else "w") as f:
        for name, source in sources.items():
            f.write(f'console "{name}" {{\n    source = "{source}"\n')
            f.writelines(f'    {key} = "{value}"\n' for key, value in keys.items())
            f.write("}\n")
    os.rename(fresh, path)  # who reads it has the old one or the new one
    return path


def console(place, name):
    with vcons.Control(place.control) as c:
        return c.ls()[name]


def state(place, name):
    return console(place, name)["state"]


def reason(place, name):
    return console(place, name)["reason"]


def is_there(place, name):
    vcons.wait_for(lambda: state(place, name) == "running", f"{name} to be connected")


def said(place, name):
    """The log by now, which may not have begun."""
    try:
        return place.log_bytes(name)
    except FileNotFoundError:
        return b""


def log_has(place, name, n):
    """The log once it has n bytes."""
    def look():
        data = said(place, name)
        return data if len(data) >= n else None
    return vcons.wait_for(look, f"{n} bytes of {name}") if n else said(place, name)


def marks(place, name):
    kinds = {vcons.ATTACH: "attach", vcons.DETACH: "detach", vcons.GAP: "gap"}
    return [(kinds[r[3]], r[0], r[6]) for r in place.index(name) if r[3] in kinds]


def type_to(place, name, text):
    """Done when all of it is on its way."""
    with vcons.Control(place.control) as c:
        c.attach(name, "now", write="steal")
        for at in range(0, len(text), 4096):
            c.send(vcons.IN, text[at:at + 4096])
        c.send(vcons.SYNC, b"typed")
        while c.frame()[0] != vcons.SYNC:
            pass
