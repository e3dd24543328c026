"""The network that comes with the package: small, without torch, and as its page describes it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lookalike import load_encoder
from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.core.files import read_json
from lookalike.core.vectors import unit_rows
from lookalike.encoders.compact import FILE

PAGE = Path(__file__).parents[2] / "docs" / "compact.md"
LARGEST = 12_000_000

ALONE = """
import sys
from lookalike import load_encoder
load_encoder("compact").encode([])
print(sorted(name for name in sys.modules if name in ("torch", "onnx", "timm", "sklearn")))
"""


@pytest.mark.parametrize(("name", "dim"), [("compact", 256), ("compact:taps", 1248)])
def test_it_loads_by_its_name(name: str, dim: int, make_photo: Callable[..., Path], tmp_path: Path) -> None:
    encoder = load_encoder(name)
    assert (encoder.spec.name, encoder.dim) == (name, dim)
    photos = [make_photo(tmp_path / f"{number}.jpg", number) for number in range(5)]
    together = encoder.encode(photos)
    assert together.dtype == np.float32
    np.testing.assert_allclose(encoder.encode(photos[3:4])[0], together[3], atol=1e-5)


def test_it_is_small_and_needs_no_torch() -> None:
    assert FILE.stat().st_size <= LARGEST
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_its_page_is_about_this_very_file() -> None:
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() in PAGE.read_text(encoding="utf-8")


def test_its_card_names_no_place_of_a_machine() -> None:
    card = read_json(FILE.with_suffix(".json"))
    assert not re.search(r"/(home|tmp|work|Users|root)/", str(card))
    assert card["licence"] == "Apache-2.0"
    assert card["teachers"]


def test_what_is_changed_a_little_is_nearer_than_nearly_anything_else(
    make_photo: Callable[..., Path], tmp_path: Path
) -> None:
    photos = [Image.open(make_photo(tmp_path / f"{number}.jpg", number)).convert("RGB") for number in range(12)]
    changed = []
    for photo in photos:
        held = BytesIO()
        ImageOps.mirror(photo.resize((150, 110))).save(held, "JPEG", quality=60)
        changed.append(held.getvalue())
    encoder = load_encoder("compact")
    similar = unit_rows(encoder.encode(changed)) @ unit_rows(encoder.encode(photos)).T
    assert (similar.argmax(axis=1) == np.arange(12)).sum() >= 11


def test_other_outputs_and_other_weights_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="taps"):
        load_encoder("compact:tapes")
    with pytest.raises(EncoderError, match="compact comes with its weights: another file is onnx:mine"):
        load_encoder("compact", weights="mine.onnx")
