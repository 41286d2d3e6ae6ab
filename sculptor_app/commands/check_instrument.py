"""`sculptor-app check-instrument`: a model whose every answer is known, run and measured as any other."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import add_model, add_sampler, add_steps, bring_model
from sculptor_app.commands.saving import run_checked
from sculptor_app.commands.terminal import DONE, RUN_FAILED, Interruption, Parser, ProgressBar, say, stdout
from sculptor_app.core.requests.request import FIRST_SAMPLER, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER

if TYPE_CHECKING:
    from sculptor_app.measures.instrument import Comparison, InstrumentCheck

WIDTH = 100
EXAMPLES = """examples:
  sculptor-app check-instrument
  sculptor-app check-instrument --sampler ddim --steps 20
  sculptor-app check-instrument --model FOLDER --sampler model --json
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "check-instrument",
        help="check what is measured on a run whose every answer is known",
        description="Run a model whose every answer is known in closed form, a Gaussian random field, through the "
        "same chain as any other, and compare what is measured with what it must be: noise levels, guesses pixel by "
        "pixel, power in the four bands. The noise schedule and what the network predicts are those of the model that "
        "is named; only its scheduler's settings are read. The exit code is 4 where a deviation is above its bound.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make = parser.add_argument_group("the run")
    for add in (add_steps, add_sampler, add_model):
        add(make)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON, with the curves")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""
    found: list[InstrumentCheck] = []

    def check() -> RunRequest:
        sampler = arguments.sampler or (FIRST_SAMPLER if arguments.model is None else OWN_SAMPLER)
        return RunRequest(model=arguments.model, sampler=sampler, steps=arguments.steps, device=arguments.device)

    def work(request: RunRequest, interruption: Interruption) -> None:
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.diffusion.sampling.engine import Engine
            from sculptor_app.diffusion.studies.instrument import check_instrument
            from sculptor_app.measures.instrument import CheckProgress

        with ProgressBar("Checking", request.steps, "step") as bar:
            for event in check_instrument(Engine(), request, interruption.event):
                if isinstance(event, CheckProgress):
                    bar.move_to(event.done)
                else:
                    found.append(event)
        told = json.dumps(_as_dict(found[0], request), indent=1) if arguments.json else "\n".join(_lines(found[0]))
        say(told, stdout())

    code = run_checked(check, work)
    return code if code != DONE or found[0].agrees else RUN_FAILED


def _lines(found: InstrumentCheck) -> Iterator[str]:
    from sculptor_app.core.texts import steps_text
    from sculptor_app.measures.instrument import EXPECTATIONS, steps_per_band

    yield f"{found.sampler}, {steps_text(found.steps)}, {found.schedule}"
    for each in found.comparisons:
        sign = {True: "✓", False: "✗", None: " "}[each.agrees]
        bound = f"of {each.bound_text}" if each.bound is not None else ""
        where = f"step {each.step}" if each.deviation > 0 else ""
        yield f"{sign} {each.name:30}{each.deviation_text:>18} {bound:18}{where}".rstrip()
    yield _half(found, steps_per_band)
    yield _slope_line(found)
    yield ""
    told = f"Predicted bands of the states: {EXPECTATIONS[found.state_prediction]}."
    for text in (told, *(each.note for each in found.comparisons if each.note), found.verdict):
        yield textwrap.fill(text, WIDTH)


def _half(found: InstrumentCheck, words: Any) -> str:
    measured, expected = found.half_steps
    return f"  half amplitude at step  {words(measured)}  (expected {' · '.join(map(str, expected))})"


def _slope_line(found: InstrumentCheck) -> str:
    told = [
        f"{name} {measured:.2f} ({expected:.2f})"
        for name, (measured, expected) in found.slopes.items()
        if math.isfinite(measured)
    ]
    return f"  slopes (expected)       {' · '.join(told)}"


def _as_dict(found: InstrumentCheck, request: RunRequest) -> dict[str, Any]:
    return {
        "sampler": request.sampler, "steps": found.steps, "schedule": str(found.schedule),
        "is_models_own_schedule": found.is_own_schedule, "agrees": found.agrees, "verdict": str(found.verdict),
        "comparisons": {each.key: _compared(each) for each in found.comparisons},
        "state_prediction": found.state_prediction.value,
        "half_amplitude_steps": {"measured": list(found.half_steps[0]), "expected": list(found.half_steps[1])},
        "slopes": {name: {"measured": _number(one), "expected": _number(other)}
                   for name, (one, other) in found.slopes.items()},
        "bands": {kind: {source: [[_number(value) for value in row] for row in rows.tolist()]
                         for source, rows in table.items()}
                  for kind, table in (("measured", found.measured), ("expected", found.expected))},
    }  # fmt: skip


def _compared(each: Comparison) -> dict[str, Any]:
    return {
        "name": str(each.name), "deviation": _number(each.deviation), "unit": each.unit, "bound": each.bound,
        "step": each.step, "agrees": each.agrees, "note": str(each.note),
    }  # fmt: skip


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
