# SPDX-License-Identifier: MIT
"""Domains of a device tree for Xen: listed, refused and run, as whole programs do it; sources by the real dtc; ImageBuilder's files."""
import os
import shutil
import subprocess

from vcons import BUILD, Place, program, skip

EXAMPLES = os.path.join(os.environ["VCONS_SOURCE"], "examples")
TREE = """/dts-v1/;
/ { chosen { #address-cells = <2>; #size-cells = <2>;
    xen,xen-bootargs = "console=dtuart conswitch=b";
    domU0 { compatible = "xen,domain"; #address-cells = <1>; #size-cells = <1>; memory = <0 0x4000>; cpus = <1>; %(more)s
        module@1000000 { compatible = "multiboot,kernel", "multiboot,module"; reg = <0x1000000 %(size)d>; bootargs = "%(first)s"; }; };
    domU1 { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; memory = <0 0x4000>; cpus = <1>;
        nr_spis = <40>;
        module@1 { compatible = "multiboot,kernel", "multiboot,module"; reg = <0 0x1000000 0 %(size)d>; bootargs = "%(second)s"; };
        module@2 { compatible = "multiboot,ramdisk", "multiboot,module"; reg = <0 0x2000000 0 1024>; }; };
}; };
"""
FILES = ["--module", "0x1000000=tiny", "--module", "0x2000000=initrd"]

