"""Words on the terminal while something long goes on: never a silent minute, never a flood."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Protocol

SILENCE_S = 10.0
"""After so many seconds without a word, one is said anyway."""


class Words(Protocol):
    """Turns a program's lines into words for a person."""

    def __call__(self, line: str) -> str | None:
        """A word worth saying about `line`, or None."""

    def beat(self) -> str:
        """What to say when there has been nothing for a while."""


def say(words: str) -> None:
    """A line for a person, on standard error."""
    print(words, file=sys.stderr, flush=True)


def follow(
    command: list[str], log: Path, words: Words, environ: dict[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> int:
    """Run a command, keep all its output in a file, and say how far it is; it inherits the files `pass_fds`.

    Returns:
        The command's exit status.
    """
    began = last = time.monotonic()
    over = threading.Event()
    lock = threading.Lock()

    def tell(text: str) -> None:
        nonlocal last
        with lock:
            last = time.monotonic()
            say(f"[{last - began:4.0f} s] {text}")

    def heart() -> None:
        while not over.wait(1):
            if time.monotonic() - last >= SILENCE_S:
                tell(words.beat())

    pulse = threading.Thread(target=heart, daemon=True)
    with log.open("w", encoding="utf-8") as file, _started(command, environ, pass_fds) as running:
        pulse.start()
        try:
            for line in running.stdout or ():
                file.write(line)
                file.flush()
                if text := words(line.rstrip()):
                    tell(text)
            return running.wait()
        except BaseException:
            running.terminate()
            raise
        finally:
            over.set()
            pulse.join()


def _started(command: list[str], environ: dict[str, str] | None, pass_fds: tuple[int, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        pass_fds=pass_fds,
        text=True,
        errors="replace",
    )
