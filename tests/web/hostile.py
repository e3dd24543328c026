"""Files that nobody sends by accident, made here: bombs, polyglots, torn and dressed-up ones."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

SIDE = 30_000
"""Of the bombs: 900 million pixels."""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    image.save(out := io.BytesIO(), kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def zeros(count: int) -> bytes:
    """Compress so many zero bytes, without ever having them."""
    packer = zlib.compressobj(1)
    block = bytes(10**6)
    parts = [packer.compress(block) for _ in range(count // len(block))]
    return b"".join(parts) + packer.compress(bytes(count % len(block))) + packer.flush()


def png(width: int, height: int, data: bytes, *before: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(width: int, height: int, strip: bytes) -> bytes:
    """A deflated TIFF of one strip that says it is so large."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(strip))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


def liar() -> bytes:
    """A PNG of a few bytes that says it is as large as a PNG can be."""
    return png(2**31 - 1, 2**31 - 1, zeros(1000))


def archive() -> bytes:
    with zipfile.ZipFile(out := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jpg", bytes(10**7))
    return out.getvalue()


def refused() -> Iterator[tuple[str, bytes]]:
    """Files that no route may take for a picture."""
    jpeg, page = saved(photo(), "JPEG"), b"<!doctype html><script>alert(1)</script>"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.cookie)</script></svg>'
    webp = b"RIFF" + struct.pack("<I", 40) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff\x3f\0" * 2 + bytes(22)
    gif = bytearray(saved(photo().quantize(16), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    frame = bytearray(jpeg)
    at = frame.index(b"\xff\xc0")
    frame[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    yield "nothing.jpg", b""
    yield "zeros.jpg", bytes(10_000)
    yield "diary.jpg", b"Dear diary,"
    yield "page.jpg", page
    yield "drawing.svg", svg
    yield "drawing.jpg", b"\xef\xbb\xbf<?xml version='1.0'?>\n" + svg
    yield "drawing-after-a-comment.png", b"<!-- " + b"x" * 500 + b" -->" + svg
    yield "archive.jpg", archive()
    yield "document.jpg", b"%PDF-1.7\n" + jpeg
    yield "program.jpg", b"\x7fELF" + bytes(500)
    yield "script.jpg", b"#!/bin/sh\nrm -rf /\n"
    yield "postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    yield "movie.jpg", b"\0\0\0\x18ftypmp42" + bytes(500)
    yield "bomb.png", png(SIDE, SIDE, zeros(SIDE * (SIDE + 1)))
    yield "liar.png", liar()
    yield "none.png", png(0, 0, zeros(10))
    yield "bomb.tiff", tiff(SIDE, SIDE, zeros(SIDE * SIDE))
    yield "liar.tiff", tiff(2**32 - 1, 2**32 - 1, zeros(1000))
    yield "bomb.webp", webp
    yield "bomb.gif", bytes(gif)
    yield "bomb.jpg", bytes(frame)
    yield "torn.jpg", jpeg[: len(jpeg) // 8]
    yield "torn.png", saved(photo(), "PNG")[:60]
    yield "torn.webp", saved(photo(), "WEBP")[:40]
    yield "torn.gif", saved(photo().quantize(16), "GIF")[:15]
    yield "torn.tiff", saved(photo(), "TIFF")[:100]


def handled() -> Iterator[tuple[str, bytes]]:
    """Files that are pictures, and something else or too much of something; they are taken for pictures, or refused."""
    jpeg, image = saved(photo(), "JPEG"), photo()
    small = image.resize((8, 8)).quantize(4)
    yield "thousands.gif", saved(small, "GIF", save_all=True, append_images=[small.rotate(90), small] * 2500)
    yield "page-behind.jpg", jpeg + b"<!doctype html><script>alert(1)</script>"
    yield "archive-behind.png", saved(image, "PNG") + archive()
    yield "script-inside.gif", b"GIF89a" + saved(image.quantize(16), "GIF")[6:] + b"<script>alert(1)</script>"
    yield "text.png", png(4, 4, zeros(20), chunk(b"zTXt", b"Comment\0\0" + zeros(100 * 10**6)))
    yield "profile.png", png(4, 4, zeros(20), chunk(b"iCCP", b"icc\0\0" + zeros(100 * 10**6)))
    yield "chunks.png", png(4, 4, zeros(20), *[chunk(b"tEXt", b"Comment\0x")] * 50_000)
    yield "profile.jpg", saved(image, "JPEG", icc_profile=bytes(range(256)) * 8000)
    yield "exif.jpg", saved(image, "JPEG", exif=b"Exif\0\0II*\0" + struct.pack("<IH", 8, 65_535) + b"\xff" * 60_000)
    yield "loop.jpg", saved(image, "JPEG", exif=b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8))
    yield "markers.jpg", jpeg[:2] + b"\xff\xfe\x00\x02" * 200_000 + jpeg[2:]
    yield "flat.png", png(1, 20_000_000, zeros(40_000_000))
    yield "wide.png", png(20_000_000, 1, zeros(20_000_001))
    yield "white.png", png(9000, 9000, zeros(9000 * 9001))


NAMES = [
    "../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows\\system32\\config",
    "C:\\photo.jpg",
    "a\0.jpg",
    "%2e%2e%2fetc%2fpasswd",
    "<script>alert(1)</script>.jpg",
    "a" * 5000,
    "\u202egpj.exe",
    "a.jpg\r\nSet-Cookie: x=1",
    "; rm -rf .jpg",
    ".",
    "",
]
"""File names and paths that want more than to name a picture."""
