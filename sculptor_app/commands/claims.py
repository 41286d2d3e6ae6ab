"""`sculptor-app claims`: published findings, tested on the model at hand."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

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
from sculptor_app.commands.terminal import Interruption, Parser, ProgressBar, say, stdout, whole_number
from sculptor_app.core.requests.request import MAX_SEED, RunRequest
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.files import OptionError
from sculptor_app.measures.claims import (
    CLAIMS,
    LEAST_FORKS,
    LEAST_SEEDS,
    SAMPLES_PER_SEED,
    Claim,
    ClaimProgress,
    ClaimRequest,
    Outcome,
)

MOST_SEEDS, MOST_FORKS = 100_000, 64
KEYS = tuple(CLAIMS)
OF_SAMPLES = tuple(key for key, claim in CLAIMS.items() if claim.of_samples)
OF_TRAINING = tuple(key for key, claim in CLAIMS.items() if claim.trains)
WIDTH = 100
LONG_S = 45.0
"""A test that takes longer says so beforehand."""
EXAMPLES = """examples:
  sculptor-app claims
  sculptor-app claims two-dimensional --sampler ddpm --seeds 32
  sculptor-app claims u-turn --steps 20 --seeds 16 --json
  sculptor-app claims closed-form --steps 20 --seeds 16
"""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "claims",
        help="test published findings on a model",
        description="Test published findings about diffusion models on the model at hand: each with its source, what "
        "was published, what this model shows, and whether it holds. One that does not hold is shown as such.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("claim", nargs="?", metavar="NAME", help=f"{', '.join(KEYS)} (all)")
    make = parser.add_argument_group("the runs")
    add_labels(make)
    add_seed(make, "the first run; the others have those after it")
    for add in (add_steps, add_sampler, add_guidance, add_model, add_conditions):
        add(make)
    make.add_argument("--seeds", type=whole_number("number of runs", LEAST_SEEDS, MOST_SEEDS), default=8, metavar="N",
                      help=f"runs, each of the next seed; {SAMPLES_PER_SEED} samples for each where a claim is about "
                      f"samples, {', '.join(OF_SAMPLES)}; so many small networks learn where it is about training, "
                      f"{', '.join(OF_TRAINING)} (8)")  # fmt: skip
    make.add_argument("--forks", type=whole_number("number of forks", LEAST_FORKS, MOST_FORKS), default=4, metavar="N",
                      help="forks of each run at each step, of u-turn and speciation (4)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code, and what went wrong is said on the error stream."""

    def check() -> RunRequest:
        if arguments.claim not in (None, *KEYS):
            raise OptionError(
                f"There is no claim {arguments.claim[:40]!r} here.",
                f"Choose one of {', '.join(KEYS)}, or none for all.",
            )
        request = request_of(arguments)
        if request.seed + arguments.seeds > MAX_SEED:
            raise OptionError("There are not so many seeds.", "Choose a smaller --seed.")
        return request

    def work(request: RunRequest, interruption: Interruption) -> None:
        bring_model(arguments, interruption)
        with interruption.at_once():  # torch takes seconds to import
            from sculptor_app.diffusion.sampling.engine import Engine, model_name
        from sculptor_app.diffusion.studies.claims.measure import measure_claim
        from sculptor_app.exports.settings import told_request  # numpy comes with it
        from sculptor_app.training.evaluation.claims.measure import SAMPLE_MEASURES
        from sculptor_app.training.evaluation.judge_training import read_labels
        from sculptor_app.training.memorising.claim import TRAINING_MEASURES

        asked = ClaimRequest(with_models_own(request, arguments), arguments.seeds, arguments.forks)
        measures = {**SAMPLE_MEASURES, **TRAINING_MEASURES}
        engine, found = Engine(), []
        for key in KEYS if arguments.claim is None else (arguments.claim,):
            claim = CLAIMS[key]
            is_foretold = False
            with ProgressBar(key, 1, "part") as bar:
                for event in measure_claim(key, engine, asked, interruption.event, read_labels, measures):
                    if isinstance(event, ClaimProgress):
                        bar.plan(event.planned)
                        bar.move_to(event.done)
                        if not is_foretold and event.seconds_left is not None:
                            bar.note(_foretold(key, event.seconds_left))
                            is_foretold = True
                    else:
                        found.append((claim, event))
            if not arguments.json:
                say("\n".join(_told(claim, found[-1][1])) + "\n", stdout())
        if arguments.json:
            name = model_name(request.model)
            told = told_request(asked.request, name, Disclosure.NAMES)
            settings = {"model_name": name, "request": told, "seeds": asked.seeds, "forks": asked.forks}
            say(json.dumps(settings | {"claims": [_as_dict(*each) for each in found]}, indent=1), stdout())

    return run_checked(check, work)


def _foretold(key: str, seconds: float) -> Sequence[str]:
    """How long a test takes, where that is more than a person waits for without a word."""
    if seconds < LONG_S:
        return ()
    minutes = round(seconds / 60)
    return (f"{key} takes about {'a minute' if minutes == 1 else f'{minutes} minutes'}; Ctrl-C stops it.",)


def _told(claim: Claim, outcome: Outcome) -> Sequence[str]:
    return (
        f"{claim.key}: {outcome.verdict}",
        *(
            textwrap.fill(text, WIDTH, initial_indent=f"  {name:10}", subsequent_indent=" " * 12)
            for name, text in (
                ("finding", claim.finding),
                ("source", claim.source),
                ("published", claim.published),
                ("here", outcome.here),
            )
        ),
    )


def _as_dict(claim: Claim, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": claim.key, "finding": str(claim.finding), "source": claim.source, "published": str(claim.published),
        "here": str(outcome.here), "holds": outcome.holds,
        "figures": {name: _number(value) for name, value in outcome.figures.items()},
        "errors": {name: _number(value) for name, value in outcome.errors.items()},
    }  # fmt: skip


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
