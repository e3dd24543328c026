"""``onnx:PATH``: any image network in an ONNX file, with a small JSON card beside it.

Of a network with several outputs, ``onnx:PATH[NAME]`` takes the one called so, ``onnx:PATH`` the one that the card
names, else the first.

The card is ``net.json`` or ``net.onnx.json`` beside ``net.onnx``, or the entry ``"net.onnx"`` of a ``weights.json``
in the same folder. See `lookalike.encoders.card` for its keys.
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import EncoderError
from lookalike.core.types import Pixels, Vectors
from lookalike.encoders.card import NetworkCard, read_card
from lookalike.encoders.spec import ENCODERS, EncoderSpec, PixelEncoder

__all__ = ["OnnxEncoder", "split_output"]

WRONG_OPTIMISERS = ["Pad_Fusion"]
"""ONNX Runtime 1.31 merges a padding with zeros into the max pooling after it, which pads with minus infinity."""

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@ENCODERS.register("onnx")
def load(argument: str, weights: Path | None, device: str) -> PixelEncoder:
    """Load ``onnx:PATH``; `weights` may name the file instead."""
    if argument and weights is not None:
        raise EncoderError(f"two files for one encoder: onnx:{argument} and weights={weights}; give one")
    if not (argument or weights):
        raise EncoderError("onnx needs a file: write onnx:PATH, for example onnx:nets/mobilenet.onnx")
    path, output = split_output(str(weights) if weights is not None else argument)
    return OnnxEncoder(path, device, output)


def split_output(argument: str) -> tuple[Path, str | None]:
    """Take apart what follows ``onnx:``: the file, and which of its outputs is wanted.

    Examples
    --------
    >>> split_output("nets/mine.onnx[taps]")
    (PosixPath('nets/mine.onnx'), 'taps')
    >>> split_output("nets/mine.onnx")
    (PosixPath('nets/mine.onnx'), None)
    """
    whole = Path(argument).expanduser()
    if whole.is_file() or not argument.endswith("]"):  # a path may have brackets of its own
        return whole, None
    path, _, output = argument[:-1].rpartition("[")
    return Path(path).expanduser(), output


class OnnxEncoder:
    """An ONNX network that maps pictures to features, run by ONNX Runtime.

    One thread of the caller runs one batch; several threads may run at once, each on a core of its own. That is
    faster than one batch spread over all cores, and it lets decoding fill the gaps.

    Parameters
    ----------
    path : Path
        The network.
    device : {"auto", "cpu", "cuda"}
        Where it runs; ``"auto"`` takes a GPU when ONNX Runtime has one.
    output : str, optional
        Which output to take, whatever the card says.
    name : str, optional
        What it is called, if not by its path.

    Attributes
    ----------
    spec : EncoderSpec
    card : NetworkCard
        How pictures are prepared; its output is the one that is taken.

    Raises
    ------
    EncoderError
        The file is absent, is not an ONNX network, has no card, or does not map pictures to vectors: it says which.
    """

    def __init__(self, path: Path, device: str = "auto", output: str | None = None, name: str | None = None) -> None:
        import onnxruntime

        if not path.is_file():
            raise EncoderError(f"there is no file {path}: onnx:PATH takes the path of an .onnx file")
        self.card = read_card(path, chosen={} if output is None else {"output": output})
        providers = _providers(device, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=providers, disabled_optimizers=WRONG_OPTIMISERS
            )
        except Exception as error:
            raise EncoderError(f"{path}: not a network that ONNX Runtime can load ({_first(error)})") from error
        self._input, self._channels_last, self._fixed_batch = _check_input(path, self._session, self.card)
        self._output = _choose_output(path, self._session, self.card)
        self._scale, self._shift = _normaliser(self.card)
        dim = self._probe(path)
        self.spec = EncoderSpec(
            name=name or f"onnx:{path.resolve()}" + (f"[{output}]" if output is not None else ""),
            fingerprint=_fingerprint(path, self.card),
            dim=dim,
            input_size=self.card.input_size,
            resize=self.card.resize,
            # What runs, not what was asked for: a GPU that cannot be used leaves the processor.
            lanes=0 if self._session.get_providers()[0] == "CPUExecutionProvider" else 1,
            temperature=self.card.temperature,
            copy_distance=self.card.copy_distance,
            licence=self.card.licence,
            source=self.card.source or str(path),
            batch=4 if self._session.get_providers()[0] == "CPUExecutionProvider" else 64,
        )

    def forward(self, pixels: Pixels) -> Vectors:
        """Encode pictures; see `PixelEncoder.forward`."""
        inputs = self.prepared(pixels)
        if self._fixed_batch is None:
            return self._run(inputs)
        return self._run_padded(inputs, self._fixed_batch)

    def _run(self, inputs: Any) -> Vectors:
        (output,) = self._session.run([self._output], {self._input.name: inputs})
        return pool(output, self.card.pool, self._channels_last)

    def _run_padded(self, inputs: Any, size: int) -> Vectors:
        """Run a network whose batch is fixed in the file, filling the last batch up."""
        parts = []
        for start in range(0, len(inputs), size):
            block = inputs[start : start + size]
            padded = np.concatenate([block, np.repeat(block[-1:], size - len(block), axis=0)])
            parts.append(self._run(padded)[: len(block)])
        return np.concatenate(parts)

    def prepared(self, pixels: Pixels) -> Any:
        """Return what the network itself is given for pictures: normalised, and laid out as it wants them."""
        dtype = DTYPES[self._input.type]
        if dtype is np.uint8:
            return np.ascontiguousarray(pixels if self._channels_last else pixels.transpose(0, 3, 1, 2))
        count, height, width, _ = pixels.shape
        shape = (count, height, width, 3) if self._channels_last else (count, 3, height, width)
        values = np.empty(shape, np.float32)
        for channel in range(3):
            # One pass that scales and moves the channel to its place: a transposed copy would cost three more.
            place = values[..., channel] if self._channels_last else values[:, channel]
            np.multiply(pixels[..., channel], self._scale[channel], out=place)
            place += self._shift[channel]
        return values.astype(dtype, copy=False)

    def _probe(self, path: Path) -> int:
        """Run a grey picture through: what the file promises and what it does may differ."""
        grey = np.full((1, *self.card.input_size, 3), 128, np.uint8)
        try:
            feature = self.forward(grey)
        except EncoderError as error:
            raise EncoderError(f"{path}: {error}") from None
        except Exception as error:
            height, width = self.card.input_size
            raise EncoderError(
                f"{path}: does not take pictures of {height} x {width} pixels, the input_size of its card "
                f"({_first(error)})"
            ) from error
        if feature.ndim != 2 or feature.shape[0] != 1:
            raise EncoderError(f"{path}: gives {feature.shape} for one picture, not one vector")
        if not np.isfinite(feature).all():
            raise EncoderError(f"{path}: gives numbers that are not finite; check mean and std of its card")
        return int(feature.shape[1])


def pool(output: Any, how: str, channels_last: bool = False) -> Vectors:
    """Make one vector per picture of a network's output.

    Parameters
    ----------
    output : float (N, D), (N, D, H, W) or (N, T, D)
        Vectors, a map of features, or tokens. With `channels_last` a map is (N, H, W, D).
    how : {"average", "first"}
        For tokens: their mean, or the first (the class token). Maps are averaged over space.

    Returns
    -------
    float32 (N, D)

    Examples
    --------
    >>> pool(np.arange(8.0).reshape(1, 2, 2, 2), "average")
    array([[1.5, 5.5]], dtype=float32)
    """
    if output.ndim == 4:
        output = output.mean(axis=(1, 2) if channels_last else (2, 3))
    elif output.ndim == 3:
        output = output[:, 0] if how == "first" else output.mean(axis=1)
    elif output.ndim != 2:
        raise EncoderError(
            f"its output has shape {output.shape}: a vector (N, D), a map (N, D, H, W) or tokens (N, T, D) is needed"
        )
    return np.asarray(output, np.float32)


def _check_input(path: Path, session: Any, card: NetworkCard) -> tuple[Any, bool, int | None]:
    """Return the input, whether its channels come last, and its batch size if that is fixed."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs)
        raise EncoderError(f"{path}: has {len(inputs)} inputs ({names}); an image network has one")
    entry = inputs[0]
    if entry.type not in DTYPES:
        raise EncoderError(f"{path}: input '{entry.name}' is {entry.type}; float, float16 or uint8 is needed")
    shape = entry.shape
    if len(shape) != 4 or (shape[1] != 3 and shape[3] != 3 and isinstance(shape[1], int)):
        raise EncoderError(f"{path}: input '{entry.name}' has shape {shape}; (N, 3, H, W) or (N, H, W, 3) is needed")
    channels_last = shape[3] == 3 and shape[1] != 3
    stated = shape[1:3] if channels_last else shape[2:4]
    for want, have, side in zip(stated, card.input_size, ("height", "width"), strict=True):
        if isinstance(want, int) and want != have:
            raise EncoderError(
                f"{path}: takes pictures of {side} {want}, but input_size of its card says {have}: mend {card.path}"
            )
    return entry, channels_last, shape[0] if isinstance(shape[0], int) else None


