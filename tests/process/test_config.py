# SPDX-License-Identifier: MIT
"""Configurations that are wrong, in every way people get them wrong: one line, FILE:LINE, what was expected, status 2."""
import os
import subprocess

from vcons import Place, program

GOOD = 'domain "web" { kernel = "tiny" engine = process }\n'

# text of the file, line that the error names (0: none), words it must have
WRONG = [
    ("", 0, "expected at least one block domain"),
    ("# only a comment\n", 0, "expected at least one block domain"),
    ('domain "web" {\n kernl = "tiny"\n}\n', 2, "kernl"),
    ('domain "web" {\n append = "x"\n}\n', 2, "cmdline"),
    ('domain "web" {\n extra = "x"\n}\n', 2, "cmdline"),
    ('domain "web" {\n initrd = "x"\n}\n', 2, "ramdisk"),
    ('domain "web" {\n engine = process\n}\n', 3, "kernel"),
    ('domain "web" {\n kernel = "linux"\n}\n', 3, "tiny"),
    ('domain "web" {\n kernel = "./none"\n engine = process\n}\n', 4, "none"),
    ('domain "web" {\n kernel = "tiny"\n memory = 1\n}\n', 3, "expected 8 to"),
    ('domain "web" {\n kernel = "tiny"\n memory = 64X\n}\n', 3, "64M"),
    ('domain "web" {\n kernel = "tiny"\n engine = process\n memory = 3073\n}\n', 5, "at most 3072M"),
    ('domain "web" {\n kernel = "tiny"\n memory = 65G\n}\n', 3, "expected 8 to 65536 MiB"),
    ('domain "web" {\n kernel = "tiny"\n memory = -1\n}\n', 3, "memory"),
    ('domain "web" {\n kernel = "tiny"\n memory = 99999999999999999999G\n}\n', 3, "memory"),
    ('domain "web" {\n kernel = "tiny"\n vcpus = 0\n}\n', 3, "expected a number from 1"),
    ('domain "web" {\n kernel = "tiny"\n vcpus = many\n}\n', 3, "expected a number from 1"),
    ('domain "web" {\n kernel = "tiny"\n engine = qemu\n}\n', 3, "auto, kvm-xen, kvm, process or command"),
    ('domain "web" {\n kernel = "tiny"\n vcpus = 65\n}\n', 3, "from 1 to 64"),
    ('domain "web" {\n kernel = "tiny"\n xen_version = "4.3"\n}\n', 3, "4.4 or later"),
    ('domain "web" {\n kernel = "tiny"\n xen_version = "4.17.2"\n}\n', 3, "4.4 or later"),
    ('domain "web" {\n kernel = "tiny"\n xen_version = five\n}\n', 3, "4.4 or later"),
    ('domain "web" {\n kernel = "tiny"\n hold = never\n}\n', 3, "forever"),
    ('domain "web" {\n kernel = "tiny"\n hold = -1\n}\n', 3, "forever"),
    ('domain "web" {\n kernel = "tiny"\n hold = 1e99\n}\n', 3, "3600"),
    ('domain "web" {\n kernel = "tiny"\n hold = nan\n}\n', 3, "3600"),
    ('domain "web" {\n kernel = "tiny"\n connected = maybe\n}\n', 3, "always or service"),
    ('domain "web" {\n kernel = "tiny"\n on_crash = panic\n}\n', 3, "destroy, restart or preserve"),
    ('domain "web" {\n kernel = "tiny"\n uuid = "1234"\n}\n', 3, "32 hexadecimal digits"),
    ('domain "web" {\n kernel = "tiny"\n kernel = "tiny"\n}\n', 3, "twice"),
    ('domain "web" {\n kernel = "tiny"\n console "c" { type = serial }\n}\n', 3, "xen, console_io, pl011, sbsa, 16550, virtio or virtio-port"),
    ('domain "web" {\n kernel = "tiny"\n engine = process\n console "c" { type = pl011 }\n}\n', 5, 'console "c": of UARTs engine process has none here'),
    ('domain "web" {\n kernel = "tiny"\n engine = process\n console "c" { type = sbsa }\n}\n', 5, "of UARTs engine process has none here"),
    ('domain "web" {\n command = "sh"\n console "c" { type = pl011 }\n}\n', 4, "a command has no UART"),
    ('domain "web" {\n kernel = "tiny"\n console "../c" { }\n}\n', 4, "console name"),
    ('domain "web" {\n kernel = "tiny"\n console "a" { }\n console "a" { }\n}\n', 4, ""),
    ('domain "web" {\n kernel = "tiny"\n console "a" { type = console_io }\n console "b" { type = console_io }\n}\n', 5,
     "at most one"),
    ('domain "web" {\n kernel = "tiny"\n' + "".join(' console "c%d" { }\n' % i for i in range(11)) + '}\n', 14,
     "expected at most 10"),
    ('domain "web" {\n kernel = "tiny"\n' + "".join(' console "c%d" { }\n' % i for i in range(16)) + '}\n', 19,
     "expected at most 15"),
    ('domain "web" {\n kernel = "tiny"\n engine = process\n console "u" { type = 16550 }\n}\n', 5,
     'console "u": of UARTs engine process has none here'),
    ('domain "web" {\n kernel = "tiny"\n console "c" { device = 1 }\n}\n', 4, "device is for type virtio or virtio-port, this is type xen"),
    ('domain "web" {\n kernel = "tiny"\n console "c" { type = virtio device = 32 }\n}\n', 3, "expected a number from 0 to 31"),
    ('domain "web" {\n kernel = "tiny"\n console "c" { type = virtio device = first }\n}\n', 3, "from 0 to 31"),
    ('domain "web" {\n kernel = "tiny"\n console "c" { type = virtio device = -1 }\n}\n', 3, "from 0 to 31"),
    ('domain "web" {\n kernel = "tiny"\n console "c" { type = virtio device = 1 device = 1 }\n}\n', 3, "twice"),
    ('domain "web" {\n kernel = "tiny"\n virtio_announce = never\n}\n', 3, "ordered or together"),
    ('domain "web" {\n kernel = "tiny"\n virtio_size = 80x25\n}\n', 3, "columns-first or rows-first"),
    ('domain "web" {\n kernel = "tiny"\n engine = process\n' +
     "".join(' console "c%d" { type = virtio-port }\n' % i for i in range(512)) + '}\n', 516,
     'console "c511": expected at most 511 ports of virtio device 0'),
    ('domain "web" {\n command = "sh"\n console "v" { type = virtio }\n}\n', 4, "a command has no virtio device"),
    ('domain "web" {\n command = "sh"\n console "u" { type = 16550 }\n}\n', 4, "no UART"),
    ('domain "web" {\n command = "sh"\n console "a" { }\n console "b" { }\n}\n', 5, "one terminal"),
    ('domain "web" {\n command = "sh"\n kernel = "tiny"\n}\n', 4, "command"),
    ('domain "web" {\n engine = command\n}\n', 3, "command"),
    ('domain "web" {\n command = "sh"\n memory = 1G\n}\n', 4, "no memory or vcpus"),
    ('domain "web" {\n command = "sh"\n vcpus = 2\n}\n', 4, "no memory or vcpus"),
    ('domain "web" {\n command = "sh"\n connected = service\n}\n', 4, "type xen"),
    ('domain "web" {\n command = "sh"\n console "c" { type = console_io }\n}\n', 4, "without type"),
    ('domain "web" {\n kernel = "tiny"\n connected = service\n console "c" { type = console_io }\n}\n', 5, "type xen"),
    ('domain "a/b" {\n kernel = "tiny"\n}\n', 3, "expected 1 to 32"),
    ('domain ".." {\n kernel = "tiny"\n}\n', 3, "expected 1 to 32"),
    ('domain "" {\n kernel = "tiny"\n}\n', 3, "expected 1 to 32"),
    ('domain "%s" {\n kernel = "tiny"\n}\n' % ("x" * 33), 3, "expected 1 to 32"),
    (GOOD + GOOD, 2, "web"),
    ('hypervisor { name = "a b" }\n' + GOOD, 1, "hypervisor name"),
    ('hypervisor { console = vga }\n' + GOOD, 1, "stdio or none"),
    ('hypervisor { conswitch = "1" }\n' + GOOD, 1, "letter"),
    ('hypervisor { conswitch = "B" }\n' + GOOD, 1, "a to z"),
    ('hypervisor { name = "web" }\n' + GOOD, 0, "name of the hypervisor"),
    ('hypervisor { }\nhypervisor { }\n' + GOOD, 2, "twice"),
    ('domain "web" {\n kernel = "tiny"\n', 1, ""),
    ('domain "web" {\n kernel = "tiny\n}\n', 2, ""),
    ('domain "web" {\n kernel = "${HOME}"\n}\n', 2, ""),
    ('domain "web" {\n kernel = "ti\0ny"\n}\n', 2, ""),
    ("\x7fELF\x02\x01\x01" + "\x00" * 100, 1, ""),
    ("x" * (1 << 20) + "\n" + GOOD, 0, "1 MiB"),
    ('uuids {}\n', 1, "uuids"),
    ('domain "a" { kernel = "tiny" engine = process uuid = "%s" }\n'
     'domain "b" { kernel = "tiny" engine = process uuid = "%s" }\n' % ("01" * 16, "01" * 16), 0, "same uuid"),
]

