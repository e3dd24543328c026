"""What people do to pictures before they meet them again: cropping, recolouring, captions, screenshots and the like."""

from __future__ import annotations

from lookalike.images.edits import overlay, shape, tone  # noqa: F401 they file themselves
from lookalike.images.edits.registry import EDITS, STRENGTHS, Edit, Strength, edited

__all__ = ["EDITS", "STRENGTHS", "Edit", "Strength", "edited"]
