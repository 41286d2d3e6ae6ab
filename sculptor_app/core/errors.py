"""Errors of a run, each with one clear sentence and advice what to do next."""


class SculptorError(Exception):
    """An error that is shown to a person; what was computed before it stays valid.

    Args:
        what: What happened, one sentence with its full stop.
        what_to_do: What a person can do about it, one sentence, or empty where `what` already says it.
    """

    def __init__(self, what: str, what_to_do: str = "") -> None:
        super().__init__(what, what_to_do)
        self.what = what
        self.what_to_do = what_to_do

    def __str__(self) -> str:
        return f"{self.what} {self.what_to_do}".strip()


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


class PictureError(SculptorError):
    """A file cannot be opened as a picture."""


class Cancelled(Exception):  # no error: a person asked for it
    """A run was stopped on request; its trajectory so far stays valid."""