def _choose_output(path: Path, session: Any, card: NetworkCard) -> str:
    names = [output.name for output in session.get_outputs()]
    if card.output is None:
        return str(names[0])
    if card.output not in names:
        raise EncoderError(f"{path}: has no output '{card.output}' (card {card.path}); it has {', '.join(names)}")
    return card.output


def _normaliser(card: NetworkCard) -> tuple[Vectors, Vectors]:
    """Return what makes ``(pixel / 255 - mean) / std`` one product and one sum."""
    mean, std = np.asarray(card.mean, np.float32), np.asarray(card.std, np.float32)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def _providers(device: str, available: list[str]) -> list[str]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if device == "cuda" and "CUDAExecutionProvider" not in available:
        raise EncoderError("device cuda: this ONNX Runtime has no CUDA; install onnxruntime-gpu, or use device cpu")
    if device not in ("auto", "cuda"):
        raise EncoderError(f"there is no device '{device}': auto, cpu or cuda")
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return [name for name in wanted if name in available]


def _fingerprint(path: Path, card: NetworkCard) -> str:
    """Hash what decides the features: the network's bytes and how pictures are prepared for it."""
    digest = hashlib.sha256()
    for part in [path, *_external_files(path)]:
        with part.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    digest.update(repr((card.input_size, card.mean, card.std, card.resize, card.output, card.pool)).encode())
    return digest.hexdigest()


def _external_files(path: Path) -> list[Path]:
    """Return the files beside a network that hold its weights: the network's file spells their names out."""
    beside = [
        file
        for file in sorted(path.parent.iterdir())
        if file != path and file.is_file() and file.suffix.lower() not in (".json", ".onnx")
    ]
    if not beside:
        return []
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [file for file in beside if content.find(file.name.encode()) >= 0]


def _first(error: Exception) -> str:
    """Return the first line of a message, within reason."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
