"""Damage, traps and bombs: either a picture or `ImageDecodeError`, quickly, and nothing else."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lookalike.core.errors import ImageDecodeError
from lookalike.images.decode import decode, read_bytes
from lookalike.images.memory import MemoryBudget

sys.path.insert(0, str(Path(__file__).parent))
from pictures import all_formats, encode, exif_block, photo, png_chunk, png_claiming, scan_bomb

FILES = all_formats()
HEAD = 96


def reason(source: Any) -> str:
    with pytest.raises(ImageDecodeError) as caught:
        decode(source)
    assert "\n" not in caught.value.reason
    return caught.value.reason


def survives(data: bytes) -> None:
    try:
        picture = decode(data, 16)
    except ImageDecodeError as error:
        words = error.reason
    else:
        words = picture.format
        assert picture.image.mode == "RGB"
        assert min(picture.image.size) > 0
    assert words


@given(name=st.sampled_from(sorted(FILES)), share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=120, deadline=None)
def test_truncation(name: str, share: float) -> None:
    survives(FILES[name][: int(share * len(FILES[name]))])


@given(
    name=st.sampled_from(sorted(FILES)),
    flips=st.lists(st.tuples(st.integers(0, HEAD), st.integers(0, 255)), min_size=1, max_size=4),
)
@settings(max_examples=120, deadline=None)
def test_changed_headers(name: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[name])
    for at, value in flips:
        data[at] ^= value
    survives(bytes(data))


@given(st.binary(max_size=300), st.sampled_from([b"", *(data[:12] for data in FILES.values())]))
@settings(max_examples=120, deadline=None)
def test_random_bytes(data: bytes, start: bytes) -> None:
    survives(start + data)


@pytest.mark.parametrize("name", [name for name in sorted(FILES) if name.startswith(("jpeg", "png", "gif", "bmp"))])
def test_half_a_file_is_truncated(name: str) -> None:
    assert reason(FILES[name][: len(FILES[name]) // 2]).startswith("truncated")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"\0" * 5000, "zero bytes"),
        (b"Dear diary, today\r\nI saw a cat.", "text"),
        ("Katzen mögen Fisch. ".encode() * 300, "text"),
        (b"\n<!DOCTYPE html><html>404</html>", "web page"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
        (b"\xff\x0a\x01\x02", "JPEG XL"),
        (bytes(range(128, 256)), "not an image in a known format"),
    ],
)
def test_what_is_no_image_says_what_it_is(data: bytes, words: str) -> None:
    assert words in reason(data)


@pytest.mark.parametrize(
    "source", [None, 7, 1.5, object(), [], np.zeros((2, 2, 2), np.uint8), np.zeros((4, 4, 3)), np.array(b"x")]
)
def test_other_things(source: object) -> None:
    assert reason(source)


def test_empty_pictures() -> None:
    assert "no pixels" in reason(np.zeros((0, 4, 3), np.uint8))
    assert "no pixels" in reason(Image.new("RGB", (0, 4)))


def test_a_closed_picture(tmp_path: Path) -> None:
    (file := tmp_path / "a.png").write_bytes(FILES["png"])
    image = Image.open(file)
    image.close()
    assert reason(image)


def test_special_files(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
    expected = {
        "folder.jpg": "a folder, not a file",
        "pipe.jpg": "a named pipe, not a file",
        "socket.jpg": "a socket, not a file",
        "broken.jpg": "a broken link",
        "circle.jpg": "its links lead in a circle",
        "nothing.jpg": "no such file",
        "x" * 300: "the name is too long",
    }
    found: dict[str, str] = {}

    def work() -> None:
        for name in expected:
            found[name] = reason(str(tmp_path / name))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(5)
    assert found == expected
    assert reason("/dev/null") == "a device, not a file"
    assert reason("a\0b.jpg") == "not a valid file name"


def test_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := tmp_path / "secret.jpg").write_bytes(FILES["jpeg"])

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert reason(file) == "permission denied"


def test_giant_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "giant.jpg").open("wb") as handle:
        handle.truncate(700 * 2**20)
    with pytest.raises(ImageDecodeError, match=r"700 MB \(limit 512 MB\)"):
        read_bytes(tmp_path / "giant.jpg")


def test_header_bombs() -> None:
    assert reason(png_claiming(60_000, 60_000)).startswith("would need 13.4 GB to decode (limit 0.5 GB): 60000 x")
    gif = bytearray(FILES["gif"])
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    assert "too many pixels" in reason(bytes(gif))
    bmp = bytearray(FILES["bmp"])
    bmp[18:26] = struct.pack("<ii", 40_000, 40_000)
    assert "would need" in reason(bytes(bmp))
    webp = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff\x3f\0" * 2 + b"\0" * 50
    assert "would need" in reason(webp)
    jpeg = bytearray(FILES["jpeg progressive"])
    at = jpeg.index(b"\xff\xc2")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    assert "would need" in reason(bytes(jpeg))


def test_real_bomb() -> None:
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(b"\0" * 30_001 * 50) for _ in range(20)) + packer.flush()
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    assert "would need" in reason(png)


def test_scan_bomb() -> None:
    assert decode(scan_bomb(40)).format == "JPEG"
    assert "scans in one JPEG (limit 100)" in reason(scan_bomb(5000))


def test_junk_in_headers_takes_no_time() -> None:
    started = time.perf_counter()
    reason(b"\xff\xd8\xff\xe0\0\2" + b"\0" * 6_000_000)
    reason(b"\xff\xd8" + b"\xff" * 6_000_000)
    reason(b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe" + b"\1a" * 3_000_000)
    assert time.perf_counter() - started < 5


def test_a_damaged_animation_header_does_not_warn() -> None:
    png = FILES["png"]
    bad = png_chunk(b"acTL", struct.pack(">II", 0, 0))
    assert "animation" in reason(png[:33] + bad + png[33:])
    good = encode(photo(), "PNG", save_all=True, append_images=[photo(seed=1)])
    assert b"acTL" in good
    np.testing.assert_array_equal(np.asarray(decode(good).image), np.asarray(photo()))


def test_tiff_tags_that_nobody_needs_may_be_damaged() -> None:
    data = bytearray(encode(photo(), "TIFF", software="a" * 50, tiffinfo={274: 6}))
    order, start = "<", struct.unpack_from("<I", data, 4)[0]
    for row in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * row
        if struct.unpack_from(f"{order}H", data, at)[0] == 305:
            struct.pack_into("<I", data, at + 8, 2**31)
    picture = decode(bytes(data))
    assert (picture.width, picture.height) == (48, 64)


def test_big_tiff() -> None:
    image = photo()
    np.testing.assert_array_equal(np.asarray(decode(encode(image, "TIFF", big_tiff=True)).image), np.asarray(image))


def test_orientation_in_a_truncated_header_is_no_crash() -> None:
    data = encode(photo(), "JPEG", exif=exif_block(6))
    for end in range(2, 700, 7):
        survives(data[:end])


def test_the_budget_keeps_two_threads_from_adding_up() -> None:
    budget, peak = MemoryBudget(100 << 20), [0]

    def work() -> None:
        for _ in range(20):
            with budget.share(60 << 20):
                peak[0] = max(peak[0], budget.used)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (peak[0], budget.used) == (60 << 20, 0)


def test_the_error_crosses_processes() -> None:
    with pytest.raises(ImageDecodeError) as caught:
        decode("/no/such.jpg")
    kind, arguments = caught.value.__reduce__()[:2]
    assert str(kind(*arguments)) == "/no/such.jpg: no such file"
