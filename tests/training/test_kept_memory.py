"""Memory stays with the process within, and goes back to the system afterwards."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from lookalike.training import kept_memory as module

PROGRAM = """
import ctypes, numpy as np
from lookalike.training.kept_memory import kept_memory

def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def use():
    np.ones(2**23)  # 64 MiB

use()
before = held()
with kept_memory():
    use()
    within = held()
after = held()
print(within - before > 2**25, after - before < 2**24)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_memory_stays_within_and_goes_back_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_glibc", lambda: None)
    with module.kept_memory():
        pass
