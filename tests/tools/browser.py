# SPDX-License-Identifier: GPL-2.0-or-later
"""A page as headless Chromium shows it: its document, and its picture."""

import collections
import os
import shutil
import struct
import subprocess
import zlib

from harness import Skip, equal

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--hide-scrollbars", "--virtual-time-budget=60000"]


def chromium(page, *arguments):
    if not shutil.which("chromium"):
        raise Skip("chromium is not installed")
    url = "file://" + os.path.abspath(page)
    done = subprocess.run(["chromium", *ARGUMENTS, "--user-data-dir=" + os.path.abspath("browser"),
                           *arguments, url], capture_output=True, check=False, timeout=120)
    equal(done.returncode, 0, done.stderr.decode()[-2000:])
    return done.stdout.decode()


def document(page):
    """The page's HTML after its script ran."""
    return chromium(page, "--dump-dom")


def colours(page, width=1400, height=2000):
    """How many pixels of the page's picture have which colour, as #rrggbb."""
    chromium(page, f"--window-size={width},{height}", "--screenshot=page.png")
    with open("page.png", "rb") as file:
        return count_colours(file.read())


def count_colours(png):
    """PNG (RFC 2083), as far as Chromium makes them: 8 bit, RGB or RGBA."""
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            equal(depth, 8, "bits")
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    size = {2: 3, 6: 4}[colour]
    found = collections.Counter()
    for row in unfilter(zlib.decompress(data), width * size, height, size):
        found.update(zip(row[0::size], row[1::size], row[2::size]))
    return {"#%02x%02x%02x" % rgb: n for rgb, n in found.items()}


def unfilter(data, stride, height, size):
    last = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind, row = data[start], bytearray(data[start + 1:start + 1 + stride])
        for i in range(stride) if kind else ():
            left = row[i - size] if i >= size else 0
            up, corner = last[i], last[i - size] if i >= size else 0
            if kind == 1:
                row[i] = row[i] + left & 255
            elif kind == 2:
                row[i] = row[i] + up & 255
            elif kind == 3:
                row[i] = row[i] + (left + up) // 2 & 255
            else:
                near = left + up - corner
                a, b, c = abs(near - left), abs(near - up), abs(near - corner)
                row[i] = row[i] + (left if a <= b and a <= c else up if b <= c else corner) & 255
        yield row
        last = row
