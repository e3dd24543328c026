"""``lookalike train quantizer``, and searching by its codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.saving import load_model

Run = Callable[..., tuple[int, str, str]]


def test_train_search_and_search_again(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    code, out, err = lookalike("train", "quantizer", photos, "--name", "small", "--encoder", "classic", "--bits", "16",
                               "--views", "2", "--set", "epochs=2", "--set", "length=8", "--plot", "losses.png",
                               "--json")  # fmt: skip
    made = json.loads(out)
    assert code == 0, err
    assert (made["bits"], made["pairs"], made["encoders"]) == (16, 2 * made["images"], ["classic"])
    assert made["measured"]["gallery"] == made["images"]
    assert Path("losses.png").stat().st_size > 0
    model = load_model(made["path"])
    assert isinstance(model, QuantizerModel)

    assert lookalike("index", photos, "--quiet")[0] == 0
    some = sorted(photos.rglob("*.jpg"))[0]
    first = json.loads(lookalike("search", some, "--model", "small", "-k", "3", "--json")[1])
    assert first["bytes_per_image"] == 2
    assert [hit["distance"] for hit in first["results"]] == sorted(hit["distance"] for hit in first["results"])
    stored = tmp_path / ".lookalike" / "codes" / "small.safetensors"
    before = stored.stat().st_mtime_ns
    assert json.loads(lookalike("search", some, "--model", "small", "-k", "3", "--json")[1]) == first
    assert stored.stat().st_mtime_ns == before
    stored.write_bytes(b"damaged")  # what can be made anew is made anew
    assert json.loads(lookalike("search", some, "--model", "small", "-k", "3", "--json")[1]) == first
    assert stored.stat().st_size > 100

    from lookalike import load_encoder

    names = [path.relative_to(photos).as_posix() for path in sorted(photos.rglob("*.jpg"))]
    features = load_encoder("classic").encode([photos / name for name in names])
    apart = np.square(model.mapped(features[:1])[0] - _stood_for(model, features)).sum(axis=1) / 2
    best = first["results"][0]
    assert best["distance"] == pytest.approx(apart.min(), abs=1e-4)
    assert apart[names.index(best["image"])] == pytest.approx(apart.min(), abs=1e-4)
    assert "codes of 2 bytes an image" in lookalike("search", some, "--model", "small")[1]
    by = ("search", some, "--model", "small", "--json", "--where", f"name != '{some.name}'")
    whole = json.loads(lookalike(*by, "-k", "20")[1])["results"]
    assert some.name not in {hit["image"].split("/")[-1] for hit in whole}
    pages = [json.loads(lookalike(*by, "-k", "2", "--offset", at)[1])["results"] for at in range(0, 20, 2)]
    assert [hit for page in pages for hit in page] == whole
    assert "without --like and --unlike" in lookalike("search", some, "--model", "small", "--unlike", some)[2]


def _stood_for(model: QuantizerModel, features: np.ndarray) -> np.ndarray:
    codes = model.codes(features)
    return np.concatenate([model.codebooks_[book][codes[:, book]] for book in range(codes.shape[1])], axis=1)


def test_damaged_photographs_are_listed(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    for path in sorted(photos.rglob("*.jpg"))[:8]:
        (tmp_path / "some" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "some" / "bad.jpg").write_text("no picture")
    code, out, _ = lookalike("train", "quantizer", "some", "--name", "q", "--encoder", "classic", "--views", "1",
                             "--no-measure", "--set", "words=4", "--set", "epochs=0", "--json")  # fmt: skip
    assert code == 1
    assert [entry["path"] for entry in json.loads(out)["rejected"]] == ["bad.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a folder of photographs, or --pairs"),
        (("photos", "--bits", "12"), "a multiple of 8, not 12"),
        (("photos", "--bits", "32", "--mode", "published"), "--set books=8 has 32 bits"),
        (("photos", "--set", "words=300"), "words is 2 to 256"),
        (("photos", "--set", "epochs=0", "--plot", "x.png"), "no losses to draw"),
        (("photos", "--set", "wodrs=3"), "no parameter 'wodrs'"),
    ],
)
def test_what_cannot_be_used_is_one_line(lookalike: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = lookalike("train", "quantizer", *arguments, "--name", "q", "--encoder", "classic")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
