"""What can end a training run, each as one clear sentence and what to do, with the exit code that goes with it."""

from __future__ import annotations

from sculptor_app.commands.terminal import BAD_INPUT, NOT_WRITTEN, RUN_FAILED
from sculptor_app.core.errors import SculptorError


class TrainingError(SculptorError):
    """Training ends here; what the last checkpoint holds stays valid.

    Attributes:
        code: The exit code of the command.
        everywhere: Whether all processes of the run meet it alike, so that one of them tells it.
    """

    code = RUN_FAILED
    everywhere = True


class TrainingFailed(TrainingError):
    """Training cannot go on: the loss, the memory or the device gave out."""


class DeviceFailed(TrainingFailed):
    """The memory or the device of one process gave out; the other processes know nothing of it."""

    everywhere = False


class OtherProcessFailed(TrainingFailed):
    """One of several processes failed, and this one cannot go on without it."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, or belongs to another version of this program."""


class NotWritten(TrainingError):
    """A checkpoint, a rendered picture or the model could not be written; what was there before is whole."""

    code = NOT_WRITTEN


class BadInput(TrainingError):
    """An option's value, or what it names, cannot be used."""

    code = BAD_INPUT


class TooFewPictures(BadInput):
    """The folder holds too few pictures to learn from."""


class SettingsChanged(BadInput):
    """A run is to go on with something that must stay as it was when the run began."""
