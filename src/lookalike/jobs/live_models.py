"""The models and ensembles of a workspace, held open beside its collection for those who search by them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lookalike.core.errors import InputError, LookalikeError, UnknownNameError
from lookalike.core.names import is_name
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.features import file_stamp
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.jobs.codes import CodedImages, coded_images
from lookalike.jobs.features import collection_files
from lookalike.jobs.fused_models import Source, fused_images, source_of
from lookalike.jobs.models import NamedModel, model_file, open_model
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.saving import card_of

__all__ = ["Choice", "LiveModels", "NotReadyError", "OpenModel"]

PATIENCE_SECONDS = 2.0
"""How long the first question waits for vectors that are being made."""

AGAIN_SECONDS = 2
"""After how long to ask again."""

log = logging.getLogger("lookalike")


class NotReadyError(LookalikeError):
    """What was asked for is being made.

    Attributes
    ----------
    seconds : int
        After how many to ask again.
    """

    def __init__(self, message: str, seconds: int = AGAIN_SECONDS) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to search and to compare by.

    Attributes
    ----------
    name : str
        As `by` takes it; that of an encoder is not needed there.
    kind : {"encoder", "model", "ensemble"}
    form : str
        What sort of model or ensemble it is; empty for an encoder.
    searches : bool
        Whether it can search.
    why_not : str
        Why it cannot.
    accuracy : float or None
        How often it agreed with people about answers that were held out, where that was measured.
    """

    name: str
    kind: Literal["encoder", "model", "ensemble"]
    form: str = ""
    searches: bool = True
    why_not: str = ""
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenModel:
    """A model or an ensemble with the encoders whose features it takes.

    Attributes
    ----------
    named : NamedModel
    encoders : list of Encoder
    stamp : (int, int)
        Of its file.
    source : Source
    """

    named: NamedModel
    encoders: list[Encoder]
    stamp: tuple[int, int]
    source: Source


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """What a model searches, and of which version of model and collection it was made."""

    stamp: tuple[int, int]
    version: int
    held: FusedVectors | CodedImages


