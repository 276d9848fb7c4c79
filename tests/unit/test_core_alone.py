#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Core is freestanding: linked alone, of all symbols in the world only four may be missing; it holds no variable of its own; it
compiles for bare machines of both architectures, where there is no libc, no header of one either; and so does each header."""
import glob
import os
import subprocess
import sys
import tempfile

source = os.environ.get("VCONS_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
include = os.path.join(source, "include")
FLAGS = ["-std=gnu11", "-O2", "-ffreestanding", "-fno-stack-protector", "-fPIC", "-nostdlib", "-Wall", "-Wextra", "-Werror",
         "-Wvla", "-Wframe-larger-than=4096", "-I", include]
MAY_MISS = {"memcpy", "memmove", "memset", "memcmp"}


def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def own_flags(compiler):
    """As core/meson.build: arm64's compilers would else call libgcc for atomics."""
    return ["-mno-outline-atomics"] if run(compiler, "-dumpmachine").startswith("aarch64") else []


def link_alone(work, compiler):
    objects, own = [], own_flags(compiler)
    for path in sorted(glob.glob(os.path.join(source, "core", "*.c"))):
        objects.append(os.path.join(work, os.path.basename(path) + ".o"))
        run(compiler, *FLAGS, *own, "-c", path, "-o", objects[-1])
    whole = os.path.join(work, "core.o")
    run(compiler, "-nostdlib", "-r", *objects, "-o", whole)
    symbols = [line.split()[-2:] for line in run("nm", whole).splitlines()]
    missing = {name for kind, name in symbols if kind in "Uw"} - {"_GLOBAL_OFFSET_TABLE_"}
    if missing - MAY_MISS:
        sys.exit(f"{compiler}: core needs {', '.join(sorted(missing - MAY_MISS))}")
    variables = [name for kind, name in symbols if kind in "BbDdCGgSs" and not name.startswith("__")]
    if variables:
        sys.exit(f"{compiler}: core has variables: {', '.join(variables)}")
    foreign = [name for kind, name in symbols if kind in "TR" and not name.startswith("vc_")]
    if foreign:
        sys.exit(f"{compiler}: names without vc_: {', '.join(foreign)}")


def bare(work):
    """Nothing but the compiler's own headers."""
    for target in ("aarch64-none-elf", "x86_64-none-elf"):
        for path in sorted(glob.glob(os.path.join(source, "core", "*.c"))):
            run("clang", f"--target={target}", *FLAGS, "-c", path, "-o", os.path.join(work, "bare.o"))
        each_header(work, "clang", f"--target={target}")


def each_header(work, compiler, *more):
    for path in sorted(glob.glob(os.path.join(include, "vcons", "**", "*.h"), recursive=True)):
        name = os.path.relpath(path, include)
        unit = os.path.join(work, "unit.c")
        with open(unit, "w") as f: # twice: the guard is there too
            f.write(f"#include <{name}>\n#include <{name}>\n")
        run(compiler, *more, *FLAGS, "-Wpedantic", "-fsyntax-only", unit)


def main():
    with tempfile.TemporaryDirectory(prefix="vcons-core-") as work:
        tried = 0
        for compiler in ("gcc", "clang"):
            try:
                run(compiler, "--version")
            except FileNotFoundError:
                continue
            link_alone(work, compiler)
            each_header(work, compiler)
            if compiler == "clang":
                bare(work)
            tried += 1
        if tried == 0:
            sys.exit("neither gcc nor clang is here")


main()
