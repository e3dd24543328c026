"""Every registered ensemble, in every mode, passes the shared checks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.kinds import ENSEMBLES
from lookalike.similarity.model import SimilarityModel

sys.path.insert(0, str(Path(__file__).parent))
from ensemble_cases import some_judgments
from ensemble_checks import CHECKS, Check
from ensemble_refusals import REFUSALS

PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "vote": [{}],
    "grid": [
        {"threshold": 0.6, "columns": (4, 9)},
        {"weighting": "max", "bandwidth": 0.3},
        {"mode": "published", "columns": (0, 3), "pca_ids": ("000.jpg", "003.jpg", "007.jpg")},
    ],
    "mlp": [{"dim": 3, "folds": 2, "columns": (0, 4), "seed": 3}, {"mode": "published", "dim": 3}],
    "gate": [{"dim": 4, "hidden": 3, "folds": 2}],
}
"""Of every registered ensemble, in the modes it has."""

CASES = [
    pytest.param(name, parameters, id="-".join([name, *map(str, parameters.values())]))
    for name, variants in PARAMETERS.items()
    for parameters in variants
]
WORLD = some_judgments()


def test_every_ensemble_is_checked() -> None:
    assert set(PARAMETERS) == set(ENSEMBLES)


@pytest.mark.parametrize("check", [*CHECKS, *REFUSALS], ids=lambda check: check.__name__[len("check_") :])
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_contract(name: str, parameters: dict[str, Any], check: Check) -> None:
    def make(models: Sequence[SimilarityModel]) -> Ensemble:
        return ENSEMBLES[name](models).set_params(**parameters)

    check(make, *WORLD)