RIGHT = [
    GOOD,
    'domain "web" { kernel = "tiny" engine = process memory = 64 vcpus = 1 hold = 0.5 }\n',
    'domain "web" { kernel = "tiny" memory = 1G hold = forever connected = service on_crash = restart }\n',
    'domain "web" { kernel = "tiny" console "uart" { type = console_io } uuid = "01234567-89ab-cdef-0123-456789abcdef" }\n',
    'hypervisor { name = "lab1" console = stdio conswitch = "bx" }\n' + GOOD,
    'hypervisor { conswitch = "" console = none }\n' + GOOD,
    "/* a comment } */\n" + GOOD,
    'domain "web" { kernel = "tiny" engine = process virtio_announce = together virtio_size = rows-first\n'
    '    console "hvc0" { }\n console "v0" { type = virtio device = 31 }\n console "log" { type = virtio-port } }\n',
    'domain "web" { kernel = "tiny" engine = process\n' +
    "".join(' console "c%d" { type = virtio }\n' % i for i in range(511)) + "}\n",
]


def check(place, text):
    path = os.path.join(place.root, "test.conf")
    with open(path, "wb") as f:
        f.write(text.encode())
    p = subprocess.run([program("vcons-vmm"), "--check", path], env=place.env, capture_output=True, timeout=20)
    return path, p.returncode, p.stderr.decode()


