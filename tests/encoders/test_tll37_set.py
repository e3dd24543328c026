"""The 37 extractors: every tap is there, and the features are as long as the paper's arithmetic says."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from lookalike.encoders.name import parse_name
from lookalike.encoders.tll37 import Extractor, extractors

TABLE = (
    "clip_rn50x4 clip_rn50 clip_rn101 clip_vit32_b resnet18 resnet34 resnet50 resnet101 resnet152 alexnet "
    "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 BiT-M-R50x1_in21k BiT-M-R50x3_in21k "
    "BiT-M-R101x1_in21k BiT-M-R101x3_in21k BiT-M-R152x2_in21k BiT-M-R152x4_in21k facenet ViT resnet50_swsl "
    "resnext101_32x8d_swsl resnext101_32x16d_swsl resnet50_ssl resnext101_32x8d_ssl resnext101_32x8d_wsl "
    "resnext101_32x16d_wsl resnext101_32x32d_wsl resnext101_32x48d_wsl barlow dino_resnet50 deits16 deits8 "
    "dino_vitb8 dino_vitb16"
)
LABELS = TABLE.split()


@pytest.fixture(scope="module")
def torch() -> Iterator[Any]:
    library = pytest.importorskip("torch")
    for needed in ("timm", "torchvision", "open_clip"):
        pytest.importorskip(f"lookalike.encoders.{needed.replace('_', '')}", reason=f"needs {needed}")
    before = library.get_num_threads()
    library.set_num_threads(1)
    yield library
    library.set_num_threads(before)


def test_the_set_is_that_of_the_published_code() -> None:
    found = {extractor.label: extractor for extractor in extractors()}
    assert list(found) == LABELS
    assert len(LABELS) == 37
    families = Counter(extractor.encoder.partition(":")[0] for extractor in found.values())
    assert families == {
        **{"openclip": 4, "torchvision": 6, "timm": 5, "bit": 6, "facenet": 1},
        **{"swsl": 3, "ssl": 2, "wsl": 4, "barlow": 1, "dino": 5},
    }
    assert found["resnext101_32x8d_ssl"].encoder.startswith("ssl:resnext101_32x16d[")
    taps = {label: extractor.taps for label, extractor in found.items()}
    assert taps["facenet"] == ("block8",)
    assert taps["clip_rn50x4"] == ("layer1", "layer2", "layer3", "layer4", "attnpool")
    assert taps["clip_vit32_b"] == ("ln_post",)
    assert taps["alexnet"] == ("features",)
    assert taps["BiT-M-R152x4_in21k"] == ("stages.0", "stages.1", "stages.2", "norm")
    assert {taps[label] for label in ("deits16", "deits8", "dino_vitb8", "dino_vitb16")} == {("head",)}
    assert all(str(parse_name(e.encoder)) == e.encoder for e in found.values())
    assert [label for label, extractor in found.items() if extractor.hindrance] == ["facenet"]


def test_dimensions_add_up() -> None:
    dims = {extractor.label: extractor.dim for extractor in extractors()}
    assert dims["clip_rn50x4"] == 5440 == 320 + 640 + 1280 + 2560 + 640
    assert dims["resnet18"] == dims["resnet34"] == 960 == 64 + 128 + 256 + 512
    stages = 256 + 512 + 1024 + 2048
    assert {dims[label] for label in dims if label.endswith(("sl", "152", "resnet50", "barlow"))} == {stages}
    for depth, width in ((50, 1), (50, 3), (101, 1), (101, 3), (152, 2), (152, 4)):
        assert dims[f"BiT-M-R{depth}x{width}_in21k"] == stages * width


def test_published_names_differ_in_the_scaling_alone() -> None:
    for extractor in extractors():
        name, published = parse_name(extractor.encoder), parse_name(extractor.published)
        assert published.layers == name.layers
        assert published.builder == name.builder
        assert published.norm == ("published" if name.layers else "corrected")


def test_the_set_needs_no_torch() -> None:
    code = (
        "import sys; from lookalike.encoders.tll37 import extractors; assert len(extractors()) == 37; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'timm', 'open_clip', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_weights_are_those_of_the_families(torch: Any) -> None:
    from lookalike.encoders.load import weight_source

    for extractor in extractors():
        source = weight_source(extractor.encoder)
        assert source is not None
        assert (source.file, source.url, source.sha256) == (
            extractor.source.file,
            extractor.source.url,
            extractor.source.sha256,
        )


@pytest.mark.parametrize("extractor", [e for e in extractors() if not e.hindrance], ids=lambda e: e.label)
def test_every_tap_is_there(extractor: Extractor, torch: Any) -> None:
    """Without numbers: a network of 829 million weights is as fast as any on the device `meta`."""
    from lookalike.encoders.load import FAMILIES
    from lookalike.encoders.tapped import Tapped

    name = parse_name(extractor.encoder)
    found = import_module(FAMILIES[name.family].module).architecture(name)
    assert found.input_size == ((288, 288) if extractor.label == "clip_rn50x4" else (224, 224))
    assert found.resize == ("crop" if name.family == "openclip" else "squash")
    with torch.device("meta"), torch.inference_mode():
        tapped = Tapped(found.build().eval(), name.layers)
        features = tapped(torch.empty(1, 3, *found.input_size))
    assert features.shape == (1, extractor.dim)
