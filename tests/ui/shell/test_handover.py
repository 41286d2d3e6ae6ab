"""A saved run that a second start was given goes to the window that is open."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from pytestqt.qtbot import QtBot

from sculptor_app.exports.saved_run import write_sculpt
from sculptor_app.ui.shell import handover
from sculptor_app.ui.shell.handover import HandoverServer
from tests.helpers.runs import made_run

LONG_MS = 20_000


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    name = f"sculptor-test-{os.getpid()}-{abs(hash(tmp_path)) % 10**6}"
    monkeypatch.setattr(handover, "server_name", lambda: name)
    return name


@pytest.fixture
def server(qapp: object) -> Iterator[HandoverServer]:
    made = HandoverServer(None)
    assert made.listen()
    yield made
    made.close()


@pytest.fixture
def handed_over(qtbot: QtBot, own_name: str) -> Callable[[Path], bool]:
    """Has another process hand a file over, and says what it heard."""
    program = (
        "import sys; from pathlib import Path; from sculptor_app.ui.shell import handover\n"
        "handover.server_name = lambda: sys.argv[1]; sys.exit(not handover.hand_over(Path(sys.argv[2])))"
    )

    def hand(path: Path) -> bool:
        other = subprocess.Popen([sys.executable, "-c", program, own_name, str(path)])
        qtbot.waitUntil(lambda: other.poll() is not None, timeout=LONG_MS)
        return other.returncode == 0

    return hand


Hand = Callable[[Path], bool]


def test_a_file_is_handed_over(qtbot: QtBot, server: HandoverServer, handed_over: Hand, tmp_path: Path) -> None:
    path = tmp_path / "a run with ü and\nmore.sculpt"
    with qtbot.waitSignal(server.opened, timeout=LONG_MS) as opened:
        assert handed_over(path)
    assert opened.args == [path]


def test_nobody_is_there(handed_over: Hand, tmp_path: Path) -> None:
    assert not handed_over(tmp_path / "x.sculpt")


def test_a_second_window_leaves_the_first_one_alone(
    qtbot: QtBot, server: HandoverServer, handed_over: Hand, tmp_path: Path
) -> None:
    second = HandoverServer(None)
    assert not second.listen()
    second.close()
    with qtbot.waitSignal(server.opened, timeout=LONG_MS):
        assert handed_over(tmp_path / "x.sculpt")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is left behind")
def test_what_a_killed_process_left_is_replaced(qtbot: QtBot, own_name: str, handed_over: Hand, tmp_path: Path) -> None:
    program = (
        "import os, sys; from PySide6.QtCore import QCoreApplication; from PySide6.QtNetwork import QLocalServer\n"
        "app = QCoreApplication([]); server = QLocalServer(); assert server.listen(sys.argv[1]); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, own_name]).returncode == 9
    server = HandoverServer(None)
    try:
        assert server.listen()
        with qtbot.waitSignal(server.opened, timeout=LONG_MS):
            assert handed_over(tmp_path / "x.sculpt")
    finally:
        server.close()


@pytest.mark.parametrize(
    "words", [b"x\n", b"[]\n", b'{"open": 3}\n', b'{"open": ""}\n', b"[" * 5000 + b"\n", b"a" * 70_000]
)
def test_what_is_no_file_is_refused(qtbot: QtBot, server: HandoverServer, own_name: str, words: bytes) -> None:
    told: list[object] = []
    server.opened.connect(told.append)
    socket = QLocalSocket()
    socket.connectToServer(own_name)
    assert socket.waitForConnected(LONG_MS)
    socket.write(words)
    qtbot.waitUntil(lambda: socket.state() == QLocalSocket.LocalSocketState.UnconnectedState, timeout=LONG_MS)
    assert told == []


def test_only_its_owner_may_hand_something_over(server: HandoverServer) -> None:
    listening = server.findChild(QLocalServer)
    assert isinstance(listening, QLocalServer)
    assert listening.socketOptions() == QLocalServer.SocketOption.UserAccessOption
    if os.name == "posix":
        assert Path(listening.fullServerName()).stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals end it")
def test_a_second_start_ends_at_once(qtbot: QtBot, tmp_path: Path) -> None:
    write_sculpt(tmp_path / "x.sculpt", made_run(steps=3))
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("DATA", "CONFIG", "CACHE", "STATE")}
    environment = os.environ | homes | {"HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    ask = "from sculptor_app.ui.shell.handover import server_name; print(server_name())"
    name = subprocess.check_output([sys.executable, "-c", ask], env=environment, text=True).strip()
    start = [sys.executable, "-m", "sculptor_app"]
    first = subprocess.Popen(start, env=environment)
    try:
        qtbot.waitUntil(lambda: is_answered(name), timeout=60_000)
        second = subprocess.run([*start, "x.sculpt"], env=environment, cwd=tmp_path, timeout=60)
        assert second.returncode == 0
        assert first.poll() is None
    finally:
        first.terminate()
        assert first.wait(60) == 143


def is_answered(name: str) -> bool:
    socket = QLocalSocket()
    socket.connectToServer(name)
    return bool(socket.waitForConnected(100))
