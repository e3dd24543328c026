import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lookalike.core.errors import WorkspaceError
from lookalike.core.workspace import Workspace, WorkspaceConfig


def test_a_workspace_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="lookalike index PHOTOS"):
        Workspace(tmp_path).config()


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 99, "root": "", "encoder": ""}'])
def test_a_damaged_configuration_is_one_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "workspace.json").write_text(content)
    with pytest.raises(WorkspaceError):
        Workspace(tmp_path).config()


def test_the_configuration_comes_back(tmp_path: Path) -> None:
    config = WorkspaceConfig(root="/photos/é", encoder="onnx:net.onnx")
    Workspace(tmp_path / "new").configure(config)
    assert Workspace(tmp_path / "new").config() == config


def test_one_process_writes_at_a_time_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    holder = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from lookalike.core.workspace import Workspace
        with Workspace(Path({str(tmp_path)!r})).lock():
            print("held", flush=True)
            time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(WorkspaceError, match="another lookalike"), Workspace(tmp_path).lock():
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    with Workspace(tmp_path).lock():
        assert (tmp_path / "write.lock").exists()
