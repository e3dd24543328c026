"""The name of a network: its family and model, which layers are tapped and how, and the file of its weights.

``FAMILY:MODEL[OPTIONS]@WEIGHTS``, where options and weights may be left out. Options stand between commas:

- a layer, by its path in the network (``layer4``, ``blocks.11``), or ``last:N`` for the last N stages;
- ``pool=average|gem``: how a map of features becomes a vector (GeM with power 3);
- ``tokens=class|mean``: which tokens of a transformer: the class token, or the mean of the patches;
- ``norm=corrected|published``: every tap to norm 1 (the default), or only taps that were maps;
- ``drop=MODULE``: put nothing in the place of a module, for networks that their publisher cut;
- ``size=N``, ``resize=squash|crop``: how pictures are prepared, where not as the network's card says;
- ``precision=full|half``: 32-bit numbers, or bfloat16; by default half for transformers on processors made for it;
- any other ``KEY=VALUE`` goes to the builder of the network: JSON where it reads as such, else text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lookalike.core.errors import EncoderError

__all__ = ["EncoderName", "parse_name"]

CHOICES = {
    "pool": ("average", "gem"),
    "tokens": ("class", "mean"),
    "norm": ("corrected", "published"),
    "resize": ("squash", "crop"),
    "precision": ("full", "half"),
}
DEFAULTS = {"pool": "average", "tokens": "class", "norm": "corrected"}
OWN = (*DEFAULTS, "drop", "size", "resize", "precision")
HEAD = re.compile(r"(?P<family>[^:\[\]@]+):(?P<model>[^\[\]@]+)")
SHAPE = "FAMILY:MODEL[LAYER,...,KEY=VALUE,...]@WEIGHTS"


@dataclass(frozen=True, slots=True)
class EncoderName:
    """A name, taken apart.

    Attributes
    ----------
    family, model : str
        ``timm`` and ``resnet18``.
    layers : tuple of str
        The taps, in the order in which they are concatenated; empty for the network's own feature.
    options : mapping
        What differs from the defaults; ``drop`` is a tuple of modules.
    weights : Path or None
        The file of the weights; None for the published ones.

    Examples
    --------
    >>> name = parse_name("timm:resnet18[pool=gem,layer3,layer4]@/nets/r18.pth")
    >>> name.layers, name.pool, str(name.weights)
    (('layer3', 'layer4'), 'gem', '/nets/r18.pth')
    >>> str(name)
    'timm:resnet18[layer3,layer4,pool=gem]@/nets/r18.pth'
    """

    family: str
    model: str
    layers: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None

    def __str__(self) -> str:
        return self.recipe + (f"@{self.weights}" if self.weights is not None else "")

    @property
    def recipe(self) -> str:
        """The name without its weights, in canonical form: options in a fixed order, defaults left out."""
        inside = ",".join([*self.layers, *_written(self.options)])
        return f"{self.family}:{self.model}" + (f"[{inside}]" if inside else "")

    @property
    def pool(self) -> str:
        """How maps become vectors."""
        return str(self.options.get("pool", DEFAULTS["pool"]))

    @property
    def tokens(self) -> str:
        """Which tokens are taken."""
        return str(self.options.get("tokens", DEFAULTS["tokens"]))

    @property
    def norm(self) -> str:
        """Which taps are scaled to norm 1."""
        return str(self.options.get("norm", DEFAULTS["norm"]))

    @property
    def drop(self) -> tuple[str, ...]:
        """Modules that are left out."""
        return tuple(self.options.get("drop", ()))

    @property
    def builder(self) -> dict[str, Any]:
        """What goes to the builder of the network."""
        return {key: value for key, value in self.options.items() if key not in OWN}

    def using(self, weights: Path) -> EncoderName:
        """Return the name with the file of the weights in it, as an absolute path.

        Raises
        ------
        EncoderError
            The name has a file already.
        """
        if self.weights is not None:
            raise EncoderError(f"two files for one encoder: {self} and weights={weights}; give one")
        return replace(self, weights=_absolute(weights))


def parse_name(text: str) -> EncoderName:
    """Take a name apart.

    Raises
    ------
    EncoderError
        It has not the form ``FAMILY:MODEL[OPTIONS]@WEIGHTS``, or an option has no such value.

    Examples
    --------
    >>> parse_name("timm:vit_tiny_patch16_224[img_size=96,tokens=class]").builder
    {'img_size': 96}
    """
    head = HEAD.match(text)
    if head is None:
        raise EncoderError(f"'{text}' is not the name of an encoder: write {SHAPE}")
    inside, rest = _brackets(text, text[head.end() :])
    if rest and (rest[0] != "@" or len(rest) == 1):
        raise EncoderError(f"'{text}': after the model come [OPTIONS] or @WEIGHTS, not '{rest}'")
    layers, options = _options(text, inside)
    weights = _absolute(Path(rest[1:])) if rest else None
    return EncoderName(head["family"], head["model"], layers, options, weights)


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _brackets(text: str, rest: str) -> tuple[list[str], str]:
    """Split ``[a,b=[1,2]]@file`` into its entries and what follows the closing bracket."""
    if not rest.startswith("["):
        return [], rest
    depth, start, entries = 0, 1, []
    for place, letter in enumerate(rest):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if (letter == "," and depth == 1) or depth == 0:
            entries.append(rest[start:place].strip())
            start = place + 1
        if depth == 0:
            return [entry for entry in entries if entry], rest[start:]
    raise EncoderError(f"'{text}': the bracket is not closed")


def _options(text: str, entries: list[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    layers: list[str] = []
    options: dict[str, Any] = {}
    for entry in entries:
        key, equals, written = (part.strip() for part in entry.partition("="))
        if not equals:
            layers.append(entry)
        elif key == "drop":
            options["drop"] = (*options.get("drop", ()), written)
        elif key in options or not key:
            raise EncoderError(f"'{text}': the option '{entry}' has no key, or stands twice")
        else:
            options[key] = _value(text, key, written)
    if len(set(layers)) < len(layers):
        raise EncoderError(f"'{text}': a layer stands twice")
    if len(layers) > 1 and any(layer.startswith("last:") for layer in layers):
        raise EncoderError(f"'{text}': last:N stands alone; name every layer, or none")
    ordered = [key for key in OWN if key in options] + sorted(key for key in options if key not in OWN)
    return tuple(layers), {key: options[key] for key in ordered if options[key] != DEFAULTS.get(key)}


def _value(text: str, key: str, written: str) -> Any:
    if key in CHOICES:
        if written not in CHOICES[key]:
            raise EncoderError(f"'{text}': {key} is {' or '.join(CHOICES[key])}, not '{written}'")
        return written
    if key == "size" and not (written.isdecimal() and 1 <= int(written) <= 4096):
        raise EncoderError(f"'{text}': size is a number of pixels, 1 to 4096, not '{written}'")
    try:
        return json.loads(written)
    except json.JSONDecodeError:
        return written


def _written(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        if key == "drop":
            yield from (f"drop={module}" for module in value)
        else:
            yield f"{key}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"
