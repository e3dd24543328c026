"""What encoders there are, where their weights are, and fetching them beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import list_encoders, load_encoder
from lookalike.encoders import facenet, tll37
from lookalike.encoders.load import weight_source
from lookalike.encoders.name import parse_name
from lookalike.encoders.sources import WeightSource, find, obtain, weights_folder
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.folder import Rejected
from lookalike.jobs.compare import default_encoder

__all__ = [
    "Fetched",
    "SetEntry",
    "encoder_card",
    "encoder_set",
    "fetch_encoders",
    "hindrance",
    "indexed_encoders",
    "list_encoders",
]

SETS = {"tll37": tll37.extractors}
Status: TypeAlias = Literal["found", "download", "by hand", "not installable"]


@dataclass(frozen=True, slots=True)
class SetEntry:
    """An encoder of a published set.

    Attributes
    ----------
    label : str
        What the publication calls it.
    name : str
        What `load_encoder` takes.
    taps : list of str
        Its layers.
    dim : int
        Length of its feature.
    status : {"found", "download", "by hand", "not installable"}
        Where its weights are.
    state : str
        The same in words: where they were found, or how to come by them.
    file, url : str, str or None
        The file of its weights in the folder of weights, and what serves it.
    """

    label: str
    name: str
    taps: list[str]
    dim: int
    status: Status
    state: str
    file: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Weights that are on this machine now.

    Attributes
    ----------
    name : str
        The encoder.
    path : Path
        The file.
    downloaded : bool
        Whether it was not there before.
    """

    name: str
    path: Path
    downloaded: bool


def encoder_card(name: str | None = None, workspace: Path | None = None) -> EncoderSpec:
    """Load an encoder, by default the workspace's, and return its card.

    Examples
    --------
    >>> encoder_card("classic").resize
    'squash'
    """
    return load_encoder(name or default_encoder(workspace)).spec


def indexed_encoders(workspace: Path) -> list[str]:
    """Return the encoders that a workspace was indexed with; none where there is no workspace.

    Examples
    --------
    >>> indexed_encoders(Path("nowhere"))
    []
    """
    held = Workspace(workspace)
    return list(held.config().encoders) if held.exists() else []


def hindrance(name: str) -> str:
    """Say why an encoder cannot be loaded by its name alone; nothing for all that can.

    Examples
    --------
    >>> hindrance("classic"), hindrance("facenet:vggface2")[:15]
    ('', 'facenet-pytorch')
    """
    return facenet.REASON if name.startswith("facenet:") else ""


def encoder_set(name: str, pattern: str = "*") -> list[SetEntry]:
    """Return the encoders of a published set, and where the weights of each are.

    No network is built, no library of networks imported, nothing downloaded.

    Parameters
    ----------
    name : str
        ``"tll37"``: the extractors of *Learning an adaptation function to assess image visual similarities*.
    pattern : str
        A shell pattern for labels or names.

    Raises
    ------
    UnknownNameError
        There is no such set.

    Examples
    --------
    >>> entry = encoder_set("tll37", "clip_rn50x4")[0]
    >>> entry.dim, entry.taps[-1]
    (5440, 'attnpool')
    """
    entries = []
    for extractor in _extractors(name):
        if not (fnmatchcase(extractor.label, pattern) or fnmatchcase(extractor.encoder, pattern)):
            continue
        status, state = _state(extractor)
        entries.append(
            SetEntry(
                extractor.label,
                extractor.encoder,
                list(extractor.taps),
                extractor.dim,
                status,
                state,
                extractor.source.file,
                extractor.source.url,
            )
        )
    return entries


def fetch_encoders(
    names: Sequence[str], set_name: str | None = None, on_progress: OnProgress = silent
) -> tuple[list[Fetched], list[Rejected]]:
    """Download the weights of encoders into the folder of weights, where they are not there yet.

    Parameters
    ----------
    names : sequence of str
    set_name : str, optional
        A published set; its encoders come too.
    on_progress : callable, optional

    Returns
    -------
    list of Fetched, list of Rejected
        What is here now; the names whose weights cannot be had, and why.

    Raises
    ------
    InputError
        Nothing to fetch was named, or the only name cannot be had.

    Examples
    --------
    >>> fetch_encoders([])
    Traceback (most recent call last):
    lookalike.core.errors.InputError: name an encoder to fetch, such as dino:vitb16, or a set: --set tll37
    """
    wanted: dict[str, WeightSource | None] = dict.fromkeys(names)
    wanted |= {extractor.encoder: extractor.source for extractor in _extractors(set_name)} if set_name else {}
    if not wanted:
        raise InputError("name an encoder to fetch, such as dino:vitb16, or a set: --set tll37")
    fetched: list[Fetched] = []
    rejected: list[Rejected] = []
    for number, (name, source) in enumerate(wanted.items()):
        on_progress(Progress("fetching weights", number, len(wanted), len(rejected)))
        try:
            fetched.append(_fetch(name, source))
        except InputError as error:
            if len(wanted) == 1:
                raise
            rejected.append(Rejected(name, str(error)))
    on_progress(Progress("fetching weights", len(wanted), len(wanted), len(rejected)))
    return fetched, rejected


def _extractors(name: str) -> tuple[tll37.Extractor, ...]:
    if name not in SETS:
        raise UnknownNameError("set of encoders", name, SETS)
    return SETS[name]()


def _fetch(name: str, source: WeightSource | None) -> Fetched:
    source = source or weight_source(name)
    if source is None or parse_name(name).weights is not None:
        raise InputError(f"{name}: has no weights to fetch")
    held = find(source) is not None
    return Fetched(name, obtain(source), not held)


def _state(extractor: tll37.Extractor) -> tuple[Status, str]:
    """Say where weights are, or how to come by them."""
    source, held = extractor.source, find(extractor.source)
    if held is not None:
        return "found", f"weights found: {held}"
    if extractor.hindrance:
        taps = ", ".join(extractor.taps)
        return "not installable", f"not installable: {extractor.hindrance}; export {taps} and use onnx:PATH"
    if source.url is not None:
        return "download", f"to be downloaded from {urlsplit(source.url).hostname} ({source.file})"
    return "by hand", f"get {source.file}: {source.how}; put it into {weights_folder()}"
