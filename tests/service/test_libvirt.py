# SPDX-License-Identifier: MIT
"""A real libvirtd with domains of QEMU's, and docs/examples/sources/libvirt.conf as it is written: a serial port on a socket, and one on
a pseudo-terminal that has another number after each start; `virsh console` and the service keep out of each other's way.

In namespaces of its own: this machine's libvirt, if there is one, is not touched."""
import os
import pty
import re
import shutil
import subprocess
import textwrap
import time

import alone
import vcons
from sources import is_there, log_has, marks, reason, said, state, type_to

EXAMPLE = os.path.join(os.environ["VCONS_SOURCE"], "docs", "examples", "sources", "libvirt.conf")
KERNEL = os.path.join(vcons.BUILD, "guest", "tiny-pvh")
QEMU = "/usr/bin/qemu-system-x86_64"
SLOW_S = 180  # libvirtd asks each QEMU it finds what it can do, which are two starts of it
OWN = ("/run/libvirt", "/run/lock", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt", "/etc/libvirt")
SETTINGS = {
    "qemu.conf": 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\ncgroup_controllers = []\nnamespaces = []\n'
                 'stdio_handler = "file"\ndynamic_ownership = 0\nremember_owner = 0\n',
    "libvirtd.conf": 'auth_unix_rw = "none"\nauth_unix_ro = "none"\nlog_outputs = "3:stderr"\n'}
DOMAIN = """<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>{kernel}</kernel><cmdline>console=ttyS0</cmdline></os>
  <devices><emulator>{qemu}</emulator><controller type='usb' model='none'/><memballoon model='none'/>
    {serial}
  </devices>
</domain>
"""


def virsh(*args):
    return subprocess.run(["virsh", "-q", "-c", "qemu:///system", *args], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)


def start_libvirt(place):
    alone.empty(*OWN)
    alone.terminals()
    alone.add_user(place, "libvirt-qemu", 64055)  # whom Debian's libvirtd wants to be there even if it makes no use of him
    for name, text in SETTINGS.items():
        with open(os.path.join("/etc/libvirt", name), "w", encoding="utf-8") as f:
            f.write(text)
    programs = os.path.join(place.root, "bin")  # one QEMU to be asked
    os.mkdir(programs)
    os.symlink(QEMU, os.path.join(programs, os.path.basename(QEMU)))
    log = os.path.join(place.root, "libvirtd.log")
    with open(log, "w", encoding="utf-8") as f:
        daemon = place.start([shutil.which("libvirtd", path="/usr/sbin:/usr/bin"), "--pid-file", os.path.join(place.root, "pid")], stderr=f,
                             extra_env={"PATH": programs})

    def answers():
        if daemon.poll() is not None:
            with open(log, encoding="utf-8") as f:
                vcons.skip("libvirtd cannot run here:\n" + f.read())
        return virsh("list").returncode == 0

    vcons.wait_for(answers, "libvirtd", SLOW_S)


def create(place, name, serial):
    path = os.path.join(place.root, name + ".xml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(DOMAIN.format(name=name, kernel=KERNEL, qemu=QEMU, serial=serial))
    alone.need(virsh("create", path))


def terminal(name):
    return virsh("ttyconsole", name).stdout.strip()


def lock_of(path):
    return "/var/lock/LCK.." + path.removeprefix("/dev").replace("/", "_")


def talk(place, name, words):
    """The guest's shell answers on that console; what it said before anybody was there is lost, so its prompt is asked for."""
    at = len(said(place, name))
    end = time.monotonic() + vcons.WAIT_S * 3
    while b"tiny> " not in said(place, name)[at:]:
        assert time.monotonic() < end, said(place, name)[at:]
        type_to(place, name, b"\r")
        time.sleep(0.2)
    type_to(place, name, b"echo " + words + b"\r")
    vcons.wait_for(lambda: b"\n" + words + b"\r\n" in said(place, name)[at:], words)


def socket_as_written(place, text):
    xml = re.search(r"#     (<serial type='unix'>.*?</serial>)", text, re.S).group(1).replace("#", "")
    create(place, "db", textwrap.dedent(xml))
    is_there(place, "db/serial")
    talk(place, "db/serial", b"over the socket")


class VirshConsole:
    """`virsh console` on a terminal of its own; until it has ended."""

    def __init__(self, place, name):
        self.master, slave = pty.openpty()
        self.process = place.start(["virsh", "-c", "qemu:///system", "console", name], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def said(self):
        """All of it, to its end."""
        text = b""
        try:
            while part := os.read(self.master, 4096):
                text += part
        except OSError:
            pass  # its end
        os.close(self.master)
        self.process.wait(vcons.WAIT_S)
        return text.decode(errors="replace")

    def leave(self):
        os.write(self.master, b"\x1d")
        return self.said()


def one_reader(place, daemon, config):
    """virsh says who has it; and while virsh has it, the service says so, and takes it when virsh has left."""
    path = terminal("old")
    with open(lock_of(path), encoding="ascii") as f:
        assert int(f.read()) == daemon.pid
    refused = VirshConsole(place, "old").said()
    assert lock_of(path) in refused and str(daemon.pid) in refused, refused
    assert vcons.stop(daemon) == 0 and not os.path.exists(lock_of(path))
    console = VirshConsole(place, "old")
    vcons.wait_for(lambda: os.path.exists(lock_of(path)), "virsh console's lock")
    daemon = place.daemon("--config", config)
    vcons.wait_for(lambda: f"has it, says {lock_of(path)}" in (reason(place, "old/serial") or ""), "the reason")
    assert state(place, "old/serial") == "away"
    console.leave()
    is_there(place, "old/serial")
    talk(place, "old/serial", b"after virsh")
    return daemon


def terminal_by_name(place, daemon, config):
    """Another number after each start: it is found by the domain's name, and what was said meanwhile is a marked gap."""
    vcons.wait_for(lambda: "libvirt runs no domain of that name" in (reason(place, "old/serial") or ""), "the reason")
    create(place, "old", "<serial type='pty'/>")
    is_there(place, "old/serial")
    talk(place, "old/serial", b"by name")
    daemon = one_reader(place, daemon, config)
    before, gaps = terminal("old"), len([m for m in marks(place, "old/serial") if m[0] == "gap"])
    assert virsh("destroy", "old").returncode == 0
    vcons.wait_for(lambda: state(place, "old/serial") == "away", "its end")
    assert not os.path.exists(lock_of(before))
    others = [pty.openpty()]  # until its number is taken
    while before not in [os.ttyname(slave) for _, slave in others]:
        others.append(pty.openpty())
        assert len(others) < 20, before
    create(place, "old", "<serial type='pty'/>")
    is_there(place, "old/serial")
    assert terminal("old") != before, before
    talk(place, "old/serial", b"with another number")
    assert len([m for m in marks(place, "old/serial") if m[0] == "gap"]) == gaps + 1
    for fd in sum(others, ()):
        os.close(fd)
    return daemon


def main():
    with vcons.Place() as place:
        start_libvirt(place)
        with open(EXAMPLE, encoding="utf-8") as f:
            text = f.read()
        daemon = place.daemon("--config", EXAMPLE)
        socket_as_written(place, text)
        daemon = terminal_by_name(place, daemon, EXAMPLE)
        assert log_has(place, "db/serial", 1) and vcons.stop(daemon) == 0
        for name in ("db", "old"):
            assert virsh("destroy", name).returncode == 0


if not os.path.exists(KERNEL):
    vcons.skip(f"{KERNEL} is not here")
alone.enter(__file__, ["libvirtd", "virsh", QEMU])
main()
