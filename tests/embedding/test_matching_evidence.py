"""Evidence against plain loops, and probabilities learned from edited copies hold on other copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import load_encoder
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.embedding import matching
from lookalike.embedding.match_copies import COPIES, CopyLens, Sureness, draw_copies, learn_sureness
from lookalike.embedding.matching import Candidates, Looks, Queries, evidence, index_for, leads, nearest
from lookalike.images.copies import agreement, prepare
from lookalike.images.edits import EDITS


def picture(seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    fine = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    size = (96, 72)
    soft = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
    return (0.7 * soft + 0.3 * np.asarray(fine.resize(size, Image.Resampling.BICUBIC))).astype(np.uint8)


def rows(count: int, dim: int = 6, seed: int = 0) -> Vectors:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


def test_nearest_adds_what_an_ensemble_adds_and_knows_small_collections() -> None:
    vectors = rows(5)
    plain = nearest(Queries.of(vectors[:2]), vectors, 9)
    moved = nearest(Queries(vectors[:2], np.array([0.5, -0.25], np.float32)), vectors, 9)
    assert plain.rows.shape == (2, 5)
    assert np.array_equal(plain.rows, moved.rows)
    assert moved.distances - plain.distances == pytest.approx(np.array([[0.5] * 5, [-0.25] * 5]), abs=1e-6)


def test_many_comparisons_go_by_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = rows(300, 16)
    exact = nearest(Queries.of(vectors), vectors, 3)
    monkeypatch.setattr(matching, "EXACT_UP_TO", 0)
    assert type(index_for(vectors, 300)).__name__ == "ApproximateIndex"
    graph = nearest(Queries.of(vectors), vectors, 3)
    assert (graph.rows == exact.rows).mean() > 0.95


def test_leads_equal_a_plain_loop_and_pass_over_copies() -> None:
    targets = rows(12)
    targets[7] = targets[3]
    found = nearest(Queries.of(rows(9, seed=1)), targets, 6)
    expected = np.zeros(found.rows.shape)
    for query, column in np.ndindex(expected.shape):
        row = found.rows[query, column]
        others = [
            float(found.distances[query, place])
            for place, other in enumerate(found.rows[query])
            if place != column and not np.allclose(targets[other], targets[row])
        ]
        expected[query, column] = np.log((min(others) + 0.01) / (max(0.0, found.distances[query, column]) + 0.01))
    assert leads(found, targets) == pytest.approx(expected, abs=1e-4)


def test_a_single_target_leads_over_nothing() -> None:
    assert leads(nearest(Queries.of(rows(2)), rows(1), 3), rows(1)).tolist() == [[0.0], [0.0]]


def test_taking_candidates_out_moves_the_others_up() -> None:
    found = Candidates(np.array([[4, 2, 9]]), np.array([[0.1, 0.2, 0.3]], np.float32))
    kept, columns = found.without(np.array([[True, False, False]]), 3)
    assert kept.rows.tolist() == [[2, 9, -1]]
    assert np.isinf(kept.distances[0, 2])
    assert columns[0, :2].tolist() == [1, 2]


def test_looks_see_mirrored_copies_and_leave_the_rest_open() -> None:
    pictures = [picture(seed) for seed in range(4)]
    looks = Looks(lambda query: np.ascontiguousarray(pictures[query][:, ::-1]), lambda row: pictures[row])
    found = looks.agreements(np.array([[0, 1, 2], [0, 1, -1]]), 2)
    assert found[0, 0] > 0.75
    assert found[1, 1] > 0.75
    assert found[0, 1] == pytest.approx(
        max(agreement(prepare(one), prepare(pictures[1])) for one in (pictures[0], pictures[0][:, ::-1])), abs=1e-6
    )
    assert np.isnan(found[:, 2]).all()
    assert looks.same_target(1, 1)
    assert not looks.same_target(1, 2)


def test_every_edit_comes_up_once_over_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    Image.fromarray(picture(0)).save(path)
    made = {CopyLens(number).picture(path).tobytes() for number in range(len(EDITS))}
    assert len(made) == len(EDITS)
    assert CopyLens(1).picture(path).tobytes() == CopyLens(1).picture(path).tobytes()
    drawn, times = draw_copies(3)
    assert (drawn.tolist(), times) == ([0, 1, 2], len(EDITS))
    assert len(draw_copies(1000, 1)[0]) == COPIES


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sureness, float, float]:
    """Sureness among 60 targets, two of them copies, and how sure it is of other copies, and of strangers."""
    folder, encoder = tmp_path_factory.mktemp("targets"), load_encoder("classic")
    pixels = [picture(seed) for seed in range(60)]
    pixels[1] = pixels[0]
    paths = [folder / f"{number}.png" for number in range(60)]
    for path, one in zip(paths, pixels, strict=True):
        Image.fromarray(one).save(path)
    targets = unit_rows(encoder.encode(pixels))
    copies = [np.asarray(CopyLens(0).picture(path)) for path in paths]
    looks = Looks(lambda query: copies[query], lambda row: pixels[row])
    found = learn_sureness(Queries.of(unit_rows(encoder.encode(copies))), np.arange(60), targets, looks, 10)
    assert found is not None

    def sure_of(shown: list[Pixels]) -> float:
        near = nearest(Queries.of(unit_rows(encoder.encode(shown))), targets, 10)
        seen = Looks(lambda query: shown[query], lambda row: pixels[row]).agreements(near.rows)
        odds = found.probability.log_odds(evidence(near, targets, seen))
        return float((odds[:, 0] > 0).mean())

    others = [np.asarray(CopyLens(0, "weak", seed=5).picture(path)) for path in paths[:30]]
    return found, sure_of(others), sure_of([picture(seed) for seed in range(500, 530)])


def test_other_copies_are_believed_and_strangers_are_not(learned: tuple[Sureness, float, float]) -> None:
    found, copies, strangers = learned
    assert found.searches == 120
    assert found.found_first > 0.6
    assert found.calibration_error is not None
    assert found.calibration_error < 0.15
    assert copies > 0.7
    assert strangers < 0.1
    assert Sureness.from_dict(found.as_dict()).as_dict() == found.as_dict()


def test_a_single_target_teaches_nothing() -> None:
    looks = Looks(lambda _: picture(0), lambda _: picture(0))
    assert learn_sureness(Queries.of(rows(2)), np.zeros(2, np.int64), rows(1), looks, 10) is None
