"""A saved run that a second start was given goes to the window that is open."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from sculptor_app import folders, identity

WAIT_MS = 2000
"""How long a start waits for the window that is open: one that computes answers late."""
_LONGEST_BYTES = 65_536
_TAKEN = b"taken"


def server_name() -> str:
    """The name under which this person's window listens; another one for another home, or another test."""
    home = hashlib.sha256(os.fsencode(folders.runs())).hexdigest()[:12]
    return f"{identity.COMMAND}-{home}"


def hand_over(path: Path) -> bool:
    """Give a saved run to the window that is open; whether there was one that took it."""
    socket = QLocalSocket()
    socket.connectToServer(server_name())
    if not socket.waitForConnected(WAIT_MS):
        return False
    socket.write(json.dumps({"open": str(path)}).encode() + b"\n")
    socket.flush()
    return bool(socket.waitForReadyRead(WAIT_MS)) and socket.readAll().data() == _TAKEN


class HandoverServer(QObject):
    """Listens for files that other starts of the program hand over; nobody but this person can.

    A window that is not the first does not listen.

    Signals:
        opened: the path of a saved run.
    """

    opened = Signal(object)

    def __init__(self, parent: QObject | None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._welcome)

    def listen(self) -> bool:
        """Begin; whether this window is the one that listens."""
        name = server_name()
        if _is_answered(name):  # asked first: with these options Qt would take the name from who has it
            return False
        QLocalServer.removeServer(name)  # left by a process that was killed
        return self._server.listen(name)

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()

    @Slot()
    def _welcome(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._read)
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._take(socket)

    @Slot()
    def _read(self) -> None:
        socket = self.sender()
        if isinstance(socket, QLocalSocket):
            self._take(socket)

    def _take(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() > _LONGEST_BYTES:
                socket.abort()
            return
        try:
            path = json.loads(bytes(socket.readLine().data()))["open"]
        except (ValueError, KeyError, TypeError, RecursionError):
            path = None
        if not isinstance(path, str) or not path:
            socket.abort()
            return
        socket.write(_TAKEN)
        socket.flush()
        self.opened.emit(Path(path))


def _is_answered(name: str) -> bool:
    socket = QLocalSocket()
    socket.connectToServer(name)
    answered = bool(socket.waitForConnected(WAIT_MS))
    socket.abort()
    return answered
