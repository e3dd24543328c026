"""Every format, mode and orientation becomes the same upright sRGB picture."""

from __future__ import annotations

import io
import struct
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, features

from lookalike.core.errors import ImageDecodeError
from lookalike.images.decode import decode

sys.path.insert(0, str(Path(__file__).parent))
from pictures import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    all_formats,
    encode,
    exif_block,
    photo,
    png_chunk,
    quadrants,
    swapped_profile,
)

CORNERS = [RED, GREEN, BLUE, YELLOW]


def corners(image: Image.Image) -> np.ndarray:
    """The colours in the middle of the four quadrants: top left, top right, bottom left, bottom right."""
    width, height = image.size
    places = [(width // 4, height // 4), (3 * width // 4, height // 4)]
    places += [(x, 3 * height // 4) for x, _ in places]
    return np.array([image.getpixel(place) for place in places], int)


def assert_close(actual: np.ndarray, expected: object, tolerance: int) -> None:
    np.testing.assert_allclose(actual, np.asarray(expected, int), atol=tolerance)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 4),
        ("JPEG", {"quality": 95, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 8),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("TIFF", {"compression": "packbits"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 4),
    ],
)
def test_formats(kind: str, options: dict, tolerance: int) -> None:
    picture = decode(encode(quadrants(), kind, **options))
    assert (picture.format, picture.width, picture.height, picture.image.mode) == (kind, 32, 32, "RGB")
    assert_close(corners(picture.image), CORNERS, tolerance)


def test_gif_takes_the_first_picture() -> None:
    first = quadrants().quantize(8)
    data = encode(first, "GIF", save_all=True, append_images=[Image.new("P", (32, 32))])
    picture = decode(data)
    assert picture.format == "GIF"
    assert_close(corners(picture.image), CORNERS, 1)


def test_multi_picture_jpeg_takes_the_first() -> None:
    data = encode(quadrants(), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))], quality=95)
    picture = decode(data)
    assert (picture.format, picture.width) == ("JPEG", 32)
    assert_close(corners(picture.image), CORNERS, 4)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif() -> None:
    picture = decode(encode(quadrants(), "AVIF", quality=95, speed=10, exif=exif_block(6)))
    assert picture.format == "AVIF"
    assert_close(corners(picture.image), [BLUE, RED, YELLOW, GREEN], 10)


def test_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(quadrants(64)).save(out := io.BytesIO(), format="HEIF", quality=95)
    picture = decode(out.getvalue(), min_side=16)
    assert (picture.format, picture.width, picture.image.size) == ("HEIF", 64, (16, 16))
    assert_close(corners(picture.image), CORNERS, 8)


def test_heic_without_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageDecodeError, match=r"pip install lookalike\[heic\]"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 50)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations(kind: str, orientation: int) -> None:
    image = quadrants(48).resize((64, 48))
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif_block(orientation)}
    data = encode(image, kind, **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    picture = decode(data)
    assert (picture.width, picture.height) == picture.image.size == expected.size
    assert_close(corners(picture.image), corners(expected), 3)
    first = {1: RED, 2: GREEN, 3: YELLOW, 4: BLUE, 5: RED, 6: BLUE, 7: YELLOW, 8: GREEN}[orientation]
    assert_close(corners(picture.image)[0], first, 14)


@pytest.mark.parametrize("damage", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", exif_block(6)[:20], exif_block(77)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_ignored(kind: str, damage: bytes) -> None:
    assert_close(corners(decode(encode(quadrants(), kind, exif=damage)).image), CORNERS, 14)


def test_profile_is_applied() -> None:
    red = (255, 0, 0)
    data = encode(Image.new("RGB", (16, 16), red), "PNG", icc_profile=swapped_profile())
    assert_close(np.array(decode(data).image.getpixel((3, 3))), (0, 0, 255), 3)
    jpeg = encode(Image.new("RGB", (16, 16), red), "JPEG", icc_profile=swapped_profile(), exif=exif_block(6))
    assert_close(np.array(decode(jpeg, 8).image.getpixel((3, 3))), (0, 0, 255), 6)


def test_srgb_and_broken_profiles_change_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"broken", swapped_profile()[:200], srgb[:16] + b"CMYK" + srgb[20:]):
        assert_close(corners(decode(encode(quadrants(), "PNG", icc_profile=profile)).image), CORNERS, 0)


def test_profiled_grey() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decode(encode(Image.new("L", (8, 8), 90), "PNG", icc_profile=srgb))
    assert picture.image.getpixel((2, 2)) == (90, 90, 90)


@pytest.mark.parametrize("profile", [None, b"broken"])
def test_cmyk_jpeg(profile: bytes | None) -> None:
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 51))
    data = encode(cmyk, "JPEG", quality=100, icc_profile=profile)
    assert b"Adobe" in data
    assert_close(np.array(decode(data).image.getpixel((3, 3))), (0, 204, 204), 3)


