"""`sculptor-app check-model`: the inspection of a model without a window, with all reasons."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import add_model, bring_model
from sculptor_app.commands.saving import refused
from sculptor_app.commands.terminal import (
    BAD_INPUT,
    DONE,
    INTERRUPTED,
    Parser,
    say,
    stdout,
    stop_on_signal,
)
from sculptor_app.core.errors import Cancelled, SculptorError

if TYPE_CHECKING:
    from sculptor_app.diffusion.models.loader import LoadingPlan
    from sculptor_app.diffusion.models.verdict import Verdict

REFUSED = 1

EXAMPLES = """examples:
  sculptor-app check-model ~/models/my-model
  sculptor-app check-model model.safetensors --json
  sculptor-app check-model owner/name --no-trial
  sculptor-app check-model owner/name --download

exit codes:
  0    it can be watched, or run without a guess
  1    it is refused; the reasons are listed
  2    bad input, or there is no such model
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "check-model",
        help="say whether a model can be watched, and why not",
        description="Judge a model by what lies on the disk, then load it once in a separate process that may do "
        "little. Nothing that comes with a model is run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, "model")
    parser.add_argument("--no-trial", action="store_true", help="judge by the files alone")
    parser.add_argument("--json", action="store_true", help="the verdict for a program to read, with all findings")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; 0 if the model can be opened, 1 if it is refused, 2 if there is none."""
    from sculptor_app.diffusion.models.loader import check_model, find_model
    from sculptor_app.diffusion.models.verdict import ModelRefused
    from sculptor_app.diffusion.pipelines.devices import find_device

    with stop_on_signal() as interruption:
        try:
            bring_model(arguments, interruption)
            path, device = find_model(arguments.model), find_device(arguments.device)
            verdict, plan = check_model(
                path, device.id, sandbox=not arguments.no_trial, sandbox_own=True, stop=interruption.event
            )
        except Cancelled as cancelled:
            return refused(str(cancelled) or "Interrupted.", interruption.code or INTERRUPTED)
        except ModelRefused as error:  # for what its pickles hold
            return refused(error, REFUSED)
        except SculptorError as error:
            return refused(error, BAD_INPUT)
    tried = verdict.fit and not arguments.no_trial
    if arguments.json:
        say(json.dumps(_as_dict(verdict, plan, device.id, tried), indent=2), stdout())
    else:
        for line in _lines(verdict, plan, device.name, tried):
            say(line, stdout())
    return DONE if verdict.fit else REFUSED


def _lines(verdict: Verdict, plan: LoadingPlan | None, device: str, tried: bool) -> Iterator[str]:
    from sculptor_app.core.texts import byte_text, plural
    from sculptor_app.diffusion.models.verdict import Answer, Severity, listed, shown, shown_path

    yield shown_path(verdict.path)
    if verdict.pipeline_class is not None:
        sizes = ((verdict.stored_bytes, "of weights"), (verdict.pickled_bytes, "of weights in pickles"))
        yield ", ".join([shown(verdict.pipeline)[1:-1], *(f"{byte_text(size)} {what}" for size, what in sizes if size)])
    if plan is not None:
        how = f"It runs on {device} in {plan.dtype}{', its parts one at a time' if plan.offload else ''}."
        if verdict.answer is Answer.RECORDED:
            yield f"It can be run but not watched in full: its states are recorded. {verdict.why_no_guess}"
        else:
            yield "It can be watched."
        yield how
        yield "It was loaded on trial." if tried else "It was judged by its files alone."
    else:
        count = len(verdict.refusals)
        yield f"Refused, for {plural(count, '1 reason', f'{count} reasons')}:"
    findings, left_out = listed(verdict.findings)
    for finding in findings:
        yield f"  {'note: ' if finding.severity is Severity.NOTE else ''}{finding}"
    if left_out:
        yield f"  and {left_out:,} more; --json lists all"


def _as_dict(verdict: Verdict, plan: LoadingPlan | None, device: str, tried: bool) -> dict[str, Any]:
    return {
        "model": str(verdict.path),
        "fit": verdict.fit,
        "answer": verdict.answer.value,
        "why_no_guess": verdict.why_no_guess,
        "pipeline": verdict.pipeline,
        "tried": tried,
        "device": device,
        "dtype": plan.dtype if plan is not None else None,
        "offload": plan.offload if plan is not None else None,
        "weight_bytes": verdict.stored_bytes,
        "pickled_bytes": verdict.pickled_bytes,
        "weights": verdict.parameter_count,
        "components": [
            {
                "name": component.name,
                "kind": component.kind,
                "variant": component.weights.variant if component.weights is not None else None,
                "weight_bytes": component.weights.stored_bytes if component.weights is not None else 0,
            }
            for component in verdict.components
        ],
        "findings": [
            {"severity": each.severity.value, "what": each.message, "why_it_matters": each.explanation}
            for each in verdict.findings
        ],
    }
