"""Rendered photos with known factors, and simulated people who compare them.

The demo runs on them offline, and tests use their factors as the truth that a model should find.
"""

from __future__ import annotations

from lookalike.images.samples.observers import Observer, simulated_observers
from lookalike.images.samples.render import render, render_photo
from lookalike.images.samples.scene import CONTEXTS, FACTORS, Scene, draw_scenes
from lookalike.images.samples.write import SCENES_FILE, read_scenes, write_samples

__all__ = [
    "CONTEXTS",
    "FACTORS",
    "SCENES_FILE",
    "Observer",
    "Scene",
    "draw_scenes",
    "read_scenes",
    "render",
    "render_photo",
    "simulated_observers",
    "write_samples",
]
