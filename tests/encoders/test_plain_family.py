"""Plain networks, and networks with weights of chance."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.load import load_pixels, load_random  # noqa: E402


def test_chance_follows_from_the_seed_and_leaves_no_trace(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (load_random("plain:tiny[size=64]", seed, "cpu") for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert (one.forward(pictures) == same.forward(pictures)).all()
    assert (one.forward(pictures) != other.forward(pictures)).any()
    assert one.spec.fingerprint == same.spec.fingerprint != other.spec.fingerprint
    path = tmp_path / "net.pth"
    torch.save(one.module.module.state_dict(), path)  # type: ignore[attr-defined]
    loaded = load_pixels("plain:tiny[size=64]", weights=path, device="cpu")
    np.testing.assert_allclose(loaded.forward(pictures), one.forward(pictures), rtol=1e-5)


def test_taps_and_sizes() -> None:
    assert load_random("plain:small", device="cpu").spec.dim == 1024
    tapped = load_random("plain:tiny[stages.1,stages.3,top,dim=100]", device="cpu")
    assert tapped.spec.dim == 40 + 72 + 100
    assert tapped.spec.input_size == (128, 128)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plain:huge", "plain:huge|huge"),
        ("plain:tiny[depth=3]", "option dim"),
        ("plain:tiny[dim=0]", "whole number"),
        ("classic", "cannot be trained from nothing"),
        ("facenet:vggface2", "cannot be trained from nothing|facenet"),
        ("plain:tiny@/nowhere.pth", "leave out @WEIGHTS"),
    ],
)
def test_what_cannot_begin_from_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises((EncoderError, UnknownNameError), match=message):
        load_random(name, device="cpu")


def test_there_are_no_weights_to_fetch() -> None:
    with pytest.raises(EncoderError, match="plain networks come without weights"):
        load_pixels("plain:small")
