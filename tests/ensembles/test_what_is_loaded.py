"""Threads below the lanes, and what loading and using an ensemble imports."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from threadpoolctl import threadpool_info

from lookalike.ensembles.saving import save_ensemble
from lookalike.ensembles.threads import one_thread_each
from lookalike.ensembles.vote import VoteEnsemble

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from ensemble_cases import some_judgments, some_models

from lookalike.ensembles.grid import GridEnsemble


def threads() -> list[int]:
    """Return the threads of the libraries whose limit is that of the process: OpenMP has one for every thread."""
    shared = [one for one in threadpool_info() if one["user_api"] == "blas" and one.get("threading_layer") != "openmp"]
    return [one["num_threads"] for one in shared]


def test_the_limit_ends_with_the_last_fit() -> None:
    """Whichever of two that overlap ends first."""
    import scipy.linalg  # noqa: F401

    before = threads()
    first, second = threading.Event(), threading.Event()

    def other() -> None:
        with one_thread_each():
            first.set()
            second.wait(10)

    thread = threading.Thread(target=other)
    with one_thread_each():
        thread.start()
        assert first.wait(10)
        assert set(threads()) == {1}
    assert set(threads()) == {1}
    second.set()
    thread.join()
    assert threads() == before


def test_a_library_that_is_loaded_later_is_limited_too() -> None:
    code = (
        "from threadpoolctl import threadpool_info\n"
        "from lookalike.ensembles.threads import one_thread_each\n"
        "with one_thread_each():\n"
        "    pass\n"
        "import faiss\n"
        "with one_thread_each():\n"
        "    print(*[one['num_threads'] for one in threadpool_info() if one['user_api'] == 'blas'])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(out.split()) == {"1"}


def test_a_fit_that_fails_lifts_the_limit() -> None:
    judgments, features = some_judgments(count=10)
    before = threads()
    try:
        VoteEnsemble(some_models(judgments, features)).fit(judgments.take(np.arange(0)), features)
    except ValueError:
        assert threads() == before


def test_an_ensemble_is_used_without_what_fits_it(tmp_path: Path) -> None:
    judgments, features = some_judgments(count=30)
    path = save_ensemble(GridEnsemble(some_models(judgments, features)).fit(judgments, features), tmp_path / "all")
    code = (
        "import sys, numpy as np\n"
        "import lookalike\n"
        f"found = lookalike.load_ensemble({str(path)!r})\n"
        "found.query(np.ones((2, 9), np.float32)), found.transform(np.ones((2, 9), np.float32))\n"
        "print(' '.join(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in out.split()}
    assert loaded.isdisjoint({"torch", "sklearn", "scipy", "faiss", "lancedb", "cv2", "PIL"})
