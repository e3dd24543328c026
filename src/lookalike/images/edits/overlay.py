"""Edits that lay something over or around a picture: text, and the frame of a screenshot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lookalike.images.edits.registry import register

if TYPE_CHECKING:
    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

__all__: list[str] = []

WORDS = (
    "when you finally see it",
    "SALE 50%",
    "photo by someone",
    "look at this!",
    "© 2024",
    "best day ever",
    "share if you agree",
    "breaking news",
    "follow for more",
    "summer holidays",
    "not again",
    "DO NOT COPY",
)
TITLES = ("Photos", "Gallery - Browser", "Saved pictures", "image.png - Viewer", "Chat")
INKS = ((255, 255, 255), (255, 255, 255), (0, 0, 0), (255, 230, 0), (220, 30, 40))
LIGHT, DARK = (245, 246, 248), (32, 33, 36)
LIGHTS = ((255, 95, 86), (255, 189, 46), (39, 201, 63))

LEAST_TEXT = 8
"""Height of the smallest letters, in pixels."""


@register("text", "height of the letters as a share of the shorter side; from a fifth on, three lines", 0.07, 0.13, 0.2)
def text(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Write one line of text, or three, in the upper or lower part, with an outline that keeps it readable."""
    written = picture.copy()
    draw = ImageDraw.Draw(written)
    size = max(LEAST_TEXT, round(amount * min(picture.size)))
    ink = INKS[int(rng.integers(len(INKS)))]
    edge = (0, 0, 0) if sum(ink) > 300 else (255, 255, 255)
    lines = 3 if amount >= 0.2 else 1
    height = round(1.2 * size)
    top = int(rng.integers(max(1, picture.height - lines * height)))
    if rng.random() < 0.8:  # mostly near an edge
        top = size // 3 if top < picture.height / 2 else max(0, picture.height - lines * height - size // 3)
    for number in range(lines):
        words = WORDS[int(rng.integers(len(WORDS)))]
        font = _fitted(words, size, picture.width)
        left = round(rng.uniform(0.02, 0.98) * max(0, picture.width - font.getlength(words)))
        draw.text((left, top + number * height), words, ink, font, stroke_width=max(1, size // 14), stroke_fill=edge)
    return written


@register("border", "margin at the sides as a share of the width; the title bar is as high", 0.04, 0.1, 0.25)
def border(picture: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Show the picture inside a window, as a screenshot does: a title bar, margins, and a line of text below."""
    dark = rng.random() < 0.5
    paper, ink = (DARK, LIGHT) if dark else (LIGHT, DARK)
    side = max(2, round(amount * picture.width * rng.uniform(0.7, 1.3)))
    bar = max(10, round(min(0.1, max(0.06, amount)) * max(picture.size)))
    below = max(2, round(amount * picture.height * rng.uniform(0.5, 1.2)))
    wide, tall = picture.width + 2 * side, picture.height + bar + side // 2 + below
    window = Image.new("RGB", (wide, tall), paper)
    draw = ImageDraw.Draw(window)
    _title_bar(draw, wide, bar, TITLES[int(rng.integers(len(TITLES)))], dark)
    window.paste(picture, (side, bar + side // 2))
    size = min(below // 2, bar // 2)
    if size >= LEAST_TEXT:
        words = WORDS[int(rng.integers(len(WORDS)))]
        draw.text((side, tall - below + (below - size) // 2), words, ink, _fitted(words, size, picture.width))
    return window


def _title_bar(draw: ImageDraw.ImageDraw, wide: int, bar: int, title: str, dark: bool) -> None:
    draw.rectangle((0, 0, wide, bar), (60, 62, 66) if dark else (222, 225, 230))
    radius = bar / 5
    for number, light in enumerate(LIGHTS):
        middle = bar / 2 + 2.6 * radius * number
        draw.ellipse((middle - radius, bar / 2 - radius, middle + radius, bar / 2 + radius), light)
    left = bar / 2 + 2.6 * radius * 3
    font = _fitted(title, max(LEAST_TEXT, bar // 2), max(1, wide - left))
    draw.text((left, bar / 2), title, LIGHT if dark else DARK, font, anchor="lm")


def _fitted(words: str, size: int, width: float) -> Font:
    """Return letters of this size, or as much smaller as the width asks."""
    font = ImageFont.load_default(size)
    length = font.getlength(words)
    return font if length <= width else ImageFont.load_default(max(4, math.floor(size * width / length)))
