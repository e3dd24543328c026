"""Options that several of the commands below ``lookalike train`` take, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.core.errors import InputError

__all__ = [
    "AugmentationOption",
    "DeviceOption",
    "EncodersOption",
    "FeaturesOption",
    "HeldOutFoldsOption",
    "ImagesOption",
    "ModeOption",
    "NameOption",
    "NoMeasureOption",
    "PairsOption",
    "PhotosArgument",
    "PlotOption",
    "PresetAugmentationOption",
    "PresetModeOption",
    "ReplaceOption",
    "ResumeOption",
    "SaveWeightsOption",
    "SeedOption",
    "SetOption",
    "ShowViewsOption",
    "StartAnewOption",
    "TensorboardOption",
    "ViewsOption",
    "WeightsOption",
    "folds_to_hold_out",
]

# What is learned from.
PhotosArgument = Annotated[
    Path | None, typer.Argument(metavar="PHOTOS", help="A folder of photographs, read with all its folders.")
]
PairsOption = Annotated[
    Path | None, typer.Option("--pairs", metavar="PATH", help="Pairs of pictures that show the same thing.")
]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Where the images of the pairs are; by default, among PHOTOS."),
]
ViewsOption = Annotated[int, typer.Option("--views", min=0, help="Views of each image; 0 for the pairs alone.")]
_AUGMENTATION = typer.Option(
    "--augmentation", metavar="VIEWS", help="What views look like: corrected, mild, published, copies, or a FILE.json."
)
AugmentationOption = Annotated[str, _AUGMENTATION]
PresetAugmentationOption = Annotated[str | None, _AUGMENTATION]
ShowViewsOption = Annotated[
    Path | None,
    typer.Option("--show-views", metavar="FILE", help="Also draw some images and views of them: .png, .jpg, .webp."),
]
EncodersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="What makes the features; repeat it to put several side by side. By default the workspace's.",
    ),
]
FeaturesOption = Annotated[
    str | None,
    typer.Option("--features", metavar="NAME", help="A set of `lookalike features define`, instead of --encoder."),
]

# How it is learned.
_MODE = typer.Option("--mode", metavar="MODE", help="corrected, or published: as the source of the method does it.")
ModeOption = Annotated[str, _MODE]
PresetModeOption = Annotated[str | None, _MODE]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other parameter, such as epochs=20; may be repeated."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of all that is drawn: training, views, what is held out.")]
NoMeasureOption = Annotated[bool, typer.Option("--no-measure", help="Hold nothing out to measure on.")]

# How whole networks are trained.
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", metavar="PATH", help="A local file of the network's weights.")
]
HeldOutFoldsOption = Annotated[
    int | None,
    typer.Option("--folds", min=2, help="One of so many folds is held out, to measure on it; 5 by default."),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or mps.")]
SaveWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--save-weights",
        metavar="FILE",
        help="Also write the network's weights as .safetensors, to go on from them with --weights.",
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")]
StartAnewOption = Annotated[
    bool,
    typer.Option("--replace", help="Put the model in the place of one of that name; without --resume, begin anew."),
]

# What comes out.
NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="Of the model.")]
TensorboardOption = Annotated[
    Path | None, typer.Option("--tensorboard", metavar="DIR", help="Also log the training for TensorBoard.")
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the losses: .png, .svg or .pdf.")
]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Put the model in the place of one of that name.")]


def folds_to_hold_out(no_measure: bool, folds: int | None) -> int:
    """Return how many folds there are, one of which is held out; 0 for none.

    Raises
    ------
    InputError
        A number is given, and nothing is to be measured.

    Examples
    --------
    >>> folds_to_hold_out(False, None), folds_to_hold_out(True, None)
    (5, 0)
    """
    if no_measure and folds is not None:
        raise InputError("--folds says how to measure: leave it out with --no-measure")
    return 0 if no_measure else folds or 5
