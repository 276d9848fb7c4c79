# SPDX-License-Identifier: MIT
"""tiny is a guest: no symbol of libc, of the VMM or of core beyond its ring ends is in it, and nothing is loaded beside it."""
import os
import re
import struct
import sys

GUEST = {'console_io.c', 'events.c', 'hvc.c', 'memcmp.c', 'ns16550.c', 'pl011.c', 'shared_page.c', 'uart.c', 'xen_console.c', 'print.c', 'start_info.c', 'string.c', 'tiny.c',
         'tiny_cpus.c', 'tiny_events.c', 'tiny_fault.c', 'tiny_hostile.c', 'tiny_pry.c', 'tiny_selftest.c', 'tiny_selftest_events.c',
         'tiny_stress.c', 'tiny_uart.c', 'tiny_uart_16550.c', 'tiny_uart_pl011.c', 'tiny_uart_test.c', 'tiny_words.c', 'main.c', 'ring.c', 'xencons.c',
         'ids.c', 'tiny_virtio.c', 'tiny_virtio_pry.c', 'tiny_virtio_test.c', 'virtio_console.c', 'virtio_messages.c', 'virtio_mmio.c', 'virtio_port.c',
         'virtqueue.c', 'vterm.c'}
ENGINES = {'tiny-process': GUEST | {'process_entry.S.o', 'sandbox.c', 'start.c', 'threads.c'},
           'tiny-pvh': GUEST | {'pvh_x86_64_entry.S.o', 'cpus.c', 'debug_port.c', 'uarts.c', 'virtios.c'},
           'tiny-pvh32': GUEST | {'pvh_x86_32_entry.S.o', 'cpus.c', 'debug_port.c', 'divide.c', 'uarts.c', 'virtios.c'}}
PT_DYNAMIC, PT_INTERP = 2, 3
SHT_SYMTAB, SHT_DYNAMIC = 2, 6
DT_NEEDED = 1
STT_FILE = 4
ARM64 = GUEST - {'start_info.c'} | {'arm64_entry.o', 'fdt.c', 'gic.c', 'machine.c', 'pages.c', 'tree.c', 'uarts.c', 'virtios.c', 'xen.c'}


def text(data, at):
    return data[at:data.index(b'\0', at)].decode()


def is_64(data):
    return data[4] == 2


def headers(data, at, entry_size_at, form):
    """Of sections or of programs: where they are, how large each is, how many."""
    first = struct.unpack_from(form, data, at)[0]
    return (first, *struct.unpack_from('<HH', data, entry_size_at))


def sections(data):
    first, size, n = headers(data, 0x28, 0x3a, '<Q') if is_64(data) else headers(data, 0x20, 0x2e, '<I')
    for i in range(n):
        yield struct.unpack_from('<IIQQQQIIQQ' if is_64(data) else '<10I', data, first + i * size)


def segment_types(data):
    first, size, n = headers(data, 0x20, 0x36, '<Q') if is_64(data) else headers(data, 0x1c, 0x2a, '<I')
    return [struct.unpack_from('<I', data, first + i * size)[0] for i in range(n)]


def symbols(data):
    tables = list(sections(data))
    for s in tables:
        if s[1] == SHT_SYMTAB:
            names = tables[s[6]][4]
            for at in range(s[4], s[4] + s[5], s[9]):
                if is_64(data):
                    name, info, _, section = struct.unpack_from('<IBBH', data, at)
                else:
                    name, _, _, info, _, section = struct.unpack_from('<IIIBBH', data, at)
                yield text(data, names + name), info & 15, section


def check(path, sources):
    with open(path, 'rb') as f:
        data = f.read()
    assert PT_INTERP not in segment_types(data), f'{path}: has an interpreter'
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
        words = set(re.findall(r'^    \{"([\w-]+)", (?:tiny_)?run_', f.read(), re.M))
    with open(os.path.join(source, 'docs', 'vcons-tiny.7'), encoding='ascii') as f:
        told = set(re.findall(r'^\.It Ic ([\w-]+)', f.read(), re.M))
    assert len(words) > 10 and words == told, f'tiny knows {sorted(words)}, its manual {sorted(told)}'


def main():
    check_manual()
    guest = os.path.join(os.environ['VCONS_BUILD'], 'guest')
    for name, sources in ENGINES.items():
        check(os.path.join(guest, name), sources)
    if os.path.exists(os.path.join(guest, 'tiny-arm64.elf')):  # where there is a compiler for it
        check(os.path.join(guest, 'tiny-arm64.elf'), ARM64)
    return 0


sys.exit(main())
