"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.cli.main import run
from lookalike.images.samples import draw_scenes, simulated_observers, write_samples
from lookalike.jobs.simulate import simulated_judgments
from lookalike.judgments.export import write_csv

Run = Callable[..., tuple[int, str, str]]
CONTEXTS = ("ocean", "city")


@pytest.fixture
def lookalike(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder and return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of two contexts, and answers about them: `known.csv` and `new.csv` have no images in common."""
    folder = tmp_path_factory.mktemp("world")
    scenes = [scene for scene in draw_scenes(240, seed=0) if scene.context in CONTEXTS]
    paths = write_samples(folder / "photos", scenes, size=64)
    by_name = {path.relative_to(folder / "photos").as_posix(): scene for path, scene in zip(paths, scenes, strict=True)}
    people = simulated_observers(2, seed=0, noise=0.03)
    for name, part in (("known", 0), ("new", 1)):
        half = {image: scene for number, (image, scene) in enumerate(sorted(by_name.items())) if number % 2 == part}
        write_csv(simulated_judgments(half, people, questions=120, seed=part), folder / f"{name}.csv")
    return folder
