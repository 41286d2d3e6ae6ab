"""Carrying out `sculptor-app check-model`."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.run_options import bring_model
from sculptor_app.commands.saving import refused
from sculptor_app.commands.terminal import BAD_INPUT, DONE, INTERRUPTED, say, stop_on_signal
from sculptor_app.core.errors import Cancelled, SculptorError

if TYPE_CHECKING:
    from sculptor_app.diffusion.models.loader import LoadingPlan
    from sculptor_app.diffusion.models.verdict import Verdict

REFUSED = 1


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        0 if the model can be opened, 1 if it is refused, 2 if there is none.
    """
    from sculptor_app.diffusion.models.loader import check_model, find_model
    from sculptor_app.diffusion.pipelines.devices import find_device

    with stop_on_signal() as interruption:
        try:
            bring_model(arguments, interruption)
            path, device = find_model(arguments.model), find_device(arguments.device)
            verdict, plan = check_model(
                path, device.id, sandbox=not arguments.no_trial, sandbox_embedded=True, stop=interruption.event
            )
        except Cancelled as cancelled:
            return refused(str(cancelled) or "Interrupted.", interruption.code or INTERRUPTED)
        except SculptorError as error:
            return refused(error, BAD_INPUT)
    tried = verdict.fit and not arguments.no_trial
    if arguments.json:
        say(json.dumps(_as_dict(verdict, plan, device.id, tried), indent=2), sys.stdout)
    else:
        for line in _lines(verdict, plan, device.name, tried):
            say(line, sys.stdout)
    return DONE if verdict.fit else REFUSED


def _lines(verdict: "Verdict", plan: "LoadingPlan | None", device: str, tried: bool) -> Iterator[str]:
    """The verdict in words."""
    from sculptor_app.core.texts import byte_text
    from sculptor_app.diffusion.models.verdict import Severity, shown, shown_path

    yield shown_path(verdict.path)
    if verdict.pipeline_class is not None:
        yield f"{shown(verdict.pipeline)[1:-1]}, {byte_text(verdict.stored_bytes)} of weights"
    if plan is not None:
        yield f"Fit: it runs on {device} in {plan.dtype}{', its parts one at a time' if plan.offload else ''}."
        yield "It was loaded on trial." if tried else "It was judged by its files alone."
    else:
        count = len(verdict.refusals)
        yield f"Refused, for {count} reason{'s' if count > 1 else ''}:"
    for finding in verdict.findings:
        yield f"  {'note: ' if finding.severity is Severity.NOTE else ''}{finding}"


def _as_dict(verdict: "Verdict", plan: "LoadingPlan | None", device: str, tried: bool) -> dict[str, Any]:
    """The verdict for a program."""
    return {
        "model": str(verdict.path),
        "fit": verdict.fit,
        "pipeline": verdict.pipeline,
        "tried": tried,
        "device": device,
        "dtype": plan.dtype if plan is not None else None,
        "offload": plan.offload if plan is not None else None,
        "weight_bytes": verdict.stored_bytes,
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
