"""`sculptor-app decide`: what of a picture is decided by which step, measured by forks."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import (
    add_conditions,
    add_guidance,
    add_labels,
    add_model,
    add_sampler,
    add_seed,
    add_steps,
    bring_model,
    request_of,
    with_models_own,
)
from sculptor_app.commands.saving import run_checked
from sculptor_app.commands.terminal import Interruption, Parser, ProgressBar, file_path, say, stdout, whole_number
from sculptor_app.core.requests.request import MAX_SEED, MAX_STEPS, RunRequest
from sculptor_app.core.requests.samplers import draws_noise
from sculptor_app.core.texts import decimal_text
from sculptor_app.core.trajectory.levels import LEAST_CORRELATION
from sculptor_app.exports.files import OptionError, check_target, replacing

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.diffusion.sampling.engine import Engine

MOST_FORKS, MOST_SEEDS = 64, 100_000
EXAMPLES = """examples:
  sculptor-app decide --form bust --steps 20 --seeds 4 --forks 6 --at 2,4,6,8,12,16 --json curve.json
  sculptor-app decide --steps 20 --seeds 20 --forks 8 --json curve.json
The file is written after every step of every seed; the same command goes on from what is in it.
"""
FORMAT = "sculptor decisions"


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "decide",
        help="measure what is decided by which step",
        description="Fork runs at some of their steps, each time with several other noises, and measure how alike the "
        "pictures are that come of it: band by band, pixel by pixel, and by what the program's classifier reads off "
        "them. What they share was decided by that step.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make = parser.add_argument_group("the runs")
    add_labels(make)
    add_seed(make, "the first run; the others have those after it")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(make)
    forks = parser.add_argument_group("the forks")
    forks.add_argument("--seeds", type=whole_number("number of runs", 1, MOST_SEEDS), default=1, metavar="N",
                       help="runs, each of the next seed (1)")  # fmt: skip
    forks.add_argument("--forks", type=whole_number("number of forks", 2, MOST_FORKS), default=8, metavar="N",
                       help="pictures for each step of each run (8)")  # fmt: skip
    forks.add_argument("--at", type=_steps, metavar="K,K,…", help="steps to fork at; 0 is other noise altogether "
                       "(0, and eight steps over the run)")  # fmt: skip
    parser.add_argument("--json", type=file_path, metavar="FILE",
                        help="all results, to be gone on with, and for a program to read")  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def _steps(text: str) -> tuple[int, ...]:
    """A converter for argparse: whole numbers with commas between them."""
    read = whole_number("step", 0, MAX_STEPS)
    return tuple(sorted({read(each.strip()) for each in text.split(",") if each.strip()}))


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> tuple[RunRequest, tuple[int, ...]]:
        request = request_of(arguments)
        at = arguments.at or _usual_steps(request.steps)
        if 1 in at:
            raise OptionError("Step 1 comes of the noise at the start alone.", "Choose 0, and 2 or later steps.")
        if at[-1] >= request.steps:
            raise OptionError(
                f"There is nothing left to be decided at step {at[-1]} of {request.steps}.", "Choose earlier ones."
            )
        if request.seed + arguments.seeds > MAX_SEED:
            raise OptionError("There are not so many seeds.", "Choose a smaller --seed.")
        if arguments.json is not None:
            check_target(arguments.json)
        return request, at

    def work(checked: tuple[RunRequest, tuple[int, ...]], interruption: Interruption) -> None:
        request, at = checked
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.diffusion.sampling.engine import Engine

        request = with_models_own(request, arguments)
        told = {"format": FORMAT, "request": {**request.as_dict(), "device": None}, "forks": arguments.forks}
        results = _read(arguments.json, told)
        wanted = [(seed, k) for seed in range(request.seed, request.seed + arguments.seeds) for k in at]
        missing = [each for each in wanted if not any((one["seed"], one["step"]) == each for one in results)]
        with ProgressBar("Deciding", len(wanted), "step") as bar:
            engine = Engine(report=bar.say)
            bar.move_to(len(wanted) - len(missing))
            done = len(wanted) - len(missing)
            for found in _measured(engine, request, missing, arguments.forks, interruption):
                results.append(found)
                _write(arguments.json, told, results)
                done += 1
                bar.move_to(done)
        say("\n".join(_table([one for one in results if (one["seed"], one["step"]) in wanted])), stdout())

    return run_checked(check, work)


def _usual_steps(steps: int) -> tuple[int, ...]:
    return tuple(sorted({0, *(max(2, round(steps * share)) for share in (0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.6, 0.8))}))


# Measuring ------------------------------------------------------------------------------------------------------------


def _measured(
    engine: Engine, request: RunRequest, missing: list[tuple[int, int]], forks: int, interruption: Interruption
) -> Iterator[dict[str, Any]]:
    """One result for each seed and step, as they come."""
    whole: Trajectory | None = None
    for seed, k in missing:
        if whole is None or whole.info.request.seed != seed:
            whole = _last(engine, replace(request, seed=seed), interruption)
        yield {"seed": seed, "step": k, **_judged(_ends(engine, whole, k, forks, interruption), whole)}


def _last(engine: Engine, request: RunRequest, interruption: Interruption) -> Trajectory:
    from sculptor_app.diffusion.sampling.sample import sample

    made: Trajectory | None = None
    for event in sample(engine, request, interruption.event):
        made = event.trajectory
    assert made is not None
    return made


def _ends(engine: Engine, whole: Trajectory, k: int, forks: int, interruption: Interruption) -> list[Frame]:
    """The pictures that come of so many forks at a step, each with noise of its own."""
    from sculptor_app.diffusion.studies.fork import fork, noised_back

    request, draws = whole.info.request, draws_noise(whole.info.sampler_settings)
    ends: list[Frame] = []
    for number in range(forks):
        # Far from the seeds of the runs, and others for each step.
        seed = (request.seed * 1_000_003 + k * 1_009 + number + 2**40) % (MAX_SEED + 1)
        if k == 0:
            made = _last(engine, replace(request, seed=seed), interruption)
        else:
            state = None if draws else noised_back(whole, k, seed)
            at = k if draws else k - 1
            for event in fork(whole, at, engine, interruption.event, replace(request, seed=seed), state=state):
                made = event.trajectory
        ends.append(made.state(made.last).copy())
        made.close()
    return ends


def _judged(ends: list[Frame], whole: Trajectory) -> dict[str, Any]:
    from sculptor_app.measures.likeness import band_likeness, pixel_likeness, shared_share
    from sculptor_app.measures.spectrum import BANDS

    bands = band_likeness(ends, whole.info.space)
    told: dict[str, Any] = {
        "bands": {band.name: _number(value) for band, value in zip(BANDS, bands, strict=True)},
        "pixels": _number(pixel_likeness(ends)),
    }
    for kind, labels in _read_off(ends, whole).items():
        told[kind] = {"shared": _number(shared_share(labels)), "read": labels}
    return told


def _read_off(ends: list[Frame], whole: Trajectory) -> dict[str, list[str]]:
    """Form and material of pictures as the program's classifier reads them; nothing of other kinds of picture."""
    from sculptor_app.diffusion.models.loader import is_of_embedded_kind

    model = whole.info.request.model
    if whole.info.space != "pixels" or (model is not None and not is_of_embedded_kind(model)):
        return {}
    import numpy as np
    import torch

    from sculptor_app.core.requests.request import FORMS, MATERIALS
    from sculptor_app.training.evaluation.judge import read
    from sculptor_app.training.evaluation.judge_training import find_judge, open_judge

    size = whole.shape[1]
    folder = find_judge(size)
    if folder is None:
        return {}
    standard = open_judge(folder, size)
    bytes_of = np.clip(np.round((np.stack(ends) + 1) * 127.5), 0, 255).astype(np.uint8)
    reading = read(standard.judge, torch.from_numpy(bytes_of))
    return {
        "form": [FORMS[each] for each in reading.forms.tolist()],
        "material": [MATERIALS[each] for each in reading.materials.tolist()],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)


