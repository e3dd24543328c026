"""Filters, pages, many queries and several references at once on the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.jobs.models import open_model

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--set", "epochs=3", "--set", "members=1", "--set", "reduce=16", "--no-measure", "--quiet")
COUNT = 24


@pytest.fixture
def photos(lookalike: Run, tmp_path: Path) -> Path:
    """Photographs in two folders, indexed."""
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    for name in ("x", "y"):
        (folder / name).mkdir(parents=True)
    for number in range(COUNT):
        coarse = rng.integers(0, 255, (6, 6, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((64 + number, 64), Image.Resampling.BICUBIC)
        picture.save(folder / "xy"[number % 2] / f"{number:02}.png")
    assert lookalike("index", folder, "--quiet")[0] == 0
    return folder


def found(lookalike: Run, *arguments: object, code: int = 0) -> dict[str, object]:
    given, out, err = lookalike("search", *arguments, "--json", "--quiet")
    assert (given, err) == (code, ""), err
    return json.loads(out)


def size(sheet: Path) -> tuple[int, int]:
    with Image.open(sheet) as picture:
        return picture.size


def names(data: dict[str, object]) -> list[str]:
    return [hit["image"] for hit in data["results"]]


def test_filters_and_pages(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    query = photos / "x" / "02.png"
    everything = names(found(lookalike, query, "-k", 100))
    assert len(everything) == COUNT
    where = "width > 70 and folder = 'x'"
    fitting = [name for name in everything if name[0] == "x" and int(name[2:4]) > 6]
    assert names(found(lookalike, query, "-k", 100, "--where", where)) == fitting
    pages = [names(found(lookalike, query, "-k", 3, "--where", where, "--offset", at)) for at in (0, 3, 6, 9)]
    assert [name for page in pages for name in page] == fitting
    code, out, _ = lookalike("search", query, "-k", 2, "--offset", 2, "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["3", everything[2]], ["4", everything[3]]]
    code, out, _ = lookalike("search", query, "--where", "width > 9000")
    assert "nothing fits" in out


def test_many_queries_are_answered_each(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    data = found(lookalike, photos / "x" / "02.png", photos / "y" / "03.png", "-k", 3)
    assert [names(one)[0] for one in data["queries"]] == ["x/02.png", "y/03.png"]
    alone = found(lookalike, photos / "x" / "02.png", "-k", 3)
    assert set(alone) == {"query", "root", "results"}
    assert names(alone) == names(data["queries"][0])
    (photos / "y" / "broken.png").write_bytes((photos / "y" / "03.png").read_bytes()[:50])
    sheet = tmp_path / "sheet.jpg"
    data = found(lookalike, photos / "y", "-k", 2, "--sheet", sheet, code=1)
    assert [names(one)[0] for one in data["queries"]] == [f"y/{number:02}.png" for number in range(1, COUNT, 2)]
    assert [entry["path"] for entry in data["rejected"]] == [str(photos / "y" / "broken.png")]
    assert size(sheet)[1] > 2000
    code, out, _ = lookalike("search", photos / "y", "-k", 1, "--quiet")
    assert code == 1
    assert "1 file could not be read" in out


def test_like_these_not_like_those(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    a, b, c = photos / "x" / "00.png", photos / "x" / "02.png", photos / "y" / "01.png"
    sheet = tmp_path / "sheet.png"
    data = found(lookalike, "--like", a, "--like", b, "--unlike", c, "-k", 100, "--sheet", sheet)
    assert data["query"] is None
    assert (data["like"], data["unlike"]) == ([str(a), str(b)], [str(c)])
    encoder = load_encoder("compact")
    vectors = {path: encoder.vector(path) for path in photos.rglob("*.png")}
    asked = (vectors[a] + vectors[b]) / 2 - 0.5 * vectors[c]
    asked /= np.linalg.norm(asked)
    for hit in data["results"]:
        assert hit["distance"] == pytest.approx(1 - asked @ vectors[photos / hit["image"]], abs=1e-5)
    nearest = sorted(vectors, key=lambda path: -float(asked @ vectors[path]))[:2]
    assert names(data)[:2] == [path.relative_to(photos).as_posix() for path in nearest]
    assert names(found(lookalike, a, "--like", b, "--unlike", c, "-k", 100)) == names(data)
    code, out, _ = lookalike("search", a, "--unlike", c, "--quiet")
    assert code == 0
    assert "searched by 00.png, not 01.png" in out
    assert size(sheet)[0] == 1600


def test_what_was_found_is_searched_by_in_turn(
    lookalike: Run, photos: Path, ensemble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path as results give it is a query, also when its file is gone, and a file of that name goes before it."""
    by_file = found(lookalike, photos / "x" / "02.png", "-k", 5)["results"]
    assert found(lookalike, "x/02.png", "-k", 5)["results"] == by_file
    weighed = ("--ensemble", ensemble, "-k", 5)
    assert (
        found(lookalike, "x/02.png", *weighed)["results"]
        == found(lookalike, photos / "x" / "02.png", *weighed)["results"]
    )
    (photos / "x" / "02.png").unlink()
    sheet = tmp_path / "sheet.png"
    data = found(lookalike, "x/02.png", "--like", "x/02.png", "--unlike", "y/03.png", "-k", 1, "--sheet", sheet)
    assert names(data) == ["x/02.png"]
    assert size(sheet)[0] == 1600
    (tmp_path / "elsewhere" / "x").mkdir(parents=True)
    shutil.copyfile(photos / "y" / "03.png", tmp_path / "elsewhere" / "x" / "02.png")
    monkeypatch.chdir(tmp_path / "elsewhere")
    workspace = ("--workspace", photos.parent / ".lookalike")
    assert names(found(lookalike, "x/02.png", "-k", 1, *workspace)) == ["y/03.png"]
    code, _, err = lookalike("search", "x/no.png", *workspace)
    assert code == 2
    assert "x/no.png: no such file, and no image of the collection has this path" in err


