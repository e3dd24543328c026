"""What several tests need: photographs, small networks, and the shared data where it is at hand."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The maintainers' data folder, beside the checkout; not part of the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the maintainers' data folder beside the checkout")
    return SHARED


@pytest.fixture
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks compute in 32 bits even where the processor has bfloat16: what is compared is to agree closely."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)


def write_photo(path: Path, seed: int, size: tuple[int, int] = (96, 72)) -> Path:
    """Write a JPEG with soft coloured structure that depends on the seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=92)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 24 small photographs in three folders."""
    folder = tmp_path / "photos"
    for number in range(24):
        write_photo(folder / "abc"[number % 3] / f"{number:03}.jpg", number)
    return folder


def write_network(
    path: Path,
    *,
    dim: int = 8,
    size: int = 32,
    batch: int | str = "n",
    output: str = "vector",
    card: dict[str, object] | None = None,
) -> Path:
    """Write a small ONNX network (a random convolution, ReLU, pooling) and its card.

    `output` is "vector" (N, D), "map" (N, D, H, W) or "tokens" (N, T, D).
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(dim, 3, 8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["convolved"], strides=[8, 8]),
        helper.make_node("Relu", ["convolved"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
        helper.make_node("Reshape", ["map", "rows"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
    ]
    shapes = {"vector": [batch, dim], "map": [batch, dim, None, None], "tokens": [batch, None, dim]}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shapes[output])],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.array([0, dim, -1], np.int64), "rows"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    card = {"input_size": size, "mean": [0.5] * 3, "std": [0.25] * 3} if card is None else card
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Path]:
    """Return `write_network`."""
    return write_network


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., Path]:
    """Return `write_photo`."""
    return write_photo


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A small ONNX network with its card."""
    return write_network(tmp_path / "nets" / "small.onnx")


@dataclass(frozen=True)
class ObjectStore:
    """A local S3 server, and what reaches it by the environment."""

    url: str
    trap: Path

    def bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"bucket-{secrets.token_hex(4)}"
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT")):
            return name


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A local S3 server on a free port."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        pytest.skip('needs a local S3 server: pip install "moto[s3]" flask flask-cors')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ObjectStore(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("s3") / "trap")
    command = [sys.executable, str(Path(__file__).with_name("s3_server.py")), str(port), str(store.trap)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert process.poll() is None, "the S3 server has ended"
                time.sleep(0.2)
            yield store
        finally:
            process.kill()


@pytest.fixture
def s3(s3_server: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of an empty bucket; the environment of this test, and of its processes, has the server and a key."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key-of-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-of-tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "this-machine"))
    return f"s3://{s3_server.bucket()}"


def until(ready: Callable[[], bool], seconds: float = 4.0) -> bool:
    """Ask again and again, until it is so or the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="session")
def eventually() -> Callable[..., bool]:
    """Return `until`."""
    return until
