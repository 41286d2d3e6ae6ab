"""Errors of training and evaluation: a class and plain facts; commands and windows word what to do about them."""

from __future__ import annotations

from sculptor_app.core.errors import ModelFolderError, SculptorError


class TrainingError(SculptorError):
    """Training ends here; what the last checkpoint holds stays valid.

    Attributes:
        everywhere: Whether all processes of the run meet it alike, so that one of them reports it.
    """

    everywhere = True


class TrainingFailed(TrainingError):
    """Training cannot go on: the loss, the memory or the device gave out."""


class Diverged(TrainingFailed):
    """The loss or the weights are NaN or infinite, or the gradients have exploded."""


class DeviceFailed(TrainingFailed):
    """The memory or the device of one process gave out; the other processes know nothing of it."""

    everywhere = False


class OutOfMemory(DeviceFailed):
    """A step takes more memory than there is."""


class DeviceLost(DeviceFailed):
    """The GPU no longer answers."""


class OtherProcessFailed(TrainingFailed):
    """One of several processes failed, and this one cannot go on without it."""


class PeerLost(OtherProcessFailed):
    """Another process no longer answers, and its reason is not known."""


class CheckpointError(TrainingError):
    """A checkpoint, or a run's plan, cannot be read."""


class CheckpointDamaged(CheckpointError):
    """A checkpoint is damaged."""


class CheckpointVersionError(CheckpointError):
    """A checkpoint belongs to another version of this program."""


class NotWritten(TrainingError):
    """A checkpoint, a rendered picture or the model could not be written; what was there before is whole."""


class BadInput(TrainingError):
    """A setting, or the folder or model that it names, cannot be used."""


class FolderNotWritable(BadInput):
    """The run's folder cannot be made or written to."""


class FolderInUse(BadInput):
    """Another run is going on in the folder."""


class NoCheckpoint(BadInput):
    """There is no checkpoint to make a model of."""


class TooManyPictures(BadInput):
    """The pictures do not fit into memory."""


class TooFewPictures(BadInput):
    """The folder holds too few pictures to learn from."""


class RenderSizeMismatch(BadInput):
    """The run's folder holds renders of another size."""


class UnsuitableModel(BadInput):
    """Training cannot begin with the weights of this model."""


class SettingsChanged(BadInput):
    """A run is to go on with something that must stay as it was when the run began."""


class PicturesChanged(SettingsChanged):
    """The pictures that the run learns from have changed, or are not there any more."""


class ArchitectureChanged(SettingsChanged):
    """This version of the program would put the run's weights into another network."""


class OptimizerChanged(SettingsChanged):
    """The run began with another optimizer."""


class JudgeError(ModelFolderError):
    """A judge's folder is damaged, or of another kind of pictures."""


class JudgeSizeMismatch(JudgeError):
    """A judge reads pictures of another size."""