def main():
    with Place() as place:
        for text, line, words in WRONG:
            path, status, error = check(place, text)
            shown = repr(text[:80])
            assert status == 2, f"{shown}: status {status}: {error}"
            assert error.count("\n") == 1, f"{shown}: expected one line: {error}"
            where = f"vcons-vmm: {path}:{line}: " if line else f"vcons-vmm: {path}: "
            assert error.startswith(where), f"{shown}: expected {where}…: {error}"
            assert words in error, f"{shown}: expected {words!r}: {error}"
        for text in RIGHT:
            _, status, error = check(place, text)
            assert status == 0 and error == "", f"{text!r}: status {status}: {error}"
        # A directory, nothing, and nonsense on the command line.
        for argv, words in (([place.root], "regular file"), ([place.root + "/none"], "No such file"), ([], "usage"),
                            (["-k", "tiny", place.root], "usage"), (["-k", "tiny", "-m", "lots"], "memory"),
                            (["-k", "tiny", "--engine", "qemu"], "auto, kvm-xen, kvm, process or command")):
            p = subprocess.run([program("vcons-vmm"), "--check", *argv], env=place.env, capture_output=True, timeout=20)
            assert p.returncode == 2 and words in p.stderr.decode(), (argv, p.returncode, p.stderr)
        assert not os.listdir(place.run), "something was started, or left behind"


main()