def test_wrong_questions_are_one_line(lookalike: Run, photos: Path, tmp_path: Path) -> None:
    query, empty = photos / "x" / "00.png", tmp_path / "empty"
    empty.mkdir()
    for arguments, message in {
        (query, "--where", "widht > 3"): "there is no column 'widht', at character 1 of the filter: the columns are",
        (): "give a picture to search by",
        ("--unlike", query): "give a picture to search by",
        (query, "--unlike", query, "--against", "1"): "nothing is left of these pictures",
        (empty,): "has no images to search by",
        (tmp_path / "no.png", tmp_path / "none.png"): "no.png: ",
    }.items():
        code, _, err = lookalike("search", *arguments, "--quiet")
        assert (code, err.count("\n")) == (2, 1), err
        assert message in err


@pytest.fixture
def ensemble(lookalike: Run, photos: Path) -> str:
    """A gate over two models."""
    rng, rows = np.random.default_rng(0), ["reference,a,b,votes_a,votes_b"]
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    for _ in range(120):
        r, a, b = rng.choice(COUNT, 3, replace=False)
        rows.append(f"{paths[r]},{paths[a]},{paths[b]},{rng.integers(1, 4)},{rng.integers(0, 2)}")
    Path("answers.csv").write_text("\n".join(rows) + "\n")
    assert lookalike("import", "csv", "answers.csv", "--images", photos, "--quiet")[0] == 0
    for name, form in (("one", "residual"), ("two", "identity")):
        assert lookalike("train", "adaptation", "--name", name, "--form", form, *SMALL)[0] == 0
    both = ("--member", "one", "--member", "two")
    assert lookalike("combine", "gate", *both, "--folds", 3, "--no-measure", "--quiet")[0] == 0
    return "gate"


def test_ensembles_take_filters_pages_batches_and_references(lookalike: Run, photos: Path, ensemble: str) -> None:
    a, b, c = photos / "x" / "00.png", photos / "x" / "02.png", photos / "y" / "01.png"
    by = ("--ensemble", ensemble)
    named = open_model(Workspace(Path(".lookalike")), ensemble)
    encoders, model = [load_encoder(one) for one in named.features.encoders], named.model
    assert isinstance(model, WeightedEnsemble)
    paths = sorted(photos.rglob("*.png"))
    asked, rows = encode_set(encoders, [a, b, c]), encode_set(encoders, paths)
    apart = model.offset(asked)[:, None] - model.query(asked) @ model.transform(rows).T
    ids = [path.relative_to(photos).as_posix() for path in paths]
    data = found(lookalike, a, c, *by, "-k", 100, "--where", "folder = 'x'", "--explain")
    for one, expected in zip(data["queries"], apart[[0, 2]], strict=True):
        at = dict(zip(ids, expected.tolist(), strict=True))
        assert sorted(names(one)) == [id_ for id_ in ids if id_[0] == "x"]
        np.testing.assert_allclose(
            [hit["distance"] for hit in one["results"]], [at[id_] for id_ in names(one)], atol=5e-4
        )
        assert sum(one["weights"].values()) == pytest.approx(1)
    several = found(lookalike, "--like", a, "--like", b, "--unlike", c, *by, "-k", 100, "--explain")
    mean = dict(zip(ids, (apart[:2].mean(axis=0) - 0.5 * apart[2]).tolist(), strict=True))
    order = [mean[id_] for id_ in names(several)]
    assert len(order) == COUNT
    assert (np.diff(order) > -1e-3).all()
    made = np.array([hit["distance"] for hit in several["results"]])
    assert np.corrcoef(made, order)[0, 1] > 0.9999
    assert (made >= 0).all()
    assert sum(several["weights"].values()) == pytest.approx(1)
    for hit in several["results"]:
        assert sum(hit["shares"].values()) == pytest.approx(1, abs=1e-5)
    pages = [names(found(lookalike, a, *by, "-k", 5, "--offset", at)) for at in range(0, 30, 5)]
    assert [name for page in pages for name in page] == names(found(lookalike, a, *by, "-k", 100))
