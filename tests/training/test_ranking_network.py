"""What is trained of an encoder: its head, its loss, each oddity of the published program, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError, InputError  # noqa: E402
from lookalike.losses.ranking import grade_margins  # noqa: E402
from lookalike.similarity.heads import HEADS  # noqa: E402
from lookalike.training.finetune_measures import Preparation, question_loss  # noqa: E402
from lookalike.training.finetune_settings import finetune_settings  # noqa: E402
from lookalike.training.questions import Questions  # noqa: E402
from lookalike.training.ranking_network import (  # noqa: E402
    RankingNetwork,
    batch_norms,
    plain_network,
    ranking_network,
    trained_encoder,
)

Make = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")


def network_of(encoder: Any, **given: Any) -> RankingNetwork:
    settings = finetune_settings(given, f"{encoder.spec.name}".partition("@")[0])
    head = HEADS[settings.head]
    weights = head.start(encoder.spec.dim, np.random.default_rng(settings.seed))
    return ranking_network(encoder, head.formula, weights, settings)


def some_questions(count: int = 5) -> Questions:
    """Ask about three images of each row; some answers are soft."""
    rng, rows = np.random.default_rng(0), np.arange(count)
    votes = rng.integers(0, 3, (2, count)) + np.array([[0], [1]])
    margin = grade_margins(rng.integers(0, 6, count), rng.integers(0, 6, count)).astype(np.float32)
    return Questions(np.arange(3 * count).reshape(3, -1), *votes.astype(np.float32), margin, rows, rows[:0])


def pixels_of(count: int, size: int = 32) -> Any:
    return torch.randn(3 * count, 3, size, size, generator=torch.Generator().manual_seed(1))


def loss_of(network: RankingNetwork, count: int = 5) -> Any:
    return question_loss(network(pixels_of(count)), some_questions(count), np.arange(count), 0.1)


def train(network: RankingNetwork, steps: int = 3, rate: float = 0.05) -> None:
    network.learning()
    optimiser = torch.optim.Adam(network.trained().values(), lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss_of(network).backward()
        optimiser.step()
    network.eval()


def test_the_published_loss_is_that_of_a_plain_loop(toy: Make) -> None:
    """Two logits over concatenated embeddings, and squared distances of embeddings of any length."""
    network, questions = network_of(toy(), mode="published").eval(), some_questions()
    z = network.embeddings(pixels_of(5)).detach().double().numpy().reshape(3, 5, -1)
    weight, bias = (network.head[name].detach().double().numpy() for name in ("head", "head_bias"))
    cost = votes = 0.0
    for row in range(5):
        logits = weight @ np.concatenate(z[:, row]) + bias
        log_p = logits - np.log(np.exp(logits).sum())
        squared = [((z[0, row] - z[side, row]) ** 2).sum() for side in (1, 2)]
        for order, count in ((0, questions.votes_a[row]), (1, questions.votes_b[row])):
            triplet = max(0.0, questions.margin[row] - (2 * order - 1) * (squared[0] - squared[1]))
            cost, votes = cost + count * (0.1 * triplet - log_p[order]), votes + count
    assert loss_of(network).item() == pytest.approx(cost / votes, rel=1e-5)


def test_the_corrected_loss_is_that_of_a_plain_loop(toy: Make) -> None:
    """Weighted cosines of both candidates, ten times, and squared distances of embeddings of length 1."""
    network, questions = network_of(toy(), scale=10).eval(), some_questions()
    weights = np.random.default_rng(2).normal(size=12)
    network.head["head"].data = torch.tensor(weights, dtype=torch.float32)
    z = network.encoder(pixels_of(5)).detach().double().numpy().reshape(3, 5, -1)
    z /= np.linalg.norm(z, axis=2, keepdims=True)
    cost = votes = 0.0
    for row in range(5):
        odds = 10 * (weights * z[0, row] * (z[1, row] - z[2, row])).sum()
        gap = ((z[0, row] - z[1, row]) ** 2).sum() - ((z[0, row] - z[2, row]) ** 2).sum()
        for sign, count in ((1, questions.votes_a[row]), (-1, questions.votes_b[row])):
            triplet = max(0.0, questions.margin[row] + sign * gap)
            cost, votes = cost + count * (0.1 * triplet + np.log1p(np.exp(-sign * odds))), votes + count
    assert loss_of(network).item() == pytest.approx(cost / votes, rel=1e-5)


@pytest.mark.parametrize("depth", ["lora", "full"])
def test_the_ranking_head_stays_random_under_published_lora_alone(toy: Make, depth: str) -> None:
    for mode, moves in (("published", depth == "full"), ("corrected", True)):
        network = network_of(toy("vit"), depth=depth, mode=mode)
        before = {name: value.detach().clone() for name, value in network.head.items()}
        train(network)
        assert all(torch.equal(value, before[name]) != moves for name, value in network.head.items())
        if mode == "published":
            assert float(before["head"].abs().max()) <= 72**-0.5
            assert len(before["head"].unique()) > 100


def test_only_a_concatenated_head_minds_the_order_of_the_candidates(toy: Make) -> None:
    places = torch.tensor([[0, 0], [1, 2], [2, 1]])
    for given, symmetric in (({}, True), ({"head": "concatenated"}, False)):
        network = network_of(toy(), **given).eval()
        one, turned = network.odds(network.embeddings(pixels_of(1)), places).tolist()
        assert (one == pytest.approx(-turned, abs=1e-5)) == symmetric


def test_a_head_asked_both_ways_counts_both_answers(toy: Make) -> None:
    """The loss is then the same whichever candidate comes first; the published program asks one way."""
    turned = pixels_of(5).view(3, 5, 3, 32, 32)[[0, 2, 1]].flatten(0, 1)
    for both in (True, False):
        network, asked = network_of(toy(), head="concatenated", both_sides=both).eval(), some_questions()
        mirrored = Questions(
            asked.images, asked.votes_b, asked.votes_a, asked.margin, asked.train_rows, asked.train_rows
        )
        one = question_loss(network(pixels_of(5)), asked, np.arange(5), 0.1)
        other = question_loss(network(turned), mirrored, np.arange(5), 0.1)
        assert (one.item() == pytest.approx(other.item(), rel=1e-5)) == both


def test_lengths_count_in_the_published_triplet_loss_alone(toy: Make) -> None:
    for mode, counts in (("published", True), ("corrected", False)):
        network = network_of(toy(), mode=mode).eval()
        with torch.no_grad():
            z, _, _ = network(pixels_of(5))
            network.encoder.module[3].weight *= 3
            network.encoder.module[3].bias *= 3
            longer, _, _ = network(pixels_of(5))
        assert torch.allclose(longer, z, rtol=1e-4) != counts
        assert torch.allclose(longer, 3 * z, rtol=1e-4) == counts


def test_a_layer_normalisation_that_the_triplet_loss_alone_sees(toy: Make) -> None:
    network = network_of(toy(model="places365:resnet18"), mode="published").eval()
    z = network.embeddings(pixels_of(5))
    seen, odds, _ = network.answers(z)
    expected = (z - z.mean(1, keepdim=True)) / (z.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(seen.flatten(0, 1), expected)
    by_hand = torch.cat(list(z.view(3, 5, -1)), 1) @ (network.head["head"][0] - network.head["head"][1])
    torch.testing.assert_close(odds, by_hand + network.head["head_bias"][0] - network.head["head_bias"][1])
    assert {"gain", "shift"} <= set(network.trained())
    train(network)
    assert not torch.equal(network.gain, torch.ones(12))
    assert not {"gain", "shift"} & set(network_of(toy(), mode="published").trained())


def test_dropout_in_every_block_under_published_lora_alone(toy: Make) -> None:
    def differ(network: RankingNetwork) -> bool:
        network.learning()
        one, other = (network.embeddings(pixels_of(2)) for _ in range(2))
        return not torch.equal(one, other)

    published, corrected = (network_of(toy("vit"), depth="lora", mode=m) for m in ("published", "corrected"))
    assert differ(published)
    assert not differ(corrected)
    assert not differ(network_of(toy("vit"), depth="full", mode="published"))
    shares = {name.rpartition(".")[2]: m.p for name, m in published.named_modules() if isinstance(m, nn.Dropout)}
    assert {shares[name] for name in ("attn_drop", "proj_drop", "drop2")} == {0.1}
    assert shares["drop1"] == 0
    torch.testing.assert_close(published.eval().embeddings(pixels_of(2)), toy("vit").module(pixels_of(2)))


def test_statistics_of_batches_are_learned_in_the_published_mode_alone(toy: Make) -> None:
    for mode, moves in (("published", True), ("corrected", False)):
        network = network_of(toy(), mode=mode)
        [layer] = batch_norms(network)
        before = layer.running_mean.clone()
        train(network)
        assert torch.equal(layer.running_mean, before) != moves


def test_a_random_start_forgets_the_weights(toy: Make) -> None:
    encoder = toy(model="torchvision:resnet34")
    pixels = pixels_of(2)
    one, again, other = (network_of(encoder, mode="published", seed=seed).encoder.eval()(pixels) for seed in (0, 0, 1))
    given = network_of(encoder, mode="published", start="given").encoder.eval()(pixels)
    torch.testing.assert_close(given, encoder.module(pixels))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other, rtol=0.1)
    assert not torch.allclose(one, given, rtol=0.1)
    with pytest.raises(EncoderError, match="start=random: it is not known how the weights of '' are drawn"):
        network_of(toy("vit"), start="random")


def test_lora_begins_as_the_encoder_and_goes_back_into_its_shape(toy: Make) -> None:
    for kind in ("vit", "conv"):
        encoder, pixels = toy(kind), pixels_of(2)
        network = network_of(encoder, depth="lora")
        torch.testing.assert_close(network.encoder.eval()(pixels), encoder.module(pixels), rtol=1e-5, atol=1e-6)
        assert all("lora_" in name for name in network.trained() if name.startswith("encoder."))
        train(network)
        plain = plain_network(network)
        assert list(plain.state_dict()) == list(encoder.module.module.state_dict())
        torch.testing.assert_close(
            encoder.module.__class__(plain)(pixels), network.encoder(pixels), rtol=1e-4, atol=1e-5
        )
        assert not torch.allclose(network.encoder(pixels), encoder.module(pixels), rtol=0.01)


def test_taps_are_read_with_their_updates(toy: Make) -> None:
    encoder, pixels = toy("vit", "[blocks.0.attn.qkv,blocks.1,tokens=mean]"), pixels_of(2)
    network = network_of(encoder, depth="lora")
    torch.testing.assert_close(network.encoder.eval()(pixels), encoder.module(pixels), rtol=1e-5, atol=1e-6)
    train(network)
    moved = (network.encoder(pixels) - encoder.module(pixels)).norm(dim=0)
    assert (moved[:24] > 0.001).any()  # queries of the first block
    made = trained_encoder(network, encoder, encoder.card)
    torch.testing.assert_close(made.module(pixels), network.encoder(pixels), rtol=1e-4, atol=1e-5)
    assert (made.spec.dim, made.spec.input_size) == (encoder.spec.dim, encoder.spec.input_size)


def test_a_trained_encoder_takes_pixels_as_training_did(toy: Make) -> None:
    encoder = toy(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
    network, pictures = network_of(encoder), np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    train(network)
    prepared = Preparation(encoder.mean, encoder.std, encoder.device)(pictures)
    assert prepared.shape == (4, 3, 32, 32)
    expected = (pictures[1, 2, 3] / 255 - encoder.mean) / encoder.std
    np.testing.assert_allclose(prepared[1, :, 2, 3], expected, atol=1e-5)
    found = trained_encoder(network, encoder, encoder.card).forward(pictures)
    np.testing.assert_allclose(found, network.encoder(prepared).detach(), rtol=1e-4, atol=1e-6)


def test_the_encoder_itself_stays_as_it_was(toy: Make) -> None:
    for depth in ("lora", "full"):
        encoder = toy("vit")
        before = {name: value.clone() for name, value in encoder.module.state_dict().items()}
        train(network_of(encoder, depth=depth))
        after = encoder.module.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(value, before[name]) for name, value in after.items())
        assert not any(p.requires_grad for p in encoder.module.parameters())


def test_what_no_gradient_reaches_does_not_learn(toy: Make) -> None:
    learned = set(network_of(toy("vit", "[blocks.0]")).trained())
    assert "encoder.module.blocks.0.mlp.fc2.weight" in learned
    assert not any("blocks.1" in name or "module.norm" in name for name in learned)
    with pytest.raises(EncoderError, match="nothing that would learn takes part"):
        network_of(toy("vit", "[patch_embed]"), depth="lora")


def test_half_precision_is_close_and_refused_where_the_processor_lacks_it(
    toy: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    full, half = (network_of(toy("vit"), precision=kind).eval() for kind in ("auto", "half"))
    one, other = (network.embeddings(pixels_of(2)).detach() for network in (full, half))
    assert (full.half, half.half) == (False, True)
    assert other.dtype == torch.float32
    assert 1e-5 < float((one - other).norm() / one.norm()) < 0.05
    train(half)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    with pytest.raises(InputError, match="does not compute in bfloat16"):
        network_of(toy("vit"), precision="half")


def test_lora_that_would_change_a_network_is_refused(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import lookalike.training.lora as lora

    monkeypatch.setattr(lora, "with_lora", lambda network, *rest: nn.Sequential(network, nn.Hardtanh(-0.1, 0.1)))
    with pytest.raises(EncoderError, match="LoRA would change it before any training"):
        network_of(toy("vit"), depth="lora")


def test_without_peft_lora_says_what_to_install(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "lookalike.training.lora", raising=False)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(EncoderError, match=r'LoRA needs peft.*pip install "lookalike\[train\]"'):
        network_of(toy("vit"), depth="lora")
    assert network_of(toy("vit"), depth="full").trained()
