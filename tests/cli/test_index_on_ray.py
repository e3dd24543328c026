"""`lookalike index --on`: places, and clear words where there is no Ray."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--on", "spark"], "spark is no place to run on: use local, ray or ray://HOST:PORT"),
        (["--on", "ray://"], "ray:// is no place to run on"),
        (["--on", "ray://host:port"], "ray://host:port is no place to run on"),
        (["--workers", "2"], "workers and GPUs are counted on a cluster: use --on ray, or leave them out"),
        (["--on", "ray", "--workers", "0"], "workers must be at least 1, not 0"),
        (["--on", "ray", "--gpus", "-1"], "gpus must be 0 or more, not -1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    lookalike: Run, photos: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, out, err = lookalike("index", photos, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / ".lookalike").exists()


def test_ray_that_is_not_installed_is_one_line(lookalike: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = lookalike("index", photos, "--on", "ray", "--quiet")
    assert code == 2
    assert err == "lookalike: --on ray needs Ray, which is not installed: pip install 'lookalike[ray]'\n"


@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'lookalike[ray]'")
def test_a_cluster_that_does_not_answer_is_one_line(lookalike: Run, photos: Path) -> None:
    code, _, err = lookalike("index", photos, "--on", "ray://127.0.0.1:9", "--quiet")
    assert code == 2
    assert err.startswith("lookalike: no Ray cluster answers at ray://127.0.0.1:9 (Connection refused): is `ray start")
    assert err.count("\n") == 1
