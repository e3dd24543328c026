"""What training tells TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookalike.core.errors import InputError, StorageError
from lookalike.training.plan import Epoch, OnEpoch

__all__ = ["tensorboard_log"]


@contextmanager
def tensorboard_log(folder: Path) -> Iterator[OnEpoch]:
    """Give a callback that logs every pass to a folder: losses and scale, a curve per member.

    Raises
    ------
    InputError
        TensorBoard is not installed.
    StorageError
        The folder cannot be written.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError('logs for TensorBoard need it: pip install "lookalike[train]"') from error
    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error

    def log(epoch: Epoch) -> None:
        member = f"member {epoch.member}"
        writer.add_scalar(f"loss/{member}", epoch.loss, epoch.epoch)
        writer.add_scalar(f"scale/{member}", epoch.scale, epoch.epoch)
        if epoch.validation_loss is not None:
            writer.add_scalar(f"validation loss/{member}", epoch.validation_loss, epoch.epoch)

    try:
        yield log
    finally:
        writer.close()
