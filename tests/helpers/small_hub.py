"""A hub of one repository on this computer: as much of the protocol as huggingface_hub asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "abcdef0123" * 4
NAME = "someone/small"


class Hub:
    """What the hub has, and what was asked of it.

    Attributes:
        files: Content by name.
        fetched: Names of the files whose content was sent, in order.
        refuse: Status and error code for every answer, as the real hub gives them; None to answer.
        address: Where it listens.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.fetched = files, list[str]()
        self.refuse: tuple[int, str] | None = None
        self.address = ""


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_content=False)

        def do_GET(self) -> None:
            self._answer(with_content=True)

        def _answer(self, with_content: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            if hub.refuse is not None:
                self._send(hub.refuse[0], b"", with_content, {"X-Error-Code": hub.refuse[1]})
            elif path.startswith(f"/api/models/{NAME}"):
                siblings = [{"rfilename": name, "size": len(content)} for name, content in hub.files.items()]
                content = json.dumps({"id": NAME, "sha": COMMIT, "siblings": siblings}).encode()
                self._send(200, content, with_content, {})
            else:
                name = path.removeprefix(f"/{NAME}/resolve/").partition("/")[2]
                self._file(name, with_content)

        def _file(self, name: str, with_content: bool) -> None:
            content = hub.files.get(name)
            if content is None:
                self._send(404, b"", with_content, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
                return
            if with_content:
                hub.fetched.append(name)
            etag = hashlib.sha256(content).hexdigest()
            self._send(200, content, with_content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

        def _send(self, status: int, content: bytes, with_content: bool, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(key, value)
            self.end_headers()
            if with_content:
                self.wfile.write(content)

    return Handler


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    """Serve a repository until the block ends."""
    hub = Hub(files)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) as server:
        server.daemon_threads = False
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
