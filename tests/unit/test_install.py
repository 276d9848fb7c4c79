#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An outside VMM author's view: core is installed alone, the examples build against it by pkg-config, and do what they say."""
import os
import re
import shlex
import subprocess
import sys
import tempfile

source = os.environ.get("VCONS_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

EXPECTED = {
    "event_channels": "port 1\nupcall of vCPU 0\nthe guest sent to the console\nupcall of vCPU 0\n"
                      "pending 0x2, selector 0x1\n",
    "pv_console": "Hello, hypervisor.\nYou typed: hello guest\nconnected: 0, events: 4\n",
    "uart": "Hello, hypervisor.\nYou typed: hello guest\ninterrupts: 1\n",
    "virtio_console": "[port 0 is open]\nHello, hypervisor.\nthe guest got 12 bytes: hello guest\n[port 0 is closed]\n"
                      "interrupts: 1\n",
    "link": None,  # needs vconsd: tests/service/test_link_example.py
    "console_io": "*** Serial input to DOM1 (type 'CTRL-a' three times to switch input)\n"
                  "login: \n(d2) a line from behind\n"
                  "[guest 1 read 5 bytes, guest 2 read 0]\n"
                  "*** Serial input to DOM2 (type 'CTRL-a' three times to switch input)\n"
                  "login: [the hypervisor got the key 'h']\n"
                  "\n*** Serial input to Xen (type 'CTRL-a' three times to switch input)\n",
}


def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, **more)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(argv)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def pkg_config(root, *options):
    env = dict(os.environ, PKG_CONFIG_PATH=find(root, "vcons.pc"), PKG_CONFIG_SYSROOT_DIR=root)
    return shlex.split(run("pkg-config", *options, "vcons", env=env))


def find(root, name):
    for folder, _, files in os.walk(root):
        if name in files:
            return folder
    sys.exit(f"{name} is not installed")


def installed_headers(root):
    """All of include/vcons is there, and nothing else of the tree."""
    have = set()
    for folder, _, files in os.walk(os.path.join(source, "include")):
        have |= {os.path.relpath(os.path.join(folder, f), os.path.join(source, "include")) for f in files if f.endswith(".h")}
    at = os.path.join(root, "usr/include")
    for name in have:
        if not os.path.exists(os.path.join(at, name)):
            sys.exit(f"{name} is not installed")


def main():
    with tempfile.TemporaryDirectory(prefix="vcons-install-") as work:
        build, root = os.path.join(work, "build"), os.path.join(work, "root")
        env = {k: v for k, v in os.environ.items() if k not in ("CFLAGS", "LDFLAGS")}
        run("meson", "setup", build, source, "-Dhosted=false", "--prefix=/usr", "--buildtype=release", env=env)
        run("meson", "install", "-C", build, "--destdir", root, env=env)
        installed_headers(root)
        version = run("pkg-config", "--modversion", "vcons",
                      env=dict(os.environ, PKG_CONFIG_PATH=find(root, "vcons.pc"))).strip()
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            sys.exit(f"version {version}")
        for name, expected in EXPECTED.items():
            program = os.path.join(work, name)
            run(os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", os.path.join(source, "docs/examples", name + ".c"),
                *pkg_config(root, "--cflags", "--libs"), "-o", program)
            said = run(program) if expected is not None else None
            if said != expected:
                sys.exit(f"{name} said:\n{said}\nand not:\n{expected}")


main()
