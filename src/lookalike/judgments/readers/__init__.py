"""Readers of judgments and pairs, one file per data set; each registers itself by name."""

from lookalike.judgments.readers.read import (
    PairReading,
    Reading,
    formats,
    read_judgments,
    read_pairs,
    read_pairs_with_problems,
    read_with_problems,
)

__all__ = [
    "PairReading",
    "Reading",
    "formats",
    "read_judgments",
    "read_pairs",
    "read_pairs_with_problems",
    "read_with_problems",
]
