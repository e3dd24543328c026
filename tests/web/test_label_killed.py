"""Many annotators at once, and a server that is killed again and again: what it acknowledged is there, exactly once."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.embedding.collection import Collection
from lookalike.judgments.store import JudgmentStore

ANNOTATORS = int(os.environ.get("LOOKALIKE_TEST_ANNOTATORS", "20"))
ANSWERS = int(os.environ.get("LOOKALIKE_TEST_ANSWERS", "10"))
"""Of each annotator."""
KILLS = int(os.environ.get("LOOKALIKE_TEST_KILLS", "2"))

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")


class Annotator(threading.Thread):
    """Sends answers until every one is acknowledged: some twice, and again after every failure."""

    def __init__(self, number: int, url: str, images: list[str], acknowledged: set[str]) -> None:
        super().__init__(daemon=True)
        self.person, self.url, self.acknowledged = f"person {number}", url, acknowledged
        rng = random.Random(number)
        self.answers = [self._answer(rng.sample(images, 3), rng) for _ in range(ANSWERS)]
        self.rng = rng

    @staticmethod
    def _answer(images: list[str], rng: random.Random) -> dict[str, Any]:
        reference, a, b = images
        told = {"reference": reference, "a": a, "b": b, "choice": rng.choice("ab"), "response_seconds": rng.random()}
        return {"kind": "judgment", "id": uuid.UUID(int=rng.getrandbits(128)).hex, **told}

    def run(self) -> None:
        left = list(self.answers)
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            while left:
                batch = left[: self.rng.randint(1, 4)]
                try:
                    for _ in range(self.rng.choice((1, 1, 2))):
                        body = {"annotator": self.person, "answers": batch}
                        response = client.post("/api/v1/label/answers", json=body)
                        assert response.status_code == 200, response.text
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                self.acknowledged.update(answer["id"] for answer in batch)
                left = left[len(batch) :]


COMMANDS = {1: ["label", "--no-browser"], 2: ["serve", "--workers", "2"]}


def start(workspace: Path, port: int, workers: int) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "lookalike", *COMMANDS[workers], "--json", "--port", str(port)]
    process = subprocess.Popen([*command, "--workspace", str(workspace)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"].removesuffix("/label")


@pytest.mark.parametrize("workers", COMMANDS)
def test_every_acknowledged_answer_is_there_exactly_once(
    tmp_path: Path, make_photo: Callable[..., Path], workers: int
) -> None:
    for number in range(12):
        make_photo(tmp_path / "photos" / f"{number:02}.jpg", number)
    Collection.create(tmp_path / ".lookalike", tmp_path / "photos").sync()
    store = JudgmentStore(tmp_path / ".lookalike" / "judgments.sqlite")
    images = [f"{number:02}.jpg" for number in range(12)]
    server, url = start(tmp_path / ".lookalike", 0, workers)
    try:
        acknowledged: set[str] = set()
        people = [Annotator(number, url, images, acknowledged) for number in range(ANNOTATORS)]
        for person in people:
            person.start()
        for kill in range(1, KILLS + 1):
            while len(acknowledged) < ANNOTATORS * ANSWERS * kill / (KILLS + 1):
                time.sleep(0.005)
            server.send_signal(signal.SIGKILL)  # its workers end with it, and leave the port
            server.communicate()
            known = acknowledged.copy()
            assert known <= keys(store)
            server, _ = start(tmp_path / ".lookalike", int(url.rpartition(":")[2]), workers)
        for person in people:
            person.join(900)
    finally:
        server.kill()
        server.communicate()
    sent = {answer["id"]: (person.person, answer) for person in people for answer in person.answers}
    assert acknowledged == set(sent) == keys(store)
    stored = store.read(source="")
    assert len(stored) == len(sent) == ANNOTATORS * ANSWERS  # nothing twice
    assert stored.annotator is not None
    said = zip(
        stored.annotator.values().tolist(),
        stored.references.tolist(),
        stored.candidates_a.tolist(),
        stored.candidates_b.tolist(),
        stored.closer_a.tolist(),
        strict=True,
    )
    expected = ((name, one["reference"], one["a"], one["b"], one["choice"] == "a") for name, one in sent.values())
    assert sorted(said) == sorted(expected)


def keys(store: JudgmentStore) -> set[str]:
    """Look into the file itself."""
    from lookalike.judgments.store_file import transact

    return {key for (key,) in transact(store.path, lambda db: db.execute("SELECT key FROM answers").fetchall(), False)}
