"""Models on some columns of the features: beside the shared checks, that the other columns do not count at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import InputError, NotFittedError
from lookalike.core.features import Features
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.saving import card_of, load_model, save_model
from lookalike.similarity.selected import SelectedModel, column_span

sys.path.insert(0, str(Path(__file__).parent))
from checks import some_judgments, some_pairs

PAIRS, FEATURES = some_pairs()
WIDTH = FEATURES.vectors.shape[1]
PART = Features(FEATURES.ids, FEATURES.vectors[:, 2:6])


def inside(**parameters: Any) -> AdaptationModel:
    return AdaptationModel("within", **{"reduce": 3, **parameters})


def test_it_is_the_model_on_these_columns() -> None:
    alone = inside().fit(PAIRS, PART)
    selected = SelectedModel(inside(), (2, 6)).fit(PAIRS, FEATURES)
    over = SelectedModel.over(alone, (2, 6), WIDTH)
    for made in (selected, over):
        np.testing.assert_array_equal(made.transform(FEATURES), alone.transform(PART))
        np.testing.assert_array_equal(made.seen_, alone.seen_)
        assert made.n_features_in_ == WIDTH
    judgments, features = some_judgments()
    identity = SelectedModel(columns=(0, 4)).fit(judgments, features)
    plain = IdentityModel().fit(judgments, Features(features.ids, features.vectors[:, :4]))
    np.testing.assert_array_equal(
        identity.distances(judgments, features),
        plain.distances(judgments, Features(features.ids, features.vectors[:, :4])),
    )


def test_other_columns_change_nothing() -> None:
    changed = FEATURES.vectors.copy()
    changed[:, :2], changed[:, 6:] = 1e9, -7
    other = Features(FEATURES.ids, changed)
    one, two = (SelectedModel(inside(), (2, 6)).fit(PAIRS, features) for features in (FEATURES, other))
    np.testing.assert_array_equal(one.transform(FEATURES), two.transform(other))
    rows = np.array([3, 1])
    np.testing.assert_array_equal(one.transform_rows(other, rows), one.transform(FEATURES)[rows])


def test_mirrored_pictures_are_cut_alike() -> None:
    mirrored = Features(FEATURES.ids, FEATURES.vectors[:, ::-1])
    alone = inside().fit(PAIRS, PART, Features(PART.ids, mirrored.vectors[:, 2:6]))
    selected = SelectedModel(inside(), (2, 6)).fit(PAIRS, FEATURES, mirrored)
    np.testing.assert_array_equal(selected.transform(FEATURES), alone.transform(PART))


def test_the_model_that_is_given_is_never_changed() -> None:
    alone = inside().fit(PAIRS, PART)
    before = alone.transform(PART)
    over = SelectedModel.over(alone, (2, 6), WIDTH)
    assert over.model is over.model_ is alone
    over.fit(PAIRS.take(np.arange(12)), FEATURES)
    assert over.model is alone
    assert over.model_ is not alone
    np.testing.assert_array_equal(alone.transform(PART), before)
    copy = over.fresh()
    with pytest.raises(NotFittedError):
        copy.transform(FEATURES)


@pytest.mark.parametrize("how", ["fitted", "over", "over over"])
def test_it_comes_back_with_the_model(tmp_path: Path, how: str) -> None:
    alone = inside(shrinkage=0.2).fit(PAIRS, PART)
    if how == "fitted":
        model = SelectedModel(inside(shrinkage=0.2), (2, 6)).fit(PAIRS, FEATURES)
    else:
        model = SelectedModel.over(alone, (2, 6), WIDTH)
    wide = FEATURES
    if how == "over over":
        model = SelectedModel.over(model, (1, 1 + WIDTH), WIDTH + 3)
        wide = Features(FEATURES.ids, np.pad(FEATURES.vectors, ((0, 0), (1, 2))))
    path = save_model(model, tmp_path / "part")
    loaded = load_model(path)
    assert isinstance(loaded, SelectedModel)
    np.testing.assert_array_equal(loaded.transform(wide), alone.transform(PART))
    np.testing.assert_array_equal(loaded.seen_, alone.seen_)
    card = card_of(path)
    assert card["model"] == "selected"
    inner = card["parameters"]["model"]
    if how != "over over":
        assert inner["model"] == "adaptation"
        assert inner["parameters"]["shrinkage"] == 0.2
        assert card["parameters"]["columns"] == [2, 6]
    np.testing.assert_array_equal(loaded.fresh().fit(PAIRS, wide).transform(wide), alone.transform(PART))


def test_columns_that_do_not_fit_are_refused() -> None:
    alone = inside().fit(PAIRS, PART)
    for columns, width, words in (
        ((0, 3), WIDTH, "columns 0 to 3 are 3 numbers an image: this AdaptationModel was fitted on 4"),
        ((7, 11), WIDTH, f"columns 7 to 11 are not among the {WIDTH}"),
        ((-4, 0), WIDTH, "not among"),
        ((4, 4), WIDTH, "not among"),
        ((0.0, 4.5), WIDTH, "two whole numbers"),
        ((0,), WIDTH, "two whole numbers"),
        ("ab", WIDTH, "two whole numbers"),
        (7, WIDTH, "two whole numbers"),
    ):
        with pytest.raises(InputError, match=words):
            SelectedModel.over(alone, columns, width)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not among"):
        SelectedModel(columns=(0, 10)).fit(PAIRS, FEATURES)
    with pytest.raises(NotFittedError):
        SelectedModel.over(inside(), (0, 4), WIDTH)
    assert column_span(np.array([1, 3]), 3) == (1, 3)


def test_only_the_selected_columns_must_be_finite_to_be_mapped_by_rows() -> None:
    model = SelectedModel.over(inside().fit(PAIRS, PART), (2, 6), WIDTH)
    damaged = FEATURES.vectors.copy()
    damaged[:, 0] = np.nan
    found = model.transform_rows(Features(FEATURES.ids, damaged), np.array([0, 5]))
    np.testing.assert_array_equal(found, model.transform(FEATURES)[[0, 5]])
    damaged[5, 3] = np.inf
    with pytest.raises(InputError, match=f"'{FEATURES.ids[5]}'.*not finite"):
        model.transform_rows(Features(FEATURES.ids, damaged), np.array([0, 5]))
