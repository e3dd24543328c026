"""Pixels of views: as the lens gives them, made once, and taken up again by the next run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ImageDecodeError, StorageError
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.lens import Mirrored, ViewLens
from lookalike.embedding.view_pixels import ViewPixels
from lookalike.images.augmentation import Augmentation

LENSES = [None, Mirrored(), ViewLens(Augmentation(), 1)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    found = [tmp_path / f"{number}.png" for number in range(3)]
    for file in found:
        Image.fromarray(rng.integers(0, 256, (50, 70, 3), np.uint8)).save(file)
    return found


def test_pixels_are_those_of_the_lens_and_are_kept(tmp_path: Path, files: list[Path]) -> None:
    encoder = load_encoder("classic")
    kept = ViewPixels(tmp_path / "views", encoder, files, LENSES)
    expected = {
        (row, look): encoder.pixels(file) if lens is None else lens.pixels(encoder, file)
        for row, file in enumerate(files)
        for look, lens in enumerate(LENSES)
    }
    for again in range(2):
        for (row, look), pixels in expected.items():
            found = kept.picture(row, look)
            assert found.dtype == np.uint8
            assert (found == pixels).all(), again
    for file in files:
        file.unlink()
    assert (kept.picture(1, 2) == expected[1, 2]).all()


def test_another_run_takes_what_is_there_unless_a_file_changed(tmp_path: Path, files: list[Path]) -> None:
    encoder = load_encoder("classic")
    first = ViewPixels(tmp_path / "views", encoder, files, LENSES)
    seen = first.picture(0, 0).copy()
    again = ViewPixels(tmp_path / "views", encoder, files, LENSES)
    assert again._there.sum() == 1
    assert (again.picture(0, 0) == seen).all()
    Image.new("RGB", (9, 9), "red").save(files[0])
    changed = ViewPixels(tmp_path / "views", encoder, files, LENSES)
    assert changed._there.sum() == 0
    assert (changed.picture(0, 0) != seen).any()


def test_a_full_disk_and_a_broken_file_are_told(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder("classic")
    files[2].write_bytes(b"no picture")
    kept = ViewPixels(tmp_path / "views", encoder, files, LENSES)
    with pytest.raises(ImageDecodeError, match=r"2\.png"):
        kept.picture(2, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 2**30})())
    with pytest.raises(StorageError, match="free some, or ask for fewer views"):
        ViewPixels(tmp_path / "elsewhere", encoder, files, LENSES)
