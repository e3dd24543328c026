"""``lookalike evaluate``: what is evaluated, and that the options fit it; each kind has a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from lookalike.cli.commands.evaluate_edits import (
    DistractorsOption,
    EditOption,
    EditsOption,
    QueriesOption,
    SheetOption,
    StrengthOption,
    evaluate_edits,
)
from lookalike.cli.commands.evaluate_judgments import evaluate_judgments
from lookalike.cli.commands.evaluate_matches import MatchesOption, TargetsOption, TruthOption, evaluate_matches
from lookalike.cli.commands.evaluate_pairs import PairsOption, evaluate_pairs
from lookalike.cli.console import Console
from lookalike.cli.options import (
    DEFAULT_WORKSPACE,
    ContextOption,
    JsonOption,
    OfflineOption,
    PairFormatOption,
    PairImagesOption,
    QuietOption,
    SourceOption,
    WorkspaceOption,
    work_offline,
)
from lookalike.core.errors import InputError

EncodersOption = Annotated[
    list[str] | None,
    typer.Option("--encoder", metavar="NAME", help="An encoder; may be repeated. By default the workspace's."),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="A trained model, beside its features; may be repeated."),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the leaderboard: .png, .svg or .pdf.")
]

JUDGMENTS = ("source", "context")
PAIRS = ("pair_format", "images")
MATCHES = ("truth", "targets")
EDITS = ("distractors", "queries", "strength", "edit", "sheet")


class Kind(NamedTuple):
    """What can be evaluated instead of judgments, told by one option.

    Attributes
    ----------
    option : str
        Asks for it.
    own : tuple of str
        Options that are of no use without it.
    needed : str
        Says so.
    others : tuple of str
        Options that are of no use with it.
    alone : str
        Says so.
    """

    option: str
    own: tuple[str, ...]
    needed: str
    others: tuple[str, ...]
    alone: str


KINDS = (
    Kind(
        "edits",
        EDITS,
        "--distractors, --queries, --strength, --edit and --sheet are for edited copies: give --edits PHOTOS too",
        (*JUDGMENTS, "pairs", *PAIRS, "matches", *MATCHES),
        "--edits makes its own questions: leave out those of judgments, of pairs and of matches",
    ),
    Kind(
        "matches",
        MATCHES,
        "--truth and --targets say which matches are right: give --matches FILE too",
        ("encoder", "model", *JUDGMENTS, "pairs", *PAIRS, "plot"),
        "--matches evaluates a file as it is: of the other options, only --truth goes with it, or --targets",
    ),
    Kind(
        "pairs",
        PAIRS,
        "--pair-format and --images are for pairs: give --pairs PATH too",
        JUDGMENTS,
        "--source and --context choose judgments: leave them out with --pairs",
    ),
)


def evaluate(
    asked: typer.Context,
    encoder: EncodersOption = None,
    model: ModelsOption = None,
    source: SourceOption = None,
    context: ContextOption = None,
    pairs: PairsOption = None,
    pair_format: PairFormatOption = None,
    images: PairImagesOption = None,
    matches: MatchesOption = None,
    truth: TruthOption = None,
    targets: TargetsOption = None,
    edits: EditsOption = None,
    distractors: DistractorsOption = None,
    queries: QueriesOption = None,
    strength: StrengthOption = None,
    edit: EditOption = None,
    sheet: SheetOption = None,
    plot: PlotOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    offline: OfflineOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold encoders and trained models against people's judgments, or against matched pairs.

    One leaderboard: the share of votes that each agrees with, its 95% interval clustered by reference, and how far it
    is behind the best on the same questions; with the ceiling that people's disagreement sets, and chance.

    With --pairs: aR@1, aR@3 and aR@5, the share of pairs of which one image or the other has its partner among its 1,
    3 or 5 nearest.

    With --matches: how many matches of a file are found and right, and how true their probabilities are. Which are
    right says --truth, or with --targets the name of the file.

    With --edits: recall@1, @5 and @15 and mAP of photographs that were edited as people do, weakly to strongly, and are
    searched among all originals; of identical files one counts. By edit and by strength, intervals by photograph.

    Answers about images that a model was fitted on prove nothing about new ones: their share is told.
    """
    _check(asked.params)
    work_offline(offline)
    console, who = Console(json, quiet), (encoder or [], model or [])
    if edits is not None:
        which = strength or [], edit or []
        evaluate_edits(console, workspace, edits, distractors or [], *who, queries, *which, plot, sheet)
    elif matches is not None:
        evaluate_matches(console, matches, truth, targets)
    elif pairs is not None:
        evaluate_pairs(console, workspace, pairs, pair_format, images, *who, plot)
    else:
        evaluate_judgments(console, workspace, *who, source, context, plot)


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options of another kind than the one that is asked for."""
    given = {name for name, value in options.items() if value not in (None, [], ())}
    for kind in KINDS:
        if kind.option in given:
            if given & set(kind.others):
                raise InputError(kind.alone)
            return
        if given & set(kind.own):
            raise InputError(kind.needed)
