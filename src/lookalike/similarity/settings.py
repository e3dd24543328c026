"""The parameters of an adaptation function as they are used: what the user said, else what suits the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.similarity.forms import FORMS

__all__ = ["Settings", "check_kind", "resolve"]


@dataclass(frozen=True, slots=True)
class Settings:
    """See `lookalike.similarity.adaptation.AdaptationModel`; nothing is None or "auto" here."""

    form: str
    reduce: int = 0
    whiten: bool = False
    transductive: bool = False
    width: int = 0
    scale: float = 15.0
    learn_scale: bool = False
    shrinkage: float = 0.5
    dropout: float = 0.0
    members: int = 1
    epochs: int = 100
    batch: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    validation: float = 0.0
    patience: int = 10
    grade_margin: float = 0.0
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)


def resolve(given: Mapping[str, Any], kind: Literal["pairs", "judgments"]) -> Settings:
    """Fill parameters that are None from the defaults of the form, and check all.

    Parameters
    ----------
    given : mapping
        Parameters of `AdaptationModel`.
    kind : {"pairs", "judgments"}
        What it learns from.

    Raises
    ------
    UnknownNameError
        There is no such form.
    InputError
        A parameter is out of range, or the form does not learn from that kind.

    Examples
    --------
    >>> resolve({"form": "auto", "epochs": 3}, "judgments").form
    'residual'
    """
    form = given["form"]
    if form == "auto":
        form = "within" if kind == "pairs" else "residual"
    if form not in FORMS:
        raise UnknownNameError("form", form, ["auto", *FORMS])
    if form == "within" and kind == "judgments":
        raise InputError('the form "within" learns from pairs alone: for judgments take "residual" or "original"')
    own = FORMS[form].defaults
    names = Settings.__dataclass_fields__
    said = {name: value for name, value in given.items() if name in names and name != "form" and value is not None}
    for name, value in said.items():
        check_kind(name, value, names[name].default)
        said[name] = value.item() if isinstance(value, np.generic) else value
    made = Settings(form, **{**own, **said})
    _check(made)
    return made


def check_kind(name: str, value: Any, default: Any) -> None:
    """Refuse what is not of the kind of the default; a whole number will do where a number is wanted."""
    if isinstance(default, bool):
        right, wanted = isinstance(value, bool | np.bool_), "True or False"
    elif isinstance(default, int):
        right, wanted = isinstance(value, Integral) and not isinstance(value, bool), "a whole number"
    else:
        right, wanted = isinstance(value, Real) and not isinstance(value, bool), "a finite number"
    if not right or not np.isfinite(value):
        raise InputError(f"{name} is {wanted}, not {value!r}")


def _check(made: Settings) -> None:
    for name in ("reduce", "batch"):
        if getattr(made, name) < 0:
            raise InputError(f"{name} is a number from 0, not {getattr(made, name)}")
    if not 0 <= made.seed < 2**32:
        raise InputError(f"seed is a number from 0 to {2**32 - 1}, not {made.seed}")
    for name in ("epochs", "members", "patience"):
        if getattr(made, name) < 1:
            raise InputError(f"{name} is at least 1, not {getattr(made, name)}")
    if FORMS[made.form].shapes.get("map", FORMS[made.form].shapes.get("inner")) and made.width < 1:
        raise InputError(f"width is at least 1, not {made.width}")
    for name in ("scale", "learning_rate"):
        if not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    for name in ("dropout", "validation"):
        if not 0 <= getattr(made, name) < 1:
            raise InputError(f"{name} is at least 0 and below 1, not {getattr(made, name)}")
    for name in ("weight_decay", "grade_margin"):
        if not getattr(made, name) >= 0:
            raise InputError(f"{name} is not negative, not {getattr(made, name)}")
