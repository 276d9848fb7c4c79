# SPDX-License-Identifier: MIT
"""Promise P4 on whole guests: tiny's word `pry` tries every port, parameter and frame that is not its own. Only errors come, the UARTs' lines
carry just what is written to them, and a neighbour's consoles do not notice."""
import spew
from hypervisor import domain, run
from vcons import Place, stop

LINES = 3_000
FRAMES = 64  # that it tries; each UART has the name of one
PARAMETERS = '11 parameters to read, 7 to set'  # x86, Xen ABI 6.1; CALLBACK_IRQ is not tried, for its interrupts come by it


def said(uarts, frames):
    return f'pry: {uarts} ports of others, {PARAMETERS}, {frames} places for its grants, 0 reached\r\nuntouched\r\n'.encode()


def play(engine, kernels, uart):
    """Domains that pry, of these kernels; with uart the first tells on a UART of two beside its PV console. None: the engine cannot be used."""
    word, config, logs = 'quiet; pry; echo untouched; poweroff', 'hypervisor { console = none }\n', {}

    def add(name, cmdline, wanted, kernel='tiny', **keys):
        nonlocal config
        config += domain(name, cmdline, hold='forever', memory='16M', **keys).replace(
            'kernel = "tiny" engine = process', f'kernel = "{kernel}" engine = {engine}')
        logs.update({f'{name}/{console}': log for console, log in wanted.items()})

    if uart:
        trio = [('pv', 'xen'), ('com1', '16550'), ('com2', '16550')]
        add('by-uart', 'console=ttyS1; ' + word, {'com2': said(2, FRAMES - 2), 'com1': b'', 'pv': b''}, kernels[0], console=trio)
        add('by-pv', word, {'pv': said(1, FRAMES - 1), 'com1': b''}, kernels[-1], console=trio[:2])
        add('neighbour', f'console=ttyS0; quiet; spew {LINES}; poweroff', {'com1': spew.lines(LINES), 'pv': b''}, console=trio[:2])
    else:
        add('alone', word, {'hvc0': said(0, 0)}, kernels[0])
        add('neighbour', f'quiet; spew {LINES}; poweroff', {'hvc0': spew.lines(LINES)})
    with Place() as place:
        daemon = place.daemon()
        status, shown = run(place, config)
        if status == 7:
            return None
        assert status == 0, shown
        assert stop(daemon) == 0
        for name, wanted in logs.items():
            log = place.log_bytes(name)
            assert log == wanted, f'{name}: {len(log)} bytes: {log[:1500]!r}'
    return logs
