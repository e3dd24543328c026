"""What encoders there are."""

from __future__ import annotations

from pathlib import Path

from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import list_encoders, load_encoder
from lookalike.encoders.spec import EncoderSpec
from lookalike.jobs.compare import default_encoder

__all__ = ["encoder_card", "indexed_encoders", "list_encoders"]


def encoder_card(name: str | None = None, workspace: Path | None = None) -> EncoderSpec:
    """Load an encoder, by default the workspace's, and return its card.

    Examples
    --------
    >>> encoder_card("classic").resize
    'squash'
    """
    return load_encoder(name or default_encoder(workspace)).spec


def indexed_encoders(workspace: Path) -> list[str]:
    """Return the encoders that a workspace was indexed with; none where there is no workspace.

    Examples
    --------
    >>> indexed_encoders(Path("nowhere"))
    []
    """
    held = Workspace(workspace)
    return list(held.config().encoders) if held.exists() else []
