"""Another size: the same network on other pixels, and nothing is left of what fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.core.errors import EncoderError, InputError  # noqa: E402
from lookalike.encoders.export import export_module, export_onnx, parity_pictures  # noqa: E402
from lookalike.encoders.load import load_random  # noqa: E402
from lookalike.encoders.onnx import OnnxEncoder  # noqa: E402
from lookalike.jobs.resize_encoder import resize_encoder  # noqa: E402


class Fixed(torch.nn.Module):
    """Adds to each place what belongs to that place, as embeddings of positions do."""

    def __init__(self) -> None:
        super().__init__()
        self.places = torch.nn.Parameter(torch.randn(3, 32, 32))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels + self.places).mean((2, 3))


NET = "plain:tiny[stages.2,top,size={},dim=64]"


def test_it_is_the_same_network_on_more_pixels(tmp_path: Path) -> None:
    for size in (32, 48):
        export_onnx(load_random(NET.format(size), device="cpu"), tmp_path / f"{size}.onnx", {"made_by": "chance"})  # type: ignore[arg-type]
    made = resize_encoder(tmp_path / "32.onnx", tmp_path / "new.onnx", 48)
    assert (made.before, made.size) == ((32, 32), (48, 48))
    pictures = parity_pictures(5, 48, 48)
    found, expected = (OnnxEncoder(tmp_path / name, "cpu").forward(pictures) for name in ("new.onnx", "48.onnx"))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    card = json.loads((tmp_path / "new.json").read_text())
    assert (card["made_by"], card["input_size"]) == ("chance", [48, 48])
    assert resize_encoder(tmp_path / "new.onnx", tmp_path / "small.onnx", 32).dim == made.dim


def test_a_network_for_one_size_alone_is_refused(tmp_path: Path) -> None:
    export_module(Fixed(), ("features",), load_random(NET.format(32), device="cpu"), tmp_path / "vit.onnx")  # type: ignore[arg-type]
    with pytest.raises(EncoderError, match=r"vit\.onnx: cannot look at pictures of 48 x 48 pixels"):
        resize_encoder(tmp_path / "vit.onnx", tmp_path / "new.onnx", 48)
    with pytest.raises(InputError, match="a file of its own"):
        resize_encoder(tmp_path / "vit.onnx", tmp_path / "vit.onnx", 48)
    with pytest.raises(EncoderError, match=r"ends in \.onnx"):
        resize_encoder(tmp_path / "vit.onnx", tmp_path / "new.bin", 48)
    with pytest.raises(EncoderError, match=r"there is no file .*none\.onnx"):
        resize_encoder(tmp_path / "none.onnx", tmp_path / "new.onnx", 48)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(EncoderError, match=r"text\.onnx"):
        resize_encoder(tmp_path / "text.onnx", tmp_path / "new.onnx", 48)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.onnx", "vit.json", "vit.onnx"]
