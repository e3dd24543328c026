"""Taps: pooled as by hand, one pass, no traces left behind."""

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError  # noqa: E402
from lookalike.encoders.stages import last_layers, stages  # noqa: E402
from lookalike.encoders.tapped import Tapped, gem, is_channels_last, prefix_tokens  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Tokens(nn.Module):
    """A transformer's outline: patches, a class token, blocks; the head takes the class token."""

    def __init__(self, with_class: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 6)) if with_class else None
        self.blocks = nn.Sequential(*(nn.Linear(6, 6) for _ in range(4)))
        self.pair = nn.Identity()

    def forward(self, pixels: Any) -> Any:
        tokens = self.patches(pixels).flatten(2).transpose(1, 2)
        if self.cls_token is not None:
            tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        tokens, _ = self.pair((self.blocks(tokens), "attention"))
        return tokens[:, 0]


class Last(nn.Module):
    """Gives its map with channels last."""

    def forward(self, maps: Any) -> Any:
        return maps.permute(0, 2, 3, 1)


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3, 2, 1), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 7), nn.Identity(),
    ).eval()  # fmt: skip


def unit(features: Any) -> Any:
    return features / features.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("power", [1.0, 3.0, 4.5])
def test_gem_equals_plain_loops(power: float) -> None:
    maps = torch.randn(2, 3, 4, 5)
    expected = np.zeros((2, 3))
    for n in range(2):
        for c in range(3):
            total = 0.0
            for y in range(4):
                for x in range(5):
                    total += max(float(maps[n, c, y, x]), 1e-6) ** power
            expected[n, c] = (total / 20) ** (1 / power)
    np.testing.assert_allclose(gem(maps, power), expected, rtol=1e-5)


def test_gem_lies_between_average_and_maximum() -> None:
    maps = torch.rand(3, 4, 6, 6)
    assert (gem(maps) >= maps.mean((2, 3))).all()
    assert (gem(maps) <= maps.amax((2, 3))).all()
    torch.testing.assert_close(gem(maps, 1.0), maps.mean((2, 3)))


@pytest.mark.parametrize("pool", ["average", "gem"])
@pytest.mark.parametrize("norm", ["corrected", "published", "none"])
def test_taps_equal_a_pass_by_hand(pool: Any, norm: Any) -> None:
    network, pixels = convolutions(), torch.randn(2, 3, 16, 16)
    reduce = gem if pool == "gem" else (lambda maps: maps.mean((2, 3)))
    with torch.inference_mode():
        first = network[0](pixels)  # before the activation, which works in place
        second = network[2](torch.relu(first))
        vector = network[6](torch.relu(second).mean((2, 3)))
        parts = [reduce(second), reduce(first), vector]
        if norm != "none":
            parts[:2] = [unit(part) for part in parts[:2]]
        if norm == "corrected":
            parts[2] = unit(vector)
        torch.testing.assert_close(Tapped(network, ["2", "0", "6"], pool, norm=norm)(pixels), torch.cat(parts, 1))


def test_without_layers_the_networks_own_output_is_the_feature() -> None:
    network, pixels = convolutions(), torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(Tapped(network)(pixels), network(pixels))
    torch.testing.assert_close(Tapped(network[:3])(pixels), network[:3](pixels).mean((2, 3)))


