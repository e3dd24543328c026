"""LoRA: nothing changes at first, only its matrices learn, and merging keeps what was learnt."""

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lookalike.encoders.timm", reason="needs timm")

from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: E402
from timm.models.beit import Beit  # noqa: E402
from timm.models.resnet import BasicBlock, ResNet  # noqa: E402
from timm.models.swin_transformer import SwinTransformer  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError, InputError  # noqa: E402
from lookalike.encoders.tapped import Tapped  # noqa: E402
from lookalike.training.lora import merged, with_lora  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def transformer(depth: int = 3, width: int = 32, **options: Any) -> nn.Module:
    return VisionTransformer(
        img_size=32, patch_size=8, embed_dim=width, depth=depth, num_heads=4, num_classes=0, **options
    ).eval()


def train(network: nn.Module, steps: int = 3) -> nn.Module:
    """Take a few steps away from where the network began."""
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.05)
    pixels = torch.randn(4, 3, 32, 32)
    for _ in range(steps):
        optimiser.zero_grad()
        network(pixels).square().mean().backward()
        optimiser.step()
    return network


def trainable(network: nn.Module) -> dict[str, Any]:
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def test_twelve_blocks_of_768_have_147456_trainable_numbers() -> None:
    with torch.device("meta"):
        network = VisionTransformer(embed_dim=768, depth=12, num_heads=12, num_classes=0)
    assert sum(p.numel() for p in trainable(with_lora(network)).values()) == 147_456
    assert sum(p.numel() for p in trainable(with_lora(network, rank=16, targets="qkv")).values()) == 147_456 * 6


