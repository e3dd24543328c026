"""Networks that are trained to match: one, or several side by side, with or without a head on top.

What frozen networks do while a head on them is trained is chosen by `MatchingSettings.drift`: in the published program
they are in the state of training at first, although nothing of them learns.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import normalize

from lookalike.core.errors import EncoderError, InputError
from lookalike.encoders.card import NetworkCard
from lookalike.encoders.name import EncoderName, parse_name
from lookalike.encoders.network import NetworkEncoder
from lookalike.encoders.tapped import Tapped
from lookalike.training.backbone import batch_norms, check_same, freeze_idle, half_precision, learning_copy, merged_copy
from lookalike.training.matching_settings import MatchingSettings

__all__ = ["Branch", "Joined", "MatchingNetwork", "made_head", "matching_network", "trained_matcher"]

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Branch(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """One of the networks.

    Parameters
    ----------
    encoder : Tapped
        Pixels, normalised as it expects them, to features.
    like, own : NetworkCard
        How pixels come, and how this network expects them.
    learns : bool
        Whether gradients go through it.
    """

    def __init__(self, encoder: Tapped, like: NetworkCard, own: NetworkCard, learns: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.learns = learns
        pairs = zip(like.mean, like.std, own.mean, own.std, strict=True)
        gain, shift = zip(*((std / to, (mean - at) / to) for mean, std, at, to in pairs), strict=True)
        self.register_buffer("gain", torch.tensor(gain).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(shift).view(1, 3, 1, 1), persistent=False)
        self.same = (like.mean, like.std) == (own.mean, own.std)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map pixels (n, 3, H, W) to features (n, D)."""
        own = pixels if self.same else pixels * self.gain + self.shift
        with torch.set_grad_enabled(self.learns and torch.is_grad_enabled()):
            features: torch.Tensor = self.encoder(own)
        return features


class Joined(nn.Module):  # type: ignore[misc]
    """Pictures to what an encoder gives: features of one network or several side by side, then a head.

    Parameters
    ----------
    branches : sequence of Branch
    head : nn.Module
    unit : bool
        Whether features are scaled to norm 1 first, each network's by themselves.
    """

    def __init__(self, branches: Sequence[Branch], head: nn.Module, unit: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.head = head
        self.unit = unit

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map pixels (n, 3, H, W) to the features beneath the head, (n, D)."""
        sides = [branch(pixels) for branch in self.branches]
        return torch.cat([normalize(side) for side in sides] if self.unit else sides, dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map pixels (n, 3, H, W) to what the head gives, (n, E)."""
        return self.head(self.features(pixels))


class MatchingNetwork(nn.Module):  # type: ignore[misc]
    """What is trained.

    Parameters
    ----------
    joined : Joined
    settings : MatchingSettings
    half : bool
        Whether the networks run in bfloat16; the head never does.

    Attributes
    ----------
    width, dim : int
        Length of what `features` and `embeddings` give.
    """

    def __init__(self, joined: Joined, width: int, settings: MatchingSettings, half: bool) -> None:
        super().__init__()
        self.joined = joined
        self.half = half
        self.width = self.dim = width
        self._settings = settings
        self._first = {name: value.clone() for name, value in joined.named_buffers() if name.endswith(STATISTICS)}

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what the loss takes of normalised pictures, float (n, 3, H, W) to float32 (n, E)."""
        z: torch.Tensor = self.joined.head(self.features(pixels))
        return z

    def embeddings(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what the trained encoder will give, float (n, 3, H, W) to float32 (n, D)."""
        features = self.features(pixels)
        return features if self._settings.embedding == "features" else self.joined.head(features)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what lies beneath the head, float (n, 3, H, W) to float32 (n, `width`)."""
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.half):
            return self.joined.features(pixels).float()

    def trained(self) -> dict[str, nn.Parameter]:
        """Return what learns, by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def learning(self, epoch: int) -> None:
        """Go to training: what is frozen stays as it is where it is used, in what it drops and what it normalises by.

        Published (`drift`): all of it trains along in the first epoch. Measuring then ends that for good.
        """
        if self._settings.drift:
            self.train(epoch == 1)
            return
        self.train()
        for branch in self.joined.branches:
            if not branch.learns:
                branch.eval()
            elif self._settings.batch_norm == "frozen":
                for layer in batch_norms(branch):
                    layer.eval()

    def reload_frozen(self) -> None:
        """Give frozen networks the statistics that they came with, as loading them again does."""
        with torch.no_grad():
            for number, branch in enumerate(self.joined.branches):
                inside = f"branches.{number}."
                for name, value in branch.named_buffers() if not branch.learns else ():
                    if inside + name in self._first:
                        value.copy_(self._first[inside + name])


def matching_network(
    encoders: Sequence[NetworkEncoder], settings: MatchingSettings, head: nn.Module | None = None
) -> MatchingNetwork:
    """Make what is trained of encoders, which stay as they are. The weights that take part are the ones that learn.

    Parameters
    ----------
    encoders : sequence of NetworkEncoder
        Side by side; pixels come as the first expects them.
    settings : MatchingSettings
    head : nn.Module, optional
        Another one than the settings name: features float (n, D) to what the loss takes, float (n, E).

    Raises
    ------
    EncoderError
        LoRA finds no layers, or nothing that would learn takes part in what comes out.
    InputError
        They take pictures of different sizes, or the device does not compute in bfloat16.
    """
    _check_sizes(encoders)
    first = encoders[0]
    half = half_precision(settings.precision, first.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        branches = [_branch(one, first, number, settings) for number, one in enumerate(encoders)]
        width = sum(one.spec.dim for one in encoders)
        head = head or made_head(width, settings)
    unit = settings.sides == "unit" and (len(encoders) > 1 or not isinstance(head, nn.Identity))
    network = MatchingNetwork(Joined(branches, head, unit), width, settings, half)
    network.to(first.device)
    _freeze_idle(network, first)
    return network


def made_head(width: int, settings: MatchingSettings) -> nn.Module:
    """Return the head that settings name, with weights of chance.

    Examples
    --------
    >>> from lookalike.training.matching_settings import matching_settings
    >>> made_head(3000, matching_settings({"preset": "published"}, networks=3))
    Sequential(
      (0): Linear(in_features=3000, out_features=2000, bias=True)
      (1): ReLU()
      (2): Linear(in_features=2000, out_features=1000, bias=True)
    )
    """
    dim, hidden = settings.dim or width, settings.hidden or width
    if settings.head == "none":
        return nn.Identity()
    if settings.head == "linear":
        return nn.Linear(width, dim)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, dim))


