"""How often models agree with people, while they answer: what counts, for whom, and from what is at hand alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.feature_cache import known_features, unit_features
from lookalike.embedding.feature_sets import FeatureSet, fingerprint
from lookalike.ensembles.saving import save_ensemble
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.jobs import labelling_accuracy
from lookalike.jobs.known_features import KnownFeatures
from lookalike.jobs.labelling_accuracy import LiveAccuracy, Standings
from lookalike.judgments.answer import Answer
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.saving import save_model

ENCODERS = {"encoders": ["compact"]}
TRIPLETS = [(r, a, b) for r, (a, b) in product(range(8), combinations(range(8), 2)) if r not in (a, b)]
QUESTIONS = np.random.default_rng(0).permutation(TRIPLETS).tolist()


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling_accuracy, "SHARE", float("inf"))
    monkeypatch.setattr(labelling_accuracy, "REST_SECONDS", 0.0)


@pytest.fixture
def collection(tmp_path: Path, make_photo: Callable[..., Path]) -> Collection:
    for number in range(8):
        make_photo(tmp_path / "photos" / f"{number}.jpg", number)
    collection = Collection.create(tmp_path / ".lookalike", tmp_path / "photos")
    collection.sync()
    return collection


def store_of(collection: Collection) -> JudgmentStore:
    return JudgmentStore(collection.workspace.judgments_file)


def answered(collection: Collection, *rows: tuple[str, str], first: int = 0) -> Judgments:
    """Store answers about questions that nobody had: (annotator, choice) each; return all of them."""
    for number, (annotator, choice) in enumerate(rows, first):
        r, a, b = QUESTIONS[number]
        answer = Answer(f"{r}.jpg", f"{a}.jpg", f"{b}.jpg", choice, annotator=annotator)  # type: ignore[arg-type]
        store_of(collection).add(answer, key=f"answer {number}")
    return store_of(collection).read()


def settled(live: LiveAccuracy, annotator: str, eventually: Callable[..., bool]) -> Standings:
    assert eventually(lambda: live.of(annotator).up_to_date, 20)
    return live.of(annotator)


def says_a(collection: Collection, answers: Judgments) -> list[bool]:
    """What the encoder's own vectors say."""
    features = unit_features(collection.workspace, load_encoder("compact"), files(collection, answers))
    a, b = IdentityModel().fit(answers, features).distances(answers, features)
    return (a < b).tolist()


def files(collection: Collection, answers: Judgments) -> dict[str, Path]:
    return {image: collection.root / image for image in answers.ids.tolist()}


def keep(collection: Collection, name: str, asked: Judgments) -> None:
    """Keep a model that was fitted on some answers."""
    features = unit_features(collection.workspace, load_encoder("compact"), files(collection, asked))
    about = ENCODERS | {"fingerprint": fingerprint(FeatureSet("", ("compact",)))}
    model = IdentityModel().fit(asked, features)
    save_model(model, collection.workspace.models_folder / name, about)
    save_ensemble(VoteEnsemble([model]).fit(asked, features), collection.workspace.models_folder / f"all-{name}", about)


def test_agreement_with_one_person_and_with_all(collection: Collection, eventually: Callable[..., bool]) -> None:
    answers = answered(collection, *[("ann", "a")] * 12, *[("bob", "b")] * 9)
    live = LiveAccuracy(collection.workspace, store_of(collection))
    assert live.of("ann") == Standings()  # at once, whatever there is
    found = settled(live, "ann", eventually)
    assert (found.own, found.everyone) == (12, 21)
    [compact] = found.models
    said = says_a(collection, answers)
    right = [one == chose for one, chose in zip(said, answers.closer_a.tolist(), strict=True)]
    assert (compact.choice.name, compact.choice.kind) == ("compact", "encoder")
    assert (compact.own.value, compact.own.n) == (pytest.approx(np.mean(right[:12])), 12)
    assert (compact.everyone.value, compact.everyone.n) == (pytest.approx(np.mean(right)), 21)
    assert compact.everyone.low <= compact.everyone.value <= compact.everyone.high
    assert settled(live, "bob", eventually).models[0].own.n == 9
    assert settled(live, "nobody", eventually).models[0].own.n == 0


