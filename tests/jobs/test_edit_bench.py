"""The test bench of edited copies: fair queries, an honest gallery, and numbers that a plain loop confirms."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike import IdentityModel, load_encoder
from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding import feature_sets
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.lens import EditLens
from lookalike.images.edits import EDITS, STRENGTHS
from lookalike.jobs.bench_gallery import gallery_of
from lookalike.jobs.bench_tables import Copies, Subject, bench_rows
from lookalike.jobs.edit_bench import deal_edits, edit_bench
from lookalike.metrics.places import Places

MakePhoto = Callable[..., Path]


@given(st.integers(1, 60), st.integers(1, 10), st.integers(1, 12), st.integers(0, 99))
def test_edits_are_dealt_evenly_and_none_twice(photographs: int, edits: int, each: int, seed: int) -> None:
    dealt = deal_edits(photographs, edits, each, seed)
    assert dealt.shape == (photographs, min(each, edits))
    assert all(len(set(row)) == len(row) for row in dealt.tolist())
    counts = np.bincount(dealt.ravel(), minlength=edits)
    assert counts.max() - counts.min() <= 1


def test_of_identical_files_one_counts_and_photographs_come_first(photos: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    shutil.copy(photos / "a" / "000.jpg", others / "again.jpg")
    shutil.copy(photos / "b" / "001.jpg", photos / "b" / "twin.jpg")
    Image.new("RGB", (30, 30), (200, 0, 0)).save(others / "red.png")
    Image.new("RGB", (30, 30), (0, 200, 0)).save(others / "one.png")
    found = gallery_of(photos, [others, others])
    assert found.copies == 2
    assert len(found.photographs) == 24
    assert set(found.files) == {*found.photographs, f"{others}/red.png", f"{others}/one.png"}
    assert "b/twin.jpg" not in found.files
    assert found.files["a/000.jpg"] == photos / "a" / "000.jpg"


def test_photographs_are_drawn_by_the_seed_and_a_bad_one_is_replaced(photos: Path) -> None:
    whole = gallery_of(photos)
    drawn = whole.draw(5, seed=3)
    assert drawn == whole.draw(5, seed=3) != whole.draw(5, seed=4)
    assert sorted(whole.draw(99, seed=0)) == sorted(whole.files)
    from lookalike.images.folder import Rejected

    fewer = whole.without([Rejected(drawn[1], "bad")])
    assert fewer.draw(5, seed=3) == [drawn[0], *whole.draw(6, seed=3)[2:]]
    assert [entry.path for entry in fewer.rejected] == [drawn[1]]


def test_rows_are_ranked_measured_by_part_and_compared_in_pairs() -> None:
    rng = np.random.default_rng(0)
    photographs = np.repeat([f"p{number}" for number in range(20)], 6)
    edits = np.tile(["crop", "jpeg"], 60)
    strengths = np.tile(["weak", "weak", "strong", "strong", "middle", "middle"], 20)
    copies = Copies(photographs, edits, strengths)
    none = np.zeros(120, np.int64)
    subjects = [
        Subject(name, Places(rng.choice([0, 1, 7, 40], 120, p=[share, *[(1 - share) / 3] * 3]), none), seen)
        for name, share, seen in (("worse", 0.3, 0.5), ("better", 0.9, 0.0))
    ]
    best, other = bench_rows(subjects, copies)
    assert (best.model, other.model, best.behind, other.seen) == ("better", "worse", None, 0.5)
    for row, subject in ((best, subjects[1]), (other, subjects[0])):
        hit = subject.places.closer < 1
        assert row.recall.value == pytest.approx(hit.mean())
        assert row.recall.n == 120
        assert row.recall.low < row.recall.value < row.recall.high
        assert row.overall.recalls[5].value == pytest.approx((subject.places.closer < 5).mean())
        assert row.overall.precision.value == pytest.approx((1 / (1 + subject.places.closer)).mean())
        assert list(row.by_strength) == ["weak", "strong", "middle"]
        for edit in ("crop", "jpeg"):
            assert row.by_edit[edit].recalls[1].value == pytest.approx(hit[edits == edit].mean())
            for strength in STRENGTHS:
                chosen = (edits == edit) & (strengths == strength)
                assert row.cells[edit][strength].value == pytest.approx(hit[chosen].mean())
                assert row.cells[edit][strength].n == chosen.sum() == 20
    assert other.behind is not None
    assert other.behind.value == pytest.approx(best.recall.value - other.recall.value)
    assert other.behind.low > 0
    for strength in STRENGTHS:
        there = other.behind_by_strength[strength]
        assert there is not None
        assert best.behind_by_strength[strength] is None
        assert there.value == pytest.approx(
            best.by_strength[strength].recalls[1].value - other.by_strength[strength].recalls[1].value
        )


def test_intervals_draw_photographs_and_not_their_copies() -> None:
    places = Places(np.repeat([0, 9] * 10, 30), np.zeros(600, np.int64))  # a photograph is found in all copies or none
    name = np.repeat([f"p{number}" for number in range(20)], 30)
    parts = np.full(600, "crop"), np.full(600, "weak")
    honest, naive = (
        bench_rows([Subject("m", places)], Copies(names, *parts))[0].recall
        for names in (name, np.arange(600).astype(str))
    )
    assert honest.value == naive.value == 0.5
    assert honest.high - honest.low > 4 * (naive.high - naive.low)


def test_the_bench_is_a_plain_search_of_every_copy(photos: Path, tmp_path: Path, network: Path) -> None:
    name = f"onnx:{network}"
    found = edit_bench(
        tmp_path / "w", photos, encoders=[name], queries=7, strengths=["middle", "strong"],
        edits=["crop", "mirror", "grey"], edits_of_one=2, seed=5,
    )  # fmt: skip
    gallery = gallery_of(photos)
    drawn, dealt = gallery.draw(7, 5), deal_edits(7, 3, 2, 5)
    encoder = load_encoder(name)
    vectors = unit_rows(encoder.encode(list(gallery.files.values())))
    ranks: dict[tuple[str, str], list[int]] = {}
    for photograph, row in zip(drawn, dealt, strict=True):
        for number in row:
            for strength in ("middle", "strong"):
                edit = ("crop", "mirror", "grey")[number]
                pixels = EditLens(edit, strength, 5).pixels(encoder, gallery.files[photograph])  # type: ignore[arg-type]
                similar = vectors @ unit_rows(encoder.forward(pixels[None]))[0]
                own = similar[list(gallery.files).index(photograph)]
                ranks.setdefault((edit, strength), []).append(1 + int((similar > own + 1e-6).sum()))
    flat = np.concatenate(list(ranks.values()))
    row = found.rows[0]
    assert (row.model, found.photographs, found.queries, found.gallery) == (name, 7, 28, 24)
    assert row.recall.value == pytest.approx((flat == 1).mean())
    assert row.overall.recalls[5].value == pytest.approx((flat <= 5).mean())
    assert row.overall.precision.value == pytest.approx((1 / flat).mean(), abs=1e-6)
    for (edit, strength), some in ranks.items():
        assert row.cells[edit][strength].value == pytest.approx((np.array(some) == 1).mean())
        assert row.cells[edit][strength].n == len(some)
    assert found.chance == {1: 1 / 24, 5: 5 / 24, 15: 15 / 24}
    counts = Counter(edit for edit, _ in ranks)
    assert set(counts) == {"crop", "mirror", "grey"}


def test_a_second_bench_encodes_nothing_and_finds_the_same(
    photos: Path, tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> object:
        return edit_bench(tmp_path / "w", photos, encoders=[f"onnx:{network}", "classic"], queries=4)

    first = run()
    monkeypatch.setattr(Encoder, "forward", lambda *_: pytest.fail("encoded again"))
    assert run() == first


def test_encoders_sets_and_models_stand_in_one_table(
    photos: Path, tmp_path: Path, network: Path, make_network: Callable[..., Path]
) -> None:
    from lookalike import save_model
    from lookalike.jobs.models import model_file
    from lookalike.judgments.pairs import Pairs

    held = Workspace(tmp_path / "w")
    other = make_network(tmp_path / "nets" / "other.onnx", dim=5)
    names = [f"onnx:{network}", f"onnx:{other}"]
    both = feature_sets.define(held, "both", names)
    files = {path.relative_to(photos).as_posix(): path for path in sorted(photos.rglob("*.jpg"))}
    computed = feature_sets.compute_set(held, both, files)
    ids = list(files)
    model = IdentityModel().fit(Pairs.from_ids(ids[:6], ids[6:12]), computed.features)
    about = {"encoders": names, "fingerprint": computed.fingerprint}
    save_model(model, model_file(held, "plain"), about)
    found = edit_bench(
        held.path, photos, encoders=names[:1], sets=["both"], models=["plain"], queries=12, edits_of_one=1
    )
    rows = {row.model: row for row in found.rows}
    assert set(rows) == {names[0], "both", "plain"}
    assert rows["plain"].overall == rows["both"].overall
    assert 0 < rows["plain"].seen < 1
    assert rows["both"].seen == 0
    alone = edit_bench(held.path, photos, models=["plain"], queries=12, edits_of_one=1)
    assert {row.model for row in alone.rows} == {"plain", " + ".join(names)}


def test_what_cannot_be_read_is_listed_and_no_query(photos: Path, tmp_path: Path) -> None:
    for number in range(24):
        if number % 2:
            (photos / "abc"[number % 3] / f"{number:03}.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing" + bytes([number]))
    found = edit_bench(tmp_path / "w", photos, encoders=["classic"], queries=50, edits=["grey"])
    assert (found.gallery, found.photographs, len(found.rejected)) == (12, 12, 12)
    assert all(entry.reason for entry in found.rejected)


def test_plot_and_sheet_are_drawn(photos: Path, tmp_path: Path) -> None:
    plot, sheet = tmp_path / "p.png", tmp_path / "s.png"
    edit_bench(tmp_path / "w", photos, encoders=["classic"], queries=2, plot=plot, sheet=sheet)
    with Image.open(plot) as one, Image.open(sheet) as other:
        assert one.width > 500
        assert other.width > len(EDITS) * 112


def test_what_makes_no_bench_is_refused(photos: Path, tmp_path: Path) -> None:
    def run(folder: Path = photos, **options: object) -> object:
        return edit_bench(tmp_path / "w", folder, encoders=["classic"], **options)  # type: ignore[arg-type]

    empty, single = tmp_path / "empty", tmp_path / "single"
    empty.mkdir()
    single.mkdir()
    shutil.copy(photos / "a" / "000.jpg", single)
    for options, message in (
        ({"queries": 0}, "queries: at least 1"),
        ({"edits_of_one": 0}, "edits of one photograph: at least 1"),
        ({"strengths": []}, "one strength at least"),
        ({"strengths": ["weak", "weak"]}, "every strength"),
        ({"folder": empty}, "empty has no images"),
        ({"distractors": [empty]}, "empty has no images"),
        ({"folder": single}, "another one"),
        ({"plot": tmp_path / "p.txt"}, "change the suffix"),
        ({"sheet": tmp_path / "p.txt"}, "change the suffix"),
    ):
        with pytest.raises(InputError, match=message):
            run(**options)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="did you mean crop"):
        run(edits=["crops"])
    with pytest.raises(UnknownNameError, match="did you mean strong"):
        run(strengths=["stronk"])
