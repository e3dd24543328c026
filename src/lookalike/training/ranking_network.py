"""A network with a ranking head on top: what is trained when a whole network is fine-tuned on judgments.

What the published program does otherwise than one would expect is chosen by `FinetuneSettings`, whose defaults in the
mode ``"published"`` keep all of it: a head that stays random under LoRA, and need not agree with itself when a and b
are swapped; embeddings whose length counts; a layer normalisation that only the triplet loss sees (networks of places);
dropout in every block (LoRA); ResNet-34 and ResNet-50 that forget their weights. That its ResNet-18 computes a
convolution of every block twice changes nothing, and is left out.

This module imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import layer_norm, normalize

from lookalike.core.errors import EncoderError
from lookalike.encoders.card import NetworkCard
from lookalike.encoders.name import parse_name
from lookalike.encoders.network import NetworkEncoder
from lookalike.encoders.tapped import Tapped
from lookalike.training.backbone import batch_norms, check_same, freeze_idle, half_precision, learning_copy, merged_copy
from lookalike.training.finetune_settings import FinetuneSettings
from lookalike.training.plan import Head

__all__ = ["Answers", "RankingNetwork", "batch_norms", "plain_network", "ranking_network", "trained_encoder"]

BLOCK_DROPOUTS = ("attn_drop", "proj_drop", "drop2")
"""What timm's blocks call the dropouts after the weights of attention, after attention, and after what follows it."""

Answers: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""See `RankingNetwork.forward`."""


class RankingNetwork(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """Three pictures of each question in, embeddings and the log odds of the answers out.

    Parameters
    ----------
    encoder : Tapped
        Normalised pixels to embeddings.
    dim : int
        Their length.
    head : callable
        Formula of the ranking head.
    weights : mapping of str to float32 array
        Of the head, before training.
    settings : FinetuneSettings

    Attributes
    ----------
    half : bool
        Whether the encoder runs in bfloat16; the head never does.
    """

    def __init__(
        self, encoder: Tapped, dim: int, head: Head, weights: Mapping[str, NDArray[Any]], settings: FinetuneSettings
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = dim
        self._formula = head
        self._settings = settings
        self.head = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(value), settings.train_head) for name, value in weights.items()}
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(settings.scale or 1.0)), settings.learn_scale)
        self.half = False
        self.gain, self.shift = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, pixels: torch.Tensor) -> Answers:
        """Answer questions.

        Parameters
        ----------
        pixels : float (3 n, 3, H, W)
            Normalised: all references, then all candidates a, then all candidates b.

        Returns
        -------
        embeddings : float (3, n, D)
            What the order triplet loss takes.
        odds, other : float (n,)
            Log odds that a is closer; `other` as they are where the same is asked with a and b swapped.
        """
        return self.answers(self.embeddings(pixels))

    def embeddings(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embed pictures, float (m, 3, H, W) to float32 (m, D), as the head takes them."""
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.half):
            z = self.encoder(pixels).float()
        return normalize(z) if self._settings.triplet_on == "unit" else z

    def answers(self, z: torch.Tensor) -> Answers:
        """Answer questions from embeddings, float (3 n, D); see `forward`."""
        places = torch.arange(len(z), device=z.device).view(3, -1)
        odds = self.odds(z, places)
        both = self._settings.both_sides and self._settings.head != "antisymmetric"
        other = -self.odds(z, places[[0, 2, 1]]) if both else odds
        if self._settings.triplet_on == "layer":
            z = layer_norm(z, z.shape[1:], self.gain, self.shift)
        return z.view(3, -1, z.shape[1]), odds, other

    def odds(self, z: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the log odds that a is closer, of questions int (3, n) about embeddings (m, D)."""
        return self.log_scale.exp() * self._formula(z, places, dict(self.head.items()))

    def trained(self) -> dict[str, nn.Parameter]:
        """Return what learns, by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def learning(self) -> None:
        """Go to training: normalisation over the batch only where it is to be trained."""
        self.train()
        if self._settings.batch_norm == "frozen":
            for layer in batch_norms(self):
                layer.eval()


def ranking_network(
    encoder: NetworkEncoder,
    head: Head,
    weights: Mapping[str, NDArray[Any]],
    settings: FinetuneSettings,
) -> RankingNetwork:
    """Make what is trained of an encoder, which stays as it is. The weights that take part are the ones that learn.

    Parameters
    ----------
    encoder : NetworkEncoder
    head : callable
        Formula of the ranking head.
    weights : mapping of str to float32 array
        Of the head; its embeddings have `encoder.spec.dim` numbers.
    settings : FinetuneSettings

    Raises
    ------
    EncoderError
        LoRA finds no layers, or nothing that would learn takes part in the features.
    InputError
        An argument of LoRA is out of range, or the device does not compute in bfloat16.
    """
    tapped = encoder.module
    half = half_precision(settings.precision, encoder.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        inner = _adapted(tapped.module, settings)
    # Taps are hung in anew: a layer that LoRA replaced is to be read with its update.
    again = Tapped(inner, tapped.layers, tapped.pool, tapped.tokens, tapped.norm)
    network = RankingNetwork(again, encoder.spec.dim, head, weights, settings)
    network.to(encoder.device)
    if settings.start == "given":
        check_same(again, encoder)
    _freeze_idle(network, encoder)
    network.half = half
    return network


def trained_encoder(network: RankingNetwork, encoder: NetworkEncoder, card: NetworkCard) -> NetworkEncoder:
    """Return the network inside as an encoder of its own, in 32-bit numbers, with a card of its own.

    Parameters
    ----------
    network : RankingNetwork
        Made of `encoder`; it stays as it is.
    encoder : NetworkEncoder
    card : NetworkCard
    """
    name, tapped = parse_name(encoder.spec.name), encoder.module
    name = replace(name, options={**name.options, "precision": "full"})
    module = Tapped(plain_network(network), tapped.layers, tapped.pool, tapped.tokens, tapped.norm)
    return NetworkEncoder(name, module, card, encoder.device, "")


def _adapted(network: nn.Module, settings: FinetuneSettings) -> nn.Module:
    """Return a copy of a network whose weights learn as the settings say."""
    adapted = learning_copy(network, settings)
    if settings.start == "random":
        _forget(adapted)
    for block in adapted.modules() if settings.drop_blocks else ():
        for dropout in (getattr(block, name, None) for name in BLOCK_DROPOUTS):
            if isinstance(dropout, nn.Dropout):
                dropout.p = settings.drop_blocks
    return adapted


def plain_network(network: RankingNetwork) -> nn.Module:
    """Return a copy of the network inside, updates merged: its tensors are named as before training."""
    return merged_copy(network.encoder.module)


def _forget(network: nn.Module) -> None:
    """Draw the weights of a convolutional network anew, as torchvision does for one without published weights."""
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d | nn.Linear):
            layer.reset_parameters()
        elif next(layer.parameters(recurse=False), None) is not None:
            raise EncoderError(f"start=random: it is not known how the weights of '{path}' are drawn; leave it out")


def _freeze_idle(network: RankingNetwork, encoder: NetworkEncoder) -> None:
    """Freeze what takes no part in what comes out."""
    pictures = torch.zeros(3, 3, *encoder.spec.input_size, device=encoder.device)

    def outputs(run: nn.Module) -> torch.Tensor:
        embeddings, odds, other = run(pictures)
        return embeddings.square().sum() + odds.sum() + other.sum()

    freeze_idle(network, outputs)
    if not any(parameter.requires_grad for parameter in network.encoder.parameters()):
        raise EncoderError(f"{encoder.spec.name}: nothing that would learn takes part in its features")
