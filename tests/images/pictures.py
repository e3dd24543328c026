"""Small pictures and damaged files that the tests of this folder share."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

RED, GREEN, BLUE, YELLOW = (220, 30, 20), (20, 180, 40), (30, 40, 210), (230, 220, 30)


def quadrants(side: int = 32) -> Image.Image:
    """Red and green above blue and yellow."""
    image = Image.new("RGB", (side, side), RED)
    half = side // 2
    image.paste(GREEN, (half, 0, side, half))
    image.paste(BLUE, (0, half, half, side))
    image.paste(YELLOW, (half, half, side, side))
    return image


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    image.save(out := io.BytesIO(), kind, **options)
    return out.getvalue()


def photo(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    """A smooth picture with every colour, a little like a photo."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def exif_block(orientation: int) -> bytes:
    return b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = encode(photo(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def swapped_profile() -> bytes:
    """An RGB profile whose first primary is sRGB's blue and whose last is sRGB's red."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for row in range(struct.unpack_from(">I", profile, 128)[0]):
        at = 132 + 12 * row
        name = bytes(profile[at : at + 4])
        if name in {b"rXYZ", b"bXYZ"}:
            profile[at : at + 4] = b"bXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(profile)


def all_formats() -> dict[str, bytes]:
    """One small file of each kind that Pillow can write."""
    image, half = photo(), photo().convert("RGB")
    half.putalpha(Image.linear_gradient("L").resize(half.size))
    files = {
        "jpeg": encode(image, "JPEG"),
        "jpeg progressive": encode(image, "JPEG", progressive=True, icc_profile=swapped_profile()),
        "jpeg cmyk": encode(image.convert("CMYK"), "JPEG", exif=exif_block(6)),
        "png": encode(image, "PNG", exif=exif_block(8)),
        "png alpha": encode(half, "PNG"),
        "png palette": encode(image.quantize(16), "PNG", transparency=3),
        "png 16": encode(Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64) * 21), "PNG"),
        "gif": encode(image.quantize(64), "GIF", transparency=1),
        "bmp": encode(image, "BMP"),
        "bmp palette": encode(image.quantize(16), "BMP"),
        "tiff": encode(image, "TIFF"),
        "tiff lzw": encode(image, "TIFF", compression="tiff_lzw", tiffinfo={274: 3}),
        "tiff jpeg": encode(image, "TIFF", compression="jpeg"),
        "tiff float": encode(image.convert("F"), "TIFF", compression="tiff_adobe_deflate"),
        "webp": encode(image, "WEBP"),
        "webp lossless": encode(half, "WEBP", lossless=True),
    }
    from PIL import features

    if features.check("avif"):
        files["avif"] = encode(image, "AVIF", speed=10)
    return files
