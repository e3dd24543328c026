"""The entry point: commands by name, and errors as one line with an exit code.

Exit codes: 0 done; 1 done, but some inputs were rejected; 2 wrong usage or bad input; 3 an error of ours;
130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from lookalike.cli.commands import (
    classify,
    combine,
    compare,
    demo,
    distill,
    duplicates,
    encoders,
    evaluate,
    features,
    finetune,
    finetune_matching,
    import_,
    index,
    judgments,
    keys,
    label,
    match,
    models,
    report,
    reproduce,
    reproduce_matching,
    search,
    serve,
    train,
    train_context,
    train_contrastive,
    train_quantizer,
)
from lookalike.core.errors import LookalikeError
from lookalike.core.version import __version__

__all__ = ["app", "main"]

INTERRUPTED = 130  # what shells give for Ctrl-C

app = typer.Typer(
    name="lookalike",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(index.index)
app.command()(search.search)
app.command()(compare.compare)
app.command()(duplicates.duplicates)
app.command()(match.match)
app.command()(classify.classify)
app.command("import")(import_.import_)
app.command()(evaluate.evaluate)
app.command()(combine.combine)
app.command()(report.report)
app.command()(models.models)
app.command()(label.label)
app.command()(serve.serve)
train.app.command("context")(train_context.context)
train.app.command("global")(train_context.global_)
train.app.command("finetune")(finetune.finetune)
train.app.command("contrastive")(train_contrastive.contrastive)
train.app.command("classifier")(classify.classifier)
train.app.command("quantizer")(train_quantizer.quantizer)
train.app.command("matcher")(finetune_matching.matcher)
train.app.command("distill")(distill.distill)
app.add_typer(train.app, name="train")
reproduce.app.command("matching")(reproduce_matching.matching)
app.add_typer(reproduce.app, name="reproduce")
app.add_typer(judgments.app, name="judgments")
app.add_typer(keys.app, name="keys")
app.add_typer(encoders.app, name="encoders")
app.add_typer(features.app, name="features")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"lookalike {__version__}\n")
        raise typer.Exit


@app.callback()
def lookalike(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Learn what looks alike means to the people who use it, and search images with it."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown by its code, not as an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors become one line on standard error.

    Set ``LOOKALIKE_DEBUG=1`` to see the traceback of an error of ours.
    """
    try:
        code = app(arguments, prog_name="lookalike", standalone_mode=False) or 0
        return _interrupted() if code == INTERRUPTED else int(code)
    except LookalikeError as error:
        return _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            error.show()
            return int(error.exit_code)
        if os.environ.get("LOOKALIKE_DEBUG"):
            raise
        kind = type(error).__name__
        return _fail(f"internal error: {kind}: {error} (LOOKALIKE_DEBUG=1 shows where; please report it)", 3)


def _interrupted() -> int:
    return _fail("interrupted; what was written stays, and the next run goes on from there", INTERRUPTED)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"lookalike: {' '.join(message.split())}\n")
    return code
