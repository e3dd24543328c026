from pathlib import Path

import numpy as np
import pytest

from lookalike import embed, load_encoder
from lookalike.core.errors import ImageDecodeError
from lookalike.core.vectors import triplet_distances, unit_rows


def test_embedding_names_the_image_that_cannot_be_read(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"")
    encoder = load_encoder("classic")
    images = {path.stem: path for path in photos.rglob("*.jpg")}
    features = embed(encoder, images)
    assert features.vectors.shape == (24, encoder.dim)
    np.testing.assert_array_equal(features.vectors[features.rows(["005"])], encoder.encode([images["005"]]))
    with pytest.raises(ImageDecodeError, match=r"bad\.jpg"):
        embed(encoder, {**images, "bad": tmp_path / "bad.jpg"})


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
