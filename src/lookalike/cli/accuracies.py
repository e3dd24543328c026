"""What commands tell of accuracies: as JSON values and as cells of tables, what to doubt, and where they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

    from lookalike.metrics.two_afc import Difference

__all__ = [
    "accuracy_json",
    "behind_cells",
    "difference_json",
    "interval_cell",
    "known",
    "parts_table",
    "show_file",
    "warn_seen",
]


class Interval(Protocol):
    """An accuracy, or another estimate, in an interval whose ends are NaN where there is none."""

    @property
    def value(self) -> float:
        """What was found."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


class Row(Protocol):
    """A line of a leaderboard."""

    @property
    def label(self) -> str:
        """The name for tables."""

    @property
    def seen(self) -> float:
        """How much of what it is measured on the model was fitted on, in [0, 1]."""


def known(value: float) -> float | None:
    """Return a number; None, which JSON has, for NaN, which it has not.

    Examples
    --------
    >>> known(0.5), known(float("nan"))
    (0.5, None)
    """
    return None if value != value else value


def accuracy_json(found: Interval, name: str = "value") -> dict[str, float | None]:
    """Lay an accuracy out as JSON values, by that name; an interval that does not exist is null.

    Examples
    --------
    >>> from lookalike.metrics.two_afc import Accuracy
    >>> accuracy_json(Accuracy(0.5, 0.25, 0.75, 16), "accuracy")
    {'accuracy': 0.5, 'low': 0.25, 'high': 0.75}
    """
    return {name: found.value, "low": known(found.low), "high": known(found.high)}


def difference_json(found: Difference | None) -> dict[str, float | None] | None:
    """Lay out how far a model is behind as JSON values; null for the best.

    Examples
    --------
    >>> from lookalike.metrics.two_afc import Difference
    >>> difference_json(Difference(0.5, 0.25, 0.75, 0.01, 16))
    {'value': 0.5, 'low': 0.25, 'high': 0.75, 'p': 0.01}
    """
    return None if found is None else {**accuracy_json(found), "p": known(found.p)}


def interval_cell(found: Interval) -> str:
    """Write an interval; nothing where there is none.

    Examples
    --------
    >>> from lookalike.metrics.two_afc import Accuracy
    >>> interval_cell(Accuracy(0.5, 0.25, 0.75, 16))
    '25.0% to 75.0%'
    """
    return "" if known(found.low) is None else f"{found.low:.1%} to {found.high:.1%}"


def behind_cells(found: Difference | None) -> tuple[str, str]:
    """Write how far a model is behind, in points with their interval, and p; nothing for the best.

    Examples
    --------
    >>> from lookalike.metrics.two_afc import Difference
    >>> behind_cells(Difference(0.5, 0.25, 0.75, 0.01, 16))
    ('50.0 (25.0 to 75.0)', '0.0100')
    """
    if found is None:
        return "", ""
    if known(found.low) is None:
        return f"{100 * found.value:.1f}", ""
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})", f"{found.p:.4f}"


def parts_table(title: str, parts: Sequence[str], rows: Sequence[tuple[str, Mapping[str, Interval]]]) -> Table:
    """Lay out accuracies with a column for each part of what was measured; the best of each in bold.

    Examples
    --------
    >>> from lookalike.metrics.two_afc import Accuracy
    >>> parts_table("by context", ["sea"], [("a", {"sea": Accuracy(0.5, 0.4, 0.6, 9)})]).row_count
    1
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, overflow="fold", min_width=len(title))
    for part in parts:
        table.add_column(Text(part), justify="right")
    best = {part: max(found[part].value for _, found in rows) for part in parts}
    for label, found in rows:
        cells = [
            Text(f"{100 * found[part].value:.1f}", style="bold" if found[part].value == best[part] else "")
            for part in parts
        ]
        table.add_row(Text(label), *cells)
    return table


def warn_seen(screen: RichConsole, rows: Sequence[Row], what: str) -> None:
    """Warn where a model is held against what it was fitted on: `what` says it, with {} for the share."""
    for row in rows:
        if row.seen:
            screen.print(
                f"{row.label} was fitted on {what.format(f'{row.seen:.0%}')}: its row is no measurement of how it does "
                "on new ones",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )


def show_file(screen: RichConsole, what: str, file: Path | None) -> None:
    """Say where something was drawn or written, if it was asked for."""
    from rich.text import Text

    if file is not None:
        screen.print(Text(f"{what}: {file}"), soft_wrap=True)
