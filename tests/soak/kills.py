"""Processes killed at random moments while they record, save and export runs: nothing is lost but the step in flight.

    python -m tests.soak.kills [--kills 200] [--seed N]

Each time a process is killed (SIGKILL) at a random moment of what it does, and what it leaves behind is looked at:

- of a journal every step that was recorded is found again, bit for bit;
- a file that was there before is still that one, or the new one, whole;
- nothing else is left that the next writing beside it does not sweep away.

It needs `fork`, so it runs on Linux and macOS. The exit code is 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import signal
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sculptor_app.core.files import sweep_beside
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.core.trajectory.journal import leftovers, new_journal, open_journal
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.settings import read_settings
from tests.helpers.runs import made_run

STEPS, EDGE = 60, 96
LONGEST_S = 60.0
FORMATS_TRIED = ("sculpt", "gif", "mp4", "webm", "webp", "apng", "zip", "html", "svg", "pdf", "png", "csv")


@dataclass
class Tried:
    """One thing that is done again and again.

    Attributes:
        work: done in a process of its own, in a folder.
        judge: after the end of that process, however it came, and whether it was killed; the faults that it finds.
        prepare: what is done in the folder before.
    """

    name: str
    work: Callable[[Path], None]
    judge: Callable[[Path, bool], list[str]]
    prepare: Callable[[Path], None] = lambda folder: None
    lasts_s: float = 0.0


def run_and_kill(tried: Tried, folder: Path, after_s: float | None) -> bool:
    """Do it in a process of its own, which is killed after a while; whether it was killed before its end."""
    child = os.fork()
    if not child:
        try:
            tried.work(folder)
        finally:
            os._exit(0)
    begun = time.monotonic()
    while time.monotonic() - begun < (LONGEST_S if after_s is None else after_s):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if status:
                raise RuntimeError(f"{tried.name} ended with {status} by itself")
            return False
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


# Recording ------------------------------------------------------------------------------------------------------------


class Counted(mmap.mmap):
    """A number that two processes see."""

    def __new__(cls) -> Counted:
        """One that is zero."""
        return super().__new__(cls, -1, 8)

    @property
    def value(self) -> int:
        """The number."""
        found: int = struct.unpack("<q", self[:8])[0]
        return found

    @value.setter
    def value(self, number: int) -> None:
        self[:8] = struct.pack("<q", number)


def recording() -> Tried:
    """A run that is recorded into a journal."""
    whole, recorded = made_run(steps=STEPS, size=EDGE, guidance=3.0), Counted()
    append = Trajectory.append

    def work(folder: Path) -> None:
        def counted(self: Trajectory, step: Step) -> None:
            append(self, step)
            recorded.value = self.last

        Trajectory.append = counted  # type: ignore[method-assign]  # of this process alone
        made_run(steps=STEPS, size=EDGE, guidance=3.0, journal=new_journal(folder))

    def judge(folder: Path, was_killed: bool) -> list[str]:
        found, faults = leftovers(folder), []
        if recorded.value and len(found) != 1:
            faults.append(f"{len(found)} journals of a run with {recorded.value} steps")
        for path in found:
            run = open_journal(path)
            if run.last < recorded.value:
                faults.append(f"{run.last} of {recorded.value} steps")
            for k in range(run.last + 1):
                if _frames_of(run, k) != _frames_of(whole, k):
                    faults.append(f"step {k} is another one")
            run.close()
            path.unlink()
        recorded.value = 0
        return faults

    return Tried("recording", work, judge)


# Saving and exporting -------------------------------------------------------------------------------------------------


def _frames_of(run: AnyTrajectory, k: int) -> list[bytes]:
    return [b"" if frame is None else frame.tobytes() for frame in (run.state(k), run.guess(k))]


def writing(kind: str) -> Tried:
    """A file that is written over one that is there."""
    run = made_run(steps=STEPS, size=EDGE, guidance=3.0)
    before = b"what was there before"

    def prepare(folder: Path) -> None:
        (folder / f"x.{kind}").write_bytes(before)

    def work(folder: Path) -> None:
        FORMATS[kind].write(folder / f"x.{kind}", Export(run, AnimationOptions(caption=False), run.last))

    def judge(folder: Path, was_killed: bool) -> list[str]:
        path, faults = folder / f"x.{kind}", []
        if path.read_bytes() != before:
            faults += _faults_of(path, kind)
        elif not was_killed:
            faults.append("the old file is there, and the writing had ended")
        seen = [each.name for each in folder.iterdir() if each != path and not each.name.endswith(".part")]
        if seen:
            faults.append(f"{', '.join(seen)} left behind")
        sweep_beside(path)
        if left := [each.name for each in folder.iterdir() if each != path]:
            faults.append(f"{', '.join(left)} not swept away")
        return faults

    return Tried(f"writing {kind}", work, judge, prepare)


def _faults_of(path: Path, kind: str) -> list[str]:
    """What is wrong with a new file."""
    try:
        if kind == "sculpt":
            opened = open_run(path)
            opened.check_frames()
            opened.close()
        elif kind == "csv":
            assert path.read_text("utf-8").count("\n") > STEPS
        else:
            read_settings(path)
    except Exception as error:  # whatever it is, it is a fault
        return [f"the new file is not whole: {error}"]
    return []


def main() -> int:
    """Kill, look, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance, killed, faults = random.Random(arguments.seed), Counter[str](), []
    everything = [recording(), *map(writing, FORMATS_TRIED)]
    with tempfile.TemporaryDirectory() as place:
        for tried in everything:  # how long it takes where nobody kills it
            folder = Path(place, f"{tried.name} whole")
            folder.mkdir()
            tried.prepare(folder)
            begun = time.monotonic()
            run_and_kill(tried, folder, None)
            tried.lasts_s = time.monotonic() - begun
            faults += [f"{tried.name}, whole: {fault}" for fault in tried.judge(folder, False)]
        number = 0
        while sum(killed.values()) < arguments.kills:
            tried = everything[0] if number % 3 == 0 else chance.choice(everything)
            folder = Path(place, str(number))
            folder.mkdir()
            tried.prepare(folder)
            if run_and_kill(tried, folder, chance.uniform(0, tried.lasts_s)):
                killed[tried.name] += 1
                faults += [f"{tried.name}, kill {number}: {fault}" for fault in tried.judge(folder, True)]
            else:
                faults += [f"{tried.name}, end {number}: {fault}" for fault in tried.judge(folder, False)]
            number += 1
    print(f"{sum(killed.values())} kills: {', '.join(f'{name} {count}' for name, count in sorted(killed.items()))}")
    for fault in faults:
        print(f"  {fault}")
    print(f"{len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
