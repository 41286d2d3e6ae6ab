"""`sculptor-app evaluate`: how good a model of sculptures is, from samples of it."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.process import interruptible
from sculptor_app.commands.run_options import add_model, bring_model
from sculptor_app.commands.saving import code_of, refused, say_written
from sculptor_app.commands.terminal import (
    DONE,
    INTERRUPTED,
    NOT_WRITTEN,
    OneOf,
    ProgressBar,
    file_path,
    is_terminal,
    number,
    say,
    stderr,
    stdout,
    stop_on_signal,
    whole_number,
)
from sculptor_app.commands.train_recipe import AGAIN, sentence
from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.files import is_folder, without_folder
from sculptor_app.core.requests.request import (
    FIRST_GUIDANCE,
    FIRST_SAMPLER,
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_STEPS,
    RequestError,
)
from sculptor_app.core.requests.samplers import NOISELESS_SAMPLERS
from sculptor_app.core.texts import decimal_text, number_text
from sculptor_app.exports.files import check_target, replacing

if TYPE_CHECKING:
    from sculptor_app.training.evaluation.evaluate import EvaluationRequest

MOST_SAMPLES = 100_000
TRAINING_PICTURES = 960
DESCRIPTION = """\
Measure how good a model of the rendered sculptures is. A small classifier,
trained on renders, reads form and material off samples of the model. The Fréchet
distance between its features of samples and of renders tells how far the samples
are off, the nearest training picture of each sample whether the model copies.
Beside each figure is that of as many fresh renders, which is what a perfect model
would reach. Fréchet distances of different classifiers, or of different numbers
of samples, cannot be compared."""
EPILOG = """examples:
  sculptor-app evaluate --samples 64 --json
  sculptor-app evaluate --model run/model --train-pictures all --train-renders run/renders --out evaluation.json
"""


def add_parsers(subparsers: Any) -> None:
    """Add `evaluate` to the program's command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure how good the default model is, or one of your own",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_sampling(parser.add_argument_group("what to measure"))
    _add_comparison(parser.add_argument_group("what to compare with"))
    files = parser.add_argument_group("what to say")
    files.add_argument("--out", type=file_path, metavar="FILE", help="write the figures as JSON")
    files.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    parser.set_defaults(run=run_evaluation)


def _add_sampling(group: argparse._ArgumentGroup) -> None:
    add_model(group)
    group.add_argument("--samples", type=whole_number("number of samples", 1, MOST_SAMPLES), default=1024,
                       metavar="N", help="forms and materials take turns (1024)")  # fmt: skip
    group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=0, metavar="N",
                       help="of the samples' noise and of the fresh renders (0)")  # fmt: skip
    group.add_argument("--steps", type=whole_number("number of steps", 1, MAX_STEPS), default=50, metavar="N",
                       help="reverse steps of the sampler (50)")  # fmt: skip
    group.add_argument("--sampler", action=OneOf, known=NOISELESS_SAMPLERS, name="sampler", metavar="ID",
                       default=FIRST_SAMPLER,
                       help=f"one of {', '.join(NOISELESS_SAMPLERS)} ({FIRST_SAMPLER})")  # fmt: skip
    group.add_argument("--guidance", type=number("guidance", 0, MAX_GUIDANCE), default=FIRST_GUIDANCE,
                       metavar="X",
                       help=f"how much form and material count; 1 is none ({number_text(FIRST_GUIDANCE)})")  # fmt: skip
    group.add_argument("--exact", action="store_true",
                       help="sample in float32, as the window does, where a CPU is faster in 16 bits")  # fmt: skip


def _add_comparison(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--train-pictures", type=_count_or_all, default=TRAINING_PICTURES, metavar="N|all",
                       help=f"training pictures to look for copies of ({TRAINING_PICTURES})")  # fmt: skip
    group.add_argument("--train-renders", type=file_path, metavar="FOLDER",
                       help="where training kept its renders; without it they are rendered again")  # fmt: skip
    group.add_argument("--train-judge", action="store_true",
                       help="train another classifier and use it (minutes to an hour)")  # fmt: skip


def _count_or_all(text: str) -> int | None:
    return None if text == "all" else whole_number("number of training pictures", 1, 10**8)(text)


def run_evaluation(arguments: argparse.Namespace) -> int:
    """Measure a model, write and print the figures; returns the exit code, and errors go to the error stream."""
    from sculptor_app.training.evaluation.evaluate import evaluate  # torch comes with it
    from sculptor_app.training.evaluation.figures import as_table

    try:
        if arguments.out is not None:
            check_target(arguments.out)  # before minutes are put into it
        with stop_on_signal() as interruption:
            bring_model(arguments, interruption)
        with interruptible():
            evaluation = evaluate(_request(arguments), _TerminalListener())
            text = json.dumps(evaluation.as_dict(), indent=2)
            if arguments.out is not None:
                with replacing(arguments.out) as file:
                    file.write(text.encode() + b"\n")
    except Cancelled as cancelled:
        return refused(str(cancelled) or "Interrupted.", interruption.code or INTERRUPTED)
    except SculptorError as error:
        return refused(sentence(error), code_of(error))
    except OSError as error:
        return refused(f"A folder for renders could not be used ({error}). Mend it, and {AGAIN}.", NOT_WRITTEN)
    say(text if arguments.json else as_table(evaluation), stdout())
    if arguments.out is not None:
        say_written(arguments.out, arguments)
    return DONE


def _request(arguments: argparse.Namespace) -> EvaluationRequest:
    from sculptor_app.training.evaluation.evaluate import EvaluationRequest

    renders = arguments.train_renders
    if renders is not None and not is_folder(renders):
        raise RequestError(f"There is no folder {renders}. Choose another with --train-renders.")
    return EvaluationRequest(
        arguments.model, arguments.samples, arguments.seed, arguments.steps, arguments.guidance, arguments.exact,
        arguments.device, arguments.train_pictures, renders, arguments.train_judge, command_line(arguments),
        arguments.sampler,
    )  # fmt: skip


class _TerminalListener:
    def message(self, sentence: str) -> None:
        if is_terminal(stderr()):
            say(sentence, stderr())

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        with ProgressBar(title, total, "picture") as bar:
            yield bar.move_to


def command_line(arguments: argparse.Namespace) -> str:
    """The command as a person would type it: the number of samples, and what is not as it would be anyway.

    Of folders and files the last part alone, as the figures may travel.
    """
    parser = argparse.ArgumentParser()
    add_parsers(parser.add_subparsers())
    usual = vars(parser.parse_args(["evaluate"]))
    words = ["sculptor-app", "evaluate", "--samples", str(arguments.samples)]
    for name, value in vars(arguments).items():
        if name in ("samples", "run") or name not in usual or value == usual[name]:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            shown = decimal_text(value) if isinstance(value, float) else without_folder(str(value))
            words.append("all" if value is None else shown)
    return shlex.join(words)
