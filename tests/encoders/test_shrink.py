"""Smaller files: half computes as before, int8 nearly; cards go along, and nothing is left of what fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike import load_encoder  # noqa: E402
from lookalike.core.errors import EncoderError, InputError  # noqa: E402
from lookalike.encoders.export import export_onnx  # noqa: E402
from lookalike.encoders.load import load_random  # noqa: E402
from lookalike.encoders.shrink import halve  # noqa: E402
from lookalike.jobs.shrink_encoder import shrink_encoder  # noqa: E402


@pytest.fixture
def net(tmp_path: Path) -> Path:
    encoder = load_random("plain:tiny[stages.2,top,size=32,dim=64]", device="cpu")
    export_onnx(encoder, tmp_path / "net.onnx", {"made_by": "chance"})  # type: ignore[arg-type]
    return tmp_path / "net.onnx"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        small.resize((40, 40), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    return folder


@pytest.mark.parametrize(("precision", "share", "least"), [("half", 0.56, 0.999), ("int8", 0.45, 0.9)])
def test_a_smaller_file_gives_about_the_same(
    net: Path, photos: Path, tmp_path: Path, precision: str, share: float, least: float
) -> None:
    small = tmp_path / "out" / "small.onnx"
    small.parent.mkdir()
    made = shrink_encoder(net, small, precision, photos)  # type: ignore[arg-type]
    assert made.bytes == small.stat().st_size < share * net.stat().st_size
    assert made.pictures == 20
    assert least < made.worst <= made.cosine
    card = json.loads(small.with_suffix(".json").read_text())
    assert (card["made_by"], card["shrunk"], card["input_size"]) == ("chance", precision, [32, 32])
    files = sorted(photos.iterdir())
    one, other = (load_encoder(f"onnx:{path}").encode(files[1::2]) for path in (net, small))
    cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert cosines.mean() == pytest.approx(made.cosine, abs=1e-5)
    assert sorted(path.name for path in small.parent.iterdir()) == ["small.json", "small.onnx"]


def test_what_cannot_be_shrunk_is_told(net: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a file of its own"):
        shrink_encoder(net, net, "half", photos)
    with pytest.raises(EncoderError, match=r"ends in \.onnx"):
        shrink_encoder(net, tmp_path / "small.bin", "half", photos)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="two pictures are needed"):
        shrink_encoder(net, tmp_path / "small.onnx", "half", tmp_path / "bare")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(EncoderError, match="not a network in ONNX"):
        halve(tmp_path / "bad.onnx", tmp_path / "small.onnx")
    assert not list(tmp_path.glob("*small*"))


def test_numbers_beyond_16_bits_are_refused(net: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(net))
    large = next(t for t in model.graph.initializer if np.prod(t.dims) >= 64)
    large.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(large) * np.float32(1e9), large.name))
    onnx.save(model, str(tmp_path / "large.onnx"))
    with pytest.raises(EncoderError, match="beyond 16 bits"):
        halve(tmp_path / "large.onnx", tmp_path / "small.onnx")
