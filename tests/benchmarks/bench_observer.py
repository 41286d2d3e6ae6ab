"""What watching costs: time per step with the observer and the trajectory, over the bare pipeline.

    python -m tests.benchmarks.bench_observer [--model DIR] [--device auto] [--steps 20] [--sampler ddim] [--rounds 20]

Both kinds of run take turns in one process, with the same model, threads, seed and settings, so that whatever else the
machine does hits both alike; a ratio is the median over the rounds of each pair's own ratio. On the CPU the time that
the process was given by a busy machine is the figure to trust; it is printed beside the time on the wall. `--measures`
adds the spectra, which the window computes in the same thread; `--record` watches as a person's own script does.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Generator, Iterable

import torch

from sculptor_app import record
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import Event, sample
from sculptor_app.measures.run_measures import measured


def main() -> None:
    """Run the benchmark and print its figures."""
    options = _options()
    request = RunRequest(
        form="bust", steps=options.steps, sampler=options.sampler, device=options.device, model=options.model
    )
    engine = Engine()
    engine.load(request.model, request.device)
    kinds: list[tuple[str, Callable[[], object]]] = [
        ("observed", lambda: _drain(_sculpted(engine, request, options.guesses))),
        ("bare", lambda: _bare(engine, request)),
    ]
    if options.record:
        kinds[0] = ("observed", lambda: _recorded(engine, request))
    if options.measures:
        kinds[0] = ("observed", lambda: _drain(measured(_sculpted(engine, request, options.guesses))))
    times = _alternate(kinds, options.rounds)
    device = engine.device
    assert device is not None
    print(f"device {device.name}, torch threads {torch.get_num_threads()}, {options.sampler}, {options.steps} steps")
    for column, clock in enumerate(("wall", "process") if device.id == "cpu" else ("wall",)):
        _report(clock, [[both[column] / options.steps for both in times[name]] for name in ("observed", "bare")])


def _sculpted(engine: Engine, request: RunRequest, guesses: bool) -> Generator[Event, None, None]:
    return sample(engine, request, threading.Event(), watch_guidance=guesses)


def _report(clock: str, seconds: list[list[float]]) -> None:
    observed, bare = (1000 * statistics.median(each) for each in seconds)
    ratios = [one / other for one, other in zip(*seconds, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{clock} time: observed {observed:.2f} ms per step, bare {bare:.2f}; ", end="")
    print(f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model's folder; left out, the embedded one")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sampler", choices=EMBEDDED_SAMPLERS, default="ddim")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--guesses", action="store_true", help="keep the two guesses that guidance mixes, too")
    parser.add_argument("--record", action="store_true", help="watch by sculptor_app.record()")
    parser.add_argument("--measures", action="store_true", help="compute the spectra of every step, too")
    return parser.parse_args()


def _bare(engine: Engine, request: RunRequest) -> None:
    """The loop of diffusers alone: the same pipeline and the same kind of scheduler, nobody watching."""
    pipeline = engine.load(request.model, request.device)
    pipeline.scheduler = engine.scheduler(request)
    pipeline(
        form=0,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="pt",
    )


def _recorded(engine: Engine, request: RunRequest) -> None:
    """The same loop in a block of `record`."""
    with record(engine.load(request.model, request.device)):
        _bare(engine, request)


def _drain(events: Iterable[object]) -> None:
    for _ in events:
        pass


def _alternate(kinds: list[tuple[str, Callable[[], object]]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each run, on the wall and of the process; who goes first changes every round."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in kinds}
    for round_number in range(rounds + 1):
        for name, job in kinds if round_number % 2 else reversed(kinds):
            _wait()
            wall, process = time.perf_counter(), time.process_time()
            job()
            _wait()
            if round_number:  # the first round warms up
                times[name].append((time.perf_counter() - wall, time.process_time() - process))
    return times


def _wait() -> None:
    """Until a GPU, if there is one, has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
