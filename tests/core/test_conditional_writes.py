"""A server that does not know conditional writes is found out before anything is lost."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lookalike.core.conditional_writes import ONE_WRITER, require_conditional_writes, signed_headers
from lookalike.core.errors import StorageError


class Server(ThreadingHTTPServer):
    """Keeps the names of what was written to it; `knows` is the status for what was there already."""

    knows = 412
    written: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.answer(403)

    def do_PUT(self) -> None:
        assert self.headers["If-None-Match"] == "*"
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=the-key/")
        there = self.path in self.server.written
        self.server.written.append(self.path)
        self.answer(self.server.knows if there or self.server.knows in (403, 501) else 200)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", ONE_WRITER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.written = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{running.server_port}")
        yield running
        running.shutdown()


def test_a_server_that_knows_them_is_asked_once(server: Server) -> None:
    for _ in range(2):
        require_conditional_writes("s3://bucket/known")
    assert server.written == ["/bucket/known/_lookalike_conditional_write"] * 2
    require_conditional_writes("s3://bucket/other")
    assert len(server.written) == 4


@pytest.mark.parametrize("status", [200, 501])
def test_a_server_that_passes_over_the_header_is_refused_unless_nobody_else_writes(
    server: Server, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.knows = status
    for _ in range(2):
        with pytest.raises(
            StorageError, match=r"cannot write to s3://bucket/shop: http://.* set LOOKALIKE_ONE_WRITER=1"
        ):
            require_conditional_writes("s3://bucket/shop")
    monkeypatch.setenv(ONE_WRITER, "1")
    asked = len(server.written)
    require_conditional_writes("s3://bucket/shop")
    assert len(server.written) == asked


def test_a_server_without_a_clear_answer_speaks_for_itself_later(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.knows = 403
    require_conditional_writes("s3://bucket/forbidden")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")  # then the key comes from elsewhere, such as the role of a machine
    require_conditional_writes("s3://bucket/role")
    assert len(server.written) == 1


def test_a_signature_is_the_one_that_amazon_publishes() -> None:
    """The example "PUT Object" of Amazon's reference."""
    signed = signed_headers(
        "PUT",
        "https://examplebucket.s3.amazonaws.com/test%24file.text",
        {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        b"Welcome to Amazon S3.",
        ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        "us-east-1",
        datetime(2013, 5, 24, tzinfo=UTC),
    )
    assert signed["authorization"].endswith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
