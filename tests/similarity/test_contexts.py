"""Contexts that nobody named: found where people judge by several criteria, named by their images, told apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.core.features import Features  # noqa: E402
from lookalike.core.names import is_name  # noqa: E402
from lookalike.judgments.table import Judgments  # noqa: E402
from lookalike.similarity.contexts import Contexts, discover_contexts, suggested_names  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def two_places(count: int = 500, alike: bool = False, seed: int = 0) -> tuple[Judgments, Features, np.ndarray]:
    """Images of two places; at sea people look at one number, in town at another, unless all are alike."""
    rng = np.random.default_rng(seed)
    place = np.arange(80) % 2
    vectors = np.concatenate([3 * np.eye(2)[place], rng.normal(size=(80, 4))], axis=1)
    rows = []
    for _ in range(count):
        reference = rng.integers(80)
        a, b = rng.choice(np.setdiff1d(np.flatnonzero(place == place[reference]), [reference]), 2, replace=False)
        seen = vectors[:, 2 + (0 if alike else place[reference])]
        rows.append((reference, a, b, abs(seen[reference] - seen[a]) < abs(seen[reference] - seen[b])))
    r, a, b, closer = (np.array(column) for column in zip(*rows, strict=True))
    ids = np.array([f"{'sea' if one == 0 else 'town'}/{number:02}.jpg" for number, one in enumerate(place)])
    return Judgments.from_ids(ids[r], ids[a], ids[b], closer, ~closer), Features(ids, vectors), place


def test_two_ways_of_judging_are_found_and_named() -> None:
    judgments, features, place = two_places()
    found = discover_contexts(judgments, features, counts=(1, 2), seed=1)
    assert sorted(found.names) == ["sea", "town"]
    assert found.log_loss[2] < found.log_loss[1] < np.log(2)
    group = found.of(features)
    assert group.dtype == np.int64
    assert [found.names[one] for one in group] == [("sea", "town")[one] for one in place]
    assert len(found) == 2
    assert all(len(images) == 25 for images in found.typical)


def test_a_number_that_is_given_is_taken_without_trying() -> None:
    judgments, features, _ = two_places(60)
    found = discover_contexts(judgments, features, counts=[3])
    assert (len(found), found.log_loss) == (3, {})
    assert found.centres.shape == (3, 6)
    again = discover_contexts(judgments, features, counts=[3])
    np.testing.assert_array_equal(found.centres, again.centres)
    assert found.names == again.names


def test_one_context_is_everything() -> None:
    judgments, features, _ = two_places(30)
    found = discover_contexts(judgments, features, counts=[1])
    assert len(found) == 1
    assert set(found.of(features)) == {0}


def test_typical_images_are_references_by_their_distance_to_the_centre() -> None:
    judgments, features, _ = two_places(90)
    found = discover_contexts(judgments, features, counts=[2])
    unit = features.vectors / np.linalg.norm(features.vectors, axis=1, keepdims=True)
    for number, images in enumerate(found.typical):
        assert set(images) <= set(judgments.references.tolist())
        away = np.linalg.norm(unit[features.rows(images)] - found.centres[number], axis=1)
        assert (np.diff(away) >= -1e-6).all()


def test_few_references_are_grouped_into_few_contexts() -> None:
    judgments, features, _ = two_places(5)
    for rows in (1, 2, 5):
        found = discover_contexts(judgments.take(np.arange(rows)), features, counts=(1, 4, 9))
        assert (len(found), found.log_loss) == (1, {})
    assert len(discover_contexts(judgments, features, counts=[3])) == 3
    with pytest.raises(InputError, match="1 references that differ cannot be grouped into 2 contexts"):
        discover_contexts(judgments.take(np.arange(1)), features, counts=[2])


@pytest.mark.parametrize(
    ("counts", "message"), [([0], "at least 1, not 0"), ([], "at least one number"), ([2, -1], "at least 1, not -1")]
)
def test_numbers_that_are_none_are_refused(counts: list[int], message: str) -> None:
    judgments, features, _ = two_places(30)
    with pytest.raises(InputError, match=message):
        discover_contexts(judgments, features, counts=counts)


def test_nothing_is_found_in_nothing() -> None:
    judgments, features, _ = two_places(30)
    with pytest.raises(InputError, match="no judgments"):
        discover_contexts(judgments.take(np.arange(0)), features)
    with pytest.raises(InputError, match="no features for"):
        discover_contexts(judgments, Features(["x"], np.ones((1, 6))))


def test_other_features_are_refused() -> None:
    contexts = Contexts(("a", "b"), np.eye(2, dtype=np.float32), (("x",), ("y",)), {})
    with pytest.raises(InputError, match="found on 2 numbers an image"):
        contexts.of(np.zeros((3, 5), np.float32))
    assert contexts.of(np.zeros((0, 2), np.float32)).shape == (0,)


def test_the_length_of_features_does_not_count() -> None:
    contexts = Contexts(("a", "b"), np.eye(2, dtype=np.float32), (("x",), ("y",)), {})
    rows = np.array([[2, 1], [1, 2]], np.float32)
    assert contexts.of(rows).tolist() == contexts.of(100 * rows).tolist() == contexts.of(rows / 100).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("typical", "names"),
    [
        ([["sea/1.jpg", "sea/2.jpg"], ["town/1.jpg"]], ("sea", "town")),
        ([["a/sea/1.jpg"], ["b/sea/2.jpg"], ["c/3.jpg"]], ("sea", "sea-2", "c")),
        ([["photos/1.jpg"], ["photos/2.jpg"]], ("1", "2")),
        ([["1.jpg"], ["1.png"]], ("1", "1-2")),
        ([["x/1.jpg", "y/2.jpg"]], ("1",)),
        ([["photos/1.jpg", "photos/2.jpg"]], ("photos",)),
        ([["día nublado/1.jpg"], ["///"], ["_.jpg"]], ("d-a-nublado", "context", "context-2")),
    ],
)
def test_names_are_of_folders_or_images(typical: list[list[str]], names: tuple[str, ...]) -> None:
    assert suggested_names(typical) == names
    assert all(is_name(name) for name in names)
