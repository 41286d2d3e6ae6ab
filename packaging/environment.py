"""The private environment on disk: what it holds, whether it is whole, and who may change it now."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from progress import say
from systempackages import SetupError


class Environment:
    """A virtual environment with a note of its own about what was installed into it.

    The note is missing while nothing was begun, says "ready: false" from the first change to the last, and names what
    the environment holds afterwards. A set-up that was broken off therefore shows, whatever broke it off.

    Args:
        folder: Where it is or will be.
        root: The checkout whose program it runs.
    """

    MARK = "sculptor-setup.json"
    LOCK = "sculptor-setup.lock"

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.lock_files: tuple[int, ...] = ()  # handed to every child that changes the environment; see lock()
        self._root = root

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def holds(self, wanted: dict[str, str]) -> bool:
        """Whether it is whole and holds these sets of requirements, each named with its fingerprint."""
        note = self._note()
        return self.usable() and all(note.get(name) == fingerprint for name, fingerprint in wanted.items())

    def usable(self) -> bool:
        """Whether the last change to it was finished, and it belongs to this checkout and a Python that is there."""
        note = self._note()
        return bool(note.get("ready")) and note.get("root") == str(self._root) and self.python.exists()

    def remembers(self, fact: str) -> bool:
        """Whether `fact` was noted since the environment was made."""
        return self.usable() and bool(self._note().get(fact))

    def remember(self, fact: str) -> None:
        """Note a fact that need not be found out again."""
        if not self.remembers(fact):
            with suppress(OSError):  # an environment of somebody else's can be used but not written
                self._write({**self._note(), fact: "yes"})

    def mark(self, ready: bool, **held: str) -> None:
        """Write the note: before the first change with `ready` false, after the last with what it holds now."""
        self._write({**self._note(), **held, "ready": ready, "root": str(self._root)})

    def make_anew(self) -> None:
        """Throw away what is there and make an empty environment.

        Raises:
            SetupError: The folder holds something that is not ours, or no environment can be made there.
        """
        children = [child for child in self.folder.iterdir() if child.name != self.LOCK]
        if children and not (self.folder / self.MARK).exists():
            raise SetupError(f"{self.folder} holds something else already. Name an empty folder in SCULPTOR_ENV.")
        for child in children:
            if child.name == self.MARK:  # goes last: while it is there, the rest is known to be ours
                continue
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
        self._write({"ready": False, "root": str(self._root)})
        venv = [sys.executable, "-I", "-m", "venv", str(self.folder)]
        made = subprocess.run(venv, capture_output=True, text=True, pass_fds=self.lock_files)
        if made.returncode != 0:
            raise SetupError(f"No environment could be made in {self.folder}: {(made.stdout + made.stderr).strip()}")

    def link_checkout(self) -> None:
        """Let its Python find the program, and give it a command that starts it from anywhere."""
        packages = next(self.folder.glob("[Ll]ib/site-packages"), None) or next(
            self.folder.glob("lib/python3*/site-packages")
        )
        encoding = "utf-8" if sys.version_info >= (3, 13) else "locale"  # what Python itself reads .pth files with
        (packages / "sculptor-checkout.pth").write_text(f"{self._root}\n", encoding=encoding)
        if sys.platform != "win32":
            command = self.folder / "bin" / "sculptor-app"
            command.write_text(f'#!/bin/sh\nexec {_quoted(self.python)} -P -m sculptor_app "$@"\n', encoding="utf-8")
            command.chmod(0o755)

    def installed(self) -> int:
        """How many packages are in place now."""
        return sum(1 for _ in self.folder.glob("[Ll]ib/**/site-packages/*.dist-info"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other starts from changing it; wait for one that does, and say so.

        Children that hold `lock_files`, too, keep the lock if this process is killed and they are not: pip would go on
        writing while the next start clears the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / self.LOCK).open("a+b") as file:
            waited_s = 0
            while not _try_lock(file.fileno()):
                if waited_s % 10 == 0:
                    say("Another start of Sculptor is setting it up; waiting for it.")
                time.sleep(1)
                waited_s += 1
            self.lock_files = (file.fileno(),) if sys.platform != "win32" else ()
            try:
                yield
            finally:
                self.lock_files = ()

    def _note(self) -> dict[str, str | bool]:
        try:
            note = json.loads((self.folder / self.MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def _write(self, note: dict[str, str | bool]) -> None:
        temporary = self.folder / f"{self.MARK}.{os.getpid()}"
        temporary.write_text(json.dumps(note, indent=1), encoding="utf-8")
        temporary.replace(self.folder / self.MARK)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


def _try_lock(descriptor: int) -> bool:
    """Take the lock if nobody has it; the system drops it when its owner ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
