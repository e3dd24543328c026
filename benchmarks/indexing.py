"""How fast a folder is indexed, against the limit of decoding and encoding, and against the loop people write.

    python benchmarks/indexing.py --photos FOLDER [--photos FOLDER …] [--camera 300] [--cache FOLDER] [--rounds 3]

`--photos` names folders of real photographs; `--camera` renders that many 12-megapixel JPEGs. All sides run in turn in
every round, on the same files and the very same network (MobileNetV2, exported to ONNX), and the table gives medians
of the rounds and ratios within a round. Writes docs/results/indexing.md. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from _report import machine, write_result
from _torch import CARD, SIZE, export, mobilenet, plain_loop

from lookalike.core.files import write_aside
from lookalike.core.lanes import in_lanes
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import BATCH, Encoder, load_encoder
from lookalike.images.decode import decode, fit, read_bytes
from lookalike.images.folder import scan
from lookalike.images.samples import draw_scenes, render_photo

PLAIN_AT_MOST = 1000  # images: the plain loop is slow, and its rate does not depend on how many


def timed(work: Callable[[], int]) -> float:
    """Return images per second."""
    started = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - started)


def batches(count: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, count)) for start in range(0, count, BATCH))


def decode_only(encoder: Encoder, files: list[Path]) -> int:
    """Read, decode and fit every file; nothing else."""

    def work(batch: range) -> int:
        for i in batch:
            picture = decode(read_bytes(files[i]), min_side=SIZE)
            fit(picture.image, encoder.spec.input_size, encoder.spec.resize)
        return len(batch)

    return sum(in_lanes(work, batches(len(files)), encoder.lanes))


def encode_only(encoder: Encoder, count: int) -> int:
    """Run the network alone, on pixels that are there already."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    return sum(in_lanes(lambda batch: len(encoder.forward(pixels[: len(batch)])), batches(count), encoder.lanes))


def index_all(folder: Path, encoder: Encoder) -> int:
    """Index the folder into a fresh collection: scan, hash, decode, thumbnail, encode, write."""
    with tempfile.TemporaryDirectory() as workspace:
        collection = Collection.create(Path(workspace) / ".lookalike", folder, encoder.name)
        report = collection.sync()
        assert not report.rejected
        return report.images


def one_round(folder: Path, files: list[Path], encoder: Encoder, network: object) -> dict[str, float]:
    """Run every side once."""
    some = files[:PLAIN_AT_MOST]
    rates = {
        "decode": timed(lambda: decode_only(encoder, files)),
        "encode": timed(lambda: encode_only(encoder, min(len(files), 2000))),
        "index": timed(lambda: index_all(folder, encoder)),
        "plain 1": timed(lambda: len(plain_loop(network, some[:200], 1))),
        "plain 32": timed(lambda: len(plain_loop(network, some, 32))),
    }
    rates["limit"] = 1 / (1 / rates["decode"] + 1 / rates["encode"])
    rates["share of limit"] = rates["index"] / rates["limit"]
    rates["times plain"] = rates["index"] / max(rates["plain 1"], rates["plain 32"])
    return rates


def render_camera(folder: Path, count: int) -> Path:
    """Render 12-megapixel JPEGs as a camera writes them; what is there already stays."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    scenes = draw_scenes(count, seed=5)

    def work(number: int) -> int:
        path = folder / f"{number:04}.jpg"
        if not path.exists():
            with write_aside(path) as aside:
                Image.fromarray(render_photo(scenes[number], 4000, 3000)).save(aside, quality=90)
        return number

    for _ in in_lanes(work, range(count), 2):
        pass
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--camera", type=int, default=300)
    parser.add_argument("--cache", type=Path, help="where the rendered JPEGs stay for the next run")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        network = mobilenet()
        export(network, Path(scratch) / "mobilenet.onnx", CARD)
        encoder = load_encoder(f"onnx:{Path(scratch) / 'mobilenet.onnx'}")
        folders = [(folder.name, folder) for folder in arguments.photos]
        if arguments.camera:
            camera = (arguments.cache or Path(scratch)) / "camera"
            folders.append(("12-megapixel JPEGs", render_camera(camera, arguments.camera)))
        for name, folder in folders:
            files = [folder / file.path for file in scan(folder).files]
            check_parity(encoder, network, files[:8])
            rounds = [one_round(folder, files, encoder, network) for _ in range(arguments.rounds)]
            middle = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
            shares = " to ".join(f"{f(r['share of limit'] for r in rounds):.0%}" for f in (min, max))
            rows.append(
                f"| {name} | {len(files):,} | {middle['decode']:,.0f} | {middle['encode']:,.0f} "
                f"| {middle['limit']:,.0f} "
                f"| **{middle['index']:,.0f}** | {middle['plain 1']:,.0f} | {middle['plain 32']:,.0f} "
                f"| **{middle['share of limit']:.0%}** ({shares}) | **{middle['times plain']:.1f}** |"
            )
    heads = "photographs|files|decode only|encode only|limit|index|plain, batch 1|plain, batch 32"
    heads += "|share of limit|times plain"
    table = ["| " + heads.replace("|", " | ") + " |", "|" + " --- |" * 10, *rows]
    write_result("indexing.md", "Indexing a folder", EXPLANATION + machine("onnxruntime", "torch", "pillow"), table)


def check_parity(encoder: Encoder, network: object, files: list[Path]) -> None:
    """Make sure that both sides compute the same thing on the same pixels."""
    import torch

    pixels = np.stack([encoder.pixels(file) for file in files])
    mean, std = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))
    tensor = torch.from_numpy(((pixels / np.float32(255) - mean) / std).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        np.testing.assert_allclose(encoder.forward(pixels), network(tensor).numpy(), rtol=1e-2, atol=1e-3)


EXPLANATION = """\
Images per second. *Decode only* reads, decodes and fits; *encode only* runs the network on pixels at hand; the *limit*
is 1 / (1/decode + 1/encode), what the cores allow if nothing else cost anything. *Index* is the whole run into a fresh
collection: scanning, hashing, decoding, thumbnails, encoding, writing. *Plain* is a PyTorch + Pillow loop of the very
same network; the faster of its two batch sizes counts. Medians of the rounds; ratios are taken within a round.

"""

if __name__ == "__main__":
    main()
