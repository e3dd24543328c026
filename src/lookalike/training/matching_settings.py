"""How whole networks are trained to match: what the user said, else what suits the preset; no PyTorch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.images.augmentation import Augmentation, chosen_augmentation
from lookalike.training.finetune_settings import of_kind
from lookalike.training.matching_presets import PRESETS, PUBLISHED

__all__ = ["MatchingSettings", "matching_settings"]

# 128 of 160 pixels on each side.
IDENTICAL = Augmentation(area=(0.64, 0.64), aspect=(1.0, 1.0), jitter_share=0.0, grey=0.0, blur_share=0.0)

LossName: TypeAlias = Literal["nt-xent", "semi-hard", "curriculum", "rank-hinge", "cross-quantised"]
Depth: TypeAlias = Literal["full", "lora", "frozen"]
Mode: TypeAlias = Literal["corrected", "published"]


@dataclass(frozen=True, slots=True)
class MatchingSettings:
    """All that decides a training, beside the networks and the pictures.

    Attributes
    ----------
    preset : str
        Whose defaults hold, see `lookalike.training.matching_presets`; empty for our own.
    mode : {"corrected", "published"}
        Whether what the published programs hardly meant is kept.
    loss : {"nt-xent", "semi-hard", "curriculum", "rank-hinge", "cross-quantised"}
        See `lookalike.training.matching_objectives`.
    temperature : float
        Of NT-Xent, also of codes, and of the loss by which the epoch is chosen.
    margin : float
        Of the other losses.
    books, words : int
        Of a code, under the loss ``"cross-quantised"``: M parts of K words each.
    sharpness, reconstruction : float
        Of the same, see `lookalike.similarity.quantizer.QuantizerModel`.
    stages : int
        Of a curriculum, over all epochs.
    pictures : int
        Of each thing in a batch; NT-Xent takes 2, the rank hinge too.
    augmentation : str
        What views are, and whether one picture of a thing is shown as it is: a name of
        `lookalike.images.augmentation.AUGMENTATIONS`, a file of one, or ``"identical"``: a part of 64% of the picture,
        mirrored in half of all cases.
    depth : {"full", "lora", "frozen"}
        What learns of the networks; under ``"frozen"`` the head alone.
    frozen : str
        Which networks of several stay as they are whatever the depth, by number from 1: ``"1,3"``.
    head : {"none", "linear", "mlp"}
        What stands on the features, of several networks side by side: nothing, a linear layer, or two with a ReLU.
    dim, hidden : int
        What the head gives, and the numbers between its two layers; 0 for the length of the features. Of codes: the
        numbers of all books together, by default 1024, or as published 16 of each.
    embedding : {"head", "features"}
        What the trained encoder gives: what the loss saw, or the features beneath, as SimCLR does.
    sides : {"unit", "plain"}
        Whether features are scaled to norm 1 before they are put side by side, or go under a head.
    batch_norm : {"frozen", "trained"}
        Whether normalisation over the batch keeps the statistics that it came with.
    drift : bool
        Published: frozen networks train along in the first epoch. Their batches are normalised by themselves, their
        statistics drift and they drop out; after it nothing trains along, the head's layers neither. What comes out has
        the first statistics again, for the head alone was saved.
    epochs, batch : int
        Passes at most; things a step, over all processes together.
    rest : {"spread", "dropped"}
        Whether batches are of about one size, or exactly of that one: a pass then leaves out what remains.
    optimiser : {"adamw", "adam", "sgd"}
    momentum : float
    nesterov : bool
        Of SGD.
    weight_decay : float
    learning_rate, head_learning_rate : float
        Of the networks, and of the head.
    schedule : {"constant", "cosine", "steps", "rising"}
        How learning rates go down: not, to 0 at the last step, by `factors` from the steps `boundaries` on, or as the
        program of the quantizer has it (`lookalike.training.quantizer.rising_factor`).
    warmup : float
        Share of all steps over which they first go up, evenly.
    boundaries, factors : str
        ``"200,300,400"`` and ``".1,.01,.001"``.
    validation : float
        Share of the things that are held out, in [0, 1).
    patience : int
        Epochs without a lower validation loss before it stops; 0 to go on to the last.
    keep : {"best", "last"}
    rank, alpha, dropout, targets
        Of LoRA; see `lookalike.training.finetune_settings.FinetuneSettings`.
    precision : {"auto", "full", "half"}
        32-bit numbers, or bfloat16; by itself half on a GPU that has it.
    checkpoint_minutes : float
    seed : int
    """

    preset: str = ""
    mode: Mode = "corrected"
    loss: LossName = "nt-xent"
    temperature: float = 0.05
    margin: float = 1.0
    books: int = 8
    words: int = 256
    sharpness: float = 5.0
    reconstruction: float = 1.0
    stages: int = 3
    pictures: int = 2
    augmentation: str = "corrected"
    depth: Depth = "full"
    frozen: str = ""
    head: Literal["none", "linear", "mlp"] = "none"
    dim: int = 0
    hidden: int = 0
    embedding: Literal["head", "features"] = "head"
    sides: Literal["unit", "plain"] = "unit"
    batch_norm: Literal["frozen", "trained"] = "frozen"
    drift: bool = False
    epochs: int = 20
    batch: int = 32
    rest: Literal["spread", "dropped"] = "spread"
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    learning_rate: float = 3e-5
    head_learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine", "steps", "rising"] = "cosine"
    warmup: float = 0.05
    boundaries: str = "200,300,400"
    factors: str = ".1,.01,.001"
    validation: float = 0.2
    patience: int = 5
    keep: Literal["best", "last"] = "best"
    rank: int = 4
    alpha: float = 0.0
    dropout: float = 0.0
    targets: str = ""
    precision: Literal["auto", "full", "half"] = "auto"
    checkpoint_minutes: float = 10.0
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)

    @property
    def views(self) -> Augmentation:
        """What `augmentation` names."""
        return IDENTICAL if self.augmentation == "identical" else chosen_augmentation(self.augmentation)

    @property
    def parts(self) -> tuple[str, ...]:
        """What LoRA updates, taken apart."""
        return tuple(part.strip() for part in self.targets.split(",") if part.strip())

    @property
    def still(self) -> tuple[int, ...]:
        """Which networks stay as they are, by number from 0."""
        return tuple(round(number) - 1 for number in _numbers("frozen", self.frozen))

    @property
    def rates(self) -> tuple[tuple[float, float], ...]:
        """Steps, and what learning rates are multiplied by from each on."""
        return tuple(zip(_numbers("boundaries", self.boundaries), _numbers("factors", self.factors), strict=True))


CHOICES = {
    "mode": get_args(Mode),
    "loss": get_args(LossName),
    "depth": get_args(Depth),
    "head": ("none", "linear", "mlp"),
    "embedding": ("head", "features"),
    "sides": ("unit", "plain"),
    "batch_norm": ("frozen", "trained"),
    "rest": ("spread", "dropped"),
    "optimiser": ("adamw", "adam", "sgd"),
    "schedule": ("constant", "cosine", "steps", "rising"),
    "keep": ("best", "last"),
    "precision": ("auto", "full", "half"),
}

LEAST = {"stages": 1, "pictures": 2, "epochs": 1, "batch": 2, "dim": 0, "hidden": 0, "patience": 0, "seed": 0}
LEAST |= {"rank": 1, "alpha": 0, "weight_decay": 0, "books": 1, "words": 2, "reconstruction": 0}
POSITIVE = ("temperature", "margin", "learning_rate", "head_learning_rate", "checkpoint_minutes", "sharpness")
BELOW_ONE = ("momentum", "warmup", "validation", "dropout")
LORA_ONLY = {"rank", "alpha", "dropout", "targets"}
CODES_ONLY = {"books", "words", "sharpness", "reconstruction"}
WIDTH, PUBLISHED_LENGTH = 1024, 16
"""Numbers of all books together; numbers of each as published."""


def matching_settings(given: Mapping[str, Any], networks: int = 1) -> MatchingSettings:
    """Fill parameters that were not given, or are None, from the defaults of the preset, and check all.

    Parameters
    ----------
    given : mapping
        Fields of `MatchingSettings`.
    networks : int
        How many there are.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, or two do not go together.

    Examples
    --------
    >>> settings = matching_settings({"preset": "published", "epochs": 3}, networks=3)
    >>> settings.head, settings.hidden, settings.views.plain_first, settings.epochs
    ('mlp', 2000, True, 3)
    """
    known = {one.name: one.default for one in fields(MatchingSettings)}
    said = {}
    for name, value in given.items():
        if name not in known:
            raise UnknownNameError("parameter of matching", name, known)
        if value is not None:
            said[name] = of_kind(name, value, known[name], CHOICES.get(name))
    preset = said.get("preset", "")
    if preset not in PRESETS:
        raise UnknownNameError("preset", preset, [name for name in PRESETS if name])
    own = dict(PRESETS[preset])
    if preset == "published":
        own["hidden"] = 1000 if networks == 1 else 2000
    if said.get("depth") == "lora":
        own.setdefault("learning_rate", 3e-4)
    if said.get("mode", own.get("mode")) == "published":
        own |= PUBLISHED.get(preset, {})
    if said.get("loss", own.get("loss")) == "cross-quantised":
        books = max(1, said.get("books", known["books"]))
        own["dim"] = books * (PUBLISHED_LENGTH if said.get("mode") == "published" else max(1, WIDTH // books))
    made = MatchingSettings(**{**own, **said})
    for name in sorted(LORA_ONLY & set(said)) if made.depth != "lora" else ():
        raise InputError(f"{name} is for depth=lora: leave it out")
    for name in sorted(CODES_ONLY & set(said)) if made.loss != "cross-quantised" else ():
        raise InputError(f"{name} is for codes: leave it out, or give preset=quantized")
    _check_ranges(made)
    made.views  # noqa: B018 refused here, not after hours
    if made.loss == "cross-quantised":
        _check_codes(made, networks)
    _check_sense(made, networks)
    return made


def _check_ranges(made: MatchingSettings) -> None:
    for name, least in LEAST.items():
        if getattr(made, name) < least:
            raise InputError(f"{name} is at least {least}, not {getattr(made, name)}")
    for name in POSITIVE:
        if not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    for name in BELOW_ONE:
        if not 0 <= getattr(made, name) < 1:
            raise InputError(f"{name} is at least 0 and below 1, not {getattr(made, name)}")
    bounds, factors = _numbers("boundaries", made.boundaries), _numbers("factors", made.factors)
    if len(bounds) != len(factors) or list(bounds) != sorted(bounds) or not all(0 < one <= 1 for one in factors):
        raise InputError("boundaries are steps in order, and factors as many numbers above 0, at most 1")


def _check_sense(made: MatchingSettings, networks: int) -> None:
    if made.keep == "best" and not made.validation:
        raise InputError("to keep the best epoch needs things held out: give validation, or keep=last")
    if made.pictures != 2 and made.loss in ("nt-xent", "rank-hinge", "cross-quantised"):
        raise InputError(f"{made.loss} takes 2 pictures of each thing, not {made.pictures}")
    if not set(_numbers("frozen", made.frozen)) <= set(range(1, networks + 1)):
        raise InputError(f"frozen names networks by number, from 1 to {networks}, not {made.frozen!r}")
    if made.head == "none" and (made.depth == "frozen" or len(set(made.still)) == networks):
        raise InputError("frozen networks without a head have nothing to learn: give head=linear or head=mlp")
    if made.head == "none" and (made.dim or made.hidden):
        raise InputError("dim and hidden are for a head: give head=linear or head=mlp")
    if made.embedding == "features" and (made.depth == "frozen" or len(set(made.still)) == networks):
        raise InputError("under embedding=features frozen networks come out as they went in: give embedding=head")
    if made.drift and made.depth != "frozen":
        raise InputError("drift is for depth=frozen: leave it out")


def _check_codes(made: MatchingSettings, networks: int) -> None:
    if made.head != "linear" or made.embedding != "features":
        raise InputError("codes are learned by head=linear over embedding=features: give preset=quantized")
    if made.depth == "frozen" or len(set(made.still)) == networks:
        raise InputError("codes of frozen networks are learned faster by: lookalike train quantizer")
    if made.words > 256:
        raise InputError(f"words is 2 to 256, so that a word's number is a byte at most, not {made.words}")
    if made.dim % made.books or not made.dim:
        raise InputError(f"dim {made.dim} does not divide into {made.books} books: give a multiple of {made.books}")
    if made.hidden:
        raise InputError("hidden is for head=mlp: leave it out")


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(f"{name} are numbers with commas between them, not {text!r}") from None
