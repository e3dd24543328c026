"""``timm:MODEL``: small networks with random weights, and the maintainers' real ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lookalike.encoders.timm", reason="needs timm")
safetensors_torch = pytest.importorskip("safetensors.torch")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.network import load_network  # noqa: E402
from lookalike.encoders.timm import architecture, describe, timm  # noqa: E402

SIZE = 160  # of timm's networks for tests


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(count: int, size: int = SIZE) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def save(model: str, path: Path, **options: Any) -> Any:
    """Save a network with random weights (and statistics), and return it."""
    torch.manual_seed(0)
    network = timm.create_model(model, **options).eval()
    for key, value in network.state_dict().items():
        if "running" in key:
            value.uniform_(0.5, 1.5)
    (safetensors_torch.save_file if path.suffix == ".safetensors" else torch.save)(network.state_dict(), path)
    return network


def normalised(pixels: Any, mean: Any, std: Any) -> Any:
    values = (pixels / 255 - np.asarray(mean)) / np.asarray(std)
    return torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32)


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_features_are_what_timms_classifier_is_given(model: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    whole = save(model, path)
    encoder = load_pixels(f"timm:{model}[precision=full]", weights=path, device="cpu")
    config, pixels = timm.get_pretrained_cfg(model), pictures(2)
    with torch.inference_mode():
        inputs = normalised(pixels, config.mean, config.std)
        expected = whole.forward_head(whole.forward_features(inputs), pre_logits=True)
    np.testing.assert_allclose(encoder.forward(pixels), expected, rtol=1e-4, atol=1e-5)
    assert encoder.spec.input_size == (SIZE, SIZE)
    assert encoder.spec.name == f"timm:{model}[precision=full]@{path.resolve()}"


def test_taps_of_a_transformer_are_its_blocks(tmp_path: Path) -> None:
    whole = save("test_vit", tmp_path / "vit.pth").eval()
    pixels, config = pictures(2), timm.get_pretrained_cfg("test_vit")
    with torch.inference_mode():
        tokens = whole.patch_embed(normalised(pixels, config.mean, config.std))
        tokens = whole.norm_pre(whole.pos_drop(whole._pos_embed(tokens)))
        expected = []
        for block in whole.blocks:
            tokens = block(tokens)
            expected.append((tokens[:, 0], tokens[:, 1:].mean(1)))
    for number, kind in enumerate(("class", "mean")):
        name = f"timm:test_vit[last:2,tokens={kind},precision=full]"
        found = load_pixels(name, weights=tmp_path / "vit.pth").forward(pixels)
        unit = [pair[number] / pair[number].norm(dim=1, keepdim=True) for pair in expected[-2:]]
        np.testing.assert_allclose(found, torch.cat(unit, 1), rtol=1e-3, atol=1e-5)


def test_another_size_of_picture_resamples_the_positions(tmp_path: Path) -> None:
    save("test_vit", tmp_path / "vit.pth")
    encoder = load_pixels("timm:test_vit[size=96]", weights=tmp_path / "vit.pth")
    assert encoder.spec.input_size == (96, 96)
    assert encoder.forward(pictures(1, 96)).shape == (1, encoder.spec.dim)
    free = load_pixels("timm:test_vit[img_size=[96,128]]", weights=tmp_path / "vit.pth")
    assert free.spec.input_size == (96, 128)


def test_options_go_to_the_builder(tmp_path: Path) -> None:
    save("test_efficientnet", tmp_path / "net.pth", pad_type="same")
    same = load_pixels("timm:test_efficientnet[pad_type=same]", weights=tmp_path / "net.pth")
    other = load_pixels("timm:test_efficientnet", weights=tmp_path / "net.pth")
    assert not np.allclose(same.forward(pictures(2)), other.forward(pictures(2)))
    with pytest.raises(EncoderError, match="cannot be built as its options say") as caught:
        load_pixels("timm:test_efficientnet[no_such=1]", weights=tmp_path / "net.pth")
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save("test_vit", tmp_path / "vit.pth")
    save("test_vit2", tmp_path / "vit2.pth")
    with pytest.raises(EncoderError, match=r"does not fit the network: .* are missing"):
        load_pixels("timm:test_resnet", weights=tmp_path / "vit.pth")
    for model, file in (("test_vit", "vit2.pth"), ("test_vit2", "vit.pth")):
        with pytest.raises(EncoderError, match="does not fit the network") as caught:
            load_pixels(f"timm:{model}", weights=tmp_path / file)
        assert "\n" not in str(caught.value)


def test_names_tags_and_where_their_weights_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert set(encoder_names("timm:*dino")) >= {"timm:vit_base_patch16_224.dino", "timm:vit_small_patch8_224.dino"}
    source = describe("timm:resnet50.fb_swsl_ig1b_ft_in1k")
    assert source.url == "https://huggingface.co/timm/resnet50.fb_swsl_ig1b_ft_in1k/resolve/main/model.safetensors"
    assert source.file == "timm--resnet50.fb_swsl_ig1b_ft_in1k.safetensors"
    dino = architecture(parse_name("timm:vit_base_patch14_dinov2.lvd142m"))
    assert (dino.input_size, dino.licence) == ((518, 518), "apache-2.0")
    with pytest.raises(UnknownNameError, match="did you mean resnet18"):
        load_pixels("timm:resnt18")
    with pytest.raises(EncoderError, match="timm:resnet18 has no weights 'dino'; it has a1_in1k"):
        load_pixels("timm:resnet18.dino")
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "1")
    with pytest.raises(EncoderError, match=r"timm--resnet18.a1_in1k.safetensors are not on this .*weights=PATH"):
        load_pixels("timm:resnet18")


def test_every_name_of_timm_has_a_source_or_a_reason() -> None:
    without = [name for name in encoder_names("timm:*") if not describe(name).file]
    assert len(without) < len(encoder_names("timm:*")) / 4
    assert all("timm knows no weights" in describe(name).how for name in without)


@pytest.mark.parametrize(
    ("file", "recipe", "build"),
    [
        (
            "mobilenetv2_100_tf2_imagenet_ptq.safetensors",
            "timm:mobilenetv2_100[pad_type=same]",
            lambda: timm.create_model("mobilenetv2_100", num_classes=0, pad_type="same"),
        ),
        (
            "efficientnet_b4_cut_imagenet.safetensors",
            "timm:efficientnet_b4[drop=blocks.6.1,bn_eps=0.001,pad_type=same]",
            lambda: timm.create_model("efficientnet_b4", num_classes=0, pad_type="same", bn_eps=1e-3),
        ),
    ],
)
def test_the_real_networks_load(shared: Path, file: str, recipe: str, build: Any) -> None:
    path = shared / "weights" / file
    card = json.loads((shared / "weights" / "weights.json").read_text())[file]
    name = parse_name(recipe).using(path)
    encoder = load_network(name, architecture(name), "cpu")
    assert (encoder.spec.dim, encoder.spec.input_size) == (card["dim"], (card["input_size"],) * 2)
    assert encoder.mean == tuple(card["mean"])
    network = build()
    if "blocks.6.1" in recipe:
        network.blocks[6] = torch.nn.Sequential(network.blocks[6][0])
    state = {key: value.float() for key, value in safetensors_torch.load_file(path).items()}
    network.load_state_dict(state, strict=False)
    pixels = pictures(1, 224)
    with torch.inference_mode():
        expected = network.eval()(normalised(pixels, card["mean"], card["std"])).numpy()
    found = encoder.forward(pixels)
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