# The file -------------------------------------------------------------------------------------------------------------


def _read(path: Path | None, told: dict[str, Any]) -> list[dict[str, Any]]:
    """What was measured before with the same settings."""
    if path is None or not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        results = content["results"]
        is_ours = isinstance(results, list) and content["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(f"{path} holds something else.", "Choose another name, or remove it.") from error
    if not is_ours:
        raise OptionError(f"{path} holds something else.", "Choose another name, or remove it.")
    wanted = json.loads(json.dumps(told))
    differing = [name for name in wanted["request"] if name != "seed"
                 and content["request"].get(name) != wanted["request"][name]]  # fmt: skip
    if differing or content["forks"] != told["forks"]:
        what = ", ".join(differing) or "number of forks"
        raise OptionError(f"{path} is of other settings: {what}.", "Choose another name, or the same settings.")
    return list(results)


def _write(path: Path | None, told: dict[str, Any], results: list[dict[str, Any]]) -> None:
    if path is not None:
        with replacing(path) as file:
            file.write(json.dumps(told | {"results": results}, indent=1).encode())


# What is said ---------------------------------------------------------------------------------------------------------


def _table(results: list[dict[str, Any]]) -> Iterator[str]:
    """Means over the seeds for each step, with the standard error, and by when each was decided."""
    names = [*results[0]["bands"], "pixels", *(kind for kind in ("form", "material") if kind in results[0])]
    yield f"{'step':>5}  " + "  ".join(f"{name:>14}" for name in names)
    curves: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    for k in sorted({one["step"] for one in results}):
        cells = []
        for name in names:
            values = [value for one in results if one["step"] == k and (value := _value(one, name)) is not None]
            if not values:
                cells.append(f"{'-':>14}")
                continue
            mean = statistics.fmean(values)
            curves[name].append((k, mean))
            error = f" ± {statistics.stdev(values) / math.sqrt(len(values)):.2f}" if len(values) > 1 else ""
            cells.append(f"{mean:.2f}{error}".rjust(14))
        yield f"{k:>5}  " + "  ".join(cells)
    for name, curve in curves.items():
        k = next((k for k, mean in curve if mean >= LEAST_CORRELATION), None)
        when = "not by any of these steps" if k is None else f"by step {k}"
        yield f"{name}: alike to {decimal_text(LEAST_CORRELATION)} {when}"


def _value(result: dict[str, Any], name: str) -> float | None:
    if name in ("form", "material"):
        found = result.get(name)
        return None if found is None else found["shared"]
    return result["pixels"] if name == "pixels" else result["bands"].get(name)  # type: ignore[no-any-return]
