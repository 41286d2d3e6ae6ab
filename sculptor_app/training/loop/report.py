"""What a training run tells now and then, and the log that keeps it; without torch, so that a window can read it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sculptor_app.training.files import not_written, written_whole

EDGES = (-8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
"""Borders of the noise-level bins on the log-SNR axis."""
LEVELS = len(EDGES) + 1


@dataclass(frozen=True)
class Report:
    """What happened since the report before.

    Attributes:
        pictures: Seen by now.
        loss: Mean squared error of v.
        learning_rate: Now.
        pictures_per_second: Of all processes together.
        minutes_left: Until the run's end.
        loss_by_log_snr: Per noise level, pure noise first; None where no picture was.
        learned_by_log_snr: 1 − loss / loss of always saying 0, per level: 0 where nothing is known yet, 1 where all is.
        refused: Gradients that were far larger than usual and not followed.
    """

    pictures: int
    loss: float
    learning_rate: float
    pictures_per_second: float
    minutes_left: float
    loss_by_log_snr: list[float | None]
    learned_by_log_snr: list[float | None]
    refused: int


def append_to_log(path: Path, report: Report) -> None:
    """Add a report as one line of JSON.

    Raises:
        NotWritten: The disk did not take it.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(report)) + "\n")
    except OSError as error:
        raise not_written(path, error) from error


def forget_later(path: Path, seen: int) -> None:
    """Take out of the log what a killed run did after its last checkpoint: it will be done again.

    Args:
        path: The log; it need not be there.
        seen: Pictures seen at the checkpoint.

    Raises:
        NotWritten: The disk did not take it.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if _is_up_to(line, seen)]
    if kept != lines:
        with written_whole(path) as file:
            file.write("".join(f"{line}\n" for line in kept).encode())


def _is_up_to(line: str, seen: int) -> bool:
    try:
        return bool(json.loads(line)["pictures"] <= seen)
    except (ValueError, KeyError, TypeError):  # cut off in mid-line
        return False


def read_log(path: Path) -> list[Report]:
    """All reports of a log, the oldest first; lines that were cut off are left out.

    Args:
        path: The log; without one there are no reports.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Report(**json.loads(line)))
        except (ValueError, TypeError):  # cut off in mid-line, or another version's
            continue
    return found
