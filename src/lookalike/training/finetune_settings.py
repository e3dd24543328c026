"""How a network is fine-tuned on judgments: what the user said, else what suits the mode and the depth; no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError

__all__ = [
    "BatchNorm",
    "Depth",
    "FinetuneSettings",
    "Mode",
    "Precision",
    "Start",
    "TripletOn",
    "ViewsOf",
    "finetune_settings",
    "of_kind",
]

Depth: TypeAlias = Literal["lora", "full"]
Mode: TypeAlias = Literal["corrected", "published"]
TripletOn: TypeAlias = Literal["unit", "plain", "layer"]
Start: TypeAlias = Literal["given", "random"]
BatchNorm: TypeAlias = Literal["frozen", "trained"]
ViewsOf: TypeAlias = Literal["photo", "resized"]
Precision: TypeAlias = Literal["auto", "full", "half"]


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """All that decides a training, beside the network and the judgments.

    Attributes
    ----------
    depth : {"lora", "full"}
        Whether low-rank updates are trained, or every weight.
    mode : {"corrected", "published"}
        Which defaults hold, and whether the other oddities of the published program are kept (see
        `lookalike.training.ranking_network`).
    start : {"given", "random"}
        Whether training begins with the weights of the encoder, or forgets them first (convolutional networks only).
    head : {"antisymmetric", "concatenated"}
        See `lookalike.similarity.heads`.
    train_head : bool
        Whether the ranking head learns. Published: not under LoRA, where it stays as random as it began.
    both_sides : bool
        Whether a head that treats a and b apart answers every question both ways.
    flips : bool
        Whether every question is also asked with a and b swapped, as rows of their own.
    scale : float
        What the log odds of the head are multiplied by at first; 0 for what suits the network as it comes.
    learn_scale : bool
    triplet_weight : float
        Of the order triplet loss beside the cross-entropy.
    triplet_on : {"unit", "plain", "layer"}
        What the order triplet loss takes: embeddings of length 1, which the head then takes too; embeddings as they
        are; or these after a layer normalisation of its own, which is learned.
    drop_blocks : float
        Share of what the blocks of a transformer of timm add, and of the weights of their attention, that is left out
        while training.
    batch_norm : {"frozen", "trained"}
        Whether normalisation over the batch keeps the statistics that it came with.
    epochs, batch : int
        Passes at most; questions a step, over all processes together.
    learning_rate, head_learning_rate : float
        Of Adam (Kingma and Ba, 2015), without decay.
    validation : float
        Share of the judgments that are held out, in [0, 1).
    patience : int
        Epochs without a lower validation loss before it stops; 0 to go on to the last.
    keep : {"best", "last"}
        The weights of the lowest validation loss, or of the last epoch.
    rank : int
        LoRA: of the updates.
    alpha : float
        LoRA: updates are scaled by ``alpha / rank``; 0 for no scaling.
    dropout : float
        LoRA: share of the inputs of an update that are left out while training.
    targets : str
        LoRA: what is updated, such as ``"q,v"``; see `lookalike.training.lora.with_lora`.
    least_area : float
        Least share of a picture that a training view shows; see `lookalike.images.views.ViewPlan`.
    views_of : {"photo", "resized"}
        Whether views are cut from the photo, or from what the encoder is otherwise given: small already, and out of
        proportion.
    precision : {"auto", "full", "half"}
        32-bit numbers, or bfloat16 where it does no harm; by itself half on a GPU that has it, else full.
    checkpoint_minutes : float
        After so long a checkpoint is written within an epoch, too; there is one after every epoch.
    seed : int
    """

    depth: Depth = "full"
    mode: Mode = "corrected"
    start: Start = "given"
    head: str = "antisymmetric"
    train_head: bool = True
    both_sides: bool = True
    flips: bool = False
    scale: float = 0.0
    learn_scale: bool = True
    triplet_weight: float = 0.1
    triplet_on: TripletOn = "unit"
    drop_blocks: float = 0.0
    batch_norm: BatchNorm = "frozen"
    epochs: int = 25
    batch: int = 8
    learning_rate: float = 1e-5
    head_learning_rate: float = 1e-3
    validation: float = 0.2
    patience: int = 5
    keep: Literal["best", "last"] = "best"
    rank: int = 4
    alpha: float = 0.0
    dropout: float = 0.0
    targets: str = ""
    least_area: float = 0.08
    views_of: ViewsOf = "photo"
    precision: Precision = "auto"
    checkpoint_minutes: float = 10.0
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)

    @property
    def parts(self) -> tuple[str, ...]:
        """What LoRA updates, taken apart."""
        return tuple(part.strip() for part in self.targets.split(",") if part.strip())


CHOICES = {
    "depth": get_args(Depth),
    "mode": get_args(Mode),
    "start": get_args(Start),
    "head": ("antisymmetric", "concatenated"),
    "triplet_on": get_args(TripletOn),
    "batch_norm": get_args(BatchNorm),
    "views_of": get_args(ViewsOf),
    "precision": get_args(Precision),
    "keep": ("best", "last"),
}

PUBLISHED: dict[str, Any] = {
    "head": "concatenated",
    "both_sides": False,
    "flips": True,
    "scale": 1.0,
    "learn_scale": False,
    "triplet_on": "plain",
    "batch_norm": "trained",
    "views_of": "resized",
    "patience": 0,
    "keep": "last",
}

OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("corrected", "full"): {},
    ("corrected", "lora"): {"learning_rate": 1e-4},
    ("published", "full"): {**PUBLISHED, "head_learning_rate": 1e-5},
    ("published", "lora"): {
        **PUBLISHED,
        "learning_rate": 1e-4,
        "head_learning_rate": 1e-4,
        "train_head": False,
        "batch_norm": "frozen",
        "drop_blocks": 0.1,
    },
}

LEAST = {"epochs": 1, "batch": 1, "rank": 1, "patience": 0, "seed": 0, "triplet_weight": 0, "alpha": 0, "scale": 0}
POSITIVE = ("learning_rate", "head_learning_rate", "least_area", "checkpoint_minutes")
LORA_ONLY = {"rank", "alpha", "dropout", "targets"}
BELOW_ONE = ("drop_blocks", "dropout", "validation")


def finetune_settings(given: Mapping[str, Any], network: str = "") -> FinetuneSettings:
    """Fill parameters that were not given, or are None, from the defaults of the mode and the depth, and check all.

    Parameters
    ----------
    given : mapping
        Fields of `FinetuneSettings`.
    network : str
        ``FAMILY:MODEL`` of the encoder: some have an oddity of their own in the published mode.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, or the published program cannot do this.

    Examples
    --------
    >>> settings = finetune_settings({"depth": "lora", "mode": "published", "epochs": 3})
    >>> settings.head, settings.train_head, settings.learning_rate, settings.epochs
    ('concatenated', False, 0.0001, 3)
    """
    known = {one.name: one.default for one in fields(FinetuneSettings)}
    said = {}
    for name, value in given.items():
        if name not in known:
            raise UnknownNameError("parameter of fine-tuning", name, known)
        if value is not None:
            said[name] = of_kind(name, value, known[name], CHOICES.get(name))
    mode, depth = said.get("mode", "corrected"), said.get("depth", "full")
    own = dict(OWN[mode, depth])
    if mode == "published":
        own |= _of_network(network, depth)
    made = FinetuneSettings(**{**own, **said})
    for name in sorted(LORA_ONLY & set(said)) if depth == "full" else ():
        raise InputError(f"{name} is for depth=lora: leave it out")
    _check(made)
    return made


def _of_network(network: str, depth: Depth) -> dict[str, Any]:
    """Return the oddities of single networks in the published program."""
    family, _, model = network.partition(":")
    if family == "cvnet":
        raise InputError(
            "the published program cannot fine-tune cvnet, which has no ranking head there: leave out mode"
        )
    if family == "torchvision" and model.partition(".")[0] in ("resnet34", "resnet50") and depth == "full":
        return {"start": "random"}
    return {"triplet_on": "layer"} if family == "places365" else {}


def of_kind(name: str, value: Any, default: Any, choices: Sequence[str] | None = None) -> Any:
    """Return a value of the kind of the default, or refuse it; a whole number will do where a number is wanted.

    Raises
    ------
    InputError
        The value is of another kind, or none of the choices.

    Examples
    --------
    >>> of_kind("rate", 1, 0.5)
    1.0
    """
    if choices and value not in choices:
        raise InputError(f"{name} is {' or '.join(choices)}, not {value!r}")
    if isinstance(default, str):
        right, wanted = isinstance(value, str), "text"
    elif isinstance(default, bool):
        right, wanted = isinstance(value, bool | np.bool_), "true or false"
    elif isinstance(default, int):
        right, wanted = isinstance(value, Integral) and not isinstance(value, bool), "a whole number"
    else:
        right, wanted = isinstance(value, Real) and not isinstance(value, bool), "a finite number"
        right = right and bool(np.isfinite(float(value)))
    if not right:
        raise InputError(f"{name} is {wanted}, not {value!r}")
    return type(default)(value)


def _check(made: FinetuneSettings) -> None:
    for name, least in LEAST.items():
        if getattr(made, name) < least:
            raise InputError(f"{name} is at least {least}, not {getattr(made, name)}")
    for name in POSITIVE:
        if not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    for name in BELOW_ONE:
        if not 0 <= getattr(made, name) < 1:
            raise InputError(f"{name} is at least 0 and below 1, not {getattr(made, name)}")
    if made.least_area > 1:
        raise InputError(f"least_area is a share of the picture, not {made.least_area}")
    if made.start == "random" and made.depth == "lora":
        raise InputError(
            "start=random is for depth=full: low-rank updates of a network that knows nothing lead nowhere"
        )
    if made.keep == "best" and not made.validation:
        raise InputError("to keep the best epoch needs judgments held out: give validation, or keep=last")
