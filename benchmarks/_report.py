"""How benchmarks write their results: a page in docs/results with the command that made it."""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from lookalike.core.lanes import cores

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def machine(*packages: str) -> str:
    """Describe this machine in a sentence: processor, cores, Python, and the versions of packages."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = "".join(f", {name} {version(name)}" for name in packages)
    count = cores()
    return f"Machine: {model}, {count} core{'s' if count > 1 else ''}, Python {platform.python_version()}{versions}."


def command_line() -> str:
    """Say how this script was called."""
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(_without_folder, sys.argv[1:])])


def write_result(name: str, title: str, text: str, table: Sequence[str]) -> None:
    """Write a page with the command, a text and a table, and print the table."""
    today = datetime.datetime.now(datetime.UTC).date()
    page = "\n".join([f"# {title}", "", f"`{command_line()}`, {today}.", "", text, "", *table, ""])
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / name).write_text(page, encoding="utf-8")
    sys.stdout.write(page)


def _without_folder(argument: str) -> str:
    """Show where a path led by its last name alone: the rest is of one machine."""
    return f"…/{Path(argument).name}" if "/" in argument else argument
