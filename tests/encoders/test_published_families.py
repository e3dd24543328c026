"""Networks by their published files: random numbers under the published names, and what they must give."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
timm_family = pytest.importorskip("lookalike.encoders.timm", reason="needs timm")

from lookalike.core.errors import EncoderError, UnknownNameError  # noqa: E402
from lookalike.encoders.export import export_onnx  # noqa: E402
from lookalike.encoders.load import encoder_names, load_pixels, weight_source  # noqa: E402
from lookalike.encoders.name import parse_name  # noqa: E402
from lookalike.encoders.published import FAMILIES, architecture, names  # noqa: E402
from lookalike.encoders.torch_import import import_torchvision  # noqa: E402

timm = timm_family.timm
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def pictures(count: int, size: int) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def normalised(pixels: Any, mean: Any = MEAN, std: Any = STD) -> Any:
    return torch.tensor(((pixels / 255 - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)


def randomised(network: Any) -> Any:
    """Give every tensor numbers of its own, statistics and constants too."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if "running_var" in key:
                value.uniform_(0.5, 1.5)
            elif value.is_floating_point():
                value.add_(0.02 * torch.randn_like(value))
    return network.eval()


def assert_same(found: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize(("family", "suffix"), [("swsl", ".pth"), ("ssl", ".safetensors")])
def test_resnets_taught_by_larger_ones(family: str, suffix: str, tmp_path: Path) -> None:
    whole, path = randomised(import_torchvision().models.resnet18()), tmp_path / f"net{suffix}"
    save = importlib.import_module("safetensors.torch").save_file if suffix == ".safetensors" else torch.save
    save(whole.state_dict(), path)
    encoder = load_pixels(f"{family}:resnet18[layer2,layer4,norm=published,size=64]", weights=path, device="cpu")
    with torch.inference_mode():
        maps = whole.maxpool(whole.relu(whole.bn1(whole.conv1(normalised(pictures(2, 64))))))
        second = whole.layer2(whole.layer1(maps))
        fourth = whole.layer4(whole.layer3(second))
    expected = [pooled / pooled.norm(dim=1, keepdim=True) for pooled in (second.mean((2, 3)), fourth.mean((2, 3)))]
    assert_same(encoder.forward(pictures(2, 64)), torch.cat(expected, 1))
    assert encoder.spec.name == f"{family}:resnet18[layer2,layer4,norm=published,size=64]@{path.resolve()}"
    assert encoder.spec.licence == "CC-BY-NC-4.0"
    assert load_pixels(encoder.spec.name).spec.fingerprint == encoder.spec.fingerprint
    assert load_pixels(f"{family}:resnet18[size=64]", weights=path).forward(pictures(2, 64)).shape == (2, 512)


@pytest.mark.parametrize("name", ["dino:resnet50", "barlow:resnet50"])
def test_resnets_without_labels(name: str, tmp_path: Path) -> None:
    """Their files hold no classifier. A quarter of the width: the same names, an eighth of the numbers."""
    models, options = import_torchvision().models, {"width_per_group": 16}
    whole = randomised(models.resnet.ResNet(models.resnet.Bottleneck, [3, 4, 6, 3], **options))
    whole.fc = torch.nn.Identity()
    torch.save(whole.state_dict(), tmp_path / "net.pth")
    found = load_pixels(f"{name}[size=64,width_per_group=16]", weights=tmp_path / "net.pth").forward(pictures(2, 64))
    with torch.inference_mode():
        assert_same(found, whole(normalised(pictures(2, 64))))


@pytest.mark.parametrize("wrapped", [False, True])
def test_dino_gives_the_class_token(wrapped: bool, tmp_path: Path) -> None:
    options = {"depth": 2, "img_size": 32}
    whole = randomised(timm.create_model("vit_small_patch16_224", num_classes=0, **options))
    state: Any = whole.state_dict()
    if wrapped:  # as its training program keeps it
        state = {"epoch": 3, "teacher": {f"module.backbone.{key}": value for key, value in state.items()}}
        state["teacher"]["module.head.mlp.0.weight"] = torch.zeros(2, 2)
    torch.save(state, tmp_path / "net.pth")
    recipe = "depth=2,img_size=32,precision=full"
    plain = load_pixels(f"dino:deits16[{recipe}]", weights=tmp_path / "net.pth")
    head = load_pixels(f"dino:deits16[head,norm=published,{recipe}]", weights=tmp_path / "net.pth")
    with torch.inference_mode():
        tokens = whole.forward_features(normalised(pictures(2, 32)))
    assert_same(plain.forward(pictures(2, 32)), tokens[:, 0])
    assert_same(head.forward(pictures(2, 32)), tokens[:, 0])


@pytest.mark.parametrize("model", ["vits14", "vits14_reg"])
def test_dinov2_fits_from_its_publishers_names(model: str, tmp_path: Path) -> None:
    registers = model.endswith("_reg")
    network = "vit_small_patch14_reg4_dinov2" if registers else "vit_small_patch14_dinov2"
    whole = randomised(timm.create_model(network, num_classes=0, depth=1, img_size=56))
    state = whole.state_dict()
    state["mask_token"] = torch.zeros(1, 384)
    if registers:  # the publisher adds a position to the class token, and keeps registers under another name
        state["register_tokens"] = state.pop("reg_token")
        position = torch.full((1, 1, 384), 0.5)
        state["pos_embed"] = torch.cat([position, state["pos_embed"]], 1)
        state["cls_token"] = state["cls_token"] - position
    torch.save(state, tmp_path / "net.pth")
    encoder = load_pixels(f"dinov2:{model}[depth=1,size=56,precision=full]", weights=tmp_path / "net.pth")
    with torch.inference_mode():
        expected = whole(normalised(pictures(2, 56)))
    assert_same(encoder.forward(pictures(2, 56)), expected)
    assert architecture(parse_name(f"dinov2:{model}")).input_size == (224, 224)
    larger = load_pixels(f"dinov2:{model}[depth=1,size=84]", weights=tmp_path / "net.pth")
    assert larger.forward(pictures(1, 84)).shape == (1, 384)


def test_xcit_fits_from_its_publishers_names(tmp_path: Path) -> None:
    options = {"depth": 1, "img_size": 32, "cls_attn_layers": 1}
    whole = randomised(timm.create_model("xcit_small_12_p16_224", num_classes=0, **options))
    state = {re.sub(r"^pos_embed\.", "pos_embeder.", key): value for key, value in whole.state_dict().items()}
    block = "cls_attn_blocks.0.attn"
    for kind in ("weight", "bias"):
        state[f"{block}.qkv.{kind}"] = torch.cat([state.pop(f"{block}.{part}.{kind}") for part in "qkv"])
    torch.save(state, tmp_path / "net.pth")
    recipe = "cls_attn_layers=1,depth=1,img_size=32,precision=full"
    found = load_pixels(f"dino:xcit_small_12_p16[{recipe}]", weights=tmp_path / "net.pth").forward(pictures(2, 32))
    with torch.inference_mode():
        assert_same(found, whole(normalised(pictures(2, 32))))


def test_bit_taps_its_stages_and_its_final_norm(tmp_path: Path) -> None:
    options: dict[str, Any] = {"channels": [128, 256, 128, 384], "stem_chs": 32}
    whole = randomised(timm.create_model("resnetv2_50x1_bit", num_classes=21843, **options))
    importlib.import_module("safetensors.torch").save_file(whole.state_dict(), tmp_path / "net.safetensors")
    taps = "stages.0,stages.1,stages.2,norm"
    recipe = f"bit:R50x1[{taps},channels=[128,256,128,384],size=64,stem_chs=32]"
    encoder = load_pixels(recipe, weights=tmp_path / "net.safetensors", device="cpu")
    with torch.inference_mode():
        features, expected = whole.stem(normalised(pictures(2, 64), 0.5, 0.5)), []
        for stage in whole.stages:
            features = stage(features)
            expected.append(features)
        expected[-1] = whole.norm(features)
    pooled = [features.mean((2, 3)) for features in expected]
    unit = torch.cat([vector / vector.norm(dim=1, keepdim=True) for vector in pooled], 1)
    assert_same(encoder.forward(pictures(2, 64)), unit)
    assert export_onnx(encoder, tmp_path / "exported.onnx").relative_error < 1e-4
    assert encoder.mean == (0.5, 0.5, 0.5)
    assert encoder.spec.dim == 128 + 256 + 128 + 384


def test_resnexts_have_the_published_names_and_shapes() -> None:
    """Held against timm's networks, of which the published files are known to be the source."""
    for model in ("resnext101_32x8d", "resnext101_32x16d", "resnext101_32x32d"):
        with torch.device("meta"):
            found = architecture(parse_name(f"wsl:{model}")).build().state_dict()
            known = timm.create_model(model, num_classes=0).state_dict()
        assert {key: value.shape for key, value in found.items()} == {key: value.shape for key, value in known.items()}


def test_names_files_and_checksums() -> None:
    listed = names()
    assert len(listed) == len(set(listed)) == 40
    assert set(encoder_names("dino:*")) == {name for name in listed if name.startswith("dino:")}
    assert {"dino:deits8", "dinov2:vitg14_reg", "wsl:resnext101_32x48d", "bit:R152x4"} <= set(encoder_names())
    sources = {name: weight_source(name) for name in listed}
    files = [source.file for source in sources.values() if source]
    assert len(set(files)) == len(files)
    for name, source in sources.items():
        assert source is not None
        assert source.url is not None
        assert source.url.startswith("https://")
        hashed = name.startswith(("swsl:", "ssl:", "wsl:"))
        assert (source.sha256 is not None) == hashed
        assert source.sha256 is None or source.sha256 in source.file
    wsl = sources["wsl:resnext101_32x48d"]
    assert wsl is not None
    assert wsl.url == "https://download.pytorch.org/models/ig_resnext101_32x48-3e41cc8a.pth"
    assert timm.get_pretrained_cfg("vit_base_patch8_224.dino").url == getattr(sources["dino:vitb8"], "url", "")
    for model in ("vitl14", "vitl14_reg"):
        network = FAMILIES["dinov2"].networks[model].network.removeprefix("timm:")
        assert timm.get_pretrained_cfg(network).url == getattr(sources[f"dinov2:{model}"], "url", "")


def test_what_does_not_fit_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(import_torchvision().models.resnet18().state_dict(), tmp_path / "net.pth")
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path))
    monkeypatch.setenv("LOOKALIKE_OFFLINE", "1")
    cases = (
        ("dino:vitb15", None, UnknownNameError, "there is no dino network 'vitb15': did you mean vitb16"),
        ("dino:deits16", "net.pth", EncoderError, "does not fit the network"),
        ("ssl:resnet50", "net.pth", EncoderError, "does not fit the network"),
        ("ssl:resnet18[no_such=1]", "net.pth", EncoderError, "cannot be built as its options say"),
        ("ssl:resnet18", None, EncoderError, "semi_supervised_resnet18-d92f0530.pth are not on this machine"),
        ("bit:R50x1", None, EncoderError, "timm--resnetv2_50x1_bit.goog_in21k.safetensors are not on this machine"),
    )
    for name, file, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            load_pixels(name, weights=tmp_path / file if file else None)
        assert "\n" not in str(caught.value)


def test_without_torch_the_names_are_known_and_loading_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "lookalike.encoders.network", None)
    assert "swsl:resnet18" in names()
    with pytest.raises(ModuleNotFoundError, match="network"):  # ours, not a library: not hidden
        load_pixels("swsl:resnet18")
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, "lookalike.encoders.network")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EncoderError, match=r'swsl encoders need torch, .* pip install "lookalike\[train\]"'):
        load_pixels("swsl:resnet18")
