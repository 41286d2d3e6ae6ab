"""Carrying out `sculptor-app evaluate`."""

from __future__ import annotations

import argparse
import json
import sys

from sculptor_app.commands.terminal import BAD_INPUT, DONE, NO_MODEL, NOT_WRITTEN, RUN_FAILED, say
from sculptor_app.core.errors import DeviceMissing, ModelFolderError, SculptorError
from sculptor_app.core.requests.request import RequestError
from sculptor_app.exports.atomic import check_target, replacing
from sculptor_app.exports.errors import ExportError
from sculptor_app.training.errors import TrainingError
from sculptor_app.training.evaluation.evaluate import evaluate
from sculptor_app.training.evaluation.report import as_table


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code; what went wrong is said on the error stream.
    """
    try:
        if arguments.out is not None:
            check_target(arguments.out)  # before minutes are put into it
        evaluation = evaluate(arguments)
        text = json.dumps(evaluation.as_dict(), indent=2)
        if arguments.out is not None:
            with replacing(arguments.out) as file:
                file.write(text.encode() + b"\n")
    except SculptorError as error:
        return _refused(error, _code(error))
    except OSError as error:
        return _refused(
            f"A folder for renders could not be used ({error}). Mend it, and start the same command again.", NOT_WRITTEN
        )
    say(text if arguments.json else as_table(evaluation), sys.stdout)
    return DONE


def _code(error: SculptorError) -> int:
    if isinstance(error, (RequestError, DeviceMissing)):
        return BAD_INPUT
    if isinstance(error, ModelFolderError):
        return NO_MODEL
    if isinstance(error, TrainingError):
        return error.code
    return NOT_WRITTEN if isinstance(error, ExportError) else RUN_FAILED


def _refused(reason: object, code: int) -> int:
    say(str(reason), sys.stderr)
    return code
