"""Near-identical images are grouped; others are not, however alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lookalike.core.errors import InputError
from lookalike.embedding.collection import Collection
from lookalike.images.samples import draw_scenes, render

Group = set[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen rendered photographs, and copies of four of them in every way that counts."""
    folder = tmp_path_factory.mktemp("copies")
    pictures = [Image.fromarray(render(scene, 320)) for scene in draw_scenes(16, seed=3)]
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number:02}.png")
    pictures[0].resize((200, 200)).save(folder / "00-small.jpg", quality=70)
    pictures[0].save(folder / "00-again.png")
    pictures[1].crop((10, 12, 310, 300)).save(folder / "01-cropped.jpg", quality=85)
    pictures[2].save(folder / "02-poor.jpg", quality=25)
    ImageOps.mirror(pictures[3]).save(folder / "03-mirrored.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def collection(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    made = Collection.create(tmp_path_factory.mktemp("w") / ".lookalike", folder)
    assert made.sync().images == 21
    return made


COPIES: list[Group] = [
    {"00.png", "00-small.jpg", "00-again.png"},
    {"01.png", "01-cropped.jpg"},
    {"02.png", "02-poor.jpg"},
]


def test_copies_are_grouped_and_nothing_else(collection: Collection) -> None:
    groups = collection.duplicates()
    assert [{hit.image for hit in group} for group in groups] == COPIES


def test_mirrored_copies_count_when_asked(collection: Collection) -> None:
    groups = [{hit.image for hit in group} for group in collection.duplicates(mirrored=True)]
    assert groups == [*COPIES, {"03.png", "03-mirrored.jpg"}]


def test_the_largest_comes_first_with_distances_to_it(collection: Collection) -> None:
    first = collection.duplicates()[0]
    assert [hit.image for hit in first] == ["00-again.png", "00.png", "00-small.jpg"]
    assert first[0].distance < 1e-6
    assert first[1].distance < 1e-6
    assert 0 < first[2].distance < collection.encoder.spec.copy_distance


def test_a_threshold_of_zero_finds_the_same_pictures_alone(collection: Collection) -> None:
    assert [{hit.image for hit in group} for group in collection.duplicates(threshold=0)] == [
        {"00.png", "00-again.png"}
    ]
    with pytest.raises(InputError, match="between 0 and 2"):
        collection.duplicates(threshold=3)


def test_blocks_and_chunks_do_not_change_the_groups(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = collection.duplicates(mirrored=True)
    monkeypatch.setattr("lookalike.embedding.duplicates.BLOCK", 3)
    monkeypatch.setattr("lookalike.embedding.duplicates.PAIRS", 2)
    assert collection.duplicates(mirrored=True) == expected


def test_many_copies_of_one_picture_are_one_group(tmp_path: Path, make_photo: Callable[..., Path]) -> None:
    """More copies than the neighbours that are looked at."""
    for number in range(80):
        make_photo(tmp_path / "p" / f"{number:02}.jpg", seed=1, size=(96 + number, 72))
    make_photo(tmp_path / "p" / "other.jpg", seed=2)
    made = Collection.create(tmp_path / "w", tmp_path / "p")
    made.sync()
    groups = made.duplicates()
    assert [len(group) for group in groups] == [80]


def test_no_images_no_groups(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    made = Collection.create(tmp_path / "w", tmp_path / "p")
    assert made.sync().images == 0
    assert made.duplicates() == []
    assert np.isfinite(made.encoder.spec.copy_distance)
