"""Attention taken apart gives what it gave, and is put together as it was."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError  # noqa: E402
from lookalike.encoders.torch_import import import_torchvision  # noqa: E402
from lookalike.training.unfused import SplitAttention, SplitLinear, fuse, unfuse  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_multihead_attention(batch_first: bool, bias: bool) -> None:
    fused = nn.MultiheadAttention(12, 3, bias=bias, batch_first=batch_first)
    if bias:
        nn.init.normal_(fused.in_proj_bias)
    rows = torch.randn(2, 5, 12)
    hidden = torch.rand(rows.shape[1] if batch_first else rows.shape[0], rows.shape[1] if batch_first else 2) < 0.4
    hidden.fill_diagonal_(False)
    split = SplitAttention(fused)
    for mask in (None, hidden, torch.where(hidden, -1e4, 0.0)):
        expected, _ = fused(rows, rows, rows, need_weights=False, attn_mask=mask)
        found, weights = split(rows, rows, rows, need_weights=False, attn_mask=mask)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        assert weights is None
    again = split.fused()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in fused.state_dict().items())
    assert torch.equal(again(rows, rows, rows)[0], fused(rows, rows, rows)[0])
    with pytest.raises(EncoderError, match="train it in full"):
        split(rows, rows, rows, torch.zeros(2, 5, dtype=torch.bool))


@pytest.mark.parametrize("bias", [True, False])
def test_one_linear_layer_of_three(bias: bool) -> None:
    fused = nn.Linear(8, 12, bias=bias)
    split, rows = SplitLinear(fused), torch.randn(3, 5, 8)
    torch.testing.assert_close(split(rows), fused(rows))
    again = split.fused()
    assert list(again.state_dict()) == list(fused.state_dict())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in fused.state_dict().items())


def test_a_network_comes_back_with_its_tensors_its_mode_and_what_is_frozen() -> None:
    vit = import_torchvision().models.VisionTransformer(32, 16, 2, 2, 24, 32, num_classes=4)
    vit.encoder.layers[0].requires_grad_(False)
    pixels, before = torch.randn(1, 3, 32, 32), {name: value.clone() for name, value in vit.state_dict().items()}
    expected = vit.eval()(pixels)
    unfuse(vit)
    assert sum(isinstance(module, SplitAttention) for module in vit.modules()) == 2
    assert not any(module.training for module in vit.modules())
    assert not vit.encoder.layers[0].self_attention.q.weight.requires_grad
    assert vit.encoder.layers[1].self_attention.q.weight.requires_grad
    torch.testing.assert_close(vit(pixels), expected, rtol=1e-5, atol=1e-6)
    fuse(vit)
    assert list(vit.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in vit.state_dict().items())
    assert [p.requires_grad for p in vit.encoder.layers[0].parameters()] == [False] * 12
    assert torch.equal(vit(pixels), expected)


def test_attention_of_other_forms_stays_whole() -> None:
    layers = [
        nn.MultiheadAttention(8, 2, kdim=4, vdim=4),
        nn.MultiheadAttention(8, 2, add_bias_kv=True),
        nn.MultiheadAttention(8, 2, add_zero_attn=True),
    ]
    headed = nn.Module()
    headed.qkv, headed.head_first = nn.Linear(8, 24), True
    network = nn.Sequential(*layers, headed)
    unfuse(network)
    assert [type(module) for module in network] == [nn.MultiheadAttention] * 3 + [nn.Module]
    assert type(headed.qkv) is nn.Linear
