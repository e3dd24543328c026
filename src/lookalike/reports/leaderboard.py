"""A leaderboard as a picture: each model's accuracy with its interval, between chance and the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.files import write_aside

__all__ = ["check_plot", "draw_leaderboard"]

SUFFIXES = (".png", ".svg", ".pdf")
INK, FAINT, MARK, BAND = "#202124", "#80868b", "#b8451c", "#f3ede4"


def check_plot(file: Path) -> None:
    """Raise an `InputError` where a plot cannot be written under this name, before any work is done.

    Examples
    --------
    >>> check_plot(Path("leaderboard.svg"))
    """
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"{file}: a plot is written as {', '.join(SUFFIXES)}; change the suffix")


def draw_leaderboard(
    file: Path,
    rows: Sequence[tuple[str, float, float, float]],
    ceiling: float | None,
    caption: str,
    chance: float = 0.5,
    measure: str = "accuracy, % of votes",
) -> None:
    """Draw models as points with intervals, best on top.

    Parameters
    ----------
    file : Path
        The suffix chooses PNG, SVG or PDF.
    rows : sequence of (model, accuracy, low, high)
        Best first; accuracies in [0, 1], the ends of an interval may be NaN.
    ceiling : float or None
        Where its line stands; None where nothing but 1 limits what can be reached: then there is no line.
    caption : str
        What was asked, for the line below.
    chance : float
        Where its line stands.
    measure : str
        What the accuracy is, in percent.

    Raises
    ------
    InputError
        The suffix is none of these.
    """
    check_plot(file)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4 + 0.42 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    lines = {"chance": chance} | ({} if ceiling is None else {"ceiling": ceiling})
    if ceiling is not None:
        axes.axvspan(100 * chance, 100 * ceiling, color=BAND, zorder=0)
    for place, (_, value, low, high) in zip(places, rows, strict=True):
        axes.plot([100 * low, 100 * high], [place, place], color=MARK, linewidth=2, solid_capstyle="round")
        axes.plot(100 * value, place, "o", color=MARK, markersize=7)
        axes.annotate(f"{100 * value:.1f}", (100 * value, place), (0, 7), textcoords="offset points", ha="center",
                      fontsize=9, color=INK)  # fmt: skip
    for name, at in lines.items():
        axes.axvline(100 * at, color=FAINT, linewidth=1, linestyle=":")
        axes.annotate(name, (100 * at, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                      ha="center", fontsize=9, color=FAINT)  # fmt: skip
    axes.set_yticks(list(places), [model for model, *_ in rows], color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.8)
    axes.set_xlabel(f"{measure}, with 95% intervals; {caption}", color=INK, fontsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    with write_aside(file) as aside:
        figure.savefig(aside, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)
