"""What workers read labels with, in their own processes: some die of it, some fail, some say who they are."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sculptor_app.diffusion.models.verdict import Finding, ModelRefused
from sculptor_app.diffusion.studies import processes


class Surroundings:
    """The environment where it is pickled, put in the place of that where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_surround, (dict(os.environ),))


def _surround(environment: dict[str, str]) -> Surroundings:
    os.environ.clear()
    os.environ.update(environment)
    return Surroundings()


def begin(_: Surroundings, *arguments: Any) -> None:
    """Begin as a worker that was started by itself does: the one it was forked from has another test's environment."""
    processes._begin(*arguments)


MARK = "SCULPTOR_TEST_MARK"
"""Name of the variable that names a file: it is there once a worker has died."""


def dies_once(*_: Any) -> dict[str, Sequence[str]]:
    mark = Path(os.environ[MARK])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def dies_once_or_says_who(pictures: Sequence[Any], *_: Any) -> dict[str, Sequence[str]]:
    dies_once()
    return who(pictures)


def dies(*_: Any) -> dict[str, Sequence[str]]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def refuses(*_: Any) -> dict[str, Sequence[str]]:
    raise ModelRefused([Finding("It holds nothing.", "Choose another.")])


class OfTwoParts(Exception):
    """An error that a pickle does not bring back."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def fails(*_: Any) -> dict[str, Sequence[str]]:
    raise OfTwoParts("this", "that")


def nothing(*_: Any) -> dict[str, Sequence[str]]:
    return {}


def who(pictures: Sequence[Any], *_: Any) -> dict[str, Sequence[str]]:
    return {"process": [str(os.getpid())] * len(pictures)}