def test_cmyk_jpeg_without_the_adobe_mark_is_not_inverted() -> None:
    data = encode(Image.new("CMYK", (16, 16), (255, 0, 0, 51)), "JPEG", quality=100)
    at = data.index(b"\xff\xee")
    plain = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    # stored inverted: cyan 0, magenta and yellow 255, key 204
    assert_close(np.array(decode(plain).image.getpixel((3, 3))), (51, 0, 0), 3)


def test_cmyk_tiff() -> None:
    data = encode(Image.new("CMYK", (4, 4), (0, 255, 0, 0)), "TIFF")
    assert decode(data).image.getpixel((1, 1)) == (255, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(kind: str) -> None:
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    image = Image.frombytes("I;16", (16, 16), values.astype("<u2").tobytes())
    got = np.asarray(decode(encode(image, kind)).image)[..., 0]
    np.testing.assert_array_equal(got, np.arange(256).reshape(16, 16))


def test_16_bit_colour_png() -> None:
    row = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8080, 0) * 2
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
    data += png_chunk(b"IDAT", zlib.compress(row * 2)) + png_chunk(b"IEND", b"")
    assert decode(data).image.getpixel((1, 1)) == (255, 128, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.2, 1.0], [0, 51, 255]),
        ([0.0, 51.0, 255.0], [0, 51, 255]),
        ([0.0, 13107.0, 65535.0], [0, 51, 255]),
        ([-5.0, -4.0, 0.0], [0, 51, 255]),
        ([np.nan, 0.2, 1.0], [0, 51, 255]),
        ([-3e38, np.inf, 3e38], [0, 0, 255]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    assert np.asarray(decode(encode(image, "TIFF")).image)[0, :, 1].tolist() == expected


def test_32_bit_integers() -> None:
    image = Image.fromarray(np.array([[0, 13107, 65535]], np.int32))
    assert np.asarray(decode(image).image)[0, :, 1].tolist() == [0, 51, 255]


def test_transparency_is_laid_on_white() -> None:
    half = Image.new("RGBA", (8, 8), (0, 100, 200, 51))
    for data in (encode(half, "PNG"), encode(half, "WEBP", lossless=True), encode(half, "TIFF")):
        assert_close(np.array(decode(data).image.getpixel((2, 2))), (204, 224, 244), 1)
    assert decode(Image.new("LA", (2, 2), (0, 0))).image.getpixel((0, 0)) == (255, 255, 255)
    assert decode(half.convert("RGBa")).image.getpixel((2, 2)) == pytest.approx((204, 224, 244), abs=2)
    invisible = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert decode(encode(invisible, "PNG"), 16).image.getextrema() == ((255, 255),) * 3


def test_transparent_colours_of_png_and_gif() -> None:
    palette = quadrants().quantize(4)
    hole = palette.getpixel((0, 0))
    expected = [(255, 255, 255), GREEN, BLUE, YELLOW]
    alpha = bytes(0 if index == hole else 255 for index in range(4))
    for data in (
        encode(palette, "GIF", transparency=hole),
        encode(palette, "PNG", transparency=hole),
        encode(palette, "PNG", transparency=alpha),
        encode(quadrants(), "PNG", transparency=RED),
    ):
        assert_close(corners(decode(data).image), expected, 1)
        assert_close(corners(decode(data, 8).image), expected, 1)
    grey = encode(Image.new("L", (4, 4), 9), "PNG", transparency=9)
    assert decode(grey).image.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "PA", "LA", "La", "RGBX", "YCbCr", "HSV", "LAB", "CMYK", "I", "F"])
