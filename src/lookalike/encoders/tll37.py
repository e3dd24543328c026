"""The 37 extractors of *Learning an adaptation function to assess image visual similarities*, with their taps.

Risser-Maroix et al. (2022) benchmark them. Labels are theirs; layers that they gave by number are named here, by the
versions of the libraries that they pinned (timm 0.4.5, torchvision 0.9.1):

- BiT, modules 6, 44 and 93 (137 for depth 152): the ends of the first three stages; the sixth from the end is the
  final norm with its activation;
- EfficientNet, the second from the end: the pooling, there a map of one pixel (``global_pool.pool`` in timm);
- ViT, the second from the end: the class token on its way to the classifier (``head_drop`` in timm);
- DINO's transformers, ``head``: nothing stands there, so it is the class token.

The label ``resnext101_32x8d_ssl`` loads the network of width 16, as in the published code, where a second assignment
overwrote the first. Pictures come at 224 pixels, stretched; CLIP's as CLIP's own.

This module imports no torch: the set can be listed anywhere, at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lookalike.encoders import facenet, published
from lookalike.encoders.name import parse_name
from lookalike.encoders.sources import WeightSource, hub_url

__all__ = ["Extractor", "extractors"]

STAGES = "layer1,layer2,layer3,layer4"
RESNETS = (
    ("resnet18", 960, "f37072fd"),
    ("resnet34", 960, "b627a593"),
    ("resnet50", 3840, "0676ba61"),
    ("resnet101", 3840, "63fe2227"),
    ("resnet152", 3840, "394f9c45"),
)
EFFICIENTNETS = (("b0", "ra", 1280), ("b1", "ft", 1280), ("b2", "ra", 1408), ("b3", "ra2", 1536))
BITS = ((50, 1, 3840), (50, 3, 11520), (101, 1, 3840), (101, 3, 11520), (152, 2, 7680), (152, 4, 15360))


@dataclass(frozen=True, slots=True)
class Extractor:
    """One of the 37.

    Attributes
    ----------
    label : str
        Its key in the published code.
    encoder : str
        What `load_encoder` takes: network and taps.
    dim : int
        Length of its feature: of all taps side by side.
    source : WeightSource
        Where its weights are.
    hindrance : str
        Why its library cannot be installed beside ours, where it cannot.
    """

    label: str
    encoder: str
    dim: int
    source: WeightSource
    hindrance: str = ""

    @property
    def taps(self) -> tuple[str, ...]:
        """The layers, in the order of the feature; that of an ONNX file is in the file.

        Examples
        --------
        >>> extractors()[3].taps
        ('ln_post',)
        """
        return parse_name(self.encoder).layers or (facenet.TAP,)

    @property
    def published(self) -> str:
        """The encoder with its taps scaled as in the published code: only those that are maps.

        Examples
        --------
        >>> extractors()[0].published
        'openclip:RN50x4/openai[layer1,layer2,layer3,layer4,attnpool,norm=published]'
        """
        name = parse_name(self.encoder)
        if not name.layers:
            return self.encoder
        return str(parse_name(str(replace(name, options={"norm": "published", **name.options}))))


def extractors() -> tuple[Extractor, ...]:
    """Return the 37 extractors, in the order of the published code.

    Examples
    --------
    >>> found = extractors()
    >>> len(found), found[0].label, found[0].dim
    (37, 'clip_rn50x4', 5440)
    """
    return (*_clip(), *_supervised(), *_taught(), *_self_supervised())


def _clip() -> Iterator[Extractor]:
    networks = (
        ("clip_rn50x4", "RN50x4", "resnet50x4_clip", f"{STAGES},attnpool", 5440),
        ("clip_rn50", "RN50", "resnet50_clip", f"{STAGES},attnpool", 4864),
        ("clip_rn101", "RN101", "resnet101_clip", f"{STAGES},attnpool", 4352),
        ("clip_vit32_b", "ViT-B-32", "vit_base_patch32_clip_224", "ln_post", 768),
    )
    for label, model, repository, taps, dim in networks:
        url = hub_url(f"timm/{repository}.openai", "open_clip_model.safetensors")
        source = WeightSource(f"openclip--{repository}.openai.safetensors", url)
        yield Extractor(label, f"openclip:{model}/openai[{taps}]", dim, source)


def _supervised() -> Iterator[Extractor]:
    for model, dim, checksum in RESNETS:
        yield Extractor(model, f"torchvision:{model}.IMAGENET1K_V1[{STAGES}]", dim, _torchvision(model, checksum))
    yield Extractor("alexnet", "torchvision:alexnet[features]", 256, _torchvision("alexnet-owt", "7be5be79"))
    for size, tag, dim in EFFICIENTNETS:
        model = f"efficientnet_{size}.{tag}_in1k"
        size_option = "" if size == "b0" else ",size=224"
        encoder = f"timm:{model}[global_pool.pool{size_option}]"
        yield Extractor(f"efficientnet_{size}", encoder, dim, _timm(model))
    for depth, width, dim in BITS:
        encoder = f"bit:R{depth}x{width}[stages.0,stages.1,stages.2,norm]"
        yield _known(f"BiT-M-R{depth}x{width}_in21k", encoder, dim)
    yield Extractor("facenet", "facenet:vggface2", 1792, facenet.describe("facenet:vggface2"), facenet.REASON)
    vit = "vit_base_patch16_224.orig_in21k_ft_in1k"
    yield Extractor("ViT", f"timm:{vit}[head_drop]", 768, _timm(vit))


def _taught() -> Iterator[Extractor]:
    for model in ("resnet50", "resnext101_32x8d", "resnext101_32x16d"):
        yield _known(f"{model}_swsl", f"swsl:{model}[{STAGES}]", 3840)
    yield _known("resnet50_ssl", f"ssl:resnet50[{STAGES}]", 3840)
    yield _known("resnext101_32x8d_ssl", f"ssl:resnext101_32x16d[{STAGES}]", 3840)
    for width in (8, 16, 32, 48):
        yield _known(f"resnext101_32x{width}d_wsl", f"wsl:resnext101_32x{width}d[{STAGES}]", 3840)


def _self_supervised() -> Iterator[Extractor]:
    yield _known("barlow", f"barlow:resnet50[{STAGES}]", 3840)
    yield _known("dino_resnet50", f"dino:resnet50[{STAGES}]", 3840)
    for label, model, dim in (
        ("deits16", "deits16", 384),
        ("deits8", "deits8", 384),
        ("dino_vitb8", "vitb8", 768),
        ("dino_vitb16", "vitb16", 768),
    ):
        yield _known(label, f"dino:{model}[head]", dim)


def _known(label: str, encoder: str, dim: int) -> Extractor:
    return Extractor(label, encoder, dim, published.describe(encoder))


def _torchvision(file: str, checksum: str) -> WeightSource:
    name = f"{file}-{checksum}.pth"
    return WeightSource(name, f"https://download.pytorch.org/models/{name}", checksum)


def _timm(model: str) -> WeightSource:
    return WeightSource(f"timm--{model}.safetensors", hub_url(f"timm/{model}", "model.safetensors"))
