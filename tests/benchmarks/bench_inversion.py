"""How near a picture comes back from the noise that is found for it, and what that noise is like.

    python -m tests.benchmarks.bench_inversion [--model DIR] [--device auto] [--steps 50] [--pictures 16] [--guidance 1]

Fresh renders that no model has seen are inverted with their labels given and without labels, and sampled
again from what was found. Three ways take turns: naive (the first guess of each step, which is DDIM's usual inversion),
exact (every step solved) and grain (the usual way: the last few states have drawn grain, the others are solved). dB is
the peak signal-to-noise ratio to the picture, peak 2. Drawn noise has a standard deviation of 1; the correlation of its
neighbours, its excess kurtosis and the slope of its spectrum are 0.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from dataclasses import replace

import numpy as np
import torch

from sculptor_app.core.requests.request import FORMS, MATERIALS, RunRequest
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.inversion import DEFAULT_GRAIN, Inversion, invert
from sculptor_app.measures.spectrum import frame_spectrum, slope
from sculptor_app.training.evaluation.pictures import fresh_renders

WAYS = {
    "naive": {"iterations": 0, "grain": 0.0},
    "exact": {"grain": 0.0},
    "grain": {"grain": DEFAULT_GRAIN},
}


def main() -> None:
    """Run the benchmark and print its figures."""
    options = _options()
    engine = Engine()
    size = engine.load(options.model, options.device).picture_size
    forms = [i % len(FORMS) for i in range(options.pictures)]
    materials = [i % len(MATERIALS) for i in range(options.pictures)]
    pictures = torch.cat(list(fresh_renders(options.seed, forms, materials, size))).float() / 127.5 - 1
    assert engine.device is not None
    print(f"device {engine.device.name}, {options.steps} steps, guidance {options.guidance:g}")
    for labels in ("given", "none"):
        for way, how in WAYS.items():
            begun, rows = time.perf_counter(), []
            for form, material, picture in zip(forms, materials, pictures, strict=True):
                request = RunRequest(steps=options.steps, guidance=options.guidance, device=options.device,
                                     model=options.model)  # fmt: skip
                if labels == "given":
                    request = replace(request, form=FORMS[form], material=MATERIALS[material])
                rows.append(_measured(engine, request, picture.numpy(), how))
            _report(f"labels {labels}, {way}", rows, (time.perf_counter() - begun) / len(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model's folder; left out, the embedded one")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=11, help="of the renders")
    return parser.parse_args()


def _measured(engine: Engine, request: RunRequest, picture: Frame, how: dict[str, float]) -> list[float]:
    """dB, evaluations per step, unsolved steps, and of the noise deviation, neighbours, kurtosis and slope."""
    *_, inversion = invert(engine, request, picture, threading.Event(), **how)  # type: ignore[arg-type]
    assert isinstance(inversion, Inversion)
    *_, last = sample(engine, request, threading.Event(), start=inversion.start)
    error_db = inversion.error_db(last.trajectory.state(request.steps))
    evaluations = sum(inversion.evaluations) / request.steps
    noise = (inversion.noise.astype(np.float64) - inversion.mean) / inversion.deviation
    neighbours = float(np.mean(noise[:, :, 1:] * noise[:, :, :-1]) + np.mean(noise[:, 1:] * noise[:, :-1])) / 2
    spectrum = slope(frame_spectrum(inversion.noise))
    return [error_db, evaluations, inversion.unsolved, inversion.deviation, neighbours, float(np.mean(noise**4) - 3),
            spectrum]  # fmt: skip


def _report(what: str, rows: list[list[float]], seconds: float) -> None:
    columns = list(zip(*rows, strict=True))
    print(f"{what}: {', '.join(f'{each:.1f}' for each in columns[0])} dB")
    mean = [statistics.fmean(column) for column in columns]
    print(f"  mean {mean[0]:.1f} dB, least {min(columns[0]):.1f}; {mean[1]:.2f} evaluations per step, "
          f"{sum(columns[2]):.0f} steps unsolved, {seconds:.1f} s per picture")  # fmt: skip
    print(f"  noise: deviation {mean[3]:.3f}, neighbours {mean[4]:.3f}, kurtosis {mean[5]:.2f}, slope {mean[6]:.2f}",
          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
