"""Models of a workspace by name, and the features they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.features import Features
from lookalike.core.names import check_name, is_name
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.saving import load
from lookalike.images.folder import Rejected
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.saving import card_of

__all__ = [
    "NamedModel",
    "is_model",
    "list_models",
    "model_features",
    "model_file",
    "open_model",
    "plain_name",
    "temperature_of",
]

UNMEASURED = 0.1
"""Temperature of a model that was fitted without being measured on judgments."""


@dataclass(frozen=True, slots=True, eq=False)
class NamedModel:
    """A model, and what its card says.

    Attributes
    ----------
    name : str
    model : SimilarityModel or Ensemble
    features : FeatureSet
        The encoders whose features it takes, side by side in this order.
    card : dict
        JSON values; what training wrote is under ``"about"``.
    """

    name: str
    model: SimilarityModel | Ensemble
    features: FeatureSet
    card: dict[str, Any]


def model_file(workspace: Workspace, name: str) -> Path:
    """Return where a model of that name is kept.

    Raises
    ------
    InputError
        Nothing can have that name.
    """
    return workspace.models_folder / f"{check_name('model', name)}.safetensors"


def list_models(workspace: Path) -> dict[str, dict[str, Any]]:
    """Return the cards of the models of a workspace, by name.

    Examples
    --------
    >>> list_models(Path("nowhere"))
    {}
    """
    files = sorted(Workspace(workspace).models_folder.glob("*.safetensors"))
    return {path.stem: card_of(path) for path in files if is_name(path.stem)}


def is_model(workspace: Workspace, name: str) -> bool:
    """Return whether a name is that of a model of the workspace, or the path of a model's file."""
    return Path(name).suffix == ".safetensors" or (is_name(name) and model_file(workspace, name).is_file())


def open_model(workspace: Workspace, name: str) -> NamedModel:
    """Read a model of a workspace by name, or any by the path of its file.

    Raises
    ------
    UnknownNameError
        The workspace has no such model; near names are listed.
    InputError
        The file is damaged, or does not say which features it takes.
    """
    path = Path(name)
    if path.suffix != ".safetensors":
        path = model_file(workspace, name)
        if not path.is_file():
            known = list_models(workspace.path)
            if not known:
                raise InputError(
                    f"{workspace.path} has no models: run `lookalike train adaptation --name {name}` first"
                )
            raise UnknownNameError("model", name, known)
    card = card_of(path)
    encoders = card["about"].get("encoders")
    if not encoders:
        raise InputError(f"the card of {path} does not say which encoders its features come from")
    return NamedModel(path.stem, load(path), FeatureSet(path.stem, tuple(encoders)), card)


def model_features(
    workspace: Workspace,
    named: NamedModel,
    images: Mapping[str, Path],
    on_progress: OnProgress = silent,
    rejected: list[Rejected] | None = None,
) -> Features:
    """Return the features of image files that a model takes; see `lookalike.embedding.feature_sets.compute_set`.

    Raises
    ------
    InputError
        An encoder gives other features than when the model was trained.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    found = compute_set(workspace, named.features, images, None, on_progress, rejected)
    if found.fingerprint != named.card["about"].get("fingerprint"):
        raise InputError(
            f"the model '{named.name}' was trained on other features of {', '.join(named.features.encoders)}: a "
            "network file was replaced, or the encoder has changed; train it again"
        )
    return found.features


def plain_name(named: NamedModel) -> str:
    """Return what the features of a model are called where they stand beside it, as they are."""
    return " + ".join(named.features.encoders)


def temperature_of(named: NamedModel) -> float:
    """Return the temperature under which `logistic` makes probabilities of a model's distances.

    It was fitted on answers held out, where the model was measured on judgments.
    """
    measured = named.card["about"].get("measured") or {}
    return float(measured.get("temperature") or UNMEASURED)
