"""How a student network is taught: what the user said, else our defaults; no PyTorch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.images.augmentation import Augmentation, chosen_augmentation
from lookalike.training.finetune_settings import of_kind

__all__ = ["DistillSettings", "distill_settings"]


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """All that decides a distillation, beside the student, the teachers and the pictures.

    Attributes
    ----------
    views : int
        Views of every picture that the teachers are asked about, beside the picture as it is.
    augmentation : str
        What views are: a name of `lookalike.images.augmentation.AUGMENTATIONS`, or a file of one.
    copies : int
        Edited copies of every picture (the augmentation ``"copies"``), which no teacher is asked about: the student
        should say of them what teachers say of the picture as it is, so that it knows it again.
    copied : float
        How often a step shows one of them in the place of a second view, in [0, 1].
    learns : {"all", "summit"}
        The network and what lies above its taps, or the latter alone: then the network is asked once about every
        view, and a pass takes seconds.
    dim : int
        Length of the student's global vector.
    hidden : int
        Numbers between the two layers of its head.
    teacher_dim : int
        What each teacher's features are reduced to by principal components, at most.
    match, relation, neighbours, contrast : float
        Weights of the parts of the loss: what each teacher says of each picture, through a head per teacher; how alike
        pictures are to the teachers together; which are near, from the nearest on; and that two views of a picture are
        nearer than any other picture (NT-Xent).
    temperature : float
        Of `neighbours` and of `contrast`.
    epochs, batch : int
        Passes; pictures a step, each in two views, over all processes together.
    matrix_rate : float
        Learning rate of convolutions; see `lookalike.training.muon.Muon`.
    learning_rate : float
        Of all else, which AdamW learns (Loshchilov and Hutter, 2019).
    weight_decay : float
        Of both.
    warmup, cooldown : float
        Passes over which learning rates go up at first, and down to 0 at the end. Between they stay: a training that
        was cut off can go on with more passes, or with as few as it takes to cool down.
    validation : float
        Share of the pictures that are held out, in [0, 1).
    patience : int
        Epochs without a lower validation loss before it stops; 0 to go on to the last.
    keep : {"best", "last"}
        The weights of the lowest validation loss, or of the last epoch.
    precision : {"auto", "full", "half"}
        32-bit numbers, or bfloat16; by itself half on a GPU that has it.
    checkpoint_minutes : float
        After so long a checkpoint is written within an epoch, too; there is one after every epoch.
    seed : int
    """

    views: int = 4
    augmentation: str = "mild"
    copies: int = 0
    copied: float = 0.3
    learns: Literal["all", "summit"] = "all"
    dim: int = 256
    hidden: int = 1024
    teacher_dim: int = 512
    match: float = 1.0
    relation: float = 5.0
    neighbours: float = 1.0
    contrast: float = 0.1
    temperature: float = 0.1
    epochs: int = 40
    batch: int = 128
    matrix_rate: float = 0.02
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 1.0
    cooldown: float = 8.0
    validation: float = 0.03
    patience: int = 0
    keep: Literal["best", "last"] = "last"
    precision: Literal["auto", "full", "half"] = "auto"
    checkpoint_minutes: float = 10.0
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by name."""
        return asdict(self)

    @property
    def looks(self) -> Augmentation:
        """What `augmentation` names."""
        return chosen_augmentation(self.augmentation)


CHOICES = {"keep": ("best", "last"), "learns": ("all", "summit"), "precision": ("auto", "full", "half")}
LEAST = {"views": 1, "dim": 2, "hidden": 1, "teacher_dim": 2, "epochs": 1, "batch": 2, "patience": 0, "seed": 0}
LEAST |= {"match": 0, "relation": 0, "neighbours": 0, "contrast": 0, "weight_decay": 0}
LEAST |= {"warmup": 0, "cooldown": 0, "copies": 0}
POSITIVE = ("temperature", "matrix_rate", "learning_rate", "checkpoint_minutes")


def distill_settings(given: Mapping[str, Any]) -> DistillSettings:
    """Fill parameters that were not given, or are None, from the defaults, and check all.

    Parameters
    ----------
    given : mapping
        Fields of `DistillSettings`.

    Raises
    ------
    InputError
        A parameter is unknown or out of range, or two do not go together.

    Examples
    --------
    >>> distill_settings({"epochs": 3, "dim": None}).dim
    256
    """
    known = {one.name: one.default for one in fields(DistillSettings)}
    said = {}
    for name, value in given.items():
        if name not in known:
            raise UnknownNameError("parameter of distillation", name, known)
        if value is not None:
            said[name] = of_kind(name, value, known[name], CHOICES.get(name))
    made = DistillSettings(**said)
    _check(made)
    made.looks  # noqa: B018 refused here, not after hours
    return made


def _check(made: DistillSettings) -> None:
    for name, least in LEAST.items():
        if getattr(made, name) < least:
            raise InputError(f"{name} is at least {least}, not {getattr(made, name)}")
    for name in POSITIVE:
        if not getattr(made, name) > 0:
            raise InputError(f"{name} is above 0, not {getattr(made, name)}")
    if not 0 <= made.copied <= 1:
        raise InputError(f"copied is between 0 and 1, not {made.copied}")
    if not 0 <= made.validation < 1:
        raise InputError(f"validation is at least 0 and below 1, not {made.validation}")
    if not made.match and not made.relation and not made.neighbours:
        raise InputError("nothing is learned from the teachers: give match, relation or neighbours a weight")
    if made.keep == "best" and not made.validation:
        raise InputError("to keep the best epoch needs pictures held out: give validation, or keep=last")
