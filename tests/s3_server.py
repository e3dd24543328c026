"""A local S3 server for tests: ``python s3_server.py PORT TRAP``, moto's, one request after the other.

One after the other, because moto looks whether an object is there and then writes it: between the two, another request
with ``If-None-Match: *`` could do the same, which no server of S3 allows.

While the file TRAP is there, it holds the number of a process: when that asks for the commit of a table, it is killed,
and its request is not carried out.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def main(port: int, trap: Path) -> None:
    # moto is imported here alone: this file is looked at wherever tests are collected.
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    store = DomainDispatcherApplication(create_backend_app)

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if trap.exists() and environ["REQUEST_METHOD"] == "PUT" and "/_versions/" in environ["PATH_INFO"]:
            os.kill(int(trap.read_text()), signal.SIGKILL)
            trap.unlink()
            start("503 Service Unavailable", [("Content-Length", "0")])
            return []
        answer: Iterable[bytes] = store(environ, start)
        return answer

    run_simple("127.0.0.1", port, serve, threaded=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