# A configuration of ImageBuilder's, and what its refusal has: FILE:LINE, and why.
WRONG = [
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=$(touch pwned)\n", ":2: expected a value in quotes: '(' is the shell's"),
    ('NUM_DOMUS=1\nDOMU_KERNEL[0]="$(touch pwned)"\n', ":2: DOMU_KERNEL: expected text as it is"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=`touch pwned`\n", ":2: expected the end of the line"),
    ('NUM_DOMUS=1\nDOMU_KERNEL[0]="`touch${IFS}pwned`"\n', ":2: DOMU_KERNEL: expected text as it is"),
    ("NUM_DOMUS=1\ntouch pwned\n", ":2: expected NAME=VALUE"),
    ("NUM_DOMUS=1 touch pwned\n", ":1: expected the end of the line"),
    ("NUM_DOMUS=1; touch pwned\n", ":1: expected a value in quotes: ';'"),
    ("NUM_DOMUS=1\nif true; then\n", ":2: expected NAME=VALUE"),
    ("NUM_DOMUS=1\nDOMU_KERNEL=(a b)\n", ":2: expected a value in quotes: '('"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[9999]=a\n", ":2: expected a number below 1024"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[-1]=a\n", ":2: expected a number below 1024"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[$i]=a\n", ":2: expected a number below 1024"),
    ('NUM_DOMUS=1\n\nDOMU_KERNEL[0]="a\n\n', ":5: a \" is not closed"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]='a\n", ":3: a ' is not closed"),
    ("NUM_DOMUS=many\n", ":1: NUM_DOMUS = \"many\": expected a number, at most 1024"),
    ("NUM_DOMUS=99999999999999999999\n", ":1: NUM_DOMUS"),
    ("NUM_DOMUS=0\n", ": NUM_DOMUS: expected the number of domains"),
    ("", ": NUM_DOMUS: expected the number of domains"),
    ("NUM_DOMUS=1\0\n", ": expected text, there is a NUL"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=none\n", ": DOMU_KERNEL[0]: "),
    ("NUM_DOMUS=1\n", ": /chosen/domU0: no kernel"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=kernel\nDOMU_MEM[0]=99999999\n", ": /chosen/domU0: memory: "),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=kernel\nDOMU_MEM[0]=lots\n", ":3: DOMU_MEM = \"lots\": expected a number"),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=kernel\nDOMU_VCPUS[0]=0\n", ": /chosen/domU0: cpus: "),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=kernel\nDOMU_VPL011[0]=2\n", ":3: DOMU_VPL011 = \"2\""),
    ("NUM_DOMUS=1\nDOMU_KERNEL[0]=kernel\nDOMU_PASSTHROUGH_DTB[0]=x.dtb\n", ":3: DOMU_PASSTHROUGH_DTB is not there"),
    ("NUM_DOMUS=1\nMEMORY_END=0x100000\nDOMU_KERNEL[0]=kernel\n", "lie outside of MEMORY_START to MEMORY_END"),
]


def vcons(place, *argv, status=0, path=None):
    r = subprocess.run([program("vcons"), *argv], env=dict(place.env, PATH=path or os.environ["PATH"]), cwd=place.root, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == status, (argv, r)
    return r.stdout.decode(), r.stderr.decode()


def write(place, name, text):
    with open(os.path.join(place.root, name), "w") as f:
        f.write(text)
    return name


def source(place, name="board.dts", **of):
    return write(place, name, TREE % {"first": "spew 3; poweroff", "second": "echo two; poweroff", "more": "", "size": 0x400000, **of})


def refused(place, words, *argv):
    """One line, status 2, and nothing started."""
    _, err = vcons(place, "run", *argv, status=2)
    assert words in err and err.count("\n") == 1 and not os.listdir(place.run), (argv, err)


def lists_and_tells(place):
    out, err = vcons(place, "config", "check", os.path.join(EXAMPLES, "dom0less.dts"))
    assert "d1 domU1: 262144 KiB, 2 vCPUs" in out and "    cmdline  earlycon console=ttyAMA0\n" in out, out
    assert "d2 domU2: 16384 KiB, 1 vCPU" in out and "    console  io (console_io)\n" in out, out
    for address in ("0x42000000", "0x46000000", "0x4a000000"):
        assert f"needs --module {address}=FILE" in err, err
    source(place)
    out, err = vcons(place, "config", "check", *FILES, "board.dts", status=2)
    assert out == "" and "/chosen/domU1/module@2: reg: " in err and "initrd: No such file" in err, (out, err)
    tree = os.path.join(place.root, "board.dtb")
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", tree, os.path.join(place.root, "board.dts")], check=True)
    out, err = vcons(place, "config", "check", "board.dtb", path="/nowhere")
    assert "d1 domU0: 16384 KiB" in out and "/chosen/domU1: nr_spis: 40 is not honoured" in err, (out, err)
    _, err = vcons(place, "config", "check", "--module", "1=x", write(place, "some.conf", 'domain "a" { kernel = "tiny" }\n'), status=2)
    assert "is no device tree" in err, err


def refuses(place):
    tree = ["--device-tree", source(place), "--engine", "process"]
    refused(place, "module@1000000: reg: nothing says which file is at 0x1000000", *tree)
    refused(place, "module@2: reg: ", *tree, *FILES)  # no such file yet
    write(place, "initrd", "x" * 1025)
    refused(place, "module@2: reg: 0x400 bytes: ", *tree, *FILES)
    write(place, "initrd", "x" * 1024)
    refused(place, "--module 0x3000000=initrd: board.dts has no module at this address", *tree, *FILES, "--module", "0x3000000=initrd")
    refused(place, "--module is for --device-tree", "-k", "tiny", "--module", "1=x")
    refused(place, "not with --device-tree", "-k", "tiny", *tree)
    refused(place, "none.dtb: No such file", "--device-tree", "none.dtb")
    refused(place, ": expected a regular file", "--device-tree", place.root)
    refused(place, "bad.dts: dtc: Error: bad.dts:2", "--device-tree", write(place, "bad.dts", "/dts-v1/;\n/ { a = <b>; };\n"))
    refused(place, "not a whole device tree", "--device-tree", write(place, "bad.dtb", "nothing\n"))
    refused(place, 'console "vuart0": of UARTs engine process has none here', "--device-tree", source(place, "uart.dts", more="vpl011;"),
            "--engine", "process", *FILES)
    _, err = vcons(place, "run", *tree, status=2, path="/nowhere")
    assert "board.dts: a source is read by dtc, which is not in PATH: install device-tree-compiler" in err, err


def runs(place):
    _, err = vcons(place, "run", "--device-tree", source(place), "--engine", "process", *FILES)
    assert "/chosen/domU1: nr_spis: 40 is not honoured" in err, err
    out, _ = vcons(place, "log", "domU0/io")
    assert [line[:2] for line in out.splitlines()[-3:]] == ["0 ", "1 ", "2 "], out
    out, _ = vcons(place, "log", "domU1")
    assert out.splitlines()[-1] == "two", out


def imagebuilder(place):
    kernel = os.path.join(place.root, "kernel")
    shutil.copy(os.path.join(BUILD, "guest", "tiny-process"), kernel)
    for text, words in WRONG:
        write(place, "config", text)
        _, err = vcons(place, "run", "--imagebuilder", "config", "--engine", "process", status=2)
        assert f"config{words}" in err or words in err and words[0] != ":", (text, words, err)
        assert err.count("\n") == 1 and not os.path.exists(os.path.join(place.root, "pwned")), (text, err)
    write(place, "config", '# two of them\nMEMORY_START="0x0"\nMEMORY_END="0x80000000"\nXEN_CMD="$nobody needs it"\nexport NUM_DOMUS=2 # so many\n'
          "DOMU_KERNEL[0]=\"kernel\"\nDOMU_CMD[0]=\"echo \\\"q\\\" \\\n'one'; poweroff\"\nDOMU_VPL011[0]=0\nDOMU_MEM[0]=16\n"
          "DOMU_KERNEL[1]='kernel'\nDOMU_CMD[1]='echo two'\\;\" poweroff\"\nDOMU_VPL011[1]='0'\nDOMU_MEM[1]=16\n"
          "DOMU_RAMDISK[1]=initrd\nDOMU_COLORS[1]=0-3\n")
    _, err = vcons(place, "run", "--imagebuilder", "config", "--engine", "process")
    assert "config:16: DOMU_COLORS is not honoured" in err, err
    assert vcons(place, "log", "domU0")[0].splitlines()[-1] == "\"q\" 'one'"
    assert vcons(place, "log", "domU1")[0].splitlines()[-1] == "two"
    size = os.path.getsize(kernel)
    vcons(place, "run", "--device-tree", source(place, size=size, first="echo tree; poweroff"), "--imagebuilder", "config", "--engine", "process")
    assert vcons(place, "log", "domU0")[0].splitlines()[-1] == "tree"
    _, err = vcons(place, "run", "--device-tree", source(place, size=size + 1), "--imagebuilder", "config", status=2)
    assert f"reg: 0x{size + 1:x} bytes: {kernel} has 0x{size:x}: the tree was made for another file" in err, err


def main():
    if not shutil.which("dtc"):
        skip("dtc is not installed: script/bootstrap test")
    with Place() as place:
        lists_and_tells(place)
        refuses(place)
        runs(place)
        imagebuilder(place)


main()