@pytest.mark.parametrize("with_class", [True, False])
def test_tokens_give_the_class_token_or_the_mean_of_the_patches(with_class: bool) -> None:
    network, pixels = Tokens(with_class).eval(), torch.randn(2, 3, 16, 16)
    seen: list[Any] = []
    network.blocks[1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    by_class = Tapped(network, ["blocks.1"], tokens="class", norm="none")(pixels)
    by_mean = Tapped(network, ["blocks.1"], tokens="mean", norm="none")(pixels)
    torch.testing.assert_close(by_mean, seen[0][:, int(with_class) :].mean(1))
    torch.testing.assert_close(by_class, seen[0][:, 0] if with_class else seen[0].mean(1))
    assert prefix_tokens(network) == int(with_class)


def test_of_a_tuple_the_first_entry_counts() -> None:
    network, pixels = Tokens().eval(), torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(Tapped(network, ["pair"])(pixels), Tapped(network, ["blocks"])(pixels))


@pytest.mark.parametrize("size", [(16, 16), (16, 24)])
def test_maps_with_channels_last_are_pooled_over_space(size: tuple[int, int]) -> None:
    plain, pixels = nn.Sequential(nn.Conv2d(3, 5, 3, 4, 1), nn.Identity()), torch.randn(2, 3, *size)
    turned = nn.Sequential(plain[0], Last())
    torch.testing.assert_close(Tapped(turned, ["1"])(pixels), Tapped(plain, ["1"])(pixels))


def test_which_side_the_channels_are_on() -> None:
    assert is_channels_last((1, 7, 7, 96), (1, 3, 224, 224))
    assert not is_channels_last((1, 96, 7, 7), (1, 3, 224, 224))
    assert is_channels_last((1, 14, 7, 14), (1, 3, 448, 224))
    assert not is_channels_last((1, 14, 14, 7), (1, 3, 448, 224))
    assert [is_channels_last((1, 7, 7, 7), (1, 3, 9, 9), side) for side in (True, False)] == [True, False]


def test_one_pass_whatever_the_taps_and_nothing_is_kept() -> None:
    network, pixels = convolutions(), torch.randn(1, 3, 16, 16)
    passes = []
    network[0].register_forward_hook(lambda *_: passes.append(1))
    tapped = Tapped(network, ["0", "1", "2", "3", "6"])
    for _ in range(3):
        tapped(pixels)
    assert len(passes) == 3
    assert not tapped._held
    network(pixels)  # used by itself, the network leaves nothing behind either
    assert not tapped._held
    with pytest.raises(RuntimeError):
        tapped(torch.zeros(1, 2, 16, 16))
    assert not tapped._held


def test_threads_do_not_mix_their_taps() -> None:
    tapped = Tapped(convolutions(), ["0", "2"])
    batches = [torch.randn(2, 3, 32, 32) for _ in range(40)]
    with torch.inference_mode():
        alone = [tapped(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: tapped(batch).detach(), batches))
    for left, right in zip(alone, together, strict=True):
        torch.testing.assert_close(left, right)


def test_a_copy_taps_itself_and_gradients_flow() -> None:
    tapped, pixels = Tapped(convolutions(), ["2"]), torch.randn(2, 3, 16, 16)
    other = copy.deepcopy(tapped)
    with torch.no_grad():
        other.module[2].weight.mul_(-1)
    assert not torch.allclose(tapped(pixels), other(pixels))
    tapped(pixels).sum().backward()
    assert tapped.module[0].weight.grad.abs().sum() > 0
    assert other.module[0].weight.grad is None


def test_layers_that_are_not_there_or_take_no_part() -> None:
    network = convolutions()
    network.extra = nn.Linear(1, 1)
    with pytest.raises(EncoderError, match="has no layer 'extr': did you mean extra"):
        Tapped(network, ["extr"])
    with pytest.raises(EncoderError, match="has no layer 'zzz': it has 0, 1, 2"):
        Tapped(network, ["zzz"])

    class Branch(nn.Sequential):
        def forward(self, pixels: Any) -> Any:
            return self[0](pixels)

    with pytest.raises(EncoderError, match="'1' takes no part"):
        Tapped(Branch(nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)), ["1"])(torch.zeros(1, 3, 4, 4))


def test_last_layers_are_the_ends_of_sizes_or_the_blocks() -> None:
    assert stages(convolutions(), (16, 16)) == ["1", "3"]
    nested = nn.Sequential(nn.Sequential(convolutions()[:4]), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))
    assert last_layers(nested, "last:2", (16, 16)) == ("0.0.1", "0.0.3")
    assert last_layers(Tokens().eval(), "last:3", (16, 16)) == ("blocks.1", "blocks.2", "blocks.3")
    with pytest.raises(EncoderError, match=r"last:9: the network has 2 stages \(1, 3\)"):
        last_layers(convolutions(), "last:9", (16, 16))
    with pytest.raises(EncoderError, match="not last:N"):
        last_layers(convolutions(), "last:x", (16, 16))
