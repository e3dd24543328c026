"""Let an encoder look at pictures with more pixels, or fewer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import EncoderError, InputError
from lookalike.core.files import read_json, write_aside, write_json
from lookalike.encoders.onnx import OnnxEncoder

__all__ = ["ResizeReport", "resize_encoder"]


@dataclass(frozen=True, slots=True)
class ResizeReport:
    """An encoder of another size.

    Attributes
    ----------
    source, encoder : str
        The one that it was made of, and the name of the new one: ``onnx:PATH``.
    before, size : tuple of int
        Height and width of the pictures that they look at.
    dim : int
        Length of a feature, which stays.
    """

    source: str
    encoder: str
    before: tuple[int, int]
    size: tuple[int, int]
    dim: int


def resize_encoder(source: Path, output: Path, size: int) -> ResizeReport:
    """Write an encoder that looks at pictures of another size, and its card; its weights stay.

    Parameters
    ----------
    source, output : Path
        ``.onnx`` files; the source has a card beside it.
    size : int
        Pixels of each side.

    Raises
    ------
    InputError
        Both files are one.
    EncoderError
        The source is no encoder, or one for pictures of one size alone.
    StorageError

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.encoders.compact import FILE
    >>> resize_encoder(FILE, Path(tempfile.mkdtemp()) / "larger.onnx", 192).dim
    256
    """
    if output.suffix.lower() != ".onnx":
        raise EncoderError(f"{output}: the file of a network ends in .onnx")
    if output.resolve() == source.resolve():
        raise InputError(f"{output}: the encoder of another size needs a file of its own")
    try:
        from lookalike.encoders.resize import resize
    except ModuleNotFoundError as error:
        raise EncoderError('resizing needs onnx, of the extra `train`: pip install "lookalike[train]"') from error
    before = OnnxEncoder(source, "cpu")
    beside = source.with_suffix(".json")
    known = read_json(beside) if beside.is_file() else {}
    card = {**known, **before.card.as_json(), "input_size": [size, size]}
    with write_aside(output) as aside:
        card_aside = aside.with_suffix(".json")
        try:
            resize(source, aside, (size, size))
            write_json(card_aside, card)
            dim = OnnxEncoder(aside, "cpu").spec.dim
        finally:
            card_aside.unlink(missing_ok=True)
        if dim != before.spec.dim:
            raise EncoderError(f"{source}: its features have {before.spec.dim} numbers, and {dim} at {size} pixels")
        write_json(output.with_suffix(".json"), card)
    return ResizeReport(
        source=before.spec.name,
        encoder=f"onnx:{output.resolve()}",
        before=before.spec.input_size,
        size=(size, size),
        dim=dim,
    )
