"""The images of a collection as codes of a quantizer: a few bytes each, kept in the workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Hit
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_sets import joint_fingerprint
from lookalike.embedding.features import file_stamp
from lookalike.images.folder import Rejected
from lookalike.jobs.models import NamedModel, model_features
from lookalike.search.codebooks import Codes
from lookalike.search.codes import CodeIndex, pack
from lookalike.search.masked import among_rows, page_of
from lookalike.similarity.model import Arrays, describe
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.saving import card_of, read_arrays, usable, write_files

__all__ = ["CodedImages", "check_codes", "coded_hits", "coded_images"]


@dataclass(frozen=True, slots=True, eq=False)
class CodedImages:
    """Images to search by their codes.

    Attributes
    ----------
    ids : str (N,)
    index : CodeIndex
        Rows in the order of `ids`.
    """

    ids: NDArray[np.str_]
    index: CodeIndex


def coded_images(
    workspace: Workspace,
    named: NamedModel,
    encoders: Sequence[Encoder],
    files: Mapping[str, Path],
    on_progress: OnProgress,
) -> CodedImages:
    """Return the codes of image files; those that cannot be read have none.

    They come from ``codes/NAME.safetensors`` of the workspace, where neither files nor model have changed since; else
    what is new is encoded, and that file is written anew. It holds the packed codes, the codebooks and the ids; its
    card says by which model and features.

    Parameters
    ----------
    workspace : Workspace
    named : NamedModel
        A quantizer.
    encoders : sequence of Encoder
        Those of its features.
    files : mapping of id to Path
    on_progress : callable

    Raises
    ------
    InputError
        None of the images can be read, or the model was trained on other features.
    StorageError
        The workspace cannot be written.
    """
    model = named.model
    assert isinstance(model, QuantizerModel)  # callers have looked
    path = workspace.path / "codes" / f"{named.name}.safetensors"
    made_of = _digest(named, encoders, files)
    books, words, _ = model.codebooks_.shape
    held = _held(path, made_of)
    if held is None:
        unreadable: list[Rejected] = []
        features = model_features(workspace, named, files, on_progress, unreadable)
        if not len(features):
            raise InputError(f"{workspace.place} has no images that {named.name} could make codes of")
        ids, packed = features.ids, pack(model.codes(features), words)
        joined = np.frombuffer("\0".join(ids.tolist()).encode("utf-8", "surrogateescape"), np.uint8)
        arrays: Arrays = {"codes": packed, "codebooks": model.codebooks_, "ids": joined}
        about = {"made_of": made_of, "images": len(ids), "bytes_per_image": packed.shape[1]}
        write_files(path, describe(model), arrays, about)
    else:
        ids, packed = held
    return CodedImages(ids, CodeIndex(packed, words, books))


def check_codes(name: str, pictures: int, explain: bool) -> None:
    """Refuse what codes cannot say.

    Raises
    ------
    InputError
    """
    if explain:
        raise InputError(f"'{name}' is a quantizer: its distances are sums over codes, not over models")
    if pictures > 1:
        raise InputError(f"'{name}' is a quantizer: it searches by one picture, without --like and --unlike")


def coded_hits(
    coded: CodedImages, named: NamedModel, features: Vectors, k: int, offset: int, fitting: pa.Array | None
) -> list[list[Hit]]:
    """Return the images whose codes are closest to each of several pictures, closest first.

    Parameters
    ----------
    coded : CodedImages
    named : NamedModel
        The quantizer that made them.
    features : float32 (Q, D)
    k, offset : int
    fitting : pyarrow array of text, optional
        Only these images.
    """
    model = named.model
    assert isinstance(model, QuantizerModel)  # callers have looked
    tables = model.tables(features)
    fit = np.ones(len(coded.ids), np.bool_) if fitting is None else np.isin(coded.ids, fitting.to_pylist())

    def search(depth: int) -> tuple[Rows, Distances]:
        return among_rows(coded.index.search, tables, depth, fit)

    # Codes are all looked at, and stand in the order of their ids: the search is exact.
    places, sums = page_of(search, int(fit.sum()), min(k, len(fit)), offset, exact=True)
    distances = sums if model.settings_["mode"] == "published" else sums / 2
    return [
        [Hit(coded.ids[row].item(), at, 1 - at) for row, at in zip(rows, apart, strict=True) if row >= 0]
        for rows, apart in zip(places, distances.tolist(), strict=True)
    ]


def _held(path: Path, made_of: str) -> tuple[NDArray[np.str_], Codes] | None:
    """Return ids and packed codes of a file that was made of the same; whatever is wrong with it, it is made anew."""
    try:
        card = card_of(path)
        if card["about"].get("made_of") != made_of:
            return None
        arrays = read_arrays(path, card)
        with usable(path):
            ids = arrays["ids"].tobytes().decode("utf-8", "surrogateescape").split("\0")
            return np.array(ids, np.str_), arrays["codes"]
    except InputError:
        return None


def _digest(named: NamedModel, encoders: Sequence[Encoder], files: Mapping[str, Path]) -> str:
    """Return what changes whenever a code could."""
    made = hashlib.sha256(named.card["sha256"].encode())
    made.update(joint_fingerprint([encoder.spec.fingerprint for encoder in encoders]).encode())
    for id_, path in files.items():
        made.update(repr((id_, file_stamp(str(path)))).encode("utf-8", "surrogateescape"))
    return made.hexdigest()