def test_new_answers_and_answers_taken_back_show(collection: Collection, eventually: Callable[..., bool]) -> None:
    answered(collection, *[("ann", "a")] * 3)
    live = LiveAccuracy(collection.workspace, store_of(collection))
    assert settled(live, "ann", eventually).own == 3
    answered(collection, ("ann", "b"), first=3)
    assert not live.of("ann").up_to_date
    assert settled(live, "ann", eventually).own == 4
    store_of(collection).undo("answer 0", annotator="ann")
    assert settled(live, "ann", eventually).models[0].own.n == 3


def test_what_a_model_was_fitted_on_does_not_count_for_it(
    collection: Collection, eventually: Callable[..., bool]
) -> None:
    learned = answered(collection, *[("ann", "a")] * 5)
    keep(collection, "taste", learned)
    live = LiveAccuracy(collection.workspace, store_of(collection))
    before = {one.choice.name: one for one in settled(live, "ann", eventually).models}
    assert {name: (one.own.n, one.told) for name, one in before.items()} == {
        "compact": (5, 0),
        "taste": (0, 5),
        "all-taste": (0, 5),
    }
    answered(collection, *[("bob", "a")] * 4, first=5)
    after = {one.choice.name: one for one in settled(live, "ann", eventually).models}
    assert [after[name].everyone.n for name in ("compact", "taste", "all-taste")] == [9, 4, 4]
    keep(collection, "taste", store_of(collection).read())  # trained anew, on all
    assert settled(live, "ann", eventually).models[0].choice.name == "compact"
    assert {one.everyone.n for one in settled(live, "ann", eventually).models[1:]} == {0}


def test_nothing_is_encoded_and_what_is_not_at_hand_is_said(
    collection: Collection, eventually: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = answered(collection, *[("ann", "a")] * 6)
    hashes = pytest.importorskip("imagehash") and load_encoder("hash:phash")
    few = {image: path for image, path in files(collection, answers).items() if image != str(answers.ids[0])}
    unit_features(collection.workspace, hashes, few)
    about = {"encoders": ["hash:phash"], "fingerprint": fingerprint(FeatureSet("", ("hash:phash",)))}
    save_model(IdentityModel.of(hashes.dim), collection.workspace.models_folder / "hashed", about)
    stale = about | {"fingerprint": "another"}
    save_model(IdentityModel.of(hashes.dim), collection.workspace.models_folder / "stale", stale)

    def refuse(*_: object) -> None:
        raise AssertionError("a picture was encoded")

    monkeypatch.setattr(Encoder, "forward", refuse)
    found = settled(LiveAccuracy(collection.workspace, store_of(collection)), "ann", eventually)
    hashed, stale_one = (next(one for one in found.models if one.choice.name == name) for name in ("hashed", "stale"))
    without = sum(answers.ids[0] not in images for images in zip(*_columns(answers), strict=True))
    assert 0 < without < 6
    assert (hashed.everyone.n, hashed.unknown) == (without, 6 - without)
    assert (stale_one.everyone.n, stale_one.unknown) == (0, 0)
    assert "other features" in stale_one.trouble
    assert found.models[-1] is stale_one


def _columns(answers: Judgments) -> list[list[str]]:
    return [side.tolist() for side in (answers.references, answers.candidates_a, answers.candidates_b)]


def test_known_features_are_those_that_models_are_trained_on(collection: Collection) -> None:
    workspace, compact = collection.workspace, load_encoder("compact")
    images = {f"{number}.jpg": collection.root / f"{number}.jpg" for number in range(8)}
    known = KnownFeatures(workspace).of(["compact"], [*images, "gone.jpg"])  # of the collection's table
    whole = unit_features(workspace, compact, images)
    assert known.ids.tolist() == list(images)
    np.testing.assert_allclose(known.vectors, whole.vectors, atol=1e-6)
    assert len(known_features(workspace, compact.spec, images)) == 8
    (collection.root / "3.jpg").write_bytes((collection.root / "4.jpg").read_bytes())
    changed = known_features(workspace, compact.spec, images)
    assert "3.jpg" not in changed.ids
    assert len(changed) == 7
