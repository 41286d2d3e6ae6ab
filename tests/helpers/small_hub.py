"""A hub of one repository on this computer: as much of the protocol as huggingface_hub asks for."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "abcdef0123" * 4
NAME = "someone/small"
PIECE_BYTES = 4096


class Hub:
    """What the hub has, and what was asked of it.

    Attributes:
        files: Content by name.
        fetched: Names of the files whose content was sent, in order.
        sent: Bytes of content that were sent of each of those.
        breaks: After so many bytes of a file's content the connection ends, once for each number; the first first.
        pause: Content goes no further than `pause_after` bytes of a file while this is clear.
        pause_after: See there.
        knows_parts: Whether it answers to ranges.
        asked: Called with the name of a file before its content is sent.
        commit: That its main branch is at.
        refuse: Status and error code for every answer, as the real hub gives them; None to answer.
        address: Where it listens.
        elsewhere: Another hub's address, where it sends those who want a large file, as the real one does.
        asked_for: Path of each request, in order.
        tokens: What was sent to it to know the person, with each file that was asked for.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.fetched = files, list[str]()
        self.sent: list[int] = []
        self.breaks: list[int] = []
        self.pause, self.pause_after = threading.Event(), 0
        self.pause.set()
        self.knows_parts, self.commit = True, COMMIT
        self.asked: Callable[[str], object] = lambda _: None
        self.refuse: tuple[int, str] | None = None
        self.address = self.elsewhere = ""
        self.tokens: list[str | None] = []
        self.asked_for: list[str] = []


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sibling(name: str, content: bytes) -> dict[str, object]:
    about: dict[str, object] = {"rfilename": name, "size": len(content)}
    if name.endswith(".safetensors"):
        about["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
    return about


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
            hub.asked_for.append(path)
            if hub.refuse is not None:
                self._send(hub.refuse[0], b"", with_content, {"X-Error-Code": hub.refuse[1]})
            elif path.startswith(f"/api/models/{NAME}"):
                siblings = [_sibling(name, content) for name, content in hub.files.items()]
                content = json.dumps({"id": NAME, "sha": hub.commit, "siblings": siblings}).encode()
                self._send(200, content, with_content, {})
            else:
                name = path.removeprefix(f"/{NAME}/resolve/").partition("/")[2]
                self._file(name, with_content)

        def _file(self, name: str, with_content: bool) -> None:
            content = hub.files.get(name)
            if content is None:
                self._send(404, b"", with_content, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": hub.commit})
                return
            hub.tokens.append(self.headers["Authorization"])
            tag = f'"{hashlib.sha256(content).hexdigest()}"'
            if hub.elsewhere and name.endswith(".safetensors"):
                about = {"X-Linked-Etag": tag, "X-Linked-Size": str(len(content)), "X-Repo-Commit": hub.commit}
                self._send(302, b"", with_content, about | {"Location": hub.elsewhere + self.path})
                return
            if with_content:
                hub.fetched.append(name)
                hub.asked(name)
            headers = {"ETag": tag, "X-Repo-Commit": hub.commit}
            start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            if start and hub.knows_parts:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self._send(206, content[start:], with_content, headers)
            else:
                self._send(200, content, with_content, headers)

        def _send(self, status: int, content: bytes, with_content: bool, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(key, value)
            self.end_headers()
            if with_content and status in (200, 206) and "ETag" in headers:
                self._send_slowly(content)
            elif with_content:
                self.wfile.write(content)

        def _send_slowly(self, content: bytes) -> None:
            """Send a file's content, with the breaks and pauses that a test asks for."""
            end = hub.breaks.pop(0) if hub.breaks else len(content)
            hub.sent.append(0)
            for first in range(0, end, PIECE_BYTES):
                if first >= hub.pause_after:
                    hub.pause.wait()
                piece = content[first : min(end, first + PIECE_BYTES)]
                try:
                    self.wfile.write(piece)
                except ConnectionError:  # whoever asked has gone
                    self.close_connection = True
                    return
                if hub.sent:  # a test may forget them meanwhile
                    hub.sent[-1] += len(piece)
            if end < len(content):
                self.close_connection = True

    return Handler


def make_usual(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it the hub, and a folder the cache, as HF_ENDPOINT and HF_HOME would; it may be asked."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


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
            hub.pause.set()
            server.shutdown()
            thread.join()


def count_connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Addresses that this process tries to reach or to look up from now on; it reaches none."""
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments[-1] if len(arguments) == 2 else arguments[0])
        raise OSError(101, "Network is unreachable")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried
