"""What decides a training to match: presets are configurations of one loop, and what was said counts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lookalike.core.errors import InputError
from lookalike.images.augmentation import AUGMENTATIONS, Augmentation
from lookalike.training.matching_presets import PRESETS
from lookalike.training.matching_settings import (
    CHOICES,
    CODES_ONLY,
    LORA_ONLY,
    MatchingSettings,
    matching_settings,
)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("mode", ["corrected", "published"])
def test_every_preset_is_a_configuration(preset: str, mode: str) -> None:
    made = matching_settings({"preset": preset, "mode": mode})
    others = dict.fromkeys(LORA_ONLY | (set() if preset == "quantized" else CODES_ONLY))
    assert made.as_dict() == matching_settings(made.as_dict() | others).as_dict()
    assert {one.name for one in fields(MatchingSettings)} >= set(PRESETS[preset])
    assert all(getattr(made, name) in choices for name, choices in CHOICES.items())


def test_identical_image_retrieval_as_published_skips_a_hundredth() -> None:
    corrected, published = (
        matching_settings({"preset": "identical", "mode": mode}) for mode in ("corrected", "published")
    )
    assert corrected.rates == ((200, 0.1), (300, 0.01), (400, 0.001))
    assert published.rates == ((200, 0.1), (300, 0.001), (400, 0.0001))
    for made in (corrected, published):
        assert (made.loss, made.margin, made.head, made.dim, made.patience) == ("semi-hard", 1.0, "linear", 128, 5)
        assert (made.optimiser, made.momentum, made.learning_rate) == ("sgd", 0.9, 0.003 * 64 / 512)
        assert made.views == Augmentation(area=(0.64, 0.64), aspect=(1, 1), jitter_share=0, grey=0, blur_share=0)


def test_the_published_matcher_trains_a_head_on_classifiers() -> None:
    one, three = (matching_settings({"preset": "published"}, networks) for networks in (1, 3))
    assert (one.hidden, three.hidden, one.dim, three.dim) == (1000, 2000, 1000, 1000)
    assert (one.temperature, one.batch, one.epochs, one.rest, one.keep) == (0.05, 256, 50, "dropped", "last")
    assert (one.optimiser, one.momentum, one.weight_decay, one.schedule) == ("sgd", 0.9, 1e-3, "constant")
    assert (one.depth, one.drift, one.views) == ("frozen", True, AUGMENTATIONS["published"])
    assert one.views.plain_first
    assert not matching_settings({}).views.plain_first


def test_codes_learn_as_published_or_corrected() -> None:
    corrected, published, three = (
        matching_settings({"preset": "quantized", **more}) for more in ({}, {"mode": "published"}, {"books": 3})
    )
    assert (corrected.books, corrected.words, corrected.dim, three.dim) == (8, 256, 1024, 1023)
    assert (published.books, published.words, published.dim) == (8, 16, 128)
    assert (published.temperature, published.sharpness, published.reconstruction) == (0.5, 5.0, 0.0)
    assert (published.optimiser, published.learning_rate, published.weight_decay) == ("adam", 3e-4, 1e-5)
    assert (published.batch, published.rest, published.schedule, published.sides) == (256, "dropped", "rising", "plain")


def test_what_was_said_counts(tmp_path: Path) -> None:
    (tmp_path / "mild.json").write_text('{"area": [0.5, 1.0]}')
    made = matching_settings(
        {"preset": "simclr", "epochs": 3, "batch": None, "augmentation": str(tmp_path / "mild.json")}
    )
    assert (made.epochs, made.batch, made.views.area) == (3, 256, (0.5, 1.0))
    lora = matching_settings({"depth": "lora", "targets": "q, v"})
    assert (lora.parts, lora.learning_rate) == (("q", "v"), 3e-4)
    assert matching_settings({"frozen": "1,3"}, 3).still == (0, 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "simcrl"}, "did you mean simclr"),
        ({"temprature": 1}, "did you mean temperature"),
        ({"temperature": 0}, "temperature is above 0"),
        ({"loss": "triplet"}, "loss is nt-xent or"),
        ({"augmentation": "blurry"}, "augmentation"),
        ({"pictures": 3}, "nt-xent takes 2 pictures"),
        ({"batch": 1}, "batch is at least 2"),
        ({"warmup": 1.0}, "warmup is at least 0 and below 1"),
        ({"depth": "frozen"}, "frozen networks without a head have nothing to learn"),
        ({"frozen": "1"}, "frozen networks without a head have nothing to learn"),
        ({"frozen": "2", "head": "mlp"}, "frozen names networks by number, from 1 to 1"),
        ({"frozen": "x"}, "frozen are numbers"),
        ({"dim": 8}, "dim and hidden are for a head"),
        ({"head": "mlp", "depth": "frozen", "embedding": "features"}, "come out as they went in"),
        ({"drift": True}, "drift is for depth=frozen"),
        ({"rank": 2}, "rank is for depth=lora"),
        ({"validation": 0}, "to keep the best epoch needs things held out"),
        ({"schedule": "steps", "factors": "1,2"}, "boundaries are steps in order"),
        ({"boundaries": "3,2,1"}, "boundaries are steps in order"),
        ({"nesterov": 1}, "nesterov is true or false"),
        ({"words": 16}, "words is for codes: leave it out, or give preset=quantized"),
        ({"loss": "cross-quantised"}, "give preset=quantized"),
        ({"preset": "quantized", "embedding": "head"}, "give preset=quantized"),
        ({"preset": "quantized", "depth": "frozen"}, "lookalike train quantizer"),
        ({"preset": "quantized", "words": 257}, "words is 2 to 256"),
        ({"preset": "quantized", "dim": 100}, "dim 100 does not divide into 8 books"),
        ({"preset": "quantized", "books": 0}, "books is at least 1"),
        ({"preset": "quantized", "pictures": 3}, "cross-quantised takes 2 pictures"),
        ({"preset": "quantized", "sharpness": 0}, "sharpness is above 0"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        matching_settings(given)
