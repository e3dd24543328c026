"""Fine-tuning a network on the command line, and everything that then takes it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lookalike import load_encoder, load_model  # noqa: E402
from lookalike.core.features import Features  # noqa: E402
from lookalike.encoders.torch_import import import_torchvision  # noqa: E402
from lookalike.training import finetune  # noqa: E402

Run = Callable[..., tuple[int, str, str]]

RESNET = "timm:resnet18[channels=[8,8,16,16],size=32,stem_width=8]"
VIT = "timm:vit_tiny_patch16_224[depth=2,embed_dim=24,img_size=32,num_heads=2,patch_size=8]"


def weights_of(path: Path, name: str) -> Path:
    """Write the weights of a small network."""
    import_torchvision()
    from lookalike.encoders.name import parse_name
    from lookalike.encoders.timm import architecture

    torch.manual_seed(0)
    torch.save(architecture(parse_name(name)).build().state_dict(), path)
    return path


@pytest.fixture
def judged(lookalike: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with answers about pictures of three colours: the candidate of the reference's colour is closer."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for number in range(36):
        pixels = rng.integers(0, 90, (36, 36, 3))
        pixels[:, :, number % 3] += 120
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
    rows = ["reference,a,b,votes_a,votes_b,context"]
    while len(rows) <= 150:
        r, a, b = rng.choice(36, 3, replace=False)
        if (a % 3 == r % 3) != (b % 3 == r % 3):
            near, place = int(a % 3 == r % 3), ("sea", "field")[len(rows) % 3 == 0]
            rows.append(f"{r:02}.png,{a:02}.png,{b:02}.png,{2 * near},{2 - 2 * near},{place}")
    (tmp_path / "answers.csv").write_text("\n".join(rows) + "\n")
    assert lookalike("import", "csv", tmp_path / "answers.csv", "--images", folder, "--quiet")[0] == 0
    return tmp_path


def test_from_judgments_to_search_without_torch(lookalike: Run, judged: Path) -> None:
    weights = weights_of(judged / "vit.pth", VIT)
    train = ("train", "finetune", "--name", "colour", "--encoder", VIT, "--weights", weights, "--epochs", 2)
    train += ("--by", "reference", "--set", "learning_rate=0.01", "--set", "batch=16", "--json", "--quiet")
    code, out, _ = lookalike(*train, "--plot", "losses.svg", "--tensorboard", "logs")
    made = json.loads(out)
    assert code == 0
    assert (made["settings"]["depth"], made["settings"]["epochs"], made["trained"]) == ("lora", 2, 793)
    assert made["base"] == f"{VIT}@{weights.resolve()}"
    measured = made["measured"]
    assert list(measured["model"]) == ["votes", "majorities"]
    assert (measured["tested"], measured["train"]) == (30, made["examples"] + made["validation"])
    assert measured["model"]["votes"]["value"] == measured["model"]["majorities"]["value"]
    assert 0 <= measured["head"]["votes"]["value"] <= 1
    assert len(made["history"]) == 2
    assert (judged / "losses.svg").read_text().count("<path") > 4
    assert list((judged / "logs").glob("events.out.tfevents.*"))
    assert not (judged / ".lookalike" / "checkpoints" / "colour").exists()

    # What holds on the cards, and in the files.
    card = json.loads(Path(made["encoder"].removeprefix("onnx:")).with_suffix(".json").read_text())
    assert (card["input_size"], card["measured"], card["fine_tuned"]) == ([32, 32], measured, made["base"])
    assert card["temperature"] == (measured["temperature"] or 0.1)
    encoder, model = load_encoder(made["encoder"]), load_model(made["path"])
    photos = {path.name: path for path in sorted((judged / "photos").iterdir())}
    vectors = encoder.encode(list(photos.values()))
    assert (encoder.dim, model.n_features_in_) == (24, 24)
    assert model.transform(Features(list(photos), vectors)).shape == (36, 24)
    assert model.has_seen(["00.png", "elsewhere.png"]).tolist() == [True, False]

    # All that takes models takes it, without torch.
    code, out, _ = lookalike("models")
    assert code == 0
    assert "colour  fine-tuned network (lora), from 120 judgments" in out
    lookalike("index", judged / "photos", "--encoder", made["encoder"], "--quiet")
    program = (
        "import sys\nfrom lookalike.cli.main import run\n"
        f"code = run(['search', '{photos['00.png']}', '-k', '5', '--encoder', '{made['encoder']}', '--json'])\n"
        f"code |= run(['compare', *{[str(photos[f'0{n}.png']) for n in (0, 3, 1)]}, '--model', 'colour', '--json'])\n"
        "loaded = {'torch', 'peft', 'transformers', 'timm', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'loads {loaded}' if loaded else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found, compared = (json.loads(line) for line in done.stdout.splitlines())
    assert found["results"][0]["image"] == "00.png"
    distances = 1 - model.transform(vectors[:4]) @ model.transform(vectors[:1]).T
    assert compared["distance_a"] == pytest.approx(float(distances[3, 0]), abs=1e-5)

    code, _, err = lookalike(*train)
    assert (code, err) == (2, "lookalike: there is a model 'colour': choose another name, or --replace it\n")


def test_in_full_cut_off_resumed_and_gone_on_from(
    lookalike: Run, judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weights_of(judged / "resnet.pth", RESNET)
    train = ("train", "finetune", "--name", "colour", "--encoder", RESNET, "--depth", "full", "--context", "sea")
    train += (
        "--set",
        "learning_rate=0.003",
        "--set",
        "checkpoint_minutes=1e-9",
        "--set",
        "batch=16",
        "--by",
        "reference",
        "--quiet",
    )
    first = (*train, "--weights", weights, "--epochs", 2)
    code, out, _ = lookalike(*first, "--name", "shown")
    assert code == 0
    assert "numbers trained on" in out
    assert "held out" in out
    whole = json.loads(lookalike(*first, "--name", "whole", "--json")[1])
    assert whole["measured"]["gain"]["value"] > 0.05
    assert whole["measured"]["tested"] == 20

    original, steps = finetune.question_loss, iter(range(3))

    def cut(*arguments: object) -> object:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(finetune, "question_loss", cut)
        assert lookalike(*first)[0] == 130
    code, _, err = lookalike(*first)
    assert (code, err.count("\n")) == (2, 1)
    assert "a training of 'colour' was cut off: go on with --resume, or begin anew with --replace" in err
    code, _, err = lookalike(*first, "--seed", 1, "--resume")
    assert (code, err.count("\n")) == (2, 1)
    assert "another training" in err
    code, out, _ = lookalike(*first, "--resume", "--save-weights", "tuned.safetensors", "--json")
    resumed = json.loads(out)
    assert code == 0
    assert resumed["history"] == whole["history"]
    assert resumed["measured"] == whole["measured"]
    features = [load_encoder(made["encoder"]).encode([judged / "photos" / "00.png"]) for made in (whole, resumed)]
    np.testing.assert_array_equal(*features)

    tuned = load_encoder(RESNET, judged / "tuned.safetensors")
    assert tuned.spec.temperature == pytest.approx(resumed["measured"]["temperature"] or 0.1)
    np.testing.assert_allclose(tuned.encode([judged / "photos" / "00.png"]), features[0], rtol=1e-3, atol=1e-4)
    on = (*train, "--weights", "tuned.safetensors", "--epochs", 1, "--replace")
    code, out, _ = lookalike(*on, "--no-measure", "--set", "validation=0", "--set", "keep=last", "--json")
    assert (code, json.loads(out)["measured"], json.loads(out)["examples"]) == (0, None, 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--encoder", "classic"], "classic cannot be trained: give a network made with torch"),
        (["--encoder", "timm:resnet18", "--weights", "net.onnx"], "there is no file"),
        (["--depth", "frozen"], "depth is lora or full, not 'frozen'"),
        (["--set", "ranks=3"], "did you mean rank?"),
        (["--mode", "published", "--encoder", "cvnet:resnet50"], "the published program cannot fine-tune cvnet"),
        (["--context", "moon"], "no judgments of that source or context"),
        (["--by", "row"], "not by 'row'"),
        (["--no-measure", "--folds", "3"], "--folds says how to measure"),
        (["--plot", "x.txt"], "a plot is written as"),
        (["--save-weights", "x.pth"], "weights are written as .safetensors"),
        (["--device", "tpu"], "there is no device 'tpu'"),
        (["--name", "../up"], "cannot name a model"),
    ],
)
def test_wrong_arguments_get_one_line(lookalike: Run, judged: Path, options: list[str], message: str) -> None:
    given = ("--name", "colour", "--encoder", VIT, "--weights", weights_of(judged / "vit.pth", VIT), "--epochs", 1)
    if "--weights" in options:
        given = ("--name", "colour", "--epochs", 1)
    code, out, err = lookalike("train", "finetune", *given, "--quiet", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (judged / ".lookalike" / "models").exists()


def test_the_workspace_s_encoder_is_taken_where_none_is_named(lookalike: Run, judged: Path) -> None:
    code, _, err = lookalike("train", "finetune", "--name", "colour", "--quiet")
    assert code == 2
    assert "compact cannot be trained" in err
