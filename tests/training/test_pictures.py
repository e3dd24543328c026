"""Pictures for training: the same for the same numbers, cut from the photo or from what the encoder takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ImageDecodeError
from lookalike.embedding.encoder import Encoder
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.views import ViewPlan
from lookalike.training import pictures
from lookalike.training.pictures import PictureReader, ahead

SPEC = EncoderSpec("toy", "", 4, (16, 16), "squash", 1, 0.1, 0.2, "", "")
WHOLE = ViewPlan((16, 16), area=(1.0, 1.0), aspect=(0.01, 100), flip=0)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng, made = np.random.default_rng(0), [tmp_path / f"{number}.png" for number in range(4)]
    for path in made:
        Image.fromarray(rng.integers(0, 256, (40, 90, 3), np.uint8)).save(path)
    return made


@pytest.mark.parametrize("resize", ["squash", "crop"])
def test_a_whole_picture_is_what_the_encoder_takes(files: list[Path], resize: Any) -> None:
    spec = replace(SPEC, resize=resize)
    encoder = Encoder(SimpleNamespace(spec=spec))  # type: ignore[arg-type]
    reader = PictureReader(files, spec, ViewPlan((16, 16)), 0)
    for number, file in enumerate(files):
        np.testing.assert_array_equal(reader.whole(number), encoder.pixels(file))


def test_views_follow_from_their_numbers_alone(files: list[Path]) -> None:
    asked = [(0, 1, 5, 0), (0, 1, 5, 1), (0, 2, 5, 0), (0, 1, 6, 0), (3, 1, 5, 0)]
    one = PictureReader(files, SPEC, ViewPlan((16, 16)), 7)
    views = [one.view(*numbers) for numbers in asked]
    other = PictureReader(files, SPEC, ViewPlan((16, 16)), 7)
    for numbers, view in reversed(list(zip(asked, views, strict=True))):
        np.testing.assert_array_equal(other.view(*numbers), view)
    assert all(not np.array_equal(views[0], view) for view in views[1:])
    assert not np.array_equal(PictureReader(files, SPEC, ViewPlan((16, 16)), 8).view(*asked[0]), views[0])


def test_views_of_the_resized_picture_have_its_proportions(tmp_path: Path) -> None:
    """A part of a part: as published, the photo is made small and square before a view is cut from it."""
    stripes = np.zeros((40, 120, 3), np.uint8)
    stripes[:, ::2] = 255  # which a square of 16 pixels cannot hold
    path = tmp_path / "stripes.png"
    Image.fromarray(stripes).save(path)
    plan = ViewPlan((16, 16), area=(0.02, 0.03), aspect=(1.0, 1.0), flip=0)
    photo, resized = (PictureReader([path], SPEC, plan, 0, some).view(0, 1, 0, 0) for some in (False, True))
    assert resized.std() < 20 < photo.std()
    both = [PictureReader([path], SPEC, WHOLE, 0, some) for some in (False, True)]
    np.testing.assert_allclose(both[1].view(0, 1, 0, 0).astype(int), both[1].whole(0), atol=1)


def test_what_was_decoded_is_kept_within_bounds(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Path] = []
    original = pictures.decode

    def noting(path: Path, min_side: int | None = None) -> object:
        decoded.append(path)
        return original(path, min_side=min_side)

    monkeypatch.setattr(pictures, "decode", noting)
    monkeypatch.setattr(pictures, "KEPT", 2 * 4 * 40 * 90)
    reader = PictureReader(files, SPEC, ViewPlan((16, 16)), 0)
    for image in (0, 1, 0, 1, 2, 1, 0):
        reader.view(image, 1, 0, 0)
    assert decoded == [files[image] for image in (0, 1, 2, 0)]


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    reader = PictureReader([path], SPEC, ViewPlan((16, 16)), 0)
    for read in (lambda: reader.view(0, 1, 0, 0), lambda: reader.whole(0)):
        with pytest.raises(ImageDecodeError, match=r"broken\.jpg"):
            read()


def test_results_come_in_order_and_not_too_far_ahead() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            begun.append(item)
        time.sleep(0.001 * (5 - item % 5))
        return item * item

    found = ahead(work, iter(range(40)), lanes=3, room=8)
    first = [next(found) for _ in range(3)]
    assert first == [0, 1, 4]
    time.sleep(0.05)
    assert max(begun) < 3 + 8
    assert list(found) == [n * n for n in range(3, 40)]
    assert list(ahead(work, [], lanes=2)) == []


def test_the_first_error_ends_the_lanes() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            asked.append(number)
            yield number

    def work(item: int) -> int:
        if item == 5:
            raise ImageDecodeError("5.jpg", "broken")
        return item

    found, threads = ahead(work, items(), lanes=2), threading.active_count()
    with pytest.raises(ImageDecodeError, match=r"5\.jpg"):
        list(found)
    assert len(asked) < 20
    assert threading.active_count() <= threads
    closed = ahead(work, items(), lanes=2)
    next(closed)
    closed.close()
    assert threading.active_count() <= threads
