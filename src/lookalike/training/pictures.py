"""Pictures for training: decoded in lanes ahead of the step that needs them, and in its order."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from lookalike.core.types import Pixels
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.augmentation import Augmentation, augmented
from lookalike.images.decode import decode
from lookalike.images.fit import fit
from lookalike.images.views import ViewPlan, random_view

__all__ = ["PictureReader", "ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")

ROOM = 2
"""A view shows a part of a picture, so pictures are decoded at up to this many times the size of a view."""

KEPT = 2**29
"""Bytes of decoded pictures that are kept: an image is in several questions, and comes again in every epoch."""


class PictureReader:
    """Reads pictures as an encoder takes them, or as random views. Safe in several threads.

    Parameters
    ----------
    files : sequence of Path
        One per image.
    spec : EncoderSpec
        How the encoder takes pictures.
    plan : ViewPlan or Augmentation
        Of views, at the size of the encoder: parts of the picture, or all that an augmentation does to it.
    seed : int
    resized : bool
        Whether views are cut from the picture as the encoder takes it, and not from the photo.
    """

    def __init__(
        self, files: Sequence[Path], spec: EncoderSpec, plan: ViewPlan | Augmentation, seed: int, resized: bool = False
    ) -> None:
        self._files = files
        self._spec = spec
        self._plan = plan
        self._seed = seed
        self._resized = resized
        self._kept: OrderedDict[int, Image.Image] = OrderedDict()
        self._room = KEPT
        self._lock = threading.Lock()

    def whole(self, image: int) -> Pixels:
        """Return a picture as the encoder takes it, uint8 (H, W, 3).

        Raises
        ------
        ImageDecodeError
            It cannot be read; its file is named.
        """
        picture = decode(self._files[image], min_side=min(self._spec.input_size)).image
        return fit(picture, self._spec.input_size, self._spec.resize)

    def view(self, image: int, epoch: int, place: int, slot: int) -> Pixels:
        """Return a random view of a picture, uint8 (H, W, 3): the same for the same numbers, whoever asks, and when.

        Parameters
        ----------
        image : int
        epoch, place, slot : int
            The pass, the row in it, and which of its pictures.

        Raises
        ------
        ImageDecodeError
        """
        rng = np.random.default_rng([self._seed, epoch, place, slot])
        if isinstance(self._plan, ViewPlan):
            return random_view(self._decoded(image), self._plan, rng)
        return augmented(self._decoded(image), self._plan, self._spec.input_size, rng, self._spec.resize)

    def _decoded(self, image: int) -> Image.Image:
        with self._lock:
            if image in self._kept:
                self._kept.move_to_end(image)
                return self._kept[image]
        if self._resized:
            picture = Image.fromarray(self.whole(image))
        else:
            picture = decode(self._files[image], min_side=ROOM * max(self._spec.input_size)).image
        with self._lock:
            if image not in self._kept:
                self._kept[image] = picture
                self._room -= 4 * picture.width * picture.height
            while self._room < 0:
                _, old = self._kept.popitem(last=False)
                self._room += 4 * old.width * old.height
        return picture


def ahead(
    work: Callable[[Item], Result], items: Iterable[Item], lanes: int, room: int = 0
) -> Generator[Result, None, None]:
    """Yield the result of `work` for every item, in the order of the items, while lanes work on the next ones.

    At most `room` items, or two per lane, are under way or waiting. The first exception in this order is raised here;
    closing the iterator ends the lanes.

    Examples
    --------
    >>> list(ahead(lambda x: x * x, range(5), lanes=2))
    [0, 1, 4, 9, 16]
    """
    waiting, room = iter(items), max(room, 2 * lanes)
    with ThreadPoolExecutor(lanes, thread_name_prefix="lookalike-pictures") as pool:
        pending: deque[Future[Result]] = deque()
        try:
            while True:
                pending.extend(pool.submit(work, item) for item in islice(waiting, room - len(pending)))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
