"""What watching costs on every kind of pipeline: time per step with observer, frames and snapshots, over the bare call.

    python -m tests.benchmarks.bench_pipelines [--side 128] [--steps 40] [--rounds 9] [--kinds sdxl ...] [--guidance]

The pipelines are tiny: at 16 pixels their steps take a few milliseconds, and what watching takes of them is the most
that it can be; the milliseconds are the figure to carry over to a real model, whose steps take a hundred times longer.
They hold a share of what a run needs to begin, too. `--side` makes the pictures larger, where the kind allows it: at
128 most steps take 40 milliseconds and more. Both kinds of run take turns; a ratio is the median of each pair's own.
`--guidance` records the unconditional and the conditional guess, too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import diffusers
import torch

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.pipelines.call import call_of
from sculptor_app.diffusion.pipelines.parameters import call_parameters
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.any_pipeline import engine_of, request_for, write_pictures
from tests.helpers.tiny_pipelines import BUILDERS


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kinds", nargs="*", default=list(BUILDERS))
    parser.add_argument("--side", type=int, help="edge of the pictures in pixels")
    parser.add_argument("--guidance", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    diffusers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        for kind in options.kinds:
            engine, request = engine_of(kind), request_for(kind, Path(folder), steps=options.steps)
            request = request if options.side is None else _larger(engine, request, options.side)
            try:
                _bare(engine, request)
            except (IndexError, RuntimeError) as error:
                print(f"{kind:20} cannot be made so large ({type(error).__name__})")
                continue
            pairs = [_pair(engine, request, options.guidance, bool(turn % 2)) for turn in range(options.rounds + 1)][1:]
            bare, watched = (1000 * statistics.median(each) / options.steps for each in zip(*pairs, strict=True))
            ratio = statistics.median(two / one for one, two in pairs)
            print(
                f"{kind:20} bare {bare:7.2f} ms a step, watched {watched:7.2f}: {watched - bare:+5.2f} ms, {ratio:.3f}"
            )


def _larger(engine: Engine, request: RunRequest, side: int) -> RunRequest:
    """The same with larger pictures, if the pipeline can be told or its network does not mind."""
    pipeline = engine.load(request.model, request.device)
    if "height" in call_parameters(pipeline):
        return replace(request, options={**request.option_values, "height": side, "width": side})
    if hasattr(pipeline, "unet") and "image" not in request.option_values:
        pipeline.unet.register_to_config(sample_size=side // getattr(pipeline, "vae_scale_factor", 1))
    return request


def _pair(engine: Engine, request: RunRequest, guidance: bool, watched_first: bool) -> tuple[float, float]:
    """Seconds of the process, bare and watched."""
    if watched_first:
        watched = _watched(engine, request, guidance)
        return _bare(engine, request), watched
    return _bare(engine, request), _watched(engine, request, guidance)


def _bare(engine: Engine, request: RunRequest) -> float:
    pipeline = engine.load(request.model, request.device)
    pipeline.scheduler = engine.scheduler(request)
    arguments = call_of(pipeline, request).arguments
    begun = time.process_time()
    with torch.no_grad():
        pipeline(**arguments)
    return time.process_time() - begun


def _watched(engine: Engine, request: RunRequest, guidance: bool) -> float:
    begun = time.process_time()
    for _ in sample(engine, request, threading.Event(), watch_guidance=guidance):
        pass
    return time.process_time() - begun


if __name__ == "__main__":
    main()
