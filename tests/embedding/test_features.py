from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike import Features, embed, load_encoder
from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.vectors import triplet_distances, unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_cache import unit_features


@given(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, min_size=1), st.data())
def test_rows_lead_back_to_the_ids(ids: list[str], data: st.DataObject) -> None:
    features = Features(ids, np.zeros((len(ids), 2)))
    wanted = data.draw(st.lists(st.sampled_from(ids)))
    assert features.ids[features.rows(wanted)].tolist() == wanted


def test_absent_and_double_ids_are_named() -> None:
    with pytest.raises(InputError, match=r"'z' \(and 1 more"):
        Features(["a", "b"], np.zeros((2, 1))).rows(["a", "z", "y"])
    with pytest.raises(InputError, match="'z'"):
        Features([], np.zeros((0, 1))).rows(["z"])
    with pytest.raises(InputError, match="'a' stands twice"):
        Features(["a", "b", "a"], np.zeros((3, 1)))
    with pytest.raises(InputError, match="2 ids do not fit"):
        Features(["a", "b"], np.zeros((3, 1)))


def test_features_side_by_side_follow_the_first_ids() -> None:
    left = Features(["a", "b"], [[1], [2]])
    right = Features(["b", "c", "a"], [[20], [30], [10]])
    assert Features.concatenate([left, right]).vectors.tolist() == [[1, 10], [2, 20]]
    with pytest.raises(InputError, match="'c'"):
        Features.concatenate([right, left])
    with pytest.raises(InputError, match="nothing"):
        Features.concatenate([])


def test_embedding_names_the_image_that_cannot_be_read(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"")
    encoder = load_encoder("classic")
    images = {path.stem: path for path in photos.rglob("*.jpg")}
    features = embed(encoder, images)
    assert features.vectors.shape == (24, encoder.dim)
    np.testing.assert_array_equal(features.vectors[features.rows(["005"])], encoder.encode([images["005"]]))
    with pytest.raises(ImageDecodeError, match=r"bad\.jpg"):
        embed(encoder, {**images, "bad": tmp_path / "bad.jpg"})


def test_the_cache_encodes_new_and_changed_files_alone(
    photos: Path, tmp_path: Path, network: Path, make_photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(f"onnx:{network}")
    workspace = Workspace(tmp_path / "w")
    images = {path.stem: path for path in sorted(photos.rglob("*.jpg"))}
    first = unit_features(workspace, encoder, images)
    np.testing.assert_allclose(first.vectors, unit_rows(encoder.encode(list(images.values()))), atol=1e-6)
    encoded: list[int] = []
    forward = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, pixels: encoded.append(len(pixels)) or forward(self, pixels))
    make_photo(images["003"], 900)
    second = unit_features(workspace, encoder, {**images, "twin": images["004"]})
    assert sum(encoded) == 1
    assert not np.allclose(second.vectors[second.rows(["003"])], first.vectors[first.rows(["003"])])
    np.testing.assert_array_equal(second.vectors[second.rows(["twin"])], first.vectors[first.rows(["004"])])


def test_a_damaged_cache_is_made_again(photos: Path, tmp_path: Path, network: Path) -> None:
    encoder, workspace = load_encoder(f"onnx:{network}"), Workspace(tmp_path / "w")
    images = {path.stem: path for path in photos.rglob("*.jpg")}
    expected = unit_features(workspace, encoder, images).vectors
    (file,) = (workspace.path / "features").iterdir()
    file.write_bytes(file.read_bytes()[:200])
    np.testing.assert_array_equal(unit_features(workspace, encoder, images).vectors, expected)


def test_triplet_distances_match_a_plain_loop_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.normal(size=(40, 9)).astype(np.float32))
    r, a, b = rng.integers(0, 40, (3, 101))
    for rows in (1, 7, 1024):
        monkeypatch.setattr("lookalike.core.vectors.ROWS_AT_ONCE", rows)
        distance_a, distance_b = triplet_distances(vectors, r, a, b)
        for i in range(101):
            assert distance_a[i] == pytest.approx(1 - float(vectors[r[i]] @ vectors[a[i]]), abs=1e-6)
            assert distance_b[i] == pytest.approx(1 - float(vectors[r[i]] @ vectors[b[i]]), abs=1e-6)
    assert (distance_a >= 0).all()
    assert [len(side) for side in triplet_distances(vectors, r[:0], a[:0], b[:0])] == [0, 0]
    with pytest.raises(IndexError, match="not all among the 40 vectors"):
        triplet_distances(vectors, r, a, b + 40)
