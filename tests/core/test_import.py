"""What `import lookalike` loads, and that its public names are all there."""

import subprocess
import sys

import lookalike

HEAVY = ("torch", "lancedb", "pyarrow", "faiss", "sklearn", "matplotlib", "numpy", "PIL", "cv2", "onnxruntime")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in out.stdout.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import lookalike").isdisjoint(HEAVY)


def test_comparing_loads_neither_the_table_nor_the_index() -> None:
    statement = "import lookalike.jobs.compare, lookalike.cli.main"
    assert loaded_after(statement).isdisjoint({"torch", "lancedb", "pyarrow", "faiss", "sklearn", "matplotlib"})


def test_every_public_name_is_there() -> None:
    assert lookalike.__all__ == sorted(lookalike.__all__)
    for name in lookalike.__all__:
        assert getattr(lookalike, name).__name__ == name
    assert set(lookalike.__all__) <= set(dir(lookalike))
