"""Charts as SVG text, for pages that stand alone: no script, no file beside them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lookalike.reports.content import Picture, Place, Standing

__all__ = ["COLOURS", "colour_of", "data_uri", "interval_chart", "line_chart", "reference_map", "weight_map"]

COLOURS = (
    "#b8451c", "#2f6f8f", "#6a8f2f", "#8f5fa8", "#c28f1e", "#3f8f7a", "#a83f62", "#5a6472",
    "#d07a4a", "#4f7fd0", "#8fa86a", "#7a4f2f",
)  # fmt: skip
"""One per model, told apart on paper and by most colour-blind readers; the thirteenth is the first again."""

WIDTH = 960
ROW = 34


def colour_of(models: Sequence[str]) -> dict[str, str]:
    """Give every model a colour.

    Examples
    --------
    >>> colour_of(["one", "two"])["two"]
    '#2f6f8f'
    """
    return {model: COLOURS[number % len(COLOURS)] for number, model in enumerate(models)}


def data_uri(picture: Picture) -> str:
    """Return a picture as the address that holds it whole.

    Examples
    --------
    >>> data_uri(Picture("a", b"x"))
    'data:image/jpeg;base64,eA=='
    """
    return "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")


def interval_chart(standings: Sequence[Standing], ceiling: float | None, chance: float) -> str:
    """Draw accuracies as points with intervals, best on top.

    Examples
    --------
    >>> chart = interval_chart([Standing("one", "encoder", 0.7, 0.6, 0.8, None)], 0.9, 0.5)
    >>> chart.startswith("<svg"), "70.0" in chart
    (True, True)
    """
    left, right, top = 280, 40, 26
    ends = [value for one in standings for value in (one.accuracy, one.low, one.high) if not math.isnan(value)]
    low, high = min([chance, *ends]), max([*ends, *([] if ceiling is None else [ceiling])])
    low, high = max(0.0, low - 0.02), min(1.0, high + 0.02)

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - left - right)

    bottom = top + ROW * len(standings)
    parts = [_open(bottom + 34, "Accuracy of each model with its 95% interval")]
    if ceiling is not None:
        parts.append(f'<rect class="band" x="{at(chance):.1f}" y="{top}" width="{at(ceiling) - at(chance):.1f}" '
                     f'height="{bottom - top}"/>')  # fmt: skip
    for name, value in {"chance": chance, **({} if ceiling is None else {"ceiling": ceiling})}.items():
        parts.append(f'<line class="rule" x1="{at(value):.1f}" x2="{at(value):.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="faint" x="{at(value):.1f}" y="{top - 8}" text-anchor="middle">{name}</text>')
    for number, one in enumerate(standings):
        y = top + ROW * (number + 0.5)
        ends_known = not (math.isnan(one.low) or math.isnan(one.high))
        parts.append(f'<text x="{left - 14}" y="{y + 5:.1f}" text-anchor="end">{escape(_short(one.model))}</text>')
        if ends_known:
            parts.append(f'<line class="mark" x1="{at(one.low):.1f}" x2="{at(one.high):.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="dot" cx="{at(one.accuracy):.1f}" cy="{y}" r="5"/>')
        parts.append(f'<text class="value" x="{at(one.accuracy):.1f}" y="{y - 9:.1f}" text-anchor="middle">'
                     f"{100 * one.accuracy:.1f}</text>")  # fmt: skip
    parts.append(f'<text class="faint" x="{WIDTH - right}" y="{bottom + 24}" text-anchor="end">'
                 "% of votes, with 95% intervals clustered by reference</text></svg>")  # fmt: skip
    return "".join(parts)


def reference_map(places: Sequence[Place], colours: Mapping[str, str], size: int = 42) -> str:
    """Draw references where their first two principal components are, framed in the colour of their best model.

    Pictures that would hide another are drawn as dots.

    Examples
    --------
    >>> place = Place(0.0, 0.0, Picture("a.jpg", b"x"), "one")
    >>> reference_map([place], {"one": "#000"}).count("<image")
    1
    """
    height = 620
    spots = _spots(places, height, size)
    parts = [_open(height, "References by their first two principal components")]
    shown: list[tuple[float, float]] = []
    dots, frames = [], []
    for place, (x, y) in zip(places, spots, strict=True):
        label = f"<title>{escape(place.picture.name)}: {escape(place.best)}</title>"
        free = all(abs(x - u) > size or abs(y - v) > size for u, v in shown)
        if not place.picture.jpeg or not free:
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colours[place.best]}">{label}</circle>')
            continue
        shown.append((x, y))
        frames.append(
            f'<g>{label}<image x="{x - size / 2:.1f}" y="{y - size / 2:.1f}" width="{size}" height="{size}" '
            f'preserveAspectRatio="xMidYMid slice" href="{data_uri(place.picture)}"/>'
            f'<rect x="{x - size / 2:.1f}" y="{y - size / 2:.1f}" width="{size}" height="{size}" fill="none" '
            f'stroke="{colours[place.best]}" stroke-width="4"/></g>'
        )
    return "".join([*parts, *dots, *frames, "</svg>"])


def weight_map(places: Sequence[Place], model: str, colour: str, uniform: float) -> str:
    """Draw how much an ensemble trusts one model at every reference: the darker, the more.

    Parameters
    ----------
    uniform : float
        What all models would have if they were trusted alike; the size of a dot is relative to it.

    Examples
    --------
    >>> place = Place(0.0, 0.0, Picture("a.jpg", b""), "one", {"one": 0.5})
    >>> "50%" in weight_map([place], "one", "#000", 0.5)
    True
    """
    width, height = 300, 210
    spots = _spots(places, height, 10, width)
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Weight of {escape(model)}">']
    for place, (x, y) in sorted(zip(places, spots, strict=True), key=lambda both: both[0].weights.get(model, 0.0)):
        weight = place.weights.get(model, 0.0)
        radius = 2.5 * math.sqrt(min(weight / uniform, 6.0)) + 0.8
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" '
            f'fill-opacity="{0.12 + 0.88 * weight:.2f}">'
            f"<title>{escape(place.picture.name)}: {weight:.0%}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def line_chart(history: Sequence[Mapping[str, Any]], colour: str) -> str:
    """Draw the loss of every pass, a line per member; a dashed one for what was kept back.

    Examples
    --------
    >>> history = [{"member": 0, "epoch": n, "loss": 1 / n, "validation_loss": None} for n in (1, 2)]
    >>> line_chart(history, "#000").count("<path")
    1
    """
    width, height, pad = 300, 170, 30
    lines: dict[tuple[Any, str], list[tuple[int, float]]] = {}
    for epoch in history:
        for key in ("loss", "validation_loss"):
            if epoch.get(key) is not None:
                lines.setdefault((epoch["member"], key), []).append((epoch["epoch"], float(epoch[key])))
    values = [value for line in lines.values() for _, value in line]
    last = max((at for line in lines.values() for at, _ in line), default=1)
    low, high = min(values, default=0.0), max(values, default=1.0)

    def spot(at: int, value: float) -> str:
        x = pad + (at - 1) / max(last - 1, 1) * (width - pad - 8)
        return f"{x:.1f},{height - pad - (value - low) / ((high - low) or 1.0) * (height - pad - 12):.1f}"

    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Loss by pass">']
    for (_, key), line in lines.items():
        path = " L".join(spot(at, value) for at, value in line)
        dashes = ' stroke-dasharray="4 3"' if key == "validation_loss" else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dashes}/>')
    parts.append(f'<text class="faint" x="{pad - 4}" y="16" text-anchor="end">{high:.2g}</text>')
    parts.append(f'<text class="faint" x="{pad - 4}" y="{height - pad}" text-anchor="end">{low:.2g}</text>')
    parts.append(f'<text class="faint" x="{width - 8}" y="{height - 8}" text-anchor="end">{last} passes</text></svg>')
    return "".join(parts)


def _spots(places: Sequence[Place], height: int, margin: float, width: int = WIDTH) -> list[tuple[float, float]]:
    """Scale the components of places to a drawing of that size; the second one points up."""
    found = []
    for values, room, turned in (
        ([place.x for place in places], width, False),
        ([place.y for place in places], height, True),
    ):
        low, high = min(values), max(values)
        share = [(value - low) / (high - low) if high > low else 0.5 for value in values]
        found.append([margin + (1 - one if turned else one) * (room - 2 * margin) for one in share])
    return list(zip(*found, strict=True))


def _open(height: int, label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"
