"""Learn what looks alike means to the people who use it, and search images with it.

Names are loaded when they are first used, so that ``import lookalike`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lookalike.core.version import __version__ as __version__

if TYPE_CHECKING:
    from lookalike.core.errors import ImageDecodeError as ImageDecodeError
    from lookalike.core.errors import LookalikeError as LookalikeError
    from lookalike.core.features import Features as Features
    from lookalike.embedding.collection import Collection as Collection
    from lookalike.embedding.encoder import Encoder as Encoder
    from lookalike.embedding.encoder import list_encoders as list_encoders
    from lookalike.embedding.encoder import load_encoder as load_encoder
    from lookalike.embedding.features import embed as embed
    from lookalike.ensembles.gate import GateEnsemble as GateEnsemble
    from lookalike.ensembles.grid import GridEnsemble as GridEnsemble
    from lookalike.ensembles.mlp import MLPEnsemble as MLPEnsemble
    from lookalike.ensembles.saving import load_ensemble as load_ensemble
    from lookalike.ensembles.saving import save_ensemble as save_ensemble
    from lookalike.ensembles.vote import VoteEnsemble as VoteEnsemble
    from lookalike.judgments.pairs import Pairs as Pairs
    from lookalike.judgments.readers import read_judgments as read_judgments
    from lookalike.judgments.readers import read_pairs as read_pairs
    from lookalike.judgments.table import Judgments as Judgments
    from lookalike.metrics.two_afc import Accuracy as Accuracy
    from lookalike.metrics.two_afc import two_afc_accuracy as two_afc_accuracy
    from lookalike.similarity.adaptation import AdaptationModel as AdaptationModel
    from lookalike.similarity.classifier import ClassifierModel as ClassifierModel
    from lookalike.similarity.context import ContextModel as ContextModel
    from lookalike.similarity.identity import IdentityModel as IdentityModel
    from lookalike.similarity.projection import ProjectionModel as ProjectionModel
    from lookalike.similarity.quantizer import QuantizerModel as QuantizerModel
    from lookalike.similarity.saving import load_model as load_model
    from lookalike.similarity.saving import save_model as save_model
    from lookalike.similarity.selected import SelectedModel as SelectedModel

_HOMES = {
    "Accuracy": "metrics.two_afc",
    "AdaptationModel": "similarity.adaptation",
    "ClassifierModel": "similarity.classifier",
    "Collection": "embedding.collection",
    "ContextModel": "similarity.context",
    "Encoder": "embedding.encoder",
    "Features": "core.features",
    "GateEnsemble": "ensembles.gate",
    "GridEnsemble": "ensembles.grid",
    "IdentityModel": "similarity.identity",
    "ImageDecodeError": "core.errors",
    "Judgments": "judgments.table",
    "LookalikeError": "core.errors",
    "MLPEnsemble": "ensembles.mlp",
    "Pairs": "judgments.pairs",
    "ProjectionModel": "similarity.projection",
    "QuantizerModel": "similarity.quantizer",
    "SelectedModel": "similarity.selected",
    "VoteEnsemble": "ensembles.vote",
    "embed": "embedding.features",
    "list_encoders": "embedding.encoder",
    "load_encoder": "embedding.encoder",
    "load_ensemble": "ensembles.saving",
    "load_model": "similarity.saving",
    "read_judgments": "judgments.readers",
    "read_pairs": "judgments.readers",
    "save_ensemble": "ensembles.saving",
    "save_model": "similarity.saving",
    "two_afc_accuracy": "metrics.two_afc",
}

__all__ = [
    "Accuracy",
    "AdaptationModel",
    "ClassifierModel",
    "Collection",
    "ContextModel",
    "Encoder",
    "Features",
    "GateEnsemble",
    "GridEnsemble",
    "IdentityModel",
    "ImageDecodeError",
    "Judgments",
    "LookalikeError",
    "MLPEnsemble",
    "Pairs",
    "ProjectionModel",
    "QuantizerModel",
    "SelectedModel",
    "VoteEnsemble",
    "embed",
    "list_encoders",
    "load_encoder",
    "load_ensemble",
    "load_model",
    "read_judgments",
    "read_pairs",
    "save_ensemble",
    "save_model",
    "two_afc_accuracy",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"lookalike.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lookalike' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