@pytest.mark.parametrize("targets", [("q", "v"), ("k",), ("v", "k", "q"), ("proj",), ("q", "v", "proj", "conv")])
@pytest.mark.parametrize("alpha", [None, 8.0])
def test_at_first_nothing_changes(targets: tuple[str, ...], alpha: float | None) -> None:
    network, pixels = transformer(), torch.randn(2, 3, 32, 32)
    expected = network(pixels)
    adapted = with_lora(network, alpha=alpha, dropout=0.3, targets=targets)
    torch.testing.assert_close(adapted.eval()(pixels), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(adapted.train()(pixels), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(merged(adapted.eval())(pixels), expected, rtol=1e-5, atol=1e-6)
    first = {name: p for name, p in trainable(adapted).items() if "lora_A" in name and "patch" not in name}
    assert len(first) == 3 * len(set(targets) - {"conv"})
    for down in first.values():
        assert 0 < down.abs().max() <= 32**-0.5  # kaiming_uniform(sqrt 5) of 32 inputs
    assert not any(p.any() for name, p in trainable(adapted).items() if "lora_B" in name)


def test_only_the_updates_learn_and_the_given_network_stays() -> None:
    network, pixels = transformer(), torch.randn(2, 3, 32, 32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    adapted = train(with_lora(network))
    assert trainable(adapted)
    assert all("lora_" in name for name in trainable(adapted))
    for name, parameter in adapted.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        if name in before:
            assert torch.equal(parameter, before[name]), name
    taken_apart = adapted.get_submodule("blocks.0.attn.qkv")
    third = torch.cat([taken_apart.q.base_layer.weight, taken_apart.k.weight])
    assert torch.equal(third, before["blocks.0.attn.qkv.weight"][:64])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not torch.allclose(adapted(pixels), network(pixels), atol=1e-3)


@pytest.mark.parametrize("alpha", [None, 1.0])
def test_merging_gives_the_same_network_in_its_first_shape(alpha: float | None) -> None:
    network, pixels = transformer(), torch.randn(2, 3, 32, 32)
    adapted = train(with_lora(network, rank=3, alpha=alpha, targets=("q", "k", "v"))).eval()
    plain = merged(adapted)
    torch.testing.assert_close(plain(pixels), adapted(pixels), rtol=1e-4, atol=1e-5)
    assert set(plain.state_dict()) == set(network.state_dict())
    assert any(isinstance(module, BaseTunerLayer) for module in adapted.modules())
    network.load_state_dict(plain.state_dict())
    torch.testing.assert_close(network(pixels), plain(pixels))


def test_queries_and_values_move_and_keys_stay() -> None:
    block = nn.Module()
    block.qkv = nn.Linear(4, 12)
    layer = with_lora(block, rank=2).qkv
    for part in (layer.q, layer.v):
        nn.init.normal_(part.lora_B["default"].weight)
    values = torch.randn(5, 4)
    moved = layer(values) - block.qkv(values)
    q, v = (values @ (p.lora_B["default"].weight @ p.lora_A["default"].weight).T for p in (layer.q, layer.v))
    torch.testing.assert_close(moved, torch.cat([q, torch.zeros(5, 4), v], 1), atol=1e-6, rtol=1e-5)


def test_alpha_over_rank_scales_the_update() -> None:
    network, pixels = transformer(depth=1), torch.randn(1, 3, 32, 32)
    plain, doubled = with_lora(network, rank=4), with_lora(network, rank=4, alpha=8.0)
    doubled.load_state_dict(train(plain).state_dict())
    assert not torch.allclose(doubled(pixels), plain(pixels), atol=1e-4)
    with torch.no_grad():
        for name, parameter in trainable(doubled).items():
            if "lora_B" in name:
                parameter /= 2
    torch.testing.assert_close(doubled(pixels), plain(pixels))


@pytest.mark.parametrize("alpha", [None, 3.0])
def test_convolutions_are_adapted_and_merged(alpha: float | None) -> None:
    network = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0, channels=(8, 8, 16, 16), stem_width=8).eval()
    pixels = torch.randn(2, 3, 32, 32)
    adapted = with_lora(network, rank=2, alpha=alpha)
    torch.testing.assert_close(adapted.eval()(pixels), network(pixels))
    assert all("conv" in name or "downsample" in name for name in trainable(adapted))
    train(adapted).eval()
    plain = merged(adapted)
    assert (plain(pixels) - network(pixels)).norm() > 0.01 * network(pixels).norm()
    torch.testing.assert_close(plain(pixels), adapted(pixels), rtol=1e-3, atol=1e-5)
    assert list(plain.state_dict()) == list(network.state_dict())


def test_convolutions_in_groups_stay_frozen() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3, dilation=2), nn.Conv2d(4, 4, 1))
    assert {name.split(".")[0] for name in trainable(with_lora(network))} == {"2"}


def test_taps_and_windows_are_adapted_too() -> None:
    pixels = torch.randn(1, 3, 32, 32)
    tapped = Tapped(transformer(), ["blocks.0", "blocks.2"])
    adapted = with_lora(tapped)
    assert torch.equal(adapted(pixels), tapped(pixels))
    assert not torch.equal(train(adapted)(pixels), tapped(pixels))
    swin = SwinTransformer(img_size=32, patch_size=2, embed_dim=16, depths=(1, 1), num_heads=(2, 2), window_size=4)
    assert torch.equal(with_lora(swin.eval())(pixels), swin(pixels))


@pytest.mark.parametrize("options", [{"rank": 0}, {"dropout": 1.0}, {"alpha": 0.0}, {"targets": ("q", "o")}])
def test_arguments_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="LoRA"):
        with_lora(transformer(depth=1), **options)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(EncoderError, match="no layers to update for q, proj; in this network it can update conv"):
        with_lora(nn.Conv2d(3, 4, 3), targets=("q", "proj"))
    with pytest.raises(EncoderError, match="nothing: train it in full"):
        with_lora(nn.Linear(4, 12))
    beit = Beit(img_size=32, patch_size=8, embed_dim=16, depth=1, num_heads=2)
    with pytest.raises(EncoderError, match="no layers to update for q"):
        with_lora(beit, targets=("q",))
