# SPDX-License-Identifier: MIT
"""What a terminal shows, as a PNG file for people to look at: from the lines of `tmux capture-pane -e`, with GNU Unifont."""
import re
import struct
import unicodedata
import zlib

FONT = "/usr/share/unifont/unifont.hex"  # Debian's unifont: CODE:ROWS a line, 16 rows of 8 or of 16 dots
HIGH = 16
FORE, BACK, CURSOR = (208, 208, 208), (16, 16, 16), (120, 220, 120)
BASIC = [(0, 0, 0), (205, 49, 49), (13, 188, 121), (229, 229, 16), (60, 110, 230), (188, 63, 188), (17, 168, 205), (208, 208, 208),
         (102, 102, 102), (241, 76, 76), (35, 209, 139), (245, 245, 67), (100, 150, 255), (214, 112, 214), (41, 184, 219),
         (255, 255, 255)]
STEPS = (0, 95, 135, 175, 215, 255)
LINES = dict(zip("`afgjklmnopqrstuvwxyz{|}~", "\u25c6\u2592\u00b0\u00b1\u2518\u2510\u250c\u2514\u253c\u23ba\u23bb\u2500\u23bc\u23bd"
                 "\u251c\u2524\u2534\u252c\u2502\u2264\u2265\u03c0\u2260\u00a3\u00b7"))  # DEC's line drawing, between SO and SI
PIECE = re.compile(r"\x1b\[([\d;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x0e\x0f]|.", re.S)
glyphs = {}


def font():
    if not glyphs:
        with open(FONT) as f:
            for line in f:
                code, _, rows = line.rstrip("\n").partition(":")
                glyphs[chr(int(code, 16))] = rows
    return glyphs


def colour_of(number):
    if number < 16:
        return BASIC[number]
    if number < 232:
        number -= 16
        return STEPS[number // 36], STEPS[number // 6 % 6], STEPS[number % 6]
    return (8 + 10 * (number - 232),) * 3


class Pen:
    """What SGR sequences have set so far."""

    def __init__(self):
        self.fore, self.back, self.on = None, None, set()

    def set(self, words):
        numbers = [int(w or 0) for w in re.split("[;:]", words)]
        while numbers:
            n = numbers.pop(0)
            if n == 0:
                self.__init__()
            elif n in (1, 2, 3, 4, 5, 7, 8, 9):
                self.on.add(n)
            elif 22 <= n <= 29:
                self.on -= {n - 20} | ({1} if n == 22 else set())
            elif n in (38, 48):
                rgb = self.extended(numbers)
                self.fore, self.back = (rgb, self.back) if n == 38 else (self.fore, rgb)
            elif 30 <= n <= 39 or 90 <= n <= 97:
                self.fore = None if n == 39 else BASIC[n - 30 if n < 90 else n - 82]
            elif 40 <= n <= 49 or 100 <= n <= 107:
                self.back = None if n == 49 else BASIC[n - 40 if n < 100 else n - 92]

    @staticmethod
    def extended(numbers):
        if numbers[:1] == [5]:
            rgb, rest = colour_of(numbers[1]), 2
        else:
            rgb, rest = tuple(numbers[1:4]), 4
        del numbers[:rest]
        return rgb

    def colours(self):
        fore, back = self.fore or FORE, self.back or BACK
        if 2 in self.on:
            fore = tuple((a + b) // 2 for a, b in zip(fore, back))
        if 7 in self.on:
            fore, back = back, fore
        return (back if 8 in self.on else fore), back


def width(char):
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def dots(char, cells, on):
    """16 numbers, of 8 * cells bits."""
    rows = font().get(char) or font()["\ufffd"]
    digits = len(rows) // HIGH
    out = [int(rows[i * digits:(i + 1) * digits], 16) for i in range(HIGH)]
    if digits == 4 and cells == 1:  # squeezed
        out = [sum((row >> 2 * i & 3 != 0) << i for i in range(8)) for row in out]
    elif digits == 2 and cells == 2:
        out = [row << 8 for row in out]
    if 1 in on:
        out = [row | row >> 1 for row in out]
    for attribute, row in ((4, 14), (9, 8)):
        if attribute in on:
            out[row] = (1 << 8 * cells) - 1
    return out


def characters(line, pen):
    """Each with its pen: (character, attributes, colour, background). The pen goes on from line to line, as tmux has it."""
    drawing = False
    for m in PIECE.finditer(line):
        text = m.group()
        if m.group(1) is not None:
            pen.set(m.group(1))
        elif text in "\x0e\x0f":
            drawing = text == "\x0e"
        elif len(text) == 1:
            yield LINES.get(text, text) if drawing else text, frozenset(pen.on), pen.fore, pen.back


def cells_of(line, pen):
    """[dots, cells, fore, back] for each character."""
    cells = []
    for char, on, _, _ in characters(line, pen):
        n = width(char)
        if n > 0:
            cells.append([dots(char, n, on), n, *pen.colours()])
        elif cells:
            cells[-1][0] = [a | b for a, b in zip(cells[-1][0], dots(char, cells[-1][1], ()))]
    return cells


def look(text):
    """Rows of characters with their pens, for a comparison: but what nobody can see at a row's end."""
    pen, rows = Pen(), []
    for line in text.split("\n"):
        row = list(characters(line, pen))
        while row and row[-1][0] == " " and not row[-1][1] & {4, 7, 9} and row[-1][3] is None:
            row.pop()
        rows.append(row)
    return rows


def draw_row(cells, columns, cursor):
    """16 rows of dots, three bytes each; what is not said is empty. The cursor turns a cell around."""
    cells = cells + [[[0] * HIGH, 1, FORE, BACK]] * (columns - sum(cell[1] for cell in cells))
    out = [bytearray() for _ in range(HIGH)]
    at = 0
    for rows, n, fore, back in cells:
        if cursor is not None and at <= cursor < at + n:
            fore, back = back, CURSOR
        at += n
        fore, back = bytes(fore), bytes(back)
        for row, bits in zip(out, rows):
            for i in range(8 * n - 1, -1, -1):
                row += fore if bits >> i & 1 else back
    return [bytes(row[:columns * 24]) for row in out]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, wide):
    raw = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", wide, len(rows), 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def draw(text, columns, lines, cursor=None):
    """A terminal's lines, with their sequences, as the bytes of a PNG file. cursor: its column and line."""
    pen, rows = Pen(), []
    texts = text.split("\n")
    for i in range(lines):
        cells = cells_of(texts[i] if i < len(texts) else "", pen)
        rows += draw_row(cells, columns, cursor[0] if cursor and cursor[1] == i else None)
    return png(rows, columns * 8)
