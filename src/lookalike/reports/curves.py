"""How a training went, as a picture: the losses by pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lookalike.core.files import write_aside
from lookalike.reports.leaderboard import check_plot

__all__ = ["draw_curves"]

INK, FAINT, TRAINED, HELD = "#202124", "#80868b", "#b8451c", "#2f6f8f"


def draw_curves(file: Path, history: Sequence[Mapping[str, Any]], caption: str) -> None:
    """Draw the loss of every pass, a thin line per member and a thick one for their mean.

    Parameters
    ----------
    file : Path
        The suffix chooses PNG, SVG or PDF.
    history : sequence of mapping
        ``member``, ``epoch``, ``loss`` and ``validation_loss`` (None where nothing was kept back), as in
        `lookalike.AdaptationModel`.
    caption : str
        What was learned from what.

    Raises
    ------
    InputError
        The suffix is none of these.
    StorageError

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "curves.svg"
    >>> passes = [{"member": 0, "epoch": n, "loss": 1 / n, "validation_loss": None} for n in (1, 2, 3)]
    >>> draw_curves(file, passes, "residual on 9 judgments")
    >>> file.stat().st_size > 1000
    True
    """
    check_plot(file)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    for key, label, colour in (("loss", "training", TRAINED), ("validation_loss", "kept back", HELD)):
        lines = _lines(history, key)
        for line in lines if len(lines) > 1 else []:
            axes.plot(range(1, len(line) + 1), line, color=colour, linewidth=0.8, alpha=0.4)
        mean = _mean(lines)
        if mean:
            axes.plot(range(1, len(mean) + 1), mean, color=colour, linewidth=2, marker="o", markersize=4)
            axes.annotate(label, (len(mean), mean[-1]), (6, 0), textcoords="offset points", va="center",
                          fontsize=9, color=colour)  # fmt: skip
    axes.set_xlabel(f"pass; {caption}", color=INK, fontsize=9)
    axes.set_ylabel("loss", color=INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.12)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=FAINT)
    with write_aside(file) as aside:
        figure.savefig(aside, dpi=150)


def _lines(history: Sequence[Mapping[str, Any]], key: str) -> list[list[float]]:
    """Return the values of each member by pass."""
    members: dict[int, dict[int, float]] = {}
    for epoch in history:
        if epoch[key] is not None:
            members.setdefault(epoch["member"], {})[epoch["epoch"]] = epoch[key]
    return [[values[at] for at in sorted(values)] for values in members.values()]


def _mean(lines: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean over the members that still trained, pass by pass."""
    longest = max((len(line) for line in lines), default=0)
    reached = [[line[at] for line in lines if at < len(line)] for at in range(longest)]
    return [sum(values) / len(values) for values in reached]
