"""All kinds of models: each file that registers one is imported here."""

from lookalike.similarity.adaptation import AdaptationModel as AdaptationModel
from lookalike.similarity.classifier import ClassifierModel as ClassifierModel
from lookalike.similarity.context import ContextModel as ContextModel
from lookalike.similarity.identity import IdentityModel as IdentityModel
from lookalike.similarity.model import MODELS
from lookalike.similarity.projection import ProjectionModel as ProjectionModel
from lookalike.similarity.quantizer import QuantizerModel as QuantizerModel
from lookalike.similarity.selected import SelectedModel as SelectedModel

__all__ = ["MODELS"]
