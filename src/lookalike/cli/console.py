"""What a command prints: results to standard output, progress and notes to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lookalike.core.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

__all__ = ["Console"]


class Console:
    """One command's output.

    Parameters
    ----------
    as_json : bool
        Print one JSON object on standard output and nothing else there.
    quiet : bool
        Show no progress and no notes.
    """

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet

    def result(self, data: Mapping[str, Any], show: Callable[[RichConsole], None]) -> None:
        """Print the result: `data` as JSON, or what `show` draws for a person."""
        try:
            if self.as_json:
                sys.stdout.write(json.dumps(data, allow_nan=False) + "\n")
            else:
                from rich.console import Console as RichConsole

                show(RichConsole(highlight=False, emoji=False))
            sys.stdout.flush()
        except (BrokenPipeError, SystemExit):
            # The reader went away (`| head`), which Rich turns into an exit: the work is done all the same. Python
            # would complain at exit, were there still something to write to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """Give a callback that draws progress on standard error while the block runs."""
        if self.quiet:
            yield silent
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[rejected]}", style="yellow"),
        )
        bars = Bars(*columns, console=RichConsole(stderr=True))
        try:
            yield _Drawn(bars)
        finally:
            if bars.live.is_started:
                bars.stop()


class _Drawn:
    """Draws each stage as a bar of its own."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, step: Progress) -> None:
        if not self._tasks:
            self._bars.start()
        if step.stage not in self._tasks:
            for task in self._bars.tasks:
                # A stage of unknown length has nothing to say once the next one has begun.
                self._bars.update(task.id, visible=task.total is not None)
            self._tasks[step.stage] = self._bars.add_task(step.stage, total=None, rate="", rejected="")
        task = self._bars.tasks[self._tasks[step.stage]]
        self._bars.update(
            self._tasks[step.stage],
            completed=step.done,
            total=step.total or None,
            rate=f"{task.finished_speed or task.speed:,.0f}/s" if task.speed else "",
            rejected=f"{step.rejected:,} rejected" if step.rejected else "",
        )
