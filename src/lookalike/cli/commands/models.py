"""``lookalike models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lookalike.cli.console import Console
from lookalike.cli.options import DEFAULT_WORKSPACE, JsonOption, QuietOption, WorkspaceOption

if TYPE_CHECKING:
    from rich.console import Console as RichConsole


def models(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE, json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """List the trained models of the workspace: what they learned from, and what they came to on answers held out."""
    from lookalike.jobs.models import list_models

    found = list_models(workspace)
    rows = [
        {
            "name": name,
            "model": card["model"],
            **{key: value for key, value in card["about"].items() if key != "history"},
        }
        for name, card in found.items()
    ]
    Console(json, quiet).result({"models": rows}, lambda screen: _show(screen, rows))


def _show(screen: RichConsole, rows: list[dict[str, Any]]) -> None:
    from lookalike.jobs.leaderboard import short_name

    if not rows:
        screen.print("no models yet: lookalike train adaptation --name NAME makes one", markup=False)
    for row in rows:
        learned = f", from {row['examples']:,} {row['learned_from']}" if "examples" in row else ""
        screen.print(f"[bold]{row['name']}[/]  {_kind(row)}{learned}")
        screen.print(f"  {_measured(row.get('measured'), row.get('held_out'))}")
        for encoder in row.get("encoders", ()):
            screen.print(f"  features of {short_name(encoder)}", markup=False, soft_wrap=True)


def _kind(row: dict[str, Any]) -> str:
    if "fine_tuned" in row:
        return f"fine-tuned network ({row['settings']['depth']})"
    if "distilled" in row:
        count = len(row["teachers"])
        return f"distilled network ({count} teacher{'s' if count > 1 else ''})"
    form = row.get("settings", {}).get("form")
    return f"{row['model']}: {form}" if form else str(row["model"])


def _measured(measured: dict[str, Any] | None, marks: dict[str, Any] | None) -> str:
    """Write the first measure of the model, and of its features or its best member; of a student, its marks."""
    if marks is not None:
        cosine = sum(marks["cosine"].values()) / len(marks["cosine"])
        return f"held out: cosine with its teachers {cosine:.2f}, nearest 10 shared with them {marks['agreement']:.0%}"
    if measured is None:
        return "not measured"
    name = next(iter(measured["model"]))
    ours = measured["model"][name]
    interval = "" if ours["low"] is None else f" ({ours['low']:.1%} to {ours['high']:.1%})"
    if "members" in measured:
        best = max(measured["members"], key=lambda member: measured["members"][member]["value"])
        beside = f"its best member, {best}, {measured['members'][best]['value']:.1%}"
    else:
        beside = f"features as they are {measured['plain'][name]['value']:.1%}"
    return f"held out: {name} {ours['value']:.1%}{interval}; {beside}"
