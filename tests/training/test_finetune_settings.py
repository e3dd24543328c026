"""Settings of fine-tuning: the defaults of each mode and depth, one by one, and what is refused."""

from typing import Any

import pytest

from lookalike.core.errors import InputError
from lookalike.training.finetune_settings import FinetuneSettings, finetune_settings


def made(
    depth: str = "full", mode: str = "corrected", network: str = "timm:resnet18", **given: Any
) -> FinetuneSettings:
    return finetune_settings({"depth": depth, "mode": mode, **given}, network)


ODDITIES = [
    # name, published in full, published by LoRA, corrected
    ("head", "concatenated", "concatenated", "antisymmetric"),
    ("both_sides", False, False, True),
    ("flips", True, True, False),
    ("train_head", True, False, True),
    ("scale", 1.0, 1.0, 0.0),
    ("learn_scale", False, False, True),
    ("triplet_weight", 0.1, 0.1, 0.1),
    ("triplet_on", "plain", "plain", "unit"),
    ("drop_blocks", 0.0, 0.1, 0.0),
    ("batch_norm", "trained", "frozen", "frozen"),
    ("views_of", "resized", "resized", "photo"),
    ("least_area", 0.08, 0.08, 0.08),
    ("batch", 8, 8, 8),
    ("epochs", 25, 25, 25),
    ("patience", 0, 0, 5),
    ("keep", "last", "last", "best"),
    ("start", "given", "given", "given"),
    ("rank", 4, 4, 4),
    ("alpha", 0.0, 0.0, 0.0),
    ("targets", "", "", ""),
]


@pytest.mark.parametrize(("name", "full", "lora", "corrected"), ODDITIES, ids=[row[0] for row in ODDITIES])
def test_defaults_by_mode_and_depth(name: str, full: Any, lora: Any, corrected: Any) -> None:
    assert getattr(made("full", "published"), name) == full
    assert getattr(made("lora", "published"), name) == lora
    assert getattr(made("full"), name) == getattr(made("lora"), name) == corrected


@pytest.mark.parametrize(
    ("depth", "mode", "rate", "head_rate"),
    [("full", "published", 1e-5, 1e-5), ("lora", "published", 1e-4, 1e-4),
     ("full", "corrected", 1e-5, 1e-3), ("lora", "corrected", 1e-4, 1e-3)],
)  # fmt: skip
def test_learning_rates(depth: str, mode: str, rate: float, head_rate: float) -> None:
    settings = made(depth, mode)
    assert (settings.learning_rate, settings.head_learning_rate) == (rate, head_rate)


@pytest.mark.parametrize("network", ["torchvision:resnet34", "torchvision:resnet50.IMAGENET1K_V2"])
def test_published_resnets_forget_their_weights(network: str) -> None:
    assert made("full", "published", network).start == "random"
    assert made("full", "published", network, start="given").start == "given"
    assert made("full", "corrected", network).start == "given"
    assert made("lora", "published", network).start == "given"
    assert made("full", "published", "torchvision:resnet18").start == "given"


def test_networks_of_places_have_a_layer_of_their_own() -> None:
    assert made("full", "published", "places365:resnet18").triplet_on == "layer"
    assert made("full", "corrected", "places365:resnet18").triplet_on == "unit"


def test_cvnet_is_refused_as_the_published_program_cannot_train_it() -> None:
    with pytest.raises(InputError, match="the published program cannot fine-tune cvnet"):
        made("full", "published", "cvnet:resnet50")
    assert made("full", "corrected", "cvnet:resnet50").depth == "full"


def test_what_was_said_counts_and_none_is_nothing_said() -> None:
    settings = made("lora", "published", epochs=None, learning_rate=1, train_head=True, targets="q, v ,proj", rank=8)
    assert (settings.epochs, settings.learning_rate, settings.train_head) == (25, 1.0, True)
    assert isinstance(settings.learning_rate, float)
    assert settings.parts == ("q", "v", "proj")
    assert settings.as_dict()["rank"] == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"depth": "frozen"}, "depth is lora or full, not 'frozen'"),
        ({"mode": "legacy"}, "mode is corrected or published"),
        ({"head": "linear"}, "head is antisymmetric or concatenated"),
        ({"keep": "first"}, "keep is best or last"),
        ({"precision": "double"}, "precision is auto or full or half"),
        ({"views_of": "squashed"}, "views_of is photo or resized"),
        ({"epochs": 0}, "epochs is at least 1, not 0"),
        ({"epochs": 1.5}, "epochs is a whole number, not 1.5"),
        ({"epochs": True}, "epochs is a whole number"),
        ({"learning_rate": 0}, "learning_rate is above 0"),
        ({"learning_rate": "fast"}, "learning_rate is a finite number"),
        ({"learning_rate": float("nan")}, "learning_rate is a finite number"),
        ({"flips": 1}, "flips is true or false, not 1"),
        ({"validation": 1.0}, "validation is at least 0 and below 1"),
        ({"validation": 0}, "to keep the best epoch needs judgments held out"),
        ({"least_area": 1.5}, "least_area is a share"),
        ({"rank": 8}, "rank is for depth=lora"),
        ({"targets": "q"}, "targets is for depth=lora"),
        ({"depth": "lora", "rank": 0}, "rank is at least 1"),
        ({"depth": "lora", "dropout": -0.1}, "dropout is at least 0"),
        ({"depth": "lora", "targets": 3}, "targets is text"),
        ({"depth": "lora", "start": "random"}, "start=random is for depth=full"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        finetune_settings(given)
