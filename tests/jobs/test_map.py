"""The map: neighbours near each other, contexts that are named there, and what is known at each place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import InputError, UnknownNameError, WorkspaceError
from lookalike.core.files import write_json
from lookalike.core.progress import Progress
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.jobs.evaluate import chosen_judgments
from lookalike.jobs.map_places import make_map, places, read_map
from lookalike.jobs.map_view import context_counts, view_map
from lookalike.jobs.named_contexts import forget_context, in_context, name_context, read_contexts
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments


@pytest.fixture
def workspace(photos: Path) -> Workspace:
    """24 photographs; judgments about 6 of them, of which some name a context."""
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    asked = [(f"a/{3 * n:03}.jpg", "b/001.jpg", "c/002.jpg", "old" if n < 2 else "") for n in range(6)]
    columns = [list(column) for column in zip(*asked, strict=True)]
    answers = Judgments.from_ids(*columns[:3], [1] * 6, [0] * 6, context=columns[3])
    JudgmentStore(collection.workspace.judgments_file).import_judgments(answers, "people.csv", "d1")
    return collection.workspace


def test_groups_stand_apart_and_the_seed_decides() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 12))
    rows = (centres.repeat(20, axis=0) + 0.02 * rng.normal(size=(60, 12))).astype(np.float32)
    spots = places(rows, seed=3)
    assert spots.shape == (60, 2)
    assert np.abs(spots).max() == pytest.approx(1)
    distance = np.linalg.norm(spots[:, None] - spots[None], axis=2) + 9 * np.eye(60)
    group = np.arange(60) // 20
    assert (group[distance.argmin(axis=1)] == group).all()
    assert (places(rows, seed=3) == spots).all()


def test_laying_out_says_how_far_it_is_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Progress] = []
    places(np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32), 0, told.append)
    assert {(one.stage, one.total) for one in told} == {("laying out", 1000)}
    done = [one.done for one in told]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] >= 250
    assert len(done) > 5
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_images_and_equal_ones_have_places_too(count: int) -> None:
    assert np.isfinite(places(np.eye(count, 5, dtype=np.float32))).all()
    assert (places(np.ones((count, 5), np.float32)) == 0).all()


def test_a_map_has_all_references_first(workspace: Workspace) -> None:
    found = make_map(workspace.path, count=10, seed=1)
    assert found == read_map(workspace)
    assert len(found["images"]) == len(found["x"]) == len(found["y"]) == 10
    assert found["references"][:6] == [f"a/{3 * n:03}.jpg" for n in range(6)] == found["images"][:6]
    assert found["references"][6:] == [None] * 4
    assert len(set(found["images"])) == 10
    assert found["total"] == 24
    assert make_map(workspace.path, count=10, seed=1)["x"] == found["x"]


def test_a_view_knows_contexts_and_agreement(workspace: Workspace) -> None:
    version = make_map(workspace.path)["version"]
    shares = [[1.0, 0.5, None, 0.0, 1.0, 1.0]]
    rows = [{"label": "one", "kind": "context model"}]
    by_reference = {"references": [f"a/{3 * n:03}.jpg" for n in range(6)], "agreement": shares}
    write_json(workspace.leaderboard_file, {"format": 1, "rows": rows, "by_reference": by_reference})
    name_context(workspace, "sea", ["a/003.jpg", "c/002.jpg"])
    view = view_map(workspace, version)
    assert view is not None
    assert not view["out_of_date"]
    assert view_map(workspace, version + 1)["out_of_date"]  # type: ignore[index]
    contexts = dict(zip(view["images"], view["contexts"], strict=True))
    assert {image: one for image, one in contexts.items() if one} == {
        "a/000.jpg": "old", "a/003.jpg": "sea", "c/002.jpg": "sea",
    }  # fmt: skip
    agreement = dict(zip(view["images"], view["agreement"]["one"], strict=True))
    assert (agreement["a/003.jpg"], agreement["a/009.jpg"], agreement["b/001.jpg"]) == (0.5, 0.0, None)
    assert view["kinds"] == {"one": "context model"}


def test_named_contexts_count_before_those_of_imports(workspace: Workspace) -> None:
    assert len(chosen_judgments(workspace, context="old")) == 2
    name_context(workspace, "sea", ["a/003.jpg", "a/006.jpg"])
    name_context(workspace, "town", ["a/006.jpg", "a/009.jpg"])
    assert context_counts(workspace) == {"sea": 1, "town": 2}
    labels = chosen_judgments(workspace).context
    assert labels is not None
    assert labels.values().tolist() == ["old", "sea", "town", "town", "", ""]
    assert chosen_judgments(workspace, context="sea").references.tolist() == ["a/003.jpg"]
    assert chosen_judgments(workspace, context="town", source="people.csv").references.tolist() == [
        "a/006.jpg",
        "a/009.jpg",
    ]
    assert len(in_context(chosen_judgments(workspace), "")) == 2
    with pytest.raises(InputError, match="no judgments of that source or context"):
        chosen_judgments(workspace, context="other")
    forget_context(workspace, "town")
    forget_context(workspace, "sea")
    assert read_contexts(workspace) == {}
    assert len(chosen_judgments(workspace, context="old")) == 2


def test_a_reference_may_have_another_id_than_its_path(workspace: Workspace, photos: Path) -> None:
    answers = Judgments.from_ids(["7"], ["8"], ["9"], [1], [0])
    files = {id: photos / f"b/{place:03}.jpg" for id, place in zip("789", (1, 4, 7), strict=True)}
    JudgmentStore(workspace.judgments_file).import_judgments(answers.with_images(files), "ids.csv", "d2")
    found = make_map(workspace.path)
    assert dict(zip(found["images"], found["references"], strict=True))["b/001.jpg"] == "7"
    name_context(workspace, "sea", ["b/001.jpg"])
    assert chosen_judgments(workspace, context="sea").references.tolist() == ["7"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 65])
def test_what_is_no_name_names_no_context(workspace: Workspace, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a context"):
        name_context(workspace, name, ["a/003.jpg"])
    assert not workspace.contexts_file.exists()


def test_bad_contexts_are_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="needs images"):
        name_context(workspace, "sea", [])
    with pytest.raises(UnknownNameError):
        forget_context(workspace, "sea")
    workspace.contexts_file.write_bytes(b"image,context\na.jpg\n")
    with pytest.raises(InputError, match=r"contexts\.csv: not a CSV file with the columns"):
        read_contexts(workspace)
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "1")
    with pytest.raises(WorkspaceError, match="read-only"):
        name_context(Workspace(workspace.path), "sea", ["a/003.jpg"])


def test_names_of_many_threads_are_all_kept(workspace: Workspace) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(number: int) -> Any:
        return name_context(workspace, f"c{number}", [f"a/{3 * number:03}.jpg"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert len(context_counts(workspace)) == 8