class LiveModels:
    """Loaded once, and again when the file of a model has changed; safe to ask from several threads.

    What a model searches (the vectors of its models, or its codes) is made in a thread of its own when it is first
    asked for, and brought up to date there when the collection has changed; until then what was made before answers.

    Parameters
    ----------
    workspace : Workspace
    encoders : sequence of Encoder
        Those that are loaded already.

    Examples
    --------
    >>> LiveModels(Workspace(Path("nowhere"))).listed()
    []
    """

    def __init__(self, workspace: Workspace, encoders: Sequence[Encoder] = ()) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._filling = threading.Lock()
        self._encoders = {encoder.name: encoder for encoder in encoders}
        self._open: dict[str, OpenModel] = {}
        self._ready: dict[str, _Ready] = {}
        self._making: dict[str, threading.Thread] = {}
        self._told: dict[str, Progress] = {}
        self._failed: dict[str, LookalikeError] = {}

    def listed(self) -> list[Choice]:
        """Return the models and ensembles of the workspace, by name, from their cards alone."""
        files = sorted(self._workspace.models_folder.glob("*.safetensors"))
        return [_choice(path) for path in files if _plain(path.stem)]

    def open(self, name: str) -> OpenModel:
        """Return a model or an ensemble of the workspace by name; never one at a path.

        Raises
        ------
        UnknownNameError
            There is none; near names are listed.
        InputError, EncoderError
            Its file is damaged, or an encoder cannot be loaded.
        """
        if not _plain(name) or not model_file(self._workspace, name).is_file():
            raise UnknownNameError("model", name[:80], [choice.name for choice in self.listed()])
        stamp = file_stamp(model_file(self._workspace, name))
        with self._loading:
            held = self._open.get(name)
            if held is None or held.stamp != stamp:
                named = open_model(self._workspace, name)
                encoders = [self._encoder(one) for one in named.features.encoders]
                held = self._open[name] = OpenModel(named, encoders, stamp, source_of(named))
        return held

    def ready(self, model: OpenModel, version: int) -> FusedVectors | CodedImages:
        """Return what a model searches, made of this version of the collection or, until that is made, of an older one.

        Raises
        ------
        NotReadyError
            It is being made for the first time.
        InputError, StorageError, …
            It cannot be made.
        """
        name = model.named.name
        if isinstance(model.named.model, VoteEnsemble):
            raise InputError(f"'{name}' is a vote: it has no distance to search by; compare by it")
        with self._lock:
            held, making = self._ready.get(name), self._making.get(name)
            if held is not None and held.stamp != model.stamp:
                held = None
            if making is None and (held is None or held.version != version):
                self._failed.pop(name, None)
                making = threading.Thread(target=self._make, args=(model, version), name="lookalike-fill", daemon=True)
                self._making[name] = making
                making.start()
        if held is None and making is not None:
            making.join(PATIENCE_SECONDS)
            held = self._made(name, model.stamp)
        assert held is not None
        return held.held

    def forget(self, name: str) -> None:
        """Make anew what a model searches: another process may have dropped it."""
        with self._lock:
            self._ready.pop(name, None)

    def _made(self, name: str, stamp: tuple[int, int]) -> _Ready:
        """Return what has been made by now, or say why there is nothing."""
        with self._lock:
            held, failed, told = self._ready.get(name), self._failed.get(name), self._told.get(name)
        if held is not None and held.stamp == stamp:
            return held
        if failed is not None:
            raise failed
        done = f" ({told.done:,} of {told.total:,} images)" if told is not None and told.total else ""
        raise NotReadyError(f"'{name}' is being prepared for this collection{done}: ask again in a moment")

    def _make(self, model: OpenModel, version: int) -> None:
        """Make what a model searches; one model at a time."""
        name = model.named.name

        def tell(progress: Progress) -> None:
            self._told[name] = progress

        try:
            with self._filling:
                held = _filled(self._workspace, model, tell)
            with self._lock:
                self._ready[name] = _Ready(model.stamp, version, held)
        except LookalikeError as error:
            log.warning("'%s' cannot be searched by: %s", name, error)
            self._keep_old(model, version, error)
        except Exception as error:  # whoever asks must not wait for ever
            log.exception("'%s' cannot be searched by", name)
            self._keep_old(model, version, LookalikeError(f"'{name}' cannot be searched by: {type(error).__name__}"))
        finally:
            with self._lock:
                self._making.pop(name, None)
                self._told.pop(name, None)

    def _keep_old(self, model: OpenModel, version: int, error: LookalikeError) -> None:
        """Let what was made before answer until the collection changes again; where there is none, say why."""
        name = model.named.name
        with self._lock:
            held = self._ready.get(name)
            self._failed[name] = error
            if held is not None and held.stamp == model.stamp:
                self._ready[name] = replace(held, version=version)

    def _encoder(self, name: str) -> Encoder:
        if name not in self._encoders:
            self._encoders[name] = load_encoder(name)
        return self._encoders[name]


def _filled(workspace: Workspace, model: OpenModel, on_progress: OnProgress) -> FusedVectors | CodedImages:
    # Who only reads encodes nothing, and need not have the photographs.
    files = {} if workspace.read_only else collection_files(workspace)
    if isinstance(model.named.model, QuantizerModel):
        return coded_images(workspace, model.named, model.encoders, files, on_progress)
    fused = fused_images(workspace, model.source, files, on_progress)
    if not len(fused):
        raise InputError(f"{workspace.place} has no images that {model.named.name} could be asked about")
    fused.prepare(on_progress)
    return fused


def _plain(name: str) -> bool:
    """Whether it is a name; `open_model` takes what ends like a file for the path of one."""
    return is_name(name) and not name.endswith(".safetensors")


def _choice(path: Path) -> Choice:
    name = path.stem
    try:
        card = card_of(path)
        ensemble = "members" in card
        form = str(card["model"])
        measured = (card["about"].get("measured") or {}).get("model") or {}
        first = next(iter(measured.values()), None)
        accuracy = None if first is None else float(first["value"])
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        return Choice(name, "model", searches=False, why_not=f"its card is damaged: {error}")
    why_not = "a vote has no distance to search by" if form == "vote" else ""
    return Choice(name, "ensemble" if ensemble else "model", form, not why_not, why_not, accuracy)
