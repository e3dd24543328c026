"""The README's commands are typed as written, and its generated parts are up to date."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def session() -> list[tuple[str, list[str]]]:
    """Return the commands of the first session and the lines that the README shows for each."""
    (block,) = re.findall(r"<!-- session -->\n```console\n(.*?)```", README, flags=re.S)
    parts = [part.strip().splitlines() for part in block.split("$ ")[1:]]
    return [(lines[0], lines[1:]) for lines in parts]


def type_command(line: str, folder: Path) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def test_the_first_session_works_as_written(tmp_path: Path) -> None:
    type_command("lookalike demo --search-only --quiet", tmp_path)  # tests/cli does the rest, on fewer photographs
    folder = tmp_path
    for line, shown in session():
        if line.startswith("cd "):
            folder = folder / line.removeprefix("cd ")
        elif line != "lookalike serve":  # runs until it is stopped: tests/web starts it
            lines = type_command(line, folder).strip().splitlines()
            assert len(lines) == len(shown), line
            assert lines[0].strip() == shown[0].strip(), line


def test_the_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_links_inside_the_project_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
