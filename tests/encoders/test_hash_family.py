"""Hashes are those of the library, and their cosine distance is its Hamming distance."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import list_encoders, load_encoder
from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.core.vectors import cosine_distances, unit_rows

imagehash = pytest.importorskip("imagehash")
from lookalike.encoders import crop_resistant, hashes  # noqa: E402 needs the library

LIBRARY = {
    "hash:ahash": imagehash.average_hash,
    "hash:dhash": imagehash.dhash,
    "hash:phash": imagehash.phash,
    "hash:whash": imagehash.whash,
}


def picture(seed: int, side: int = 256) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_the_distance_is_twice_the_share_of_bits_that_differ(name: str) -> None:
    left, right = picture(1), picture(2)
    rows = unit_rows(load_encoder(name).encode([left, right]))
    one, two = LIBRARY[name](left), LIBRARY[name](right)
    assert set(np.unique(rows * 8)) == {-1.0, 1.0}
    assert cosine_distances(rows[:1], rows[1:])[0] == pytest.approx(2 * (one - two) / len(one), abs=1e-6)
    assert one - two > 8


@pytest.mark.parametrize("seed", range(3))
def test_segments_are_those_that_the_library_finds(seed: int) -> None:
    shown = picture(seed, crop_resistant.SIDE)
    theirs = imagehash.crop_resistant_hash(shown).segment_hashes
    ours = crop_resistant.segment_hashes(shown)
    assert len(theirs) > 1
    assert [one.hash.tolist() for one in theirs] == ours.tolist()


def test_segments_that_the_library_overlooks_are_overlooked() -> None:
    """Its search for dark regions ends 1,200 pixels early: a region of 600 that comes last is never seen."""
    grey = np.full((300, 300), 255, np.uint8)
    grey[20:60, 20:60], grey[270:290, 100:130] = 0, 0
    shown = Image.fromarray(grey).convert("RGB")
    theirs = imagehash.crop_resistant_hash(shown).segment_hashes
    assert [one.hash.tolist() for one in theirs] == crop_resistant.segment_hashes(shown).tolist()
    assert len(theirs) == 2


def test_the_crop_resistant_vector_holds_the_rows_of_segments() -> None:
    shown = picture(5, crop_resistant.SIDE)
    vector = load_encoder("hash:crop-resistant").encode([shown])[0]
    rows = {
        (number, sum(int(bit) << (7 - place) for place, bit in enumerate(row)))
        for segment in crop_resistant.segment_hashes(shown)
        for number, row in enumerate(segment.tolist())
    }
    assert {(int(place) // 256, int(place) % 256) for place in np.flatnonzero(vector)} == rows
    assert vector.max() == 1


def test_a_crop_keeps_segments() -> None:
    pictures = [picture(seed, 400) for seed in range(12)]
    encoder = load_encoder("hash:crop-resistant")
    known = unit_rows(encoder.encode(pictures))
    asked = unit_rows(encoder.encode([one.crop((0, 0, 400, 330)) for one in pictures]))
    assert ((asked @ known.T).argmax(axis=1) == np.arange(12)).mean() >= 0.75


def test_names_cards_and_refusals(tmp_path: Path) -> None:
    assert list_encoders("hash:*") == sorted(hashes.names())
    assert len({load_encoder(name).spec.fingerprint for name in hashes.names()}) == 5
    with pytest.raises(UnknownNameError, match="did you mean phash"):
        load_encoder("hash:phas")
    with pytest.raises(EncoderError, match="no weights"):
        load_encoder("hash:phash", weights=tmp_path / "w.pth")
    with pytest.raises(EncoderError, match="256x256x3, not uint8"):
        load_encoder("hash:ahash").forward(np.zeros((1, 8, 8, 3), np.uint8))


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("imagehash", "lookalike.encoders.hashes"):
        monkeypatch.setitem(sys.modules, module, None)
    assert list_encoders("hash:*") == []
    monkeypatch.delitem(sys.modules, "lookalike.encoders.hashes")
    with pytest.raises(EncoderError, match=r"need imagehash, of the extra `hashes`: pip install \"lookalike\[hashes\]"):
        load_encoder("hash:phash")


def test_hashes_load_neither_torch_nor_sklearn(make_photo: Callable[..., Path], tmp_path: Path) -> None:
    photo = make_photo(tmp_path / "p.jpg", 1)
    code = (
        "import sys; from lookalike import load_encoder, list_encoders\n"
        f"for name in list_encoders('hash:*'): load_encoder(name).encode([{str(photo)!r}])\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
