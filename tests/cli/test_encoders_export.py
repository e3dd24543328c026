"""``lookalike encoders export``, and what is made of it on a machine without torch."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lookalike.encoders.torchvision", reason="needs torchvision")

from lookalike.cli.main import run  # noqa: E402
from lookalike.embedding.encoder import load_encoder  # noqa: E402
from lookalike.encoders.torchvision import models  # noqa: E402

NAME = "torchvision:squeezenet1_1[last:2,pool=gem,size=64]"
MakePhoto = Callable[..., Path]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("nets") / "squeezenet.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_an_exported_encoder_encodes_without_torch(
    weights: Path, tmp_path: Path, make_photo: MakePhoto, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made" / "squeezenet.onnx"
    assert run(["encoders", "export", NAME, "--weights", str(weights), "--output", str(made), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["encoder"] == f"onnx:{made.resolve()}"
    assert answer["source"] == f"{NAME}@{weights.resolve()}"
    assert answer["card"] == str(made.resolve().with_suffix(".json"))
    assert answer["relative_error"] < 1e-4
    assert (answer["dim"], answer["bytes"]) == (768, made.stat().st_size)

    photos = [make_photo(tmp_path / f"{number}.jpg", number, (80, 64)) for number in range(3)]
    program = f"""
import sys
for name in ("torch", "torchvision", "timm", "sklearn", "open_clip"):
    sys.modules[name] = None
import numpy as np
from lookalike import load_encoder
encoder = load_encoder({answer["encoder"]!r})
np.save(sys.argv[1], encoder.encode(sys.argv[2:]))
"""
    subprocess.run([sys.executable, "-c", program, tmp_path / "found.npy", *photos], check=True, timeout=60)
    expected = load_encoder(NAME, weights=weights, device="cpu").encode(photos)
    found = np.load(tmp_path / "found.npy")
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


def test_people_see_the_name_and_the_error(weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "squeezenet.onnx"
    name = f"torchvision:squeezenet1_1[size=64]@{weights}"
    assert run(["encoders", "export", name, "--output", str(made)]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"onnx:{made.resolve()}\n")
    assert "512 numbers" in out
    assert "relative error" in out
    assert err == ""


@pytest.mark.parametrize(
    ("name", "output", "message"),
    [
        ("classic", "made.onnx", "classic needs no torch as it is"),
        (None, "made.onnx", "compact needs no torch as it is"),
        (NAME, "made.txt", "the file of an exported network ends in .onnx"),
        ("torchvision:resnet18", "made.onnx", "does not fit the network"),
        ("torchvision:resnet19", "made.onnx", "did you mean resnet18"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    name: str | None,
    output: str,
    message: str,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [] if name is None else [name]
    with_weights = ["--weights", str(weights)] if name not in (None, "classic") else []
    assert run(["encoders", "export", *given, "--output", output, *with_weights]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
