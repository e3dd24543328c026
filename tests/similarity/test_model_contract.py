"""Every registered model, and every form of adaptation function, passes the shared checks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.forms import FORMS
from lookalike.similarity.kinds import MODELS
from lookalike.similarity.model import SimilarityModel

sys.path.insert(0, str(Path(__file__).parent))
from checks import CHECKS, Check, some_judgments, some_pairs

EXAMPLES = {"pairs": some_pairs, "judgments": some_judgments}
QUICK = {"width": 8, "epochs": 2}

PARAMETERS: dict[str, list[tuple[dict[str, Any], list[str]]]] = {
    "identity": [({}, ["pairs", "judgments"])],
    "selected": [
        ({}, ["pairs"]),
        ({"columns": (2, 6)}, ["pairs", "judgments"]),
        ({"model": AdaptationModel("within", reduce=3), "columns": (1, 7)}, ["pairs"]),
    ],
    "context": [
        ({"width": 8, "members": 1}, ["judgments"]),
        ({"members": 3, "dropout": 0.3, "batch": 20, "validation": 0.3, "seed": 5, **QUICK}, ["judgments"]),
        ({"head": "concatenated", "reduce": 5, "pull": 2.0, "keep": "last", **QUICK}, ["judgments"]),
        ({"mode": "published", **QUICK}, ["judgments"]),
        ({"mode": "published", "triplet_on": "layer", "learning_rate": 0.01, **QUICK}, ["judgments"]),
    ],
    "quantizer": [
        ({"books": 3, "words": 8, "length": 3, "epochs": 2}, ["pairs"]),
        ({"books": 2, "words": 16, "length": 4, "epochs": 0, "reduce": 0}, ["pairs"]),
        ({"books": 2, "words": 4, "length": 3, "epochs": 2, "soft": True, "reduce": 5, "seed": 4}, ["pairs"]),
        ({"mode": "published", "epochs": 2, "batch": 8, "books": 4}, ["pairs"]),
    ],
    "classifier": [
        ({}, ["pairs"]),
        ({"epochs": 0, "reduce": 5, "unknown": 0.3, "refuse": 0.5}, ["pairs"]),
        ({"epochs": 2, "unknown": 0.4, "batch": 7, "seed": 5}, ["pairs"]),
        ({"mode": "published", "hidden": 8, "epochs": 2, "batch": 8, "unknown": 0.3}, ["pairs"]),
    ],
    "projection": [
        ({}, ["pairs"]),
        ({"epochs": 0, "reduce": 5, "shrinkage": 0.3}, ["pairs"]),
        ({"head": "residual", "hidden": 8, "epochs": 2, "validation": 0.4, "pairing": "any", "batch": 7}, ["pairs"]),
        ({"loss": "semi-hard", "reduce": 0, "epochs": 2, "pull": 1.0, "optimiser": "sgd", "seed": 5}, ["pairs"]),
        ({"loss": "curriculum", "stages": 2, "epochs": 2}, ["pairs"]),
        ({"mode": "published", "hidden": 8, "length": 6, "epochs": 2, "batch": 8}, ["pairs"]),
    ],
    "adaptation": [
        ({"form": "auto", **QUICK}, ["pairs", "judgments"]),
        ({"form": "identity"}, ["pairs", "judgments"]),
        ({"form": "identity", "reduce": 4, "whiten": True, "transductive": True}, ["pairs", "judgments"]),
        ({"form": "original", **QUICK}, ["pairs", "judgments"]),
        ({"form": "peterson", **QUICK}, ["pairs", "judgments"]),
        ({"form": "residual", **QUICK}, ["pairs", "judgments"]),
        ({"form": "within"}, ["pairs"]),
        ({"form": "within", "reduce": 5, "whiten": True, "shrinkage": 1.0}, ["pairs"]),
        (
            {"form": "residual", "reduce": 6, "dropout": 0.3, "batch": 20, "validation": 0.3, "seed": 5, **QUICK},
            ["pairs", "judgments"],
        ),
        (
            {"form": "original", "reduce": 0, "members": 3, "learn_scale": True, "grade_margin": 0.1, **QUICK},
            ["pairs", "judgments"],
        ),
    ],
}
"""Of every registered model: parameters, and the kinds of examples that it learns from with them."""

CASES = [
    pytest.param(name, parameters, kind, id="-".join([name, *map(str, parameters.values()), kind]))
    for name, variants in PARAMETERS.items()
    for parameters, kinds in variants
    for kind in kinds
]


def needs_torch(name: str, parameters: dict[str, Any], kind: str) -> bool:
    if name == "context":
        return True
    if name in ("projection", "classifier"):
        return parameters.get("epochs") != 0
    if name == "quantizer":
        return bool(parameters["epochs"])
    form = parameters.get("form")
    return kind == "judgments" if form == "auto" else bool(form and FORMS[form].shapes)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    if not find_spec("torch"):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_model_and_every_form_is_checked() -> None:
    assert set(PARAMETERS) == set(MODELS)
    forms = {(parameters["form"], kind) for parameters, kinds in PARAMETERS["adaptation"] for kind in kinds}
    assert forms == {(form, kind) for form in ("auto", *FORMS) for kind in EXAMPLES} - {("within", "judgments")}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__[len("check_") :])
@pytest.mark.parametrize(("name", "parameters", "kind"), CASES)
def test_contract(name: str, parameters: dict[str, Any], kind: str, check: Check) -> None:
    if needs_torch(name, parameters, kind):
        pytest.importorskip("torch")
    model: SimilarityModel = MODELS[name](**parameters)
    check(model, *EXAMPLES[kind]())
    assert not [attribute for attribute in vars(model) if attribute.endswith("_")]
