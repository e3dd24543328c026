"""Projection models and classifiers on the command line: from photographs to matches and classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lookalike import load_model

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--encoder", "classic", "--views", 2, "--augmentation", "copies", "--set", "epochs=0", "--json", "--quiet")


@pytest.fixture
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_photographs_to_a_model_that_searches(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    sheet, copy = tmp_path / "views.png", photos / "a" / "again.jpg"
    copy.write_bytes((photos / "a" / "000.jpg").read_bytes())
    (photos / "b" / "broken.jpg").write_text("no picture")
    code, out, _ = lookalike("train", "contrastive", photos, "--name", "m", *QUICK, "--show-views", sheet)
    trained = json.loads(out)
    assert code == 1  # one file was rejected
    assert [entry["path"] for entry in trained["rejected"]] == ["b/broken.jpg"]
    assert (trained["images"], trained["pairs"], trained["copies"], trained["kept"]) == (24, 48, 1, "start")
    assert trained["settings"]["pairing"] == "given"  # copies are compared with their originals
    measured = trained["measured"]
    assert (measured["things"], measured["trained"], measured["gallery"]) == (4, 20, 24)
    assert measured["gain"]["value"] == pytest.approx(
        measured["model"]["recall@1"]["value"] - measured["plain"]["recall@1"]["value"]
    )
    assert sheet.stat().st_size > 1000
    model = load_model(trained["path"])
    assert model.n_features_in_ == trained["dim"]
    assert model.has_seen(["a/000.jpg", "b/broken.jpg"]).tolist() == [True, False]

    copy.unlink()
    (photos / "b" / "broken.jpg").unlink()
    assert lookalike("index", photos, "--encoder", "classic", "--quiet")[0] == 0
    code, out, _ = lookalike("search", photos / "a" / "003.jpg", "--model", "m", "-k", 1, "--json")
    assert code == 0
    assert [hit["image"] for hit in json.loads(out)["results"]] == ["a/003.jpg"]
    code, out, _ = lookalike("models", "--quiet")
    assert code == 0
    assert "projection, from 48 pairs" in out
    assert "held out: recall@1" in out


@pytest.mark.usefixtures("one_thread")
def test_passes_are_drawn_and_told(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    plot = tmp_path / "losses.svg"
    options = [
        *QUICK[:-4],
        "--loss",
        "semi-hard",
        "--set",
        "epochs=2",
        "--set",
        "pairing=any",
        "--no-measure",
        "--json",
    ]
    code, out, _ = lookalike("train", "contrastive", photos, "--name", "m", *options, "--plot", plot)
    trained = json.loads(out)
    assert code == 0
    assert trained["measured"] is None
    assert [epoch["epoch"] for epoch in trained["history"]] == [1, 2]
    assert (trained["settings"]["loss"], trained["settings"]["pairing"]) == ("semi-hard", "any")
    assert "<svg" in plot.read_text()
    assert lookalike("train", "contrastive", photos, "--name", "m", *options)[0] == 2
    assert lookalike("train", "contrastive", photos, "--name", "m", *options, "--replace")[0] == 0


def test_pairs_say_what_shows_the_same(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("left,right\na/000.jpg,a/003.jpg\nb/001.jpg,a/000.jpg\n")
    code, out, _ = lookalike("train", "contrastive", photos, "--pairs", pairs, "--name", "m", *QUICK)
    trained = json.loads(out)
    assert code == 0
    assert (trained["images"], trained["pairs"]) == (24, 48 + 2)
    assert trained["measured"]["things"] + trained["measured"]["trained"] == 22
    code, out, _ = lookalike("train", "classifier", photos, "--pairs", pairs, "--name", "c", *QUICK)
    assert code == 0
    assert json.loads(out)["classes"] == 22


def test_pairs_alone_without_views(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    pairs.write_text("left,right\n" + "".join(f"{a},{b}\n" for a, b in zip(names[::2], names[1::2], strict=True)))
    options = (
        "--pairs",
        pairs,
        "--images",
        photos,
        "--views",
        0,
        "--encoder",
        "classic",
        "--set",
        "epochs=0",
        "--json",
    )
    code, out, _ = lookalike("train", "contrastive", "--name", "m", *options)
    trained = json.loads(out)
    assert code == 0
    assert (trained["images"], trained["pairs"]) == (24, 12)


def test_photographs_to_classes(lookalike: Run, make_photo: Callable[..., Path], photos: Path, tmp_path: Path) -> None:
    for number in range(24, 60):
        make_photo(photos / "d" / f"{number:03}.jpg", number)
    code, out, _ = lookalike("train", "classifier", photos, "--name", "c", *QUICK, "--refuse", 0.8)
    trained = json.loads(out)
    assert code == 0
    assert (trained["classes"], trained["settings"]["refuse"]) == (60, 0.8)
    assert 0 < trained["threshold"] < 1
    assert trained["measured"]["refused"]["n"] == 12 * 3

    asked = tmp_path / "asked"
    (asked / "deep").mkdir(parents=True)
    (asked / "one.jpg").write_bytes((photos / "a" / "003.jpg").read_bytes())
    make_photo(asked / "deep" / "new.jpg", 999)
    code, out, _ = lookalike("classify", asked, "--model", "c", "--json")
    found = {one["image"]: one for one in json.loads(out)["results"]}
    assert code == 0
    assert list(found) == ["deep/new.jpg", "one.jpg"]
    assert found["one.jpg"]["class"] == "a/003.jpg"
    assert found["one.jpg"]["probability"] > found["deep/new.jpg"]["probability"]
    code, out, _ = lookalike("classify", asked / "one.jpg", "--model", "c", "--quiet")
    assert code == 0
    assert "a/003.jpg" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "m"), "give a folder of photographs, or --pairs"),
        (("PHOTOS", "--name", "classic"), "is the name of an encoder"),
        (("PHOTOS", "--name", "m", "--loss", "other"), "no loss 'other'"),
        (("PHOTOS", "--name", "m", "--views", "0"), "nothing to learn from but views"),
        (("PHOTOS", "--name", "m", "--augmentation", "other"), "no augmentation 'other'"),
        (("PHOTOS", "--name", "m", "--set", "epochs=0", "--plot", "x.png"), "trains nothing"),
        (("PHOTOS", "--name", "m", "--set", "widht=3"), "no parameter 'widht'"),
        (("PHOTOS", "--name", "m", "--show-views", "x.gif"), "change the suffix"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    lookalike: Run, photos: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [photos if argument == "PHOTOS" else argument for argument in arguments]
    code, out, err = lookalike("train", "contrastive", *given, "--encoder", "classic", "--quiet")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_other_models_are_no_classifiers(lookalike: Run, photos: Path) -> None:
    assert lookalike("train", "contrastive", photos, "--name", "m", *QUICK, "--no-measure")[0] == 0
    code, _, err = lookalike("classify", photos, "--model", "m")
    assert code == 2
    assert "'m' is no classifier" in err
