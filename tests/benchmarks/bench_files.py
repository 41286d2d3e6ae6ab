"""What keeping and showing runs costs: the journal, saved runs opened, films and pages written; ratios of one run.

    python -m tests.benchmarks.bench_files [--rounds N] [--states 1001] [--edge 512]

Runs are made, not sampled. The journal's share is that of a step of 50 ms, about the embedded model's on one thread. A
saved run is opened to its first frame, and beside it the same states are read with numpy. Run it while nothing else
goes on.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from sculptor_app.core.trajectory.file import open_run
from sculptor_app.core.trajectory.journal import new_journal
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.saved_run import write_sculpt
from tests.helpers.runs import made_run

STEP_MS = 50.0
FILMS = ("gif", "mp4", "webm", "webp", "apng", "zip", "html", "svg", "pdf")


def seconds(job: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun


def journal_ms(folder: Path, rounds: int, edge: int) -> tuple[float, float]:
    """Milliseconds per step that a run of 200 steps takes more with a journal, the median, and its bytes per step."""
    steps, extra, size = 200, [], 0
    for _ in range(rounds):
        bare = seconds(lambda: made_run(steps=steps, size=edge))
        kept = new_journal(folder)
        assert kept is not None
        with_journal = seconds(partial(made_run, steps=steps, size=edge, journal=kept))
        size = kept.path.stat().st_size
        kept.finish()
        kept.close()
        extra.append(1000 * (with_journal - bare) / steps)
    return statistics.median(extra), size / steps


def opened(path: Path) -> None:
    """The first frame of a saved run."""
    run = open_run(path)
    run.state(0)
    run.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--states", type=int, default=1001)
    parser.add_argument("--edge", type=int, default=512, help="of the pictures of the long saved run, in pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for edge in (128, 512):
            extra, size = journal_ms(folder / "journals", options.rounds, edge)
            print(f"journal, {edge}×{edge} pixels: {extra:.2f} ms and {size / 1e6:.2f} MB a step, "
                  f"{100 * extra / STEP_MS:.1f} % of a step of {STEP_MS:.0f} ms")  # fmt: skip
        long = made_run(steps=options.states - 1, size=options.edge, spill_folder=folder)
        print(f"saving {options.states} states of {options.edge}×{options.edge}: "
              f"{seconds(lambda: write_sculpt(folder / 'long.sculpt', long)):.1f} s")  # fmt: skip
        states = np.stack([long.state(k) for k in range(long.last + 1)])
        np.save(folder / "states.npy", states)
        long.close()
        del states
        pairs = [(seconds(lambda: opened(folder / "long.sculpt")), seconds(lambda: np.load(folder / "states.npy")))
                 for _ in range(options.rounds)]  # fmt: skip
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"opened to its first frame in {1000 * ours:.0f} ms, numpy's load in {1000 * theirs:.0f} ms: "
              f"ratio {ours / theirs:.3f}")  # fmt: skip
        run = made_run(steps=51, size=256, fresh_noise=True)
        look = AnimationOptions(frames="guess", size_px=256, caption=False)
        usual = None
        for each in FILMS:
            path = folder / f"film.{each}"
            export = Export(run, look, 51)
            times = [seconds(lambda: FORMATS[each].write(path, export)) for _ in range(options.rounds)]  # noqa: B023
            took = statistics.median(times)
            usual = usual or took
            print(f"{each:5} of 51 states of 256×256: {took:.2f} s, {took / usual:.2f} of the GIF's time, "
                  f"{path.stat().st_size / 1e6:.2f} MB")  # fmt: skip
        beside(folder, folder / "film.zip", options.rounds)


def beside(folder: Path, pictures: Path, rounds: int) -> None:
    """What others take for the same pictures: ffmpeg for an MP4 with the same settings, Pillow for a GIF by its own."""
    with zipfile.ZipFile(pictures) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        for number, name in enumerate(names):
            (folder / f"{number:04}.png").write_bytes(archive.read(name))
    images = [Image.open(folder / f"{number:04}.png").convert("RGB") for number in range(len(names))]
    others: dict[str, Callable[[], object]] = {
        "Pillow's GIF": lambda: images[0].save(folder / "other.gif", save_all=True, append_images=images[1:])
    }
    if program := shutil.which("ffmpeg"):
        command = [program, "-y", "-loglevel", "error", "-framerate", "12", "-i", str(folder / "%04d.png"),
                   "-c:v", "libx264", "-crf", "16", "-preset", "medium", "-bf", "0", "-pix_fmt", "yuv420p",
                   str(folder / "other.mp4")]  # fmt: skip
        others["ffmpeg's MP4"] = partial(subprocess.run, command, check=True)
    for name, make in others.items():
        took = statistics.median(seconds(make) for _ in range(rounds))
        size = (folder / f"other.{name[-3:].lower()}").stat().st_size
        print(f"{name} of {len(names)} pictures: {took:.2f} s, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
