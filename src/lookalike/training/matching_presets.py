"""Published ways to train networks to match, as parameters of one loop.

What each says of `lookalike.training.matching_settings.MatchingSettings`; the rest is as there by default.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS", "PUBLISHED"]

SGD: dict[str, Any] = {"optimiser": "sgd", "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}

PRESETS: dict[str, dict[str, Any]] = {
    "": {},
    # Chen et al. (2020), for batches of hundreds: SGD, where LARS is for thousands. What is used lies under the head.
    "simclr": {
        "temperature": 0.1,
        "head": "mlp",
        "dim": 128,
        "embedding": "features",
        "batch_norm": "trained",
        "batch": 256,
        "epochs": 100,
        "patience": 0,
        "optimiser": "sgd",
        "weight_decay": 1e-6,
        "learning_rate": 0.03,
        "head_learning_rate": 0.03,
        "warmup": 0.1,
    },
    # Identical image retrieval: semi-hard triplets of 128 numbers; its pictures are cut and mirrored alone.
    "identical": {
        **SGD,
        "loss": "semi-hard",
        "head": "linear",
        "dim": 128,
        "sides": "plain",
        "augmentation": "identical",
        "batch": 32,
        "epochs": 50,
        "learning_rate": 3.75e-4,
        "head_learning_rate": 3.75e-4,
        "schedule": "steps",
    },
    # SimNet: the contrastive loss of pairs that grow harder in stages; for `simnet:BACKBONE`.
    "curriculum": {
        **SGD,
        "loss": "curriculum",
        "epochs": 30,
        "patience": 0,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
        "schedule": "cosine",
    },
    # The program after deep ranking; for `deeprank:vgg16`.
    "deeprank": {
        **SGD,
        "loss": "rank-hinge",
        "nesterov": True,
        "epochs": 30,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
    },
    # Self-supervised product quantization, the network learning along; views are mild, as for codes of frozen features.
    "quantized": {
        "loss": "cross-quantised",
        "temperature": 0.5,
        "head": "linear",
        "embedding": "features",
        "augmentation": "mild",
        "batch": 64,
        "weight_decay": 0.0,
    },
    # The proposal of contrastive matching: frozen classifiers, of which the logits go under a head of 1,000 numbers.
    "published": {
        **SGD,
        "mode": "published",
        "augmentation": "published",
        "depth": "frozen",
        "head": "mlp",
        "dim": 1000,
        "sides": "plain",
        "drift": True,
        "rest": "dropped",
        "batch": 256,
        "epochs": 50,
        "weight_decay": 1e-3,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
        "validation": 0.0,
        "patience": 0,
        "keep": "last",
    },
}

PUBLISHED: dict[str, dict[str, Any]] = {
    "identical": {"factors": ".1,.001,.0001", "validation": 0.15},
    "quantized": {
        "words": 16,
        "reconstruction": 0.0,
        "augmentation": "corrected",
        "sides": "plain",
        "batch_norm": "trained",
        "optimiser": "adam",
        "weight_decay": 1e-5,
        "learning_rate": 3e-4,
        "head_learning_rate": 3e-4,
        "schedule": "rising",
        "warmup": 0.0,
        "batch": 256,
        "rest": "dropped",
        "epochs": 2000,
        "validation": 0.0,
        "patience": 0,
        "keep": "last",
    },
}
"""What presets do otherwise in the published mode, beside what the losses and the head of codes do."""
