"""Every way a file can store colour, brought to sRGB; big pictures are reduced first, which keeps it cheap."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

__all__ = ["to_srgb"]

_STRIP_PIXELS = 2**20
_MAX_PROFILE_BYTES = 4 * 2**20
_MIXABLE = {"L", "RGB", "RGBX", "CMYK", "YCbCr", "LAB"}
"""Modes whose values may be averaged before they are converted."""
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}

_Convert = Callable[[Image.Image], Image.Image]


def to_srgb(image: Image.Image, factor: int, profile: bytes | None) -> Image.Image:
    """Reduce a loaded picture and convert it to sRGB.

    Transparency is laid on white. 16-bit values are divided by 257. 32-bit and floating-point values are taken
    to lie in the smallest of the ranges [0, 1] (floating point only), [0, 255] and [0, 65535] that holds them
    all; otherwise their own range is stretched. Values that are not finite become black.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded, in any mode.
    factor : int
        At least 1; each side shrinks by it (rounded up), as the mean of squares of pixels.
    profile : bytes or None
        The ICC profile of `image`; a damaged or unfitting one is ignored.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.

    Examples
    --------
    >>> to_srgb(Image.new("LA", (4, 4), (0, 51)), 2, None).getpixel((1, 1))
    (204, 204, 204)
    """
    if image.mode in _MIXABLE and "transparency" not in image.info:
        base = image.reduce(factor) if factor > 1 else image
    else:
        base = _in_strips(image, factor, _converter(image))
    if profile is not None and (managed := _apply_profile(base, profile)) is not None:
        return managed
    return base if base.mode == "RGB" else base.convert("RGB")


def _converter(image: Image.Image) -> _Convert:
    """Choose how a strip of this picture becomes grey or RGB."""
    mode = image.mode
    if mode in _WITH_ALPHA or ("transparency" in image.info and not mode.startswith("I")):
        return _on_white
    if mode.startswith("I;16"):
        return partial(_scaled, low=0.0, high=65535.0, hole=image.info.get("transparency"))
    if mode in {"I", "F"}:
        low, high = _value_range(image)
        return partial(_scaled, low=low, high=high, hole=None)
    return _grey if mode == "1" else _rgb


def _in_strips(image: Image.Image, factor: int, convert: _Convert) -> Image.Image:
    """Convert and reduce strip by strip: no second picture of full size is ever held."""
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    if rows >= height:
        return _reduced(convert(image), factor)
    out: Image.Image | None = None
    for top in range(0, height, rows):
        strip = _reduced(convert(image.crop((0, top, width, min(top + rows, height)))), factor)
        out = out or Image.new(strip.mode, (-(-width // factor), -(-height // factor)))
        out.paste(strip, (0, top // factor))
    assert out is not None
    return out


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _rgb(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a picture with transparency, of any kind, on white."""
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image)
    return white


def _value_range(image: Image.Image) -> tuple[float, float]:
    """Return the values that become black and white in a 32-bit picture."""
    low, high = math.inf, -math.inf
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        values = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
        with np.errstate(all="ignore"):  # a signalling NaN is no reason to warn
            values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    if low >= 0:
        for bound in usual:
            if high <= bound:
                return 0.0, bound
    return (low, high) if low < high else (0.0, 255.0)


def _scaled(image: Image.Image, low: float, high: float, hole: int | None) -> Image.Image:
    """Map [low, high] to [0, 255]; pixels of the value `hole` are transparent, so white."""
    values = np.asarray(image)
    with np.errstate(all="ignore"):
        share = (values.astype(np.float64) - low) / (high - low)
        grey = np.clip(np.nan_to_num(share, nan=0, posinf=0, neginf=0) * 255 + 0.5, 0, 255).astype(np.uint8)
    if hole is not None:
        grey[values == hole] = 255
    return Image.fromarray(grey)


def _apply_profile(base: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert by an ICC profile; None when it says nothing of use about this picture."""
    mode = _PROFILE_MODES.get(profile[16:20])
    if mode is None or len(profile) > _MAX_PROFILE_BYTES or (mode != "RGB" and base.mode != mode):
        return None
    if base.mode == "CMYK" != mode:
        return None
    transform = _transform(profile, mode)
    if transform is None:
        return None
    image = base if base.mode == mode else base.convert(mode)
    return transform.apply(image)


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """Build the conversion to sRGB; None for a damaged profile and for one that changes nothing."""
    from PIL import ImageCms

    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            # Without a cache of its own, one transform may serve several threads.
            flags=ImageCms.Flags.NOCACHE,
        )
        return None if mode == "RGB" and _changes_nothing(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCmsTransform) -> bool:
    """Try a transform on 6 x 6 x 6 colours: most profiles in photos are sRGB under some name."""
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 6, 3)
    after = np.asarray(transform.apply(Image.fromarray(colours)))
    return int(np.abs(after.astype(np.int16) - colours).max()) <= 2
