"""Which columns of a Parquet file hold pictures and ids, by their types and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lookalike.images.sources.shards import DamagedError

__all__ = ["id_column", "picture_column"]

PICTURES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes", "content", "data", "image_bytes")
ADDRESSES = (
    "image_path",
    "file_path",
    "filepath",
    "path",
    "file_name",
    "filename",
    "file",
    "image_file",
    "image_url",
    "url",
    "uri",
    "address",
    *PICTURES,
)
IDS = ("id", "image_id", "__key__", "key", "uid", "uuid", "sku")


def picture_column(schema: Any) -> str:
    """Return the column that holds pictures, or says where they are.

    A struct with ``bytes`` goes before plain bytes, and these before text; of several of a kind, the one with a usual
    name.

    Parameters
    ----------
    schema : pyarrow.Schema

    Raises
    ------
    DamagedError
        There is none, or it is not clear which.

    Examples
    --------
    >>> import pyarrow as pa
    >>> picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    >>> picture_column(pa.schema({"label": pa.int64(), "image": picture}))
    'image'
    >>> picture_column(pa.schema({"path": pa.string(), "caption": pa.string()}))
    'path'
    """
    structs = [field.name for field in schema if _is_struct(field.type)]
    binary = [field.name for field in schema if _is_bytes(field.type)]
    text = [field.name for field in schema if _is_text(field.type) and field.name.lower() in ADDRESSES]
    for found in (structs, binary):
        usual = _first(PICTURES, found)
        if usual is not None or len(found) == 1:
            return usual or found[0]
        if found:
            raise DamagedError(f"pictures may be in the columns {', '.join(found)}: name the right one image")
    chosen = _first(ADDRESSES, text)
    if chosen is None:
        there = ", ".join(schema.names[:12]) or "none"
        raise DamagedError(f"no column of {there} holds pictures, or paths of them: name the right one image or path")
    return chosen


def id_column(schema: Any, pictures: str) -> str | None:
    """Return the column that names the pictures, if there is one.

    Examples
    --------
    >>> import pyarrow as pa
    >>> id_column(pa.schema({"ID": pa.int64(), "image": pa.binary()}), "image")
    'ID'
    """
    import pyarrow as pa

    names = [
        field.name
        for field in schema
        if field.name != pictures and (_is_text(field.type) or pa.types.is_integer(field.type))
    ]
    return _first(IDS, names)


def _first(usual: Sequence[str], names: Sequence[str]) -> str | None:
    by_name = {name.lower(): name for name in reversed(names)}
    return next((by_name[name] for name in usual if name in by_name), None)


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    if not pa.types.is_struct(kind):
        return False
    return any(field.name == "bytes" and _is_bytes(field.type) for field in kind.fields)


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
