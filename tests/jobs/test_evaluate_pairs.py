"""Leaderboards of matched pairs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike import Features, Pairs
from lookalike.core.errors import InputError
from lookalike.core.vectors import unit_rows
from lookalike.jobs.evaluate_pairs import DEPTHS, evaluate_pairs, guess_format, pair_files, pair_leaderboard
from lookalike.jobs.leaderboard import short_name


def make_pairs(count: int) -> Pairs:
    return Pairs.from_ids([f"left/{i:03}" for i in range(count)], [f"right/{i:03}" for i in range(count)])


def make_features(pairs: Pairs, noise: float, seed: int = 0) -> Features:
    """Unit vectors of which partners are alike, the less so the more noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(len(pairs), 8))
    both = np.concatenate([shared + noise * rng.normal(size=shared.shape) for _ in range(2)])
    return Features(np.concatenate([pairs.left, pairs.right]), unit_rows(both.astype(np.float32)))


def plain_recall(pairs: Pairs, features: Features, k: int) -> float:
    left, right = (features.vectors[features.rows(ids)] for ids in (pairs.left, pairs.right))
    similarities = left.astype(np.float64) @ right.T
    hits = 0
    for i in range(len(pairs)):
        ahead = i in np.argsort(-similarities[i])[:k]
        back = i in np.argsort(-similarities[:, i])[:k]
        hits += ahead or back
    return hits / len(pairs)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(0, 99))
def test_the_leaderboard_agrees_with_a_plain_loop(count: int, seed: int) -> None:
    pairs = make_pairs(count)
    models = {f"noise {noise}": make_features(pairs, noise, seed) for noise in (0.1, 1.0, 3.0)}
    found = pair_leaderboard(pairs, models)
    values = [row.accuracy.value for row in found.rows]
    assert values == sorted(values, reverse=True)
    for row in found.rows:
        for k in DEPTHS:
            recall = row.recalls[k]
            assert recall.value == pytest.approx(plain_recall(pairs, models[row.model], k))
            assert recall.low <= recall.value <= recall.high
        if row.behind is None:
            assert row is found.rows[0]
        else:
            assert row.behind.value == pytest.approx(values[0] - row.accuracy.value)
    chance = list(found.chance.values())
    assert chance == sorted(chance)
    assert chance[0] < 1 if count > 1 else chance[0] == 1


def test_a_model_that_knows_nothing_is_at_chance_and_behind() -> None:
    pairs = make_pairs(200)
    blind = Features(pairs.ids, np.ones((400, 1)))
    guessing = make_features(pairs, 1000.0)
    found = pair_leaderboard(pairs, {"blind": blind, "guessing": guessing, "good": make_features(pairs, 0.3)})
    by_model = {row.model: row for row in found.rows}
    assert found.rows[0].model == "good"
    for k in DEPTHS:
        assert by_model["blind"].recalls[k].value == pytest.approx(1 - (1 - k / 200) ** 2)
        assert by_model["guessing"].recalls[k].low <= found.chance[k] + 0.01
    behind = by_model["guessing"].behind
    assert behind is not None
    assert 0 < behind.low < behind.value < behind.high
    assert behind.p < 0.001


def test_pairs_that_share_images_are_no_independent_evidence() -> None:
    apart, together = (
        make_pairs(60),
        Pairs.from_ids([f"left/{i // 6}" for i in range(60)], [f"right/{i:03}" for i in range(60)]),
    )
    rng = np.random.default_rng(0)
    kind = np.repeat(rng.normal(size=(10, 8)) * rng.choice([0.0, 3.0], (10, 1)), 6, axis=0)
    right = unit_rows((kind + rng.normal(size=(60, 8))).astype(np.float32))
    left = unit_rows((kind + 0.1).astype(np.float32))
    one = Features(np.concatenate([apart.left, apart.right]), np.concatenate([left, right]))
    two = Features(np.concatenate([together.left[::6], together.right]), np.concatenate([left[::6], right]))
    narrow = pair_leaderboard(apart, {"m": one}).rows[0].recalls[5]
    wide = pair_leaderboard(together, {"m": two}).rows[0].recalls[5]
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_one_pair_cannot_be_confused() -> None:
    pairs = make_pairs(1)
    with pytest.raises(InputError, match="at least two"):
        pair_leaderboard(pairs, {"m": make_features(pairs, 1)})
    with pytest.raises(InputError, match="no features for"):
        pair_leaderboard(make_pairs(3), {"m": make_features(make_pairs(2), 1)})


@pytest.fixture
def pair_folder(tmp_path: Path, make_photo: object) -> Path:
    """Ten photographs on the left; on the right the same, smaller, under other names of one list."""
    folder = tmp_path / "pairs"
    rows = [("left", "right")]
    for number in range(10):
        make_photo(folder / "left" / f"l{number}.jpg", number)  # type: ignore[operator]
        make_photo(folder / "right" / f"r{9 - number}.jpg", number, size=(48, 36))  # type: ignore[operator]
        rows.append((f"l{number}", f"r{9 - number}"))
    with (folder / "pairs.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return folder


def test_formats_are_guessed_by_what_is_there(pair_folder: Path, tmp_path: Path, network: Path) -> None:
    assert guess_format(pair_folder) == "tll"
    assert guess_format(pair_folder / "pairs.csv") == "csv"
    assert guess_format(tmp_path) == "folders"
    found = evaluate_pairs(tmp_path / "w", pair_folder, encoders=[f"onnx:{network}"])
    assert (found.pairs, found.rows[0].accuracy.value) == (10, 1)
    (pair_folder / "left").rename(pair_folder / "source")
    (pair_folder / "right").rename(pair_folder / "target")
    for number in range(10):
        (pair_folder / "source" / f"l{number}.jpg").rename(pair_folder / "source" / f"r{9 - number}.jpg")
    found = evaluate_pairs(tmp_path / "w", pair_folder, encoders=[f"onnx:{network}"])
    assert (found.pairs, found.rows[0].accuracy.value) == (10, 1)


def test_a_table_of_pairs_takes_its_images_from_a_folder(pair_folder: Path, tmp_path: Path) -> None:
    table = pair_folder / "pairs.csv"
    with pytest.raises(InputError, match=r"no file is known for the image 'l0': give --images DIR"):
        evaluate_pairs(tmp_path / "w", table)
    found = evaluate_pairs(tmp_path / "w", table, images=pair_folder)
    assert [row.model for row in found.rows] == ["compact"]  # the default where there is no workspace
    assert found.rows[0].accuracy.value > 0.8
    with pytest.raises(InputError, match="did you mean folders"):
        evaluate_pairs(tmp_path / "w", pair_folder, "folder")


def test_files_that_are_gone_are_named(tmp_path: Path) -> None:
    pairs = Pairs.from_ids(["a"], ["b"], {"a": tmp_path / "a.jpg", "b": tmp_path / "b.jpg"})
    with pytest.raises(InputError, match="'a'"):
        pair_files(pairs)


def test_short_names_keep_what_tells_models_apart() -> None:
    assert short_name("classic") == "classic"
    assert short_name("onnx:/a/b@c/x.onnx") == "onnx:x.onnx"
    assert short_name("onnx:C:\\nets\\x.onnx") == "onnx:x.onnx"
    assert short_name("openclip:RN50/openai") == "openclip:RN50/openai"
    assert short_name("timm:resnet18[layer3,pool=gem]@/nets/r.pth") == "timm:resnet18[layer3,pool=gem]@r.pth"
