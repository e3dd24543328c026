"""Distillation: a student comes to say what its teachers say, and goes on where it was cut off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lookalike.core.errors import EncoderError, InputError  # noqa: E402
from lookalike.core.progress import Progress  # noqa: E402
from lookalike.encoders.export import export_module, export_onnx  # noqa: E402
from lookalike.encoders.onnx import OnnxEncoder, load  # noqa: E402
from lookalike.losses.contrastive import nt_xent, paired_targets  # noqa: E402
from lookalike.losses.distillation import embedding_match, neighbour_match, relation_match  # noqa: E402
from lookalike.training.checkpoints import Checkpoints, changing  # noqa: E402
from lookalike.training.distill_settings import distill_settings  # noqa: E402
from lookalike.training.distillation import Lessons, distil, lesson_loss  # noqa: E402
from lookalike.training.finetune_measures import Preparation  # noqa: E402
from lookalike.training.onward import begin_with, fit_heads  # noqa: E402
from lookalike.training.student import OUTPUTS, Outputs, student_of  # noqa: E402
from lookalike.training.teacher_space import TeacherSpace  # noqa: E402

Make = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")

FAST = {"dim": 6, "hidden": 16, "batch": 16, "learning_rate": 0.02, "epochs": 6, "views": 2}

STILL = {**FAST, "epochs": 1, "learning_rate": 1e-9, "matrix_rate": 1e-9}


class CutError(Exception):
    """Stands for the end of the process."""


def lessons_of(count: int = 40, held: int = 8, copies: int = 0) -> Lessons:
    """Make pictures of one colour each, in three lights; teachers tell the colour. Copies are of another colour."""
    rng = np.random.default_rng(0)
    colours = rng.integers(40, 200, (count, 3))
    said = {}
    for name, dim in (("first", 5), ("second", 3)):
        plain = (colours / 100 @ rng.normal(size=(3, dim))).astype(np.float32)
        space = TeacherSpace.of(plain, 3)
        said[name] = np.stack([space.project(plain)] * 3).astype(np.float16)

    def view(image: int, number: int, mirrored: bool) -> Any:
        if number > 2:
            return np.broadcast_to((255 - colours[image, ::-1]).astype(np.uint8), (32, 32, 3)).copy()
        light = (1.0, 0.8, 1.2)[number]
        return np.broadcast_to((colours[image] * light).clip(0, 255).astype(np.uint8), (32, 32, 3)).copy()

    return Lessons(said, view, np.arange(held, count), np.arange(held), copies)


def taught(encoder: Any, lessons: Lessons, checkpoints: Any = None, on_progress: Any = None, **given: Any) -> Any:
    chosen = distill_settings({**FAST, **given})
    student = student_of(encoder, [one.shape[2] for one in lessons.said.values()], chosen)
    prepare = Preparation(encoder.mean, encoder.std, encoder.device)
    told = {} if on_progress is None else {"on_progress": on_progress}
    return student, distil(student, prepare, lessons, chosen, checkpoints=checkpoints, **told)


def test_a_student_learns_what_teachers_say_of_pictures_it_never_saw(toy: Make) -> None:
    _, done = taught(toy(), lessons_of(), epochs=30)
    assert done.history[-1]["loss"] < 0.5 * done.history[0]["loss"]
    assert done.after.loss < 0.5 * done.before.loss
    assert min(done.after.cosine.values()) > 0.75 > 0.4 > max(done.before.cosine.values())
    assert [one["epoch"] for one in done.history] == list(range(1, 31))


def test_of_a_copy_a_student_says_what_teachers_say_of_the_picture(toy: Make) -> None:
    lessons, encoder = lessons_of(copies=2), toy()
    pictures = lessons.train
    shown = Preparation(encoder.mean, encoder.std, encoder.device)(
        np.stack([lessons.view(row, 3, False) for row in pictures])
    )

    def cosines(lessons: Lessons) -> list[float]:
        student, _ = taught(toy(), lessons, epochs=25, copied=0.7)
        student.eval()
        with torch.inference_mode():
            thought = student(shown)[1]
        said = lessons.rows_of(np.full(len(pictures), lessons.asked), pictures)
        pairs = zip(thought, map(torch.from_numpy, said), strict=True)
        return [1 - float(embedding_match(*pair)) for pair in pairs]

    with_copies, without = cosines(lessons), cosines(lessons_of())
    assert min(with_copies) > max(without) + 0.3


def test_a_training_that_was_cut_off_goes_on_as_if_nothing_had_happened(toy: Make, tmp_path: Path) -> None:
    lessons = lessons_of()
    whole, _ = taught(toy(), lessons)

    def cut(step: Progress) -> None:
        if step.stage == "training" and step.done == 5:
            raise CutError

    with pytest.raises(CutError):
        taught(toy(), lessons, Checkpoints(tmp_path, "t"), cut, checkpoint_minutes=1e-9)
    again, done = taught(toy(), lessons, Checkpoints(tmp_path, "t"))
    assert len(done.history) == 6
    expected = changing(whole)
    assert all(torch.equal(value, expected[name]) for name, value in changing(again).items())


def test_a_training_knows_nothing_of_its_end_until_it_cools_down(toy: Make) -> None:
    lessons = lessons_of()
    short, long = (taught(toy(), lessons, epochs=epochs, warmup=1, cooldown=2)[1].history for epochs in (4, 7))
    assert [one["loss"] for one in short[:2]] == [one["loss"] for one in long[:2]]
    assert short[3]["loss"] != long[3]["loss"]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_loss_is_the_sum_of_its_parts(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    unit = torch.nn.functional.normalize
    vectors, *others = (unit(torch.randn(6, dim, generator=draw, dtype=torch.float64)) for dim in (5, 3, 4, 3, 4))
    thought, said = others[:2], others[2:]
    chosen = distill_settings({"match": 2.0, "relation": 3.0, "neighbours": 0.5, "contrast": 0.25, "temperature": 0.2})
    theirs = (said[0] @ said[0].T + said[1] @ said[1].T) / 2
    targets = paired_targets(3)
    expected = 2 * (embedding_match(thought[0], said[0]) + embedding_match(thought[1], said[1])) / 2
    expected = expected + 3 * relation_match(vectors @ vectors.T, theirs)
    expected = expected + 0.5 * neighbour_match(vectors @ vectors.T, theirs, 0.2)
    without = lesson_loss(vectors, thought, said, chosen)
    assert float(without) == pytest.approx(float(expected), abs=1e-9)
    contrast = nt_xent(vectors, targets, 0.2)
    found = lesson_loss(vectors, thought, said, chosen, targets)
    assert float(found - without) == pytest.approx(0.25 * float(contrast), abs=1e-6)


def test_both_outputs_are_in_the_file(toy: Make, tmp_path: Path) -> None:
    encoder = toy(options="[2,4]")
    student, _ = taught(encoder, lessons_of(), epochs=1)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    parity = export_module(Outputs(student), OUTPUTS, encoder, tmp_path / "net.onnx")
    assert parity.dim == 6
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    student.eval()
    with torch.inference_mode():
        pixels = Preparation(encoder.mean, encoder.std, encoder.device)(pictures)
        vectors, feature = student.embeddings(pixels), student.taps(pixels)
    plain = OnnxEncoder(tmp_path / "net.onnx", "cpu")
    tapped = load(f"{tmp_path / 'net.onnx'}[taps]", None, "cpu")
    np.testing.assert_allclose(plain.forward(pictures), vectors.numpy(), atol=1e-5)
    np.testing.assert_allclose(tapped.forward(pictures), feature.numpy(), atol=1e-5)
    assert (plain.spec.dim, tapped.spec.dim) == (6, 20)
    assert plain.spec.name + "[taps]" == tapped.spec.name
    assert plain.spec.fingerprint != tapped.spec.fingerprint


def test_a_space_keeps_the_cosines_of_centred_features() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(30, 4)) @ rng.normal(size=(4, 9)) + 5).astype(np.float32)
    space = TeacherSpace.of(features, 512)
    assert space.dim == 9
    centred = features - features.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    for kept in (space, TeacherSpace.of(features, 4)):  # there are but four directions
        found = kept.project(features)
        np.testing.assert_allclose(found @ found.T, centred @ centred.T, atol=1e-4)
        assert kept.kept == pytest.approx(1, abs=1e-5)
    assert TeacherSpace.of(features, 2).kept < 1
    with pytest.raises(InputError, match="the same of every picture"):
        TeacherSpace.of(np.ones((5, 3), np.float32), 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"viws": 3}, "views"),
        ({"views": 0}, "views is at least 1"),
        ({"validation": 1.0}, "below 1"),
        ({"learning_rate": 0}, "above 0"),
        ({"match": 0, "relation": 0, "neighbours": 0}, "nothing is learned"),
        ({"keep": "best", "validation": 0.0}, "held out"),
        ({"augmentation": "wild"}, "wild"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        distill_settings(given)


def test_it_begins_where_the_other_ended(toy: Make, tmp_path: Path) -> None:
    lessons, encoder = lessons_of(), toy()
    first, done = taught(encoder, lessons, epochs=30)
    export_module(Outputs(first), OUTPUTS, encoder, tmp_path / "first.onnx")
    chosen, prepare = distill_settings(STILL), Preparation(encoder.mean, encoder.std, encoder.device)
    again = student_of(encoder, [one.shape[2] for one in lessons.said.values()], chosen)
    again.taps.load_state_dict(first.taps.state_dict())
    begin_with(again, tmp_path / "first.onnx")
    fit_heads(again, prepare, lessons)
    marks = distil(again, prepare, lessons, chosen).before
    assert marks is not None
    assert marks.agreement == pytest.approx(done.after.agreement, abs=1e-6)
    assert min(marks.cosine.values()) > min(done.after.cosine.values()) - 0.1 > max(done.before.cosine.values())


def test_what_is_no_such_student_is_refused(toy: Make, tmp_path: Path) -> None:
    encoder, chosen = toy(), distill_settings({**STILL, "dim": 5})
    export_onnx(encoder, tmp_path / "net.onnx")
    student = student_of(encoder, [3], chosen)
    with pytest.raises(EncoderError, match=r"net\.onnx is no exported student"):
        begin_with(student, tmp_path / "net.onnx")
    other = student_of(encoder, [3], distill_settings(STILL))
    export_module(Outputs(other), OUTPUTS, encoder, tmp_path / "other.onnx")
    with pytest.raises(EncoderError, match=r"another global vector: summit\.3\.weight is 6 x 16, not 5 x 16"):
        begin_with(student, tmp_path / "other.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(EncoderError, match="not a network in ONNX"):
        begin_with(student, tmp_path / "text.onnx")
