"""The parameters of an adaptation function: what suits the form where nothing is said, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import InputError, NotFittedError, UnknownNameError
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.forms import FORMS
from lookalike.similarity.settings import resolve

sys.path.insert(0, str(Path(__file__).parent))
from checks import some_judgments, some_pairs


@pytest.mark.parametrize(("kind", "form"), [("pairs", "within"), ("judgments", "residual")])
def test_auto_takes_what_suits_the_examples(kind: Any, form: str) -> None:
    settings = resolve({"form": "auto"}, kind)
    assert settings.form == form
    assert settings == resolve({"form": form}, kind)


def test_parameters_left_out_take_what_suits_the_form() -> None:
    published = resolve({"form": "original"}, "pairs")
    assert (published.reduce, published.width, published.scale, published.epochs, published.batch) == (
        256,
        1024,
        15.0,
        150,
        0,
    )
    assert (published.learning_rate, published.weight_decay, published.dropout) == (1e-3, 0.0, 0.0)
    assert not published.learn_scale
    for form, entry in FORMS.items():
        settings = resolve({"form": form, "epochs": 7, "scale": None}, "pairs").as_dict()
        expected = {**entry.defaults, "epochs": 7}
        assert {name: settings[name] for name in expected} == expected


def test_what_was_used_is_told() -> None:
    pairs, features = some_pairs()
    model = AdaptationModel("within", reduce=np.int64(5), shrinkage=np.float32(0.25), whiten=True, seed=3)
    settings = model.fit(pairs, features).settings_
    expected = {"form": "within", "reduce": 5, "shrinkage": 0.25, "whiten": True, "transductive": False, "seed": 3}
    assert {name: settings[name] for name in expected} == expected
    assert set(settings) == set(AdaptationModel.parameters())
    assert {type(value) for value in settings.values()} <= {str, int, float, bool}


BAD = [
    ({"form": "residul"}, "there is no form 'residul': did you mean residual?"),
    ({"form": "x"}, "there is no form 'x': known: auto, identity, original, peterson, residual, within"),
    ({"reduce": -1}, "reduce is a number from 0, not -1"),
    ({"batch": -5}, "batch is a number from 0, not -5"),
    ({"seed": -1}, "seed is a number from 0 to 4294967295, not -1"),
    ({"epochs": 0}, "epochs is at least 1, not 0"),
    ({"members": 0}, "members is at least 1, not 0"),
    ({"patience": 0}, "patience is at least 1, not 0"),
    ({"width": 0}, "width is at least 1, not 0"),
    ({"scale": 0.0}, "scale is above 0, not 0.0"),
    ({"scale": float("nan")}, "scale is a finite number, not nan"),
    ({"scale": float("inf")}, "scale is a finite number, not inf"),
    ({"learning_rate": -1e-3}, "learning_rate is above 0, not -0.001"),
    ({"weight_decay": -0.1}, "weight_decay is not negative, not -0.1"),
    ({"grade_margin": -0.1}, "grade_margin is not negative, not -0.1"),
    ({"dropout": 1.0}, "dropout is at least 0 and below 1, not 1.0"),
    ({"dropout": -0.1}, "dropout is at least 0 and below 1, not -0.1"),
    ({"validation": 1.0}, "validation is at least 0 and below 1, not 1.0"),
    ({"form": "within", "shrinkage": 0.0}, "shrinkage is above 0 and up to 1, not 0.0"),
    ({"epochs": 2.5}, "epochs is a whole number, not 2.5"),
    ({"reduce": "256"}, "reduce is a whole number, not '256'"),
    ({"seed": None, "width": True}, "width is a whole number, not True"),
    ({"scale": "15"}, "scale is a finite number, not '15'"),
    ({"learn_scale": "yes"}, "learn_scale is True or False, not 'yes'"),
    ({"whiten": 1}, "whiten is True or False, not 1"),
]


@pytest.mark.parametrize(("parameters", "line"), BAD, ids=lambda value: "" if isinstance(value, str) else str(value))
def test_parameters_out_of_range_end_in_one_line(parameters: dict[str, Any], line: str) -> None:
    pairs, features = some_pairs()
    model = AdaptationModel(**{"form": "original", **parameters})  # the constructor takes anything
    with pytest.raises(InputError) as caught:
        model.fit(pairs, features)
    assert str(caught.value) == line
    assert isinstance(caught.value, UnknownNameError) == (parameters.get("form") in ("residul", "x"))
    with pytest.raises(NotFittedError):
        model.transform(features)


def test_within_is_for_pairs_alone() -> None:
    with pytest.raises(InputError, match='the form "within" learns from pairs alone: for judgments take "residual"'):
        AdaptationModel("within").fit(*some_judgments())
