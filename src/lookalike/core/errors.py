"""Every error that lookalike raises on purpose, in one tree.

LookalikeError
├── InputError                 what the user gave cannot be used
│   ├── ImageDecodeError       one image file cannot be read
│   ├── UnknownNameError       no encoder, model, format of that name
│   └── EncoderError           a network or its card does not fit
├── NotFittedError             a model is used before it is fitted
├── WorkspaceError             the workspace is absent, locked or of another kind
├── StorageError               the disk or the table said no
├── ServerError                a server does not answer, wants another key, or is in trouble
└── ClusterError               machines that were to help do not answer, or cannot do the work

A message says what was wrong, where, and what to do, in one line. The command line prints it and exits with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "ClusterError",
    "EncoderError",
    "ImageDecodeError",
    "InputError",
    "LookalikeError",
    "NotFittedError",
    "ServerError",
    "StorageError",
    "UnknownNameError",
    "WorkspaceError",
]


class LookalikeError(Exception):
    """The root of every error raised on purpose by this package."""


class InputError(LookalikeError, ValueError):
    """What the user gave cannot be used: an argument, a folder, a file."""


class ImageDecodeError(InputError):
    """One image cannot be read.

    Attributes
    ----------
    path : str
        The file as it was given, or a word for an image that has no file.
    reason : str
        Why it cannot be read, in a few words.

    Examples
    --------
    >>> str(ImageDecodeError("cat.jpg", "the file is empty"))
    'cat.jpg: the file is empty'
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageDecodeError], tuple[str, str]]:
        """Let the error cross a process boundary whole."""
        return type(self), (self.path, self.reason)


class UnknownNameError(InputError):
    """No entry of that name; the message lists the nearest ones.

    Examples
    --------
    >>> str(UnknownNameError("encoder", "clasic", ["classic", "onnx"]))
    "there is no encoder 'clasic': did you mean classic?"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        super().__init__(f"there is no {kind} '{name}': {hint}")


class EncoderError(InputError):
    """A network, or the card beside it, does not fit what an encoder needs."""


class NotFittedError(LookalikeError, ValueError, AttributeError):
    """A model is used before it is fitted; of the kinds that scikit-learn's error of this name is of.

    Examples
    --------
    >>> str(NotFittedError("Reduction"))
    'this Reduction is not fitted yet: call fit first'
    """

    def __init__(self, model: str) -> None:
        super().__init__(f"this {model} is not fitted yet: call fit first")
        self.model = model

    def __reduce__(self) -> tuple[type[NotFittedError], tuple[str]]:
        """Let the error cross a process boundary whole."""
        return type(self), (self.model,)


class WorkspaceError(LookalikeError):
    """The workspace is absent, in use by another process, or made for something else."""


class StorageError(LookalikeError):
    """The disk or the table of record refused an operation."""


class ServerError(LookalikeError):
    """A server does not answer, wants another key, or is in trouble.

    Attributes
    ----------
    status : int
        What it answered; 0 where it did not.

    Examples
    --------
    >>> ServerError("this server wants a key", 401).status
    401
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[type[ServerError], tuple[str, int]]:
        """Let the error cross a process boundary whole."""
        return type(self), (str(self), self.status)


class ClusterError(LookalikeError):
    """Machines that were to help do not answer, see other files, or die at their work."""
