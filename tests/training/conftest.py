"""What tests of fine-tuning share: pictures of which people see the colour alone, and small networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lookalike.judgments.table import Judgments

HUES = ((200, 60, 50), (60, 180, 70), (60, 80, 200))


@dataclass(frozen=True)
class World:
    """Pictures and answers: the candidate of the reference's colour is closer; shape and background are noise."""

    files: list[Path]
    judgments: Judgments


def draw(colour: int, round_one: bool, rng: np.random.Generator, side: int = 40) -> Image.Image:
    picture = Image.new("RGB", (side + 8, side), tuple(rng.integers(40, 216, 3).tolist()))
    left, top = rng.integers(2, 20, 2).tolist()
    box = (left, top, left + 18, top + 18)
    pen, fill = ImageDraw.Draw(picture), tuple(np.clip(HUES[colour] + rng.normal(0, 8, 3), 0, 255).astype(int).tolist())
    (pen.ellipse if round_one else pen.rectangle)(box, fill=fill)
    return picture


def save_whole(picture: Image.Image, path: Path) -> None:
    """Write a picture aside and rename it: of several processes that make the same one, none reads half of it."""
    aside = path.with_name(f"{path.stem}.{os.getpid()}.part.png")
    picture.save(aside)
    aside.replace(path)


def make_world(folder: Path, images: int = 48, answers: int = 200) -> World:
    rng = np.random.default_rng(0)
    files, colours = [], np.arange(images) % len(HUES)
    for number, colour in enumerate(colours):
        files.append(folder / f"{number:03}.png")
        save_whole(draw(colour, number % 2 == 0, rng), files[-1])
    rows = []
    while len(rows) < answers:
        r, a, b = rng.choice(images, 3, replace=False)
        if (colours[a] == colours[r]) != (colours[b] == colours[r]):
            rows.append((files[r].name, files[a].name, files[b].name, int(colours[a] == colours[r])))
    r, a, b, near = zip(*rows, strict=True)
    judgments = Judgments.from_ids(r, a, b, near, 1 - np.array(near))
    return World([folder / name for name in judgments.ids.tolist()], judgments)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Any]:
    """Make an encoder of a small network; see `make_toy`."""
    return partial(make_toy, tmp_path)


def make_toy(folder: Path, kind: str = "conv", options: str = "", model: str = "toy:net", **more: Any) -> Any:
    """Make an encoder of a small network; further arguments are those of `Architecture`."""
    torch = pytest.importorskip("torch")
    from lookalike.encoders.name import parse_name
    from lookalike.encoders.network import Architecture, load_network
    from lookalike.encoders.sources import WeightSource

    torch.manual_seed(0)
    path, build = folder / "toy.pth", {"conv": build_conv, "vit": build_vit}[kind]
    aside = folder / f"toy-{os.getpid()}.part"
    torch.save(build().state_dict(), aside)
    aside.replace(path)  # several processes make the same file: none may read half of another's
    family, _, name = model.partition(":")
    known = Architecture(family, name, build, WeightSource("toy.pth"), (32, 32), **more)
    return load_network(parse_name(f"{model}{options}@{path}"), known, "cpu")


def build_conv() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def build_vit() -> Any:
    from lookalike.encoders.torch_import import import_torchvision

    import_torchvision()
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=2, num_classes=0)