def trained_matcher(
    network: MatchingNetwork, encoders: Sequence[NetworkEncoder], settings: MatchingSettings
) -> NetworkEncoder:
    """Return what was trained as an encoder of its own, updates merged, in 32-bit numbers.

    Parameters
    ----------
    network : MatchingNetwork
        Made of `encoders`; it stays as it is.
    encoders : sequence of NetworkEncoder
    settings : MatchingSettings
    """
    first, branches = encoders[0], []
    for branch, encoder in zip(network.joined.branches, encoders, strict=True):
        tapped = branch.encoder
        plain = Tapped(merged_copy(tapped.module), tapped.layers, tapped.pool, tapped.tokens, tapped.norm)
        branches.append(Branch(plain, first.card, encoder.card, learns=False))
    head = nn.Identity() if settings.embedding == "features" else merged_copy(network.joined.head)
    joined = Joined(branches, head, network.joined.unit)
    return NetworkEncoder(_joined_name(encoders), Tapped(joined), first.card, first.device, "")


def _branch(encoder: NetworkEncoder, first: NetworkEncoder, number: int, settings: MatchingSettings) -> Branch:
    tapped, learns = encoder.module, settings.depth != "frozen" and number not in settings.still
    inner = learning_copy(tapped.module, settings) if learns else merged_copy(tapped.module).requires_grad_(False)
    # Taps are hung in anew: a layer that LoRA replaced is to be read with its update.
    again = Tapped(inner, tapped.layers, tapped.pool, tapped.tokens, tapped.norm)
    check_same(again, encoder)
    return Branch(again, first.card, encoder.card, learns)


def _joined_name(encoders: Sequence[NetworkEncoder]) -> EncoderName:
    names = [parse_name(one.spec.name) for one in encoders]
    if len(names) > 1:
        return EncoderName("joined", "+".join(name.recipe for name in names))
    options = {**names[0].options, "precision": "full"}
    return EncoderName(names[0].family, names[0].model, names[0].layers, options, names[0].weights)


def _check_sizes(encoders: Sequence[NetworkEncoder]) -> None:
    first = encoders[0]
    for other in encoders[1:]:
        if (other.card.input_size, other.card.resize) != (first.card.input_size, first.card.resize):
            one, two = (
                f"{some.spec.name} takes {some.card.input_size[0]} x {some.card.input_size[1]} ({some.card.resize})"
                for some in (first, other)
            )
            raise InputError(f"networks side by side see one picture: {one}, {two}; give one of them a size=N")


def _freeze_idle(network: MatchingNetwork, encoder: NetworkEncoder) -> None:
    """Freeze what takes no part in what comes out, and note how long that is."""
    height, width = encoder.spec.input_size
    pictures = torch.zeros(2, 3, height, width, device=encoder.device)
    freeze_idle(network, lambda run: run(pictures).square().sum())
    if not network.trained():
        raise EncoderError(f"{encoder.spec.name}: nothing that would learn takes part in what comes out")
    with torch.inference_mode():
        network.dim = network.embeddings(pictures).shape[1]
