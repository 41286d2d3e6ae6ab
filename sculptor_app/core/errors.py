"""Errors of a run, each with one clear sentence and advice what to do next."""

from sculptor_app.core.texts import Text, harmless, without_secrets


class SculptorError(Exception):
    """An error that is shown to a person, without passwords and tokens; what was computed before it stays valid.

    Both sentences are made harmless and bounded, as a model's config or a file's name may be part of them.

    Args:
        message: What happened, one sentence with its full stop.
        advice: What a person can do about it, one sentence, or empty where the message already says it.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        message, advice = without_secrets(message), without_secrets(advice)
        message, advice = (text if isinstance(text, Text) else harmless(text) for text in (message, advice))
        super().__init__(message, advice)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class ModelFolderError(SculptorError):
    """A model folder is missing, broken, or not one that can be run."""


class DeviceMissing(SculptorError):
    """A device that is not in this machine, or that this build of torch cannot use."""


class OutOfDeviceMemory(SculptorError):
    """Too little device memory for the model or for one of its steps."""


class SamplerFailed(SculptorError):
    """The model or its scheduler raised, or made NaN."""


class TrajectoryStorageError(SculptorError):
    """Frames could not be written to the spill file; everything recorded so far stays readable."""


class TrajectoryFileError(SculptorError):
    """A saved run cannot be opened, or a run cannot be saved as it is."""


class PictureError(SculptorError):
    """A file cannot be opened as a picture."""


class WorkersLost(SculptorError):
    """Processes that compute, here or on other machines, ended by themselves or cannot be reached."""


class Cancelled(Exception):  # no error: a person asked for it
    """A run was stopped on request; its trajectory so far stays valid."""
