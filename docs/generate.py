"""Write the parts of the docs that repeat the code, or check that they still do.

``python docs/generate.py`` writes them; with ``--check`` it names the files that differ and exits with 1.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from lookalike.cli.main import app

DOCS = Path(__file__).parent
ROOT = DOCS.parent


def commands(group: Any, name: str = "") -> Iterator[str]:
    """Yield the names of all commands, groups of them in the order in which they are registered."""
    for own, command in group.commands.items():
        full = f"{name} {own}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, full)
        else:
            yield full


def command_help(command: str) -> str:
    """Return what ``lookalike COMMAND --help`` prints, 100 columns wide."""
    environment = {
        **os.environ,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "_TYPER_FORCE_DISABLE_TERMINAL": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "lookalike", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()


def commands_page(_: str) -> str:
    """Write the reference of the command line."""
    parts = ["# The command line", "", "Made by `make docs` from the commands themselves.", ""]
    for command in ("", *commands(typer.main.get_command(app))):
        title = f"lookalike {command}".strip()
        parts += [f"## {title}", "", "```text", command_help(command), "```", ""]
    return "\n".join(parts)


def tree(readme: str) -> str:
    """Write the tree of folders into the README, with the first line of each package's docstring."""
    lines = []
    for folder in sorted((ROOT / "src/lookalike").iterdir()):
        package = folder / "__init__.py"
        if package.is_file():
            phrase = (ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or "").splitlines()[0]
            lines.append(f"  {folder.name + '/':14}{phrase}")
    block = "\n".join(["src/lookalike/", *lines])
    return re.sub(r"(<!-- tree -->\n```text\n).*?(\n```)", lambda m: m[1] + block + m[2], readme, flags=re.S)


PAGES: dict[str, Callable[[str], str]] = {"docs/commands.md": commands_page, "README.md": tree}


def main() -> int:
    """Write or check every page."""
    checking = "--check" in sys.argv[1:]
    stale = []
    for name, make in PAGES.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = make(before)
        if after != before:
            stale.append(name)
            if not checking:
                path.write_text(after, encoding="utf-8")
    if stale and checking:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
