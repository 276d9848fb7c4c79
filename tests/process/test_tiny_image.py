# SPDX-License-Identifier: MIT
"""tiny is a guest: no symbol of libc, of the VMM or of core beyond its ring ends is in it, and nothing is loaded beside it."""
import os
import re
import struct
import sys

GUEST = {'console_io.c', 'hvc.c', 'xen_console.c', 'print.c', 'start_info.c', 'string.c', 'tiny.c', 'tiny_fault.c', 'tiny_hostile.c',
         'tiny_selftest.c', 'tiny_words.c', 'main.c', 'ring.c', 'xencons.c'}
ENGINES = {'tiny-process': GUEST | {'process_entry.S.o', 'sandbox.c', 'start.c'}, 'tiny-pvh': GUEST | {'pvh_entry.S.o', 'debug_port.c'}}
PT_DYNAMIC, PT_INTERP = 2, 3
SHT_SYMTAB, SHT_DYNAMIC = 2, 6
DT_NEEDED = 1
STT_FILE = 4


def text(data, at):
    return data[at:data.index(b'\0', at)].decode()


def sections(data):
    shoff = struct.unpack_from('<Q', data, 0x28)[0]
    size, n = struct.unpack_from('<HH', data, 0x3a)
    for i in range(n):
        yield struct.unpack_from('<IIQQQQIIQQ', data, shoff + i * size)


def symbols(data):
    tables = list(sections(data))
    for s in tables:
        if s[1] == SHT_SYMTAB:
            names = tables[s[6]][4]
            for at in range(s[4], s[4] + s[5], 24):
                name, info, _, section = struct.unpack_from('<IBBH', data, at)
                yield text(data, names + name), info & 15, section


def check(path, sources):
    with open(path, 'rb') as f:
        data = f.read()
    phoff, phentsize, phnum = *struct.unpack_from('<Q', data, 0x20), *struct.unpack_from('<HH', data, 0x36)
    types = [struct.unpack_from('<I', data, phoff + i * phentsize)[0] for i in range(phnum)]
    assert PT_INTERP not in types, f'{path}: has an interpreter'
    for s in sections(data):
        if s[1] == SHT_DYNAMIC:
            tags = [struct.unpack_from('<q', data, at)[0] for at in range(s[4], s[4] + s[5], 16)]
            assert DT_NEEDED not in tags, f'{path}: needs a library'
    found = list(symbols(data))
    files = {os.path.basename(name) for name, kind, _ in found if kind == STT_FILE and name}
    assert files and files <= sources, f'{path}: made from {sorted(files - sources)} too'
    undefined = {name for name, kind, section in found if section == 0 and name}
    assert not undefined, f'{path}: undefined {sorted(undefined)}'
    names = {name for name, _, _ in found}
    assert 'tiny_main' in names, f'{path}: is not tiny'
    strange = {n for n in names if n.startswith(('__asan', '__ubsan', '__tsan', '__libc', '_IO_', 'vc_log', 'pthread'))}
    assert not strange, f'{path}: has {sorted(strange)}'


def check_manual():
    """Every word of tiny is in its manual."""
    source = os.environ['VCONS_SOURCE']
    with open(os.path.join(source, 'guest', 'tiny_words.c'), encoding='ascii') as f:
        words = set(re.findall(r'^    \{"(\w+)", run_', f.read(), re.M))
    with open(os.path.join(source, 'docs', 'vcons-tiny.7'), encoding='ascii') as f:
        told = set(re.findall(r'^\.It Ic (\w+)', f.read(), re.M))
    assert len(words) > 10 and words == told, f'tiny knows {sorted(words)}, its manual {sorted(told)}'


def main():
    check_manual()
    for name, sources in ENGINES.items():
        check(os.path.join(os.environ['VCONS_BUILD'], 'guest', name), sources)
    return 0


sys.exit(main())
