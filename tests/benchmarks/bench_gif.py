"""A 51-state GIF at 256 px: size, nearness and time, beside gifski at quality 100 and Pillow's own writer.

    python -m tests.benchmarks.bench_gif [--model FOLDER | --render SEED] [--gifski PATH] [--frames noisy|guess|chips]

With --render there is no model: a rendered sculpture is seen through fixed noise at every level of the cosine schedule,
and the guess is its Wiener estimate for power f⁻², sharp as far as that level lets it be.

Nearness is PSNR and SSIM over the pictures on screen at every tenth of a frame's time. Times are the best of several
rounds; gifski is given its PNG files ready-made, as its own command line wants them, and writing those is not counted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
from PIL import Image

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import kinds_of, shown_states
from sculptor_app.exports.gif.writer import estimate_bytes, write_gif
from sculptor_app.measures.pictures import picture
from tests.exports.gif.fidelity import frames_in_time, psnr, ssim

SIZE_PX, DELAY_MS, ROUNDS = 256, 80, 5
Row = tuple[str, float, float, float, float, float, float, float]


def sculpted(model: str | None, sampler: str) -> Trajectory:
    """A finished 50-step run."""
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.sampling.sample import sample

    request = RunRequest("bust", "bronze", seed=7, steps=50, sampler=sampler, device="cpu", model=model)
    trajectory = None
    for event in sample(Engine(), request, threading.Event()):
        trajectory = event.trajectory
    assert trajectory is not None
    return trajectory


def rendered(seed: int, size: int = 64) -> Trajectory:
    """What a perfect model's fixed-noise run to a rendered sculpture would look like."""
    from sculptor_app.atelier import render
    from tests.diffusion.gaussian import field_power
    from tests.helpers.runs import cosine_levels

    picture = np.asarray(render([seed], [seed % 8], [seed % 6], size, "cpu")[0], np.float64)
    picture = picture if picture.shape[0] == 3 else picture.transpose(2, 0, 1)
    noise, levels = np.random.default_rng(seed).standard_normal(picture.shape), cosine_levels(50)
    power = field_power(size)
    trajectory = Trajectory(RunInfo(RunRequest(), "rendered", sampler_name="DDIM"), noise.astype(np.float32), levels)
    for k in range(1, 51):
        gain = power * levels[k - 1].snr / (power * levels[k - 1].snr + 1)
        mean = picture.mean((1, 2), keepdims=True)
        guess = mean + np.fft.ifft2(gain * np.fft.fft2(picture - mean)).real
        state = levels[k].signal * (picture if k == 50 else guess) + levels[k].noise * noise
        arrays = state.astype(np.float32), guess.astype(np.float32)
        trajectory.append(Step(k, 0, True, 0.0, levels[k - 1], levels[k], *arrays, "", 0.0))
    return trajectory


def originals(trajectory: Trajectory, options: AnimationOptions) -> list[np.ndarray]:
    """What the GIF should show, at its size."""
    pictures = [picture(trajectory, k, kinds_of(options)[0]).rgb for k in shown_states(trajectory, options)]
    scale = SIZE_PX // max(trajectory.shape[1:])
    return [rgb.repeat(scale, 0).repeat(scale, 1) for rgb in pictures if rgb is not None]


def measured(name: str, path: Path, wanted: list[np.ndarray], make: Callable[[], object]) -> Row:
    """Size, nearness and best time of a way to make the file."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        make()
        times.append(time.perf_counter() - start)
    shown = frames_in_time(path, DELAY_MS)[: len(wanted)]
    noise = [psnr(a, b) for a, b in zip(shown, wanted, strict=True)]
    alike = [ssim(a, b) for a, b in zip(shown, wanted, strict=True)]
    return (
        name,
        path.stat().st_size / 1024,
        float(np.mean(noise)),
        min(noise),
        noise[-1],
        float(np.mean(alike)),
        alike[-1],
        min(times),
    )


def gifski_row(folder: Path, program: str, wanted: list[np.ndarray]) -> Row:
    """gifski's own result from PNG files."""
    files = []
    for index, rgb in enumerate(wanted):
        files.append(folder / f"{index:04}.png")
        Image.fromarray(rgb).save(files[-1])
    path = folder / "gifski.gif"
    command = [program, "--quality", "100", "--fps", str(1000 / DELAY_MS), "-o", str(path), *map(str, files)]
    return measured(
        "gifski, quality 100", path, wanted, lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    )


def pillow_row(folder: Path, wanted: list[np.ndarray]) -> Row:
    """Pillow's writer with a palette per frame that it chooses itself."""
    path, images = folder / "pillow.gif", [Image.fromarray(rgb) for rgb in wanted]

    def make() -> None:
        images[0].save(path, save_all=True, append_images=images[1:], duration=DELAY_MS, loop=0)

    return measured("Pillow's default", path, wanted, make)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--render", type=int, metavar="SEED")
    parser.add_argument("--gifski", help="the program, to measure against")
    parser.add_argument("--sampler", default="ddim")
    parser.add_argument("--frames", default="noisy", choices=("noisy", "guess", "chips"))
    arguments = parser.parse_args()
    seed = arguments.render
    trajectory = sculpted(arguments.model, arguments.sampler) if seed is None else rendered(seed)
    options = AnimationOptions(
        frames=arguments.frames, caption=False, delay_ms=DELAY_MS, hold_ms=DELAY_MS, size_px=SIZE_PX
    )
    wanted = originals(trajectory, options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = folder / "own.gif"
        rows = [measured("Sculptor", own, wanted, lambda: write_gif(own, trajectory, None, options))]
        if arguments.gifski:
            rows.append(gifski_row(folder, arguments.gifski, wanted))
        rows.append(pillow_row(folder, wanted))
    report(arguments, rows, estimate_bytes(trajectory, None, options) / 1024)


def say(line: str) -> None:
    """One line of the table."""
    sys.stdout.write(line + "\n")


def report(arguments: argparse.Namespace, rows: list[Row], estimate_kib: float) -> None:
    """Write the figures, and the ratios to gifski's."""
    say(f"{arguments.sampler}, {arguments.frames}, {len(rows)} writers, {ROUNDS} rounds, {SIZE_PX} px")
    say(f"{'':22}{'KiB':>7}{'dB mean':>9}{'dB least':>9}{'dB last':>9}{'SSIM':>8}{'last':>8}{'s':>7}")
    for name, size, mean, least, last, alike, alike_last, seconds in rows:
        figures = f"{size:7.0f}{mean:9.2f}{least:9.2f}{last:9.2f}{alike:8.4f}{alike_last:8.4f}{seconds:7.2f}"
        say(f"{name:22}{figures}")
    own = rows[0]
    say(f"size as estimated before: {estimate_kib:.0f} KiB, {estimate_kib / own[1]:.2f} of the real one")
    for other in rows[1:]:
        ratios = f"size {own[1] / other[1]:.2f}, time {own[7] / other[7]:.2f}"
        say(f"over {other[0]}: {ratios}, PSNR {own[2] - other[2]:+.2f} dB, SSIM {own[5] - other[5]:+.4f}")


if __name__ == "__main__":
    main()