def test_modes_in_memory(mode: str) -> None:
    black = Image.new("RGB", (12, 12), (0, 0, 0))
    if mode == "LAB":
        image = Image.new("LAB", (12, 12), (0, 128, 128))
    elif mode == "La":
        image = black.convert("LA").convert("La")
    else:
        image = black.convert(mode)
    image.paste(255 if mode in {"1", "L", "I", "F"} else image.getpixel((0, 0)), (0, 0, 3, 3))
    picture = decode(image)
    assert picture.image.mode == "RGB"
    assert_close(np.array(picture.image.getpixel((8, 8))), (0, 0, 0), 1)


def test_one_bit_is_averaged() -> None:
    board = np.indices((32, 32)).sum(0) % 2 == 0
    picture = decode(encode(Image.fromarray(board), "PNG"), 16)
    assert_close(np.asarray(picture.image), np.full((16, 16, 3), 127), 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("size", [(300, 200), (1, 700), (700, 1), (450, 449)])
def test_the_shorter_side_keeps_what_was_asked(kind: str, size: tuple[int, int]) -> None:
    image = photo(*size)
    data = encode(image.quantize(16) if kind == "GIF" else image, kind)
    for side in (None, 1, 50, 224, 1000):
        picture = decode(data, side)
        assert (picture.width, picture.height) == size
        assert min(picture.image.size) >= min(side or 10**9, *size)
        if side == 50 and min(size) > 1:
            assert min(picture.image.size) < 100


def test_reduction_in_strips_equals_reduction_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from lookalike.images import colour

    image = photo(203, 157).convert("RGBA")
    whole = np.asarray(decode(image, 40).image)
    monkeypatch.setattr(colour, "_STRIP_PIXELS", 203 * 9)
    np.testing.assert_array_equal(np.asarray(decode(image, 40).image), whole)


def test_arrays() -> None:
    array = np.asarray(quadrants())
    assert decode(array).format == "array"
    for view in (array, array[:, ::-1][:, ::-1], np.asfortranarray(array)):
        np.testing.assert_array_equal(np.asarray(decode(view).image), array)
    assert decode(np.full((3, 4), 7, np.uint8)).image.getpixel((1, 1)) == (7, 7, 7)
    assert decode(np.full((3, 4, 1), 7, np.uint8)).image.getpixel((1, 1)) == (7, 7, 7)
    assert decode(np.zeros((3, 4, 4), np.uint8)).image.getpixel((1, 1)) == (255, 255, 255)


def test_the_content_decides(tmp_path: Path) -> None:
    file = tmp_path / "really-a-png.jpg"
    file.write_bytes(encode(quadrants(), "PNG"))
    for source in (file, str(file)):
        picture = decode(source)
        assert picture.format == "PNG"
    np.testing.assert_array_equal(np.asarray(picture.image), np.asarray(quadrants()))


def test_large_files_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["lookalike.images.decode"], "READ_WHOLE", 10)
    for name, data in all_formats().items():
        (file := tmp_path / "picture").write_bytes(data)
        np.testing.assert_array_equal(
            np.asarray(decode(file, 16).image), np.asarray(decode(data, 16).image), err_msg=name
        )


def test_threads_agree() -> None:
    files = [encode(photo(seed=seed), "JPEG", icc_profile=swapped_profile()) for seed in range(6)] * 5
    expected = [np.asarray(decode(data, 24).image) for data in files]
    got: dict[int, np.ndarray] = {}

    def work(start: int) -> None:
        for index in range(start, len(files), 4):
            got[index] = np.asarray(decode(files[index], 24).image)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for index, pixels in enumerate(expected):
        np.testing.assert_array_equal(got[index], pixels)
