"""Networks under training to match: what learns, what stays as it is, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.encoders.export import export_onnx  # noqa: E402
from lookalike.training.backbone import batch_norms  # noqa: E402
from lookalike.training.contrastive_network import MatchingNetwork, matching_network, trained_matcher  # noqa: E402
from lookalike.training.finetune_measures import Preparation  # noqa: E402
from lookalike.training.matching_objectives import objective_of  # noqa: E402
from lookalike.training.matching_settings import matching_settings  # noqa: E402

Make = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")
HEADED = {"head": "mlp", "dim": 6, "hidden": 10}
PUBLISHED = {"preset": "published", "dim": 6, "hidden": 10}


def network_of(encoders: list[Any], **given: Any) -> MatchingNetwork:
    return matching_network(encoders, matching_settings(given, len(encoders)))


def pixels_of(count: int = 8) -> Any:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def train(network: MatchingNetwork, epoch: int = 1, steps: int = 3, rate: float = 0.05) -> None:
    network.learning(epoch)
    optimiser, objective = torch.optim.SGD(network.trained().values(), lr=rate), objective_of(network._settings)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(network(pixels_of()).unflatten(0, (2, -1)), torch.arange(4), None, 0.0).backward()
        optimiser.step()


def statistics(network: MatchingNetwork) -> list[Any]:
    return [layer.running_mean.clone() for layer in batch_norms(network)]


def test_the_head_takes_what_the_network_gives(toy: Make) -> None:
    """The published program fed the pictures themselves to its head: what the network made of them went nowhere."""
    encoder, pixels = toy(), pixels_of()
    network = network_of([encoder], **HEADED).eval()
    first, _, second = network.joined.head
    assert (first.in_features, first.out_features, second.out_features) == (12, 10, 6)
    features = normalize(encoder.module(pixels))
    torch.testing.assert_close(network.features(pixels), features)
    expected = second(torch.relu(first(features)))
    torch.testing.assert_close(network(pixels), expected)
    torch.testing.assert_close(network.embeddings(pixels), expected)
    with torch.no_grad():
        network.joined.branches[0].encoder.module[3].weight.mul_(-2)
    assert not torch.allclose(network(pixels), expected)


def test_without_a_head_it_begins_as_the_encoder(toy: Make) -> None:
    encoder = toy()
    network = network_of([encoder]).eval()
    torch.testing.assert_close(network(pixels_of()), encoder.module(pixels_of()))
    assert (network.dim, network.width) == (12, 12)


def test_what_is_frozen_has_no_gradients_and_keeps_its_statistics(toy: Make) -> None:
    network = network_of([toy()], depth="frozen", **HEADED)
    assert set(network.trained()) == {f"joined.head.{n}.{kind}" for n in (0, 2) for kind in ("weight", "bias")}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("joined.head."), name
    assert all(value.grad is None for value in network.joined.branches.parameters())
    assert not any(module.training for module in network.joined.branches[0].modules())
    assert network.joined.head.training


def test_one_of_two_networks_can_stay_as_it_is(toy: Make, tmp_path: Path) -> None:
    network = network_of([toy(), toy("vit")], frozen="1", **HEADED)
    assert network.width == 12 + 24
    moving = {name.split(".")[2] for name in network.trained() if name.startswith("joined.branches.")}
    assert moving == {"1"}
    still = {name: value.clone() for name, value in network.joined.branches[0].state_dict().items()}
    train(network)
    assert all(torch.equal(value, still[name]) for name, value in network.joined.branches[0].state_dict().items())
    assert [any(module.training for module in branch.modules()) for branch in network.joined.branches] == [False, True]


def test_published_frozen_networks_train_along_until_they_are_first_measured(toy: Make) -> None:
    encoder = toy()
    network = network_of([encoder], **PUBLISHED)
    [came] = statistics(network)
    train(network, epoch=1)
    [drifted] = statistics(network)
    assert not torch.equal(drifted, came)
    train(network, epoch=2)
    assert torch.equal(statistics(network)[0], drifted)
    assert not any(module.training for module in network.modules())
    network.reload_frozen()
    assert torch.equal(statistics(network)[0], came)
    torch.testing.assert_close(network.eval().features(pixels_of()), encoder.module(pixels_of()))


@pytest.mark.parametrize(("batch_norm", "moves"), [("frozen", False), ("trained", True)])
def test_statistics_of_networks_that_learn(toy: Make, batch_norm: str, moves: bool) -> None:
    network = network_of([toy()], batch_norm=batch_norm)
    [before] = statistics(network)
    train(network)
    assert torch.equal(statistics(network)[0], before) != moves


def test_dropout_is_off_in_use_and_on_in_training(toy: Make) -> None:
    network = network_of([toy("vit")])
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    network.learning(1)
    assert not torch.equal(network(pixels_of()), network(pixels_of()))
    network.eval()
    assert torch.equal(network.embeddings(pixels_of()), network.embeddings(pixels_of()))


@pytest.mark.usefixtures("full_precision")
def test_each_network_of_a_list_sees_pictures_as_it_expects_them(toy: Make) -> None:
    first, second = toy(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25)), toy("vit")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    prepared = Preparation(first.mean, first.std, first.device)(pictures)
    for sides in ("unit", "plain"):
        network = network_of([first, second], sides=sides).eval()
        found = network(prepared).detach().numpy()
        apart = [encoder.forward(pictures) for encoder in (first, second)]
        if sides == "unit":
            apart = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in apart]
        np.testing.assert_allclose(found, np.hstack(apart), rtol=1e-3, atol=1e-4)


def test_networks_side_by_side_see_one_size(toy: Make) -> None:
    first, second = toy(), toy("vit")
    second.card = replace(second.card, input_size=(48, 48))
    with pytest.raises(InputError, match=r"see one picture: .* takes 32 x 32 \(squash\), .* takes 48 x 48"):
        network_of([first, second])


@pytest.mark.parametrize("given", [{}, HEADED, {"preset": "simclr", "dim": 6}, {"depth": "lora", **HEADED}])
def test_what_comes_out_is_what_was_measured(toy: Make, tmp_path: Path, given: dict[str, Any]) -> None:
    encoders = [toy(mean=(0.5, 0.4, 0.3)), toy("vit")]
    settings = matching_settings(given, 2)
    network = matching_network(encoders, settings)
    before = encoders[0].module(pixels_of())
    train(network)
    made = trained_matcher(network, encoders, settings)
    assert made.spec.dim == network.dim == (36 if settings.embedding == "features" or not given else 6)
    torch.testing.assert_close(made.module(pixels_of()), network.eval().embeddings(pixels_of()), rtol=1e-3, atol=1e-4)
    assert export_onnx(made, tmp_path / "made.onnx").relative_error < 1e-4
    torch.testing.assert_close(encoders[0].module(pixels_of()), before)  # where it began stays as it was


def test_another_head_can_be_given(toy: Make) -> None:
    class Two(nn.Module):  # type: ignore[misc]
        """Gives two embeddings, as a quantizer does."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 4)

        def forward(self, features: Any) -> Any:
            x = self.layer(features)
            return torch.cat([x, x.sign()], dim=1)

    network = matching_network([toy()], matching_settings({"depth": "frozen", "head": "linear"}), Two())
    assert (network.dim, set(network.trained())) == (8, {"joined.head.layer.weight", "joined.head.layer.bias"})
