"""A client of `lookalike serve`: what a program asks of a server on another machine.

It loads nothing but NumPy and the standard library, so that a program which only asks needs no more than that.
"""

from __future__ import annotations

from lookalike.client.client import Client as Client
from lookalike.client.client import Comparison as Comparison
from lookalike.client.client import Found as Found
from lookalike.client.client import Picture as Picture

__all__ = ["Client", "Comparison", "Found", "Picture"]
