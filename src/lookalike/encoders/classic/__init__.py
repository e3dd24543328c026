"""The hand-crafted encoder: colour, layout, texture and edges, without weights, without learning."""

from lookalike.encoders.classic.encoder import ClassicEncoder

__all__ = ["ClassicEncoder"]
