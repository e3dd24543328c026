"""Addresses, and what is said of a store that does not answer as it should; no server of S3 is needed."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lookalike.core.errors import InputError, LookalikeError, StorageError
from lookalike.core.file_store import FileStore
from lookalike.core.object_store import address_of, connect, endpoint, local_half, storage
from lookalike.core.workspace import Workspace, WorkspaceConfig
from lookalike.images.sources.ahead import read_part
from lookalike.images.sources.base import Part

KEY, SECRET = "AKIAOFTESTS", "secret-of-tests"


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with one error."""

    protocol_version = "HTTP/1.1"
    code = ""

    def do_GET(self) -> None:
        # Some servers repeat the key, and what was signed with it.
        self.answer(f"<Error><Code>{self.code}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>".encode())

    def do_HEAD(self) -> None:
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(500 if self.code == "InternalError" else 403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "data"))


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url
        server.shutdown()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("s3://bucket/some/prefix", "s3://bucket/some/prefix"),
        ("S3://bucket/", "s3://bucket"),
        (Path("s3://my.bucket/x"), "s3://my.bucket/x"),
        (Path("/photos/s3/x"), None),
        (r"C:\photos", None),
        ("C:/photos", None),
    ],
)
def test_addresses_are_told_from_folders(given: str | Path, address: str | None) -> None:
    assert address_of(given) == address


@pytest.mark.parametrize(
    "given",
    ["s3://", "s3://key:secret@bucket/x", "s3://b/x?y", "s3://b/a b", "s3://b/../c", "s3://b/x//y", "s3://b/%2e"],
)
def test_what_is_no_address_is_refused_without_being_repeated(given: str) -> None:
    with pytest.raises(InputError, match="an address is s3://bucket/prefix") as refused:
        address_of(given)
    assert "secret" not in str(refused.value)


def test_other_stores_are_refused() -> None:
    with pytest.raises(InputError, match="gs:// cannot be used"):
        Workspace("gs://bucket/x")


def test_every_server_and_address_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://one:9000")
    first, second = local_half("s3://bucket/x"), local_half("s3://bucket/y")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://two:9000/")
    assert len({first, second, local_half("s3://bucket/x")}) == 3
    assert first.is_relative_to(tmp_path / "data")
    workspace = Workspace(Path("s3://bucket/x/"))
    assert (workspace.place, workspace.collection_uri) == ("s3://bucket/x", "s3://bucket/x")
    assert workspace.models_folder == local_half("s3://bucket/x") / "models"


@pytest.mark.parametrize("value", ["nowhere", "ftp://x", "http://key:secret@server", "http://a b"])
def test_an_endpoint_that_is_none_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", value)
    with pytest.raises(InputError, match="AWS_ENDPOINT_URL is not") as refused:
        endpoint()
    assert value not in str(refused.value)


REFUSALS = pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidAccessKeyId", "refuses the key: check AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "refuses the key: check AWS_ACCESS_KEY_ID"),
        ("AccessDenied", "does not allow this to the key"),
        ("InternalError", "is overloaded or out of order"),
    ],
)


@REFUSALS
def test_photographs_are_refused_in_the_same_words(
    refusing: str, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    monkeypatch.setattr(Refusing, "code", code)
    store = FileStore("s3://bucket/x")
    for doing, ask in (
        ("cannot list s3://bucket/x", store.files),
        ("cannot look for s3://bucket/x/a.tar", lambda: store.find("a.tar")),
        ("cannot read s3://bucket/x/a.jpg", lambda: read_part(Part("s3://bucket/x/a.jpg"))),
    ):
        with pytest.raises(StorageError) as refused:
            ask()
        said = str(refused.value)
        assert said.startswith(f"{doing}: {refusing} ")
        # A question for one file is answered without a text.
        assert words in said or (ask != store.files and "does not allow this to the key" in said)
        assert "\n" not in said
        assert KEY not in said
        assert KEY not in str(refused.value.__cause__)


@REFUSALS
def test_a_refusal_is_one_line_without_keys(
    refusing: str, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    monkeypatch.setattr(Refusing, "code", code)
    with pytest.raises(StorageError, match=words) as refused:
        Workspace("s3://bucket/x").config()
    said = str(refused.value)
    assert said.startswith(f"cannot open the collection at s3://bucket/x: {refusing} ")
    assert "\n" not in said
    assert KEY not in said
    assert KEY not in str(refused.value.__cause__)


def test_a_server_that_is_not_there_is_told_of_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:9 cannot be reached, or does not answer"):
        Workspace("s3://bucket/x").config()
    assert time.monotonic() - started < 30


def test_a_server_that_never_answers_is_told_of_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.core.object_store.ANSWER_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(StorageError, match="cannot be reached, or does not answer"):
            Workspace("s3://bucket/x").config()
        assert time.monotonic() - started < 20


def test_http_is_refused_where_the_endpoint_does_not_say_so(refusing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing.replace("http:", "https:"))
    with pytest.raises(StorageError, match="cannot be reached"):
        Workspace("s3://bucket/x").config()


def test_an_error_without_words_of_our_own_shows_no_key() -> None:
    with pytest.raises(StorageError) as refused, storage("cannot read"):
        raise OSError(f"something with {KEY} and {SECRET}\nand more lines")
    assert str(refused.value) == "cannot read: something with <AWS_ACCESS_KEY_ID> and <AWS_SECRET_ACCESS_KEY>"
    assert refused.value.__cause__ is None


def test_a_folder_is_connected_to_as_before(tmp_path: Path) -> None:
    assert connect(str(tmp_path)).list_tables().tables == []


def test_a_read_only_workspace_is_neither_locked_nor_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = WorkspaceConfig("/photos", "classic", ("classic",))
    Workspace(tmp_path / "w").configure(config)
    reading = Workspace(tmp_path / "w", read_only=True)
    assert reading.config() == config
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "1")
    for workspace in (reading, Workspace(tmp_path / "w")):
        with pytest.raises(LookalikeError, match="is open read-only"), workspace.lock():
            pass
        with pytest.raises(LookalikeError, match="is open read-only"):
            workspace.configure(config)
