"""`lookalike reproduce matching` on small stand-in pictures, and class logits as features."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folders(tmp_path: Path, make_photo: Callable[..., Path]) -> tuple[Path, Path]:
    """Sixteen targets; cropped copies of eight under the same names, and a stranger."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for number in range(16):
        path = make_photo(target / "in" / f"{number:02}.jpg", number)
        if number < 8:
            Image.open(path).crop((4, 3, 92, 70)).save(source / path.name)
    make_photo(source / "lonely.jpg", 99)
    (source / "bad.jpg").write_text("no picture")
    return source, target


@pytest.mark.parametrize("mode", ["published", "corrected"])
def test_networks_heads_and_hashes_stand_in_one_table(
    lookalike: Run, folders: tuple[Path, Path], network: Path, mode: str
) -> None:
    name = f"onnx:{network}"
    options = ("--encoder", "classic", "--encoder", name, "--mode", mode, "--views", 2, "--epochs", 2)
    code, out, err = lookalike("reproduce", "matching", *folders, *options, "--json")
    assert code == 1, err
    found = json.loads(out)
    assert (found["sources"], found["targets"], found["lonely"], found["grey"]) == (8, 16, 1, mode == "published")
    assert [entry["path"] for entry in found["rejected"]] == ["source/bad.jpg"]
    models = [row["model"] for row in found["rows"]]
    plain = ["classic", "onnx:small.onnx", "classic + onnx:small.onnx"]
    assert models[:6] == [label for one in plain for label in (one, f"{one}, head")]
    for row in found["rows"]:
        hits = [one["value"] for one in row["hits"]]
        assert [one["k"] for one in row["hits"]] == list(range(1, 16))
        assert hits == sorted(hits)
    assert found["rows"][0]["hits"][0]["value"] > 0.8


def test_the_table_is_shown_and_names_must_meet(lookalike: Run, folders: tuple[Path, Path]) -> None:
    source, target = folders
    options = ("--encoder", "classic", "--views", 1, "--epochs", 1, "--colour", "--quiet")
    code, out, _ = lookalike("reproduce", "matching", *folders, *options)
    assert (code, "top-15" in out, "in colour" in out, "classic, head" in out) == (1, True, True, True)
    for path in source.glob("0*.jpg"):
        path.rename(path.with_name(f"other-{path.name}"))
    code, _, err = lookalike("reproduce", "matching", source, target, *options)
    assert (code, "no source has the file name of a target" in err) == (2, True)


def test_the_published_members_give_class_logits(tmp_path: Path) -> None:
    from lookalike.encoders.load import load_pixels
    from lookalike.encoders.name import parse_name
    from lookalike.encoders.torchvision import architecture, models
    from lookalike.jobs.reproduce_matching import MEMBERS

    for members in MEMBERS.values():
        for name, layer in members.items():
            builder = models.get_model_builder(parse_name(name).model.partition(".")[0])
            options = {"init_weights": False} if layer in ("classifier.6",) or "inception" in name else {}
            with torch.device("meta"):
                last = builder(weights=None, **options).get_submodule(layer)
            assert (type(last).__name__, last.out_features) == ("Linear", 1000)
    torch.manual_seed(0)
    whole = models.get_model_builder("resnet18")(weights=None).eval()
    torch.save(whole.state_dict(), tmp_path / "net.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    card = architecture(parse_name("torchvision:resnet18"))
    scaled = (
        torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(card.mean)[:, None, None]
    ) / torch.tensor(card.std)[:, None, None]
    with torch.inference_mode():
        expected = whole(scaled).numpy()
    name = "torchvision:resnet18[fc,norm=published,size=64]"
    found = load_pixels(name, weights=tmp_path / "net.pth", device="cpu").forward(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
