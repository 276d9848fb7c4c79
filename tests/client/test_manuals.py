# SPDX-License-Identifier: MIT
"""The manual pages: without a warning of groff, with every option that the programs know, and with examples that check."""
import glob
import os
import re
import shutil
import subprocess

from vcons import Place, program, skip

DOCS = os.path.join(os.environ["VCONS_SOURCE"], "docs")
COMMANDS = ("run", "ls", "attach", "log", "send", "save", "restore", "stop", "reset", "console", "resize", "status", "upgrade", "config",
            "demux")


def page(name):
    with open(os.path.join(DOCS, name)) as f:
        return f.read()


def no_warnings():
    pages = glob.glob(os.path.join(DOCS, "*.[1-8]"))
    assert len(pages) >= 6, pages
    for path in pages:
        r = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww", "-z", path], stderr=subprocess.PIPE)
        assert r.returncode == 0 and not r.stderr, r.stderr.decode()


def options(text):
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", text))


def in_page(name):
    """Options as mdoc writes them: Fl -json, Fl f."""
    return {"-" + o for line in page(name).splitlines() if "Fl" in line for o in re.findall(r"Fl (-?[a-zA-Z][\w-]*)", line)}


def every_option_is_told():
    for name, argvs, manual in (("vcons", [[c, "--help"] for c in COMMANDS] + [["--help"]], "vcons.1"),
                                ("vconsd", [["--help"]], "vconsd.8"), ("vcons-vmm", [["--help"]], "vcons-vmm.8")):
        for argv in argvs:
            text = subprocess.run([program(name), *argv], stdout=subprocess.PIPE, check=True).stdout.decode()
            known = {o for o in options(text) if o not in ("--help", "--version", "-10m")}
            missing = {o for o in known if o not in in_page(manual)}
            assert known and not missing, f"{manual} does not have {missing} of {name} {argv}"


def synopsis(name):
    text = page(name).split(".Bd -literal -compact\n")[1].split(".Ed")[0]
    return re.sub(r'"user:(eve|bob)"', '"user:root"', re.sub(r'"(adm|ops)"', '"root"', text))  # that each system has


def examples_check(place):
    for name in ("vcons-domains.5", "vconsd.conf.5"):
        path = os.path.join(place.root, name)
        with open(path, "w") as f:
            f.write(synopsis(name))
        r = subprocess.run([program("vcons"), "config", "check", path], env=place.env, stderr=subprocess.PIPE)
        assert r.returncode == 0, r.stderr.decode()


if not shutil.which("groff"):
    skip("groff is not installed")
no_warnings()
every_option_is_told()
with Place() as place:
    examples_check(place)
